//! The configuration in force, and where each value comes from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use keysweep_core::state::Configuration;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::mistake::Origin;
use super::model::Model;
use super::path::{KeyPath, Step};

/// What is shown instead of a secret.
const HIDDEN: &str = "(hidden)";

/// One value in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Its key, such as `scan.interval` or `policy.override[1].grace`.
    pub key: String,
    /// Its value; secrets are hidden.
    pub value: toml::Value,
    /// Where it comes from.
    pub origin: Origin,
    #[serde(skip)]
    pub(super) path: KeyPath,
}

/// The configuration in force: every key with its value and origin, in the order of `config/keysweep.toml`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Effective {
    /// The values.
    pub settings: Vec<Setting>,
}

impl Effective {
    pub(super) fn of(model: &Model, origin: impl Fn(&KeyPath) -> Origin) -> Self {
        let mut leaves = Vec::new();
        // A model came from TOML texts or from the defaults, and so fits into TOML again.
        if let Ok(table) = toml::Table::try_from(model) {
            collect(table, &KeyPath::default(), &mut leaves);
        }
        let settings = leaves.into_iter().map(|(path, value)| Setting {
            key: path.to_string(),
            value: if path.is_secret() { HIDDEN.into() } else { value },
            origin: origin(&path),
            path,
        });
        Self { settings: settings.collect() }
    }

    /// The configuration as the journal keeps it: secrets are hidden here already.
    #[must_use]
    pub fn to_journal(&self) -> Configuration {
        let terms: BTreeMap<String, String> =
            self.settings.iter().map(|setting| (setting.key.clone(), setting.value.to_string())).collect();
        let mut hasher = Sha256::new();
        for (name, value) in &terms {
            for part in [name, value] {
                hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                hasher.update(part);
            }
        }
        Configuration { hash: hex::encode(hasher.finalize()), terms }
    }

    /// The configuration as TOML that can be loaded again where nothing in it is hidden, each value with its origin as a
    /// comment.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut section = KeyPath::default();
        for setting in &self.settings {
            let at = setting.path.parent();
            if at != section {
                // Writing into a String cannot fail.
                let _ = write!(text, "\n{}\n", header(&at));
                section = at;
            }
            let key = setting.path.last_key().unwrap_or_default();
            let _ = writeln!(text, "{key} = {}  # {}", setting.value, one_line(&setting.origin));
        }
        text
    }
}

/// A comment ends with its line, whatever a file is called.
fn one_line(origin: &Origin) -> String {
    origin.to_string().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// `[section]` or `[[list.of.tables]]`.
pub(super) fn header(path: &KeyPath) -> String {
    match path.steps().last() {
        Some(Step::Index(_)) => format!("[[{}]]", path.parent()),
        Some(Step::Key(_)) | None => format!("[{path}]"),
    }
}

/// Every value that stands behind a key. Tables of rules are values of one line; plain values go before tables, as
/// TOML wants it.
fn collect(table: toml::Table, at: &KeyPath, leaves: &mut Vec<(KeyPath, toml::Value)>) {
    let in_rule = at.steps().iter().any(|step| matches!(step, Step::Index(_)));
    let (sections, values): (Vec<_>, Vec<_>) =
        table.into_iter().partition(|(_, value)| !in_rule && holds_tables(value));
    leaves.extend(values.into_iter().map(|(key, value)| (at.key(&key), value)));
    for (key, value) in sections {
        let path = at.key(&key);
        match value {
            toml::Value::Table(inner) => collect(inner, &path, leaves),
            toml::Value::Array(rules) => {
                for (index, rule) in rules.into_iter().enumerate() {
                    if let toml::Value::Table(rule) = rule {
                        collect(rule, &path.index(index), leaves);
                    }
                }
            }
            toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => {}
        }
    }
}

fn holds_tables(value: &toml::Value) -> bool {
    match value {
        toml::Value::Table(_) => true,
        toml::Value::Array(list) => list.first().is_some_and(toml::Value::is_table),
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => false,
    }
}
