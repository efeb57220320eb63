//! Made-up organizations: any facts, any policy, and any past that the transition function allows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keysweep_core::facts::{AccountFacts, Fact, Inventory, KeyFacts, KeyStatus, LastUse, Tags};
use keysweep_core::finding::FindingKind;
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::{Change, Consent, Overlay, Seen};
use keysweep_core::plan::{self, Plan};
use keysweep_core::policy::{ApprovalFor, Exemption, Match, Mode, Override, Policy, Resolution, TermsPatch};
use keysweep_core::state::{Actor, Body, Entry, TripReason};
use keysweep_core::ticket::Action;
use proptest::prelude::*;

use crate::journal::{EVENTS, Fill, fills, mk_event, mk_fill};
use crate::mk::*;

fn or_unknown<T: std::fmt::Debug + Clone + 'static>(
    known: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Fact<T>> {
    prop_oneof![19 => known.prop_map(Fact::Known), 1 => Just(Fact::Unknown("denied".into()))]
}

fn keys() -> impl Strategy<Value = Vec<KeyFacts>> {
    let status = prop_oneof![
        6 => Just(KeyStatus::Active),
        3 => Just(KeyStatus::Inactive),
        1 => Just(KeyStatus::Other("Expired".into()))
    ];
    let last_use = prop_oneof![
        2 => Just(LastUse::Never),
        8 => (-300..40i64).prop_map(|at| used_at(day(at))),
        1 => Just(LastUse::At { at: day(-150), service: Some("ses".into()), region: None })
    ];
    let tags = prop_oneof![Just(Tags::default()), Just(Tags::from([("Keep".into(), "yes".into())]))];
    let path = prop_oneof![Just("/".to_owned()), Just("/ci/".to_owned())];
    let key = (
        (0..3usize, any::<bool>(), 1..4usize),
        status,
        or_unknown(last_use),
        or_unknown(tags),
        or_unknown(path),
    );
    let key = key.prop_map(|((account, known, of_user), status, last_use, tags, path)| {
        let template = mk_key(0);
        KeyFacts {
            account: mk_account_id(account),
            user_id: if known || of_user > 1 {
                template.user_id.clone()
            } else {
                Fact::Unknown("denied".into())
            },
            path,
            tags,
            status,
            last_use,
            other_keys: mk_others(of_user - 1),
            ..template
        }
    });
    prop::collection::vec(key, 1..9).prop_map(|keys| {
        let numbered = keys.into_iter().enumerate().map(|(n, key)| {
            let own = mk_key(n);
            // Two neighbours share a user: siblings.
            let user_id = key.user_id.known().and(mk_key(n / 2).user_id.known().cloned());
            KeyFacts {
                key: own.key,
                user_name: mk_key(n / 2).user_name,
                user_id: user_id.map_or(Fact::Unknown("denied".into()), Fact::Known),
                ..key
            }
        });
        numbered.collect()
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let modes = prop::sample::select(vec![Mode::Observe, Mode::Deactivate, Mode::Delete, Mode::Delete]);
    let approval = prop::sample::select(vec![ApprovalFor::None, ApprovalFor::None, ApprovalFor::Both]);
    let periods = (0..100u32, 0..100u32, 0..10u32, 0..20u32, 1..20u32, 0..3u32);
    let rules = (any::<bool>(), any::<bool>(), any::<bool>(), prop::option::of(modes.clone()));
    let limits = (1..6u32, 1..6u32, 1..4u32, 4..12u32, 1..4u32);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), 0..40u32);
    (modes, approval, periods, rules, limits, flags).prop_map(
        |(mode, approval, periods, rules, limits, (required, adopt, hours, hold))| {
            let mut policy = mk_policy(mode);
            policy.notices.required = required && hold % 2 == 0;
            let base = &mut policy.base;
            base.approval = approval;
            (base.unused_after, base.never_used_after) = (days(periods.0), days(periods.1));
            (base.notice, base.grace) = (days(periods.2), days(periods.3));
            (base.approval_expires, base.approval_repeats) = (days(periods.4), periods.5);
            base.adopt_inactive = adopt;
            base.hold_after_reactivation = days(hold);
            if hours {
                base.hours = Some("05:00-19:00".parse().unwrap());
            }
            let (by_path, by_tag, by_user, other_mode) = rules;
            if by_path {
                let matches = Match { paths: vec!["/ci/".into()], ..Match::default() };
                let terms = TermsPatch { mode: other_mode, grace: Some(days(30)), ..TermsPatch::default() };
                policy.overrides.push(Override { matches, terms });
            }
            let exempt =
                |matches| Exemption { matches, reason: "ours".into(), until: "2026-02-20".parse().unwrap() };
            if by_tag {
                let user_tags = BTreeMap::from([("keep".into(), "y*".into())]);
                policy.exemptions.push(exempt(Match { user_tags, ..Match::default() }));
            }
            if by_user {
                policy.exemptions.push(exempt(Match { users: vec!["*-1".into()], ..Match::default() }));
            }
            let caps = &mut policy.limits;
            (caps.deactivations_per_day, caps.deletions_per_day) = (limits.0, limits.1);
            (caps.changes_per_account_per_day, caps.surge_keys) = (limits.2, limits.3);
            caps.failed_accounts = limits.4;
            caps.surge = 0.0;
            policy
        },
    )
}

/// A past that the transition function allows, and then a present.
pub(crate) fn worlds() -> impl Strategy<Value = World> {
    let past = prop::collection::vec((0..9usize, 0..EVENTS + 8, fills()), 0..16);
    let scripts = prop::collection::vec(0..5usize, 9);
    (keys(), policies(), past, scripts).prop_map(|(keys, policy, past, scripts)| {
        let mut world = World::new(policy, keys);
        for (n, script) in (0..world.keys.len()).zip(scripts) {
            follow(&mut world, n, script);
        }
        for at in [10, 20, 30, 38] {
            for account in 0..3 {
                // Few looks at long intervals: a whole grace period in four entries.
                if let Some(mut body) =
                    restraint(&world, 5, &Fill { hour: at * 24, number: account, ..mk_fill() })
                {
                    if let Body::AccountScanned { sighting, .. } = &mut body {
                        sighting.interval = days(10);
                    }
                    try_entry(&mut world, day(at), body);
                }
            }
        }
        for (key, event, fill) in past {
            if event < EVENTS {
                if key < world.keys.len() {
                    try_event(&mut world, key, event, &fill);
                }
            } else if let Some(body) = restraint(&world, event - EVENTS, &fill) {
                try_entry(&mut world, hours(fill.hour), body);
            }
        }
        world
    })
}

/// The beginning of a key's history: none, flagged and noticed, or deactivated and watched ever since.
fn follow(world: &mut World, key: usize, script: usize) {
    // Number 0: a notice under the shortest terms, which no policy undercuts.
    let fill = Fill { hour: -240, action: Action::Delete, flag: true, number: 0, ..mk_fill() };
    let deactivate = Fill { hour: 0, action: Action::Deactivate, ..fill.clone() };
    if script > 0 {
        try_event(world, key, 0, &fill);
        try_event(world, key, 3, &fill);
        world.keys[key].status = KeyStatus::Active;
    }
    if script > 2 {
        try_event(world, key, 12, &deactivate);
        try_event(world, key, 13, &deactivate);
        world.keys[key].status = KeyStatus::Inactive;
    }
}

fn try_event(world: &mut World, key: usize, event: usize, fill: &Fill) {
    let facts = world.keys[key].clone();
    let event = match mk_event(event, key / 2, fill) {
        KeyEvent::Seen(Seen::Flagged { mut named, .. }) => {
            named.created = facts.created;
            let last_use = facts.last_use.known().cloned().unwrap_or(LastUse::Never);
            let finding = match last_use {
                LastUse::Never => FindingKind::NeverUsed,
                LastUse::At { .. } => FindingKind::Unused,
            };
            KeyEvent::Seen(Seen::Flagged { finding, named, last_use })
        }
        // Decisions are about what is asked, and releases about a hold that there is.
        KeyEvent::Consent(Consent::Approved { action, reason, as_owner, .. }) => {
            let request = world.asked(key).map_or(0, |approval| approval.number);
            KeyEvent::Consent(Consent::Approved { action, request, reason, as_owner })
        }
        KeyEvent::Consent(Consent::Claimed { action, until, .. }) => {
            let request = world.asked(key).map_or(0, |approval| approval.number);
            KeyEvent::Consent(Consent::Claimed { action, request, until })
        }
        KeyEvent::Consent(Consent::Denied { action, reason, hold_until, .. }) => {
            let request = world.asked(key).map_or(0, |approval| approval.number);
            KeyEvent::Consent(Consent::Denied { action, request, reason, hold_until })
        }
        KeyEvent::Overlay(Overlay::HoldReleased { reason, .. }) => {
            let hold = world.record(key).and_then(|record| record.held()).map_or(0, |hold| hold.number);
            KeyEvent::Overlay(Overlay::HoldReleased { hold, reason })
        }
        KeyEvent::Overlay(Overlay::HoldExpired { .. }) => {
            let hold = world.record(key).and_then(|record| record.held()).map_or(0, |hold| hold.number);
            KeyEvent::Overlay(Overlay::HoldExpired { hold })
        }
        // Most records agree with the present, so that plans have something to go on with.
        KeyEvent::Change(Change::Deactivated { request_id, sighting, .. }) if fill.flag => {
            KeyEvent::Change(Change::Deactivated {
                request_id,
                sighting,
                last_use: facts.last_use.known().cloned().unwrap_or(LastUse::Never),
            })
        }
        other => other,
    };
    try_entry(world, hours(fill.hour), Body::Key { account: facts.account, key: facts.key, event });
}

pub(crate) fn try_entry(world: &mut World, at: Timestamp, body: Body) {
    let entry = Entry { seq: world.journal.len() as u64 + 1, at, actor: Actor::local("ada"), body };
    if world.state.replay(&entry).is_ok() {
        world.journal.push(entry);
    }
}

fn restraint(world: &World, n: usize, fill: &Fill) -> Option<Body> {
    let reason = fill.text.clone();
    let rare = fill.number == 0;
    Some(match n {
        0 if rare => Body::Paused { reason },
        1 if rare => Body::BreakerTripped { reason: TripReason::ClockSkew { seconds: 400 } },
        2 => Body::DueAccepted { keys: plan::newly_due(&world.state) },
        3 => Body::BreakerReset { reason, keys: plan::newly_due(&world.state), accounts: None },
        4 => Body::Resumed {
            pauses: world.state.control().pauses.iter().map(|pause| pause.number).collect(),
            reason,
        },
        5 => Body::AccountScanned {
            account: mk_account_id(fill.number as usize % 3),
            name: String::new(),
            ou_path: String::new(),
            sighting: mk_sighting(hours(fill.hour)),
            inactive: world.keys.iter().map(|key| key.key.clone()).collect(),
            inventory: Inventory::default(),
            untold: std::collections::BTreeSet::new(),
            unknown_keys: 0,
            report_generated_at: None,
            place: keysweep_core::facts::Place::default(),
        },
        6 if rare => {
            let facts = world.keys.get(fill.hour.unsigned_abs() as usize % world.keys.len())?;
            Body::ExemptionGranted {
                account: facts.account,
                user_id: facts.user_id.known().cloned(),
                user_name: facts.user_name.clone(),
                key: fill.flag.then(|| facts.key.clone()),
                reason,
                until: hours(fill.hour + 24 * 20),
            }
        }
        7 => {
            let exemption = world.state.control().exemptions.first()?;
            Body::ExemptionEnded { account: exemption.account, number: exemption.number, reason }
        }
        _ => return None,
    })
}

/// The hour at which the tests plan.
pub(crate) const NOW: i64 = 40 * 24 + 12;

pub(crate) fn plan_now(world: &World) -> Plan {
    plan::plan(hours(NOW), &world.policy, &world.state, &world.collection(hours(NOW)))
}

pub(crate) fn resolve(world: &World, facts: &KeyFacts) -> Result<Resolution, Vec<String>> {
    let account = AccountFacts { id: facts.account, ..mk_account(0) };
    plan::resolve(&world.context(hours(NOW)), &account, facts)
}

pub(crate) fn events_of(plan: &Plan, key: &KeyFacts) -> Vec<KeyEvent> {
    let of_key = plan.entries.iter().filter_map(|body| match body {
        Body::Key { key: id, event, .. } if *id == key.key => Some(event.clone()),
        _ => None,
    });
    of_key.collect()
}
