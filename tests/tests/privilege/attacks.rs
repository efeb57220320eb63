//! Not more: what the policies keep out. Every condition is held against someone whom it alone keeps out: with it the
//! call is denied in AWS's words, and without it the same call succeeds.

use std::collections::BTreeSet;

use keysweep_sim::{Hub, RoleSpec, Sim};
use keysweep_tests::company::{Company, DAY, EXTERNAL_ID};
use serde_json::Value;

use crate::privilege::policies::{ALL, ENFORCE, HUB, Policies, SCAN, Which};
use crate::privilege::wire::{Caller, ask, ask_organizations};

const PROD: &str = "111122223333";
const OTHER: &str = "444455556666";
const FOREIGN: &str = "999988887777";
const HUB_ACCOUNT: &str = "100000000000";

/// Rules that bring every statement there is.
const RULES: &str = r#"
[policy]
quarantine = "3d"
[organization]
include_ous = ["r-sim1"]
[[policy.override]]
match = { account_tags = { env = "prod" } }
unused_after = "60d"
[[policy.exempt]]
match = { user_tags = { "keysweep:exempt" = "yes*" }, accounts = ["111122223333"] }
reason = "break glass"
until = "2026-01-20"
"#;

/// Statements about the policy of a quarantine, and the condition that names it.
const QUARANTINE: [&str; 2] = ["AttachQuarantinePolicy", "DetachQuarantinePolicy"];
const POLICY_ARN: &str = "iam:PolicyARN";

/// The whole organization, or two accounts by name.
const LISTED: &str = r#"organization.accounts = ["111122223333"]"#;

/// Somebody tries something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attack {
    /// The hub is led into an account of another organization that lets everybody in.
    IntoAnotherOrganization,
    /// The hub is led into an account that is not listed.
    IntoAnUnlistedAccount,
    /// The account of the hub has left the organization, and its owner may do there as he likes.
    FromAnotherOrganization,
    /// Somebody leads the hub into a role without knowing its external ID.
    WithoutExternalId,
    /// The hub acts under a name that nobody looks for in CloudTrail.
    UnderAnotherName,
}

/// What keeps whom out.
const CONDITIONS: [(Attack, Which, &str, &str); 8] = {
    use Attack::{
        FromAnotherOrganization, IntoAnUnlistedAccount, IntoAnotherOrganization, UnderAnotherName,
        WithoutExternalId,
    };
    [
        (IntoAnotherOrganization, Which::Hub, "AssumeRoles", "aws:ResourceOrgID"),
        (IntoAnUnlistedAccount, Which::Hub, "AssumeRoles", "aws:ResourceAccount"),
        (FromAnotherOrganization, Which::ScanTrust, "AssumeRole", "aws:PrincipalOrgID"),
        (FromAnotherOrganization, Which::EnforceTrust, "AssumeRole", "aws:PrincipalOrgID"),
        (WithoutExternalId, Which::ScanTrust, "AssumeRole", "sts:ExternalId"),
        (WithoutExternalId, Which::EnforceTrust, "AssumeRole", "sts:ExternalId"),
        (UnderAnotherName, Which::ScanTrust, "SetSourceIdentity", "sts:SourceIdentity"),
        (UnderAnotherName, Which::EnforceTrust, "SetSourceIdentity", "sts:SourceIdentity"),
    ]
};

/// Two accounts with both roles, one of somebody else with an open door.
fn mk_company(toml: &str) -> (Company, Policies) {
    let company = Company::new(toml);
    company.account(PROD);
    company.account(OTHER);
    let open = [SCAN, ENFORCE].map(RoleSpec::new);
    open.into_iter()
        .fold(company.sim.account(FOREIGN).of_another_organization(), |account, role| account.role_with(role))
        .add();
    let printed = Policies::printed(&company.config(), company.clock.now());
    (company, printed)
}

fn hub(sim: &Sim) -> Caller {
    let (key_id, _, token) = sim.hub_credentials();
    Caller { key_id, token }
}

/// AssumeRole as keysweep sends it, with changes.
async fn assume(sim: &Sim, account: &str, role: &str, changed: &[(&str, &str)]) -> (u16, String) {
    let arn = format!("arn:aws:iam::{account}:role/{role}");
    let usual = [
        ("Action", "AssumeRole"),
        ("RoleArn", arn.as_str()),
        ("RoleSessionName", "keysweep"),
        ("ExternalId", EXTERNAL_ID),
        ("SourceIdentity", "keysweep"),
    ];
    let kept = usual.into_iter().filter(|(name, _)| changed.iter().all(|(other, _)| name != other));
    let changed = changed.iter().copied().filter(|(_, value)| !value.is_empty());
    ask(sim, &hub(sim), "sts", &kept.chain(changed).collect::<Vec<_>>()).await
}

/// A session that no session policy narrows: what a mistake of keysweep could do at worst.
async fn session(sim: &Sim, account: &str, role: &str) -> Caller {
    let (status, body) = assume(sim, account, role, &[]).await;
    assert_eq!(status, 200, "{body}");
    let field = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>")).unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    Caller { key_id: field("AccessKeyId"), token: Some(field("SessionToken")) }
}

async fn tried(attack: Attack, sim: &Sim, which: Which) -> (u16, String) {
    let role = if which == Which::EnforceTrust { ENFORCE } else { SCAN };
    match attack {
        Attack::IntoAnotherOrganization => assume(sim, FOREIGN, role, &[]).await,
        Attack::IntoAnUnlistedAccount => assume(sim, OTHER, role, &[]).await,
        Attack::FromAnotherOrganization => {
            sim.set_hub_policy(None).unwrap();
            sim.account(HUB_ACCOUNT).of_another_organization().add();
            assume(sim, PROD, role, &[]).await
        }
        Attack::WithoutExternalId => {
            let (status, body) = assume(sim, PROD, role, &[("ExternalId", "")]).await;
            let guessed = assume(sim, PROD, role, &[("ExternalId", "a guess")]).await;
            assert_eq!((status, &body.is_empty()), (guessed.0, &guessed.1.is_empty()));
            (status, body)
        }
        Attack::UnderAnotherName => assume(sim, PROD, role, &[("SourceIdentity", "somebody")]).await,
    }
}

#[tokio::test(start_paused = true)]
async fn every_condition_keeps_somebody_out_whom_nothing_else_does() {
    for (attack, which, sid, key) in CONDITIONS {
        let toml = if attack == Attack::IntoAnUnlistedAccount { LISTED } else { RULES };
        let (company, printed) = mk_company(toml);
        printed.give(&company.sim, &[PROD, OTHER]);
        let role = if which == Which::EnforceTrust { ENFORCE } else { SCAN };
        assert_eq!(assume(&company.sim, PROD, role, &[]).await.0, 200, "the hub itself");
        let (status, body) = tried(attack, &company.sim, which).await;
        assert_eq!(status, 403, "{attack:?} with {key} in {which:?}: {body}");
        assert!(body.contains(&format!("User: {HUB} is not authorized to perform: sts:")), "{body}");

        let (company, printed) = mk_company(toml);
        printed.without_condition(which, sid, "StringEquals", key).give(&company.sim, &[PROD, OTHER]);
        let (status, body) = tried(attack, &company.sim, which).await;
        assert_eq!(status, 200, "{attack:?} without {key} in {which:?}: {body}");
    }
}

#[test]
fn no_condition_is_left_out_here() {
    let mut printed = BTreeSet::new();
    for toml in [RULES, LISTED] {
        let (_, policies) = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(async { mk_company(toml) });
        for which in ALL {
            for one in policies.of(which)["Statement"].as_array().unwrap() {
                let conditions = one["Condition"].as_object().into_iter().flatten();
                for key in conditions.flat_map(|(_, keys)| keys.as_object().unwrap().keys()) {
                    printed.insert((which, one["Sid"].as_str().unwrap().to_owned(), key.clone()));
                }
            }
        }
    }
    let tried = CONDITIONS.iter().map(|(_, which, sid, key)| (*which, (*sid).to_owned(), (*key).to_owned()));
    let exempt = ["aws:CurrentTime", "aws:ResourceAccount", "aws:ResourceTag/keysweep:exempt"];
    let spared = exempt.map(|key| (Which::Enforce, "SpareExempt1".to_owned(), key.to_owned()));
    let quarantine = QUARANTINE.map(|sid| (Which::Enforce, sid.to_owned(), POLICY_ARN.to_owned()));
    assert_eq!(printed, tried.chain(spared).chain(quarantine).collect::<BTreeSet<_>>());
}

#[tokio::test(start_paused = true)]
async fn only_the_hub_is_let_in_and_only_into_its_two_roles() {
    let (company, printed) = mk_company(RULES);
    let sim = &company.sim;
    sim.set_role(PROD, RoleSpec::new("Administrator"));
    printed.give(sim, &[PROD]);
    let (status, body) = assume(sim, PROD, "Administrator", &[]).await;
    assert_eq!(status, 403, "{body}");
    let mut wide = printed.clone();
    wide.statement(Which::Hub, "AssumeRoles")["Resource"] = Value::from("*");
    wide.give(sim, &[PROD]);
    assert_eq!(assume(sim, PROD, "Administrator", &[]).await.0, 200, "the resource kept it out");

    printed.give(sim, &[PROD]);
    sim.configure(|settings| settings.hub = Hub::User("somebody-else".into()));
    for role in [SCAN, ENFORCE] {
        let (status, body) = assume(sim, PROD, role, &[]).await;
        assert_eq!(status, 403, "{body}");
        assert!(body.contains("user/somebody-else is not authorized to perform: sts:AssumeRole"), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_hub_reads_tags_of_accounts_and_of_nothing_else() {
    let (company, printed) = mk_company(RULES);
    let sim = &company.sim;
    let ou = sim.ou_id("Workloads");
    printed.give(sim, &[]);
    let tags = async |id: &str| {
        ask_organizations(sim, &hub(sim), "ListTagsForResource", &format!("{{\"ResourceId\":{id:?}}}")).await
    };
    assert_eq!(tags(PROD).await.0, 200);
    let (status, body) = tags(&ou).await;
    assert_eq!(status, 400);
    assert!(body.contains("is not authorized to perform: organizations:ListTagsForResource"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_key_of_an_exempt_user_cannot_be_deleted_even_by_a_session_without_limits_and_can_be_set_active() {
    let (company, printed) = mk_company(RULES);
    let sim = &company.sim;
    let key = company.stale_user(PROD, "break-glass", 200).keys[0].clone();
    let unlike = company.stale_user(PROD, "tagged-otherwise", 200).keys[0].clone();
    let elsewhere = company.stale_user(OTHER, "break-glass", 200).keys[0].clone();
    for (account, user, value) in
        [(PROD, "break-glass", "yes!"), (PROD, "tagged-otherwise", "no"), (OTHER, "break-glass", "yes!")]
    {
        // Tag keys know no case in IAM.
        sim.tag_user(account, user, "KeySweep:Exempt", value);
    }
    printed.give(sim, &[PROD, OTHER]);
    let (prod, other) = (session(sim, PROD, ENFORCE).await, session(sim, OTHER, ENFORCE).await);
    let delete = async |caller: &Caller, user: &str, key: &str| {
        ask(sim, caller, "iam", &[("Action", "DeleteAccessKey"), ("UserName", user), ("AccessKeyId", key)])
            .await
    };
    let update = async |status: &str| {
        let form = [("Action", "UpdateAccessKey"), ("UserName", "break-glass"), ("AccessKeyId", &key)];
        ask(sim, &prod, "iam", &[&form[..], &[("Status", status)]].concat()).await.0
    };

    assert_eq!(
        update("Inactive").await,
        200,
        "the session policy of a deactivation refuses this, not the role"
    );
    let (status, body) = delete(&prod, "break-glass", &key).await;
    assert_eq!(status, 403);
    assert!(
        body.contains(
            "User: arn:aws:sts::111122223333:assumed-role/KeysweepEnforce/keysweep is not authorized to perform: \
             iam:DeleteAccessKey on resource: arn:aws:iam::111122223333:user/break-glass with an explicit deny"
        ),
        "{body}"
    );
    assert_eq!(update("Active").await, 200, "nothing stands in the way of an undo");
    assert_eq!(company.status(&key), "Active");
    // Whom the rule does not spare, IAM does not either.
    assert_eq!(delete(&prod, "tagged-otherwise", &unlike).await.0, 200);
    assert_eq!(delete(&other, "break-glass", &elsewhere).await.0, 200);

    // The exemption is the only thing that stands in the way, and ends with its last day.
    printed.without_statement(Which::Enforce, "SpareExempt1").give(sim, &[PROD]);
    let unspared = session(sim, PROD, ENFORCE).await;
    assert_eq!(delete(&unspared, "break-glass", &key).await.0, 200);
    let again = company.stale_user(PROD, "second-glass", 200).keys[0].clone();
    sim.tag_user(PROD, "second-glass", "keysweep:exempt", "yes");
    printed.give(sim, &[PROD]);
    for (days, expected) in [(19, 403), (1, 200)] {
        tokio::time::advance(DAY * days).await;
        let caller = session(sim, PROD, ENFORCE).await;
        assert_eq!(delete(&caller, "second-glass", &again).await.0, expected, "after {days} days more");
    }
}

#[tokio::test(start_paused = true)]
async fn no_policy_but_that_of_a_quarantine_is_attached_or_detached() {
    let (company, printed) = mk_company(RULES);
    let sim = &company.sim;
    company.stale_user(PROD, "svc", 200);
    company.stale_user(PROD, "break-glass", 200);
    sim.tag_user(PROD, "break-glass", "keysweep:exempt", "yes");
    let own = |name: &str| format!("arn:aws:iam::{PROD}:policy/{name}");
    let (admin, ours) =
        ("arn:aws:iam::aws:policy/AdministratorAccess", own("keysweep-quarantine-ask-security"));
    let (others, before) = (own("team-deny"), own("keysweep-quarantine-of-last-year"));
    for name in ["keysweep-quarantine-ask-security", "keysweep-quarantine-of-last-year", "team-deny"] {
        sim.ship_policy(name);
    }
    for arn in [&others, &before] {
        sim.attach_policy(PROD, "svc", arn);
    }
    let call = async |caller: &Caller, action: &str, user: &str, arn: &str| {
        ask(sim, caller, "iam", &[("Action", action), ("UserName", user), ("PolicyArn", arn)]).await.0
    };
    let (attach, detach) = ("AttachUserPolicy", "DetachUserPolicy");
    printed.give(sim, &[PROD]);
    let caller = session(sim, PROD, ENFORCE).await;
    assert_eq!(call(&caller, attach, "svc", admin).await, 403);
    assert_eq!(call(&caller, attach, "svc", &before).await, 403, "another than the configured one");
    assert_eq!(call(&caller, attach, "svc", &ours).await, 200);
    assert_eq!(call(&caller, attach, "break-glass", &ours).await, 403, "its tag exempts it");
    assert_eq!(call(&caller, detach, "svc", &others).await, 403);
    assert_eq!(call(&caller, detach, "svc", &before).await, 200, "of an earlier configuration");
    assert_eq!(call(&caller, detach, "svc", &ours).await, 200);
    // The condition alone keeps the others out.
    for (sid, action, arn) in [(QUARANTINE[0], attach, admin), (QUARANTINE[1], detach, others.as_str())] {
        printed.without_condition(Which::Enforce, sid, "ArnLike", POLICY_ARN).give(sim, &[PROD]);
        let caller = session(sim, PROD, ENFORCE).await;
        assert_eq!(call(&caller, action, "svc", arn).await, 200, "without the condition of {sid}");
    }
}

#[tokio::test(start_paused = true)]
async fn neither_role_can_do_what_the_other_is_for() {
    let (company, printed) = mk_company(RULES);
    let sim = &company.sim;
    let key = company.stale_user(PROD, "svc", 200).keys[0].clone();
    printed.give(sim, &[PROD]);
    let reads = [("Action", "ListAccessKeys"), ("UserName", "svc")];
    let changes =
        [("Action", "UpdateAccessKey"), ("UserName", "svc"), ("AccessKeyId", &key), ("Status", "Inactive")];
    let creates = [("Action", "CreateAccessKey"), ("UserName", "svc")];
    for (role, may_read, may_change) in [(SCAN, 200, 403), (ENFORCE, 403, 200)] {
        let caller = session(sim, PROD, role).await;
        assert_eq!(ask(sim, &caller, "iam", &reads).await.0, may_read, "{role}");
        assert_eq!(ask(sim, &caller, "iam", &changes).await.0, may_change, "{role}");
        assert_eq!(ask(sim, &caller, "iam", &creates).await.0, 403, "{role}");
        let (status, body) = ask(
            sim,
            &caller,
            "sts",
            &[
                ("Action", "AssumeRole"),
                ("RoleArn", &format!("arn:aws:iam::{OTHER}:role/{SCAN}")),
                ("RoleSessionName", "keysweep"),
                ("ExternalId", EXTERNAL_ID),
            ],
        )
        .await;
        assert_eq!(status, 403, "no way from account to account: {body}");
    }
}
