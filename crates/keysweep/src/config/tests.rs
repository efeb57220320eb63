//! The configuration as operators meet it.

mod arbitrary;
mod http;
mod meaning;
mod mistakes;
mod notices;
mod origins;
mod owners;
mod rules;
mod shipped;

use std::io::Write as _;
use std::path::Path;

use jiff::Timestamp;
use keysweep_core::notice::Notices;
use keysweep_core::policy::{DAY, Policy};
use tempfile::NamedTempFile;

use super::{Config, ConfigError, Mistake, Sources, load};

/// A day in the life of the tests.
fn mk_now() -> Timestamp {
    "2026-07-15T12:00:00Z".parse().unwrap()
}

fn mk_file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file
}

fn mk_sources(file: &Path, env: &[(&str, &str)]) -> Sources {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { file: Some(file.to_owned()), env, ..Sources::default() }
}

fn load_text(toml: &str) -> Result<Config, ConfigError> {
    load(&mk_sources(mk_file(toml).path(), &[]), mk_now())
}

fn mistakes_of(result: Result<Config, ConfigError>) -> Vec<Mistake> {
    match result {
        Ok(_) => Vec::new(),
        Err(ConfigError::Invalid(mistakes)) => mistakes,
        Err(other) => panic!("{other}"),
    }
}

/// The policy of an empty configuration: that of the core, with reminders.
fn mk_default_policy() -> Policy {
    let notices = Notices { remind_before: vec![3 * DAY, DAY], ..Notices::default() };
    Policy { notices, ..Policy::default() }
}

/// Key and problem of every warning about a valid configuration.
fn warnings(config: &Config) -> Vec<String> {
    config.warnings.iter().map(|warning| format!("{}: {}", warning.key, warning.problem)).collect()
}

/// Key and problem of every mistake in a TOML text.
fn problems(toml: &str) -> Vec<String> {
    let mistakes = mistakes_of(load_text(toml));
    mistakes.into_iter().map(|mistake| format!("{}: {}", mistake.key, mistake.problem)).collect()
}
