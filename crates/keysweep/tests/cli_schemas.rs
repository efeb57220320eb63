//! The JSON schemas in `docs/schemas` are those of what commands print, and the OpenAPI document is that of the API.

use std::path::Path;

#[test]
fn the_schemas_in_the_repository_are_those_of_the_program() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    for (name, schema) in keysweep::cli::schemas::all() {
        let json = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        crate::cli_support::assert_file(&dir.join(format!("{name}.json")), &json);
    }
}

#[test]
fn the_openapi_document_in_the_repository_is_that_of_the_program() {
    let json =
        serde_json::to_string_pretty(&keysweep_api::openapi(env!("CARGO_PKG_VERSION"))).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    crate::cli_support::assert_file(&file, &json);
}
