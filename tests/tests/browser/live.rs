//! How the page keeps itself up to date: it takes over what is new, and leaves alone whoever is using it.

use keysweep_api::{Decide, Decision};
use keysweep_tests::company::ask;
use serde_json::json;

use crate::browser::driver::Browser;
use crate::browser::stage::{Door, OPERATOR, Running, Stage};

/// Somebody else places a hold.
async fn hold(running: &Running, key: &str) {
    let decide = Decide {
        key: key.parse().unwrap(),
        decision: Decision::Hold { length: None },
        reason: "of somebody else".to_owned(),
    };
    ask(running.daemon.engine(), decide).await.unwrap_or_else(|refusal| panic!("{refusal}"));
}

#[tokio::test(start_paused = true)]
async fn a_view_refreshes_unless_somebody_uses_it() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, OPERATOR).await;
    let [first, second, third] = [0, 1, 2].map(|index| &stage.keys.waiting[index]);
    browser.act(json!({ "act": "stop_clock" })).await;

    // The outcome of a decision stays when the view refreshes.
    let form = "form:has(input[value=hold])";
    browser.goto(&format!("/keys/{}", stage.keys.flagged[2])).await;
    browser.fill_in(form, "Reason, for the audit log", "migration").await;
    browser.press("Hold the key").await;
    let said = browser.said().await;
    browser.minute().await;
    browser.says("Refreshed every minute.").await;
    assert_eq!(browser.said().await, said);

    browser.goto("/holds").await;
    hold(&running, first).await;
    browser.minute().await;
    browser.shows("main", first).await;

    // A form that is open is left alone; once it is closed, the view refreshes.
    browser.open_details("main").await;
    hold(&running, second).await;
    browser.minute().await;
    browser.says("Not refreshed while you use this page.").await;
    assert!(!browser.text("main").await.contains(second.as_str()));
    browser.open_details("main").await;
    browser.act(json!({ "act": "blur" })).await;
    browser.minute().await;
    browser.shows("main", second).await;

    // A field that was touched is left alone.
    browser.open_details("main").await;
    browser.type_into("details[open] input[name=reason]", "x").await;
    browser.open_details("main").await;
    browser.act(json!({ "act": "blur" })).await;
    hold(&running, third).await;
    browser.minute().await;
    browser.says("Not refreshed while you use this page.").await;
    assert!(!browser.text("main").await.contains(third.as_str()));

    // Without an answer, what was shown stays.
    browser.goto("/holds").await;
    browser.act(json!({ "act": "unplug", "out": true })).await;
    browser.minute().await;
    browser.says("keysweep does not answer; trying again every minute.").await;
    browser.shows("main", third).await;
    browser.act(json!({ "act": "unplug", "out": false })).await;

    // A session that is over leads to the login.
    browser.act(json!({ "act": "drop_cookies" })).await;
    browser.minute().await;
    browser.act(json!({ "act": "arrives", "path": "/login?next=%2Fholds" })).await;
    running.stop().await;
}
