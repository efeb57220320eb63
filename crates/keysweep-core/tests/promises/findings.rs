//! How bad a finding is, what it fails, and what remedies it.

use std::time::Duration;

use jiff::SignedDuration;
use keysweep_core::facts::{
    Collection, Fact, IdleHistogram, Inventory, KeyFacts, KeyStatus, LastUse, Source,
};
use keysweep_core::finding::{
    Counts, Finding, FindingKind, Severity, Subject, SubjectKind, of_root, undo_by_hand,
};

use crate::mk::*;

/// A key that was last used so many days before day 0, and created so many.
fn mk_aged(used: i64, created: i64) -> KeyFacts {
    KeyFacts { last_use: Fact::Known(used_at(day(-used))), created: day(-created), ..mk_key(0) }
}

#[test]
fn a_finding_is_as_bad_as_what_is_wrong() {
    let severity = |facts: &KeyFacts, kind| Finding::of_key(facts, kind, false).severity(day(0));
    let fresh = mk_aged(364, 1000);
    let idle = mk_aged(365, 1000);
    for kind in [FindingKind::Unused, FindingKind::NeverUsed] {
        assert_eq!((severity(&fresh, kind), severity(&idle, kind)), (Severity::Medium, Severity::High));
    }
    assert_eq!(severity(&idle, FindingKind::OverAge), Severity::Low);
    assert_eq!(Finding::of_key(&fresh, FindingKind::OverAge, true).severity(day(0)), Severity::Critical);
    let root = Finding { subject: Subject::RootKey, kind: FindingKind::RootKey, incident: false };
    assert_eq!(root.severity(day(0)), Severity::Critical);
    assert!(Severity::Low < Severity::Medium && Severity::High < Severity::Critical);
    let names = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical].map(Severity::as_str);
    assert_eq!(names, ["low", "medium", "high", "critical"]);
    assert_eq!([SubjectKind::Key, SubjectKind::RootKey].map(SubjectKind::as_str), ["key", "root_key"]);
}

#[test]
fn a_finding_names_the_controls_that_it_fails() {
    let fails = |used, created, kind| {
        let facts = mk_aged(used, created);
        Finding::of_key(&facts, kind, false).compliance(day(0)).join(", ")
    };
    let unused = FindingKind::Unused;
    assert_eq!(fails(44, 89, unused), "");
    assert_eq!(fails(45, 89, unused), "CIS 1.12, IAM.22");
    assert_eq!(fails(89, 89, unused), "CIS 1.12, IAM.22");
    assert_eq!(fails(44, 90, unused), "CIS 1.14, IAM.3");
    assert_eq!(fails(90, 90, unused), "CIS 1.12, IAM.22, IAM.8, CIS 1.14, IAM.3");
    // A key in use fails by its age alone.
    assert_eq!(fails(90, 90, FindingKind::OverAge), "CIS 1.14, IAM.3");
    let root = Finding { subject: Subject::RootKey, kind: FindingKind::RootKey, incident: false };
    assert_eq!(root.compliance(day(0)), ["CIS 1.4", "IAM.4"]);
}

#[test]
fn what_remedies_a_finding_depends_on_the_status_of_the_key() {
    let remedies =
        |facts: &KeyFacts, incident| Finding::of_key(facts, FindingKind::Unused, incident).remediation();
    let mut facts = mk_key(0);
    let options = "--user-name user-0 --access-key-id AKIAEXAMPLE000000000";
    let delete = format!("aws iam delete-access-key {options}");
    let deactivate = format!("aws iam update-access-key {options} --status Inactive");
    assert_eq!(remedies(&facts, false), [deactivate, delete.clone()]);
    assert_eq!(remedies(&facts, true), [keysweep_core::lifecycle::INCIDENT_REMEDY]);
    facts.status = KeyStatus::Inactive;
    assert_eq!(remedies(&facts, false), [delete]);
    facts.status = KeyStatus::Other("Expired".into());
    assert_eq!(remedies(&facts, false), Vec::<String>::new());
    let root = Finding { subject: Subject::RootKey, kind: FindingKind::RootKey, incident: false };
    assert!(root.remediation()[0].contains("root user"));
}

#[test]
fn commands_name_users_as_a_shell_takes_them() {
    for (user, options) in [
        ("ci+x=1,a.b@c_d-e", "--user-name ci+x=1,a.b@c_d-e"),
        ("-rf", "--user-name=-rf"),
        ("a b", "--user-name 'a b'"),
        ("$(id)", "--user-name '$(id)'"),
        ("o'neil", r"--user-name 'o'\''neil'"),
    ] {
        let command = undo_by_hand(&user.parse().unwrap(), &mk_key_id(0));
        let expected = format!(
            "aws iam update-access-key {options} --access-key-id AKIAEXAMPLE000000000 --status Active"
        );
        assert_eq!(command, expected);
    }
}

#[test]
fn each_key_of_the_root_user_is_a_finding() {
    let found = |root_keys| {
        let mut scan = mk_scan(day(0), vec![]);
        scan.inventory = Inventory { root_keys, ..Inventory::default() };
        of_root(&scan).filter(|finding| finding.kind == FindingKind::RootKey).count()
    };
    assert_eq!([None, Some(0), Some(2)].map(found), [0, 0, 2]);
}

#[test]
fn counts_of_accounts_add_up() {
    let mut all =
        Counts::new([(FindingKind::Unused, 2), (FindingKind::Unused, 1), (FindingKind::OverAge, 4)], 1);
    all.merge(&Counts::new([(FindingKind::Unused, 5), (FindingKind::NeverUsed, 7)], 2));
    let expected = [(FindingKind::Unused, 8), (FindingKind::OverAge, 4), (FindingKind::NeverUsed, 7)];
    assert_eq!(all, Counts::new(expected, 3));
    assert_eq!(FindingKind::OF_KEYS.map(|kind| all.of(kind)), [8, 7, 4]);
    assert_eq!(all.of(FindingKind::RootKey), 0);
    // A count of zero is none, in memory and in what is stored.
    assert_eq!(Counts::new([(FindingKind::Unused, 0)], 0), Counts::default());
    let stored = r#"{"unused":0,"never_used":1,"exempt":0}"#;
    let read: Counts = serde_json::from_str(stored).unwrap();
    assert_eq!(read, Counts::new([(FindingKind::NeverUsed, 1)], 0));
}

#[test]
fn exempt_keys_that_were_not_judged_are_as_many_as_last_time_and_no_more_than_are_hidden() {
    let last = Counts::new([(FindingKind::Unused, 9)], 5);
    let now = || Counts::new([(FindingKind::Unused, 9)], 2);
    let exempt = |hidden| now().or_last_known(&last, hidden).exempt;
    assert_eq!([0, 2, 3, 4].map(exempt), [2, 4, 5, 5]);
    let more = Counts::new([(FindingKind::Unused, 9)], 7);
    assert_eq!(more.or_last_known(&last, 3).exempt, 7);
}

#[test]
fn active_keys_are_counted_by_the_days_that_they_are_idle() {
    let day = Duration::from_secs(86_400);
    let mut idle = IdleHistogram::default();
    for days in [0, 29, 30, 44, 45, 59, 60, 89, 90, 179, 180, 364, 365, 4000] {
        idle.add(days * day + (day - Duration::from_secs(1)), days >= 90);
    }
    let counts: Vec<_> = idle.buckets().collect();
    let labels = ["0-30d", "30-45d", "45-60d", "60-90d", "90-180d", "180-365d", "365d-"];
    assert_eq!(counts, labels.map(|label| (label, 2)));
    assert_eq!(idle.never_used, 6);
    let mut other = IdleHistogram::default();
    other.add(31 * day, true);
    other.merge(&idle);
    let counts: Vec<_> = other.buckets().map(|(_, count)| count).collect();
    assert_eq!((counts, other.never_used), (vec![2, 3, 2, 2, 2, 2, 2], 7));
}

#[test]
fn days_count_when_they_are_full() {
    let second = SignedDuration::from_secs(1);
    let facts = mk_aged(100, 1000);
    assert_eq!((facts.age_days(day(0)), facts.idle_days(day(0))), (1000, Some(100)));
    assert_eq!((facts.age_days(day(0) - second), facts.idle_days(day(0) - second)), (999, Some(99)));
    // A use before the creation is none, and a creation to come is no day ago.
    assert_eq!(mk_aged(100, 10).idle_days(day(0)), Some(10));
    assert_eq!(mk_aged(100, -1).age_days(day(0)), -1);
    let never = KeyFacts { last_use: Fact::Known(LastUse::Never), ..mk_aged(1, 20) };
    assert_eq!(never.idle_days(day(0)), Some(20));
    let unknown = KeyFacts { last_use: Fact::Unknown("denied".into()), ..never };
    assert_eq!(unknown.idle_days(day(0)), None);
}

#[test]
fn a_use_that_cloudtrail_has_shown_replaces_an_older_one_only() {
    let facts = mk_aged(100, 1000);
    let seen = |at: i64| facts.with_activity(Some(&mk_activity(day(at)))).into_owned();
    assert_eq!(seen(-101), facts);
    assert_eq!(seen(-100), facts);
    let newer = seen(-99);
    assert_eq!(
        (newer.last_use.known().and_then(LastUse::at), newer.source),
        (Some(day(-99)), Source::Cloudtrail)
    );
    let never = KeyFacts { last_use: Fact::Known(LastUse::Never), ..facts.clone() };
    assert_eq!(never.with_activity(Some(&mk_activity(day(-99)))).source, Source::Cloudtrail);
    assert_eq!(*never.with_activity(None), never);
    // Access Analyzer tells no service: what the key was used for stays known.
    let of_analyzer = keysweep_core::evidence::Activity::of_analyzer(day(-50), "us-east-1");
    let LastUse::At { at, service, region } = facts.last_use.known().unwrap().clone() else { panic!() };
    assert!(service.is_some() && at < day(-50));
    let seen = facts.with_activity(Some(&of_analyzer)).into_owned();
    assert_eq!(seen.source, Source::AccessAnalyzer);
    assert_eq!(seen.last_use, Fact::Known(LastUse::At { at: day(-50), service, region }));
    let unknown = KeyFacts { last_use: Fact::Unknown("denied".into()), ..facts };
    assert_eq!(*unknown.with_activity(Some(&mk_activity(day(-99)))), unknown);
    let names = [Source::Report, Source::Live, Source::Cloudtrail].map(Source::as_str);
    assert_eq!(names, ["report", "live", "cloudtrail"]);
}

#[test]
fn clocks_that_differ_by_more_than_five_minutes_measure_nothing() {
    let skewed = |seconds: Option<i64>| {
        let skew = seconds.map(SignedDuration::from_secs);
        Collection { skew, ..mk_collection(day(0), vec![]) }.skewed().map(|skew| skew.as_secs())
    };
    let seconds = [None, Some(0), Some(300), Some(-300), Some(301), Some(-301)];
    assert_eq!(seconds.map(skewed), [None, None, None, None, Some(301), Some(-301)]);
}
