//! Sessions of the page: what begins and ends them, and what does not count as one.

use keysweep::access::Who;
use keysweep::token::Role;

use crate::http::browser::{Browser, PUBLIC};
use crate::http::stage::{Running, Stage, mk_certificate, mk_token, request, with_token};

const BOSS: &str = "keysweep_token_boss";
const LOOKER: &str = "keysweep_token_looker";
const COOKIE: &str = "keysweep_session";
const SECURE: &str = "__Host-keysweep_session";
const ISSUER: &str = "https://login.example.com";

/// Every view.
pub(crate) const VIEWS: [&str; 12] = [
    "/",
    "/keys",
    "/keys.csv",
    "/keys.json",
    "/approvals",
    "/holds",
    "/accounts",
    "/audit",
    "/calendar",
    "/notices",
    "/sessions",
    "/keys/AKIAIOSFODNN7EXAMPLE",
];

fn mk_boss() -> String {
    mk_token("boss", Role::Operator, BOSS)
}

fn mk_tokens() -> String {
    mk_token("looker", Role::Viewer, LOOKER) + &mk_boss()
}

fn mk_oidc(issuer: &str) -> String {
    format!(
        "http.public_url = \"https://{PUBLIC}\"\n[http.oidc]\nissuer = {issuer:?}\nclient_id = \"keysweep\"\n{}\
         [[access]]\noidc_group = \"sec\"\nrole = \"operator\"\n",
        mk_boss()
    )
}

async fn reload(stage: &Stage, running: &Running, listen: &str, rest: &str) {
    stage.configure(listen, rest);
    running.ask(&with_token("POST", "/-/reload", BOSS)).await.is(200, "in effect");
}

/// A session of somebody whom the provider has named, with its cookie.
fn session_of(running: &Running, issuer: &str) -> String {
    let engine = running.daemon.engine();
    let who = Who::Oidc {
        issuer: issuer.into(),
        subject: "00u1".into(),
        name: "dana".into(),
        email: Some("dana@example.com".into()),
        groups: ["sec".to_owned()].into(),
    };
    let (cookie, _) = engine.sessions().begin(who, "test".into(), engine.clock().operational()).unwrap();
    format!("{SECURE}={}", secrecy::ExposeSecret::expose_secret(&cookie))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_begins_a_new_session_and_ends_the_old_one() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    // What somebody else has planted is not taken up.
    let planted = format!("{COOKIE}={}", "0".repeat(64));
    let mut browser = Browser::local().with(&planted);
    browser.log_in(&running, BOSS).await;
    let first = browser.cookies.clone();
    assert_eq!(first.len(), 1);
    assert!(!first.contains(&planted));
    Browser::local().with(&planted).get(&running, "/").await.is(303, "");
    browser.get(&running, "/").await.is(200, "token boss");
    browser.log_in(&running, LOOKER).await;
    assert_ne!(browser.cookies, first);
    browser.get(&running, "/").await.is(200, "token looker");
    let mut old = Browser { cookies: first, ..Browser::local() };
    assert_eq!(old.get(&running, "/").await.status(), 303, "the session from before is over");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_ends_the_session_on_the_server() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let mut browser = Browser::local();
    browser.log_in(&running, BOSS).await;
    let kept = browser.clone();
    let csrf = browser.csrf(&running).await;
    let out = browser.post(&running, "/logout", &format!("csrf={csrf}&next=%2F%2Fevil.example")).await;
    assert_eq!((out.status(), out.header("location").as_deref()), (303, Some("/login")));
    assert!(browser.cookies.is_empty());
    assert_eq!(kept.clone().get(&running, "/").await.status(), 303);
    assert_eq!(kept.clone().post(&running, "/pause", &format!("csrf={csrf}&reason=x")).await.status(), 401);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_takes_away_is_gone_at_once() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let mut browser = Browser::local();
    browser.log_in(&running, LOOKER).await;
    browser.get(&running, "/keys").await.is(200, "token looker");
    // A token that is revoked takes its sessions along, and one of the same name does not bring them back.
    reload(&stage, &running, "127.0.0.1", &(mk_boss() + &mk_token("looker", Role::Viewer, "another"))).await;
    assert_eq!(browser.get(&running, "/keys").await.status(), 303);
    let mut boss = Browser::local();
    boss.log_in(&running, BOSS).await;
    let csrf = boss.csrf(&running).await;
    stage.configure("127.0.0.1", &(mk_token("boss", Role::Viewer, BOSS)));
    running.ask(&with_token("POST", "/-/reload", BOSS)).await.is(200, "in effect");
    let refused = boss.post(&running, "/pause", &format!("csrf={csrf}&reason=x&next=%2F")).await;
    assert_eq!(refused.status(), 303);
    boss.get(&running, "/").await.is(200, "requires the role operator for the whole organization");
    assert_eq!(pauses(&running), 0);
    running.stop().await;
}

fn pauses(running: &Running) -> usize {
    running.daemon.engine().store().read(|state| state.control().pauses.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_with_their_provider_and_roles_with_their_entry() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_oidc(ISSUER)).await;
    let mut browser = Browser::public().with(&session_of(&running, ISSUER));
    browser.get(&running, "/").await.is(200, "dana (OIDC 00u1)");
    // Somebody of another provider who has the same subject.
    let mut stranger = Browser::public().with(&session_of(&running, "https://login.example.org"));
    assert_eq!(stranger.get(&running, "/").await.status(), 303);
    let none = mk_oidc(ISSUER).replace("\"sec\"", "\"others\"");
    reload(&stage, &running, "127.0.0.1", &none).await;
    browser.get(&running, "/").await.is(403, "has no role");
    reload(&stage, &running, "127.0.0.1", &mk_oidc(ISSUER)).await;
    browser.get(&running, "/").await.is(200, "dana (OIDC 00u1)");
    reload(&stage, &running, "127.0.0.1", &mk_oidc("https://login.example.org")).await;
    assert_eq!(browser.get(&running, "/").await.status(), 303, "another provider");
    let without = format!("http.public_url = \"https://{PUBLIC}\"\n{}", mk_boss());
    reload(&stage, &running, "127.0.0.1", &without).await;
    assert_eq!(browser.get(&running, "/").await.status(), 303, "no provider");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_only_the_cookie_of_this_host_counts() {
    let stage = Stage::new();
    let rest = format!("http.public_url = \"https://{PUBLIC}\"\n{}", mk_boss());
    let running = stage.daemon("127.0.0.1", &rest).await;
    let mut browser = Browser::public();
    let answer = browser.post(&running, "/login", &format!("token={BOSS}")).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with(&format!("{SECURE}=")), "{set}");
    for part in ["; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Domain"), "{set}");
    browser.get(&running, "/").await.is(200, "token boss");
    // Another server of the domain can set this one.
    let tossed = browser.cookies[0].replace(SECURE, COOKIE);
    assert_eq!(Browser::public().with(&tossed).get(&running, "/").await.status(), 303);
    running.stop().await;

    let plain = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let answer = Browser::local().post(&plain, "/login", &format!("token={BOSS}")).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with(&format!("{COOKIE}=")) && !set.contains("Secure"), "{set}");
    plain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_opens_neither_the_api_nor_a_reload() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let mut browser = Browser::local();
    browser.log_in(&running, BOSS).await;
    for path in ["/api/v1/keys", "/api/v1/status", "/api/v1/openapi.json"] {
        browser.get(&running, path).await.is(401, "Authentication required");
    }
    let json = [("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
    let paused = browser.post_with(&running, "/api/v1/pause", r#"{"reason":"x"}"#, &json).await;
    paused.is(401, "Authentication required");
    browser.post(&running, "/-/reload", "").await.is(401, "Authentication required");
    assert_eq!(pauses(&running), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_end_sessions_one_by_one_or_all() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let (mut boss, mut looker) = (Browser::local(), Browser::local());
    boss.log_in(&running, BOSS).await;
    looker.log_in(&running, LOOKER).await;
    let csrf = boss.csrf(&running).await;
    let page = boss.get(&running, "/sessions").await;
    page.is(200, "token looker");
    let secret = looker.cookies[0].split_once('=').unwrap().1.to_owned();
    assert!(!page.body().contains(&secret) && !page.body().contains(&hex_of(&secret)), "{page:?}");
    looker.get(&running, "/sessions").await.is(403, "requires the role operator");
    boss.post(&running, "/sessions/revoke", &format!("csrf={csrf}&reason=left&number=2&next=%2F")).await;
    assert_eq!(looker.get(&running, "/").await.status(), 303);
    boss.get(&running, "/").await.is(200, "Ended session 2 of token looker");
    looker.log_in(&running, LOOKER).await;
    boss.post(&running, "/sessions/revoke", &format!("csrf={csrf}&reason=all&number=&next=%2F")).await;
    for browser in [&mut boss, &mut looker] {
        assert_eq!(browser.get(&running, "/").await.status(), 303);
    }
    running.stop().await;
}

fn hex_of(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text))
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_after_its_time_and_a_restart_keeps_it() {
    let stage = Stage::new();
    let rest = format!("[http.session]\nidle = \"3d\"\nlifetime = \"3d\"\n{}", mk_tokens());
    let running = stage.daemon("127.0.0.1", &rest).await;
    let mut browser = Browser::local();
    browser.log_in(&running, BOSS).await;
    running.stop().await;
    let again = stage.daemon("127.0.0.1", &rest).await;
    browser.get(&again, "/").await.is(200, "token boss");
    tokio::time::advance(std::time::Duration::from_secs(3 * 86_400)).await;
    assert_eq!(browser.get(&again, "/").await.status(), 303);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_view_is_framed_cached_or_sniffed() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let mut browser = Browser::local();
    browser.log_in(&running, BOSS).await;
    for path in VIEWS.into_iter().chain(["/login", "/page.js", "/nothing", "/answer/x", "/api/v1/keys"]) {
        let answer = browser.get(&running, path).await;
        let policy = answer.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"), "{path}");
        assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy").as_deref(), Some("no-referrer"), "{path}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_here_opens_no_view() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", "").await;
    let page = running.ask(&request("GET", "/", &[])).await;
    for path in VIEWS.into_iter().chain(["/login", "/login/provider", "/login/callback", "/metrics"]) {
        let rebound = request("GET", path, &[]).replace("host: localhost", "host: evil.example");
        running.ask(&rebound).await.is(403, "by the name localhost");
    }
    for link in page.body().split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let path = link.split(['?', '#']).next().unwrap();
        let open = ["/metrics", "/-/healthy", "/-/ready", "/api/v1/openapi.json", "", "/login"];
        assert!(
            VIEWS.contains(&path) || open.contains(&path),
            "{link} is not among the views of these tests"
        );
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_no_view_shows_anything() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let mut boss = Browser::local();
    boss.log_in(&running, BOSS).await;
    let csrf = boss.csrf(&running).await;
    boss.post(&running, "/pause", &format!("csrf={csrf}&reason=the+merger&next=%2F")).await;
    boss.get(&running, "/").await.is(200, "the merger");
    for path in VIEWS {
        running.ask(&request("GET", path, &[])).await.is(401, "Authentication required");
        let led = Browser::local().get(&running, path).await;
        assert_eq!(led.status(), 303, "{path}");
        assert!(led.header("location").unwrap().starts_with("/login?next=%2F"), "{led:?}");
    }
    let page = Browser::local().get(&running, "/login").await;
    page.is(200, "name=\"token\"");
    assert!(!page.body().contains("the merger"), "{page:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_or_a_local_user_closes_the_page_on_loopback() {
    for rest in [
        mk_boss() + "match.accounts = [\"111122223333\"]\n",
        mk_boss() + "[[access]]\nlocal_user = \"dana\"\nrole = \"viewer\"\n",
    ] {
        let stage = Stage::new();
        let running = stage.daemon("127.0.0.1", &rest).await;
        running.ask(&request("GET", "/keys", &[])).await.is(401, "Authentication required");
        running.ask(&request("GET", "/api/v1/keys", &[])).await.is(401, "Authentication required");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarding_headers_count_from_trusted_proxies_only() {
    let stage = Stage::new();
    let mut https = Browser::public();
    let forwarded =
        [("x-forwarded-proto", "https"), ("x-forwarded-for", "203.0.113.9"), ("accept", "text/html")];
    for (proxies, status) in [("[\"127.0.0.0/8\"]", 303), ("[\"10.42.0.0/16\"]", 403), ("[]", 403)] {
        let rest = format!(
            "http.public_url = \"https://{PUBLIC}\"\nhttp.trusted_proxies = {proxies}\n{}",
            mk_boss()
        );
        let running = stage.daemon("0.0.0.0", &rest).await;
        assert_eq!(https.get_with(&running, "/", &forwarded).await.status(), status, "{proxies}");
        // Without https on the other side, or by another name, a proxy is no help.
        let plain = [("x-forwarded-proto", "http"), ("accept", "text/html")];
        https.get_with(&running, "/", &plain).await.is(403, "Without TLS");
        https.get_with(&running, "/", &[("accept", "text/html")]).await.is(403, "Without TLS");
        Browser::local().get_with(&running, "/", &forwarded).await.is(403, "Without TLS");
        let posted = [("content-type", crate::http::browser::FORM)];
        let body = format!("token={BOSS}");
        https
            .post_with(&running, "/login", &body, &posted)
            .await
            .is(403, "Replace a token that was sent here");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_from_elsewhere_sets_no_cookie() {
    let stage = Stage::new();
    let running = stage.daemon("0.0.0.0", &mk_tokens()).await;
    let mut browser = Browser::local();
    for path in VIEWS.into_iter().chain(["/login", "/login/provider"]) {
        browser.get(&running, path).await.is(403, "Without TLS");
    }
    let refused = browser.post(&running, "/login", &format!("token={BOSS}")).await;
    refused.is(403, "Without TLS");
    assert!(browser.cookies.is_empty());
    running.stop().await;
    // Over TLS, the page of a browser works without a proxy.
    let made = mk_certificate();
    stage.put(&made.cert, &made.key);
    let safe = stage.daemon("0.0.0.0", &(stage.tls() + &mk_tokens())).await;
    let form = crate::http::stage::post_as(
        "/login",
        &[("content-type", crate::http::browser::FORM)],
        &format!("token={BOSS}"),
    );
    let answer = made.ask(safe.address, &form).await;
    assert!(answer.header("set-cookie").unwrap().starts_with(&format!("{SECURE}=")), "{answer:?}");
    safe.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_at_the_login_are_bounded_and_not_repeated() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let mut statuses = Vec::new();
    for number in 0..20 {
        let body = format!("token=keysweep_token_wrong{number}&next=%2F");
        let answer = Browser::local().post(&running, "/login", &body).await;
        assert!(!answer.0.contains("keysweep_token_"), "{answer:?}");
        statuses.push(answer.status());
    }
    assert!(statuses[..10].iter().all(|status| *status == 401), "{statuses:?}");
    assert!(statuses[15..].iter().all(|status| *status == 429), "{statuses:?}");
    Browser::local().log_in(&running, BOSS).await;
    running.stop().await;
}
