//! How sessions begin, live, and end.

use keysweep_api::Role;

use super::*;
use crate::config::Oidc;
use crate::token::{Digest, Token};

const LIFE: SessionLife =
    SessionLife { idle: Duration::from_secs(3_600), lifetime: Duration::from_secs(12 * 3_600) };

const ISSUER: &str = "https://login.example.com";

fn mk_http(tokens: Vec<Token>, issuer: Option<&str>) -> Http {
    let oidc = issuer.map(|issuer| Oidc {
        issuer: issuer.into(),
        client_id: "keysweep".into(),
        client_secret: None,
        scopes: Vec::new(),
        groups_claim: "groups".into(),
        roots: None,
    });
    Http {
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: None,
        public: None,
        tokens,
        socket: None,
        trusted_proxies: Vec::new(),
        oidc,
        session: LIFE,
    }
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + minutes * 60).unwrap()
}

fn dana() -> Who {
    Who::Oidc {
        issuer: ISSUER.into(),
        subject: "00u1".into(),
        name: "dana".into(),
        email: Some("dana@example.com".into()),
        groups: ["sec-keys".to_owned()].into(),
    }
}

fn begin(sessions: &Sessions, who: Who, minutes: i64) -> String {
    let (cookie, _) = sessions.begin(who, "192.0.2.7".into(), at(minutes)).unwrap();
    cookie.expose_secret().to_owned()
}

#[test]
fn a_session_survives_a_restart_and_its_cookie_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(dir.path());
    let cookie = begin(&sessions, dana(), 0);
    drop(sessions);
    let stored = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
    assert!(!stored.contains(&cookie), "{stored}");
    let again = Sessions::open(dir.path());
    assert_eq!(again.find(&cookie, LIFE, at(1)).unwrap().session.who, dana());
    assert!(again.find(&cookie.to_uppercase(), LIFE, at(1)).is_none());
    assert!(again.find("", LIFE, at(1)).is_none());
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_session_ends_when_idle_and_at_the_end_of_its_life() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(dir.path());
    let idle = begin(&sessions, dana(), 0);
    assert!(sessions.find(&idle, LIFE, at(59)).is_some());
    assert!(sessions.find(&idle, LIFE, at(118)).is_some(), "each use counts");
    assert!(sessions.find(&idle, LIFE, at(178)).is_none(), "an hour without use");
    assert!(sessions.find(&idle, LIFE, at(179)).is_none(), "and it stays over");
    let busy = begin(&sessions, dana(), 0);
    let used = (0..720).step_by(30).all(|minute| sessions.find(&busy, LIFE, at(minute)).is_some());
    assert!(used);
    assert!(sessions.find(&busy, LIFE, at(720)).is_none(), "twelve hours after the login");
}

#[test]
fn a_clock_that_was_set_back_keeps_no_session_alive() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(dir.path());
    let cookie = begin(&sessions, dana(), 1_000);
    assert!(sessions.find(&cookie, LIFE, at(996)).is_some(), "a usual correction");
    assert!(sessions.find(&cookie, LIFE, at(0)).is_none());
}

#[test]
fn every_login_has_a_cookie_and_a_form_token_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(dir.path());
    let (one, other) = (begin(&sessions, dana(), 0), begin(&sessions, dana(), 0));
    assert_ne!(one, other);
    let (one, other) =
        (sessions.find(&one, LIFE, at(0)).unwrap(), sessions.find(&other, LIFE, at(0)).unwrap());
    assert!(one.accepts(&one.csrf) && other.accepts(&other.csrf));
    assert!(!one.accepts(&other.csrf) && !one.accepts("") && !one.accepts(&one.csrf[1..]));
}

#[test]
fn sessions_are_ended_one_by_one_and_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(dir.path());
    let (one, other) = (begin(&sessions, dana(), 0), begin(&sessions, dana(), 0));
    let ended = sessions.end(|session| session.number == 1).unwrap();
    assert_eq!(ended.len(), 1);
    assert!(sessions.find(&one, LIFE, at(1)).is_none());
    assert!(sessions.find(&other, LIFE, at(1)).is_some());
    let again = Sessions::open(dir.path());
    assert!(again.find(&one, LIFE, at(1)).is_none(), "a restart does not bring it back");
    assert_eq!(again.list(LIFE, at(1)).iter().map(|session| session.number).collect::<Vec<_>>(), [2]);
    assert!(again.list(LIFE, at(10_000)).is_empty(), "those that are over are not listed");
}

#[test]
fn too_many_sessions_end_the_one_that_was_idle_the_longest() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(dir.path());
    let first = begin(&sessions, dana(), 0);
    {
        let mut inner = sessions.lock();
        for number in 2..=u64::try_from(MOST).unwrap() {
            let session = Session { number, who: dana(), since: at(1), seen: at(1), client: String::new() };
            inner.kept.sessions.insert(format!("{number}"), session);
        }
        inner.kept.next = 10_000;
    }
    let newest = begin(&sessions, dana(), 2);
    assert!(sessions.find(&first, LIFE, at(2)).is_none());
    assert!(sessions.find(&newest, LIFE, at(2)).is_some());
}

#[test]
fn a_damaged_file_ends_all_sessions() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(dir.path());
    let cookie = begin(&sessions, dana(), 0);
    for damage in
        ["", "{", "[]", "{\"next\":1,\"sessions\":{\"a\":1}}", "{\"next\":1,\"sessions\":{},\"x\":1}"]
    {
        std::fs::write(dir.path().join(FILE), damage).unwrap();
        assert!(Sessions::open(dir.path()).find(&cookie, LIFE, at(1)).is_none(), "{damage:?}");
    }
}

#[test]
fn what_a_decision_came_to_is_said_once_and_to_its_session_only() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(dir.path());
    let (one, other) = (begin(&sessions, dana(), 0), begin(&sessions, dana(), 0));
    let live = |cookie: &str| sessions.find(cookie, LIFE, at(0)).unwrap();
    let said = Said { good: true, text: "Paused.".into() };
    sessions.say(&live(&one), said.clone());
    assert_eq!(sessions.heard(&live(&other)), None);
    assert_eq!(sessions.heard(&live(&one)), Some(said.clone()));
    assert_eq!(sessions.heard(&live(&one)), None);
    let gone = live(&one);
    sessions.end(|session| session.number == 1).unwrap();
    sessions.say(&gone, said);
    assert!(sessions.lock().said.is_empty(), "nothing is kept for a session that is over");
}

fn holding(holder: Holder, role: Role) -> Holding {
    Holding { holder, grant: Grant::everywhere(role) }
}

#[test]
fn roles_follow_from_the_configuration_at_each_request() {
    let holdings = [
        holding(Holder::OidcGroup("sec-keys".into()), Role::Approver),
        holding(Holder::OidcGroup("other".into()), Role::Operator),
        holding(Holder::OidcSubject("00u2".into()), Role::Operator),
        holding(Holder::LocalUser("dana".into()), Role::Operator),
        holding(Holder::SlackUser("00u1".into()), Role::Operator),
    ];
    let http = mk_http(Vec::new(), Some(ISSUER));
    let caller = dana().caller(&http, &holdings).unwrap();
    assert_eq!(caller.best_role(), Some(Role::Approver), "a name of another kind is another person");
    assert_eq!(caller.email(), Some("dana@example.com"));
    assert_eq!(dana().caller(&http, &[]).unwrap().best_role(), None);
    for other in [None, Some("https://login.example.org"), Some("https://login.example.com/")] {
        let caller = dana().caller(&mk_http(Vec::new(), other), &holdings);
        assert!(caller.is_none(), "a subject of another provider is another person: {other:?}");
    }

    let token = Token { name: "ci".into(), role: Role::Viewer, digest: Digest::of("one"), scope: None };
    let who = Who::Token { name: "ci".into(), sha256: Digest::of("one").to_hex() };
    assert_eq!(who.caller(&mk_http(vec![token.clone()], None), &[]).unwrap().best_role(), Some(Role::Viewer));
    let replaced = Token { digest: Digest::of("two"), ..token.clone() };
    assert!(
        who.caller(&mk_http(vec![replaced], None), &[]).is_none(),
        "another token of the same name is another"
    );
    let renamed = Token { name: "cd".into(), ..token };
    assert!(who.caller(&mk_http(vec![renamed], None), &[]).is_none());
    assert!(who.caller(&mk_http(Vec::new(), None), &[]).is_none(), "a revoked token ends its session");
}
