//! Logins at an identity provider that we did not write, as a person goes through them in a browser.

use keysweep_tests::provider::Program;
use serde_json::json;
use tokio::time::{pause, resume};

use crate::browser::driver::Browser;
use crate::browser::stage::{CAREFUL, PROD, Running, Stage};

/// The client secret that the provider knows.
const SECRET: &str = "s3cret+of/the client";

/// Where the provider sends people back.
const CALLBACK: &str = "https://keysweep.example.com/login/callback";

/// Everybody of the provider is in the groups `security` and `ops`.
fn access() -> String {
    format!(
        "[[access]]\noidc_group = \"security\"\nrole = \"approver\"\nmatch = {{ accounts = [\"{CAREFUL}\"] }}\n"
    )
}

async fn stage(access: &str) -> (Stage, Program, Running) {
    // The provider starts in the time of the machine.
    resume();
    let provider = Program::node("provider.mjs", &[CALLBACK, SECRET]).await;
    pause();
    let stage = Stage::until_now().await;
    let mut running = stage.daemon_with_provider(&provider.issuer, SECRET, access).await;
    running.secrets.push(SECRET.to_owned());
    (stage, provider, running)
}

/// Goes through the forms of the provider, and arrives where it sends the browser back.
async fn log_in_there(browser: &mut Browser, provider: &Program, person: &str) -> String {
    sign_in_there(browser, provider, person).await;
    browser.press("Continue").await
}

/// The same, up to the question for consent.
async fn sign_in_there(browser: &mut Browser, provider: &Program, person: &str) {
    let there = browser.follow(&format!("Continue to {}", provider.issuer)).await;
    assert!(there.starts_with(&provider.issuer), "{there}");
    browser.type_into("input[name=login]", person).await;
    browser.type_into("input[name=password]", "any").await;
    let there = browser.press("Sign-in").await;
    assert!(there.starts_with(&provider.issuer), "{there}");
}

#[tokio::test(start_paused = true)]
async fn a_person_logs_in_at_the_provider_and_sees_what_the_role_permits() {
    let (stage, provider, running) = stage(&access()).await;
    let mut browser = Browser::on(&running).await;
    let (own, foreign) = (&stage.keys.waiting[0], &stage.keys.flagged[0]);
    let view = format!("/keys/{own}");

    // Without a login, the way to a key leads to the login.
    let login = browser.goto(&view).await;
    assert_eq!(login, format!("/login?next=%2Fkeys%2F{own}"));
    assert_eq!(log_in_there(&mut browser, &provider, "anna").await, view, "the page that was asked for");
    let person = browser.text("header .person").await;
    assert!(person.contains("anna@example.com") && person.contains("approver in some accounts"), "{person}");
    assert_eq!(browser.cookie("__Host-keysweep_login").await, None);

    // The scope: keys of one account. The role: requests, and no order.
    assert!(browser.text("main").await.contains("Record the decision"));
    assert_eq!(browser.count("details:has(input[value=deactivate])").await, 0);
    browser.goto("/keys").await;
    let keys = browser.text("main").await;
    assert!(keys.contains(CAREFUL) && !keys.contains(PROD) && !keys.contains(foreign.as_str()), "{keys}");
    browser.act(json!({ "act": "goto", "path": format!("/keys/{foreign}"), "status": 404 })).await;
    browser.act(json!({ "act": "goto", "path": "/sessions", "status": 403 })).await;
    browser.goto("/").await;
    assert_eq!(browser.count("#stops form").await, 0);

    // A decision counts as this person's.
    browser.goto("/approvals").await;
    let card = format!(".cards > li:has(a[href$='{own}'])");
    browser.press_in(&card, "I am looking at it").await;
    let claimed = browser.text(&card).await;
    assert!(claimed.contains("anna@example.com"), "{claimed}");

    // After the logout, the back button shows nothing of it.
    assert_eq!(browser.press("Log out").await, "/login");
    let back = browser.back().await;
    assert!(back.starts_with("/login"), "{back}");
    let page = browser.text("body").await;
    assert!(!page.contains(own.as_str()) && !page.contains("anna"), "{page}");
    assert_eq!(browser.goto(&view).await, login);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_without_a_role_is_told_so_and_sees_nothing() {
    let other = "[[access]]\noidc_group = \"finance\"\nrole = \"operator\"\n";
    let (stage, provider, running) = stage(other).await;
    let mut browser = Browser::on(&running).await;
    browser.goto("/keys").await;
    sign_in_there(&mut browser, &provider, "bert").await;
    browser.act(json!({ "act": "press", "button": "Continue", "status": 403 })).await;
    let page = browser.text("body").await;
    assert!(page.contains("has no role"), "{page}");
    let keys = stage.keys.waiting.iter().chain(&stage.keys.flagged);
    assert!(keys.clone().count() > 6 && keys.into_iter().all(|key| !page.contains(key.as_str())), "{page}");
    running.stop().await;
}
