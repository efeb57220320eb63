//! Files that are generated from the code.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use keysweep::cli::schemas;
use keysweep::config::{reference_toml, schema};

use crate::command::{root, say};

/// Writes `config/keysweep.toml`, the schema of the configuration and those of what commands print.
pub(super) fn generate() -> anyhow::Result<()> {
    for (path, text) in files()? {
        let file = root().join(&path);
        if fs::read_to_string(&file).is_ok_and(|found| found == text) {
            say(&format!("unchanged  {path}"));
            continue;
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).with_context(|| format!("make the folder of {path}"))?;
        fs::write(&file, text).with_context(|| format!("write {path}"))?;
        say(&format!("written    {path}"));
    }
    Ok(())
}

/// Path and text of each.
fn files() -> anyhow::Result<Vec<(String, String)>> {
    let mut files = vec![("config/keysweep.toml".to_owned(), reference_toml())];
    for (name, schema) in [("config", schema())].into_iter().chain(schemas::all()) {
        let text = serde_json::to_string_pretty(&schema)
            .with_context(|| format!("write the schema {name} as JSON"))?;
        files.push((format!("docs/schemas/{name}.json"), text + "\n"));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_as_the_code_would_write_them() {
        for (path, text) in files().unwrap() {
            let found = fs::read_to_string(root().join(&path)).unwrap_or_default();
            assert!(found == text, "{path} is out of date: run `cargo xtask gen-config`");
        }
    }
}
