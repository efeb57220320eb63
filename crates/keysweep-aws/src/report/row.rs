//! One row of the report: one user, and its first two keys.

use csv::ByteRecord;
use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::{Fact, LastUse};
use keysweep_core::ids::{AccountId, UserName};

use super::table::{Columns, SlotColumns};
use crate::convert::in_future;

/// Name of the row of the root user, as AWS writes it.
const ROOT: &str = "<root_account>";

/// 2002-01-01: AWS was opened in that year, and nothing in it is older.
const BEFORE_AWS: i64 = 1_009_843_200;

/// A row that cannot be read, or that contradicts itself. It names nobody: whose keys it is about is not known, and the
/// user it seems to be about may be another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row} of the credential report ({shown:?}) {reason}")]
pub struct RowError {
    row: usize,
    shown: String,
    of_root: bool,
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
    /// Whether it was made or used before then. Uses are told to the minute, once for a quarter of an hour.
    fn is_before(&self, then: Timestamp) -> bool {
        let used = self.last_used.known().and_then(LastUse::at);
        let span = SignedDuration::from_mins(15);
        [self.last_rotated, used].into_iter().flatten().any(|at| then.duration_since(at) > span)
    }

    /// Whether there is a key at all.
    #[must_use]
    pub fn holds_key(&self) -> bool {
        self.active || self.last_rotated.is_some()
    }
}

impl RowError {
    pub(super) fn new(position: usize, record: &ByteRecord, user: usize, reason: impl Into<String>) -> Self {
        Self { row: position + 1, shown: shown(record, user), of_root: false, reason: reason.into() }
    }

    /// Whether the row is surely that of the root user, and only its keys are unknown: no user is missing.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.of_root
    }

    /// What is wrong with the row.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Whether a row has a user name that could be one.
pub(super) fn has_name(record: &ByteRecord, user: usize) -> bool {
    shown(record, user).parse::<UserName>().is_ok()
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

    pub(super) fn row(&self, position: usize, record: &ByteRecord) -> Result<Row, RowError> {
        let error = |reason| RowError::new(position, record, self.columns.user, reason);
        let (user_name, path) = self.named(record).map_err(error)?;
        match path {
            None => {
                let of_root = |reason| RowError { of_root: true, ..error(reason) };
                self.root(record, user_name).map_err(of_root)
            }
            Some(path) => self.user(record, user_name, path).map_err(error),
        }
    }

    /// Whose row this is, and the user's path; no path for root. Name and ARN must agree.
    fn named(&self, record: &ByteRecord) -> Result<(UserName, Option<String>), String> {
        let columns = &self.columns;
        if record.len() != columns.count {
            return Err(format!("has {} columns where the header has {}", record.len(), columns.count));
        }
        let user_name: UserName =
            field(record, columns.user, "user")?.parse().map_err(|_| "has no valid user")?;
        let root = user_name.as_str().eq_ignore_ascii_case(ROOT);
        let arn = field(record, columns.arn, "arn")?;
        let resource = self.resource(arn).ok_or("has the ARN of another account")?;
        if root {
            return if resource == "root" {
                Ok((user_name, None))
            } else {
                Err("has the ARN of something else".to_owned())
            };
        }
        let path = resource
            .strip_prefix("user")
            .and_then(|path_and_name| path_and_name.strip_suffix(user_name.as_str()))
            .filter(|path| path.starts_with('/') && path.ends_with('/'))
            .ok_or("has the ARN of something else")?;
        let path = path.to_owned();
        Ok((user_name, Some(path)))
    }

    /// What of this account an ARN of IAM names, such as `user/ci/ci-deploy`.
    fn resource<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let mut parts = arn.splitn(6, ':');
        let head = [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let [scheme, partition, service, region, account] = head;
        let ours = scheme == "arn"
            && partition.starts_with("aws")
            && service == "iam"
            && region.is_empty()
            && account == self.account;
        parts.next().filter(|_| ours)
    }

    /// The root user: nothing counts but its keys.
    fn root(&self, record: &ByteRecord, user_name: UserName) -> Result<Row, String> {
        let [first, second] = &self.columns.slots;
        Ok(Row {
            user_name,
            root: true,
            path: "/".to_owned(),
            created: None,
            password_enabled: None,
            password_last_used: Fact::Unknown("not read of the root user".to_owned()),
            slots: [self.slot(record, first)?, self.slot(record, second)?],
            more_than_two: false,
        })
    }

    fn user(&self, record: &ByteRecord, user_name: UserName, path: String) -> Result<Row, String> {
        let columns = &self.columns;
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
        let created = self.optional_date(record, columns.created, "user_creation_time")?;
        let row = Row {
            root: false,
            path,
            created,
            password_enabled: match value(field(record, columns.password_enabled, "password_enabled")?) {
                Value::Told(text) => Some(boolean(text, "password_enabled")?),
                Value::None | Value::Untold(_) => None,
            },
            password_last_used,
            slots: [self.slot(record, first)?, self.slot(record, second)?],
            more_than_two,
            user_name,
        };
        match row.created {
            Some(created) if row.slots.iter().any(|slot| slot.is_before(created)) => {
                Err("has a key that is older than its user".to_owned())
            }
            Some(_) | None => Ok(row),
        }
    }

    fn slot(&self, record: &ByteRecord, columns: &SlotColumns) -> Result<Slot, String> {
        let active = field(record, columns.active, "access_key_active")?;
        let last_rotated = self.optional_date(record, columns.last_rotated, "access_key_last_rotated")?;
        let active = match value(active) {
            Value::Told(text) => boolean(text, "access_key_active")?,
            // AWS's guide has it where there is no key.
            Value::None if last_rotated.is_none() => false,
            Value::None | Value::Untold(_) => return Err("does not say whether a key is active".to_owned()),
        };
        let service = optional(field(record, columns.service, "access_key_last_used_service")?);
        let region = optional(field(record, columns.region, "access_key_last_used_region")?);
        let last_used = match value(field(record, columns.last_used, "access_key_last_used_date")?) {
            Value::Told(text) => {
                let at = self.date(text, "access_key_last_used_date")?;
                let (service, region) = (service.map(Into::into), region.map(Into::into));
                Fact::Known(LastUse::At { at, service, region })
            }
            Value::None if service.is_some() || region.is_some() => {
                return Err("has a use without a date".to_owned());
            }
            Value::None => Fact::Known(LastUse::Never),
            Value::Untold(word) => Fact::Unknown(format!("credential report says {word}")),
        };
        let slot = Slot { active, last_rotated, last_used };
        let used = slot.last_used.known().is_some_and(|used| used.at().is_some());
        if used && !slot.holds_key() {
            return Err("has a use of a key that was never made".to_owned());
        }
        Ok(slot)
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
        if in_future(at, self.now) {
            Err(format!("has a date in the future in {name}"))
        } else if at.as_second() < BEFORE_AWS {
            Err(format!("has a date before there was AWS in {name}"))
        } else {
            Ok(at)
        }
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
    // Live reports write these words and booleans in one case and AWS's guide in another.
    if text.eq_ignore_ascii_case("N/A") {
        Value::None
    } else if ["no_information", "not_supported"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
        Value::Untold(text)
    } else if text.is_empty() {
        Value::Untold("nothing")
    } else {
        Value::Told(text)
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
        Value::Told(text) => text != "0" && !text.eq_ignore_ascii_case("false"),
        Value::None | Value::Untold(_) => false,
    }
}

fn boolean(text: &str, name: &str) -> Result<bool, String> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(format!("has neither true nor false in {name}"))
    }
}

fn field<'a>(record: &'a ByteRecord, column: usize, name: &str) -> Result<&'a str, String> {
    let bytes = record.get(column).ok_or_else(|| format!("lacks {name}"))?;
    std::str::from_utf8(bytes).map_err(|_| format!("is not UTF-8 in {name}"))
}
