//! The first two minutes of a newcomer with the demo, who knows nothing but what the terminal says.

use keysweep_tests::demo::Demo;
use serde_json::json;

use crate::browser::driver::Browser;

/// After it, the demo ends, and with it every step that is still to come.
const TWO_MINUTES: &str = "120s";

#[tokio::test]
async fn within_two_minutes_a_newcomer_objects_approves_and_undoes() {
    let mut demo = Demo::start(&["--for", TWO_MINUTES]).await;
    let page = demo.tells("page: ").await;
    let messages = demo.tells("messages to people: ").await;
    let token = demo.tells("log in with: ").await;
    let origin = page.trim_end_matches('/');
    assert_eq!(messages, format!("{page}mailbox and {page}slack"));
    let port = origin.rsplit(':').next().unwrap().parse().unwrap();
    let mut browser = Browser::at(origin, port, std::slice::from_ref(&token), &[]).await;

    // A notice shows by itself; its link holds the key.
    browser.goto("/slack").await;
    assert!(browser.text("main").await.contains("Nothing leaves this machine"));
    browser.follow_first("Still needed").await;
    browser.fill("What is the key needed for?", "the year-end job").await;
    browser.press("Hold the key").await;
    browser.shows("[role=status]", "on hold until").await;

    // A request leads to the page, and a login back to it.
    browser.goto("/slack?channel=%23aws-keys").await;
    let key = browser.follow_first("Decide on the page").await;
    assert!(key.starts_with("/keys/AKIA"), "{key}");
    browser.act(json!({ "act": "follow", "within": "header", "link": "Log in" })).await;
    browser.fill("Token", &token).await;
    assert_eq!(browser.press("Log in").await, key);
    let form = "form:has(button:text-is('Record the decision'))";
    browser.check(form, "Approve").await;
    browser.fill_in(form, "Reason, for the audit log", "asked the owner").await;
    browser.press("Record the decision").await;
    assert!(browser.said().await.starts_with("Approved the deactivation"), "{}", browser.said().await);

    // The message shows the outcome in its place, and the wall suits every window.
    browser.goto("/slack?channel=%23aws-keys").await;
    browser.shows(".post", "Approved by").await;
    browser.shows(".post .sender", "edited").await;
    for (width, scheme) in [(390, "light"), (390, "dark"), (1_280, "light"), (1_280, "dark")] {
        browser.act(json!({ "act": "open", "width": width, "scheme": scheme })).await;
        for view in ["/slack", "/mailbox"] {
            browser.goto(view).await;
            assert_eq!(
                browser.act(json!({ "act": "judge" })).await,
                json!([]),
                "{view}, {width} px, {scheme}"
            );
        }
    }

    // What was deactivated works again at once.
    browser.goto("/slack?channel=%23payments").await;
    browser.follow_first("Reactivate now").await;
    browser.fill("What is the key needed for?", "it broke").await;
    browser.press("Reactivate now").await;
    browser.shows("[role=status]", "Active again").await;
}
