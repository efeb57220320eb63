//! Session policies: what a session may do at most, whatever its role allows.

use std::collections::BTreeMap;

use keysweep_core::ticket::{Action, ExemptTag, Warrant};
use serde_json::json;

use crate::role::Partition;

/// STS API reference: a session policy has at most 2,048 characters.
const MAX_POLICY: usize = 2048;

/// What a scan calls, and nothing that changes anything.
const READ_ACTIONS: [&str; 7] = [
    "iam:GenerateCredentialReport",
    "iam:GetAccessKeyLastUsed",
    "iam:GetCredentialReport",
    "iam:GetUser",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:ListUsers",
];

/// The session policy of a scan.
pub(crate) fn read_only() -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": READ_ACTIONS, "Resource": "*" }],
    })
    .to_string()
}

/// The session policy of one change: that action on that user, and where tags exempt, only while the user has none
/// of them. IAM knows no condition for one key of a user.
///
/// # Errors
/// If the path is none, or the tags do not fit.
pub(crate) fn for_change(partition: Partition, warrant: &Warrant, user_path: &str) -> Result<String, String> {
    if !user_path.starts_with('/') || !user_path.ends_with('/') {
        return Err(format!("user path {user_path:?} does not begin and end with a slash"));
    }
    let account = warrant.identity().account;
    let path = literal(user_path);
    let name = literal(warrant.user_name().as_str());
    let mut statement = json!({
        "Effect": "Allow",
        "Action": api_of(warrant.action()),
        "Resource": format!("arn:{partition}:iam::{account}:user{path}{name}"),
    });
    let exempt = unless_exempt(warrant);
    if !exempt.is_empty()
        && let Some(members) = statement.as_object_mut()
    {
        members.insert("Condition".to_owned(), json!({ "StringNotLike": exempt }));
    }
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    if policy.chars().count() > MAX_POLICY {
        let length = policy.chars().count();
        return Err(format!("session policy with the exempt tags has {length} characters, STS takes {MAX_POLICY}"));
    }
    Ok(policy)
}

/// The IAM action that a change needs.
pub(crate) fn api_of(action: Action) -> &'static str {
    match action {
        Action::Deactivate | Action::Reactivate => "iam:UpdateAccessKey",
        Action::Delete => "iam:DeleteAccessKey",
    }
}

/// Condition keys and the globs that their values must not match. `StringNotLike` is also true where the user has
/// no such tag, and false as soon as one of several globs matches: exactly "not exempt".
fn unless_exempt(warrant: &Warrant) -> BTreeMap<String, Vec<String>> {
    let tags: &[ExemptTag] = match warrant.action() {
        Action::Deactivate | Action::Delete => warrant.exempt_tags(),
        // Nothing of ours stands in the way of an undo.
        Action::Reactivate => &[],
    };
    let mut by_key = BTreeMap::<String, Vec<String>>::new();
    for tag in tags {
        let value = tag.value.replace('$', "${$}");
        by_key.entry(format!("aws:ResourceTag/{}", tag.key)).or_default().push(value);
    }
    by_key
}

/// A text that IAM takes as it stands: the path of a user may hold `*`, `?` and `$`, which would otherwise widen
/// the resource (IAM user guide, "Policy variables": special characters).
fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '$' => {
                escaped.push_str("${");
                escaped.push(c);
                escaped.push('}');
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_may_change_nothing() {
        let policy = read_only();
        assert!(policy.len() <= MAX_POLICY);
        for action in READ_ACTIONS {
            let verb = action.trim_start_matches("iam:");
            assert!(["Get", "List", "GenerateCredentialReport"].iter().any(|read| verb.starts_with(read)), "{action}");
        }
    }

    #[test]
    fn a_path_with_wildcards_names_itself_only() {
        assert_eq!(literal("/a*b?${x}/"), "/a${*}b${?}${$}{x}/");
        assert_eq!(literal("/ci/"), "/ci/");
    }
}
