//! Quarantine: a policy is attached before a key is deactivated, clients that show themselves keep their key, and
//! nothing stays attached.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use keysweep::engine::Engine;
use keysweep_api::{Decision, KeyRow, ShowKey};
use keysweep_sim::{Fault, KeyUse, Rule};
use keysweep_tests::company::{Company, DELETE, ask, decide, look, resume, state_of, swept};

const PROD: &str = "111122223333";
const TEST: &str = "222233334444";
const POLICY: &str = "keysweep-quarantine-ask-security";
const ARN: &str = "arn:aws:iam::111122223333:policy/keysweep-quarantine-ask-security";
const ATTACH: &str = "iam:AttachUserPolicy";
const DETACH: &str = "iam:DetachUserPolicy";
const LOOK_UP: &str = "cloudtrail:LookupEvents";

fn quarantining() -> String {
    DELETE.replace("[policy]", "[policy]\nquarantine = \"3d\"")
}

/// A company with one stale key, whose notice period is over on day 7.
fn mk_company() -> (Company, String) {
    let company = Company::new(&quarantining());
    company.sim.ship_policy(POLICY);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    (company, key)
}

/// The same on day 7, with the user in quarantine.
async fn mk_quarantined() -> (Company, Arc<Engine>, String) {
    let (company, key) = mk_company();
    let engine = company.begin().await;
    company.days(&engine, 7).await;
    assert_eq!(company.sim.attached(PROD, "svc-old"), [ARN]);
    (company, engine, key)
}

async fn row(engine: &Engine, key: &str) -> KeyRow {
    look(engine, ShowKey { key: key.parse().unwrap() }).await.record.unwrap()
}

fn attached(company: &Company) -> Vec<String> {
    company.sim.attached(PROD, "svc-old")
}

#[tokio::test(start_paused = true)]
async fn a_key_is_deactivated_after_a_quarantine_in_which_nobody_showed() {
    let (company, engine, key) = mk_quarantined().await;
    assert_eq!(company.status(&key), "Active");
    let shown = row(&engine, &key).await;
    assert_eq!(shown.quarantine.as_ref().map(|it| it.policy.to_string()), Some(POLICY.to_owned()));
    assert_eq!(
        (shown.overlays.as_slice(), shown.state.as_str()),
        (&["quarantine".to_owned()][..], "flagged")
    );
    assert!(shown.next_action_reason.contains("no use seen so far"), "{}", shown.next_action_reason);
    company.days(&engine, 2).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Active", 1));
    company.days(&engine, 1).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Inactive", 0), "in one sweep");
    let shown = row(&engine, &key).await;
    assert!(shown.quarantine.is_none() && shown.past_quarantine.unwrap().attached.is_some());
    let expected = [format!("{ATTACH} -"), format!("Inactive {key}"), format!("{DETACH} -")];
    assert_eq!(company.changes(), expected);
    company.days(&engine, 15).await;
    assert_eq!(company.status(&key), "deleted");
    let document = look(&engine, keysweep_api::ShowEvidence { key: key.parse().unwrap() }).await;
    let bundle = serde_json::to_string(&document).unwrap().replace('\\', "");
    assert!(
        bundle.contains(r#"past_quarantine":{"policy":"keysweep-quarantine-ask-security","attached":"2026"#)
    );
    assert!(bundle.contains("a quarantine without a client does not prove"));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_is_not_forgotten_while_its_user_may_be_in_quarantine() {
    let (mut company, engine, key) = mk_quarantined().await;
    company.sim.fault(Rule::new(Fault::AccessDenied).action(DETACH));
    company.sim.delete_key(&key);
    company.days(&engine, 1).await;
    assert_eq!((state_of(&engine, &key).as_str(), attached(&company).len()), ("gone", 1));
    let (done, told) = decide(&engine, &key, Decision::Forget {}).await;
    assert!(!done && told.contains("may still be in quarantine"), "{told}");
    engine.close().await.unwrap();
    company.configure(&format!("{}[organization]\nexclude_accounts = [\"{PROD}\"]\n", quarantining()));
    let engine = company.open().await;
    company.days(&engine, 1).await;
    let (done, told) = decide(&engine, &key, Decision::Forget {}).await;
    assert!(done && told.contains("policy keysweep-quarantine-ask-security may still be attached"), "{told}");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_shows_itself_keeps_its_key_and_is_named() {
    let (company, engine, key) = mk_quarantined().await;
    let used = KeyUse::new(&key, "ec2", "eu-west-1")
        .address("203.0.113.9")
        .user_agent("Boto3/1.40")
        .unknown_to_iam();
    company.sim.use_key_with(used);
    assert_eq!(company.sim.missed_uses().len(), 1, "the policy denies it");
    company.days(&engine, 1).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Active", 0));
    let shown = row(&engine, &key).await;
    let client = shown.activity.unwrap().to_string();
    for part in ["203.0.113.9", "Boto3/1.40", "AccessDenied"] {
        assert!(client.contains(part), "{client}");
    }
    assert_eq!(shown.state, "active");
    assert!(shown.hold.unwrap().contains("used in quarantine"));
    company.days(&engine, 20).await;
    assert_eq!(company.status(&key), "Active");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cloudtrail_does_not_show_is_seen_by_its_last_use() {
    let (company, engine, key) = mk_quarantined().await;
    company.sim.use_key_with(KeyUse::new(&key, "s3", "us-east-1").event("GetObject"));
    company.days(&engine, 1).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Active", 0));
    assert!(row(&engine, &key).await.hold.unwrap().contains("used in quarantine"));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_command_ends_it_whatever_else_is_going_on() {
    let (company, engine, key) = mk_quarantined().await;
    ask(&engine, keysweep_api::Pause { reason: "audit".into() }).await.unwrap();
    // Much of what a change reads is refused: the undo does not need it.
    for action in ["iam:GetAccessKeyLastUsed", "iam:GetLoginProfile", LOOK_UP] {
        company.sim.fault(Rule::new(Fault::AccessDenied).action(action));
    }
    let (done, told) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(done && told.contains("quarantine ended for the user") && told.contains("on hold"), "{told}");
    assert_eq!(attached(&company), Vec::<String>::new());
    company.sim.clear_faults();
    ask(&engine, resume("over")).await.unwrap();
    company.days(&engine, 10).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Active", 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_undo_after_the_deactivation_gives_everything_back() {
    let (company, engine, key) = mk_quarantined().await;
    company.days(&engine, 2).await;
    // The policy cannot be detached in the sweep that deactivates the key.
    company.sim.fault(Rule::new(Fault::ServiceFailure).action(DETACH));
    company.days(&engine, 1).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Inactive", 1));
    // One that cannot be had does not keep the other.
    let (done, told) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(!done && told.contains("is Active again"), "{told}");
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Active", 1));
    company.sim.clear_faults();
    let (done, told) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(done, "{told}");
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Active", 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_detached_is_tried_in_each_sweep() {
    let (company, engine, key) = mk_quarantined().await;
    company.sim.fault(Rule::new(Fault::AccessDenied).action(DETACH));
    company.sim.use_key(&key, "ec2", "us-east-1");
    company.days(&engine, 2).await;
    assert_eq!(attached(&company).len(), 1);
    assert!(row(&engine, &key).await.quarantine.unwrap().ends_because.is_some());
    company.sim.clear_faults();
    company.days(&engine, 1).await;
    assert_eq!(attached(&company).len(), 0);
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_does_not_exist_is_named_and_nothing_is_changed() {
    let company = Company::new(&quarantining());
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 9).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Active", 0));
    let why = row(&engine, &key).await.next_action_reason;
    assert!(why.contains("NoSuchEntity") && why.contains("does not exist"), "{why}");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_policy_of_aws_needs_nothing_in_the_accounts() {
    let toml = format!("{}[evidence]\nquarantine_policy = \"AWSDenyAll\"\n", quarantining());
    let company = Company::new(&toml);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 7).await;
    assert_eq!(attached(&company), ["arn:aws:iam::aws:policy/AWSDenyAll"]);
    company.days(&engine, 3).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Inactive", 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_read_from_aws() {
    let (company, key) = mk_company();
    let engine = company.begin().await;
    company.sim.fault(Rule::new(Fault::AnswerLost).action(ATTACH));
    company.sim.fault(Rule::new(Fault::AnswerLost).action(DETACH));
    company.days(&engine, 7).await;
    assert!(row(&engine, &key).await.quarantine.unwrap().attached_at.is_some());
    company.days(&engine, 3).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Inactive", 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_knows_the_fate_of_is_settled_before_anything_else() {
    let (company, key) = mk_company();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.fault(Rule::new(Fault::ResetBefore).action(ATTACH));
    company.days(&engine, 1).await;
    assert_eq!((attached(&company).len(), state_of(&engine, &key).as_str()), (0, "flagged"));
    let open = row(&engine, &key).await;
    assert!(open.quarantine.is_some(), "what may be attached is not forgotten");
    company.sim.clear_faults();
    // After its deadline the call has no effect any more; what may be attached is detached, and all begins anew.
    company.days(&engine, 2).await;
    assert_eq!(attached(&company).len(), 1, "{:?}", row(&engine, &key).await);
    company.days(&engine, 3).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Inactive", 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_quarantine_outlives_the_process_and_ends_on_time() {
    let (company, engine, key) = mk_quarantined().await;
    engine.close().await.unwrap();
    tokio::time::advance(Duration::from_secs(5 * 86_400)).await;
    let engine = company.open().await;
    assert!(row(&engine, &key).await.quarantine.is_some());
    swept(&engine).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Inactive", 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_excluded_is_left_as_it_was() {
    let (mut company, engine, key) = mk_quarantined().await;
    engine.close().await.unwrap();
    company.configure(&format!("{}[organization]\nexclude_accounts = [\"{PROD}\"]\n", quarantining()));
    let engine = company.open().await;
    company.days(&engine, 1).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Active", 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn people_who_work_on_the_user_end_it() {
    let alterations: [fn(&Company); 4] = [
        |company| company.sim.detach_policy(PROD, "svc-old", ARN),
        |company| company.sim.attach_policy(PROD, "svc-old", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
        |company| company.sim.rename_user(PROD, "svc-old", "svc-new"),
        |company| company.sim.tag_user(PROD, "svc-old", "keysweep:exempt", "yes"),
    ];
    for alter in alterations {
        let toml = format!(
            "{}[[policy.exempt]]\nmatch = {{ user_tags = {{ \"keysweep:exempt\" = \"*\" }} }}\nreason = \"asked\"\nuntil = \
             2026-12-31\n",
            quarantining()
        );
        let company = Company::new(&toml);
        company.sim.ship_policy(POLICY);
        company.account(PROD);
        let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
        let engine = company.begin().await;
        company.days(&engine, 7).await;
        assert_eq!(attached(&company), [ARN]);
        alter(&company);
        company.days(&engine, 5).await;
        let left = [attached(&company), company.sim.attached(PROD, "svc-new")].concat();
        assert!(!left.iter().any(|arn| arn == ARN), "{left:?}");
        assert_eq!(company.status(&key), "Active");
        engine.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_is_deleted_takes_its_quarantine_along() {
    let (company, engine, key) = mk_quarantined().await;
    company.sim.delete_key(&key);
    company.days(&engine, 1).await;
    assert_eq!(attached(&company).len(), 0, "a key that is gone leaves no policy behind");
    assert!(row(&engine, &key).await.quarantine.is_none());
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lookups_in_quarantine_cost_one_call_per_region_and_sweep_and_nothing_for_others() {
    let (company, engine, key) = mk_quarantined().await;
    company.account(TEST);
    company.stale_user(TEST, "svc-other", 200);
    company.sim.reset_calls();
    company.days(&engine, 1).await;
    assert_eq!(company.sim.call_count(PROD, LOOK_UP), 17);
    assert_eq!(company.sim.call_count(PROD, "iam:GetLoginProfile"), 1, "a report may be older");
    assert_eq!(company.sim.call_count(TEST, LOOK_UP), 0);
    company.days(&engine, 2).await;
    assert_eq!(company.status(&key), "Inactive");
    company.sim.reset_calls();
    company.days(&engine, 1).await;
    assert_eq!(company.sim.call_count(PROD, LOOK_UP), 0);
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_arrives_late_finds_its_session_closed() {
    let (company, key) = mk_company();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    let late = SignedDuration::from_mins(5);
    company.sim.fault(Rule::new(Fault::LateArrival(late)).action(ATTACH));
    company.days(&engine, 1).await;
    company.sim.clear_faults();
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(attached(&company).len(), 0, "AWS refuses it");
    assert!(row(&engine, &key).await.quarantine.is_some(), "which is not known yet");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_grants_something_is_never_attached() {
    let company = Company::new(&quarantining());
    let grants = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    company.sim.ship_policy_of(POLICY, grants);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 12).await;
    assert_eq!((company.status(&key).as_str(), attached(&company).len()), ("Active", 0));
    assert_eq!(company.changes(), Vec::<String>::new());
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_of_the_other_key_is_not_stopped() {
    let company = Company::new(&quarantining());
    company.sim.ship_policy(POLICY);
    company.account(PROD);
    let (one, two) = (company.used(200), company.used(150));
    let user = company.sim.user(PROD, "svc-old").key(one).key(two).add();
    let engine = company.begin().await;
    // The other key is used after the report was made that the plan rests on.
    company.days(&engine, 7).await;
    for key in &user.keys {
        company.sim.use_key_with(KeyUse::new(key, "ec2", "eu-west-1").unknown_to_iam());
    }
    company.days(&engine, 1).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    assert!(company.sim.missed_uses().is_empty());
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_keys_of_a_user_that_nobody_uses_are_deactivated_one_after_the_other() {
    let company = Company::new(&quarantining());
    company.sim.ship_policy(POLICY);
    company.account(PROD);
    let (one, two) = (company.used(200), company.used(150));
    let user = company.sim.user(PROD, "svc-old").key(one).key(two).add();
    let engine = company.begin().await;
    company.days(&engine, 16).await;
    let inactive = user.keys.iter().filter(|key| company.status(key) == "Inactive").count();
    assert_eq!((inactive, attached(&company).len()), (2, 0), "{:?}", company.changes());
    let attachments = company.changes().iter().filter(|change| change.starts_with(ATTACH)).count();
    assert_eq!(attachments, 2);
    engine.close().await.unwrap();
}
