//! Files that are generated from the code.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use keysweep::cli::schemas;
use keysweep::clock::Clock;
use keysweep::config::{self, Sources, reference_markdown, reference_toml, schema};
use keysweep::iam::{self, Deletion};

use super::chart;
use crate::command::{root, say};

/// The hub in the examples, an account of AWS's documentation.
const HUB: &str = "arn:aws:iam::111122223333:role/keysweep-hub";

/// Writes `config/keysweep.toml` and its page, the schema of the configuration and those of what commands print, the
/// policies of the default configuration, and the schema and the table of the values of the Helm chart.
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
    let mut files = vec![
        ("config/keysweep.toml".to_owned(), reference_toml()),
        ("docs/CONFIGURATION.md".to_owned(), reference_markdown()),
    ];
    for (name, schema) in [("config", schema())].into_iter().chain(schemas::all()) {
        let text = serde_json::to_string_pretty(&schema)
            .with_context(|| format!("write the schema {name} as JSON"))?;
        files.push((format!("docs/schemas/{name}.json"), text + "\n"));
    }
    let openapi = keysweep_api::openapi(env!("CARGO_PKG_VERSION"));
    files.push(("docs/openapi.json".to_owned(), serde_json::to_string_pretty(&openapi)? + "\n"));
    files.extend(policies()?);
    let config = serde_json::to_value(schema()).context("read the schema of the configuration")?;
    files.extend(chart::files(config)?);
    Ok(files)
}

/// The policies in `deploy/iam/`: what `keysweep iam` prints without a configuration file.
fn policies() -> anyhow::Result<Vec<(String, String)>> {
    let now = Clock::system().now();
    let config = config::load(&Sources::default(), now)?;
    let trust = iam::trust(&config, &HUB.parse()?, None)?;
    let policies = [
        ("hub", iam::hub(&config)?),
        ("scan", iam::scan(&config)?),
        ("scan-trust", trust.clone()),
        ("enforce", iam::enforce(&config, now, Deletion::Allowed)?),
        ("enforce-trust", trust),
    ];
    let file = |(name, policy)| {
        let text = serde_json::to_string_pretty(&policy)
            .with_context(|| format!("write the policy {name} as JSON"))?;
        Ok((format!("deploy/iam/{name}.json"), text + "\n"))
    };
    policies.into_iter().map(file).collect()
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
