//! `docs/CONFIGURATION.md`: the same keys as in `config/keysweep.toml`, as tables.

use std::fmt::Write as _;

use super::mistake::Origin;
use super::model::Model;
use super::path::KeyPath;
use super::reference::{
    ACCESS_EXAMPLE, ACCESS_FIELDS, CONTACT_EXAMPLE, EXEMPT_EXAMPLE, MATCH_FIELDS, OVERRIDE_EXAMPLE,
    ROUTE_EXAMPLE, ROUTE_FIELDS, ROUTE_MATCH_FIELDS, SCOPE_FIELDS, TOKEN_EXAMPLE, TOKEN_FIELDS,
    WEBHOOK_EXAMPLE, WEBHOOK_FIELDS,
};
use super::schema::Known;
use super::show::{Effective, header};

const PREFACE: &str = "\
# Configuration

This page lists every key with its default. [config/keysweep.toml](../config/keysweep.toml) is a file with the same \
contents to start from, and [config/examples/](../config/examples/) has files for specific purposes. \
`cargo xtask gen-config` generates this page.

**Sources.** keysweep reads one TOML file: `--config`, else `KEYSWEEP_CONFIG`, else `/etc/keysweep/keysweep.toml`. \
Environment variables override the file, and flags override both. A variable is named after its key, with two \
underscores between the parts: `KEYSWEEP__SCAN__INTERVAL=12h`.

**Format.** Write durations as `90d`, `12h`, `30s`, or `1h30m`; a day is 24 hours. keysweep reads secrets only from \
files (keys that end in `_file`), never from variables or flags.

**Validation.** `keysweep config check` reports all errors at once, each with its source, its key, and the expected \
value. `keysweep config show` prints the effective values and their sources. `keysweep config schema` prints the \
[JSON schema](schemas/config.json) for editors.

**Changes.** `SIGHUP` (`systemctl reload keysweep`) or `POST /-/reload` with an operator's token reloads the \
configuration. A reload of equal values does nothing. On any error, the previous configuration stays in effect, the log says why, and \
`keysweep_config_last_reload_successful` is 0. Changes to `data_dir`, `http.listen`, `http.socket`, or the use of TLS require a restart.
";

/// The text of `docs/CONFIGURATION.md`.
#[must_use]
pub fn reference_markdown() -> String {
    let known = Known::new();
    let describe = |path: &KeyPath| in_a_cell(known.description(path).unwrap_or_default());
    let mut text = PREFACE.to_owned();
    let mut section = None;
    let [policy, owners, slack, session] =
        ["policy", "owners", "notices.slack", "http.session"].map(KeyPath::of);
    for setting in Effective::of(&Model::default(), |_| Origin::Default).settings {
        let at = setting.path.parent();
        if section.as_ref() != Some(&at) {
            if section.as_ref() == Some(&policy) {
                rules(&mut text, &describe);
            } else if section.as_ref() == Some(&owners) {
                example(&mut text, &describe, "owners.contact", CONTACT_EXAMPLE);
            } else if section.as_ref() == Some(&slack) {
                notices(&mut text, &describe);
            } else if section.as_ref() == Some(&session) {
                access(&mut text, &describe);
            }
            // What stands above every section has no header of its own.
            let (title, about) = if at == KeyPath::default() {
                ("Top level".to_owned(), String::new())
            } else {
                (format!("`{}`", header(&at)), describe(&at))
            };
            // Writing into a String cannot fail.
            let about = if about.is_empty() { about } else { about + "\n\n" };
            let _ = write!(text, "\n## {title}\n\n{about}| key | default | meaning |\n|---|---|---|\n");
            section = Some(at);
        }
        let key = setting.path.last_key().unwrap_or_default();
        let _ = writeln!(text, "| `{key}` | `{}` | {} |", setting.value, describe(&setting.path));
    }
    text
}

/// The rules of the policy, of which there are none by default.
fn rules(text: &mut String, describe: &impl Fn(&KeyPath) -> String) {
    example(text, describe, "policy.override", OVERRIDE_EXAMPLE);
    example(text, describe, "policy.exempt", EXEMPT_EXAMPLE);
    let matches = KeyPath::of("policy.override").index(0).key("match");
    text.push_str(
        "\n### Match\n\nA match needs at least one of these fields. All given fields must match; in a list, one \
         matching entry is enough.\n",
    );
    fields(text, describe, "field", &matches, &MATCH_FIELDS);
}

/// Webhooks and routes of notices, of which there are none by default.
fn notices(text: &mut String, describe: &impl Fn(&KeyPath) -> String) {
    let [webhook, route] = ["notices.webhook", "notices.route"].map(|list| KeyPath::of(list).index(0));
    example(text, describe, "notices.webhook", WEBHOOK_EXAMPLE);
    fields(text, describe, "key", &webhook, &WEBHOOK_FIELDS);
    example(text, describe, "notices.route", ROUTE_EXAMPLE);
    fields(text, describe, "key", &route, &ROUTE_FIELDS);
    text.push_str(
        "\nFields of the match of a route. All given fields must match; in a list, one matching entry is enough.\n",
    );
    fields(text, describe, "field", &route.key("match"), &ROUTE_MATCH_FIELDS);
}

/// Tokens and roles of people, of which there are none by default.
fn access(text: &mut String, describe: &impl Fn(&KeyPath) -> String) {
    let [token, access] = ["http.token", "access"].map(|list| KeyPath::of(list).index(0));
    example(text, describe, "http.token", TOKEN_EXAMPLE);
    fields(text, describe, "key", &token, &TOKEN_FIELDS);
    example(text, describe, "access", ACCESS_EXAMPLE);
    fields(text, describe, "key", &access, &ACCESS_FIELDS);
    text.push_str(
        "\nFields of the match of a token or an entry. All given fields must match; in a list, one matching entry is \
         enough. A role that depends on a fact that keysweep could not read is not held.\n",
    );
    fields(text, describe, "field", &access.key("match"), &SCOPE_FIELDS);
}

/// A table of keys that have no default.
fn fields(
    text: &mut String,
    describe: &impl Fn(&KeyPath) -> String,
    title: &str,
    at: &KeyPath,
    names: &[&str],
) {
    let _ = write!(text, "\n| {title} | meaning |\n|---|---|\n");
    for name in names {
        let _ = writeln!(text, "| `{name}` | {} |", describe(&at.key(name)));
    }
}

/// A list of which there is nothing by default.
fn example(text: &mut String, describe: &impl Fn(&KeyPath) -> String, list: &str, example: &str) {
    let about = describe(&KeyPath::of(list));
    let _ = write!(text, "\n## `[[{list}]]`\n\n{about}\n\n```toml\n{example}```\n");
}

/// On one line, with nothing that ends a cell.
fn in_a_cell(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_row_and_every_row_says_something() {
        let text = reference_markdown();
        for setting in Effective::of(&Model::default(), |_| Origin::Default).settings {
            let key = setting.path.last_key().unwrap();
            let row = text.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap();
            assert!(row.split(" | ").last().unwrap().len() > 12, "{row}");
        }
        assert!(text.lines().all(|line| !line.starts_with('|') || line.ends_with('|')), "{text}");
    }
}
