//! `POST /-/reload`: what a signal does, with an answer.

use std::fs;

use keysweep::token::Role;

use crate::http::stage::{Stage, mk_certificate, mk_token, with_token};

const BOSS: &str = "keysweep_token_boss";
const NEXT: &str = "keysweep_token_next";

fn reload() -> String {
    with_token("POST", "/-/reload", BOSS)
}

fn mk_boss() -> String {
    mk_token("boss", Role::Operator, BOSS)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_mistakes_is_refused_with_every_one_and_the_old_one_stays() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_boss()).await;
    let before = running.daemon.engine().config();
    stage.configure("127.0.0.1", &format!("{}[limits]\nsurge = 1.5\n[policy]\ngrase = \"1d\"\n", mk_boss()));
    let refused = running.ask(&reload()).await;
    refused.is(422, "The previous configuration stays in effect.\n2 errors in the configuration:");
    refused.is(422, "limits.surge: found 1.5");
    refused.is(422, "did you mean policy.grace?");
    assert!(!running.accepted());
    assert!(std::sync::Arc::ptr_eq(&before, &running.daemon.engine().config()));

    stage.configure("127.0.0.1", &format!("{}[limits]\nsurge = 0.5\n", mk_boss()));
    running.ask(&reload()).await.is(200, "in effect");
    assert!(running.accepted());
    assert!((running.daemon.engine().config().policy.limits.surge - 0.5).abs() < f64::EPSILON);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_equal_configuration_is_a_no_op() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_boss()).await;
    let before = running.daemon.engine().config();
    let same = || std::sync::Arc::ptr_eq(&before, &running.daemon.engine().config());
    running.ask(&reload()).await.is(200, "unchanged and in effect");
    // The same values written otherwise.
    stage.configure("127.0.0.1", &format!("{}[policy]\nnotice = \"168h\"\n", mk_boss()));
    running.ask(&reload()).await.is(200, "unchanged and in effect");
    assert!(same() && running.accepted());
    stage.configure("127.0.0.1", &format!("{}[policy]\nnotice = \"8d\"\n", mk_boss()));
    running.ask(&reload()).await.is(200, "was loaded and is in effect");
    assert!(!same());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_external_id_in_the_same_file_is_a_change() {
    let stage = Stage::new();
    fs::write(stage.at("external-id"), "one").unwrap();
    let rest = format!("{}[role]\nexternal_id_file = {:?}\n", mk_boss(), stage.at("external-id"));
    let running = stage.daemon("127.0.0.1", &rest).await;
    running.ask(&reload()).await.is(200, "unchanged");
    fs::write(stage.at("external-id"), "two").unwrap();
    running.ask(&reload()).await.is(200, "was loaded");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_is_the_fault_of_the_machine() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_boss()).await;
    fs::remove_file(stage.at("keysweep.toml")).unwrap();
    running.ask(&reload()).await.is(500, "no configuration file");
    assert!(!running.accepted());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_change_without_a_restart() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_boss()).await;
    running.ask(&with_token("POST", "/-/reload", NEXT)).await.is(401, "Unknown or revoked token");
    stage.configure("127.0.0.1", &mk_token("next", Role::Operator, NEXT));
    running.ask(&reload()).await.is(200, "tokens: next (operator)");
    running.ask(&reload()).await.is(401, "Unknown or revoked token");
    running.ask(&with_token("POST", "/-/reload", NEXT)).await.is(200, "in effect");
    stage.configure("127.0.0.1", "");
    running.ask(&with_token("POST", "/-/reload", NEXT)).await.is(200, "tokens: none");
    running.ask(&with_token("POST", "/-/reload", NEXT)).await.is(403, "No token is configured");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_change_while_it_runs_is_refused_all_at_once() {
    let (stage, made) = (Stage::new(), mk_certificate());
    stage.put(&made.cert, &made.key);
    let running = stage.daemon("127.0.0.1", &mk_boss()).await;
    stage.configure("127.0.0.2", &(stage.tls() + &mk_boss()));
    let refused = running.ask(&reload()).await;
    refused.is(422, "http.listen cannot change while keysweep runs: restart it\n");
    refused.is(422, "http.tls cannot be turned on or off while keysweep runs: restart it\n");
    assert!(running.daemon.engine().config().http.tls.is_none());
    running.ask(&reload()).await.is(422, "http.tls");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_up_another_certificate_and_refuses_a_bad_one_with_the_rest() {
    let (stage, old, new) = (Stage::new(), mk_certificate(), mk_certificate());
    stage.put(&old.cert, &old.key);
    let rest = stage.tls() + &mk_boss();
    let running = stage.daemon("127.0.0.1", &rest).await;

    stage.put(&new.cert, &old.key);
    stage.configure("127.0.0.1", &format!("{rest}[limits]\nsurge = 1.5\n"));
    let refused = old.ask(running.address, &reload()).await;
    refused.is(422, "2 errors in the configuration:");
    refused.is(422, "is not that of the first certificate in");
    assert!(old.connect(running.address).await.is_ok(), "the old one is still served");

    stage.put(&new.cert, &new.key);
    stage.configure("127.0.0.1", &rest);
    old.ask(running.address, &reload()).await.is(200, "in effect");
    assert!(old.connect(running.address).await.is_err());
    new.ask(running.address, &reload()).await.is(200, "in effect");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_goes_the_same_way() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_boss()).await;
    stage.configure("127.0.0.1", "policy.grace = \"30d\"\n");
    running.daemon.reload();
    // Requests are carried out one after the other: when this one is answered, the signal's has been.
    let after = running.ask(&reload()).await.status();
    assert!([200, 403].contains(&after), "{after}");
    running.ask(&reload()).await.is(403, "No token is configured");
    assert_eq!(running.daemon.engine().config().policy.base.grace.as_secs(), 30 * 86_400);
    running.stop().await;
}
