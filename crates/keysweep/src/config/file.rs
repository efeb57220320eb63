//! The configuration file: its values, and the line of each.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use figment::value::{Dict, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{ConfigError, Mistake, Origin};
use super::path::KeyPath;

/// The largest file that is read: far more than 10,000 rules need.
const MAX_BYTES: u64 = 4 << 20;

/// Up to here every mistake is told, beyond only the first: each error of the parser carries the whole text with it, so
/// that a large file that is no TOML at all would take minutes.
const TELL_ALL_BYTES: usize = 64 << 10;

/// What a configuration file holds.
pub(super) struct File {
    /// Its values.
    pub(super) values: Dict,
    /// The line of each key, from 1.
    pub(super) lines: BTreeMap<KeyPath, usize>,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut bytes = Vec::new();
        let read =
            std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => {}
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConfigError::Missing { path: path.to_owned() });
            }
            Err(source) => return Err(ConfigError::Read { path: path.to_owned(), source }),
        }
        let mistake = |line, problem: String| Mistake {
            origin: Origin::File { path: path.to_owned(), line },
            key: String::new(),
            problem,
        };
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ConfigError::Invalid(vec![mistake(None, format!("larger than {MAX_BYTES} bytes"))]));
        }
        Self::parse(&bytes).map_err(|problems| {
            ConfigError::Invalid(problems.into_iter().map(|(line, text)| mistake(line, text)).collect())
        })
    }

    /// The values of a TOML document, or what is wrong with it, each with its line. Lines are not quoted: they could
    /// hold what must not be shown.
    fn parse(bytes: &[u8]) -> Result<Self, Vec<(Option<usize>, String)>> {
        let index = LineIndex::of(bytes);
        let text = std::str::from_utf8(bytes)
            .map_err(|error| vec![(Some(index.line(error.valid_up_to())), "not UTF-8 text".to_owned())])?;
        let problem = |error: &toml::de::Error| {
            let line = error.span().map(|span| index.line(span.start));
            // Of all problems the one that pasting makes: a table that is there already.
            let twice =
                error.span().filter(|_| error.message() == "duplicate key").and_then(|span| text.get(span));
            let named = |key: &str| {
                format!("not TOML: {key} is a duplicate: each key or [table] can occur only once")
            };
            (line, twice.map_or_else(|| format!("not TOML: {}", error.message()), named))
        };
        let whole = text.parse::<toml::Table>();
        if let Some(error) = whole.as_ref().err().filter(|_| text.len() > TELL_ALL_BYTES) {
            return Err(vec![problem(error)]);
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        let values = match whole {
            Ok(values) if errors.is_empty() => values,
            read => {
                let mut problems: Vec<_> = errors.iter().chain(read.as_ref().err()).map(problem).collect();
                // One broken line confuses the parser more than once.
                problems.sort_by_key(|(line, _)| *line);
                problems.dedup_by_key(|(line, _)| *line);
                return Err(problems);
            }
        };
        let mut lines = BTreeMap::new();
        collect_lines(table.get_ref(), &KeyPath::default(), &index, &mut lines);
        let values = values.into_iter().map(|(key, value)| (key, plain(value))).collect();
        Ok(Self { values, lines })
    }
}

/// A single TOML value.
pub(super) fn value(text: &str) -> Option<Value> {
    text.parse::<toml::Value>().ok().map(plain)
}

/// A TOML value as figment holds it. Dates become the text that they are written as.
fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(value) => Value::from(value),
        toml::Value::Datetime(when) => Value::from(when.to_string()),
        toml::Value::Array(list) => Value::from(list.into_iter().map(plain).collect::<Vec<_>>()),
        toml::Value::Table(table) => {
            Value::from(table.into_iter().map(|(key, value)| (key, plain(value))).collect::<Dict>())
        }
    }
}

fn collect_lines(table: &DeTable<'_>, at: &KeyPath, index: &LineIndex, lines: &mut BTreeMap<KeyPath, usize>) {
    for (key, value) in table {
        let path = at.key(key.get_ref());
        lines.insert(path.clone(), index.line(key.span().start));
        collect_below(value, &path, index, lines);
    }
}

fn collect_below(
    value: &Spanned<DeValue<'_>>,
    path: &KeyPath,
    index: &LineIndex,
    lines: &mut BTreeMap<KeyPath, usize>,
) {
    if let Some(table) = value.get_ref().as_table() {
        collect_lines(table, path, index, lines);
    }
    for (position, entry) in value.get_ref().as_array().into_iter().flat_map(|list| list.iter()).enumerate() {
        let path = path.index(position);
        lines.insert(path.clone(), index.line(entry.span().start));
        collect_below(entry, &path, index, lines);
    }
}

/// Where each line begins.
struct LineIndex(Vec<usize>);

impl LineIndex {
    fn of(bytes: &[u8]) -> Self {
        let after_breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after_breaks).collect())
    }

    /// The line of a byte, from 1.
    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}
