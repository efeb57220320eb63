//! How someone comes in, what they see before, and how it ends.

use serde_json::json;

use crate::browser::driver::Browser;
use crate::browser::stage::{Door, OPERATOR, Stage, VIEWER, VIEWS};

/// Forms that decide: all but filters and the logout.
const DECISIONS: &str = "form[method=post]:not([action='/logout'])";

async fn sees_no_decision(browser: &mut Browser, stage: &Stage) {
    let key = &stage.keys.deactivated[0];
    for view in VIEWS.map(str::to_owned).into_iter().chain([format!("/keys/{key}")]) {
        assert_eq!(browser.goto(&view).await, view);
        assert_eq!(browser.count("main h1").await, 1, "{view}");
        assert_eq!(browser.count(DECISIONS).await, 0, "{view}");
        assert_eq!(browser.count("nav a[href='/sessions']").await, 0, "{view}");
    }
    browser.act(json!({ "act": "goto", "path": "/sessions", "status": 403 })).await;
    assert_eq!(browser.count("main h1").await, 1);
}

#[tokio::test(start_paused = true)]
async fn on_loopback_anyone_looks_and_decides_after_a_login() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Loopback).await;
    let mut browser = Browser::on(&running).await;
    sees_no_decision(&mut browser, &stage).await;
    assert_eq!(browser.count("form[action='/logout']").await, 0);

    let view = format!("/keys/{}", stage.keys.deactivated[0]);
    browser.goto(&view).await;
    browser.act(json!({ "act": "follow", "within": "header", "link": "Log in" })).await;
    browser.fill("Token", "keysweep_token_of_nobody").await;
    browser.act(json!({ "act": "press", "button": "Log in", "status": 401 })).await;
    assert_eq!(browser.text("[role=alert]").await, "Unknown or revoked token.");
    browser.fill("Token", OPERATOR).await;
    assert_eq!(browser.press("Log in").await, view, "back to where the login began");
    assert!(browser.count(DECISIONS).await >= 1);
    assert!(browser.text("header .person").await.contains("ann"));

    let posts = browser.act(json!({ "act": "posts" })).await;
    assert_eq!(posts[0]["origin"], "null", "this Chromium hides the origin of a form: {posts}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_logout_ends_the_session() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, OPERATOR).await;
    let cookie = browser.cookie("__Host-keysweep_session").await;
    assert!(cookie.is_some_and(|value| value.len() >= 32));
    assert!(browser.text("main").await.contains("in effect"));
    assert_eq!(browser.press("Log out").await, "/login");
    assert_eq!(browser.cookie("__Host-keysweep_session").await, None);
    assert_eq!(browser.goto("/keys?sort=idle").await, "/login?next=%2Fkeys%3Fsort%3Didle");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_viewer_sees_every_view_and_no_form_for_a_decision() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Closed).await;
    let mut browser = Browser::as_(&running, VIEWER).await;
    sees_no_decision(&mut browser, &stage).await;
    assert_eq!(browser.count("form[action='/logout']").await, 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_expired_leads_to_the_login_and_back() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, OPERATOR).await;
    let view = "/keys?q=svc&sort=account";
    assert_eq!(browser.goto(view).await, view);
    running.hours(2).await;
    let login = browser.act(json!({ "act": "reload" })).await;
    assert_eq!(login, "/login?next=%2Fkeys%3Fq%3Dsvc%26sort%3Daccount");
    browser.fill("Token", OPERATOR).await;
    assert_eq!(browser.press("Log in").await, view);

    // A form of the old session decides nothing.
    browser.goto("/").await;
    browser.fill("Reason to pause all automatic changes", "too late").await;
    running.hours(2).await;
    assert_eq!(browser.press_in("#stops", "Pause").await, "/login?next=%2F");
    let paused = running.daemon.engine().store().read(|state| state.control().pauses.len());
    assert_eq!(paused, 0);
    running.stop().await;
}
