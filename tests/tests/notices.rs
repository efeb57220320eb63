//! Notices, from a stale key to a message, and from a link in it back to AWS.

use std::sync::Arc;
use std::time::Duration;

use keysweep::engine::Engine;
use keysweep::people::{Link, LinkMaker, Postman, Purpose};
use keysweep_api::{Decision, ListNotices, MessageStatus, RetryNotice, ShowKey};
use keysweep_core::lifecycle::HoldKind;
use keysweep_notify::FailureKind;
use keysweep_tests::company::{Company, DAY, ask, decide, look, state_of, swept};
use keysweep_tests::letters::Received;
use tokio::task::JoinSet;

const PROD: &str = "111122223333";
const HOUR: Duration = Duration::from_secs(3_600);

fn settings(company: &Company) -> String {
    let secret = company.link_secret();
    format!(
        r#"
[scan]
interval = "24h"
report_max_age = "24h"
[policy]
mode = "delete"
[owners]
default = "dana@example.com"
[notices]
notify = ["security@example.com"]
remind_before = []
link_secret_file = {secret:?}
[notices.email]
host = "127.0.0.1"
security = "none"
from = "keysweep@example.com"
"#
    )
}

fn mk_company() -> Company {
    let mut company = Company::new("");
    company.configure(&settings(&company));
    company.account(PROD);
    company
}

fn stale(company: &Company, name: &str) -> String {
    company.stale_user(PROD, name, 200).keys[0].clone()
}

/// Everything that was accepted in one round, as recipient, kinds, and keys.
async fn post(company: &Company, engine: &Engine, postman: &mut Postman) -> Vec<Received> {
    postman.round(engine).await;
    company.letters.take()
}

fn told(received: &[Received]) -> Vec<(&str, Vec<(String, String)>)> {
    received.iter().map(|message| (message.to.as_str(), message.items())).collect()
}

fn item(kind: &str, key: &str) -> (String, String) {
    (kind.to_owned(), key.to_owned())
}

fn token(message: &Received, purpose: &str) -> String {
    let url =
        message.link(purpose).unwrap_or_else(|| panic!("no link {purpose} in {:#}", message.letter.json));
    let token = url.strip_prefix("http://127.0.0.1:9853/answer/");
    token.unwrap_or_else(|| panic!("{url}")).to_owned()
}

/// A key that was deactivated, with the message that says so.
async fn deactivated(company: &Company) -> (Arc<Engine>, Postman, String, Received) {
    let key = stale(company, "ci");
    let (engine, mut postman) = (company.begin().await, Postman::default());
    post(company, &engine, &mut postman).await;
    company.days(&engine, 7).await;
    assert_eq!(company.sim.key_status(&key).as_deref(), Some("Inactive"));
    let message = post(company, &engine, &mut postman).await.remove(0);
    assert_eq!(message.items(), [item("deactivated", &key)]);
    (engine, postman, key, message)
}

#[tokio::test(start_paused = true)]
async fn the_notice_period_begins_when_the_mail_server_accepts_the_message() {
    let company = mk_company();
    let key = stale(&company, "ci");
    let (engine, mut postman) = (company.begin().await, Postman::default());
    company.letters.fail(Some(FailureKind::Temporary));
    company.days(&engine, 3).await;
    assert_eq!(post(&company, &engine, &mut postman).await.len(), 0);
    company.letters.fail(None);
    tokio::time::advance(HOUR).await;
    let received = post(&company, &engine, &mut postman).await;
    assert_eq!(told(&received), [("dana@example.com", vec![item("deactivation_ahead", &key)])]);

    company.days(&engine, 6).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    company.days(&engine, 2).await;
    assert_eq!(company.changes(), [format!("Inactive {key}")]);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_sent_until_it_is_accepted_and_never_after_that() {
    let company = mk_company();
    stale(&company, "ci");
    let engine = company.begin().await;
    let mut postman = Postman::default();
    company.letters.fail(Some(FailureKind::Misconfigured));
    for _ in 0..3 {
        postman.round(&engine).await;
    }
    assert_eq!(company.letters.tried(), 1, "it rests after a failure");
    tokio::time::advance(HOUR).await;
    postman.round(&engine).await;
    assert_eq!(company.letters.tried(), 2);
    engine.close().await.unwrap();
    drop(engine);

    // Another process knows of the message, but not of the failures. It waits until AWS has confirmed its clock.
    let engine = company.open().await;
    let mut postman = Postman::default();
    company.letters.fail(None);
    assert_eq!(post(&company, &engine, &mut postman).await.len(), 0);
    swept(&engine).await;
    assert_eq!(post(&company, &engine, &mut postman).await.len(), 1);
    for _ in 0..3 {
        company.days(&engine, 1).await;
        assert_eq!(post(&company, &engine, &mut postman).await.len(), 0);
    }
    engine.close().await.unwrap();
    drop(engine);
    let engine = company.open().await;
    swept(&engine).await;
    assert_eq!(post(&company, &engine, &mut Postman::default()).await.len(), 0, "a restart repeats nothing");
}

#[tokio::test(start_paused = true)]
async fn keysweep_gives_up_after_a_day_and_an_operator_can_have_it_tried_again() {
    let company = mk_company();
    let key = stale(&company, "ci");
    let engine = company.begin().await;
    let mut postman = Postman::default();
    company.letters.fail(Some(FailureKind::Temporary));
    for _ in 0..30 {
        postman.round(&engine).await;
        tokio::time::advance(HOUR).await;
    }
    let document = look(&engine, ListNotices {}).await;
    let row = document.messages.iter().find(|row| row.recipient == "dana@example.com").unwrap();
    assert_eq!(row.status, MessageStatus::Undeliverable);
    assert_eq!(row.why.as_deref(), Some("dana@example.com: the server said no"));
    assert_eq!(row.items[0].access_key_id, key);

    company.letters.fail(None);
    let retry = RetryNotice { message: row.message, reason: "the server is back".into() };
    let done = ask(&engine, retry.clone()).await.unwrap();
    assert!(done.message.contains("will retry message"), "{done:?}");
    let again = ask(&engine, retry).await.unwrap_err();
    assert!(again.to_string().contains("still trying"), "{again}");
    // The next sweep confirms the clock.
    swept(&engine).await;
    let received = post(&company, &engine, &mut postman).await;
    assert!(
        told(&received).contains(&("dana@example.com", vec![item("deactivation_ahead", &key)])),
        "{received:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_recipient_whom_every_server_refuses_is_given_up_at_once() {
    let company = mk_company();
    stale(&company, "ci");
    let engine = company.begin().await;
    let mut postman = Postman::default();
    company.letters.fail(Some(FailureKind::Rejected));
    postman.round(&engine).await;
    assert_eq!(look(&engine, ListNotices {}).await.messages[0].status, MessageStatus::Undeliverable);
    company.letters.fail(None);
    let received = post(&company, &engine, &mut postman).await;
    assert_eq!(received.len(), 1);
    assert_eq!(
        (received[0].to.as_str(), received[0].items()[0].0.as_str()),
        ("security@example.com", "undeliverable")
    );
}

#[tokio::test(start_paused = true)]
async fn an_owner_who_still_needs_a_key_holds_it_twice_and_no_longer_than_permitted() {
    let company = mk_company();
    let key = stale(&company, "ci");
    let (engine, mut postman) = (company.begin().await, Postman::default());
    let message = post(&company, &engine, &mut postman).await.remove(0);
    let needed = token(&message, "still_needed");
    let done = engine.answer_link(&needed, "year-end job", DAY * 400).await.unwrap();
    assert!(done.message.contains("on hold until 2026-01-31"), "30 days: {}", done.message);
    let again = engine.answer_link(&needed, "year-end job", DAY * 7).await.unwrap();
    assert!(again.message.contains("already"), "{}", again.message);
    let record = engine.store().read(|state| state.record(&key.parse().unwrap()).cloned()).unwrap();
    assert_eq!(record.holds.iter().map(|hold| hold.kind).collect::<Vec<_>>(), [HoldKind::Owner]);

    company.days(&engine, 29).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    let mut last = message;
    for n in 1..=2 {
        // The hold ends, and the owner is notified anew.
        company.days(&engine, 8).await;
        let received = post(&company, &engine, &mut postman).await;
        last = received
            .into_iter()
            .find(|message| message.items().iter().any(|(kind, _)| kind == "deactivation_ahead"))
            .unwrap_or_else(|| panic!("no new notice, round {n}"));
        let answered = engine.answer_link(&token(&last, "still_needed"), "again", DAY * 5).await;
        assert_eq!(answered.is_ok(), n == 1, "{answered:?}");
    }
    assert!(engine.answer_link(&needed, "an old link", DAY).await.is_err());
    assert_eq!(told(&[last])[0].1[0].0, "deactivation_ahead");
}

#[tokio::test(start_paused = true)]
async fn an_owner_reactivates_a_key_by_link() {
    let company = mk_company();
    let (engine, mut postman, key, message) = deactivated(&company).await;
    // Even while everything else stands still.
    ask(&engine, keysweep_api::Pause { reason: "freeze".into() }).await.unwrap();
    let reactivate = token(&message, "reactivate");
    engine.answer_link(&reactivate, "the report job needs it", DAY).await.unwrap();
    assert_eq!(company.sim.key_status(&key).as_deref(), Some("Active"));
    let received = post(&company, &engine, &mut postman).await;
    assert_eq!(told(&received), [("security@example.com", vec![item("reactivated", &key)])]);
    assert!(received[0].letter.text.contains("dana@example.com"), "{}", received[0].letter.text);
    let again = engine.answer_link(&reactivate, "twice", DAY).await.unwrap_err();
    assert!(again.to_string().contains("has changed since"), "{again}");
    let row = look(&engine, ShowKey { key: key.parse().unwrap() }).await.record.unwrap();
    assert_eq!(row.holds[0].kind, HoldKind::Reactivated);
}

#[tokio::test(start_paused = true)]
async fn a_link_does_not_undo_an_operators_deactivation() {
    let company = mk_company();
    let key = stale(&company, "ci");
    let (engine, mut postman) = (company.begin().await, Postman::default());
    post(&company, &engine, &mut postman).await;
    assert!(decide(&engine, &key, Decision::Deactivate {}).await.0);
    let received = post(&company, &engine, &mut postman).await;
    let message = received.iter().find(|message| message.items()[0].0 == "deactivated").unwrap();
    let refused = engine.answer_link(&token(message, "reactivate"), "I need it", DAY).await.unwrap_err();
    assert!(refused.to_string().contains("by name"), "{refused}");
    assert_eq!(company.sim.key_status(&key).as_deref(), Some("Inactive"));
}

#[tokio::test(start_paused = true)]
async fn a_key_of_an_incident_is_not_reactivated_by_link() {
    let company = mk_company();
    let (engine, _, key, message) = deactivated(&company).await;
    let user = company.sim.keys().into_iter().find(|truth| truth.key_id == key).unwrap().user_id;
    company.sim.attach_policy(PROD, &user, "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3");
    company.days(&engine, 1).await;
    let refused = engine.answer_link(&token(&message, "reactivate"), "I need it", DAY).await.unwrap_err();
    assert!(refused.to_string().contains("compromised"), "{refused}");
    assert_eq!(company.sim.key_status(&key).as_deref(), Some("Inactive"));
}

#[tokio::test(start_paused = true)]
async fn a_link_does_not_reactivate_a_key_that_became_compromised_since_the_last_sweep() {
    let company = mk_company();
    let (engine, _, key, message) = deactivated(&company).await;
    let user = company.sim.keys().into_iter().find(|truth| truth.key_id == key).unwrap().user_id;
    company.sim.attach_policy(PROD, &user, "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3");
    let refused = engine.answer_link(&token(&message, "reactivate"), "I need it", DAY).await.unwrap_err();
    assert!(refused.to_string().contains("a link cannot undo this deactivation"), "{refused}");
    assert_eq!(company.sim.key_status(&key).as_deref(), Some("Inactive"));
}

#[tokio::test(start_paused = true)]
async fn a_link_from_before_this_journal_began_is_invalid() {
    let company = mk_company();
    let key = stale(&company, "ci");
    let (engine, mut postman) = (company.begin().await, Postman::default());
    post(&company, &engine, &mut postman).await;
    let secret = std::fs::read_to_string(company.link_secret()).unwrap();
    let maker = LinkMaker::new(&secret.trim().to_owned().into(), "");
    let link = |age: Duration| {
        let written = engine.clock().now().checked_sub(age).unwrap();
        let (purpose, recipient) = (Purpose::StillNeeded, "dana@example.com".to_owned());
        let expires = written.checked_add(DAY * 90).unwrap();
        let link = Link { purpose, key: key.parse().unwrap(), entry: 999, recipient, expires };
        maker.url(&link).rsplit('/').next().unwrap().to_owned()
    };
    let refused = engine.answer_link(&link(DAY), "I need it", DAY).await.unwrap_err();
    assert!(refused.to_string().contains("has changed since"), "{refused}");
    // The shortest hold is a day.
    let done = engine.answer_link(&link(Duration::ZERO), "I need it", Duration::ZERO).await.unwrap();
    assert!(done.message.contains("on hold until 2026-01-02"), "{}", done.message);
}

#[tokio::test(start_paused = true)]
async fn messages_do_not_wait_for_a_server_that_has_just_failed() {
    let mut company = mk_company();
    let team = (0..9).map(|n| format!("\"member-{n}@example.com\"")).collect::<Vec<_>>().join(", ");
    let settings = settings(&company).replace("default = \"dana@example.com\"", "sources = [\"user_tags\"]");
    company.configure(&settings.replace("\"security@example.com\"", &team));
    stale(&company, "ci");
    let (engine, mut postman) = (company.begin().await, Postman::default());
    company.letters.fail(Some(FailureKind::Temporary));
    postman.round(&engine).await;
    assert_eq!(company.letters.tried(), 3, "the others are not tried in this round");
    company.letters.fail(None);
    let received = post(&company, &engine, &mut postman).await;
    assert_eq!(received.len(), 6, "and do not wait after it");
    assert!(received.iter().all(|message| message.link("show").is_none()), "links are for owners");
    tokio::time::advance(HOUR).await;
    assert_eq!(post(&company, &engine, &mut postman).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_while_keysweep_is_paused_or_stops() {
    let company = mk_company();
    stale(&company, "ci");
    let (engine, mut postman) = (company.begin().await, Postman::default());
    company.letters.fail(Some(FailureKind::Temporary));
    postman.round(&engine).await;
    company.letters.fail(None);
    ask(&engine, keysweep_api::Pause { reason: "freeze".into() }).await.unwrap();
    tokio::time::advance(HOUR).await;
    assert_eq!(post(&company, &engine, &mut postman).await.len(), 0);
    ask(&engine, keysweep_api::Resume { which: keysweep_api::Which::Own, reason: "go on".into() })
        .await
        .unwrap();
    engine.stopping().cancel();
    assert_eq!(post(&company, &engine, &mut postman).await.len(), 0);
    let open = engine.store().read(|state| state.outbox().messages().filter(|m| m.is_open()).count());
    assert_eq!(open, 1);
}

/// Stops keysweep while a message is being sent that takes so long. Returns how long the stop took.
async fn stop_while_sending(company: &Company, engine: &Arc<Engine>, takes: Duration) -> Duration {
    company.letters.take_long(takes);
    let posting = Arc::clone(engine);
    let mut work = JoinSet::new();
    work.spawn(async move { Postman::default().work(&posting).await });
    company.letters.began().await;
    let before = tokio::time::Instant::now();
    engine.stopping().cancel();
    work.join_next().await.unwrap().unwrap();
    before.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_a_message_that_is_being_sent() {
    let company = mk_company();
    stale(&company, "ci");
    let engine = company.begin().await;
    stop_while_sending(&company, &engine, Duration::from_secs(10)).await;
    assert_eq!(company.letters.take().len(), 1);
    let open = |engine: &Engine| {
        engine.store().read(|state| state.outbox().messages().filter(|m| m.is_open()).count())
    };
    assert_eq!(open(&engine), 0, "the journal knows that it arrived");
    engine.close().await.unwrap();
    drop(engine);
    let engine = company.open().await;
    swept(&engine).await;
    assert_eq!(post(&company, &engine, &mut Postman::default()).await.len(), 0, "it is not sent again");
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_server_that_never_answers() {
    let company = mk_company();
    stale(&company, "ci");
    let engine = company.begin().await;
    let took = stop_while_sending(&company, &engine, DAY).await;
    assert!(took < Duration::from_secs(30), "a service manager kills what takes longer: {took:?}");
    let open = engine.store().read(|state| state.outbox().messages().filter(|m| m.is_open()).count());
    assert_eq!(open, 1, "it is sent after the next start");
}

#[tokio::test(start_paused = true)]
async fn each_reader_sees_dates_in_their_own_time_zone() {
    let mut company = mk_company();
    let zones = "[[owners.contact]]\nmatch = \"dana*\"\nemail = \"dana@example.com\"\ntime_zone = \"Asia/Tokyo\"\n\
                 [[notices.route]]\ntime_zone = \"America/New_York\"\n";
    company.configure(&format!("{}{zones}", settings(&company)));
    stale(&company, "ci");
    let (engine, mut postman) = (company.begin().await, Postman::default());
    let received = post(&company, &engine, &mut postman).await;
    let text = &received[0].letter.text;
    assert_eq!(received[0].to, "dana@example.com");
    assert!(text.contains(" JST or later") && text.contains("in the time zone Asia/Tokyo"), "{text}");

    stale(&company, "web");
    company.days(&engine, 1).await;
    company.letters.fail(Some(FailureKind::Rejected));
    postman.round(&engine).await;
    company.letters.fail(None);
    let received = post(&company, &engine, &mut postman).await;
    assert_eq!(
        (received[0].to.as_str(), received[0].items()[0].0.as_str()),
        ("security@example.com", "undeliverable")
    );
    let text = &received[0].letter.text;
    assert!(text.contains("in the time zone America/New_York"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn no_longer_needed_is_recorded_and_makes_nothing_happen_earlier() {
    let company = mk_company();
    let key = stale(&company, "ci");
    let (engine, mut postman) = (company.begin().await, Postman::default());
    let message = post(&company, &engine, &mut postman).await.remove(0);
    let unneeded = token(&message, "no_longer_needed");
    for _ in 0..2 {
        engine.answer_link(&unneeded, "", DAY).await.unwrap();
    }
    let record = engine.store().read(|state| state.record(&key.parse().unwrap()).cloned()).unwrap();
    assert_eq!(record.past.not_needed.unwrap().by.to_string(), "link to dana@example.com");
    company.days(&engine, 6).await;
    assert_eq!(state_of(&engine, &key), "flagged");
    company.days(&engine, 1).await;
    assert_eq!(state_of(&engine, &key), "deactivated");
}

#[tokio::test(start_paused = true)]
async fn a_link_of_a_previous_owner_is_invalid() {
    let mut company = mk_company();
    let (engine, _, key, message) = deactivated(&company).await;
    company.configure(&settings(&company).replace("dana@", "eve@"));
    let actor = keysweep_core::state::Actor::local("ada");
    engine.replace_config(&actor, Arc::new(company.config())).await.unwrap();
    company.days(&engine, 1).await;
    let refused = engine.answer_link(&token(&message, "reactivate"), "mine", DAY).await.unwrap_err();
    assert!(refused.to_string().contains("has changed since"), "{refused}");
    assert_eq!(company.sim.key_status(&key).as_deref(), Some("Inactive"));
}
