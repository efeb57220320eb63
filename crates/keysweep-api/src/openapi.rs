//! The OpenAPI document, from the types themselves.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::operation::{BASE, Operation, Role, Verb, parameter};
use crate::{PROBLEM_JSON, Problem, operations};

/// Describes every operation (OpenAPI 3.1). `version` is that of keysweep.
#[must_use]
pub fn openapi(version: &str) -> Value {
    let mut document = Document::default();
    for add in operations!(add, add) {
        add(&mut document);
    }
    document.finish(version)
}

fn add<O: Operation>(document: &mut Document) {
    document.add::<O>();
}

struct Document {
    generator: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Default for Document {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self { generator: settings.into_generator(), paths: Map::new() }
    }
}

impl Document {
    fn add<O: Operation>(&mut self) {
        let request = self.own_schema::<O>();
        let (about, properties, required) = parts(request);
        let of_path: Vec<&str> = O::PATH.split('/').filter_map(parameter).collect();
        let (mut parameters, mut body) = (Vec::new(), Map::new());
        for (name, schema) in properties {
            if of_path.contains(&name.as_str()) {
                parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
            } else if O::VERB == Verb::Get {
                let required = required.contains(&name);
                parameters
                    .push(json!({ "name": name, "in": "query", "required": required, "schema": schema }));
            } else {
                body.insert(name, schema);
            }
        }
        parameters.push(match O::VERB {
            Verb::Get => header(
                "If-None-Match",
                "The ETag of a reply that the caller has: 304 if it is still current.",
                &json!({ "type": "string" }),
            ),
            Verb::Post => header(
                "Idempotency-Key",
                "Names this request. If it is sent again with the same key, it is not carried out again, and the reply is \
                 the first one.",
                &json!({ "type": "string", "pattern": "^[!-~]{1,128}$" }),
            ),
        });
        let reply = self.generator.subschema_for::<O::Reply>();
        let problem = self.generator.subschema_for::<Problem>();
        let operation = json!({
            "operationId": O::NAME,
            "description": about,
            "security": match O::ROLE {
                // On a loopback address without a viewer's token, looking is open.
                Role::Viewer => json!([{ "token": [] }, {}]),
                Role::Approver | Role::Operator => json!([{ "token": [] }]),
            },
            "x-role": O::ROLE,
            "parameters": parameters,
            "responses": {
                "200": { "description": "Done.", "content": { "application/json": { "schema": reply } } },
                "429": {
                    "description": "Too many requests: see Retry-After.",
                    "content": { PROBLEM_JSON: { "schema": problem.clone() } },
                },
                "default": {
                    "description": "Not done.",
                    "content": { PROBLEM_JSON: { "schema": problem } },
                },
            },
        });
        let operation = match O::VERB {
            Verb::Get => with_not_modified(operation),
            Verb::Post => operation,
        };
        let body = (O::VERB == Verb::Post).then(|| {
            let required: Vec<_> = required.into_iter().filter(|name| body.contains_key(name)).collect();
            let schema = json!({
                "type": "object",
                "properties": body,
                "required": required,
                "additionalProperties": false,
            });
            json!({ "required": true, "content": { "application/json": { "schema": schema } } })
        });
        let verb = match O::VERB {
            Verb::Get => "get",
            Verb::Post => "post",
        };
        let path = self.paths.entry(format!("{BASE}{}", O::PATH)).or_insert_with(|| json!({}));
        if let (Value::Object(path), Value::Object(mut operation)) = (path, operation) {
            operation.extend(body.map(|body| ("requestBody".to_owned(), body)));
            path.insert(verb.into(), operation.into());
        }
    }

    /// The schema of a request, which is taken apart and not referred to.
    fn own_schema<T: JsonSchema>(&mut self) -> Value {
        T::json_schema(&mut self.generator).to_value()
    }

    fn finish(mut self, version: &str) -> Value {
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "keysweep",
                "version": version,
                "description": "Looks at and decides about the IAM access keys of an organization. Fields are added, \
                                and never renamed or removed, within v1.",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/" }],
            "paths": self.paths,
            "components": {
                "schemas": self.generator.take_definitions(true),
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A token that `keysweep token new` made.",
                    },
                },
            },
        })
    }
}

/// A reply that the caller has already.
fn with_not_modified(mut operation: Value) -> Value {
    if let Some(Value::Object(responses)) = operation.get_mut("responses") {
        responses.insert("304".into(), json!({ "description": "The reply has not changed." }));
    }
    operation
}

/// An optional header of a request.
fn header(name: &str, about: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "header", "required": false, "description": about, "schema": schema })
}

/// Description, properties, and names of the required ones.
fn parts(mut schema: Value) -> (Value, Map<String, Value>, Vec<String>) {
    let mut take = |name: &str| schema.get_mut(name).map(Value::take).unwrap_or_default();
    let (about, properties, required) = (take("description"), take("properties"), take("required"));
    let properties = match properties {
        Value::Object(properties) => properties,
        _ => Map::new(),
    };
    (about, properties, serde_json::from_value(required).unwrap_or_default())
}
