//! One row of the report: one user, and its first two keys.

use csv::ByteRecord;
use jiff::Timestamp;
use keysweep_core::facts::{Fact, LastUse};
use keysweep_core::ids::{AccountId, UserName};

use super::table::{Columns, SlotColumns};
use crate::convert::in_future;

/// Name of the row of the root user, as AWS writes it.
const ROOT: &str = "<root_account>";

/// A row that cannot be read. The user's keys are then unknown; it is not a user without keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row of user {shown:?} in the credential report {reason}")]
pub struct RowError {
    user: Option<UserName>,
    shown: String,
    reason: String,
}

/// A user and its first two keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The user; `<root_account>` for root.
    pub user_name: UserName,
    /// Whether this is the root user, which IAM lists among the users here and nowhere else.
    pub root: bool,
    /// Path, such as `/ci/`, out of the ARN.
    pub path: String,
    /// Creation of the user; absent where the report says `N/A` or the like.
    pub created: Option<Timestamp>,
    /// Whether there is a console password; absent where the report does not say.
    pub password_enabled: Option<bool>,
    /// Last use of the password: unknown where the report does not say, `None` where never.
    pub password_last_used: Fact<Option<Timestamp>>,
    /// The first two keys. Nothing documented says which is which.
    pub slots: [Slot; 2],
    /// Whether the user has more keys or certificates than the report shows.
    pub more_than_two: bool,
}

impl Row {
    /// The slots that hold a key.
    pub fn keys(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.holds_key())
    }
}

/// One of the two keys that a report shows of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Whether the key is active. An inactive slot without a date holds no key.
    pub active: bool,
    /// Created or last changed: on AWS as it runs it equals `CreateDate`, and an inactive key keeps it. An active
    /// key without it has an unknown age.
    pub last_rotated: Option<Timestamp>,
    /// Last use; unknown where the report does not say.
    pub last_used: Fact<LastUse>,
}

impl Slot {
    /// Whether there is a key at all.
    #[must_use]
    pub fn holds_key(&self) -> bool {
        self.active || self.last_rotated.is_some()
    }
}

impl RowError {
    pub(super) fn new(record: &ByteRecord, user: usize, reason: impl Into<String>) -> Self {
        let shown = shown(record, user);
        Self { user: shown.parse().ok(), shown, reason: reason.into() }
    }

    /// The user that an error of this row would name.
    pub(super) fn user_of(record: &ByteRecord, user: usize) -> Option<UserName> {
        shown(record, user).parse().ok()
    }

    /// The user, as well as the name could be read: bytes that are no text stand as U+FFFD. Absent where the row
    /// has no name at all: then nobody knows whose keys are missing, and the report is not complete.
    #[must_use]
    pub fn user(&self) -> Option<&UserName> {
        self.user.as_ref()
    }

    /// What is wrong with the row.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// The name in a row as far as it can be shown.
fn shown(record: &ByteRecord, user: usize) -> String {
    let text = String::from_utf8_lossy(record.get(user).unwrap_or_default());
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).take(128).collect()
}

/// What a row is read against.
pub(super) struct Context {
    columns: Columns,
    /// The account, as ARNs show it.
    account: String,
    now: Timestamp,
}

impl Context {
    pub(super) fn new(columns: Columns, account: AccountId, now: Timestamp) -> Self {
        Self { columns, account: account.to_string(), now }
    }

    pub(super) fn row(&self, record: &ByteRecord) -> Result<Row, RowError> {
        self.read(record).map_err(|reason| RowError::new(record, self.columns.user, reason))
    }

    fn read(&self, record: &ByteRecord) -> Result<Row, String> {
        let columns = &self.columns;
        if record.len() != columns.count {
            return Err(format!("has {} columns where the header has {}", record.len(), columns.count));
        }
        let user_name: UserName =
            field(record, columns.user, "user")?.parse().map_err(|_| "has no valid user")?;
        let root = user_name.as_str() == ROOT;
        let password_last_used = match value(field(record, columns.password_last_used, "password_last_used")?)
        {
            Value::Told(text) => Fact::Known(Some(self.date(text, "password_last_used")?)),
            Value::None => Fact::Known(None),
            Value::Untold(word) => Fact::Unknown(format!("credential report says {word}")),
        };
        let more_than_two = match columns.additional {
            Some(column) => is_additional(field(record, column, "additional_credentials_info")?),
            None => false,
        };
        let [first, second] = &columns.slots;
        Ok(Row {
            root,
            path: self.path(field(record, columns.arn, "arn")?, &user_name, root)?,
            created: self.optional_date(record, columns.created, "user_creation_time")?,
            password_enabled: match value(field(record, columns.password_enabled, "password_enabled")?) {
                Value::Told(text) => Some(boolean(text, "password_enabled")?),
                Value::None | Value::Untold(_) => None,
            },
            password_last_used,
            slots: [self.slot(record, first)?, self.slot(record, second)?],
            more_than_two,
            user_name,
        })
    }

    fn slot(&self, record: &ByteRecord, columns: &SlotColumns) -> Result<Slot, String> {
        let active = boolean(field(record, columns.active, "access_key_active")?, "access_key_active")?;
        let last_rotated = self.optional_date(record, columns.last_rotated, "access_key_last_rotated")?;
        let last_used = match value(field(record, columns.last_used, "access_key_last_used_date")?) {
            Value::Told(text) => Fact::Known(LastUse::At {
                at: self.date(text, "access_key_last_used_date")?,
                service: optional(field(record, columns.service, "access_key_last_used_service")?),
                region: optional(field(record, columns.region, "access_key_last_used_region")?),
            }),
            Value::None => Fact::Known(LastUse::Never),
            Value::Untold(word) => Fact::Unknown(format!("credential report says {word}")),
        };
        Ok(Slot { active, last_rotated, last_used })
    }

    fn optional_date(
        &self,
        record: &ByteRecord,
        column: usize,
        name: &str,
    ) -> Result<Option<Timestamp>, String> {
        match value(field(record, column, name)?) {
            Value::Told(text) => self.date(text, name).map(Some),
            Value::None | Value::Untold(_) => Ok(None),
        }
    }

    /// Dates end in `Z`, in older reports in `+00:00`.
    fn date(&self, text: &str, name: &str) -> Result<Timestamp, String> {
        let at: Timestamp = text.parse().map_err(|_| format!("has no date in {name}"))?;
        if in_future(at, self.now) { Err(format!("has a date in the future in {name}")) } else { Ok(at) }
    }

    /// The path out of `arn:aws:iam::111122223333:user/ci/ci-deploy`, if that is this user of this account.
    fn path(&self, arn: &str, user: &UserName, root: bool) -> Result<String, String> {
        let mut parts = arn.splitn(6, ':');
        let account = parts.nth(4);
        let resource = parts.next().unwrap_or_default();
        if account != Some(self.account.as_str()) {
            return Err("has the ARN of another account".to_owned());
        }
        if root {
            return Ok("/".to_owned());
        }
        resource
            .strip_prefix("user")
            .and_then(|path_and_name| path_and_name.strip_suffix(user.as_str()))
            .filter(|path| path.starts_with('/') && path.ends_with('/'))
            .map(str::to_owned)
            .ok_or_else(|| "has the ARN of something else".to_owned())
    }
}

/// What a field tells.
enum Value<'a> {
    /// This.
    Told(&'a str),
    /// `N/A`: there is none.
    None,
    /// `no_information`, `not_supported` or nothing: the report does not know.
    Untold(&'a str),
}

fn value(text: &str) -> Value<'_> {
    match text {
        "N/A" => Value::None,
        "no_information" | "not_supported" => Value::Untold(text),
        "" => Value::Untold("nothing"),
        text => Value::Told(text),
    }
}

fn optional(text: &str) -> Option<String> {
    match value(text) {
        Value::Told(text) => Some(text.to_owned()),
        Value::None | Value::Untold(_) => None,
    }
}

/// The column's wording is not documented: anything that does not clearly say "none" says that there are more.
fn is_additional(text: &str) -> bool {
    match value(text) {
        Value::Told(text) => text != "0" && text != "false",
        Value::None | Value::Untold(_) => false,
    }
}

fn boolean(text: &str, name: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("has neither true nor false in {name}")),
    }
}

fn field<'a>(record: &'a ByteRecord, column: usize, name: &str) -> Result<&'a str, String> {
    let bytes = record.get(column).ok_or_else(|| format!("lacks {name}"))?;
    std::str::from_utf8(bytes).map_err(|_| format!("is not UTF-8 in {name}"))
}
