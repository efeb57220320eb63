//! Pauses, the breaker, parked accounts and the configuration in force, by the real engine against the simulator.

use std::sync::Arc;

use keysweep::access::Caller;
use keysweep::engine::Engine;
use keysweep::metrics::render;
use keysweep::operator::{Act, act};
use keysweep_api::{
    Decision, Done, EndExemption, GrantExemption, ListExemptions, Pause, Refusal, ResetBreaker, Resume,
    ShowBreaker, ShowPlan, UnparkAccount, Which,
};
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::{Change, Note};
use keysweep_core::state::{Actor, Body, Control, Entry, ParkReason};
use keysweep_core::ticket::{Action, Origin};
use keysweep_sim::{Fault, Rule};
use keysweep_store::OpenOptions;
use keysweep_tests::company::{Company, DAY, DELETE, ask, decide, look, resume, state_of, swept};

const PROD: &str = "111122223333";
const UPDATE: &str = "iam:UpdateAccessKey";
const OBSERVE: &str = "[scan]\ninterval = \"24h\"\nreport_max_age = \"24h\"\n[notices]\nrequired = false\n";

fn control(engine: &Engine) -> Control {
    engine.store().read(|state| state.control().clone())
}

fn numbers(engine: &Engine) -> Vec<u64> {
    control(engine).pauses.iter().map(|pause| pause.number).collect()
}

fn entries(company: &Company) -> Vec<Entry> {
    let mut lines = Vec::new();
    keysweep_store::export(company.data_dir.path(), 1, &mut lines).unwrap();
    let text = String::from_utf8(lines).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

async fn as_actor<O: Act<Reply = Done>>(engine: &Engine, actor: &str, asked: O) -> Result<Done, Refusal> {
    act(engine, &Caller::unrestricted(Actor::local(actor)), asked).await
}

fn pause(reason: &str) -> Pause {
    Pause { reason: reason.into() }
}

fn resumes(which: Which) -> Resume {
    Resume { which, reason: "the test says so".into() }
}

fn refusal(answered: Result<Done, Refusal>) -> String {
    answered.expect_err("a refusal").to_string()
}

fn done(answered: Result<Done, Refusal>) -> String {
    answered.unwrap_or_else(|refusal| panic!("{refusal}")).message
}

#[tokio::test(start_paused = true)]
async fn a_resume_ends_the_pause_of_nobody_else() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    done(as_actor(&engine, "ann", pause("release day")).await);
    done(as_actor(&engine, "bob", pause("incident 42")).await);
    done(as_actor(&engine, "bob", pause("and incident 43")).await);
    let all = numbers(&engine);
    assert_eq!(all.len(), 3);

    let ended = done(as_actor(&engine, "ann", resumes(Which::Own)).await);
    assert!(ended.contains("release day") && ended.contains("incident 42"), "{ended}");
    assert_eq!(numbers(&engine), all[1..]);
    for (actor, which) in [
        ("ann", Which::Own),
        ("bob", Which::Own),
        ("ann", Which::Number(all[0])),
        ("ann", Which::All(1)),
        ("ann", Which::All(3)),
    ] {
        let why = refusal(as_actor(&engine, actor, resumes(which)).await);
        assert!(
            why.contains(&format!("{} by bob", all[1])) && why.contains("incident 43"),
            "{which:?}: {why}"
        );
        assert_eq!(numbers(&engine), all[1..], "{which:?}");
    }
    company.days(&engine, 3).await;
    assert_eq!(company.changes(), Vec::<String>::new(), "one pause is enough");
    let plan = look(&engine, ShowPlan {}).await;
    assert_eq!(plan.pauses.iter().map(|pause| pause.number).collect::<Vec<_>>(), all[1..]);
    let stopped = plan.stopped.unwrap();
    assert!(stopped.contains("incident 42") && stopped.contains("incident 43"), "{stopped}");

    done(as_actor(&engine, "ann", resumes(Which::Number(all[1]))).await);
    done(as_actor(&engine, "ann", resumes(Which::Own)).await);
    assert_eq!(numbers(&engine), Vec::<u64>::new());
    assert_eq!(refusal(as_actor(&engine, "ann", resumes(Which::Own)).await), "nothing is paused");
    company.days(&engine, 1).await;
    assert_eq!(company.changes(), [format!("Inactive {key}")]);
}

#[tokio::test(start_paused = true)]
async fn an_exemption_at_run_time_stops_every_change_until_it_ends() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    let grant = |whole_user, until: &str| GrantExemption {
        key: key.parse().unwrap(),
        whole_user,
        until: until.parse().unwrap(),
        reason: "year end".into(),
    };
    let told = done(as_actor(&engine, "ann", grant(false, "20d")).await);
    done(as_actor(&engine, "ann", grant(true, "10d")).await);
    let numbers: Vec<u64> = control(&engine).exemptions.iter().map(|exemption| exemption.number).collect();
    assert!(told.contains(&format!("keysweep exemptions end {}", numbers[0])), "{told}");
    let (done_so, refused) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(!done_so && refused.contains("exempt"), "an order before any sweep: {refused}");
    company.days(&engine, 2).await;
    let (done_so, refused) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(
        !done_so && refused.contains(&format!("exempt by exemption {}: year end", numbers[0])),
        "{refused}"
    );
    let list = look(&engine, ListExemptions {}).await.exemptions;
    let counted: Vec<_> = list.iter().map(|row| (row.number, row.by.as_deref(), row.findings)).collect();
    let ann = Some("ann");
    assert_eq!(counted, [(Some(numbers[0]), ann, Some(1)), (Some(numbers[1]), ann, Some(1))]);
    let metrics = render(engine.metrics().families()).unwrap();
    assert!(metrics.contains("keysweep_key_signals_total{signal=\"self_exempted\"} 0\n"), "no owner did it");
    let account = PROD.parse().unwrap();
    assert_eq!(
        engine.store().read(|state| state.account(account).unwrap().findings.exempt),
        1,
        "as the gauge says"
    );
    company.days(&engine, 10).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    let lapsed: Vec<_> =
        look(&engine, ListExemptions {}).await.exemptions.iter().map(|row| row.lapsed).collect();
    assert_eq!(lapsed, [false, true]);

    let end = |number| EndExemption { number, reason: "over".into() };
    assert!(refusal(as_actor(&engine, "bob", end(numbers[1])).await).contains("nothing is left to end"));
    assert!(refusal(as_actor(&engine, "bob", end(1)).await).contains("no granted exemption 1"));
    done(as_actor(&engine, "bob", end(numbers[0])).await);
    company.days(&engine, 6).await;
    assert_eq!(company.changes(), Vec::<String>::new(), "a fresh notice comes first");
    company.days(&engine, 2).await;
    assert_eq!(company.changes(), [format!("Inactive {key}")]);
}

#[tokio::test(start_paused = true)]
async fn a_granted_exemption_that_matches_nothing_shows_since_when() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let user = company.stale_user(PROD, "svc-old", 200);
    let key = user.keys[0].clone();
    let engine = company.begin().await;
    let grant = GrantExemption {
        key: key.parse().unwrap(),
        whole_user: false,
        until: "30d".parse().unwrap(),
        reason: "year end".into(),
    };
    done(as_actor(&engine, "ann", grant).await);
    swept(&engine).await;
    let idle = async || look(&engine, ListExemptions {}).await.exemptions[0].idle_since;
    assert_eq!(idle().await, None);
    company.sim.delete_key(&key);
    company.days(&engine, 2).await;
    assert!(idle().await.is_some(), "{:?}", control(&engine).idle_exemptions);
    company.days(&engine, 30).await;
    assert!(control(&engine).idle_exemptions.is_empty(), "it has lapsed");
}

#[tokio::test(start_paused = true)]
async fn an_operators_pause_leaves_that_of_a_new_data_dir() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let engine = company.open_with(OpenOptions::default()).await;
    assert!(control(&engine).paused_by_keysweep());
    done(as_actor(&engine, "keysweep", pause("audit")).await);
    assert_eq!(numbers(&engine).len(), 2);
    done(as_actor(&engine, "keysweep", resumes(Which::Own)).await);
    assert!(control(&engine).paused_by_keysweep(), "a person called keysweep ends his own");
    done(as_actor(&engine, "ann", resumes(Which::All(1))).await);
    assert_eq!(numbers(&engine), Vec::<u64>::new());
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_a_person_called_keysweep_lists_no_keys_of_unknown_origin() {
    let company = Company::new(DELETE);
    company.account(PROD);
    company.sim.user(PROD, "svc-off").key(company.used(200).inactive()).add();
    let engine = company.begin().await;
    done(as_actor(&engine, "keysweep", pause("audit")).await);
    company.days(&engine, 1).await;
    let plan = look(&engine, ShowPlan {}).await;
    assert_eq!(plan.inactive_of_unknown_origin, []);
}

#[tokio::test(start_paused = true)]
async fn a_reset_accepts_the_set_that_was_shown_and_no_other_of_the_same_size() {
    let company =
        Company::new(&format!("{DELETE}[limits]\nsurge_keys = 1\nchanges_per_account_per_day = 50\n"));
    company.account(PROD);
    for user in ["svc-one", "svc-two"] {
        company.stale_user(PROD, user, 200);
    }
    let engine = company.begin().await;
    company.days(&engine, 7).await;
    let shown = look(&engine, ShowBreaker {}).await;
    assert_eq!(shown.count, 2);
    // One of the two is used again, and another takes its place.
    company.stale_user(PROD, "svc-three", 200);
    let gone = shown.keys.iter().find(|key| key.user_name == "svc-one").unwrap();
    company.sim.use_key(&gone.access_key_id, "s3", "us-east-1");
    company.days(&engine, 8).await;
    let now = look(&engine, ShowBreaker {}).await;
    assert_eq!(now.count, 2, "as many as before");
    let reset = |confirm: &Option<String>| {
        let confirm = confirm.clone().unwrap();
        ResetBreaker { reason: "looked".into(), confirm }
    };
    refusal(ask(&engine, reset(&shown.confirm)).await);
    assert!(control(&engine).breaker.is_some());
    done(ask(&engine, reset(&now.confirm)).await);
    let accounts = control(&engine).accounts;
    company.days(&engine, 1).await;
    assert_eq!(company.changes().len(), 2);
    assert_eq!(accounts, control(&engine).accounts);
    let closed = look(&engine, ShowBreaker {}).await;
    assert_eq!((closed.open, closed.confirm, closed.count), (None, None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reset_after_a_surge_leaves_the_baseline_of_accounts() {
    let company = Company::new(&format!("{DELETE}[limits]\nsurge_keys = 1\n"));
    let accounts: Vec<String> =
        (1..=10_u64).map(|n| company.account(&format!("{:012}", 100_000_000_000 + n))).collect();
    for user in ["svc-one", "svc-two"] {
        company.stale_user(&accounts[0], user, 200);
    }
    let engine = company.begin().await;
    company.days(&engine, 7).await;
    for account in &accounts[5..] {
        company.sim.remove_account(account);
    }
    company.days(&engine, 1).await;
    let before = control(&engine).accounts;
    let shown = look(&engine, ShowBreaker {}).await;
    let confirm = shown.confirm.unwrap();
    done(ask(&engine, ResetBreaker { reason: "looked".into(), confirm }).await);
    assert_eq!(control(&engine).accounts, before);
    company.days(&engine, 1).await;
    let open = control(&engine).breaker.map(|trip| trip.reason.to_string()).unwrap_or_default();
    assert!(open.contains("shrank"), "half of the accounts left, and nobody accepted that: {open}");
}

#[tokio::test(start_paused = true)]
async fn accounts_without_the_role_that_enforces_are_parked_and_stop_no_others() {
    let company = Company::new(&format!("{DELETE}[limits]\nfailed_accounts = 3\n"));
    let accounts: Vec<String> =
        (1..=5_u64).map(|n| company.account(&format!("{:012}", 100_000_000_000 + n))).collect();
    for account in &accounts {
        company.stale_user(account, "svc-old", 200);
    }
    for account in &accounts[..3] {
        company.sim.remove_role(account, "keysweep/KeysweepEnforce");
    }
    let engine = company.begin().await;
    company.days(&engine, 7).await;
    assert_eq!(company.changes().len(), 2);
    assert_eq!(control(&engine).breaker, None);
    let plan = look(&engine, ShowPlan {}).await;
    assert_eq!(plan.parked.len(), 3);
    assert!(plan.parked.iter().all(|parked| parked.reason == ParkReason::Precondition), "{:?}", plan.parked);
    let waits = plan
        .keys
        .iter()
        .filter(|key| key.next_action_reason.contains(&format!("accounts unpark {}", key.account_id)));
    assert_eq!(waits.count(), 3);

    let unpark = |account: &str| UnparkAccount { account: account.parse().unwrap(), reason: "fixed".into() };
    refusal(ask(&engine, unpark(&accounts[4])).await);
    done(ask(&engine, unpark(&accounts[0])).await);
    let parked: Vec<_> =
        control(&engine).all_parked(company.clock.now()).map(|(id, _)| id.to_string()).collect();
    assert_eq!(parked, accounts[1..3]);
}

#[tokio::test(start_paused = true)]
async fn single_faults_that_pass_hold_up_no_other_key() {
    let company = Company::new(&format!("{DELETE}[limits]\nchanges_per_account_per_day = 50\n"));
    company.account(PROD);
    for n in 0..12 {
        company.stale_user(PROD, &format!("svc-{n:02}"), 200);
    }
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.fault(Rule::new(Fault::Unavailable).action(UPDATE).first(1));
    company.days(&engine, 1).await;
    assert_eq!(company.changes().len(), 11, "only the key whose call failed waits");
    assert_eq!(control(&engine).all_parked(company.clock.now()).count(), 0);
    assert_eq!(control(&engine).breaker, None);
    company.days(&engine, 9).await;
    assert_eq!(company.changes().len(), 12, "and it follows, after its hold and a fresh notice");
}

#[tokio::test(start_paused = true)]
async fn a_journal_is_paused_at_its_first_start_in_a_mode_that_changes_keys() {
    let mut company = Company::new(OBSERVE);
    company.account(PROD);
    company.stale_user(PROD, "svc-old", 200);
    let over = "[[policy.override]]\nmatch = { users = [\"svc-*\"] }\nmode = \"delete\"\n";
    let engine = company.open_with(OpenOptions::default()).await;
    assert_eq!(numbers(&engine), Vec::<u64>::new());
    engine.close().await.unwrap();
    drop(engine);
    // A command with other settings, and then the daemon: neither is the first process.
    let engine = company.open_with(OpenOptions::default()).await;
    assert_eq!(numbers(&engine), Vec::<u64>::new());
    engine.close().await.unwrap();
    drop(engine);
    company.configure(&format!("{OBSERVE}{over}"));
    let engine = company.open_with(OpenOptions::default()).await;
    assert!(control(&engine).paused_by_keysweep());
    company.days(&engine, 20).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    engine.close().await.unwrap();
    drop(engine);
    // Once is enough, and an end is an end.
    let engine = company.open_with(OpenOptions::default()).await;
    assert_eq!(numbers(&engine).len(), 1);
    done(ask(&engine, resume("looked")).await);
    engine.close().await.unwrap();
    drop(engine);
    let engine = company.open_with(OpenOptions::default()).await;
    assert_eq!(numbers(&engine), Vec::<u64>::new());
}

#[tokio::test(start_paused = true)]
async fn a_reload_into_a_mode_that_changes_keys_pauses_a_journal_that_saw_none() {
    let mut company = Company::new(OBSERVE);
    company.account(PROD);
    company.stale_user(PROD, "svc-old", 200);
    let engine = company.begin().await;
    company.configure(DELETE);
    let dana = Actor::token("dana");
    engine.replace_config(&dana, Arc::new(company.config())).await.unwrap();
    assert!(control(&engine).paused_by_keysweep());
    company.days(&engine, 20).await;
    assert_eq!(company.changes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_journal_says_what_configuration_is_in_force_and_who_changed_what() {
    let mut company = Company::new(OBSERVE);
    company.account(PROD);
    let engine = company.open_with(OpenOptions::default()).await;
    let dana = Actor::token("dana");
    engine.replace_config(&dana, Arc::new(company.config())).await.unwrap();
    company.configure(&format!("{OBSERVE}[policy]\ngrace = \"30d\"\n"));
    engine.replace_config(&dana, Arc::new(company.config())).await.unwrap();
    engine.close().await.unwrap();
    drop(engine);
    company.configure(OBSERVE);
    let engine = company.open_with(OpenOptions::default()).await;
    let entries = entries(&company);
    let Body::Started { configuration: first, changed, .. } = &entries[0].body else { panic!("{entries:?}") };
    assert!(changed.is_empty(), "there is none before");
    assert_eq!(first.terms["policy.mode"], "\"observe\"");
    assert_eq!(first.terms["policy.grace"], "\"14d\"");
    assert!(!serde_json::to_string(&entries).unwrap().contains("keysweep-tests\""));
    let configured: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.body {
            Body::Configured { configuration, changed } => Some((&entry.actor, configuration, changed)),
            _ => None,
        })
        .collect();
    let [(actor, second, changed)] = configured.as_slice() else {
        panic!("an equal configuration writes none: {configured:?}")
    };
    assert_eq!(**actor, dana);
    assert_ne!(second.hash, first.hash);
    let terms: Vec<_> = changed.keys().map(String::as_str).collect();
    assert_eq!(terms, ["policy.grace"]);
    assert_eq!(changed["policy.grace"].before.as_deref(), Some("\"14d\""));
    assert_eq!(changed["policy.grace"].now.as_deref(), Some("\"30d\""));
    let Body::Started { configuration: third, changed, .. } = &entries.last().unwrap().body else {
        panic!("{entries:?}")
    };
    assert_eq!((&third.hash, changed.len()), (&first.hash, 1), "a restart changed it back");
    drop(engine);
}

#[tokio::test(start_paused = true)]
async fn an_open_intent_in_an_account_that_left_can_be_forgotten() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    let (action, deadline) = (Action::Deactivate, company.clock.now() + DAY);
    let intent = KeyEvent::Change(Change::Intent {
        action,
        origin: Origin::Policy,
        why: "stale".into(),
        deadline,
        quarantine: None,
    });
    let body = Body::Key { account: PROD.parse().unwrap(), key: key.parse().unwrap(), event: intent };
    company.sim.fault(Rule::new(Fault::Unavailable).action("iam:ListAccessKeys"));
    engine.record(&Actor::Keysweep, vec![body]).await.unwrap();
    let (forgotten, why) = decide(&engine, &key, Decision::Forget {}).await;
    assert!(!forgotten && why.contains("is unknown"), "{why}");
    company.sim.remove_account(PROD);
    tokio::time::advance(DAY).await;
    swept(&engine).await;
    assert_eq!(state_of(&engine, &key), "deactivating", "nobody can look");
    let (forgotten, told) = decide(&engine, &key, Decision::Forget {}).await;
    assert!(forgotten && told.contains("not known"), "{told}");
    assert_eq!(state_of(&engine, &key), "active");
    let last = entries(&company).into_iter().rev().find_map(|entry| match entry.body {
        Body::Key { event: KeyEvent::Record(Note::Forgotten { unsettled, .. }), .. } => Some(unsettled),
        _ => None,
    });
    assert_eq!(last, Some(Some(Action::Deactivate)));
    engine.close().await.unwrap();
    drop(engine);
    let engine = company.open_with(OpenOptions::default()).await;
    assert_eq!(state_of(&engine, &key), "active", "and it is replayed so");
}
