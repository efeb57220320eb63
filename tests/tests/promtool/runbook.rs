//! docs/RUNBOOK.md.

use std::collections::BTreeSet;

use super::files::{alerts, runbook};

/// What every section tells, in this order.
const PARTS: [&str; 3] = ["**Means.**", "**Look.**", "**Do.**"];

/// Headings of alerts with what stands under them.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let sections = text.split("\n### ").skip(1);
    sections.map(|section| section.split_once('\n').unwrap()).collect()
}

#[test]
fn every_alert_has_a_section_and_every_section_an_alert() {
    let text = runbook();
    let titles: Vec<&str> = sections(&text).into_iter().map(|(title, _)| title).collect();
    let distinct: BTreeSet<&str> = titles.iter().copied().collect();
    assert_eq!(distinct.len(), titles.len(), "a section is there twice");
    let alerts = alerts();
    assert_eq!(distinct, alerts.keys().map(String::as_str).collect());
}

#[test]
fn every_section_says_what_it_means_how_to_look_and_what_to_do() {
    let text = runbook();
    for (title, section) in sections(&text) {
        let found = PARTS.map(|part| section.find(part).unwrap_or_else(|| panic!("{title}: no {part}")));
        assert!(found.is_sorted(), "{title}");
        let look = &section[found[1]..found[2]];
        assert!(look.contains("\n```sh\n"), "{title}: nothing to type");
    }
}
