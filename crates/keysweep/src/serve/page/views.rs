//! Every view, with made-up documents.

mod content;
mod every;

use std::sync::LazyLock;

use keysweep_api::{KeyFilter, KeyOrder, ListAccounts, ListFindings, ListJournal};

use super::accounts::accounts;
use super::approvals::approvals;
use super::audit::audit;
use super::calendar::calendar;
use super::frame::{Can, Frame, SCRIPT, Said, policy_with, view_policy};
use super::holds::holds;
use super::key::key;
use super::keys::{Keys, keys};
use super::login::{Denied, Login, denied, login};
use super::notices::notices;
use super::overview::{Overview, overview};
use super::query::{Group, KeysQuery};
use super::samples::{self, Cast, NASTY, key_id, operator, stops, visitor};
use super::sessions::sessions;

const NONE: Cast = Cast { rows: 0, nasty: false };
const ONE: Cast = Cast { rows: 1, nasty: false };
const MANY: Cast = Cast { rows: 24, nasty: false };
const HOSTILE: Cast = Cast { rows: 24, nasty: true };

fn filter(cast: Cast) -> KeyFilter {
    KeyFilter {
        q: Some(cast.name(0, "deploy")),
        owner: Some(cast.name(1, "Dana Reyes")),
        state: Some("flagged".into()),
        ..KeyFilter::default()
    }
}

fn keys_view(frame: &Frame, cast: Cast, query: &KeysQuery) -> String {
    let found = samples::findings(cast);
    let groups = query.group.map(|_| samples::groups(cast, query)).unwrap_or_default();
    keys(frame, Keys { query, found: &found, groups: &groups }).unwrap()
}

fn overview_of(frame: &Frame, cast: Cast) -> String {
    let (status, next, breaker) = (samples::status(cast), samples::findings(cast), samples::breaker(cast));
    let breaker = (cast.rows > 0).then_some(&breaker);
    overview(frame, Overview { status: &status, next: &next, breaker }).unwrap()
}

/// Every view by its name, for somebody with this frame.
fn every(cast: Cast, frame: &Frame) -> Vec<(&'static str, String)> {
    let filtered = KeysQuery {
        list: ListFindings { filter: filter(cast), sort: KeyOrder::Idle, ..ListFindings::default() },
        group: None,
    };
    let grouping = |group| KeysQuery { group: Some(group), ..KeysQuery::default() };
    let (held, exempt) = samples::holds(cast);
    let journal = ListJournal { actor: Some(cast.name(0, "ann")), ..ListJournal::default() };
    let account = ListAccounts {
        q: Some(cast.name(0, "prod")),
        reach: Some("failed".into()),
        ..ListAccounts::default()
    };
    let back = |why| Denied { title: "Not permitted", why, back: "/keys" };
    let mut views = vec![
        ("overview", overview_of(frame, cast)),
        ("keys", keys_view(frame, cast, &KeysQuery::default())),
        ("keys-filtered", keys_view(frame, cast, &filtered)),
        ("keys-by-account", keys_view(frame, cast, &grouping(Group::Account))),
        ("keys-by-ou", keys_view(frame, cast, &grouping(Group::Ou))),
        ("key-flagged", key(frame, &key_id(0), &samples::key(cast, "flagged")).unwrap()),
        ("key-deactivated", key(frame, &key_id(0), &samples::key(cast, "deactivated")).unwrap()),
        ("key-gone", key(frame, &key_id(0), &samples::key(cast, "gone")).unwrap()),
        ("approvals", approvals(frame, &KeyFilter::default(), &samples::approvals(cast)).unwrap()),
        ("approvals-filtered", approvals(frame, &filter(cast), &samples::approvals(cast)).unwrap()),
        ("holds", holds(frame, &held, &exempt).unwrap()),
        ("accounts", accounts(frame, &account, &samples::accounts(cast)).unwrap()),
        ("audit", audit(frame, &journal, &samples::journal(cast)).unwrap()),
        ("calendar", calendar(frame, &samples::calendar(cast)).unwrap()),
        ("notices", notices(frame, &samples::notices(cast)).unwrap()),
        ("sessions", sessions(frame, &samples::sessions(cast)).unwrap()),
        ("denied", denied(frame, back(&cast.name(0, "Your role permits no deletion of this key."))).unwrap()),
        ("login", login(frame, sign_in(&cast.name(0, "Example SSO"), &cast.name(1, "/keys?q=a"))).unwrap()),
    ];
    of_demo(cast, frame, &mut views);
    views
}

#[cfg(not(feature = "demo"))]
fn of_demo(_: Cast, _: &Frame, _: &mut Vec<(&'static str, String)>) {}

/// The messages that the demo shows.
#[cfg(feature = "demo")]
fn of_demo(cast: Cast, frame: &Frame, views: &mut Vec<(&'static str, String)>) {
    use super::mailbox::mailbox;
    use super::samples::demo::{BASE, channels, letters, message, postings};
    use super::wall::{Wall, wall};
    let (channels, text) = (channels(cast), cast.name(0, "*A key*"));
    let messages: Vec<_> = cast.indexes().map(|index| message(cast, index)).collect();
    let channel = channels.first().map(|(name, _)| name.as_str());
    let shown = Wall {
        channels: &channels,
        channel,
        base: Some(BASE),
        messages: postings(&channels, &messages, &text),
    };
    views.push(("wall", wall(frame, &shown).unwrap()));
    views.push(("mailbox", mailbox(frame, &letters(cast)).unwrap()));
}

fn sign_in<'a>(provider: &'a str, next: &'a str) -> Login<'a> {
    Login { provider: Some(provider), tokens: true, failure: Some("Unknown or revoked token."), next }
}

/// Everything by everybody.
static ALL: LazyLock<Vec<(String, String)>> = LazyLock::new(every_page);

fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().map(|(name, html)| (name.as_str(), html.as_str()))
}

fn every_page() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (size, cast) in [("none", NONE), ("one", ONE), ("many", MANY), ("hostile", HOSTILE)] {
        let here = "/keys?q=a&state=flagged";
        let said = |good| Some(Said { good, text: cast.name(0, "The key is on hold until 2026-12-22.") });
        let stopped = Frame { stops: stops(cast), said: said(false), ..operator(cast, here) };
        let observing = Frame { mode: "observe".into(), ..visitor(cast, here) };
        let frames = [
            ("operator", Frame { said: said(true), ..operator(cast, here) }),
            ("stopped", stopped),
            ("visitor", observing),
        ];
        for (who, frame) in frames {
            let pages = every(cast, &frame).into_iter();
            all.extend(pages.map(|(view, html)| (format!("{size}-{who}-{view}"), html)));
        }
    }
    all
}

fn view(name: &str) -> &'static str {
    all().find(|(it, _)| *it == name).unwrap().1
}

/// The values of an attribute.
fn values<'a>(html: &'a str, before: &str) -> Vec<&'a str> {
    html.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Every tag that begins like this.
fn tags<'a>(html: &'a str, begins: &[&str]) -> Vec<&'a str> {
    let (_, body) = html.split_once("<body").unwrap();
    let of = |begin: &&str| {
        body.match_indices(*begin)
            .map(|(at, _)| &body[at..=at + body[at..].find('>').unwrap()])
            .collect::<Vec<_>>()
    };
    begins.iter().flat_map(of).collect()
}
