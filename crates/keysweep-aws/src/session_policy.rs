//! Session policies: what a session may do at most, whatever its role allows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keysweep_core::ids::{AccountId, UserName};
use keysweep_core::quarantine::QuarantinePolicy;
use keysweep_core::ticket::{Action, ExemptTag};
use serde_json::json;

use crate::role::Partition;

/// STS API reference: a session policy has at most 2,048 characters.
pub const MAX_SESSION_POLICY: usize = 2048;

/// Characters of a user name (IAM API reference, `userNameType`).
const LONGEST_NAME: usize = 64;

/// How long the session policy of a change is at most where these tags exempt and this policy may be attached, for a user
/// whose path has so many characters.
#[must_use]
pub fn session_policy_length(
    partition: Partition,
    exempt_tags: &[ExemptTag],
    path: usize,
    quarantine: Option<&QuarantinePolicy>,
) -> usize {
    let (path, name) = (format!("/{}", "x".repeat(path.saturating_sub(1))), "x".repeat(LONGEST_NAME));
    let resource = format!("arn:{partition}:iam::000000000000:user{path}{name}");
    // Every deadline is written with as many characters.
    let deadline = Some(Timestamp::UNIX_EPOCH);
    let exempt = unless_exempt(Action::Deactivate, exempt_tags);
    // The statement of a quarantine names the policy, too.
    let longest = quarantine.map_or(Action::Deactivate, |_| Action::Quarantine);
    // Every account ID has as many digits.
    let account = "000000000000".parse().ok();
    let policy = quarantine.zip(account).map(|(policy, account)| policy_arn(partition, account, policy));
    written(longest, &resource, policy.as_deref(), &exempt, deadline).chars().count()
}

/// What has a credential report made and reads it.
pub const REPORT_ACTIONS: [&str; 2] = ["iam:GenerateCredentialReport", "iam:GetCredentialReport"];

/// What reads users and keys one by one: in a live scan, for candidates, and right before and after each change.
pub const READ_ACTIONS: [&str; 7] = [
    "iam:GetAccessKeyLastUsed",
    "iam:GetAccountAuthorizationDetails",
    "iam:GetAccountSummary",
    "iam:GetUser",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:ListUsers",
];

/// Actions that look up a key in CloudTrail, immediately before keysweep deactivates or deletes it.
pub const EVIDENCE_ACTIONS: [&str; 2] = ["account:ListRegions", "cloudtrail:LookupEvents"];

/// Actions that show whether a user has a console password, since one that is set during a quarantine ends it, and what the
/// policy of a quarantine says.
pub const QUARANTINE_ACTIONS: [&str; 3] = ["iam:GetLoginProfile", "iam:GetPolicy", "iam:GetPolicyVersion"];

/// What asks IAM what it would allow. No policy that keysweep prints has it: it is wanted by `keysweep doctor` alone.
pub const SIMULATE_ACTION: &str = "iam:SimulatePrincipalPolicy";

/// The session policy of a scan.
pub(crate) fn read_only() -> String {
    only(
        "Allow",
        &[REPORT_ACTIONS.as_slice(), &READ_ACTIONS, &EVIDENCE_ACTIONS, &QUARANTINE_ACTIONS].concat(),
    )
}

/// The session policy of whoever sees what may be done.
pub(crate) fn examining() -> String {
    let reads = [REPORT_ACTIONS.as_slice(), &READ_ACTIONS, &EVIDENCE_ACTIONS, &QUARANTINE_ACTIONS];
    only("Allow", &[reads.concat(), vec![SIMULATE_ACTION]].concat())
}

/// The session policy of a session that is made to see whether it can be made.
pub(crate) fn nothing() -> String {
    only("Deny", &["*"])
}

fn only(effect: &str, actions: &[&str]) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": effect, "Action": actions, "Resource": "*" }],
    })
    .to_string()
}

/// One change, as far as IAM can tell it from another: it knows no condition for one key of a user.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) partition: Partition,
    pub(crate) account: AccountId,
    pub(crate) action: Action,
    /// Path of the user, such as `/ci/`: the ARN carries it.
    pub(crate) user_path: &'a str,
    pub(crate) user_name: &'a UserName,
    /// The policy that is attached or detached; none for a change of a key.
    pub(crate) policy: Option<&'a QuarantinePolicy>,
    pub(crate) exempt_tags: &'a [ExemptTag],
    /// From then on AWS refuses it; absent for an undo while AWS's time is not known.
    pub(crate) deadline: Option<Timestamp>,
}

/// The session policy of one change: that action on that user, until the deadline, and where tags exempt, only while
/// the user has none of them.
///
/// # Errors
/// If the path is none, or the tags do not fit.
pub(crate) fn for_change(scope: Scope<'_>) -> Result<String, String> {
    let Scope { partition, account, user_path, .. } = scope;
    if !user_path.starts_with('/') || !user_path.ends_with('/') {
        return Err(format!("user path {user_path:?} does not begin and end with a slash"));
    }
    let (path, name) = (literal(user_path), literal(scope.user_name.as_str()));
    let resource = format!("arn:{partition}:iam::{account}:user{path}{name}");
    let attaches = match (scope.action, scope.policy) {
        (Action::Quarantine | Action::EndQuarantine, Some(policy)) => {
            Some(policy_arn(partition, account, policy))
        }
        (Action::Quarantine | Action::EndQuarantine, None) => {
            return Err("no policy is named that it is to attach or detach".to_owned());
        }
        (Action::Deactivate | Action::Reactivate | Action::Delete, _) => None,
    };
    let exempt = unless_exempt(scope.action, scope.exempt_tags);
    let policy = written(scope.action, &resource, attaches.as_deref(), &exempt, scope.deadline);
    let length = policy.chars().count();
    if length > MAX_SESSION_POLICY {
        return Err(format!(
            "session policy with the exempt tags has {length} characters, STS takes {MAX_SESSION_POLICY}"
        ));
    }
    Ok(policy)
}

fn written(
    action: Action,
    resource: &str,
    attaches: Option<&str>,
    exempt: &BTreeMap<String, Vec<String>>,
    deadline: Option<Timestamp>,
) -> String {
    let mut statement = json!({ "Effect": "Allow", "Action": api_of(action), "Resource": resource });
    let mut conditions = serde_json::Map::new();
    if let Some(deadline) = deadline {
        conditions.insert("DateLessThan".to_owned(), json!({ "aws:CurrentTime": deadline.to_string() }));
    }
    if let Some(policy) = attaches {
        conditions.insert("ArnEquals".to_owned(), json!({ "iam:PolicyARN": policy }));
    }
    if !exempt.is_empty() {
        conditions.insert("StringNotLike".to_owned(), json!(exempt));
    }
    if !conditions.is_empty()
        && let Some(members) = statement.as_object_mut()
    {
        members.insert("Condition".to_owned(), conditions.into());
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

/// The ARN of the policy that is attached in quarantine.
pub(crate) fn policy_arn(partition: Partition, account: AccountId, policy: &QuarantinePolicy) -> String {
    format!("arn:{partition}{}", policy.resource(account))
}

/// The IAM action that a change needs.
#[must_use]
pub fn api_of(action: Action) -> &'static str {
    match action {
        Action::Quarantine => "iam:AttachUserPolicy",
        Action::EndQuarantine => "iam:DetachUserPolicy",
        Action::Deactivate | Action::Reactivate => "iam:UpdateAccessKey",
        Action::Delete => "iam:DeleteAccessKey",
    }
}

/// Condition keys and the globs that their values must not match. `StringNotLike` is also true where the user has
/// no such tag, and false as soon as one of several globs matches: exactly "not exempt".
fn unless_exempt(action: Action, exempt_tags: &[ExemptTag]) -> BTreeMap<String, Vec<String>> {
    let tags = match action {
        Action::Quarantine | Action::Deactivate | Action::Delete => exempt_tags,
        // Nothing of ours stands in the way of an undo.
        Action::EndQuarantine | Action::Reactivate => &[],
    };
    let mut by_key = BTreeMap::<String, Vec<String>>::new();
    for tag in tags {
        let value = tag.value.replace('$', "${$}");
        // To IAM, names of condition keys that differ in case alone are one: it refuses two of them.
        let same =
            |known: &&String| known.to_lowercase() == format!("aws:resourcetag/{}", tag.key.to_lowercase());
        let name = by_key.keys().find(same).cloned();
        let name = name.unwrap_or_else(|| format!("aws:ResourceTag/{}", tag.key));
        by_key.entry(name).or_default().push(value);
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

    fn mk_policy(action: Action, user_path: &str, tags: &[(&str, &str)]) -> Result<String, String> {
        let tag =
            |(key, value): &(&str, &str)| ExemptTag { key: (*key).to_owned(), value: (*value).to_owned() };
        for_change(Scope {
            partition: Partition::Aws,
            account: "111122223333".parse().unwrap(),
            action,
            user_path,
            user_name: &"ci-deploy".parse().unwrap(),
            policy: Some(&QuarantinePolicy::default()),
            exempt_tags: &tags.iter().map(tag).collect::<Vec<_>>(),
            deadline: Some("2026-11-21T12:00:40Z".parse().unwrap()),
        })
    }

    #[test]
    fn a_scan_may_change_nothing() {
        let policy = read_only();
        assert!(policy.len() <= MAX_SESSION_POLICY);
        let actions = REPORT_ACTIONS.into_iter().chain(READ_ACTIONS).chain(EVIDENCE_ACTIONS);
        for action in actions.chain(QUARANTINE_ACTIONS) {
            let verb = action.rsplit(':').next().unwrap();
            let reads = ["Get", "List", "Lookup", "GenerateCredentialReport"]
                .iter()
                .any(|read| verb.starts_with(read));
            assert!(reads, "{action}");
        }
    }

    #[test]
    fn a_change_may_do_one_thing_to_one_user_while_it_is_not_exempt() {
        let tags = [("keysweep:exempt", "*"), ("team", "pay-*"), ("team", "core$")];
        assert_eq!(
            mk_policy(Action::Deactivate, "/ci/", &tags).unwrap(),
            r#"{"Statement":[{"Action":"iam:UpdateAccessKey","Condition":{"DateLessThan":{"#.to_owned()
                + r#""aws:CurrentTime":"2026-11-21T12:00:40Z"},"StringNotLike":{"#
                + r#""aws:ResourceTag/keysweep:exempt":["*"],"aws:ResourceTag/team":["pay-*","core${$}"]}},"#
                + r#""Effect":"Allow","Resource":"arn:aws:iam::111122223333:user/ci/ci-deploy"}],"#
                + r#""Version":"2012-10-17"}"#
        );
        let delete = mk_policy(Action::Delete, "/", &tags).unwrap();
        assert!(delete.contains(r#""iam:DeleteAccessKey","Condition""#), "{delete}");
    }

    #[test]
    fn who_sees_what_may_be_done_may_change_nothing() {
        let policy = examining();
        assert!(policy.contains(SIMULATE_ACTION), "{policy}");
        for action in [Action::Quarantine, Action::EndQuarantine, Action::Deactivate, Action::Delete] {
            assert!(!policy.contains(api_of(action)), "{policy}");
        }
        let nothing = nothing();
        assert_eq!(
            nothing,
            r#"{"Statement":[{"Action":["*"],"Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"}"#
        );
    }

    #[test]
    fn tags_that_differ_in_case_alone_are_one_condition() {
        let tags = [("Team", "pay-*"), ("team", "core"), ("TE\u{c4}M", "a"), ("te\u{e4}m", "b")];
        let policy = mk_policy(Action::Delete, "/", &tags).unwrap();
        assert!(policy.contains("\"aws:ResourceTag/Team\":[\"pay-*\",\"core\"]"), "{policy}");
        assert!(policy.contains("\"aws:ResourceTag/TE\u{c4}M\":[\"a\",\"b\"]"), "{policy}");
    }

    #[test]
    fn an_undo_carries_its_deadline_and_no_tag() {
        let policy = mk_policy(Action::Reactivate, "/", &[("keysweep:exempt", "*")]).unwrap();
        assert!(policy.contains("DateLessThan") && !policy.contains("StringNotLike"), "{policy}");
    }

    #[test]
    fn exempt_tags_that_do_not_fit_are_an_error_and_never_left_out() {
        let value = "x".repeat(MAX_SESSION_POLICY);
        assert!(mk_policy(Action::Delete, "/", &[("keysweep:exempt", &value)]).unwrap_err().contains("2048"));
    }

    #[test]
    fn the_length_is_that_of_the_policy_with_a_deadline() {
        let tag = ExemptTag { key: "team".to_owned(), value: "core$".to_owned() };
        let real = for_change(Scope {
            partition: Partition::Aws,
            account: "111122223333".parse().unwrap(),
            action: Action::Deactivate,
            user_path: "/ci/",
            user_name: &"x".repeat(64).parse().unwrap(),
            policy: None,
            exempt_tags: std::slice::from_ref(&tag),
            deadline: Some("2026-11-21T12:00:40Z".parse().unwrap()),
        });
        let tags = std::slice::from_ref(&tag);
        assert_eq!(session_policy_length(Partition::Aws, tags, 4, None), real.unwrap().len());
        let (real, policy) =
            (mk_policy(Action::Quarantine, "/ci/", &[("team", "core$")]), QuarantinePolicy::default());
        let shorter = "x".repeat(64).len() - "ci-deploy".len();
        let length = session_policy_length(Partition::Aws, tags, 4, Some(&policy));
        assert_eq!(length - shorter, real.unwrap().len());
    }

    #[test]
    fn a_quarantine_and_its_end_may_attach_and_detach_one_policy_alone() {
        let exempt = [("keysweep:exempt", "*")];
        let attach = mk_policy(Action::Quarantine, "/", &exempt).unwrap();
        let arn = r#""ArnEquals":{"iam:PolicyARN":"arn:aws:iam::111122223333:policy/keysweep-quarantine-ask-security"}"#;
        assert!(attach.contains(r#""Action":"iam:AttachUserPolicy""#) && attach.contains(arn), "{attach}");
        assert!(attach.contains("StringNotLike") && attach.contains("DateLessThan"), "{attach}");
        let detach = mk_policy(Action::EndQuarantine, "/", &exempt).unwrap();
        assert!(detach.contains(r#""Action":"iam:DetachUserPolicy""#) && detach.contains(arn), "{detach}");
        assert!(!detach.contains("StringNotLike"), "{detach}");
    }

    #[test]
    fn a_path_names_itself_only() {
        assert_eq!(literal("/a*b?${x}/"), "/a${*}b${?}${$}{x}/");
        assert_eq!(literal("/ci/"), "/ci/");
        for path in ["", "ci", "/ci", "ci/", "*"] {
            assert!(mk_policy(Action::Deactivate, path, &[]).is_err(), "{path:?}");
        }
    }
}
