//! Owners of keys, who have no role: what they see and decide after login.

use std::collections::BTreeSet;

use keysweep::access::Who;
use secrecy::ExposeSecret as _;
use tokio::time::sleep;

use crate::http::browser::{Browser, PUBLIC};
use crate::http::world::{HOME, World};

const ISSUER: &str = "https://login.example.com";

/// A world in which owners approve.
async fn mk_world() -> World {
    let http = format!(
        "http.public_url = \"https://{PUBLIC}\"\nhttp.session.idle = \"30d\"\nhttp.session.lifetime = \"30d\""
    );
    let rest = format!("[http.oidc]\nissuer = {ISSUER:?}\nclient_id = \"keysweep\"\n");
    World::new("127.0.0.1", &http, "approval_by = [\"approver\", \"owner\"]", &rest).await
}

/// The browser of somebody who has logged in.
fn browser_of(world: &World, email: Option<&str>) -> Browser {
    let engine = world.running.daemon.engine();
    let who = Who::Oidc {
        issuer: ISSUER.into(),
        subject: email.unwrap_or("somebody").into(),
        name: "dana".into(),
        email: email.map(str::to_owned),
        groups: BTreeSet::new(),
    };
    let (cookie, _) = engine.sessions().begin(who, "test".into(), engine.clock().operational()).unwrap();
    Browser::public().with(&format!("__Host-keysweep_session={}", cookie.expose_secret()))
}

/// What is said after a decision about a key.
async fn decide(world: &World, browser: &mut Browser, key: &str, fields: &str) -> String {
    let csrf = browser.csrf(&world.running).await;
    let body = format!("csrf={csrf}&reason=x&next=%2Fapprovals&{fields}");
    let led = browser.post(&world.running, &format!("/keys/{key}/decide"), &body).await;
    assert_eq!(led.status(), 303, "{led:?}");
    let page = browser.get(&world.running, "/approvals").await;
    let (_, said) = page.body().split_once("id=\"said\"").unwrap_or_else(|| panic!("{page:?}"));
    said.split("</p>").next().unwrap().to_owned()
}

fn approve(world: &World, key: &str) -> String {
    format!("decision=approve&action=deactivate&request={}", world.request(key).unwrap())
}

fn granted(world: &World, key: &str) -> usize {
    let key = key.parse().unwrap();
    world.running.daemon.engine().store().read(|state| {
        let keysweep_core::lifecycle::State::Flagged(data) = &state.record(&key).unwrap().state else {
            return 0;
        };
        data.approval.as_ref().map_or(0, |approval| approval.granted.len())
    })
}

#[tokio::test(start_paused = true)]
async fn owners_see_and_approve_their_own_keys_only() {
    let world = mk_world().await;
    let mut dana = browser_of(&world, Some("Dana@Example.com"));
    let page = dana.get(&world.running, "/keys").await;
    page.is(200, &world.home);
    for path in
        ["/", "/keys", "/keys.csv", "/keys.json", "/approvals", "/holds", "/accounts", "/audit", "/calendar"]
    {
        let shown = dana.get(&world.running, path).await;
        shown.is(200, "");
        world.is_silent(path, shown.body());
    }
    dana.get(&world.running, "/notices").await.is(200, "");
    dana.get(&world.running, &format!("/keys/{}", world.home)).await.is(200, "ci-deploy");
    dana.get(&world.running, &format!("/keys/{}", world.away)).await.is(404, "Unknown key");
    // Their account is theirs no more than anybody else's.
    assert!(!dana.get(&world.running, "/accounts").await.body().contains(HOME));

    let others = approve(&world, &world.away);
    assert!(decide(&world, &mut dana, &world.away, &others).await.contains("Unknown key"));
    let refused = decide(&world, &mut dana, &world.mail, &approve(&world, &world.mail)).await;
    assert!(refused.contains("cannot approve request"), "keysweep protects it by itself: {refused}");
    for fields in [
        "decision=hold",
        "decision=reactivate",
        "decision=release&hold=1",
        "decision=deactivate",
        "decision=forget",
    ] {
        let refused = decide(&world, &mut dana, &world.home, fields).await;
        assert!(refused.contains("his requires the role"), "{fields}: {refused}");
    }
    let delete = format!("decision=delete&confirm={}", world.home);
    assert!(decide(&world, &mut dana, &world.home, &delete).await.contains("his requires the role operator"));
    assert_eq!([&world.home, &world.away, &world.mail].map(|key| granted(&world, key)), [0, 0, 0]);

    let done = decide(&world, &mut dana, &world.home, &approve(&world, &world.home)).await;
    assert!(done.contains("Approved the deactivation of"), "{done}");
    assert_eq!(granted(&world, &world.home), 1);
    world.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_is_no_longer_the_owner_decides_nothing() {
    let world = mk_world().await;
    let mut dana = browser_of(&world, Some("dana@example.com"));
    let before = approve(&world, &world.home);
    world.stage.company().sim.tag_user(HOME, "ci-deploy", "Owner", "erik@example.com");
    sleep(std::time::Duration::from_secs(2 * 86_400)).await;
    assert!(decide(&world, &mut dana, &world.home, &before).await.contains("Unknown key"));
    dana.get(&world.running, &format!("/keys/{}", world.home)).await.is(404, "Unknown key");
    assert_eq!(granted(&world, &world.home), 0);
    world.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_account_at_the_provider_alone_shows_nothing() {
    let world = mk_world().await;
    for email in [Some("mallory@example.com"), Some("dana@example.com.evil.example"), None] {
        let mut browser = browser_of(&world, email);
        for path in ["/", "/keys", "/keys.json", "/approvals", "/audit", "/calendar"] {
            let refused = browser.get(&world.running, path).await;
            refused.is(403, "has no role");
            world.is_silent(path, refused.body());
            assert!(!refused.body().contains(&world.home), "{refused:?}");
        }
    }
    world.running.stop().await;
}
