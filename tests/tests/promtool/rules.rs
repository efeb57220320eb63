//! Recording rules and alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::exposed::{Exposed, TARGET};
use super::files::{CASES, CONFIGURATION, RULES, alerts, cases, prometheus, rules};
use super::promql::Expression;
use super::tool::promtool;

/// What the program exposes and what rules record.
pub(crate) fn known() -> &'static Exposed {
    static KNOWN: LazyLock<Exposed> = LazyLock::new(|| {
        let mut known = Exposed::by_the_program();
        for record in rules().iter().filter_map(|rule| rule.record.as_ref()) {
            // What a rule groups by is not read here; these are all labels that any of them keeps.
            known.add(record, &["state", "reason", "api"]);
        }
        known
    });
    &KNOWN
}

#[test]
fn promtool_accepts_rules_and_configuration() {
    for name in RULES {
        let (content, said) =
            promtool(&prometheus(), &["check", "rules", "--lint=all", "--lint-fatal", name], "");
        assert!(content, "{said}");
    }
    let (content, said) = promtool(&prometheus(), &["check", "config", CONFIGURATION], "");
    assert!(content, "{said}");
}

#[test]
fn alerts_fire_when_they_should_and_not_when_they_should_not() {
    for name in CASES {
        let (content, said) = promtool(&prometheus(), &["test", "rules", name], "");
        assert!(content, "{name}: {said}");
    }
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() {
    let mut tried: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for moment in cases().into_iter().flat_map(|case| case.alert_rule_test) {
        tried.entry(moment.alertname).or_default().insert(!moment.exp_alerts.is_empty());
    }
    let both = BTreeSet::from([false, true]);
    let wanted: BTreeMap<String, BTreeSet<bool>> =
        alerts().into_keys().map(|name| (name, both.clone())).collect();
    assert_eq!(tried, wanted);
}

#[test]
fn rules_ask_only_for_what_the_program_exposes() {
    let known = known();
    for rule in rules() {
        let name = rule.alert.or(rule.record).unwrap();
        assert_eq!(known.complaints(&Expression::parse(&rule.expr)), [""; 0], "{name}");
    }
}

#[test]
fn alerts_are_tried_with_series_as_the_program_has_them() {
    let known = known();
    for series in cases().into_iter().flat_map(|case| case.input_series) {
        let expression = Expression::parse(&series.series);
        assert_eq!(known.complaints(&expression), [""; 0], "{}", series.series);
        let [selector] = expression.selectors.as_slice() else { panic!("not one: {}", series.series) };
        let labels: BTreeSet<&str> = selector.matchers.iter().map(|matcher| matcher.label.as_str()).collect();
        let mut wanted = known.labels(&selector.name).unwrap();
        wanted.extend(TARGET);
        assert_eq!(labels, wanted, "{}", series.series);
    }
}

#[test]
fn rules_look_at_the_job_keysweep_alone() {
    for rule in rules() {
        let name = rule.alert.or(rule.record).unwrap();
        for selector in Expression::parse(&rule.expr).selectors {
            let job = selector.matchers.iter().find(|matcher| matcher.label == "job");
            let job = job.unwrap_or_else(|| panic!("{name}: {} is of any job", selector.name));
            assert_eq!((job.operator.as_str(), job.value.as_str()), ("=", "keysweep"), "{name}");
        }
    }
}

#[test]
fn every_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on() {
    for (name, rule) in alerts() {
        let severity = rule.labels.get("severity").map(String::as_str);
        assert!(matches!(severity, Some("critical" | "warning" | "info")), "{name}: {severity:?}");
        let annotations: Vec<&str> = rule.annotations.keys().map(String::as_str).collect();
        assert_eq!(annotations, ["description", "runbook_url", "summary"], "{name}");
        let anchor = format!("/docs/RUNBOOK.md#{}", name.to_lowercase());
        assert!(rule.annotations["runbook_url"].ends_with(&anchor), "{name}");
        // A summary is the title of a message: it does not vary, and it is no sentence.
        let summary = &rule.annotations["summary"];
        assert!(
            !summary.contains("{{") && !summary.ends_with('.') && summary.len() <= 60,
            "{name}: {summary}"
        );
        assert!(rule.annotations["description"].ends_with('.'), "{name}");
    }
}
