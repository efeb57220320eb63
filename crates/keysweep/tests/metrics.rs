//! What Prometheus is told, against the catalogue.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keysweep::metrics::inventory::{Observed, Tally, families};
use keysweep::metrics::{LastBackup, Metrics, SlackEvent, SlackRefusal, render};
use keysweep_aws::{FaultKind, Observer};
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::{Change, Note};
use keysweep_core::notice::{Address, Audience, ChannelKind, Recipient};
use keysweep_core::plan::Reason;
use keysweep_core::state::{Actor, Body, Entry, State, TripReason};
use keysweep_core::ticket::{Action, Origin};
use keysweep_store::ErrorCounts;

use crate::described::{Described, described};
use crate::organization::{
    ACME, NEW, OLD, PROD, SOLD, add, collection, days_ago, key_id, now, policy_with_owners, state,
};

const CATALOGUE: &str = include_str!("golden/metrics-catalogue.prom");

/// The catalogue with the labels whose values it lists in full, for the families in which it does.
const CLOSED: [(&str, &str); 18] = [
    ("keysweep_slack_events_total", "event"),
    ("keysweep_slack_refusals_total", "reason"),
    ("keysweep_stale_keys", "reason"),
    ("keysweep_accounts", "outcome"),
    ("keysweep_accounts_by_mode", "mode"),
    ("keysweep_active_keys_by_idle", "bucket"),
    ("keysweep_key_signals_total", "signal"),
    ("keysweep_actions_total", "action"),
    ("keysweep_action_failures_total", "reason"),
    ("keysweep_actions_suppressed_total", "reason"),
    ("keysweep_audit_events_total", "sink"),
    ("keysweep_audit_failures_total", "sink"),
    ("keysweep_build_info", "none"),
    ("keysweep_paused", "none"),
    ("keysweep_scans_total", "none"),
    ("keysweep_approvals_pending", "none"),
    ("keysweep_keys_by_owner_source", "source"),
    ("keysweep_keys_of_departed_owners", "none"),
];

fn gauges(state: &State) -> String {
    let (policy, seen) = (policy_with_owners(), collection());
    let observed = Observed {
        now: now(),
        state,
        policy: &policy,
        scan_interval: Duration::from_secs(6 * 3600),
        seen: Some(&seen),
        idle_rules: Some(0),
        store_bytes: Some(123_456),
        evidence_bytes: Some((65_432, 4_096_000_000)),
    };
    render(families(&observed)).unwrap()
}

fn everything() -> String {
    let metrics = Metrics::new();
    metrics.call("iam:ListAccessKeys", Ok(()), Duration::from_millis(80));
    metrics.call("iam:ListAccessKeys", Err(FaultKind::Throttled), Duration::from_secs(31));
    metrics.config.loaded(days_ago(3));
    metrics.slack.open(2);
    metrics.slack.received(SlackEvent::Click);
    metrics.slack.refused(SlackRefusal::Forbidden);
    metrics.backups.set(Some(LastBackup::At(days_ago(1))));
    let (policy, seen, state) = (policy_with_owners(), collection(), state());
    let observed = Observed {
        now: now(),
        state: &state,
        policy: &policy,
        scan_interval: Duration::from_secs(6 * 3600),
        seen: Some(&seen),
        idle_rules: Some(0),
        store_bytes: Some(123_456),
        evidence_bytes: Some((65_432, 4_096_000_000)),
    };
    let mut all = metrics.families();
    all.extend(families(&observed));
    render(all).unwrap()
}

/// Lines of a family, without comments.
fn series<'a>(text: &'a str, family: &str) -> Vec<&'a str> {
    let of_family = |line: &&str| line.strip_prefix(family).is_some_and(|rest| rest.starts_with([' ', '{']));
    text.lines().filter(of_family).collect()
}

#[test]
fn every_family_is_that_of_the_catalogue_by_name_help_type_and_labels() {
    let (ours, catalogue) = (described(&everything()), described(CATALOGUE));
    let names = |families: &BTreeMap<String, Described>| families.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&ours), names(&catalogue));
    for (name, theirs) in &catalogue {
        let our = &ours[name];
        assert_eq!((&our.help, &our.kind), (&theirs.help, &theirs.kind), "{name}");
        let labels = |family: &Described| family.labels.keys().cloned().collect::<Vec<_>>();
        assert_eq!(labels(our), labels(theirs), "{name}");
    }
    for (family, label) in CLOSED {
        assert_eq!(ours[family].labels.get(label), catalogue[family].labels.get(label), "{family} {label}");
    }
    assert!(ours["keysweep_keys"].labels["state"].is_subset(&catalogue["keysweep_keys"].labels["state"]));
}

#[test]
fn what_is_rendered_for_a_known_organization_is_the_golden_file() {
    // The build names itself, and the process its use of the machine: these lines differ.
    let text: String = everything()
        .lines()
        .filter(|line| !line.starts_with("keysweep_build_info{") && !line.starts_with("process_"))
        .map(|line| format!("{line}\n"))
        .collect();
    let golden = include_str!("golden/metrics.prom");
    if text != golden {
        let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("metrics.prom");
        std::fs::write(&place, &text).unwrap();
        panic!("what is rendered is not tests/golden/metrics.prom; it is in {}", place.display());
    }
}

#[test]
fn counters_that_are_known_begin_at_zero() {
    let text = render(Metrics::new().families()).unwrap();
    for series in [
        "keysweep_actions_total{action=\"reactivate\"} 0",
        "keysweep_action_failures_total{action=\"delete\",reason=\"unclear\"} 0",
        "keysweep_actions_suppressed_total{action=\"deactivate\",reason=\"recheck\"} 0",
        "keysweep_transitions_total{from=\"active\",to=\"flagged\"} 0",
        "keysweep_key_signals_total{signal=\"used_again\"} 0",
        "keysweep_state_store_errors_total{operation=\"read\"} 0",
        "keysweep_log_messages_total{level=\"error\"} 0",
    ] {
        assert!(text.lines().any(|line| line == series), "{series} is not in\n{text}");
    }
}

#[test]
fn backups_that_nobody_asked_for_have_no_age_and_those_that_never_were_are_as_old_as_can_be() {
    let metrics = Metrics::new();
    let told = |metrics: &Metrics| {
        let text = render(metrics.families()).unwrap();
        series(&text, "keysweep_backup_last_success_timestamp_seconds").first().map(ToString::to_string)
    };
    assert_eq!(told(&metrics), None);
    metrics.backups.set(Some(LastBackup::Never));
    assert_eq!(told(&metrics).unwrap(), "keysweep_backup_last_success_timestamp_seconds 0");
    metrics.backups.set(Some(LastBackup::At("2026-01-01T00:00:00Z".parse().unwrap())));
    assert_eq!(told(&metrics).unwrap(), "keysweep_backup_last_success_timestamp_seconds 1767225600");
    metrics.backups.set(None);
    assert_eq!(told(&metrics), None);
}

#[test]
fn a_grace_period_that_runs_is_no_suppressed_change() {
    let metrics = Metrics::new();
    metrics.changes.suppressed(Action::Delete, Reason::Grace);
    metrics.changes.suppressed(Action::Delete, Reason::Cap);
    let text = render(metrics.families()).unwrap();
    assert!(!text.contains("grace"));
    assert!(text.contains("keysweep_actions_suppressed_total{action=\"delete\",reason=\"cap\"} 1"));
}

#[test]
fn errors_that_the_store_counted_are_taken_over_once() {
    let metrics = Metrics::new();
    for write in [1, 1, 2] {
        metrics.store.errors_so_far(ErrorCounts { read: 2, write });
    }
    let text = render(metrics.families()).unwrap();
    assert!(text.contains("keysweep_state_store_errors_total{operation=\"read\"} 2"));
    assert!(text.contains("keysweep_state_store_errors_total{operation=\"write\"} 2"));
}

#[test]
fn an_account_that_fails_keeps_its_last_result_beside_a_zero() {
    let text = gauges(&state());
    let of = |family: &str, account: &str| {
        series(&text, family).into_iter().find(|line| line.contains(account)).map(ToOwned::to_owned)
    };
    assert!(of("keysweep_account_scan_success", ACME).unwrap().ends_with(" 0"));
    assert!(of("keysweep_stale_keys", ACME).is_some());
    assert!(of("keysweep_account_scan_last_success_timestamp_seconds", ACME).is_some());
    // Its root keys could not be told: that is not none.
    assert_eq!(of("keysweep_root_keys", ACME), None);
}

#[test]
fn what_was_never_scanned_has_no_counts_rather_than_zeros() {
    let text = gauges(&state());
    for account in [NEW, OLD] {
        for family in ["keysweep_stale_keys", "keysweep_root_keys", "keysweep_unknown_keys", "keysweep_keys"]
        {
            assert!(!series(&text, family).iter().any(|line| line.contains(account)), "{family} {account}");
        }
    }
    assert!(!series(&text, "keysweep_account_scan_success").iter().any(|line| line.contains(OLD)));
}

#[test]
fn an_account_that_left_vanishes_except_for_keys_that_nobody_can_reach() {
    let mut state = state();
    let text = gauges(&state);
    let left: Vec<&str> = text.lines().filter(|line| line.contains(SOLD)).collect();
    assert_eq!(left, [format!("keysweep_keys_out_of_reach{{account_id=\"{SOLD}\"}} 1")]);
    let forgotten = KeyEvent::Record(Note::Forgotten { unsettled: None, reason: "sold".into() });
    let body = Body::Key { account: SOLD.parse().unwrap(), key: key_id("erin"), event: forgotten };
    add(&mut state, vec![(now(), body)]);
    assert!(!gauges(&state).contains(SOLD));
}

#[test]
fn each_key_is_counted_once_and_one_deactivated_after_the_scan_is_not_active_too() {
    let mut state = state();
    let sum = |state: &State| {
        let tally = Tally::of(state, now());
        let keys = tally.accounts[&PROD.parse().unwrap()];
        keys.states().into_iter().map(|(_, count)| count).sum::<u64>()
    };
    // 38 active, alice and dave among them as flagged; bob and carol are deactivated.
    assert_eq!(sum(&state), 40);
    let later = now() + Duration::from_secs(60);
    let account = PROD.parse().unwrap();
    let told = |event| (later, Body::Key { account, key: key_id("alice"), event });
    let intent = KeyEvent::Change(Change::Intent {
        action: Action::Deactivate,
        origin: Origin::Policy,
        why: String::new(),
        deadline: jiff::Timestamp::MAX,
        quarantine: None,
    });
    add(&mut state, vec![told(intent)]);
    assert_eq!(sum(&state), 40);
    let sighting = keysweep_core::lifecycle::Sighting {
        at: later,
        run: 1,
        monotonic: Duration::from_secs(60),
        interval: Duration::from_secs(3600),
    };
    let last_use = keysweep_core::facts::LastUse::Never;
    add(
        &mut state,
        vec![told(KeyEvent::Change(Change::Deactivated { request_id: None, last_use, sighting }))],
    );
    assert_eq!(sum(&state), 40);
}

#[test]
fn the_oldest_request_for_approval_is_absent_where_nobody_was_asked() {
    let text = gauges(&state());
    assert_eq!(series(&text, "keysweep_approvals_pending"), ["keysweep_approvals_pending 1"]);
    assert_eq!(series(&text, "keysweep_approval_oldest_pending_timestamp_seconds").len(), 1);
    let text = gauges(&State::default());
    assert_eq!(series(&text, "keysweep_approvals_pending"), ["keysweep_approvals_pending 0"]);
    assert!(series(&text, "keysweep_approval_oldest_pending_timestamp_seconds").is_empty());
}

#[test]
fn dead_letters_are_recipients_by_the_channel_that_is_tried_first() {
    let mut policy = policy_with_owners();
    policy.notices.channels = vec![ChannelKind::Slack, ChannelKind::Email];
    policy.notices.notify =
        ["#security", "ada@example.com", "bob@example.com"].map(|to| to.parse().unwrap()).to_vec();
    let mut state = state();
    let last = days_ago(5);
    let mut seq = 10_000;
    // Four days ago: the gauge does not depend on the time of a failure.
    for (to, delivered) in [
        ("#security", false),
        ("ada@example.com", false),
        ("ada@example.com", false),
        ("bob@example.com", true),
    ] {
        let address: Address = to.parse().unwrap();
        let recipient =
            Recipient { name: to.into(), addresses: vec![address.clone()], audience: Audience::Team };
        let composed =
            Body::MessageComposed { to: recipient, items: BTreeSet::new(), send_from: last, give_up: last };
        let closed = match delivered {
            true => Body::MessageDelivered { message: seq, via: address, posted: None },
            false => Body::MessageUndeliverable { message: seq, why: "550 no such user".into() },
        };
        for body in [composed, closed] {
            state.replay(&Entry { seq, at: days_ago(4), actor: Actor::Keysweep, body }).unwrap();
            seq += 1;
        }
    }
    let observed = Observed {
        now: now(),
        state: &state,
        policy: &policy,
        scan_interval: Duration::from_secs(6 * 3600),
        seen: None,
        idle_rules: None,
        store_bytes: None,
        evidence_bytes: None,
    };
    let text = render(families(&observed)).unwrap();
    assert_eq!(
        series(&text, "keysweep_notification_dead_letters"),
        [
            "keysweep_notification_dead_letters{channel=\"slack\"} 1",
            "keysweep_notification_dead_letters{channel=\"email\"} 1",
            "keysweep_notification_dead_letters{channel=\"webhook\"} 0",
        ]
    );
}

#[test]
fn a_name_that_breaks_out_of_its_label_stays_in_it() {
    let text = gauges(&state());
    let line = series(&text, "keysweep_account_info").into_iter().find(|line| line.contains(ACME)).unwrap();
    assert!(line.contains("account_name=\"ac<me> & \\\"s\u{f6}hne\\\"\""), "{line}");
}

#[test]
fn pause_and_breaker_show_as_one() {
    let mut state = state();
    assert!(gauges(&state).contains("\nkeysweep_paused 0\n"));
    let tripped = TripReason::Shrink { before: 40, now: 20 };
    add(
        &mut state,
        vec![
            (now(), Body::Paused { reason: "incident".into() }),
            (now(), Body::BreakerTripped { reason: tripped }),
        ],
    );
    let text = gauges(&state);
    assert!(text.contains("\nkeysweep_paused 1\n") && text.contains("\nkeysweep_circuit_breaker_open 1\n"));
}
