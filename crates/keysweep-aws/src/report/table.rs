//! The report as a table: header, columns by name, rows one at a time.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::Cursor;

use csv::{ByteRecord, Reader, ReaderBuilder};
use jiff::Timestamp;
use keysweep_core::ids::AccountId;

use super::row::{Context, Row, RowError, has_name};

/// A report that cannot be used at all; the account falls back to live reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// There is no header.
    #[error("credential report is empty")]
    Empty,
    /// A column that is needed is not there.
    #[error("credential report lacks column {0}")]
    MissingColumn(&'static str),
    /// A column that is needed is there twice.
    #[error("credential report has column {0} twice")]
    RepeatedColumn(&'static str),
    /// The report says it was made later than now.
    #[error("credential report was made at {0}, which lies in the future")]
    Future(Timestamp),
}

/// Where each column that we read is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) count: usize,
    pub(super) user: usize,
    pub(super) arn: usize,
    pub(super) created: usize,
    pub(super) password_enabled: usize,
    pub(super) password_last_used: usize,
    pub(super) slots: [SlotColumns; 2],
    pub(super) additional: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SlotColumns {
    pub(super) active: usize,
    pub(super) last_rotated: usize,
    pub(super) last_used: usize,
    pub(super) region: usize,
    pub(super) service: usize,
}

/// A credential report, as its bytes came.
#[derive(Debug)]
pub struct Report {
    /// At the first row. One for the whole report, as a reader makes the table that it is driven by, which costs more
    /// than reading fifty rows.
    reader: Reader<Cursor<Vec<u8>>>,
    columns: Columns,
    account: AccountId,
    generated_at: Timestamp,
    now: Timestamp,
    names: Names,
}

/// What the names in the rows tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Names {
    /// Rows, by position, whose user has another row.
    repeated: HashSet<usize>,
    /// Whether some row has none, or runs over lines and may have swallowed others.
    missing: bool,
}

impl Report {
    /// Takes the bytes of a report of `account`; reads the header and the names in the rows.
    ///
    /// # Errors
    /// If the header is missing or lacks a column that is needed. Unknown columns are left alone.
    pub fn parse(
        content: Vec<u8>,
        account: AccountId,
        generated_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, ReportError> {
        if crate::convert::in_future(generated_at, now) {
            return Err(ReportError::Future(generated_at));
        }
        // Flexible: a row of the wrong length is an error of that row and not of the file.
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(Cursor::new(content));
        let header = reader.byte_headers().map_err(|_| ReportError::Empty)?;
        if header.is_empty() {
            return Err(ReportError::Empty);
        }
        let columns = Columns::find(header)?;
        let swallows = !is_one_line(header);
        let first_row = reader.position().clone();
        let mut names = Names::read(&mut reader, columns.user);
        names.missing |= swallows;
        // In memory, this cannot fail either.
        reader.seek(first_row).map_err(|_| ReportError::Empty)?;
        Ok(Self { reader, columns, account, generated_at, now, names })
    }

    /// When AWS made it.
    #[must_use]
    pub fn generated_at(&self) -> Timestamp {
        self.generated_at
    }

    /// Whether every row has a name and a line of its own. Nobody knows whose keys are missing otherwise: a quote too
    /// many makes one row of several.
    #[must_use]
    pub fn names_every_user(&self) -> bool {
        !self.names.missing
    }

    /// Every row, in the report's order, root first. A row that cannot be read is an error; the others go on.
    pub fn into_rows(self) -> impl Iterator<Item = Result<Row, RowError>> {
        let user = self.columns.user;
        let context = Context::new(self.columns, self.account, self.now);
        // Bytes in memory can be read without fail: of the reader's errors only lengths (flexible) and UTF-8 (bytes)
        // are not about IO.
        let records = self.reader.into_byte_records().map_while(Result::ok);
        records.enumerate().map(move |(position, record)| {
            if self.names.repeated.contains(&position) {
                Err(RowError::new(position, &record, user, "has more than one row"))
            } else {
                context.row(position, &record)
            }
        })
    }
}

impl Columns {
    fn find(header: &ByteRecord) -> Result<Self, ReportError> {
        let at = |name: &'static str| {
            let mut found = header.iter().enumerate().filter(|(_, text)| *text == name.as_bytes());
            let (position, _) = found.next().ok_or(ReportError::MissingColumn(name))?;
            if found.next().is_some() { Err(ReportError::RepeatedColumn(name)) } else { Ok(position) }
        };
        Ok(Self {
            count: header.len(),
            user: at("user")?,
            arn: at("arn")?,
            created: at("user_creation_time")?,
            password_enabled: at("password_enabled")?,
            password_last_used: at("password_last_used")?,
            slots: [
                SlotColumns {
                    active: at("access_key_1_active")?,
                    last_rotated: at("access_key_1_last_rotated")?,
                    last_used: at("access_key_1_last_used_date")?,
                    region: at("access_key_1_last_used_region")?,
                    service: at("access_key_1_last_used_service")?,
                },
                SlotColumns {
                    active: at("access_key_2_active")?,
                    last_rotated: at("access_key_2_last_rotated")?,
                    last_used: at("access_key_2_last_used_date")?,
                    region: at("access_key_2_last_used_region")?,
                    service: at("access_key_2_last_used_service")?,
                },
            ],
            // Only there when some user has more than two keys or certificates.
            additional: match at("additional_credentials_info") {
                Ok(position) => Some(position),
                Err(ReportError::MissingColumn(_)) => None,
                Err(error) => return Err(error),
            },
        })
    }
}

/// Whether a record holds no line break: nothing that IAM writes into a report does.
fn is_one_line(record: &ByteRecord) -> bool {
    !record.as_slice().contains(&b'\n')
}

impl Names {
    /// Names are kept as hashes, eight bytes a user; that two names share one is next to impossible, and makes both
    /// unreadable, not both readable.
    fn read(reader: &mut Reader<Cursor<Vec<u8>>>, user: usize) -> Self {
        let hasher = RandomState::new();
        let mut first = HashMap::new();
        let mut names = Self::default();
        let mut record = ByteRecord::new();
        let mut position = 0;
        while matches!(reader.read_byte_record(&mut record), Ok(true)) {
            names.missing |= !has_name(&record, user) || !is_one_line(&record);
            // To IAM, names that differ in case alone are one.
            let name = String::from_utf8_lossy(record.get(user).unwrap_or_default()).to_lowercase();
            match first.entry(hasher.hash_one(name)) {
                Entry::Occupied(entry) => names.repeated.extend([*entry.get(), position]),
                Entry::Vacant(entry) => {
                    entry.insert(position);
                }
            }
            position += 1;
        }
        names
    }
}
