//! A made-up organization with one of everything, told by the entries that would have led to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside of test functions"
)]
#![allow(dead_code, reason = "no test that includes this file needs all of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::{
    AccountFacts, AccountScan, Collection, Fact, IdleHistogram, Inventory, KeyFacts, KeyStatus, LastUse,
    Outcome, Source, Tags,
};
use keysweep_core::finding::{Counts, FindingKind};
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::event::{Change, Consent, Note, Overlay, Seen};
use keysweep_core::lifecycle::{KeyEvent, Named, NoticeTerms, Shown, Sighting};
use keysweep_core::notice::{Audience, Recipient};
use keysweep_core::owner::{Confidence, Contact, Listed, Owner, OwnerSource};
use keysweep_core::policy::{DAY, Mode, Policy};
use keysweep_core::state::{Actor, Body, Entry, State};
use keysweep_core::ticket::{Action, Origin, Planned};

/// What everything here is told as of.
pub(crate) const NOW: &str = "2026-11-22T02:30:00Z";

/// Scanned.
pub(crate) const PROD: &str = "111122223333";
/// Scanned once, and failing since. Its name wants escaping everywhere.
pub(crate) const ACME: &str = "222233334444";
/// Suspended.
pub(crate) const OLD: &str = "333344445555";
/// Left, with a key in the lifecycle.
pub(crate) const SOLD: &str = "444455556666";
/// Never scanned.
pub(crate) const NEW: &str = "555566667777";

/// The instant of [`NOW`].
pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// So many days before [`NOW`].
pub(crate) fn days_ago(days: i64) -> Timestamp {
    now() - SignedDuration::from_hours(24 * days)
}

/// A policy that deactivates without delivered notices.
pub(crate) fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.notices.required = false;
    policy.base.mode = Mode::Deactivate;
    policy.base.unused_after = 90 * DAY;
    policy
}

/// The same policy where owners are looked for everywhere.
pub(crate) fn policy_with_owners() -> Policy {
    let mut policy = policy();
    policy.owners.sources = vec![
        OwnerSource::UserTags,
        OwnerSource::KeyDescription,
        OwnerSource::Creator,
        OwnerSource::AccountTags,
        OwnerSource::AccountEmail,
    ];
    policy.owners.default = Some("security@example.com".into());
    policy
}

/// The entries of the journal, with their times, oldest first.
pub(crate) fn entries() -> Vec<(Timestamp, Body)> {
    let mut told: Vec<(Timestamp, Body)> = vec![
        (days_ago(40), scanned(PROD, "prod", "Root/Workloads", days_ago(40), 40)),
        (days_ago(40), scanned(ACME, "ac<me> & \"s\u{f6}hne\"", "Root", days_ago(40), 7)),
        (days_ago(40), scanned(SOLD, "sold", "Root", days_ago(40), 3)),
        (days_ago(40), failed(NEW, "new", "assume role keysweep/KeysweepScan in 555566667777: denied")),
        (days_ago(40), skipped(OLD, "old", "the account is SUSPENDED")),
    ];
    // alice waits for approval, bob is deactivated and quiet, carol is deactivated and in use, dave is on hold.
    for user in ["alice", "bob", "carol", "dave"] {
        told.push((days_ago(40), flagged(PROD, user)));
    }
    told.push((days_ago(40), flagged(SOLD, "erin")));
    told.push((days_ago(40), flagged(ACME, "<b>mallory</b>")));
    for user in ["alice", "bob", "carol"] {
        let period = |days: u64| std::time::Duration::from_secs(days * 86_400);
        let (threshold, notice, grace) = (period(90), period(7), period(14));
        let terms = NoticeTerms { threshold, notice, grace, approval: false };
        let noticed = KeyEvent::Consent(Consent::Noticed {
            deactivation: Some(days_ago(33)),
            deletion: None,
            terms,
            owner: None,
            send: false,
            decoy: false,
        });
        told.push((days_ago(40), key(PROD, user, noticed)));
    }
    let asked = KeyEvent::Consent(Consent::ApprovalAsked {
        action: Planned::Deactivate,
        expires: days_ago(-10),
        repeats: 0,
        why: "policy: approval = both".into(),
        needed: 1,
        by_owner: false,
        shown: Shown {
            user_name: "alice".parse().unwrap(),
            finding: FindingKind::Unused,
            last_use: last_use(200),
            keys_of_user: 1,
            reactivated: 0,
            owner: None,
        },
    });
    told.push((days_ago(4), key(PROD, "alice", asked)));
    // Of alice's key nobody knows whose it is.
    for (user, email) in
        [("bob", Some("bob@example.com")), ("carol", None), ("dave", Some("eve@example.com"))]
    {
        let left =
            (user == "dave").then(|| Listed { says: "Dave".into(), name: "Dave".into(), manager: None });
        let owner = Owner {
            name: email.unwrap_or("somebody").into(),
            source: OwnerSource::UserTags,
            confidence: Confidence::Medium,
            contact: Contact { email: email.map(|email| email.parse().unwrap()), ..Contact::default() },
            listed: None,
            left,
        };
        let found = KeyEvent::Record(Note::OwnerFound { owner: Some(owner.into()) });
        told.push((days_ago(39), key(PROD, user, found)));
    }
    let held = KeyEvent::Overlay(Overlay::HoldPlaced { reason: "audit".into(), until: None });
    told.push((days_ago(20), key(PROD, "dave", held)));
    for user in ["bob", "carol"] {
        let (action, origin, why) = (Action::Deactivate, Origin::Policy, "unused".into());
        let intent = KeyEvent::Change(Change::Intent {
            action,
            origin,
            why,
            deadline: days_ago(29),
            quarantine: None,
        });
        told.push((days_ago(30), key(PROD, user, intent)));
        let done = KeyEvent::Change(Change::Deactivated {
            request_id: None,
            last_use: last_use(200),
            sighting: sighting(days_ago(30)),
        });
        told.push((days_ago(30), key(PROD, user, done)));
    }
    told.push((
        days_ago(10),
        key(PROD, "carol", KeyEvent::Seen(Seen::LastUseMoved { last_use: last_use(29) })),
    ));
    told.push((
        days_ago(1),
        key(PROD, "alice", KeyEvent::Record(Note::BecameDue { action: Planned::Deactivate })),
    ));
    told.push((days_ago(2), failed(ACME, "ac<me> & \"s\u{f6}hne\"", "get the credential report: throttled")));
    told.push((days_ago(2), Body::AccountLeft { account: SOLD.parse().unwrap() }));
    // What the team is to be told has not reached anybody yet.
    let to = Recipient {
        name: "security@example.com".into(),
        addresses: vec!["security@example.com".parse().unwrap()],
        audience: Audience::Team,
    };
    let (send_from, give_up) = (days_ago(1), days_ago(0));
    told.push((days_ago(1), Body::MessageComposed { to, items: [].into(), send_from, give_up }));
    told.push((days_ago(0), scanned(PROD, "prod", "Root/Workloads", days_ago(0), 38)));
    let counts =
        Counts::new([(FindingKind::Unused, 4), (FindingKind::NeverUsed, 1), (FindingKind::OverAge, 2)], 1);
    told.push((days_ago(0), Body::AccountFindings { account: PROD.parse().unwrap(), findings: counts }));
    told.push((
        days_ago(0),
        Body::SweepFinished {
            took: Duration::from_millis(93_500),
            scanned: 1,
            failed: 2,
            skipped: 1,
            complete: true,
            keys: 0,
            unknown_keys: 0,
            stale: None,
            idle_exemptions: std::collections::BTreeSet::new(),
            busy_exemptions: std::collections::BTreeSet::new(),
        },
    ));
    told
}

/// The state that the entries lead to.
pub(crate) fn state() -> State {
    let mut state = State::default();
    add(&mut state, entries());
    state
}

/// Adds entries by `keysweep` to a state.
pub(crate) fn add(state: &mut State, entries: Vec<(Timestamp, Body)>) {
    for (index, (at, body)) in entries.into_iter().enumerate() {
        let seq = u64::try_from(index).unwrap() + 1;
        state.replay(&Entry { seq, at, actor: Actor::Keysweep, body }).unwrap();
    }
}

/// What a sweep at [`NOW`] sees of PROD.
pub(crate) fn collection() -> Collection {
    let scan = AccountScan {
        sighting: sighting(now()),
        keys: ["alice", "bob", "carol", "dave"].map(|name| std::sync::Arc::new(facts(name))).to_vec(),
        absent: BTreeSet::new(),
        unread_users: BTreeMap::new(),
        unread_rows: Vec::new(),
        root_keys_unknown: None,
        inventory: inventory(38),
        report_generated_at: Some(now()),
        fallback: None,
        met: Default::default(),
    };
    let account = AccountFacts {
        id: PROD.parse().unwrap(),
        name: "prod <1>".into(),
        email: Fact::Known(String::new()),
        management: false,
        ous: Fact::NotRead,
        tags: Fact::NotRead,
    };
    Collection {
        at: now(),
        accounts: vec![(account, Outcome::Scanned(Box::new(scan)))],
        complete: false,
        ous: None,
        skew: None,
    }
}

fn facts(user: &str) -> KeyFacts {
    let inactive = ["bob", "carol"].contains(&user);
    KeyFacts {
        account: PROD.parse().unwrap(),
        user_name: user.parse().unwrap(),
        user_id: Fact::Known(format!("AIDA{:0>16}", user.to_uppercase()).parse().unwrap()),
        path: Fact::Known("/".into()),
        tags: Fact::Known(Tags::default()),
        key: key_id(user),
        created: days_ago(400),
        status: if inactive { KeyStatus::Inactive } else { KeyStatus::Active },
        last_use: Fact::Known(last_use(if user == "carol" { 29 } else { 200 })),
        source: Source::Live,
        other_keys: Vec::new(),
        policies: Fact::NotRead,
        password: Fact::NotRead,
        policy_denies: Fact::NotRead,
        trail: Fact::NotRead,
    }
}

fn last_use(days: i64) -> LastUse {
    LastUse::At { at: days_ago(days), service: Some("s3".into()), region: Some("eu-west-1".into()) }
}

/// The key of a user, by the letters of its name.
pub(crate) fn key_id(user: &str) -> AccessKeyId {
    let letters: String = user.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("AKIA{:0>16}", letters.to_uppercase()).parse().unwrap()
}

fn key(account: &str, user: &str, event: KeyEvent) -> Body {
    Body::Key { account: account.parse().unwrap(), key: key_id(user), event }
}

fn flagged(account: &str, user: &str) -> Body {
    let letters: String = user.chars().filter(char::is_ascii_alphanumeric).collect();
    let named = Named {
        user_id: format!("AIDA{:0>16}", letters.to_uppercase()).parse().unwrap(),
        user_name: user.parse().unwrap(),
        created: days_ago(400),
    };
    key(
        account,
        user,
        KeyEvent::Seen(Seen::Flagged { finding: FindingKind::Unused, named, last_use: last_use(200) }),
    )
}

fn scanned(account: &str, name: &str, ou_path: &str, at: Timestamp, active: u64) -> Body {
    let account: AccountId = account.parse().unwrap();
    Body::AccountScanned {
        account,
        name: name.into(),
        ou_path: ou_path.into(),
        sighting: sighting(at),
        inactive: BTreeSet::new(),
        inventory: inventory(active),
        untold: std::collections::BTreeSet::new(),
        unknown_keys: u64::from(active == 38),
        report_generated_at: Some(at),
        place: keysweep_core::facts::Place::default(),
    }
}

fn inventory(active: u64) -> Inventory {
    let mut idle = IdleHistogram::default();
    for number in 0..active {
        idle.add(Duration::from_secs(86_400 * 15 * number), number % 5 == 0);
    }
    Inventory {
        users: active,
        active_keys: active,
        inactive_keys: 2,
        root_keys: (active != 7).then_some(u64::from(active == 38)),
        oldest_active_key: Some(days_ago(900)),
        idle,
    }
}

fn failed(account: &str, name: &str, reason: &str) -> Body {
    Body::AccountFailed { account: account.parse().unwrap(), name: name.into(), reason: reason.into() }
}

fn skipped(account: &str, name: &str, reason: &str) -> Body {
    Body::AccountSkipped { account: account.parse().unwrap(), name: name.into(), reason: reason.into() }
}

fn sighting(at: Timestamp) -> Sighting {
    Sighting { at, run: 1, monotonic: Duration::ZERO, interval: Duration::from_secs(6 * 3600) }
}
