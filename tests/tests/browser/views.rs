//! Every view, in every width and both colour schemes: axe finds nothing, and nothing scrolls sideways.

use serde_json::json;

use crate::browser::driver::Browser;
use crate::browser::stage::{Door, HOSTILE, LONG, OPERATOR, Running, Stage, VIEWS};

/// Every view that an operator can open, and the page of a link.
fn views(stage: &Stage) -> Vec<String> {
    let keys = &stage.keys;
    let mut views: Vec<String> = VIEWS.map(str::to_owned).to_vec();
    views.extend(
        ["/sessions", "/keys?group=account", "/keys?q=nothing-has-this-name", "/login"].map(str::to_owned),
    );
    let of_keys = [&keys.deactivated[0], &keys.flagged[0], &keys.flagged[1], &keys.waiting[0]];
    views.extend(of_keys.map(|key| format!("/keys/{key}")));
    views.push(stage.link(&keys.flagged[1], "still_needed"));
    views
}

/// Everything that is wrong with the views in this width and colour scheme.
async fn look(stage: &Stage, running: &Running, browser: &mut Browser, width: u32, scheme: &str) {
    browser.act(json!({ "act": "open", "width": width, "scheme": scheme })).await;
    browser.log_in(OPERATOR).await;
    let mut found = Vec::new();
    for view in views(stage) {
        browser.goto(&view).await;
        let judged = browser.act(json!({ "act": "judge" })).await;
        found.extend(judged.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()));
    }
    assert_eq!(found, Vec::<String>::new(), "{width} px, {scheme}, {}", running.origin);
}

#[tokio::test(start_paused = true)]
async fn every_view_in_light_colours_is_accessible_and_fits() {
    every_view("light").await;
}

#[tokio::test(start_paused = true)]
async fn every_view_in_dark_colours_is_accessible_and_fits() {
    every_view("dark").await;
}

async fn every_view(scheme: &str) {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, OPERATOR).await;
    browser.fill("Reason to pause all automatic changes", HOSTILE).await;
    browser.press_in("#stops", "Pause").await;
    for width in [390, 1_280] {
        look(&stage, &running, &mut browser, width, scheme).await;
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_hostile_name_is_text_on_every_view() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, OPERATOR).await;
    for view in ["/keys", "/accounts", &format!("/keys/{}", stage.keys.flagged[1])] {
        browser.goto(view).await;
        let text = browser.text("main").await;
        assert!(text.contains(HOSTILE), "{view}: {text}");
        assert!(text.contains(LONG) || view == "/accounts", "{view}: {text}");
        assert_eq!(browser.count("img, main script").await, 0, "{view}");
    }
    let found = format!(
        "/keys?{}",
        form_urlencoded::Serializer::new(String::new()).append_pair("q", HOSTILE).finish()
    );
    browser.goto(&found).await;
    assert!(browser.text("main").await.contains(HOSTILE));
    assert_eq!(browser.count("img, main script").await, 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn every_link_leads_somewhere() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, OPERATOR).await;
    let crawled = browser.act(json!({ "act": "crawl", "most": 400 })).await;
    assert_eq!(crawled["bad"], json!([]));
    let seen = crawled["seen"].as_array().unwrap();
    for view in VIEWS {
        assert!(seen.contains(&json!(view)), "{view}");
    }
    eprintln!("{} pages", seen.len());
    running.stop().await;
}
