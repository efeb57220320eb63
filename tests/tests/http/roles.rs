//! Who may do what, for every operation: somebody unknown, and each role in the whole organization and with a scope, asked
//! about an account in scope and about another one. An operation without a row fails.

use std::collections::BTreeSet;

use keysweep::access::{Caller, Grant};
use keysweep::operator::act;
use keysweep::token::Role;
use keysweep_api::{
    AcknowledgeRule, Decide, DecideApprovals, Decision, EndExemption, GatherEvidence, GrantExemption,
    KeyFilter, ListAccounts, ListApprovals, ListExemptions, ListFindings, ListHolds, ListJournal, ListKeys,
    ListNotices, ListRules, ListSessions, Operation, Pause, PreviewNotice, Refusal, ResetBreaker, Resume,
    RetryNotice, RevokeSessions, ShowBreaker, ShowCalendar, ShowEvidence, ShowKey, ShowPlan, ShowStatus,
    UnparkAccount, Verb, ViewJournal, Which, encode, operations,
};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::notice::NoticeKind;
use keysweep_core::policy::Match;
use keysweep_core::state::Actor;
use keysweep_core::ticket::Planned;
use keysweep_notify::FailureKind;
use serde_json::Value;

use crate::http::stage::{Answer, mk_token, post_as, request};
use crate::http::world::{AWAY, HOME, World};

const ROLES: [Role; 3] = [Role::Viewer, Role::Approver, Role::Operator];

/// A key that does not exist.
const NO_KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// Where a role has to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Organization,
    Anywhere,
    Account(&'static str),
    Key(&'static str),
}

/// Somebody who asks: a role, and whether it has a scope.
type Who = Option<(Role, bool)>;

/// What has to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Unauthenticated,
    Forbidden,
    /// As if the key did not exist.
    Hidden,
    Allowed,
}

/// One thing to ask.
struct Row {
    name: &'static str,
    /// The least role that the operation declares.
    declared: Role,
    role: Role,
    place: Place,
    verb: Verb,
    path: String,
    body: String,
    /// What is in the answer to those who may.
    answer: &'static str,
    /// Whether the answer lists keys or accounts.
    lists: bool,
}

fn row<O: Operation>(role: Role, place: Place, asked: &O, answer: &'static str) -> Row {
    let (path, body) = encode(asked).unwrap();
    let body = String::from_utf8(body).unwrap();
    Row { name: O::NAME, declared: O::ROLE, role, place, verb: O::VERB, path, body, answer, lists: false }
}

/// A list of what is visible.
fn list<O: Operation>(asked: &O, answer: &'static str) -> Row {
    Row { lists: true, ..row(Role::Viewer, Place::Anywhere, asked, answer) }
}

fn mk_decisions() -> Vec<(Role, Decision, &'static str)> {
    let request = || "7-deadbeef".parse().unwrap();
    let action = Planned::Deactivate;
    vec![
        (Role::Approver, Decision::Approve { action, request: request() }, "Nothing was decided"),
        (Role::Approver, Decision::Deny { action, request: request() }, "Nothing was decided"),
        (Role::Approver, Decision::Claim { action, request: request(), minutes: 9 }, "Nothing was decided"),
        (Role::Approver, Decision::Hold { length: None }, "is on hold until it is released"),
        (Role::Approver, Decision::Release { hold: Some(999_999) }, "has no hold 999999"),
        (Role::Approver, Decision::Reactivate {}, "there is nothing to undo"),
        (Role::Operator, Decision::ClearReactivations {}, "requires approval because of a reactivation"),
        (Role::Operator, Decision::Deactivate {}, "was not changed"),
        (Role::Operator, Decision::Forget {}, "can be forgotten"),
    ]
}

fn mk_grant(key: AccessKeyId, whole_user: bool) -> GrantExemption {
    GrantExemption { key, whole_user, until: "90d".parse().unwrap(), reason: "a test".into() }
}

fn rows(world: &World) -> Vec<Row> {
    use Place::{Account, Anywhere, Key, Organization};
    use Role::{Approver, Operator, Viewer};
    let reason = || "a test".to_owned();
    let many = DecideApprovals {
        filter: KeyFilter::default(),
        approve: true,
        count: 999,
        requests: Vec::new(),
        reason: reason(),
    };
    let reset = ResetBreaker { reason: reason(), confirm: "0-0".into() };
    let rule = AcknowledgeRule { id: "abcdef01".into(), reason: reason() };
    let mut rows = vec![
        row(Viewer, Anywhere, &ShowStatus {}, "\"mode\":\"delete\""),
        list(&ListFindings::default(), "\"findings\":"),
        list(&ShowPlan {}, "\"coverage\":"),
        list(&ShowCalendar {}, "\"days\":"),
        list(&ListAccounts::default(), "\"accounts\":"),
        list(&ListApprovals::default(), "\"approvals\":"),
        row(Approver, Anywhere, &many, "requests match now, not 999"),
        list(&ListHolds::default(), "\"holds\":"),
        Row { lists: false, ..list(&ListExemptions {}, "\"exemptions\":") },
        row(
            Operator,
            Anywhere,
            &EndExemption { number: 999_999, reason: reason() },
            "no granted exemption 999999",
        ),
        list(&ListJournal { limit: Some(1_000), ..ListJournal::default() }, "\"entries\":"),
        row(Operator, Organization, &ListSessions {}, "\"sessions\":[]"),
        row(
            Operator,
            Organization,
            &RevokeSessions { number: None, reason: reason() },
            "nobody is logged in",
        ),
        list(&ListKeys {}, "\"keys\":"),
        row(Operator, Organization, &Pause { reason: reason() }, "undo still works"),
        row(Operator, Organization, &Resume { which: Which::All(99), reason: reason() }, "not 99"),
        row(Viewer, Organization, &ListRules {}, "\"missing\":[]"),
        row(Operator, Organization, &rule, "no missing reference has the ID"),
        row(Viewer, Anywhere, &ShowBreaker {}, "\"open\":null"),
        row(Operator, Organization, &reset, "the circuit breaker is closed"),
        Row { lists: false, ..list(&ListNotices {}, "\"messages\":") },
        row(Operator, Organization, &RetryNotice { message: 1, reason: reason() }, "there is no message 1"),
        row(Operator, Organization, &ViewJournal {}, "\"view\":"),
    ];
    for (account, key) in [(HOME, &world.home), (AWAY, &world.away)] {
        let key = || key.parse().unwrap();
        let unpark = UnparkAccount { account: account.parse().unwrap(), reason: reason() };
        let preview = PreviewNotice { key: key(), kind: NoticeKind::Deleted };
        rows.extend([
            row(Viewer, Key(account), &ShowKey { key: key() }, "\"history\":"),
            row(Viewer, Key(account), &ShowEvidence { key: key() }, "\"sha256\":"),
            row(Approver, Key(account), &GatherEvidence { key: key() }, "\"sha256\":"),
            row(Viewer, Key(account), &preview, "\"subject\":"),
            row(Operator, Account(account), &unpark, "is not parked"),
            row(Operator, Key(account), &mk_grant(key(), false), "is exempt until"),
            row(Operator, Key(account), &mk_grant(key(), true), "is exempt with every key until"),
        ]);
        for (role, decision, answer) in mk_decisions() {
            let decide = Decide { key: key(), decision, reason: reason() };
            rows.push(row(role, Key(account), &decide, answer));
        }
        let confirm = Decision::Delete { confirm: key() };
        let delete = Decide { key: key(), decision: confirm, reason: reason() };
        rows.push(row(Operator, Key(account), &delete, "only a key that is deactivated can be deleted"));
    }
    rows
}

fn name_of<O: Operation>() -> &'static str {
    O::NAME
}

fn verdict(row: &Row, who: Who) -> Verdict {
    let Some((role, scoped)) = who else { return Verdict::Unauthenticated };
    if role < row.declared {
        // The same for every key: nothing is learned by it.
        return Verdict::Forbidden;
    }
    let enough = if role >= row.role { Verdict::Allowed } else { Verdict::Forbidden };
    match row.place {
        Place::Organization if scoped => Verdict::Forbidden,
        Place::Account(AWAY) if scoped => Verdict::Forbidden,
        Place::Key(AWAY) if scoped => Verdict::Hidden,
        Place::Organization | Place::Anywhere | Place::Account(_) | Place::Key(_) => enough,
    }
}

fn everybody() -> Vec<Who> {
    let scoped = |role| [Some((role, false)), Some((role, true))];
    [None].into_iter().chain(ROLES.into_iter().flat_map(scoped)).collect()
}

fn token(role: Role, scoped: bool) -> String {
    format!("keysweep_token_{role}_{scoped}")
}

/// A token for each role, in the whole organization and with a scope.
fn mk_tokens() -> String {
    let entries = everybody().into_iter().flatten().map(|(role, scoped)| {
        let scope = if scoped { format!("match.accounts = [{HOME:?}]\n") } else { String::new() };
        mk_token(&format!("{role}-{scoped}"), role, &token(role, scoped)) + &scope
    });
    entries.collect()
}

async fn ask(world: &World, row: &Row, who: Who) -> Answer {
    let bearer = who.map(|(role, scoped)| format!("Bearer {}", token(role, scoped)));
    let mut headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    let text = match row.verb {
        Verb::Get => request("GET", &row.path, &headers),
        Verb::Post => {
            headers.push(("content-type", "application/json"));
            post_as(&row.path, &headers, &row.body)
        }
    };
    world.running.ask(&text).await
}

/// Checks a refusal.
async fn is_refused(world: &World, row: &Row, who: Who, verdict: Verdict) {
    let answer = ask(world, row, who).await;
    let about = format!("{} at {:?} for {who:?}", row.name, row.place);
    let status = match verdict {
        Verdict::Unauthenticated => 401,
        Verdict::Forbidden => 403,
        Verdict::Hidden => 404,
        Verdict::Allowed => unreachable!(),
    };
    assert_eq!(answer.status(), status, "{about}: {answer:?}");
    assert!(!answer.0.contains("keysweep_token_"), "{about}: {answer:?}");
    let said = answer.body().replace(&world.away, NO_KEY);
    let whole = who.is_some_and(|(_, scoped)| !scoped);
    if !whole && !matches!(row.place, Place::Account(_)) {
        world.is_silent(&about, &said);
    }
    if verdict == Verdict::Hidden {
        let path = row.path.replace(&world.away, NO_KEY);
        let body = row.body.replace(&world.away, NO_KEY);
        let none = ask(world, &Row { path, body, ..*row }, who).await;
        assert_eq!(said, none.body(), "{about}: a key out of sight is like one that does not exist");
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_is_for_its_role_and_shows_what_is_in_scope() {
    let world = World::new("127.0.0.1", "", "", &mk_tokens()).await;
    let rows = rows(&world);
    let named: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    let all: BTreeSet<_> = operations!(name_of, name_of).into_iter().map(|name| name()).collect();
    assert_eq!(named, all, "each operation has a row");

    let before = world.decisions();
    let mut refused = 0;
    for row in &rows {
        for who in everybody() {
            let verdict = verdict(row, who);
            if verdict != Verdict::Allowed {
                is_refused(&world, row, who, verdict).await;
                refused += 1;
            }
        }
    }
    assert!(refused > 150, "{refused}");
    assert_eq!(world.decisions(), before, "what is refused changes nothing");

    for row in &rows {
        for who in everybody().into_iter().filter(|who| verdict(row, *who) == Verdict::Allowed) {
            let answer = ask(&world, row, who).await;
            let about = format!("{} at {:?} for {who:?}", row.name, row.place);
            assert!(![401, 403].contains(&answer.status()), "{about}: {answer:?}");
            assert!(answer.body().contains(row.answer), "{about}: {:?} in {answer:?}", row.answer);
            let scoped = who.is_some_and(|(_, scoped)| scoped);
            if scoped {
                world.is_silent(&about, answer.body());
            }
            if row.lists {
                assert!(answer.body().contains(HOME), "{about}: {answer:?}");
                assert!(scoped || answer.body().contains(AWAY), "{about}: {answer:?}");
            }
        }
    }
    world.running.stop().await;
}

/// What a viewer is shown, in the whole organization or with a scope.
async fn look(world: &World, path: &str, scoped: bool) -> Value {
    let bearer = format!("Bearer {}", token(Role::Viewer, scoped));
    let answer = world.running.ask(&request("GET", path, &[("authorization", &bearer)])).await;
    serde_json::from_str(answer.body()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn totals_and_rules_of_a_scope_count_nothing_else() {
    let world = World::new("127.0.0.1", "", "", &mk_tokens()).await;
    let status =
        |value: &Value| (value["approvals"].as_u64().unwrap(), value["sweep"]["scanned"].as_u64().unwrap());
    assert_eq!(status(&look(&world, "/api/v1/status", false).await), (3, 2));
    assert_eq!(status(&look(&world, "/api/v1/status", true).await), (2, 1));
    let exemptions = |value: &Value| value["exemptions"].as_array().unwrap().len();
    assert_eq!(exemptions(&look(&world, "/api/v1/exemptions", false).await), 1);
    assert_eq!(
        exemptions(&look(&world, "/api/v1/exemptions", true).await),
        0,
        "it names users of another account"
    );
    world.running.stop().await;
}

/// Asks as somebody with a token.
async fn ask_as<O: Operation>(world: &World, who: (Role, bool), asked: &O) -> Answer {
    ask(world, &row(O::ROLE, Place::Anywhere, asked, ""), Some(who)).await
}

#[tokio::test(start_paused = true)]
async fn a_scope_neither_shows_nor_ends_an_exemption_of_another_account() {
    let world = World::new("127.0.0.1", "", "", &mk_tokens()).await;
    let mut numbers = Vec::new();
    for key in [&world.home, &world.away] {
        let answer = ask_as(&world, (Role::Operator, false), &mk_grant(key.parse().unwrap(), true)).await;
        answer.is(200, "is exempt with every key until");
        numbers.push(
            world
                .running
                .daemon
                .engine()
                .store()
                .read(|state| state.control().exemptions.last().unwrap().number),
        );
    }
    let (whole, scoped) = ((Role::Operator, false), (Role::Operator, true));
    let listed = ask_as(&world, scoped, &ListExemptions {}).await;
    listed.is(200, &format!("\"number\":{}", numbers[0]));
    world.is_silent("list_exemptions", listed.body());
    let end = |number| EndExemption { number, reason: "over".into() };
    let hidden = ask_as(&world, scoped, &end(numbers[1])).await;
    let none = ask_as(&world, scoped, &end(999_999)).await;
    assert_eq!((hidden.status(), none.status()), (404, 404), "{hidden:?}");
    assert_eq!(hidden.body().replace(&numbers[1].to_string(), "999999"), none.body());
    ask_as(&world, (Role::Approver, false), &end(numbers[0])).await.is(403, "requires the role operator");
    // Who is an approver everywhere, and an operator in one account.
    let scope = Match { accounts: vec![HOME.parse().unwrap()], ..Match::default() };
    let grants = vec![
        Grant::everywhere(Role::Approver),
        Grant { scope: Some(scope), ..Grant::everywhere(Role::Operator) },
    ];
    let caller = Caller::new(Actor::local("mixed"), grants);
    let refused = act(world.running.daemon.engine(), &caller, end(numbers[1])).await.unwrap_err();
    assert!(matches!(refused, Refusal::Forbidden(_)), "{refused}");
    let grant = mk_grant(world.away.parse().unwrap(), false);
    let refused = act(world.running.daemon.engine(), &caller, grant).await.unwrap_err();
    assert!(matches!(refused, Refusal::Forbidden(_)), "{refused}");
    ask_as(&world, scoped, &end(numbers[0])).await.is(200, "has ended");
    ask_as(&world, scoped, &end(numbers[0])).await.is(404, "no granted exemption");
    ask_as(&world, whole, &end(numbers[1])).await.is(200, "has ended");
    let left = world.running.daemon.engine().store().read(|state| state.control().exemptions.len());
    assert_eq!(left, 0);
    world.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_exemption_ends_within_a_year() {
    let world = World::new("127.0.0.1", "", "", &mk_tokens()).await;
    let today = world.running.daemon.engine().clock().now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |days: i64| today.checked_add(jiff::Span::new().days(days)).unwrap().to_string();
    let grant = |until: &str| GrantExemption {
        until: until.parse().unwrap(),
        ..mk_grant(world.home.parse().unwrap(), false)
    };
    let operator = (Role::Operator, true);
    for until in [day(-1), "2001-01-01".to_owned()] {
        ask_as(&world, operator, &grant(&until)).await.is(409, "is in the past");
    }
    ask_as(&world, operator, &grant(&day(370))).await.is(409, "more than a year ahead");
    for until in [day(0), day(364), "1d".to_owned(), "365d".to_owned()] {
        ask_as(&world, operator, &grant(&until)).await.is(200, "is exempt until");
    }
    let ends =
        world.running.daemon.engine().store().read(|state| {
            state.control().exemptions.iter().map(|exemption| exemption.until).collect::<Vec<_>>()
        });
    let midnight = |day: String| format!("{day}T00:00:00Z").parse().unwrap();
    assert_eq!(ends[..2], [midnight(day(1)), midnight(day(365))], "the day itself is included");
    world.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_are_shown_to_those_who_see_every_key_in_them() {
    let world = World::young(Some(FailureKind::Temporary), "127.0.0.1", "", "", &mk_tokens()).await;
    let messages = |value: &Value| {
        let messages = value["messages"].as_array().unwrap().iter();
        messages.map(|row| row["recipient"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let all = messages(&look(&world, "/api/v1/notices", false).await);
    assert!(all.contains("eve@example.com") && all.contains("dana@example.com"), "{all:?}");
    let own = messages(&look(&world, "/api/v1/notices", true).await);
    assert!(own.contains("dana@example.com") && !own.contains("eve@example.com"), "{own:?}");
    world.running.stop().await;
}
