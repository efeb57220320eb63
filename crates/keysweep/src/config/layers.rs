//! File, environment and flags, laid over the defaults by figment.

use std::collections::BTreeMap;
use std::path::Path;

use figment::providers::Serialized;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::file::File;
use super::mistake::{ConfigError, Mistake, Origin, unknown_key};
use super::model::Model;
use super::path::{KeyPath, Step};
use super::schema::{Kind, Known};
use super::sources::{Sources, VARIABLE_PREFIX};

/// The name under which figment knows a layer, and by which its values are told apart.
const FLAG: &str = "flag";
const ENVIRONMENT: &str = "environment variable";
const FILE: &str = "file";

/// The merged values, each of which remembers its layer.
pub(super) struct Layers {
    figment: Figment,
    lines: BTreeMap<KeyPath, usize>,
    /// The merged values. What turns out to be wrong is taken out, so that a default stands in for it.
    pub(super) root: Value,
}

impl Layers {
    /// Reads and merges every source. Keys of the environment and of flags that do not exist are mistakes.
    ///
    /// # Errors
    /// The file cannot be read or is no TOML. Nothing is merged then: what the other sources would have overridden
    /// is not known.
    pub(super) fn gather(
        sources: &Sources,
        known: &Known,
        mistakes: &mut Vec<Mistake>,
    ) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Model::default()));
        let mut refuse = |origin, path: &KeyPath, problem| {
            mistakes.push(Mistake { origin, key: path.to_string(), problem });
        };
        let mut lines = BTreeMap::new();
        if let Some(path) = &sources.file {
            let file = File::read(path)?;
            figment = figment.merge(Layer::file(path, file.values));
            lines = file.lines;
        }
        for (name, value) in &sources.env {
            let Some(key) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
            let origin = Origin::Env { name: name.clone() };
            let path = KeyPath::of(&key.to_ascii_lowercase().replace("__", "."));
            match Layer::text(ENVIRONMENT, name, &path, value, known) {
                None => refuse(origin, &path, unknown_key(&path, known)),
                // One spelling only, so that no key can be set by two variables.
                Some(_) if key.bytes().any(|b| b.is_ascii_lowercase()) => {
                    refuse(
                        origin,
                        &path,
                        format!("expected the name in capitals: {}", name.to_ascii_uppercase()),
                    );
                }
                // What `Sources::of_process` could not read would name another file or role than was meant.
                Some(_) if value.contains(char::REPLACEMENT_CHARACTER) => {
                    refuse(origin, &path, "the value is not UTF-8 text".to_owned());
                }
                Some(layer) => figment = figment.merge(layer),
            }
        }
        for flag in &sources.flags {
            let path = KeyPath::of(&flag.key);
            match Layer::text(FLAG, &flag.name, &path, &flag.value, known) {
                None => refuse(Origin::Flag { name: flag.name.clone() }, &path, unknown_key(&path, known)),
                Some(layer) => figment = figment.merge(layer),
            }
        }
        // The layers are plain values: merging them cannot fail, and an empty tree would only bring the defaults.
        let root = figment.find_value("").unwrap_or_else(|_| Value::from(Dict::new()));
        Ok(Self { figment, lines, root })
    }

    /// Where the value at a path comes from; for a value that is not there, where the table comes from that lacks it.
    pub(super) fn origin(&self, path: &KeyPath) -> Origin {
        let mut value = &self.root;
        for step in path.steps() {
            match child(value, step) {
                Some(next) => value = next,
                None => break,
            }
        }
        let Some(metadata) = self.figment.get_metadata(value.tag()) else { return Origin::Default };
        match (metadata.name.as_ref(), &metadata.source) {
            (_, Some(Source::File(file))) => Origin::File { path: file.clone(), line: self.line(path) },
            (ENVIRONMENT, Some(Source::Custom(name))) => Origin::Env { name: name.clone() },
            (FLAG, Some(Source::Custom(name))) => Origin::Flag { name: name.clone() },
            _ => Origin::Default,
        }
    }

    /// The path that serde reports, with keys and indexes told apart.
    pub(super) fn path_of(&self, reported: &[String]) -> KeyPath {
        let mut value = Some(&self.root);
        let mut path = KeyPath::default();
        for name in reported {
            let index = value.and_then(Value::as_array).and_then(|_| name.parse().ok());
            let step = index.map_or_else(|| Step::Key(name.clone()), Step::Index);
            value = value.and_then(|v| child(v, &step));
            path = match step {
                Step::Key(key) => path.key(&key),
                Step::Index(index) => path.index(index),
            };
        }
        path
    }

    /// Takes a value out. An entry of a list takes the list with it, so that the others keep their numbers. Says
    /// whether there was something to take.
    pub(super) fn remove(&mut self, path: &KeyPath) -> bool {
        let mut path = path.clone();
        while matches!(path.steps().last(), Some(Step::Index(_))) {
            path = path.parent();
        }
        let Some((Step::Key(last), above)) = path.steps().split_last() else { return false };
        let table = above.iter().try_fold(&mut self.root, child_mut);
        match table {
            Some(Value::Dict(_, dict)) => dict.remove(last).is_some(),
            _ => false,
        }
    }

    fn line(&self, path: &KeyPath) -> Option<usize> {
        let mut path = path.clone();
        while !path.steps().is_empty() {
            if let Some(line) = self.lines.get(&path) {
                return Some(*line);
            }
            path = path.parent();
        }
        None
    }
}

fn child<'v>(value: &'v Value, step: &Step) -> Option<&'v Value> {
    match (value, step) {
        (Value::Dict(_, dict), Step::Key(key)) => dict.get(key),
        (Value::Array(_, list), Step::Index(index)) => list.get(*index),
        _ => None,
    }
}

fn child_mut<'v>(value: &'v mut Value, step: &Step) -> Option<&'v mut Value> {
    match (value, step) {
        (Value::Dict(_, dict), Step::Key(key)) => dict.get_mut(key),
        (Value::Array(_, list), Step::Index(index)) => list.get_mut(*index),
        _ => None,
    }
}

/// One source of values.
struct Layer {
    metadata: Metadata,
    values: Dict,
}

impl Layer {
    fn file(path: &Path, values: Dict) -> Self {
        Self { metadata: Metadata::from(FILE, path), values }
    }

    /// The layer of one variable or flag; nothing if there is no such key.
    fn text(kind: &'static str, name: &str, path: &KeyPath, text: &str, known: &Known) -> Option<Self> {
        let value = value_of(known.kind(path)?, text);
        let nested = path.steps().iter().rev().fold(value, |inner, step| match step {
            Step::Key(key) => Value::from(Dict::from([(key.clone(), inner)])),
            Step::Index(_) => inner,
        });
        Some(Self { metadata: Metadata::from(kind, name), values: nested.into_dict()? })
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// The value that a text stands for. What a text key takes is taken as it is, so that an account ID keeps its zeros;
/// everything else is TOML. What is no TOML stays a text, and is refused as one where that is wrong.
fn value_of(kind: Kind, text: &str) -> Value {
    let toml = || super::file::value(text);
    let quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    match kind {
        Kind::Text if quoted => toml().unwrap_or_else(|| Value::from(text)),
        Kind::Text => Value::from(text),
        Kind::Texts if text.trim_start().starts_with('[') => toml().unwrap_or_else(|| Value::from(text)),
        Kind::Texts => {
            let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            Value::from(entries.map(str::to_owned).collect::<Vec<_>>())
        }
        Kind::Scalar | Kind::Structure => toml().unwrap_or_else(|| Value::from(text)),
    }
}
