//! The JSON schema of the configuration, and what it says about a key.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value as Json;

use super::model::Model;
use super::path::{KeyPath, Step};

/// The JSON schema of the configuration file, for editors and for `keysweep config schema`.
#[must_use]
pub fn schema() -> Schema {
    generate(SchemaSettings::draft2020_12())
}

fn generate(settings: SchemaSettings) -> Schema {
    // TOML has no null: a key that is optional may be absent, and that is all.
    let settings = settings.with_transform(RecursiveTransform(forget_null));
    let mut generator = settings.into_generator();
    generator.root_schema_for::<Model>()
}

fn forget_null(schema: &mut Schema) {
    if let Some(Json::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Json::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if let [Json::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                // The description of the key goes before that of its type.
                if schema.get(&key).is_none() {
                    schema.insert(key, value);
                }
            }
        }
    }
}

/// What kind of value a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, names and durations included.
    Text,
    /// A list of texts.
    Texts,
    /// A number, true or false.
    Scalar,
    /// A table or a list of tables.
    Structure,
}

/// The keys that exist.
#[derive(Debug)]
pub(super) struct Known(Json);

impl Known {
    pub(super) fn new() -> Self {
        Self(generate(SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true)).to_value())
    }

    /// The kind of the value at a path, if there is such a key.
    pub(super) fn kind(&self, path: &KeyPath) -> Option<Kind> {
        self.at(path).map(kind_of)
    }

    /// The description of a key.
    pub(super) fn description(&self, path: &KeyPath) -> Option<&str> {
        self.at(path)?.get("description")?.as_str()
    }

    /// The key that was probably meant by one that does not exist: one of the same name elsewhere, else the one of
    /// the same table whose name is most alike.
    pub(super) fn nearest(&self, path: &KeyPath) -> Option<String> {
        /// Below this likeness a suggestion confuses more than it helps.
        const ALIKE: f64 = 0.8;
        let name = path.last_key().filter(|name| name.len() > 1)?;
        let table = path.parent();
        let siblings = self.at(&table).and_then(|schema| schema.get("properties")).and_then(Json::as_object);
        let near = siblings.into_iter().flat_map(serde_json::Map::keys).map(|key| {
            let likeness = strsim::jaro_winkler(key, &name.to_ascii_lowercase());
            // What was begun or continued ("external_id" of "external_id_file") counts as alike.
            let likeness =
                if key.starts_with(name) || name.starts_with(key.as_str()) { 1.0 } else { likeness };
            (likeness, key)
        });
        let best = near.filter(|(likeness, _)| *likeness >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|(_, key)| table.key(key).to_string()).or_else(|| self.elsewhere(name))
    }

    /// A key of this name in another section.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let sections = self.0.get("properties")?.as_object()?;
        sections.iter().find_map(|(section, schema)| {
            schema.get("properties")?.get(name)?;
            Some(KeyPath::default().key(section).key(name).to_string())
        })
    }

    fn at(&self, path: &KeyPath) -> Option<&Json> {
        path.steps().iter().try_fold(&self.0, |schema, step| match step {
            Step::Index(_) => schema.get("items"),
            Step::Key(key) => match schema.get("properties") {
                Some(properties) => properties.get(key),
                // A table with free keys, as that of tags.
                None => schema.get("additionalProperties").filter(|values| values.is_object()),
            },
        })
    }
}

fn kind_of(schema: &Json) -> Kind {
    match schema.get("type").and_then(Json::as_str) {
        Some("integer" | "number" | "boolean") => Kind::Scalar,
        Some("array") => match schema.get("items").map(kind_of) {
            Some(Kind::Text) => Kind::Texts,
            Some(Kind::Texts | Kind::Scalar | Kind::Structure) | None => Kind::Structure,
        },
        Some("object") => Kind::Structure,
        // Enums are `oneOf` texts.
        Some(_) | None => Kind::Text,
    }
}
