//! The evaluator by itself.

use std::collections::BTreeMap;

use super::context::mk_context;
use super::*;

const SVC: &str = "arn:aws:iam::111122223333:user/ci/svc";

fn mk_policy(statements: &str) -> Result<Policy, PolicyError> {
    Policy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#))
}

fn decide(policy: &str, action: &str, resource: &str, tags: &[(&str, &str)]) -> Decision {
    let tags: BTreeMap<String, String> =
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let context = Context { resource_tags: &tags, ..mk_context() };
    mk_policy(policy).expect("a policy").decide(&Ask { action, resource, context: &context })
}

/// Whether a statement under this condition allows something in this context.
fn holds(condition: &str, context: &Context<'_>) -> bool {
    let policy = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#);
    let ask = Ask { action: "iam:DeleteAccessKey", resource: SVC, context };
    mk_policy(&policy).expect("a policy").decide(&ask) == Decision::Allow
}

#[test]
fn what_nobody_allows_is_denied() {
    let policy = r#"{"Effect":"Allow","Action":["iam:Get*","iam:ListUsers"],"Resource":"*"}"#;
    assert_eq!(decide(policy, "iam:GetUser", SVC, &[]), Decision::Allow);
    assert_eq!(decide(policy, "IAM:listusers", SVC, &[]), Decision::Allow);
    assert_eq!(decide(policy, "iam:UpdateAccessKey", SVC, &[]), Decision::ImplicitDeny);
}

#[test]
fn a_deny_wins_over_every_allow() {
    let policy = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},
                     {"Effect":"Deny","NotAction":"iam:Get*","Resource":"*"}]"#;
    assert_eq!(decide(policy, "iam:GetUser", SVC, &[]), Decision::Allow);
    assert_eq!(decide(policy, "iam:DeleteUser", SVC, &[]), Decision::ExplicitDeny);
}

#[test]
fn a_resource_names_one_user() {
    let policy = r#"{"Effect":"Allow","Action":"iam:UpdateAccessKey","Resource":"arn:aws:iam::111122223333:user/ci/svc"}"#;
    assert_eq!(decide(policy, "iam:UpdateAccessKey", SVC, &[]), Decision::Allow);
    let other = "arn:aws:iam::111122223333:user/ci/svc2";
    assert_eq!(decide(policy, "iam:UpdateAccessKey", other, &[]), Decision::ImplicitDeny);
}

#[test]
fn tags_decide_through_conditions() {
    let holds = |condition: &str, tags: &[(&str, &str)]| {
        let policy = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#);
        decide(&policy, "iam:DeleteAccessKey", SVC, tags) == Decision::Allow
    };
    let null = r#"{"Null":{"aws:ResourceTag/keysweep:exempt":"true"}}"#;
    assert!(holds(null, &[]));
    assert!(!holds(null, &[("keysweep:exempt", "yes")]));
    assert!(!holds(null, &[("KeySweep:Exempt", "yes")]));
    let equals = r#"{"StringEquals":{"aws:ResourceTag/env":["dev","te*"]}}"#;
    assert!(holds(equals, &[("env", "dev")]));
    assert!(!holds(equals, &[("env", "test")]), "no wildcard in StringEquals");
    assert!(!holds(equals, &[]));
    assert!(holds(r#"{"StringEqualsIfExists":{"aws:ResourceTag/env":"dev"}}"#, &[]));
    assert!(holds(r#"{"StringEqualsIgnoreCase":{"aws:ResourceTag/env":"DEV"}}"#, &[("env", "dev")]));
    let unlike = r#"{"StringNotLike":{"aws:ResourceTag/env":["p*","q*"]}}"#;
    assert!(holds(unlike, &[]));
    assert!(holds(unlike, &[("env", "dev")]));
    assert!(!holds(unlike, &[("env", "prod")]));
    let both = r#"{"StringLike":{"aws:ResourceTag/a":"*","aws:ResourceTag/b":"*"}}"#;
    assert!(holds(both, &[("a", "1"), ("b", "2")]));
    assert!(!holds(both, &[("a", "1")]), "keys are ANDed");
}

#[test]
fn a_date_is_before_another() {
    let until = |date: &str| format!(r#"{{"DateLessThan":{{"aws:CurrentTime":"{date}"}}}}"#);
    assert!(holds(&until("2026-06-01T12:00:01Z"), &mk_context()));
    assert!(!holds(&until("2026-06-01T12:00:00Z"), &mk_context()));
    assert!(holds(&until("2026-06-02"), &mk_context()));
}

#[test]
fn an_organization_is_told_from_another_and_from_none() {
    let within = r#"{"StringEquals":{"aws:ResourceOrgID":"${aws:PrincipalOrgID}"}}"#;
    assert!(holds(within, &mk_context()));
    assert!(!holds(within, &Context { resource_organization: Some("o-another"), ..mk_context() }));
    assert!(!holds(within, &Context { resource_organization: None, ..mk_context() }));
    let mut outside = mk_context();
    outside.caller.organization = None;
    assert!(!holds(within, &outside));
    outside.resource_organization = None;
    assert!(!holds(within, &outside), "two absences are not the same organization");
}

#[test]
fn what_cannot_be_told_is_held_against_the_caller() {
    let deny = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*",
        "Condition":{"StringEquals":{"aws:PrincipalAccount":"${sts:ExternalId}"}}}]"#;
    assert_eq!(decide(deny, "iam:GetUser", SVC, &[]), Decision::ExplicitDeny);
}

#[test]
fn a_trust_policy_names_who_may_assume() {
    let assume = |principal: &str, context: &Context<'_>| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole",
                "Condition":{{"StringEquals":{{"sts:ExternalId":"x1"}}}}}}]}}"#
        );
        let ask = Ask { action: "sts:AssumeRole", resource: "", context };
        Policy::parse_trust(&text).expect("a policy").decide(&ask)
    };
    let mut context = mk_context();
    assert_eq!(assume("\"*\"", &context), Decision::ImplicitDeny, "no external id");
    context.request.external_id = Some("x1");
    for principal in [
        "\"*\"",
        r#"{"AWS":"arn:aws:iam::100000000000:role/hub"}"#,
        r#"{"AWS":["arn:aws:iam::1:role/x","arn:aws:sts::100000000000:assumed-role/hub/s"]}"#,
        r#"{"AWS":"100000000000"}"#,
        r#"{"AWS":"arn:aws:iam::100000000000:root"}"#,
    ] {
        assert_eq!(assume(principal, &context), Decision::Allow, "{principal}");
    }
    for principal in [r#"{"AWS":"arn:aws:iam::100000000000:role/hu"}"#, r#"{"AWS":"arn:aws:iam::1:root"}"#] {
        assert_eq!(assume(principal, &context), Decision::ImplicitDeny, "{principal}");
    }
}

#[test]
fn what_is_not_known_is_an_error_and_never_passed_over() {
    for statement in [
        r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#,
        r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"v"}}}"#,
        r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:PrincipalArn":"v"}}}"#,
        r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NullIfExists":{"aws:PrincipalArn":"true"}}}"#,
        r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"soon"}}}"#,
        r#"{"Effect":"Deny","Action":"*","Resource":"*","Conditions":{}}"#,
        r#"{"Effect":"Deny","Action":"*","Resource":"arn:aws:iam::*:user/${aws:username}"}"#,
        r#"{"Effect":"Deny","Action":"iam:${$}","Resource":"${open"}"#,
    ] {
        assert!(matches!(mk_policy(statement), Err(PolicyError::Unsupported(_))), "{statement}");
    }
    let old = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"${aws:PrincipalArn}"}}"#;
    assert!(matches!(Policy::parse(old), Err(PolicyError::Unsupported(_))));
}

#[test]
fn a_document_that_is_no_policy_is_refused() {
    assert!(matches!(Policy::parse("{"), Err(PolicyError::NotJson { .. })));
    assert!(matches!(Policy::parse("{}"), Err(PolicyError::Shape(_))));
    for statement in [
        r#"[{"Effect":"Maybe","Action":"*","Resource":"*"}]"#,
        r#"[{"Effect":"Allow","Action":"*"}]"#,
        r#"[{"Effect":"Allow","Action":[],"Resource":"*"}]"#,
        r#"[{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}]"#,
        r#"[{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"}]"#,
        r#"[{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}]"#,
    ] {
        assert!(matches!(mk_policy(statement), Err(PolicyError::Shape(_))), "{statement}");
    }
    let resource = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#;
    assert!(matches!(Policy::parse_trust(resource), Err(PolicyError::Shape(_))));
}
