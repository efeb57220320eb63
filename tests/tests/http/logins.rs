//! Logins through an identity provider, which runs in this process.

use keysweep::token::Role;

use crate::http::browser::{Browser, PUBLIC};
use crate::http::op::{CLIENT, Op, SECRET};
use crate::http::stage::{Answer, Running, Stage, mk_token};
use serde_json::json;

const LOGIN: &str = "__Host-keysweep_login";
const SESSION: &str = "__Host-keysweep_session";

struct Scene {
    stage: Stage,
    running: Running,
    op: Op,
}

impl Scene {
    async fn new() -> Self {
        Self::behind("").await
    }

    /// A daemon with these further settings of the root.
    async fn behind(more: &str) -> Self {
        let stage = Stage::new();
        let op = Op::start(stage.company().clock.operational(), None).await;
        std::fs::write(stage.at("client-secret"), SECRET).unwrap();
        let rest = format!(
            "http.public_url = \"https://{PUBLIC}\"\n{more}[http.oidc]\nissuer = {:?}\nclient_id = {CLIENT:?}\n\
             client_secret_file = {:?}\n{}[[access]]\noidc_group = \"security\"\nrole = \"operator\"\n",
            op.issuer,
            stage.at("client-secret"),
            mk_token("boss", Role::Operator, "keysweep_token_boss"),
        );
        let running = stage.daemon("127.0.0.1", &rest).await;
        Self { stage, running, op }
    }

    /// Begins a login: what the browser takes to the provider.
    async fn begin(&self, browser: &mut Browser, next: &str) -> String {
        let led = browser.get(&self.running, &format!("/login/provider?next={next}")).await;
        assert_eq!(led.status(), 303, "{led:?}");
        led.header("location").unwrap()
    }

    /// The way back from the provider, with a right code.
    fn way_back(&self, url: &str) -> String {
        self.op.state().now = self.stage.company().clock.operational();
        let (code, state) = self.op.authorize(url);
        format!("/login/callback?code={code}&state={state}")
    }

    async fn log_in(&self, browser: &mut Browser, next: &str) -> Answer {
        let url = self.begin(browser, next).await;
        browser.get(&self.running, &self.way_back(&url)).await
    }

    fn sessions(&self) -> usize {
        let engine = self.running.daemon.engine();
        engine.sessions().list(engine.config().http.session, engine.clock().operational()).len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_logs_in_and_returns_to_the_page_that_they_wanted() {
    let scene = Scene::new().await;
    let mut browser = Browser::public();
    let led = browser.get(&scene.running, "/keys?q=ci").await;
    assert_eq!(led.header("location").as_deref(), Some("/login?next=%2Fkeys%3Fq%3Dci"));
    let url = scene.begin(&mut browser, "%2Fkeys%3Fq%3Dci").await;
    assert!(url.starts_with(&scene.op.issuer), "{url}");
    assert!(url.contains("redirect_uri=https%3A%2F%2Fkeysweep.example.com%2Flogin%2Fcallback"), "{url}");
    let login = browser.cookies[0].clone();
    assert!(login.starts_with(LOGIN), "{login}");
    let back = browser.get(&scene.running, &scene.way_back(&url)).await;
    assert_eq!((back.status(), back.header("location").as_deref()), (303, Some("/keys?q=ci")), "{back:?}");
    assert!(browser.cookies.len() == 1 && browser.cookies[0].starts_with(SESSION), "{:?}", browser.cookies);
    browser.get(&scene.running, "/").await.is(200, "anna@example.com (OIDC anna)");
    scene.running.stop().await;
}

const PROXY: &str = "http.trusted_proxies = [\"127.0.0.1\"]\n";

/// Begins a login as the proxy passes it on.
async fn begin_from(scene: &Scene, browser: &mut Browser, address: &str) -> Answer {
    let headers = [("accept", "text/html"), ("x-forwarded-for", address), ("x-forwarded-proto", "https")];
    browser.get_with(&scene.running, "/login/provider?next=%2F", &headers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_begins_too_many_logins_waits_and_others_do_not() {
    let scene = Scene::behind(PROXY).await;
    let mut refused = None;
    for _ in 0..200 {
        let answer = begin_from(&scene, &mut Browser::public(), "198.51.100.1").await;
        if answer.status() != 303 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a client cannot begin 200 logins at once");
    refused.is(429, "Too many logins were begun from your address. Try again in 2 seconds.");
    assert_eq!(refused.header("retry-after").as_deref(), Some("2"));
    assert!(refused.headers("set-cookie").is_empty(), "{refused:?}");
    // Neither another client nor another header of the same one changes that.
    assert_eq!(begin_from(&scene, &mut Browser::public(), "198.51.100.2").await.status(), 303);
    let forged = begin_from(&scene, &mut Browser::public(), "198.51.100.3, 198.51.100.1").await;
    forged.is(429, "Too many logins");
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_ends_of_logins_count_as_well() {
    let scene = Scene::behind(PROXY).await;
    let headers = [("x-forwarded-for", "2001:db8:1:2::7"), ("x-forwarded-proto", "https")];
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 200 {
        let path = "/login/callback?code=a&state=b";
        statuses.push(Browser::public().get_with(&scene.running, path, &headers).await.status());
    }
    assert_eq!(statuses.pop(), Some(429));
    assert!(statuses.len() >= 10 && statuses.iter().all(|status| *status == 400), "{statuses:?}");
    let neighbour = begin_from(&scene, &mut Browser::public(), "2001:db8:1:2::8").await;
    neighbour.is(429, "Too many logins");
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_begun_logins_keeps_nobody_from_logging_in() {
    let scene = Scene::behind(PROXY).await;
    let mut browser = Browser::public();
    let led = begin_from(&scene, &mut browser, "203.0.113.9").await;
    let url = led.header("location").unwrap();
    let mut begun = 0;
    for address in 0..45 {
        for _ in 0..25 {
            let address = format!("198.51.100.{address}");
            begun += usize::from(begin_from(&scene, &mut Browser::public(), &address).await.status() == 303);
        }
    }
    assert!(begun > 1_000, "a flood of {begun}");
    let back = browser.get(&scene.running, &scene.way_back(&url)).await;
    assert_eq!(back.status(), 303, "{back:?}");
    assert_eq!(scene.sessions(), 1);
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_in_the_browser_in_which_it_began() {
    let scene = Scene::new().await;
    let (mut attacker, mut victim) = (Browser::public(), Browser::public());
    let url = scene.begin(&mut attacker, "%2F").await;
    let back = scene.way_back(&url);
    // A link to the end of the attacker's login, in the browser of a victim: without a login, and in the middle of one.
    victim.get(&scene.running, &back).await.is(400, "no login under way");
    scene.begin(&mut victim, "%2F").await;
    victim.get(&scene.running, &back).await.is(502, "The login failed");
    // Another server of the domain has planted the cookie of the attacker.
    let tossed = attacker.cookies[0].replace("__Host-", "");
    let planted = Browser::public().with(&tossed).get(&scene.running, &back).await;
    planted.is(400, "no login under way");
    assert!(planted.headers("set-cookie").is_empty());
    assert_eq!(scene.sessions(), 0);
    // It still works where it began, once.
    let ended = attacker.clone().get(&scene.running, &back).await;
    assert_eq!(ended.status(), 303, "{ended:?}");
    attacker.get(&scene.running, &back).await.is(400, "no login under way");
    assert_eq!(scene.sessions(), 1);
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_from_before_the_login_ends() {
    let scene = Scene::new().await;
    let mut browser = Browser::public();
    scene.log_in(&mut browser, "%2F").await;
    let old = browser.clone();
    scene.log_in(&mut browser, "%2F").await;
    assert_ne!(browser.cookies, old.cookies);
    assert_eq!(old.clone().get(&scene.running, "/").await.status(), 303);
    assert_eq!(scene.sessions(), 1);
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_leads_to_this_host() {
    let scene = Scene::new().await;
    for next in
        ["%2F%2Fevil.example", "https%3A%2F%2Fevil.example", "%2F%5Cevil.example", "%2Fkeys%0D%0AX%3A+y"]
    {
        let back = scene.log_in(&mut Browser::public(), next).await;
        assert_eq!(back.header("location").as_deref(), Some("/"), "{next}: {back:?}");
    }
    // Neither a parameter of the callback nor headers of the request lead elsewhere.
    let mut browser = Browser::public();
    let headers =
        [("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example"), ("accept", "text/html")];
    let led = browser.get_with(&scene.running, "/login/provider?next=%2F", &headers).await;
    let url = led.header("location").unwrap();
    assert!(!url.contains("evil"), "{url}");
    let back =
        format!("{}&next=%2F%2Fevil.example&redirect_uri=https%3A%2F%2Fevil.example", scene.way_back(&url));
    let led = browser.get(&scene.running, &back).await;
    assert_eq!(led.header("location").as_deref(), Some("/"), "{led:?}");
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_shows_no_secret_and_begins_no_session() {
    let scene = Scene::new().await;
    let mut browser = Browser::public();
    let url = scene.begin(&mut browser, "%2F").await;
    let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let secrets = [SECRET, state, "code-of-somebody"];
    for (query, status) in [
        ("code=code-of-somebody&state=wrong".to_owned(), 502),
        (format!("code=code-of-somebody&state={state}"), 502),
        (format!("code=code-of-somebody&state={state}&state={state}"), 502),
        (format!("code=code-of-somebody&state={state}&iss=https%3A%2F%2Fevil.example"), 502),
        (format!("error=access_denied&error_description=%3Cb%3Ebold&state={state}"), 403),
    ] {
        // Each attempt uses up its login.
        let mut fresh = Browser::public();
        let own = scene.begin(&mut fresh, "%2F").await;
        let own = own.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let answer =
            fresh.get(&scene.running, &format!("/login/callback?{}", query.replace(state, &own))).await;
        assert_eq!(answer.status(), status, "{query}: {answer:?}");
        for secret in secrets.iter().chain([&own.as_str()]) {
            assert!(!answer.0.contains(*secret), "{query} shows {secret}: {answer:?}");
        }
        assert!(!answer.body().contains("<b>bold"), "{answer:?}");
    }
    scene.op.state().claims = json!({ "nonce": "of-another-login" });
    let answer = scene.log_in(&mut Browser::public(), "%2F").await;
    answer.is(502, "The login failed; the log of keysweep says why.");
    assert_eq!(scene.sessions(), 0);
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_what_their_groups_give_and_an_address_only_if_verified() {
    let scene = Scene::new().await;
    scene.op.state().claims = json!({ "groups": ["Security", "security ", "ops"] });
    let mut browser = Browser::public();
    scene.log_in(&mut browser, "%2F").await;
    browser.get(&scene.running, "/").await.is(403, "has no role");
    scene.op.state().claims = json!({ "groups": [], "email": "dana@example.com", "email_verified": false });
    scene.log_in(&mut browser, "%2F").await;
    browser.get(&scene.running, "/").await.is(403, "has no role");
    let engine = scene.running.daemon.engine();
    let list = engine.sessions().list(engine.config().http.session, engine.clock().operational());
    let unverified = list.iter().all(|session| !format!("{:?}", session.who).contains("dana@example.com"));
    assert!(unverified, "{list:?}");
    scene.running.stop().await;
}
