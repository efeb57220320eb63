//! Sentences of every entry.

use super::*;
use crate::serve::page::samples::{Cast, every_body, every_key_event, now};

const CAST: Cast = Cast { rows: 1, nasty: false };

fn lines() -> Vec<Line> {
    every_key_event(CAST).iter().chain(&every_body(CAST)).map(|entry| line(now(), entry)).collect()
}

fn of(event: &str) -> Line {
    lines().into_iter().find(|line| line.event == event).unwrap()
}

#[test]
fn every_line_is_a_sentence() {
    for line in lines() {
        assert!(line.text.ends_with(['.', '?']), "{line:?}");
        assert!(!line.text.ends_with("..") && !line.text.contains("  "), "{line:?}");
        let begins = line.text.starts_with(|first: char| first.is_uppercase() || first.is_numeric())
            || line.text.starts_with("keysweep ");
        assert_eq!(line.who.is_none(), begins, "{line:?}");
        assert!(!line.text.contains('_') || line.text.contains("aws_iam_access_key"), "{line:?}");
    }
}

#[test]
fn a_decision_names_the_person_and_the_channel() {
    let approved = of("approved");
    assert_eq!(approved.who.as_deref(), Some("Ann Example (OIDC 00u1)"));
    assert_eq!(approved.text, "approved the deactivation: \u{201c}checked with the team\u{201d}.");
    assert_eq!(approved.channel, Some("on the web page"));
    let link = Entry { actor: Actor::Link { owner: "Dana".into() }, ..every_key_event(CAST).swap_remove(32) };
    let link = line(now(), &link);
    assert_eq!((link.event, link.who.as_deref()), ("no_longer_needed", Some("link to Dana")));
    assert!(link.channel.unwrap().contains("anyone who had the link could use it"));
}

#[test]
fn an_order_names_the_operator_and_a_change_by_policy_none() {
    let intents: Vec<Line> = lines().into_iter().filter(|line| line.event == "intent").collect();
    assert_eq!(intents[0].who, None);
    assert_eq!(intents[0].text, "keysweep recorded the intent to quarantine the user: unused for 120 days.");
    let order = intents.last().unwrap();
    assert_eq!(order.who.as_deref(), Some("Ann Example (OIDC 00u1)"));
    assert_eq!(order.text, "ordered keysweep to reactivate the key: \u{201c}ticket 4711\u{201d}.");
    assert_eq!(order.channel, Some("on the web page"));
}

#[test]
fn keysweep_acts_through_no_channel() {
    for line in lines().iter().filter(|line| line.who.is_none()) {
        assert_eq!(line.channel, None, "{line:?}");
    }
}

#[test]
fn settings_beyond_the_third_are_counted() {
    let text = of("configured").text;
    assert!(text.contains("http.listen is now deactivate (was observe)"), "{text}");
    assert!(text.ends_with("; 1 other setting."), "{text}");
}

#[test]
fn a_key_that_was_never_used_is_said_once() {
    assert_eq!(lines()[1].text, "keysweep flagged the key of ci-deploy: never used.");
}
