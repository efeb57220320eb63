//! The page of a made-up organization.

use keysweep_core::plan::plan;
use keysweep_core::state::{Body, TripReason};

use super::*;

#[path = "../../../tests/http_support/organization.rs"]
mod organization;

use organization::{ACME, add, collection, days_ago, now, policy, state};

fn html(state: &State, missing: &[String]) -> String {
    let collection = collection();
    let plan = plan(now(), &policy(), state, &collection);
    Page::of(now(), state, &policy(), Some((&collection, &plan)), missing).render().unwrap()
}

#[test]
fn names_from_aws_are_shown_and_never_markup() {
    let mut state = state();
    let reason = "<script>alert(1)</script>".to_owned();
    add(&mut state, vec![(now(), Body::Paused { reason })]);
    let missing = ["<img src=x>".to_owned()];
    let html = html(&state, &missing);
    for raw in ["<script", "<img", "ac<me>", "prod <1>"] {
        assert!(!html.contains(raw), "{raw}");
    }
    assert!(html.contains("ac&#60;me&#62; &#38; &#34;s\u{f6}hne&#34;"), "{html}");
}

#[test]
fn nothing_is_loaded_from_elsewhere_and_nothing_runs() {
    let html = html(&state(), &[]);
    for never in ["http://", "https://", "src=", "@import", "url(", "style=\"", "onclick"] {
        assert!(!html.contains(never), "{never}");
    }
}

#[test]
fn the_browser_is_told_the_hash_of_exactly_the_style_sheet_in_the_page() {
    let html = html(&state(), &[]);
    let sheet = html.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = STANDARD.encode(Sha256::digest(sheet));
    assert!(content_policy().to_str().unwrap().contains(&format!("'sha256-{hash}'")));
}

#[test]
fn pause_and_breaker_say_since_when_why_and_how_to_go_on() {
    let mut state = state();
    assert!(!html(&state, &[]).contains("no automatic change starts"));
    let reason = TripReason::Surge { newly_due: 90, limit: 20 };
    add(
        &mut state,
        vec![
            (days_ago(1), Body::Paused { reason: "incident 42".into() }),
            (days_ago(2), Body::BreakerTripped { reason }),
        ],
    );
    let pause = state.control().pauses[0].number;
    let html = html(&state, &[]);
    assert!(html.contains(&format!("keysweep resume {pause} --reason TEXT")));
    for part in [
        "Paused: no automatic change starts",
        "incident 42",
        "2026-11-21 02:30 UTC (24 hours ago)",
        "Circuit breaker open: no automatic change starts",
        "90 keys became due in one sweep; the limit is 20",
        "keysweep breaker show",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn coverage_counts_every_account_and_names_those_that_failed() {
    let html = html(&state(), &[]);
    assert!(html.contains("1 of 4 accounts scanned"), "{html}");
    assert!(html.contains("<span class=\"bad\">2 failed</span>, 1 skipped"));
    assert!(html.contains(ACME) && html.contains("get the credential report: throttled"));
    assert!(html.contains("Facts of 1 key could not be read"));
}

#[test]
fn keys_of_an_account_that_left_are_in_no_state_of_the_organization() {
    let flagged = states(&Tally::of(&state(), now())).swap_remove(1);
    // alice and dave in the one account, mallory in the other; erin's was sold.
    assert_eq!((flagged.label.as_str(), flagged.count.as_str()), ("flagged", "3"));
}

#[test]
fn more_failed_accounts_than_fit_are_counted() {
    let mut state = state();
    let failed = |number: u64| Body::AccountFailed {
        account: format!("6{number:011}").parse().unwrap(),
        name: String::new(),
        reason: "denied".into(),
    };
    add(&mut state, (0..50).map(|number| (now(), failed(number))).collect());
    assert!(html(&state, &[]).contains("And 32 more"));
}

#[test]
fn what_is_due_comes_before_what_waits_and_a_hold_comes_last() {
    let state = state();
    let collection = collection();
    let next = actions(now(), &plan(now(), &policy(), &state, &collection), &collection);
    let order: Vec<(&str, &str)> = next.rows.iter().map(|row| (row.user.as_str(), row.action)).collect();
    assert_eq!(order.last().map(|(_, action)| *action), Some("wait"), "{order:?}");
    let rank = |user: &str| order.iter().position(|(u, _)| *u == user).unwrap();
    assert!(rank("alice") < rank("dave"), "{order:?}");
}

#[test]
fn before_the_first_sweep_the_page_says_so_instead_of_showing_zeros_of_a_sweep() {
    let html = Page::of(now(), &State::default(), &policy(), None, &[]).render().unwrap();
    assert!(html.contains("No sweep has completed yet."));
    assert!(html.contains("Known after the first sweep of this process."));
}

#[test]
fn a_key_in_use_after_its_deactivation_stands_out() {
    let html = html(&state(), &[]);
    let (before, _) = html.split_once("deactivated, in use").unwrap();
    assert!(before.ends_with("<div class=\"bad\"><dt>"), "{before}");
}
