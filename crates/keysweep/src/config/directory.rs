//! Reads the people of the company from the CSV file that `owners.directory_file` names.

use std::io::Read as _;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};
use keysweep_core::owner::{Directory, EmailAddress, Person};

use crate::causes::in_words;

/// More than the largest company needs: a file of this size is another one.
const MOST_BYTES: u64 = 64 << 20;

/// So many rows that are not understood are named.
const MOST_DOUBTS: usize = 20;

/// What is expected of the first row.
const HEADER: &str =
    "expected a header row with a name or email column; optional columns: slack, active, manager";

/// What a file lists.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) directory: Directory,
    /// Rows that were understood only in part, in sentences.
    pub(super) doubts: Vec<String>,
    pub(super) ways: Ways,
}

/// How many active people have which contact details.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ways {
    pub(super) email_alone: usize,
    pub(super) slack_alone: usize,
    pub(super) both: usize,
}

/// Where each column is.
struct Columns {
    name: Option<usize>,
    email: Option<usize>,
    slack: Option<usize>,
    active: Option<usize>,
    manager: Option<usize>,
}

/// Reads a directory again that was valid before.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_directory(path: &Path) -> Result<(Directory, Vec<String>), String> {
    let Read { directory, doubts, ways: _ } = read(path)?;
    Ok((directory, doubts))
}

/// Reads a directory.
///
/// # Errors
/// Why it lists nobody whose being there, or not, could be relied on: a person who is missing counts as one who has left.
pub(super) fn read(path: &Path) -> Result<Read, String> {
    let file = || path.display();
    let bytes = read_bytes(path).map_err(|error| format!("could not read {}: {error}", file()))?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > MOST_BYTES) {
        return Err(format!("{}: expected at most {MOST_BYTES} bytes", file()));
    }
    parse(&bytes).map_err(|why| format!("{}: {why}", file()))
}

/// A pipe may never end, and a command that is to pause would wait for it.
fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Read, String> {
    // Spreadsheets begin a file with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line}: not valid UTF-8")
    })?;
    // The reader would count lines otherwise than people do.
    let text = text.replace("\r\n", "\n");
    let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| in_words(&error))?;
    let columns = Columns::of(header)?;
    let (mut people, mut doubts, mut ways) = (Vec::new(), Vec::new(), Ways::default());
    for row in reader.records() {
        let row = row.map_err(|error| in_words(&error))?;
        let line = row.position().map_or(0, csv::Position::line);
        // What follows a quotation mark that is never closed would be one long value.
        if row.iter().any(|value| value.contains('\n')) {
            return Err(format!("line {line}: found a line break in a value: is a quotation mark missing?"));
        }
        if row.iter().all(str::is_empty) {
            continue;
        }
        match columns.person(&row).map_err(|why| format!("line {line}: {why}"))? {
            (Some(person), doubt) => {
                doubts.extend(doubt.map(|doubt| format!("line {line}: {doubt}")));
                ways.count(&person);
                people.push(person);
            }
            (None, _) => {
                doubts.push(format!("line {line}: found neither a name nor an e-mail address; row ignored"))
            }
        }
    }
    if people.is_empty() {
        return Err("contains no people".to_owned());
    }
    let more = doubts.len().saturating_sub(MOST_DOUBTS);
    doubts.truncate(MOST_DOUBTS);
    if more > 0 {
        doubts.push(format!("and {more} more lines with problems"));
    }
    Ok(Read { directory: Directory::new(people), doubts, ways })
}

impl Ways {
    fn count(&mut self, person: &Person) {
        match (person.active, person.email.is_some(), person.slack.is_some()) {
            (true, true, true) => self.both += 1,
            (true, true, false) => self.email_alone += 1,
            (true, false, true) => self.slack_alone += 1,
            (true, false, false) | (false, ..) => {}
        }
    }

    /// How many people have contact details, but none for a channel that is configured.
    pub(super) fn unreachable(self, email: bool, slack: bool) -> usize {
        let Self { email_alone, slack_alone, both } = self;
        let unless = |way: bool, people: usize| if way { 0 } else { people };
        unless(email, email_alone) + unless(slack, slack_alone) + unless(email || slack, both)
    }
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, String> {
        let simple = |name: &str| name.to_lowercase().replace([' ', '-', '_'], "");
        let find = |names: &[&str]| {
            let mut columns =
                header.iter().enumerate().filter(|(_, name)| names.contains(&simple(name).as_str()));
            match (columns.next(), columns.next()) {
                (Some(_), Some(_)) => Err(format!(
                    "the header has more than one column for {}",
                    names.first().copied().unwrap_or_default()
                )),
                (column, _) => Ok(column.map(|(place, _)| place)),
            }
        };
        let columns = Self {
            name: find(&["name"])?,
            email: find(&["email"])?,
            slack: find(&["slack", "slackid"])?,
            active: find(&["active"])?,
            manager: find(&["manager"])?,
        };
        if columns.name.is_none() && columns.email.is_none() {
            return Err(HEADER.to_owned());
        }
        Ok(columns)
    }

    /// The person of a row, if it names one, and what was not understood of it.
    fn person(&self, row: &StringRecord) -> Result<(Option<Person>, Option<String>), String> {
        let text = |column: Option<usize>| column.and_then(|c| row.get(c)).filter(|text| !text.is_empty());
        let active = match text(self.active).map(str::to_lowercase).as_deref() {
            None if self.active.is_none() => true,
            Some("true" | "yes" | "1" | "active") => true,
            Some("false" | "no" | "0" | "inactive") => false,
            found => {
                let found = found.unwrap_or_default();
                return Err(format!("active: found {found:?}, expected true or false"));
            }
        };
        let (email, doubt) = match text(self.email).map(|text| (text, text.parse::<EmailAddress>())) {
            None => (None, None),
            Some((_, Ok(email))) => (Some(email), None),
            Some((text, Err(expected))) => {
                (None, Some(format!("email: found {text:?}, expected {expected}; address ignored")))
            }
        };
        let name = text(self.name).map(str::to_owned).or_else(|| email.as_ref().map(ToString::to_string));
        let person = name.map(|name| Person {
            name,
            email,
            slack: text(self.slack).filter(|id| is_slack_user(id)).map(str::to_owned),
            active,
            manager: text(self.manager).map(str::to_owned),
        });
        Ok((person, doubt))
    }
}

/// Slack: IDs of users begin with U or W.
fn is_slack_user(id: &str) -> bool {
    let alphanumeric = id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    id.starts_with(['U', 'W']) && id.len() > 1 && alphanumeric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_as_spreadsheets_write_it() {
        let text = "\u{feff}Name,E-Mail,Slack ID,Active,Manager,Desk\r\n\
                    Dana,dana@example.com,U1,yes,\"Kim, head\",4\r\n\
                    ,\r\n\
                    \"Kim, head\",kim@example.com,,TRUE,,5\r\n\
                    Lee,lee@example.com,,0,Dana,6\r\n\
                    Bo,not an address,,1,,7\r\n";
        let Read { directory, doubts, ways } = parse(text.as_bytes()).unwrap();
        assert_eq!(directory.len(), 4);
        assert_eq!(ways, Ways { email_alone: 1, slack_alone: 0, both: 1 });
        let dana = directory.find("DANA@example.com").unwrap();
        assert_eq!((dana.slack.as_deref(), dana.manager.as_deref()), (Some("U1"), Some("Kim, head")));
        assert!(!directory.find("Lee").unwrap().active);
        assert_eq!(directory.find("Bo").unwrap().email, None);
        assert_eq!(
            doubts,
            [
                "line 6: email: found \"not an address\", expected an e-mail address such as \"dana@example.com\"; address ignored"
            ]
        );
    }

    #[test]
    fn a_file_that_would_make_people_leave_is_refused() {
        for (text, why) in [
            ("", HEADER),
            (
                "name,slack\nDana,\"U1\nKim,U2\n",
                "line 2: found a line break in a value: is a quotation mark missing?",
            ),
            ("name,email\n", "contains no people"),
            ("surname,phone\nDana,1\n", HEADER),
            ("name,active\nDana,maybe\n", "line 2: active: found \"maybe\", expected true or false"),
            ("name,active\nDana,\n", "line 2: active: found \"\", expected true or false"),
            (
                "name,email,E-mail\nDana,a@example.com,b@example.com\n",
                "the header has more than one column for email",
            ),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), why, "{text}");
        }
        let why = "line 2: not valid UTF-8";
        assert_eq!(parse(b"name\nD\xffna\n").unwrap_err(), why);
    }
}
