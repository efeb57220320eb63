//! What is wrong with a configuration, in words for the person who wrote it.

use std::fmt;
use std::path::PathBuf;

use figment::error::{Actual, Kind};
use serde::{Serialize, Serializer};

use super::path::KeyPath;
use super::schema::Known;
use crate::token;

/// What a message says instead of a value that could be a secret.
pub(super) const HIDDEN: &str = "a value that is not shown";

/// Where a value of the configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A file, and the line where it stands.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1, if it is known.
        line: Option<usize>,
    },
    /// An environment variable.
    Env {
        /// Its name.
        name: String,
    },
    /// A flag of the command line.
    Flag {
        /// Its name, with the dashes.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Env { name } => write!(f, "environment variable {name}"),
            Self::Flag { name } => write!(f, "flag {name}"),
        }
    }
}

impl Origin {
    /// The order in which mistakes are read: down the file, then the environment, then the command line.
    pub(super) fn rank(&self) -> (u8, Option<usize>) {
        match self {
            Self::Default => (0, None),
            Self::File { line, .. } => (1, *line),
            Self::Env { .. } => (2, None),
            Self::Flag { .. } => (3, None),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One thing that is wrong, or questionable, in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Where it stands.
    pub origin: Origin,
    /// The key, such as `policy.override[1].grace`; empty where the file as a whole is wrong.
    pub key: String,
    /// What was found and what was expected. Never holds the value of a secret.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.origin, self.problem)
        } else {
            write!(f, "{}: {}: {}", self.origin, self.key, self.problem)
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there.
    #[error(
        "no configuration file {path}: create one with `keysweep config init`, or name another file with --config or \
         KEYSWEEP_CONFIG"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("read configuration file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It holds mistakes: every one that could be found.
    #[error("{}", list(.0))]
    Invalid(Vec<Mistake>),
}

fn list(mistakes: &[Mistake]) -> String {
    let heading = match mistakes.len() {
        1 => "1 error in the configuration:".to_owned(),
        n => format!("{n} errors in the configuration:"),
    };
    mistakes.iter().fold(heading, |text, mistake| format!("{text}\n  {mistake}"))
}

/// Says in words what serde found.
pub(super) fn describe(kind: &Kind, path: &KeyPath, known: &Known) -> String {
    match kind {
        Kind::Message(text) => text.clone(),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("found {}, expected {}", actual(found, path), in_words(expected))
        }
        Kind::InvalidLength(found, expected) => {
            format!("found {found} entries, expected {}", in_words(expected))
        }
        Kind::UnknownVariant(found, expected) => {
            let expected: Vec<_> = expected.iter().map(|name| format!("{name:?}")).collect();
            format!("found {}, expected {}", actual(&Actual::Str(found.clone()), path), one_of(&expected))
        }
        Kind::UnknownField(..) => unknown_key(path, known),
        Kind::MissingField(name) => format!("{name} is missing"),
        Kind::DuplicateField(name) => format!("{name} is given twice"),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "the number is out of range".to_owned(),
        Kind::Unsupported(found) | Kind::UnsupportedKey(found, _) => {
            format!("found {}, which is not supported here", actual(found, path))
        }
    }
}

/// The message for a key that does not exist, with the one that was probably meant.
pub(super) fn unknown_key(path: &KeyPath, known: &Known) -> String {
    match known.nearest(path) {
        Some(near) => format!("no such key; did you mean {near}?"),
        None => "no such key".to_owned(),
    }
}

/// `a`, `a or b`, `a, b or c`.
fn one_of(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [front @ .., last] => format!("{} or {last}", front.join(", ")),
    }
}

/// A value as people write it, unless it could be a secret.
fn actual(found: &Actual, path: &KeyPath) -> String {
    if path.is_secret() {
        return HIDDEN.to_owned();
    }
    match found {
        Actual::Str(text) => quoted(text),
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Float(number) => number.to_string(),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// A text in quotes, cut where it gets long: a message is read by a person. A token is not repeated, wherever somebody
/// put it.
pub(super) fn quoted(text: &str) -> String {
    if token::is_in(text) {
        return HIDDEN.to_owned();
    }
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { format!("{short:?}...") } else { format!("{short:?}") }
}

/// What serde calls a type, in the words of TOML.
fn in_words(expected: &str) -> &str {
    match expected {
        "u32" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text in quotes",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}
