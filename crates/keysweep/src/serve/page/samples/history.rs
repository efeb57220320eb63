//! Entries of the journal, one of each.

use std::collections::BTreeSet;
use std::time::Duration;

use keysweep_core::evidence::{Activity, TracedCall, UserChange};
use keysweep_core::facts::LastUse;
use keysweep_core::finding::FindingKind;
use keysweep_core::lifecycle::event::{Change, ClearedWhy, Consent, Note, Overlay, Purpose, Seen};
use keysweep_core::lifecycle::{KeyEvent, Named, NoticeTerms, RefusedKind, Shown, Sighting};
use keysweep_core::notice::{Audience, Recipient};
use keysweep_core::references::{Reference, ReferenceCleared};
use keysweep_core::state::{Actor, Body, Configuration, Entry, Term, TokenUse, TripReason};
use keysweep_core::ticket::{Action, Origin, Planned};

use super::{Cast, ago, key_id, now};

/// A use.
fn used() -> LastUse {
    LastUse::At { at: ago(24 * 120), service: Some("s3".into()), region: Some("eu-central-1".into()) }
}

fn sighting() -> Sighting {
    Sighting { at: now(), run: 1, monotonic: Duration::ZERO, interval: Duration::from_secs(3_600) }
}

fn call(cast: Cast) -> TracedCall {
    TracedCall {
        at: ago(10),
        by: cast.name(0, "arn:aws:iam::111122223333:user/bob"),
        address: Some(cast.name(1, "192.0.2.7")),
        user_agent: Some(cast.name(2, "APN/1.0 HashiCorp/1.0 Terraform/1.9")),
        event_id: None,
    }
}

/// People by every way in.
fn actors(cast: Cast) -> [Actor; 6] {
    let name = |index, usual| cast.name(index, usual);
    [
        Actor::Oidc { subject: "00u1".into(), name: name(0, "Ann Example") },
        Actor::Local { user: "root".into(), login: Some(name(1, "bob")) },
        Actor::Token { name: name(2, "ci"), by: TokenUse::Api },
        Actor::Token { name: name(2, "ann"), by: TokenUse::Page },
        Actor::Slack { id: "U1".into(), name: name(3, "Carol") },
        Actor::Link { owner: name(4, "Dana Reyes") },
    ]
}

fn entry(seq: usize, actor: Actor, body: Body) -> Entry {
    Entry { seq: seq as u64 + 1, at: ago(2_000 - i64::try_from(seq).unwrap() * 12), actor, body }
}

/// Everything that can happen to a key. People act through every channel in turn.
pub(in crate::serve::page) fn every_key_event(cast: Cast) -> Vec<Entry> {
    let why = |usual: &str| cast.name(0, usual);
    let day = |days: u64| Duration::from_secs(days * 86_400);
    let terms = NoticeTerms { threshold: day(90), notice: day(14), grace: day(30), approval: false };
    let shown = Shown {
        user_name: "ci-deploy".parse().unwrap(),
        finding: FindingKind::Unused,
        last_use: used(),
        keys_of_user: 1,
        reactivated: 0,
        owner: None,
    };
    let activity = Activity {
        at: ago(30),
        region: "eu-central-1".into(),
        source: Some("s3.amazonaws.com".into()),
        name: Some("ListBuckets".into()),
        address: Some(cast.name(1, "192.0.2.7")),
        user_agent: Some(cast.name(2, "aws-cli/2.15")),
        error: None,
        event_id: None,
    };
    let named = Named {
        user_id: "AIDAIOSFODNN7EXAMPLE".parse().unwrap(),
        user_name: "ci-deploy".parse().unwrap(),
        created: ago(24 * 900),
    };
    let hold_until = ago(-700);
    let (action, request) = (Planned::Deactivate, 120);
    let by = Origin::Operator { actor: actors(cast)[0].clone(), reason: why("ticket 4711") };
    let intent = |action, origin| Change::Intent {
        action,
        origin,
        why: why("unused for 120 days"),
        deadline: now(),
        quarantine: None,
    };
    let noticed = |send| Consent::Noticed {
        deactivation: Some(ago(-300)),
        deletion: Some(ago(-900)),
        terms: terms.clone(),
        owner: Some(cast.name(1, "Dana Reyes")),
        send,
        decoy: false,
    };
    let events: Vec<KeyEvent> = vec![
        Seen::Flagged { finding: FindingKind::Unused, named: named.clone(), last_use: used() }.into(),
        Seen::Flagged { finding: FindingKind::NeverUsed, named, last_use: LastUse::Never }.into(),
        Note::OwnerFound { owner: None }.into(),
        noticed(true).into(),
        noticed(false).into(),
        Consent::NoticeDelivered {
            notice: 4,
            message: 5,
            to: cast.name(2, "Dana Reyes"),
            via: "dana@example.com".parse().unwrap(),
        }
        .into(),
        Consent::NoticeUndelivered { notice: 4, message: Some(5), why: why("550 no such mailbox") }.into(),
        Consent::ReminderDue { action }.into(),
        Consent::OwnerMissing { decoy: false }.into(),
        Consent::NoticeVoided { why: why("the owner changed"), keeps: None }.into(),
        Consent::ApprovalAsked {
            action,
            expires: ago(-200),
            repeats: 0,
            why: why("policy: approval = both"),
            needed: 2,
            by_owner: false,
            shown,
        }
        .into(),
        Consent::Claimed { action, request, until: ago(-1) }.into(),
        Consent::Approved { action, request, reason: why("checked with the team"), as_owner: false }.into(),
        Consent::Denied { action, request, reason: why("still in use"), hold_until }.into(),
        Consent::ApprovalUnanswered { action }.into(),
        Consent::ApprovalVoided { why: why("last use changed") }.into(),
        Note::BecameDue { action }.into(),
        Note::NotDue.into(),
        intent(Action::Quarantine, Origin::Policy).into(),
        Change::Quarantined { request_id: None }.into(),
        Overlay::QuarantineInterrupted { why: why("the key was used"), hold_until: Some(hold_until) }.into(),
        Change::QuarantineEnded { request_id: None, hold_until: None }.into(),
        Seen::UsedInQuarantine { last_use: used(), hold_until }.into(),
        Seen::QuarantineRemoved.into(),
        intent(Action::Deactivate, Origin::Policy).into(),
        Change::Accepted { action: Action::Deactivate, request_id: "7a62c49f".into() }.into(),
        Change::Unclear { action: Action::Deactivate, accepted: false, detail: why("timeout") }.into(),
        Change::Refused { action: Action::Deactivate, kind: RefusedKind::Denied, detail: why("denied") }
            .into(),
        Change::Deactivated { request_id: None, last_use: used(), sighting: sighting() }.into(),
        Seen::LastUseMoved { last_use: used() }.into(),
        Note::ActivitySeen { activity }.into(),
        Note::UserChanged { change: UserChange { name: "CreateAccessKey".into(), call: call(cast) } }.into(),
        Note::NoLongerNeeded.into(),
        intent(Action::Reactivate, by).into(),
        Change::Undone { request_id: None, hold_until }.into(),
        Seen::Reactivated { hold_until }.into(),
        Note::ReactivationTraced { reactivation: call(cast) }.into(),
        Note::ReactivationsCleared { reason: why("Terraform is fixed") }.into(),
        Overlay::HoldPlaced { reason: why("audit"), until: Some(hold_until) }.into(),
        Overlay::HoldEnding { hold: 77 }.into(),
        Overlay::HoldReleased { hold: 77, reason: why("audit done") }.into(),
        Overlay::HoldExpired { hold: 78 }.into(),
        Overlay::ExemptBegan {
            rule: "policy.exempt[1]".into(),
            reason: why("break-glass"),
            until: hold_until,
        }
        .into(),
        Overlay::ExemptEnding.into(),
        Overlay::ExemptEnded.into(),
        Overlay::IncidentBegan { policies: vec!["AWSCompromisedKeyQuarantineV3".into()] }.into(),
        Overlay::IncidentEnded.into(),
        Note::Renamed { user_name: "ci-deploy-2".parse().unwrap() }.into(),
        Seen::Cleared { why: ClearedWhy::UsedAgain }.into(),
        Seen::Adopted { last_use: used(), sighting: sighting() }.into(),
        Seen::Absent.into(),
        Seen::SeenAgain.into(),
        Note::BundleWritten { bundle: [7; 32].into(), purpose: Purpose::Deletion }.into(),
        Change::Deleted { request_id: None }.into(),
        Seen::ListedAfterDeletion.into(),
        Note::Forgotten { unsettled: Some(Action::Delete), reason: why("account closed") }.into(),
    ];
    let acted = |event: &KeyEvent| {
        let people = [
            "claimed",
            "approved",
            "denied",
            "hold_placed",
            "hold_released",
            "forgotten",
            "no_longer_needed",
        ];
        people.contains(&event.name()) || event.name() == "reactivations_cleared"
    };
    let actors = actors(cast);
    let body = |event| Body::Key {
        account: "111122223333".parse().unwrap(),
        key: key_id(0).parse().unwrap(),
        event,
    };
    let actor = |index: usize, event: &KeyEvent| {
        if acted(event) { actors[index % actors.len()].clone() } else { Actor::Keysweep }
    };
    events
        .into_iter()
        .enumerate()
        .map(|(index, event)| entry(index, actor(index, &event), body(event)))
        .collect()
}

/// Everything that can happen beside keys.
pub(in crate::serve::page) fn every_body(cast: Cast) -> Vec<Entry> {
    let why = |usual: &str| cast.name(0, usual);
    let account = || "111122223333".parse().unwrap();
    let reference = || Reference { rule: "policy.exempt[1]".into(), what: cast.name(1, "user break-glass") };
    let keys: BTreeSet<_> = [key_id(1).parse().unwrap(), key_id(2).parse().unwrap()].into();
    let term = Term { before: Some("observe".into()), now: Some("deactivate".into()) };
    let changed =
        ["policy.mode", "policy.notice", "policy.grace", "http.listen"].map(|it| (it.into(), term.clone()));
    let to = Recipient {
        name: cast.name(2, "Dana Reyes"),
        addresses: vec!["dana@example.com".parse().unwrap()],
        audience: Audience::Owner,
    };
    let people = actors(cast);
    let bodies = vec![
        (
            None,
            Body::Started {
                version: "0.1.0".into(),
                run: 1,
                configuration: Configuration::default(),
                changed: [].into(),
            },
        ),
        (Some(1), Body::Configured { configuration: Configuration::default(), changed: changed.into() }),
        (None, Body::AccountFailed { account: account(), name: why("prod"), reason: why("throttled") }),
        (None, Body::AccountSkipped { account: account(), name: why("old"), reason: why("SUSPENDED") }),
        (None, Body::AccountLeft { account: account() }),
        (
            None,
            Body::ChangeFailed {
                account: account(),
                key: key_id(0).parse().unwrap(),
                action: Action::Deactivate,
                kind: RefusedKind::Denied,
                why: why("could not assume the role"),
            },
        ),
        (Some(0), Body::AccountUnparked { account: account(), reason: why("role fixed") }),
        (None, Body::DueAccepted { keys: keys.clone() }),
        (None, Body::BreakerTripped { reason: TripReason::Surge { newly_due: 90, limit: 20 } }),
        (Some(0), Body::BreakerReset { reason: why("expected after the merger"), keys, accounts: None }),
        (Some(2), Body::Paused { reason: why("incident 42") }),
        (Some(3), Body::Resumed { pauses: [88, 90].into(), reason: why("over") }),
        (None, Body::ReferenceMissing { reference: reference() }),
        (None, Body::ReferenceCleared { reference: reference(), why: ReferenceCleared::Found }),
        (Some(0), Body::RuleAcknowledged { reference: reference(), reason: why("known") }),
        (
            Some(0),
            Body::ExemptionGranted {
                account: account(),
                user_id: None,
                user_name: "ci-deploy".parse().unwrap(),
                key: Some(key_id(0).parse().unwrap()),
                reason: why("migration in March"),
                until: now(),
            },
        ),
        (
            Some(0),
            Body::ExemptionGranted {
                account: account(),
                user_id: None,
                user_name: "ci-deploy".parse().unwrap(),
                key: None,
                reason: why("migration in March"),
                until: now(),
            },
        ),
        (Some(3), Body::ExemptionEnded { account: account(), number: 92, reason: why("migrated") }),
        (
            Some(1),
            Body::Restored {
                created_at: ago(90),
                version: "0.1.0".into(),
                last_seq: 512,
                sha256: "00".into(),
            },
        ),
        (None, Body::MessageComposed { to, items: [].into(), send_from: now(), give_up: now() }),
        (
            None,
            Body::MessageDelivered { message: 300, via: "dana@example.com".parse().unwrap(), posted: None },
        ),
        (None, Body::MessageUndeliverable { message: 300, why: why("550 no such mailbox") }),
        (None, Body::MessageWithdrawn { message: 300 }),
        (Some(0), Body::MessageRetried { message: 300, reason: why("mailbox exists now"), give_up: now() }),
        (
            None,
            Body::SweepFinished {
                took: Duration::from_secs(93),
                scanned: 1_498,
                failed: 3,
                skipped: 12,
                complete: true,
                keys: 0,
                unknown_keys: 0,
                stale: Some(348),
                idle_exemptions: [].into(),
                busy_exemptions: [].into(),
            },
        ),
    ];
    let actor = |by: Option<usize>| by.map_or(Actor::Keysweep, |index| people[index].clone());
    let all = bodies.into_iter().enumerate();
    all.map(|(index, (by, body))| entry(60 + index, actor(by), body)).collect()
}
