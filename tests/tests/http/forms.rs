//! Forms of the page: only its own page can send one, for the session that it was shown to, and it leads nowhere else.

use std::collections::BTreeSet;
use std::path::Path;

use keysweep::token::Role;

use crate::http::browser::{Browser, FORM};
use crate::http::stage::{Running, Stage, mk_token, request};
use crate::http::world::{HOME, World};

const BOSS: &str = "keysweep_token_boss";
const HELPER: &str = "keysweep_token_helper";

/// Every form that decides something, with fields that would.
const FORMS: [(&str, &str); 11] = [
    ("/keys/AKIAIOSFODNN7EXAMPLE/decide", "decision=hold&reason=x"),
    ("/keys/AKIAIOSFODNN7EXAMPLE/exempt", "scope=key&until=90d&reason=x"),
    ("/exemptions/1/end", "reason=x"),
    ("/approvals/decide", "approve=true&count=0&reason=x"),
    ("/pause", "reason=x"),
    ("/resume", "pause=1&reason=x"),
    ("/breaker/reset", "confirm=0-0&reason=x"),
    ("/accounts/111122223333/unpark", "reason=x"),
    ("/notices/1/retry", "reason=x"),
    ("/sessions/revoke", "number=&reason=x"),
    ("/logout", ""),
];

fn mk_tokens() -> String {
    mk_token("boss", Role::Operator, BOSS)
        + &mk_token("helper", Role::Operator, HELPER)
        + &mk_token("looker", Role::Viewer, "keysweep_token_looker")
}

fn sessions(running: &Running) -> usize {
    let engine = running.daemon.engine();
    engine.sessions().list(engine.config().http.session, engine.clock().operational()).len()
}

fn entries(running: &Running) -> u64 {
    running.daemon.engine().store().read(|state| {
        let restraints = state.control().pauses.len() + state.control().exemptions.len();
        u64::try_from(restraints + state.records().map(|record| record.holds.len()).sum::<usize>()).unwrap()
    })
}

/// The end of a path, with `X` for each of its parameters.
fn shape(action: &str) -> String {
    let mut shape = String::new();
    for segment in action.split('/').skip(1) {
        let parameter = segment.contains("{{") || segment.chars().any(|c| c.is_ascii_digit());
        shape += if parameter { "/X" } else { "/" };
        shape += if parameter { "" } else { segment };
    }
    shape
}

#[test]
fn every_form_of_the_templates_is_tested_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/keysweep/templates");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for form in text.split("<form").skip(1) {
            let head = form.split('>').next().unwrap();
            let action = head.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
            if head.contains("method=\"post\"")
                && let Some(action) = action
            {
                // Paths of keys are made in code.
                let action = action.replace("{{ path }}", "/keys/{{ key }}");
                found.insert(shape(&action.replace("{{ hold.path }}", "/keys/{{ key }}")));
            }
        }
    }
    let mut tested: BTreeSet<_> = FORMS.iter().map(|(path, _)| shape(path)).collect();
    tested.insert("/login".to_owned());
    assert_eq!(found, tested);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_is_accepted_from_elsewhere() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let (mut browser, mut other) = (Browser::local(), Browser::local());
    browser.log_in(&running, BOSS).await;
    other.log_in(&running, HELPER).await;
    let (csrf, others) = (browser.csrf(&running).await, other.csrf(&running).await);
    let form = ("content-type", FORM);
    let (before, logged_in) = (entries(&running), sessions(&running));
    for (path, fields) in FORMS {
        let own = format!("{fields}&csrf={csrf}&next=%2F");
        for headers in [
            &[form, ("origin", "https://evil.example")][..],
            &[form, ("origin", "null")],
            &[form, ("origin", "http://localhost:1")],
            &[form, ("sec-fetch-site", "cross-site"), ("origin", "null")],
            &[form, ("sec-fetch-site", "same-site")],
            &[form, ("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
        ] {
            let answer = browser.clone().post_with(&running, path, &own, headers).await;
            answer.is(403, "Cross-site requests are refused");
        }
        for wrong in ["", &others, &csrf[1..], &csrf.to_uppercase(), "x"] {
            let body = format!("{fields}&csrf={wrong}&next=%2F");
            browser.clone().post(&running, path, &body).await.is(403, "belongs to another session");
        }
        let missing = format!("{fields}&next=%2F");
        browser.clone().post(&running, path, &missing).await.is(403, "belongs to another session");
        for kind in ["text/plain", "application/json", "multipart/form-data; boundary=x"] {
            let headers = [("content-type", kind), ("sec-fetch-site", "same-origin")];
            assert_eq!(
                browser.clone().post_with(&running, path, &own, &headers).await.status(),
                415,
                "{path}"
            );
        }
        // The token of a script is no session, and without one there is nothing to decide by.
        let bearer = format!("Bearer {BOSS}");
        let script = [form, ("authorization", bearer.as_str())];
        let led = Browser::local().post_with(&running, path, &own, &script).await;
        assert_eq!(
            (led.status(), led.header("location").as_deref()),
            (303, Some("/login?next=%2F")),
            "{path}"
        );
        Browser::local().post(&running, path, &own).await.is(401, "Authentication required");
        let rebound = Browser { host: "evil.example", ..browser.clone() };
        rebound.clone().post(&running, path, &own).await.is(403, "by the name localhost");
        // A link does nothing.
        assert_eq!(browser.clone().get(&running, path).await.status(), 405, "{path}");
    }
    assert_eq!((entries(&running), sessions(&running)), (before, logged_in), "nothing was done");
    for headers in
        [&[form, ("origin", "https://evil.example")][..], &[form, ("sec-fetch-site", "cross-site")]]
    {
        let body = format!("token={HELPER}&next=%2F");
        let answer = browser.clone().post_with(&running, "/login", &body, headers).await;
        answer.is(403, "Cross-site requests are refused");
        assert!(answer.headers("set-cookie").is_empty(), "nobody is logged in as somebody else");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sends_forms_as_browsers_do() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let mut browser = Browser::local();
    browser.log_in(&running, BOSS).await;
    let csrf = browser.csrf(&running).await;
    // Under `Referrer-Policy: no-referrer` Chromium sends `Origin: null` with every form of the page.
    let led = browser.post(&running, "/pause", &format!("csrf={csrf}&reason=release&next=%2Fkeys")).await;
    assert_eq!((led.status(), led.header("location").as_deref()), (303, Some("/keys")));
    browser.get(&running, "/keys").await.is(200, "undo still works");
    // It is said once.
    assert!(!browser.get(&running, "/keys").await.body().contains("undo still works"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_and_no_login_leads_to_another_site() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let mut browser = Browser::local();
    browser.log_in(&running, BOSS).await;
    let csrf = browser.csrf(&running).await;
    for next in [
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "%2F%09%2Fevil.example",
        "https%3A%2F%2Fevil.example",
        "javascript%3Aalert(1)",
        "%2Fkeys%0D%0ASet-Cookie%3A+a%3Db",
        "%2Fkeys%0ALocation%3A+https%3A%2F%2Fevil.example",
        "%2F%E2%80%AEx",
        "",
    ] {
        for (path, fields) in
            FORMS.into_iter().filter(|(path, _)| !["/logout", "/sessions/revoke"].contains(path))
        {
            let body = format!("{fields}&csrf={csrf}&next={next}");
            let led = browser.post(&running, path, &body).await;
            assert_eq!(led.header("location").as_deref(), Some("/"), "{path} {next}: {led:?}");
        }
        let led = Browser::local().post(&running, "/login", &format!("token={BOSS}&next={next}")).await;
        assert_eq!(led.header("location").as_deref(), Some("/"), "{next}: {led:?}");
        assert_eq!(led.headers("set-cookie").len(), 1, "{led:?}");
        let page = Browser::local().get(&running, &format!("/login?next={next}")).await;
        page.is(200, "name=\"next\" value=\"/\"");
    }
    let page = Browser::local().get(&running, "/login?next=%2Fkeys%3Fq%3D%22%3E%3Cscript%3E").await;
    assert!(!page.body().contains("\"><script>"), "{page:?}");
    let led = Browser::local().get(&running, "/keys?q=%22%3E%0d%0aX:y").await;
    assert_eq!(led.headers("x"), Vec::<&str>::new());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_scope_holds_on_every_page_and_in_every_form() {
    let scoped = mk_token("helper", Role::Operator, HELPER) + &format!("match.accounts = [{HOME:?}]\n");
    let session = "http.session.idle = \"30d\"\nhttp.session.lifetime = \"30d\"";
    let world =
        World::new("127.0.0.1", session, "", &(mk_token("boss", Role::Operator, BOSS) + &scoped)).await;
    let (mut boss, mut helper) = (Browser::local(), Browser::local());
    boss.log_in(&world.running, BOSS).await;
    helper.log_in(&world.running, HELPER).await;
    let mut shown = String::new();
    for path in
        crate::http::sessions::VIEWS.into_iter().filter(|path| !path.contains("AKIA") && *path != "/sessions")
    {
        let all = boss.get(&world.running, path).await;
        all.is(200, "");
        shown += all.body();
        let some = helper.get(&world.running, path).await;
        some.is(200, "");
        world.is_silent(path, some.body());
    }
    for secret in world.secrets() {
        assert!(shown.contains(secret), "the views show {secret} to those who may see it");
    }
    for query in [&world.away, "payroll", "eve%40example.com", crate::http::world::AWAY] {
        for path in ["/keys?q=", "/keys.csv?q=", "/keys.json?q=", "/accounts?q=", "/audit?key="] {
            let found = helper.get(&world.running, &format!("{path}{query}")).await;
            found.is(200, "");
            for secret in ["payroll-batch", "account-444455556666"] {
                assert!(!found.body().contains(secret), "{path}{query} shows {secret}");
            }
        }
    }
    for path in [format!("/keys/{}", world.away), format!("/keys/{}/evidence", world.away)] {
        boss.get(&world.running, &path).await.is(200, "payroll-batch");
        let hidden = helper.get(&world.running, &path).await;
        hidden.is(404, "Unknown key");
        assert!(!hidden.body().contains("payroll"), "{hidden:?}");
    }
    helper.get(&world.running, "/sessions").await.is(403, "requires the role operator");

    let before = world.decisions();
    let csrf = helper.csrf(&world.running).await;
    let request = world.request(&world.away).unwrap();
    for fields in [
        "decision=hold".to_owned(),
        format!("decision=approve&action=deactivate&request={request}"),
        format!("decision=deny&action=deactivate&request={request}"),
        format!("decision=claim&action=deactivate&request={request}"),
        "decision=reactivate".to_owned(),
        "decision=deactivate".to_owned(),
        format!("decision=delete&confirm={}", world.away),
        "decision=forget".to_owned(),
        "decision=clear_reactivations".to_owned(),
        "decision=release&hold=1".to_owned(),
    ] {
        let body = format!("csrf={csrf}&reason=x&next=%2Fholds&{fields}");
        helper.post(&world.running, &format!("/keys/{}/decide", world.away), &body).await;
        helper.get(&world.running, "/holds").await.is(200, "Unknown key");
    }
    let exempt = format!("csrf={csrf}&reason=x&next=%2Fholds&scope=user&until=90d");
    helper.post(&world.running, &format!("/keys/{}/exempt", world.away), &exempt).await;
    helper.get(&world.running, "/holds").await.is(200, "Unknown key");
    for (path, fields) in [
        ("/pause", "x=y"),
        ("/resume", "pause=1"),
        ("/breaker/reset", "confirm=0-0"),
        ("/accounts/444455556666/unpark", "x=y"),
        ("/notices/1/retry", "x=y"),
        ("/sessions/revoke", "number="),
    ] {
        let body = format!("csrf={csrf}&reason=x&next=%2Fholds&{fields}");
        helper.post(&world.running, path, &body).await;
        helper.get(&world.running, "/holds").await.is(200, "requires the role operator");
    }
    // Three are pending, and the filter of a form does not widen what is in sight.
    let body = format!("csrf={csrf}&approve=true&count=3&reason=x&next=%2Fholds&request={request}");
    helper.post(&world.running, "/approvals/decide", &body).await;
    helper.get(&world.running, "/holds").await.is(200, "2 requests match now, not 3");
    assert_eq!(world.decisions(), before);
    // What is done in another account stays out of sight, and cannot be ended.
    let of_boss = boss.csrf(&world.running).await;
    let exempt = format!("csrf={of_boss}&reason=x&next=%2Fholds&scope=user&until=90d");
    boss.post(&world.running, &format!("/keys/{}/exempt", world.away), &exempt).await;
    let shown = boss.get(&world.running, "/holds").await;
    shown.is(200, "is exempt with every key until");
    let number = shown.body().split("/exemptions/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let end = |csrf: &str| format!("csrf={csrf}&reason=over&next=%2Fholds");
    helper.post(&world.running, &format!("/exemptions/{number}/end"), &end(&csrf)).await;
    let refused = helper.get(&world.running, "/holds").await;
    refused.is(200, &format!("There is no granted exemption {number}"));
    assert!(!refused.body().contains("payroll"), "{refused:?}");
    boss.post(&world.running, &format!("/exemptions/{number}/end"), &end(&of_boss)).await;
    boss.get(&world.running, "/holds").await.is(200, "has ended");
    for (fields, why) in [
        ("scope=key&until=", "such as 2027-03-01"),
        ("scope=all&until=90d", "must be key or user"),
        ("scope=key&until=2001-01-01", "is in the past"),
    ] {
        let body = format!("csrf={csrf}&reason=x&next=%2Fholds&{fields}");
        helper.post(&world.running, &format!("/keys/{}/exempt", world.home), &body).await;
        helper.get(&world.running, "/holds").await.is(200, why);
    }
    world.running.ask(&request_of_metrics()).await.is(200, "keysweep_");
    world.running.stop().await;
}

fn request_of_metrics() -> String {
    request("GET", "/metrics", &[])
}
