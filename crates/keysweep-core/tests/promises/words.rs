//! What people read: each sentence stands in a golden file.

use keysweep_core::evidence::Gap;
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::{Hold, HoldKind, Illegal, Incident};
use keysweep_core::plan::{Need, Recheck, Unknown, Wait};
use keysweep_core::policy::{ApprovalFor, Mode, Rule};
use keysweep_core::quarantine::QuarantinePolicy;
use keysweep_core::references::Reference;
use keysweep_core::state::{
    Actor, Control, MissingReference, Park, ParkReason, Pause, Reach, Stop, Trip, TripReason,
};
use keysweep_core::ticket::{Action, Planned};
use keysweep_core::words;

use crate::mk::*;

fn mk_pause(number: u64, reason: &str) -> Pause {
    Pause { number, by: Actor::local("ada"), reason: reason.into(), since: day(1) }
}

fn mk_hold(until: Option<jiff::Timestamp>) -> Hold {
    let (kind, by) = (HoldKind::Operator, Actor::local("ada"));
    Hold { number: 7, kind, by, reason: "backup job".into(), since: day(1), until, ending: false }
}

fn mk_park(reason: ParkReason) -> Park {
    let (key, action, detail) = (mk_key_id(0), Action::Delete, "AccessDenied".into());
    Park { since: day(1), reason, key, action, detail }
}

fn mk_reference() -> Reference {
    Reference { rule: "policy.exempt { users = [\"break-glass\"] }".into(), what: "user break-glass".into() }
}

fn trips() -> [TripReason; 4] {
    [
        TripReason::Surge { newly_due: 34, limit: 25 },
        TripReason::Shrink { before: 40, now: 30 },
        TripReason::Failures { accounts: 3, limit: 3 },
        TripReason::ClockSkew { seconds: -400 },
    ]
}

fn mk_parked(reason: ParkReason) -> Wait {
    Wait::Parked { account: mk_account_id(0), park: mk_park(reason), until: day(2) }
}

fn mk_approval(need: Need) -> Wait {
    Wait::Approval { need, given: 0, needed: 1, expires: day(14) }
}

/// The wait after this one in the golden file. Every variant names its successor, so that a new one does not compile
/// until it has its place.
fn following(wait: &Wait) -> Option<Wait> {
    Some(match wait {
        Wait::Mode { .. } => Wait::ReadOnly,
        Wait::ReadOnly => Wait::MaybeNotOurs,
        Wait::MaybeNotOurs => Wait::NotStale,
        Wait::NotStale => Wait::NoChannel,
        Wait::NoChannel => Wait::NoOwner,
        Wait::NoOwner => Wait::Delivery { since: day(1) },
        Wait::Delivery { .. } => {
            Wait::Undeliverable { why: "mail server smtp.example.com: 550 no such user".into() }
        }
        Wait::Undeliverable { .. } => Wait::Notice { ends: day(7), until: day(9) },
        Wait::Notice { .. } => mk_approval(Need::Policy(ApprovalFor::Both)),
        Wait::Approval { need, .. } => match need {
            Need::Policy(_) => mk_approval(Need::Reactivated(1)),
            Need::Reactivated(1) => mk_approval(Need::Reactivated(2)),
            Need::Reactivated(_) => mk_approval(Need::Honeytoken),
            Need::Honeytoken => mk_approval(Need::SesUser),
            Need::SesUser => mk_approval(Need::UsedWith("ses".into())),
            Need::UsedWith(_) => mk_approval(Need::Keys(3)),
            Need::Keys(_) => Wait::Window { opens: Some(day(3)) },
        },
        Wait::Window { .. } => Wait::Cap { action: Action::Quarantine, limit: 50 },
        Wait::Cap { action, .. } => match action {
            Action::Quarantine => Wait::Cap { action: Action::Deactivate, limit: 50 },
            Action::Deactivate => Wait::Cap { action: Action::Delete, limit: 20 },
            // An undo is under no cap.
            Action::Delete | Action::EndQuarantine | Action::Reactivate => Wait::AccountCap { limit: 5 },
        },
        Wait::AccountCap { .. } => Wait::CapUnknown { until: day(2) },
        Wait::CapUnknown { .. } => Wait::Breaker(trips()[0].clone()),
        Wait::Breaker(_) => Wait::Failing(trips()[2].clone()),
        Wait::Failing(_) => mk_parked(ParkReason::Precondition),
        Wait::Parked { park, .. } => match park.reason {
            ParkReason::Precondition => mk_parked(ParkReason::Refused),
            ParkReason::Refused => mk_parked(ParkReason::Repeated),
            ParkReason::Repeated => Wait::NotAccepted,
        },
        Wait::NotAccepted => Wait::Paused(vec![mk_pause(4, "audit"), mk_pause(9, "freeze")]),
        Wait::Paused(_) => Wait::Stopping,
        Wait::Stopping => Wait::Held { holds: vec![mk_hold(Some(day(8))), mk_hold(None)], until: None },
        Wait::Held { .. } => Wait::Resting { until: day(2) },
        Wait::Resting { .. } => {
            Wait::Exempt { rule: Rule::Exempt(2), reason: "break glass".into(), until: day(60) }
        }
        Wait::Exempt { rule: Rule::Exempt(_), .. } => {
            Wait::Exempt { rule: Rule::Granted(120), reason: "year end".into(), until: day(60) }
        }
        Wait::Exempt { .. } => {
            Wait::Incident(Incident { policies: vec!["AWSCompromisedKeyQuarantineV3".into()], since: day(1) })
        }
        Wait::Incident(_) => Wait::Reference(mk_reference()),
        Wait::Reference(_) => Wait::Evidence(Gap::NotRead),
        Wait::Evidence(gap) => match gap {
            Gap::NotRead => Wait::Evidence(Gap::Regions("list Regions of 111122223333: denied".into())),
            Gap::Regions(_) => Wait::Evidence(Gap::NoRegion),
            Gap::NoRegion => {
                Wait::Evidence(Gap::NoBundle("write /var/lib/keysweep/evidence/0f: no space left".into()))
            }
            Gap::NoBundle(_) => Wait::Evidence(Gap::Analyzer("denied".into())),
            Gap::Analyzer(_) => Wait::Evidence(Gap::NoLongerUnused { since: day(3) }),
            Gap::NoLongerUnused { .. } => {
                let unread = |region: &str| (region.to_owned(), "throttled".to_owned());
                let regions = [unread("eu-west-1"), unread("sa-east-1")].into();
                Wait::Evidence(Gap::Unread { regions, of: 17 })
            }
            Gap::Unread { .. } => Wait::Evidence(Gap::Unclear {
                region: "us-east-1".into(),
                why: "event without an ID: answer lacks EventTime".into(),
            }),
            Gap::Unclear { .. } => Wait::Grace { watched: days(3), grace: days(14), over: Some(day(12)) },
        },
        Wait::Grace { .. } => Wait::Quarantine { since: day(7), until: day(10) },
        Wait::Quarantine { .. } => Wait::OtherKey(mk_key_id(1)),
        Wait::OtherKey(_) => Wait::PolicyAttached(QuarantinePolicy::default()),
        Wait::PolicyAttached(_) => {
            Unknown::Facts(vec!["last use: denied".into(), "user ID: denied".into()]).into()
        }
        Wait::Unknown(unknown) => return following_unknown(unknown),
        Wait::Recheck(recheck) => return following_recheck(recheck),
    })
}

fn following_unknown(unknown: &Unknown) -> Option<Wait> {
    let next = match unknown {
        Unknown::Facts(_) => Unknown::Status("Expired".into()),
        Unknown::Status(_) => Unknown::Policies("denied".into()),
        Unknown::Policies(_) => Unknown::PoliciesNotRead,
        Unknown::PoliciesNotRead => Unknown::Identity,
        Unknown::Identity => Unknown::Outcome { accepted: Some("1111-2222".into()) },
        Unknown::Outcome { accepted: Some(_) } => Unknown::Outcome { accepted: None },
        Unknown::Outcome { accepted: None } => {
            Unknown::Failed("could not assume role KeysweepScan: denied".into())
        }
        Unknown::Failed(_) => Unknown::Bug("its events repeat".into()),
        Unknown::Bug(_) => {
            let key: AccessKeyId = mk_key_id(0);
            Unknown::Illegal(Illegal { key, state: "active", event: "not_due" })
        }
        Unknown::Illegal(_) => {
            let (since, reason) = (day(1), "organization.exclude_accounts".into());
            return Some(Recheck::Away(Reach::Skipped { since, reason }).into());
        }
    };
    Some(next.into())
}

fn following_recheck(recheck: &Recheck) -> Option<Wait> {
    let next = match recheck {
        Recheck::Away(_) => {
            Recheck::NotEntered { account: mk_account_id(0), why: "organization.exclude_accounts".into() }
        }
        Recheck::NotEntered { .. } => Recheck::NoRecord,
        Recheck::NoRecord => Recheck::NoUserId,
        Recheck::NoUserId => Recheck::AnotherKey,
        Recheck::AnotherKey => Recheck::NotLive,
        Recheck::NotLive => Recheck::UserGone,
        Recheck::UserGone => Recheck::Unread("key is not listed any more".into()),
        Recheck::Unread(_) => Recheck::Events(vec!["last_use_moved", "exempt_began"]),
        Recheck::Events(_) => Recheck::NotNoticed,
        Recheck::NotNoticed => Recheck::NotAsked,
        Recheck::NotAsked => Recheck::AnotherAnswer,
        Recheck::AnotherAnswer => Recheck::AnotherDecision,
        Recheck::AnotherDecision => Recheck::AnotherConfiguration,
        Recheck::AnotherConfiguration => Recheck::Undo,
        Recheck::Undo => Recheck::Late,
        Recheck::Late => Recheck::NothingToUndo("flagged"),
        Recheck::NothingToUndo(_) => Recheck::OtherKeyUsed(mk_key_id(1)),
        Recheck::OtherKeyUsed(_) => Recheck::PolicyGrants,
        Recheck::PolicyGrants => Recheck::NotInQuarantine,
        Recheck::NotInQuarantine => Recheck::NotByLink,
        Recheck::NotByLink => Recheck::Active,
        Recheck::Active => Recheck::Status("Expired".into()),
        Recheck::Status(_) => return None,
    };
    Some(next.into())
}

#[test]
fn every_wait_reads_as_it_did() {
    let first = Wait::Mode { mode: Mode::Observe, action: Planned::Deactivate };
    let waits = std::iter::successors(Some(first), following);
    let lines = waits.map(|wait| {
        let until = wait.until().map_or_else(|| "-".to_owned(), |at| at.to_string());
        format!("{} | {until} | {wait}\n", wait.reason().as_str())
    });
    crate::scan_document::assert_golden("waits.txt", &lines.collect::<String>());
}

#[test]
fn every_stop_reads_as_it_did() {
    let pause = mk_pause(9, "freeze");
    let trips = trips().map(|reason| Trip { reason, since: day(2) });
    let missing = MissingReference { reference: mk_reference(), since: day(3), acknowledged: None };
    let stops = [Stop::Paused(&pause)].into_iter().chain(trips.iter().map(Stop::Breaker));
    let lines = stops.chain([Stop::Reference(&missing)]).map(|stop| {
        format!(
            "{stop}\n  {}: {} (since {}, `{}`)\n  {}\n",
            words::title(stop),
            words::why(stop),
            stop.since(),
            words::remedy(stop),
            words::until_lifted(stop)
        )
    });
    crate::scan_document::assert_golden("stops.txt", &lines.collect::<String>());
}

#[test]
fn what_stops_changes_is_told_in_brief() {
    let trip = Trip { reason: trips()[0].clone(), since: day(2) };
    let brief = |pauses: &[Pause], breaker: Option<&Trip>| {
        let control = Control { pauses: pauses.to_vec(), breaker: breaker.cloned(), ..Control::default() };
        words::brief(control.stops(&mk_policy(Mode::Delete))).join(", ")
    };
    let missing = MissingReference { reference: mk_reference(), since: day(3), acknowledged: None };
    let control = Control { references: vec![missing], ..Control::default() };
    let of = |mode| words::brief(control.stops(&mk_policy(mode))).join(", ");
    assert_eq!(of(Mode::Delete), "stopped by a rule without effect");
    assert_eq!(of(Mode::Observe), "", "where nothing is changed it stops nothing");
    assert_eq!(brief(&[], None), "");
    assert_eq!(brief(&[mk_pause(4, "audit")], None), "paused");
    assert_eq!(
        brief(&[mk_pause(4, "audit"), mk_pause(9, "freeze")], Some(&trip)),
        "paused 2 times, circuit breaker open"
    );
}

#[test]
fn holds_have_the_names_of_json_and_messages() {
    let kinds = [
        HoldKind::Operator,
        HoldKind::Reactivated,
        HoldKind::Unclear,
        HoldKind::LastUseMoved,
        HoldKind::Denied,
        HoldKind::Unanswered,
        HoldKind::Transient,
    ];
    let names = ["operator", "reactivated", "unclear", "last_use_moved", "denied", "unanswered", "transient"];
    assert_eq!(kinds.map(HoldKind::as_str), names);
}
