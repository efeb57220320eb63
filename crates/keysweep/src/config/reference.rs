//! `config/keysweep.toml`: every key with its comment and default, generated from the model.

use std::fmt::Write as _;

use super::mistake::Origin;
use super::model::Model;
use super::path::KeyPath;
use super::schema::Known;
use super::show::{Effective, header};

/// Width of the comments.
const WIDTH: usize = 110;

const PREFACE: &str = "\
# Configuration of keysweep: every key with its default. Every key is optional.
#
# Environment variables override this file, and flags override both. A variable is named after its key, with two
# underscores between the parts: KEYSWEEP__SCAN__INTERVAL=12h. Write durations as 90d, 12h, 30s, or 1h30m; a day
# is 24 hours. keysweep reads secrets from files, named by the keys that end in _file. Under systemd, each file
# /etc/keysweep/credentials/NAME is passed to the service as a credential at each start, and keysweep reads that
# copy instead.
#
# `keysweep config check` reports errors in this file. `keysweep config show` prints the effective values and
# their sources. `cargo xtask gen-config` generates this file.

";

/// Lists of rules and tokens have no defaults, so there are examples instead.
pub(super) const OVERRIDE_EXAMPLE: &str = r#"[[policy.override]]
match = { users = ["svc-*"], paths = ["/ci/"] }
unused_after = "180d"
"#;

pub(super) const EXEMPT_EXAMPLE: &str = r#"[[policy.exempt]]
match = { user_tags = { "keysweep:exempt" = "*" } }
reason = "break glass"
until = "2027-06-30"
"#;

pub(super) const TOKEN_EXAMPLE: &str = r#"[[http.token]]
name = "dana"
role = "operator"
sha256 = "2f4c5d6f6b4f0d5b4f4ae3dbb43cd3ad5e5bd8b9a3b7d6d9c2b0a7d0a3a1c9e8"
"#;

pub(super) const CONTACT_EXAMPLE: &str = r##"[[owners.contact]]
match = "payments*"
email = "payments@example.com"
slack = "#payments"
"##;

pub(super) const WEBHOOK_EXAMPLE: &str = r#"[[notices.webhook]]
name = "tickets"
url_file = "/etc/keysweep/credentials/tickets-url"
secret_file = "/etc/keysweep/credentials/tickets-secret"
"#;

pub(super) const ROUTE_EXAMPLE: &str = r##"[[notices.route]]
match = { account_names = ["prod-*"], kinds = ["deactivation_ahead", "reminder"] }
channels = ["slack", "email"]
notify = ["#prod-security"]
quiet_hours = "22:00-07:00"
"##;

/// Keys of `[[notices.webhook]]` and `[[notices.route]]`, and of the match of a route.
pub(super) const WEBHOOK_FIELDS: [&str; 6] =
    ["name", "url_file", "secret_file", "format", "allow_private", "ca_file"];
pub(super) const ROUTE_FIELDS: [&str; 6] =
    ["match", "channels", "notify", "group_wait", "quiet_hours", "time_zone"];
pub(super) const ROUTE_MATCH_FIELDS: [&str; 6] =
    ["ous", "accounts", "account_tags", "account_names", "owners", "kinds"];

pub(super) const ACCESS_EXAMPLE: &str = r#"[[access]]
oidc_group = "payments-team"
role = "approver"
match = { ous = ["ou-abcd-11112222"] }
"#;

/// Keys of `[[http.token]]` and `[[access]]`, and of their match.
pub(super) const TOKEN_FIELDS: [&str; 4] = ["name", "role", "sha256", "match"];
pub(super) const ACCESS_FIELDS: [&str; 6] =
    ["oidc_group", "oidc_subject", "local_user", "slack_user", "role", "match"];
pub(super) const SCOPE_FIELDS: [&str; 3] = ["ous", "accounts", "account_tags"];

pub(super) const MATCH_FIELDS: [&str; 6] = ["ous", "accounts", "account_tags", "users", "paths", "user_tags"];

/// The text of `config/keysweep.toml`. It can be loaded as it is, and gives the defaults.
#[must_use]
pub fn reference_toml() -> String {
    let known = Known::new();
    let describe = |path: &KeyPath| known.description(path).unwrap_or_default().to_owned();
    let mut text = PREFACE.to_owned();
    let mut section = KeyPath::default();
    let [policy, owners, slack, session] =
        ["policy", "owners", "notices.slack", "http.session"].map(KeyPath::of);
    for setting in Effective::of(&Model::default(), |_| Origin::Default).settings {
        let at = setting.path.parent();
        if at != section {
            if section == policy {
                rules(&mut text, &describe);
            } else if section == owners {
                example(&mut text, &describe, "owners.contact", CONTACT_EXAMPLE);
            } else if section == slack {
                notices(&mut text, &describe);
            } else if section == session {
                access(&mut text, &describe);
            }
            text.push('\n');
            comment(&mut text, "# ", &describe(&at));
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{}", header(&at));
            section = at;
        }
        comment(&mut text, "# ", &describe(&setting.path));
        let _ = writeln!(text, "{} = {}", setting.path.last_key().unwrap_or_default(), setting.value);
    }
    text
}

/// The rules of the policy, commented out.
fn rules(text: &mut String, describe: &impl Fn(&KeyPath) -> String) {
    example(text, describe, "policy.override", OVERRIDE_EXAMPLE);
    example(text, describe, "policy.exempt", EXEMPT_EXAMPLE);
    let matches = KeyPath::of("policy.override").index(0).key("match");
    text.push('\n');
    comment(
        text,
        "# ",
        "A match needs at least one of these fields. All given fields must match; in a list, one matching entry is enough.",
    );
    fields(text, describe, &matches, &MATCH_FIELDS);
}

/// Webhooks and routes of notices, commented out.
fn notices(text: &mut String, describe: &impl Fn(&KeyPath) -> String) {
    let [webhook, route] = ["notices.webhook", "notices.route"].map(|list| KeyPath::of(list).index(0));
    example(text, describe, "notices.webhook", WEBHOOK_EXAMPLE);
    text.push('\n');
    comment(text, "# ", "Keys of a webhook:");
    fields(text, describe, &webhook, &WEBHOOK_FIELDS);
    example(text, describe, "notices.route", ROUTE_EXAMPLE);
    text.push('\n');
    comment(text, "# ", "Keys of a route:");
    fields(text, describe, &route, &ROUTE_FIELDS);
    text.push('\n');
    comment(
        text,
        "# ",
        "Fields of the match. All given fields must match; in a list, one matching entry is enough.",
    );
    fields(text, describe, &route.key("match"), &ROUTE_MATCH_FIELDS);
}

/// Tokens and roles of people, commented out.
fn access(text: &mut String, describe: &impl Fn(&KeyPath) -> String) {
    let [token, access] = ["http.token", "access"].map(|list| KeyPath::of(list).index(0));
    example(text, describe, "http.token", TOKEN_EXAMPLE);
    text.push('\n');
    comment(text, "# ", "Keys of a token:");
    fields(text, describe, &token, &TOKEN_FIELDS);
    example(text, describe, "access", ACCESS_EXAMPLE);
    text.push('\n');
    comment(text, "# ", "Keys of an entry:");
    fields(text, describe, &access, &ACCESS_FIELDS);
    text.push('\n');
    comment(
        text,
        "# ",
        "Fields of the match of a token or an entry. All given fields must match; in a list, one matching entry is enough. A \
         role that depends on a fact that keysweep could not read is not held.",
    );
    fields(text, describe, &access.key("match"), &SCOPE_FIELDS);
}

fn fields(text: &mut String, describe: &impl Fn(&KeyPath) -> String, at: &KeyPath, names: &[&str]) {
    for name in names {
        comment(text, "#   ", &format!("{name}: {}", describe(&at.key(name))));
    }
}

/// One entry of a list that is empty by default, commented out.
fn example(text: &mut String, describe: &impl Fn(&KeyPath) -> String, list: &str, entry: &str) {
    text.push('\n');
    comment(text, "# ", &describe(&KeyPath::of(list)));
    for line in entry.lines() {
        let _ = writeln!(text, "#{line}");
    }
}

/// Writes a comment, wrapped. Line breaks of the source mean nothing, empty lines end a paragraph.
pub(super) fn comment(text: &mut String, prefix: &str, words: &str) {
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() && prefix.len() + line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "{prefix}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(text, "{prefix}{line}");
    }
}
