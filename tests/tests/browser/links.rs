//! Links in notices, as people follow them: without a login, in any browser.

use serde_json::json;

use crate::browser::driver::Browser;
use crate::browser::stage::{Door, Stage};

#[tokio::test(start_paused = true)]
async fn a_link_holds_a_key_and_another_reactivates_one() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::on(&running).await;
    let store = running.daemon.engine().store();

    let key = &stage.keys.flagged[2];
    browser.goto(&stage.link(key, "still_needed")).await;
    assert!(browser.text("main").await.contains("svc-late"));
    browser.fill("What is the key needed for?", "the <b>year-end</b> job").await;
    browser.press("Hold the key").await;
    let told = browser.text("[role=status]").await;
    assert!(told.contains("on hold until"), "{told}");
    let held = |key: &str| {
        let key = key.parse().unwrap();
        store.read(|state| state.record(&key).is_some_and(|record| !record.holds.is_empty()))
    };
    assert!(held(key));

    let key = &stage.keys.deactivated[1];
    browser.goto(&stage.link(key, "reactivate")).await;
    browser.fill("What is the key needed for?", "it broke").await;
    assert_eq!(stage.company.status(key), "Inactive");
    browser.press("Reactivate now").await;
    let told = browser.text("[role=status]").await;
    assert!(told.contains("Active again"), "{told}");
    assert_eq!(stage.company.status(key), "Active");
    assert!(held(key));

    // These forms were refused once: our pages send no referrer, and for that Chromium hides the origin.
    let posts = browser.act(json!({ "act": "posts" })).await;
    let origins: Vec<_> = posts.as_array().unwrap().iter().map(|post| post["origin"].clone()).collect();
    assert_eq!(origins, ["null", "null"], "{posts}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_typed_is_kept_when_a_link_cannot_do_it() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::on(&running).await;
    browser.goto(&stage.link(&stage.keys.flagged[0], "show")).await;
    assert_eq!(browser.count("form").await, 0, "it only shows the key");
    let needed = stage.link(&stage.keys.flagged[0], "still_needed");
    browser.goto(&needed).await;
    // The browser takes it for a reason, and keysweep does not.
    browser.fill("What is the key needed for?", " ").await;
    let refused = json!({ "act": "press", "button": "Hold the key", "status": 400 });
    browser.act(refused).await;
    let told = browser.text("[role=status]").await;
    assert!(told.contains("Enter what the key is needed for"), "{told}");
    let broken = json!({ "act": "goto", "path": format!("{needed}A"), "status": 404 });
    browser.act(broken).await;
    running.stop().await;
}
