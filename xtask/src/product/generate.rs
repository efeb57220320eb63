//! Files that are generated from the code. Tests of keysweep compare them with it.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use keysweep::cli::schemas;
use keysweep::config::{reference_toml, schema};

use crate::command::{root, say};

/// Writes `config/keysweep.toml`, the schema of the configuration and those of what commands print.
pub(super) fn generate() -> anyhow::Result<()> {
    write("config/keysweep.toml", &reference_toml())?;
    let documents = schemas::all().map(|(name, schema)| (name, serde_json::to_value(schema)));
    let config = [("config", serde_json::to_value(schema()))];
    for (name, schema) in config.into_iter().chain(documents) {
        let schema = schema.with_context(|| format!("write the schema {name} as JSON"))?;
        write(&format!("docs/schemas/{name}.schema.json"), &format!("{schema:#}\n"))?;
    }
    Ok(())
}

fn write(path: &str, text: &str) -> anyhow::Result<()> {
    let file = root().join(path);
    if fs::read_to_string(&file).is_ok_and(|found| found == text) {
        say(&format!("unchanged  {path}"));
        return Ok(());
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("make the folder of {path}"))?;
    fs::write(&file, text).with_context(|| format!("write {path}"))?;
    say(&format!("written    {path}"));
    Ok(())
}
