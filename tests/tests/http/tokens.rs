//! Which listener takes which token for what.

use keysweep::token::Role;

use crate::http::stage::{Running, Stage, mk_certificate, mk_token, request, with_token};

const LOOKER: &str = "keysweep_token_looker";
const BOSS: &str = "keysweep_token_boss";

fn mk_tokens() -> String {
    mk_token("looker", Role::Viewer, LOOKER) + &mk_token("boss", Role::Operator, BOSS)
}

fn get(path: &str) -> String {
    request("GET", path, &[])
}

fn reload(headers: &[(&str, &str)]) -> String {
    request("POST", "/-/reload", headers)
}

/// What everybody may ask wherever he reaches a listener.
async fn is_open(running: &Running) {
    running.ask(&get("/metrics")).await.is(200, "keysweep_build_info");
    running.ask(&get("/-/healthy")).await.is(200, "keysweep works");
    assert!([200, 503].contains(&running.ask(&get("/-/ready")).await.status()));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_without_tokens_everything_can_be_read_and_a_reload_says_why_not() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", "").await;
    is_open(&running).await;
    running.ask(&get("/")).await.is(200, "<html");
    for headers in [&[][..], &[("authorization", "Bearer keysweep_token_boss")]] {
        let refused = running.ask(&reload(headers)).await;
        refused.is(403, "No token is configured");
        refused.is(403, "systemctl reload keysweep");
        assert_eq!(refused.header("www-authenticate"), None);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_a_reload_wants_the_token_of_an_operator() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    is_open(&running).await;

    let bare = "Bearer realm=\"keysweep\"".to_owned();
    let error = |code: &str| Some(format!("{bare}, error=\"{code}\""));
    let (boss, looker) = (format!("Bearer {BOSS}"), format!("Bearer {LOOKER}"));
    for (headers, status, text, challenge) in [
        (&[][..], 401, "Authentication required", Some(bare.clone())),
        (
            &[("authorization", "Basic Ym9zczpib3Nz")],
            401,
            "Send the token as Authorization: Bearer TOKEN.",
            Some(bare.clone()),
        ),
        (&[("authorization", "Bearer wrong")], 401, "Unknown or revoked token", error("invalid_token")),
        (&[("authorization", "Bearer ")], 400, "no token after Bearer", error("invalid_request")),
        (
            &[("authorization", boss.as_str()), ("authorization", boss.as_str())],
            400,
            "more than one Authorization header",
            error("invalid_request"),
        ),
        (
            &[("authorization", looker.as_str())],
            403,
            "requires the role operator; token looker has the role viewer",
            error("insufficient_scope").map(|text| text + ", scope=\"operator\""),
        ),
        (&[("authorization", boss.as_str())], 200, "in effect", None),
    ] {
        let answer = running.ask(&reload(headers)).await;
        answer.is(status, text);
        assert_eq!(answer.header("www-authenticate"), challenge, "{headers:?}");
        assert!(!answer.0.contains("keysweep_token_"), "{answer:?}");
    }
    running
        .ask(&reload(&[("authorization", &boss)]))
        .await
        .is(200, "tokens: looker (viewer), boss (operator)");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_another_address_without_tls_no_token_is_taken() {
    let stage = Stage::new();
    let running = stage.daemon("0.0.0.0", &mk_tokens()).await;
    is_open(&running).await;
    for headers in [&[][..], &[("authorization", "Bearer keysweep_token_boss")]] {
        running.ask(&request("GET", "/", headers)).await.is(403, "loopback address only");
        let refused = running.ask(&reload(headers)).await;
        refused.is(403, "Without TLS, tokens are accepted on a loopback address only");
        assert_eq!(refused.header("www-authenticate"), None);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_another_address_with_tls_the_page_wants_a_token_and_metrics_do_not() {
    let (stage, made) = (Stage::new(), mk_certificate());
    stage.put(&made.cert, &made.key);
    let running = stage.daemon("0.0.0.0", &(stage.tls() + &mk_tokens())).await;
    let ask = |text: String| {
        let (made, address) = (&made, running.address);
        async move { made.ask(address, &text).await }
    };
    ask(get("/metrics")).await.is(200, "keysweep_build_info");
    ask(get("/-/healthy")).await.is(200, "keysweep works");
    ask(get("/")).await.is(401, "Authentication required");
    ask(with_token("GET", "/", "wrong")).await.is(401, "Unknown or revoked token");
    ask(with_token("GET", "/", LOOKER)).await.is(200, "<html");
    ask(with_token("GET", "/", BOSS)).await.is(200, "<html");
    ask(reload(&[])).await.is(401, "Authentication required");
    ask(with_token("POST", "/-/reload", LOOKER)).await.is(403, "requires the role operator");
    ask(with_token("POST", "/-/reload", BOSS)).await.is(200, "over TLS until 2090-01-01T00:00:00Z");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_another_address_with_tls_and_no_tokens_there_are_only_metrics_and_health() {
    let (stage, made) = (Stage::new(), mk_certificate());
    stage.put(&made.cert, &made.key);
    let running = stage.daemon("0.0.0.0", &stage.tls()).await;
    made.ask(running.address, &get("/metrics")).await.is(200, "keysweep_build_info");
    made.ask(running.address, &get("/")).await.is(403, "No token and no http.oidc is configured");
    made.ask(running.address, &reload(&[])).await.is(403, "No token is configured");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_wrong_tokens_are_put_off_and_lock_no_right_one_out() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let mut put_off = 0;
    for number in 0..20 {
        let answer = running.ask(&with_token("POST", "/-/reload", &format!("wrong{number}"))).await;
        match answer.status() {
            401 => assert_eq!(put_off, 0, "after {number}"),
            429 => {
                put_off += 1;
                answer.is(429, "Too many invalid tokens");
                assert_eq!(answer.header("retry-after").as_deref(), Some("6"));
            }
            other => panic!("{other}: {answer:?}"),
        }
    }
    assert!(put_off >= 5, "{put_off}");
    running.ask(&with_token("POST", "/-/reload", BOSS)).await.is(200, "in effect");
    running.ask(&reload(&[])).await.is(401, "Authentication required");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_reloads_nothing_though_it_had_a_token() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let boss = ("authorization", "Bearer keysweep_token_boss");
    for headers in [
        &[boss, ("origin", "https://evil.example")][..],
        &[boss, ("origin", "null")],
        &[boss, ("sec-fetch-site", "cross-site")],
    ] {
        running.ask(&reload(headers)).await.is(403, "Cross-site requests are refused");
    }
    let own = [boss, ("origin", "http://localhost"), ("sec-fetch-site", "same-origin")];
    running.ask(&reload(&own)).await.is(200, "in effect");
    // A name of somebody else's that leads to this machine.
    let foreign = reload(&[boss]).replace("host: localhost", "host: evil.example");
    running.ask(&foreign).await.is(403, "by the name localhost");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_bounded_and_ignored_and_other_methods_are_told_which_one() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let body = "x".repeat(4_000);
    let with_body =
        with_token("POST", "/-/reload", BOSS).replace("content-length: 0", "content-length: 4000") + &body;
    running.ask(&with_body).await.is(200, "in effect");
    let too_long =
        with_token("POST", "/-/reload", BOSS).replace("content-length: 0", "content-length: 1000000");
    assert_eq!(running.ask(&too_long).await.status(), 413);
    for method in ["GET", "PUT", "DELETE"] {
        let answer = running.ask(&with_token(method, "/-/reload", BOSS)).await;
        answer.is(405, "it takes POST");
        assert_eq!(answer.header("allow").as_deref(), Some("POST"));
    }
    running.ask(&request("POST", "/", &[])).await.is(405, "decisions are made by the forms of the page");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_beyond_reason_is_not_looked_at() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    running
        .ask(&with_token("POST", "/-/reload", &"a".repeat(8_000)))
        .await
        .is(400, "longer than any of ours");
    let answer = running.ask(&with_token("POST", "/-/reload", &"a".repeat(100_000))).await;
    assert!(answer.0.is_empty() || answer.status() == 431, "{answer:?}");
    running.ask(&get("/-/healthy")).await.is(200, "keysweep works");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loopback_page_is_not_open_behind_a_proxy() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", "").await;
    running.ask(&request("GET", "/", &[])).await.is(200, "<html");
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"] {
        let proxied = request("GET", "/", &[(header, "203.0.113.7")]);
        running.ask(&proxied).await.is(403, "set http.public_url");
        running.ask(&request("GET", "/metrics", &[(header, "203.0.113.7")])).await.is(200, "keysweep_");
    }
    running.stop().await;

    let stage = Stage::new();
    let running = stage
        .daemon(
            "127.0.0.1",
            &format!(
                "http.public_url = \"https://keysweep.example.com\"\n{}",
                mk_token("boss", Role::Operator, "keysweep_token_boss")
            ),
        )
        .await;
    let named = |text: String| text.replace("host: localhost", "host: keysweep.example.com");
    // Not every proxy says that it is one.
    running.ask(&request("GET", "/", &[])).await.is(401, "Authentication required");
    running.ask(&named(request("GET", "/", &[]))).await.is(401, "Authentication required");
    running
        .ask(&request("GET", "/", &[("x-forwarded-for", "203.0.113.7")]))
        .await
        .is(401, "Authentication required");
    running.ask(&named(with_token("GET", "/", "keysweep_token_boss"))).await.is(200, "<html");
    running.ask(&named(request("GET", "/", &[])).replace(".com", ".org")).await.is(403, "http.public_url");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_token_closes_the_page_on_loopback() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_token("looker", Role::Viewer, "keysweep_token_looker")).await;
    running.ask(&request("GET", "/", &[])).await.is(401, "Authentication required");
    running.ask(&with_token("GET", "/", "keysweep_token_looker")).await.is(200, "<html");
    running.ask(&request("GET", "/metrics", &[])).await.is(200, "keysweep_");
    running.stop().await;
    // One of an operator is there for reloads.
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_token("boss", Role::Operator, BOSS)).await;
    running.ask(&get("/")).await.is(200, "<html");
    running.ask(&with_token("GET", "/", "wrong")).await.is(401, "Unknown or revoked token");
    running.stop().await;
}
