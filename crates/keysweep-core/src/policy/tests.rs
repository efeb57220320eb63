use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;
use crate::facts::{Fact, Ou, Tags};
use crate::ids::AccountId;
use crate::ticket::Planned;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn mk_account() -> AccountFacts {
    let ou = |id: &str| Ou { id: id.parse().unwrap(), name: String::new() };
    AccountFacts {
        id: "111122223333".parse().unwrap(),
        name: "prod".into(),
        email: Fact::Known(String::new()),
        management: false,
        ous: Fact::Known(vec![ou("r-root"), ou("ou-root-prod")]),
        tags: Fact::Known([("stage".into(), "prod".into())].into()),
    }
}

/// What a subject borrows.
struct User {
    account: AccountFacts,
    name: UserName,
    path: Fact<String>,
    tags: Fact<Tags>,
}

impl User {
    fn subject(&self) -> Subject<'_> {
        Subject { account: &self.account, user_name: &self.name, path: &self.path, tags: &self.tags }
    }

    fn matches(&self, rule: &Match) -> Result<bool, String> {
        rule.surely(&self.subject())
    }
}

fn mk_user(name: &str) -> User {
    User {
        account: mk_account(),
        name: name.parse().unwrap(),
        path: Fact::Known("/ci/deploy/".into()),
        tags: Fact::Known([("Team".into(), "payments".into())].into()),
    }
}

fn unknown<T>() -> Fact<T> {
    Fact::Unknown("denied".into())
}

fn mk_match(fill: impl FnOnce(&mut Match)) -> Match {
    let mut rule = Match::default();
    fill(&mut rule);
    rule
}

fn tagged(key: &str, value: &str) -> Match {
    mk_match(|m| m.user_tags = BTreeMap::from([(key.into(), value.into())]))
}

fn named(glob: &str) -> Match {
    mk_match(|m| m.users = vec![glob.into()])
}

fn exempting(matches: Match, until: &str) -> Exemption {
    Exemption { matches, reason: "ours".into(), until: until.parse().unwrap() }
}

#[test]
fn fields_are_anded_and_the_entries_of_a_list_ored() {
    let user = mk_user("ci-deploy");
    assert_eq!(user.matches(&mk_match(|m| m.users = vec!["x".into(), "ci-*".into()])), Ok(true));
    assert_eq!(user.matches(&mk_match(|m| m.paths = vec!["/ops/".into(), "/ci/".into()])), Ok(true));
    let both = mk_match(|m| (m.users, m.paths) = (vec!["ci-*".into()], vec!["/ops/".into()]));
    assert_eq!(user.matches(&both), Ok(false));
    let other: AccountId = "999999999999".parse().unwrap();
    assert_eq!(user.matches(&mk_match(|m| m.accounts = vec![other])), Ok(false));
    assert_eq!(user.matches(&mk_match(|m| m.accounts = vec![other, mk_account().id])), Ok(true));
}

#[test]
fn an_ou_matches_the_accounts_below_it() {
    let user = mk_user("ci-deploy");
    let ou = |id: &str| mk_match(|m| m.ous = vec![id.parse().unwrap()]);
    assert_eq!(user.matches(&ou("r-root")), Ok(true));
    assert_eq!(user.matches(&ou("ou-root-prod")), Ok(true));
    assert_eq!(user.matches(&ou("ou-root-test")), Ok(false));
}

#[test]
fn names_iam_may_take_for_one_exempt_and_make_overrides_wait() {
    let rules: [(Match, User); 4] = [
        (mk_match(|m| m.users = vec!["stra\u{df}e-*".into()]), mk_user("STRASSE-1")),
        (
            mk_match(|m| m.user_tags = BTreeMap::from([("\u{e9}quipe".into(), "*".into())])),
            mk_tagged("E\u{301}quipe", "x"),
        ),
        (
            mk_match(|m| m.user_tags = BTreeMap::from([("\u{212a}eep".into(), "yes".into())])),
            mk_tagged("keep", "yes"),
        ),
        (mk_match(|m| m.account_tags = BTreeMap::from([("Stage".into(), "p*".into())])), mk_user("any")),
    ];
    let now = at("2026-11-21T12:00:00Z");
    for (matches, user) in rules {
        let exemption =
            Exemption { matches: matches.clone(), reason: "x".into(), until: "2099-01-01".parse().unwrap() };
        let exempt = Policy { exemptions: vec![exemption], ..Policy::default() };
        assert!(exempt.resolve(now, &user.subject()).unwrap().exempt.is_some(), "{matches:?}");
        let terms = TermsPatch { mode: Some(Mode::Delete), ..TermsPatch::default() };
        let acts =
            Policy { overrides: vec![Override { matches: matches.clone(), terms }], ..Policy::default() };
        let why = acts.resolve(now, &user.subject()).unwrap_err();
        assert!(why[0].contains("policy.override[1] cannot tell: AWS may take"), "{why:?}");
        // A field that surely does not match still decides.
        let elsewhere = Match { accounts: vec!["444455556666".parse().unwrap()], ..matches };
        assert_eq!(user.matches(&elsewhere), Ok(false));
        assert_eq!(elsewhere.possibly(&user.subject()), Ok(false));
    }
}

fn mk_tagged(key: &str, value: &str) -> User {
    let tags = Fact::Known([(key.into(), value.into())].into());
    User { tags, ..mk_user("any") }
}

#[test]
fn user_names_and_tag_keys_match_without_regard_to_case_and_values_and_paths_with_it() {
    let user = mk_user("CI-Deploy");
    assert_eq!(user.matches(&named("ci-DEPLOY")), Ok(true));
    assert_eq!(user.matches(&named("ci-deplo?")), Ok(true));
    assert_eq!(user.matches(&named("ci-deplo")), Ok(false));
    assert_eq!(user.matches(&tagged("tEAM", "pay*")), Ok(true));
    assert_eq!(user.matches(&tagged("team", "PAY*")), Ok(false));
    assert_eq!(user.matches(&mk_match(|m| m.paths = vec!["/CI/".into()])), Ok(false));
}

#[test]
fn what_is_not_known_neither_matches_nor_fails_to() {
    let user = User { tags: unknown(), ..mk_user("ci-deploy") };
    assert_eq!(user.matches(&tagged("team", "*")), Err("tags of the user: denied".into()));
    let user = User { path: unknown(), ..mk_user("ci-deploy") };
    assert!(user.matches(&mk_match(|m| m.paths = vec!["/".into()])).is_err());
    let mut user = mk_user("ci-deploy");
    user.account.ous = Fact::NotRead;
    let rule = mk_match(|m| m.ous = vec!["r-root".parse().unwrap()]);
    assert_eq!(user.matches(&rule), Err("OUs of the account: not read".into()));
    user.account.tags = unknown();
    let rule = mk_match(|m| m.account_tags = BTreeMap::from([("stage".into(), "*".into())]));
    assert!(user.matches(&rule).is_err());
}

#[test]
fn a_sure_no_wins_over_the_unknown_in_any_order() {
    let no_then_unknown = mk_match(|m| {
        m.users = vec!["other".into()];
        m.user_tags = BTreeMap::from([("team".into(), "*".into())]);
    });
    let user = User { tags: unknown(), ..mk_user("ci-deploy") };
    assert_eq!(user.matches(&no_then_unknown), Ok(false));
    let unknown_then_no = mk_match(|m| {
        m.paths = vec!["/".into()];
        m.user_tags = BTreeMap::from([("team".into(), "nobody".into())]);
    });
    let user = User { path: unknown(), ..mk_user("ci-deploy") };
    assert_eq!(user.matches(&unknown_then_no), Ok(false));
}

#[test]
fn every_rule_that_cannot_tell_is_named_and_leaves_the_key_without_a_policy() {
    let mut policy = Policy::default();
    policy.overrides.push(Override { matches: tagged("team", "*"), terms: TermsPatch::default() });
    policy.exemptions.push(exempting(tagged("keep", "*"), "2027-01-01"));
    let user = User { tags: unknown(), ..mk_user("ci-deploy") };
    let why = policy.resolve(at("2026-01-01T00:00:00Z"), &user.subject()).unwrap_err();
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(why[0].starts_with("policy.override[1] cannot tell") && why[1].starts_with("policy.exempt[1]"));
}

#[test]
fn a_matching_exemption_does_not_hide_one_that_cannot_tell() {
    let mut policy = Policy::default();
    policy.exemptions.push(exempting(named("ci-*"), "2027-01-01"));
    policy.exemptions.push(exempting(tagged("keep", "*"), "2028-01-01"));
    let user = User { tags: unknown(), ..mk_user("ci-deploy") };
    assert!(policy.resolve(at("2026-01-01T00:00:00Z"), &user.subject()).is_err());
}

#[test]
fn a_later_override_wins_field_by_field_and_each_field_knows_its_rule() {
    let mut policy = Policy::default();
    let terms = |unused, grace: Option<u32>| TermsPatch {
        unused_after: Some(unused * DAY),
        grace: grace.map(|days| days * DAY),
        ..TermsPatch::default()
    };
    policy.overrides.push(Override { matches: named("ci-*"), terms: terms(180, Some(30)) });
    policy.overrides.push(Override { matches: named("other"), terms: terms(1, Some(1)) });
    policy.overrides.push(Override { matches: named("*-deploy"), terms: terms(45, None) });
    let user = mk_user("ci-deploy");
    let resolution = policy.resolve(at("2026-01-01T00:00:00Z"), &user.subject()).unwrap();
    assert_eq!((resolution.terms.unused_after, resolution.terms.grace), (45 * DAY, 30 * DAY));
    assert_eq!(resolution.terms.notice, 7 * DAY);
    let origins = BTreeMap::from([("unused_after", Rule::Override(3)), ("grace", Rule::Override(1))]);
    assert_eq!(resolution.origins, origins);
}

#[test]
fn an_override_can_switch_the_age_of_keys_off() {
    let mut policy = Policy::default();
    policy.base.max_age = Some(90 * DAY);
    let terms = TermsPatch { max_age: Some(None), ..TermsPatch::default() };
    policy.overrides.push(Override { matches: named("ci-*"), terms });
    let user = mk_user("ci-deploy");
    let resolution = policy.resolve(at("2026-01-01T00:00:00Z"), &user.subject()).unwrap();
    assert_eq!(resolution.terms.max_age, None);
}

#[test]
fn an_exemption_holds_through_its_last_day_in_the_time_zone_of_the_policy() {
    let user = mk_user("ci-deploy");
    for (name, end) in [
        ("UTC", "2026-07-01T00:00:00Z"),
        ("America/New_York", "2026-07-01T04:00:00Z"),
        ("Asia/Tokyo", "2026-06-30T15:00:00Z"),
    ] {
        let mut policy = Policy { time_zone: zone(name), ..Policy::default() };
        policy.exemptions.push(exempting(named("*"), "2026-06-30"));
        let exempt = |now| policy.resolve(now, &user.subject()).unwrap().exempt;
        let end = at(end);
        let last = end - SignedDuration::from_nanos(1);
        assert_eq!(exempt(last).unwrap().until, end, "{name}");
        assert_eq!(exempt(end), None, "{name}");
        assert_eq!((policy.lapsed_exemptions(last).count(), policy.lapsed_exemptions(end).count()), (0, 1));
    }
}

#[test]
fn a_lapsed_exemption_is_not_asked_even_where_it_could_not_tell() {
    let mut policy = Policy::default();
    policy.exemptions.push(exempting(tagged("keep", "*"), "2025-12-31"));
    let user = User { tags: unknown(), ..mk_user("ci-deploy") };
    assert!(policy.resolve(at("2026-01-01T00:00:00Z"), &user.subject()).is_ok());
}

#[test]
fn the_exemption_that_lasts_longest_counts() {
    let mut policy = Policy::default();
    for until in ["2026-03-01", "2026-05-01", "2026-04-01"] {
        policy.exemptions.push(exempting(named("*"), until));
    }
    let user = mk_user("ci-deploy");
    let exempt = policy.resolve(at("2026-01-01T00:00:00Z"), &user.subject()).unwrap().exempt.unwrap();
    assert_eq!(exempt.rule, Rule::Exempt(2));
}

#[test]
fn of_two_exemptions_that_last_as_long_the_first_counts() {
    let mut policy = Policy::default();
    for until in ["2026-03-01", "2026-05-01", "2026-05-01"] {
        policy.exemptions.push(exempting(named("*"), until));
    }
    let user = mk_user("ci-deploy");
    let exempt = policy.resolve(at("2026-01-01T00:00:00Z"), &user.subject()).unwrap().exempt.unwrap();
    assert_eq!(exempt.rule, Rule::Exempt(2));
}

#[test]
fn an_exemption_is_either_in_force_or_lapsed_and_named_by_its_place() {
    let mut policy = Policy::default();
    for until in ["2026-03-01", "2026-02-01", "2026-03-02"] {
        policy.exemptions.push(exempting(named("*"), until));
    }
    let (first, second) = (at("2026-03-02T00:00:00Z"), at("2026-03-03T00:00:00Z"));
    let in_force: Vec<_> = policy.exemptions_in_force(first).map(|(rule, _, end)| (rule, end)).collect();
    assert_eq!(in_force, [(Rule::Exempt(3), second)]);
    let lapsed: Vec<_> = policy.lapsed_exemptions(first).map(|(rule, _)| rule).collect();
    assert_eq!(lapsed, [Rule::Exempt(1), Rule::Exempt(2)]);
    let before = policy.exemptions_in_force(at("2026-02-01T23:59:59Z")).map(|(rule, ..)| rule);
    assert_eq!(before.collect::<Vec<_>>(), [1, 2, 3].map(Rule::Exempt));
}

#[test]
fn the_lowest_threshold_covers_every_rule_that_could_match_in_the_account() {
    let mut policy = Policy::default();
    assert_eq!(policy.lowest_threshold(&mk_account()), 90 * DAY);
    let lower = |matches, days| Override {
        matches,
        terms: TermsPatch { never_used_after: Some(days * DAY), ..TermsPatch::default() },
    };
    let elsewhere = mk_match(|m| m.accounts = vec!["999999999999".parse().unwrap()]);
    policy.overrides.push(lower(elsewhere, 1));
    assert_eq!(policy.lowest_threshold(&mk_account()), 90 * DAY);
    policy.overrides.push(lower(named("ci-*"), 30));
    assert_eq!(policy.lowest_threshold(&mk_account()), 30 * DAY);
    policy.overrides.push(lower(mk_match(|m| m.ous = vec!["ou-root-test".parse().unwrap()]), 7));
    assert_eq!(policy.lowest_threshold(&mk_account()), 30 * DAY);
    let unread = AccountFacts { ous: unknown(), ..mk_account() };
    assert_eq!(policy.lowest_threshold(&unread), 7 * DAY, "unknown counts as possible");
    policy.base.max_age = Some(2 * DAY);
    assert_eq!(policy.lowest_threshold(&mk_account()), 2 * DAY);
}

#[test]
fn tags_for_iam_are_those_that_exempt_by_themselves() {
    let mut policy = Policy::default();
    policy.exemptions.push(exempting(tagged("keep", "*"), "2027-01-01"));
    policy.exemptions.push(exempting(tagged("old", "*"), "2025-01-01"));
    let two = mk_match(|m| {
        m.user_tags = BTreeMap::from([("a".into(), "*".into()), ("b".into(), "*".into())]);
    });
    policy.exemptions.push(exempting(two, "2027-01-01"));
    let elsewhere = Match { accounts: vec!["999999999999".parse().unwrap()], ..tagged("there", "*") };
    policy.exemptions.push(exempting(elsewhere, "2027-01-01"));
    let others = Match { users: vec!["other".into()], ..tagged("theirs", "*") };
    policy.exemptions.push(exempting(others, "2027-01-01"));
    let below = Match { paths: vec!["/ops/".into()], ..tagged("below", "*") };
    policy.exemptions.push(exempting(below, "2027-01-01"));
    let tags = policy.exempt_tags(at("2026-01-01T00:00:00Z"), &mk_account(), &"ci".parse().unwrap());
    assert_eq!(tags, [ExemptTag { key: "keep".into(), value: "*".into() }]);
}

fn overriding(matches: Match, fill: impl FnOnce(&mut TermsPatch)) -> Override {
    let mut terms = TermsPatch::default();
    fill(&mut terms);
    Override { matches, terms }
}

/// A rule for another account than that of [`mk_account`].
fn elsewhere() -> Match {
    mk_match(|m| m.accounts = vec!["999999999999".parse().unwrap()])
}

#[test]
fn a_reactivated_key_is_held_for_the_longest_that_could_apply_to_it() {
    let now = at("2026-01-01T00:00:00Z");
    let held = |policy: &Policy, user: &User| policy.hold_after_reactivation(now, &user.subject());
    let hold =
        |matches, days: u32| overriding(matches, |terms| terms.hold_after_reactivation = Some(days * DAY));
    let overrides = vec![hold(tagged("team", "pay*"), 60), hold(elsewhere(), 90)];
    let mut policy = Policy { overrides, ..Policy::default() };
    let unread = User { tags: unknown(), ..mk_user("any") };
    assert_eq!(held(&policy, &mk_user("any")), 60 * DAY);
    assert_eq!(held(&policy, &mk_tagged("team", "search")), 30 * DAY);
    assert_eq!(held(&policy, &unread), 60 * DAY, "not the longest of another account");
    policy.overrides = vec![hold(tagged("team", "pay*"), 1)];
    assert_eq!(held(&policy, &mk_user("any")), DAY);
    assert_eq!(held(&policy, &unread), 30 * DAY);
}

#[test]
fn a_key_whose_change_was_denied_is_held_for_the_longest_that_any_rule_says_where_its_user_is_not_known() {
    let now = at("2026-01-01T00:00:00Z");
    let hold = |matches, days: u32| overriding(matches, |terms| terms.hold_after_denial = Some(days * DAY));
    let overrides = vec![hold(tagged("team", "pay*"), 120), hold(elsewhere(), 150)];
    let mut policy = Policy { overrides, ..Policy::default() };
    let held = |policy: &Policy, user: Option<&User>| {
        policy.hold_after_denial(now, user.map(User::subject).as_ref())
    };
    assert_eq!(held(&policy, Some(&mk_user("any"))), 120 * DAY);
    assert_eq!(held(&policy, Some(&mk_tagged("team", "search"))), 90 * DAY);
    assert_eq!(held(&policy, Some(&User { tags: unknown(), ..mk_user("any") })), 150 * DAY);
    assert_eq!(held(&policy, None), 150 * DAY);
    policy.overrides = vec![hold(named("*"), 1)];
    assert_eq!((held(&policy, Some(&mk_user("any"))), held(&policy, None)), (DAY, 90 * DAY));
}

#[test]
fn it_is_worth_looking_in_every_window_that_rules_make_alone_or_together() {
    let mut policy = Policy::default();
    policy.base.time_zone = zone("Europe/Berlin");
    policy.overrides = vec![
        overriding(named("a*"), |terms| terms.hours = Some(Some("09:00-12:00".parse().unwrap()))),
        overriding(named("b*"), |terms| {
            terms.days = Some([DayOfWeek::from(jiff::civil::Weekday::Monday)].into());
        }),
    ];
    let (monday, berlin) = (jiff::civil::Weekday::Monday, "Europe/Berlin");
    let expected = [
        mk_window(&[], "", berlin),
        mk_window(&[monday], "09:00-12:00", berlin),
        mk_window(&[], "09:00-12:00", berlin),
        mk_window(&[monday], "", berlin),
    ];
    assert_eq!(policy.windows().collect::<Vec<_>>(), expected);
}

#[test]
fn what_could_apply_in_an_account_is_what_a_rule_could_set_there() {
    let account = mk_account();
    let mut policy = Policy::default();
    let possible = |policy: &Policy| {
        let (mode, adopts) = (policy.strongest_mode(&account), policy.may_adopt_inactive(&account));
        (mode, adopts, policy.may_find_over_age(&account))
    };
    assert_eq!(possible(&policy), (Mode::Observe, false, false));
    let all = |terms: &mut TermsPatch| {
        (terms.mode, terms.adopt_inactive) = (Some(Mode::Delete), Some(true));
        terms.max_age = Some(Some(DAY));
    };
    policy.overrides = vec![overriding(elsewhere(), all)];
    assert_eq!(possible(&policy), (Mode::Observe, false, false));
    policy.overrides = vec![overriding(named("ci-*"), all)];
    assert_eq!(possible(&policy), (Mode::Delete, true, true));
    policy.overrides = vec![overriding(named("ci-*"), |terms| {
        (terms.mode, terms.adopt_inactive) = (Some(Mode::Observe), Some(false));
        terms.max_age = Some(None);
    })];
    assert_eq!(possible(&policy), (Mode::Observe, false, false));
    (policy.base.mode, policy.base.adopt_inactive) = (Mode::Deactivate, true);
    policy.base.max_age = Some(DAY);
    assert_eq!(possible(&policy), (Mode::Deactivate, true, true), "of users to whom no rule applies");
}

#[test]
fn a_policy_changes_something_if_any_mode_of_it_does() {
    let mut policy = Policy::default();
    assert!(!policy.changes_anything());
    policy.overrides = vec![overriding(elsewhere(), |terms| terms.mode = Some(Mode::Observe))];
    assert!(!policy.changes_anything());
    policy.overrides.push(overriding(elsewhere(), |terms| terms.mode = Some(Mode::Deactivate)));
    assert!(policy.changes_anything());
    policy.overrides.clear();
    policy.base.mode = Mode::Delete;
    assert!(policy.changes_anything());
}

#[test]
fn only_what_a_rule_needs_is_read() {
    let account = mk_account();
    let reads =
        |policy: &Policy| [policy.reads_user_tags(&account), policy.reads_ous(), policy.reads_account_tags()];
    let mut policy = Policy::default();
    assert_eq!(reads(&policy), [false; 3]);
    policy.exemptions = vec![exempting(named("*"), "2027-01-01")];
    assert_eq!(reads(&policy), [false; 3]);
    let there = Match { user_tags: tagged("keep", "*").user_tags, ..elsewhere() };
    policy.exemptions = vec![exempting(there, "2027-01-01")];
    assert_eq!(reads(&policy), [false; 3], "of users of another account");
    policy.exemptions = vec![exempting(tagged("keep", "*"), "2027-01-01")];
    assert_eq!(reads(&policy), [true, false, false]);
    let ous = mk_match(|m| m.ous = vec!["ou-root-test".parse().unwrap()]);
    policy.exemptions = vec![exempting(ous, "2027-01-01")];
    assert_eq!(reads(&policy), [false, true, false]);
    let tags = mk_match(|m| m.account_tags = BTreeMap::from([("stage".into(), "*".into())]));
    policy.exemptions.clear();
    policy.overrides = vec![overriding(tags, |_| ())];
    assert_eq!(reads(&policy), [false, false, true]);
}

#[test]
fn tags_that_may_stand_together_are_those_of_any_account_and_of_each_that_is_named() {
    let now = at("2026-01-01T00:00:00Z");
    let with = |key: &str, matches: Match| Match { user_tags: tagged(key, "*").user_tags, ..matches };
    let third = mk_match(|m| m.accounts = vec!["444455556666".parse().unwrap()]);
    let exemptions = vec![
        exempting(tagged("keep", "*"), "2027-01-01"),
        exempting(with("there", elsewhere()), "2027-01-01"),
        exempting(with("old", elsewhere()), "2025-01-01"),
        exempting(with("below", mk_match(|m| m.paths = vec!["/ops/".into()])), "2027-01-01"),
        exempting(with("third", third), "2027-01-01"),
    ];
    let policy = Policy { exemptions, ..Policy::default() };
    let sets = policy.exempt_tag_sets(now);
    let keys: Vec<Vec<&str>> =
        sets.iter().map(|tags| tags.iter().map(|tag| tag.key.as_str()).collect()).collect();
    assert_eq!(keys, [vec!["keep", "third"], vec!["keep", "there"], vec!["keep"]]);
}

#[test]
fn a_rule_reads_as_the_configuration_writes_it() {
    let rule = mk_match(|m| {
        m.ous = vec!["r-root".parse().unwrap(), "ou-root-prod".parse().unwrap()];
        m.accounts = vec!["000000000042".parse().unwrap()];
        m.account_tags = BTreeMap::from([("stage".into(), "prod".into())]);
        m.user_tags = BTreeMap::from([("a".into(), "*".into()), ("b".into(), "\"x\"".into())]);
        m.users = vec!["ci-*".into(), "break-glass".into()];
        m.paths = vec!["/ops/".into()];
    });
    let text = r#"ous = ["r-root", "ou-root-prod"], accounts = ["000000000042"], account_tags = { "stage" = "prod" }, user_tags = { "a" = "*", "b" = "\"x\"" }, users = ["ci-*", "break-glass"], paths = ["/ops/"]"#;
    assert_eq!(rule.to_string(), text);
    assert_eq!(named("ci-*").to_string(), r#"users = ["ci-*"]"#);
    assert!(Match::default().is_empty() && Match::default().to_string().is_empty());
    assert!(!named("ci-*").is_empty());
}

#[test]
fn rules_and_days_have_the_names_of_the_configuration() {
    let names = [Rule::Base, Rule::Override(2), Rule::Exempt(3)].map(|rule| rule.to_string());
    assert_eq!(names, ["policy", "policy.override[2]", "policy.exempt[3]"]);
    let week = jiff::civil::Weekday::Monday.cycle_forward().take(7);
    let days: Vec<_> = week.map(|day| DayOfWeek::from(day).to_string()).collect();
    assert_eq!(days, ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    assert_eq!([ApprovalFor::None, ApprovalFor::Both].map(ApprovalFor::as_str), ["none", "both"]);
    let incomplete = [IncompleteEvidence::Wait, IncompleteEvidence::Ignore].map(IncompleteEvidence::as_str);
    assert_eq!(incomplete, ["wait", "ignore"]);
}

#[test]
fn hours_last_from_their_start_to_their_end_across_midnight_too() {
    for (text, minutes) in
        [("09:00-16:00", 420), ("22:00-06:00", 480), ("22:45-06:15", 450), ("00:00-23:59", 1439)]
    {
        let length = text.parse::<Hours>().unwrap().length();
        assert_eq!(length, Duration::from_secs(minutes * 60), "{text}");
    }
}

#[test]
fn modes_permit_what_they_say() {
    let permitted = |mode: Mode| [Planned::Deactivate, Planned::Delete].map(|action| mode.permits(action));
    assert_eq!(permitted(Mode::Observe), [false, false]);
    assert_eq!(permitted(Mode::Deactivate), [true, false]);
    assert_eq!(permitted(Mode::Delete), [true, true]);
}

fn mk_window(days: &[jiff::civil::Weekday], hours: &str, name: &str) -> Window {
    Window {
        days: days.iter().map(|day| (*day).into()).collect(),
        hours: (!hours.is_empty()).then(|| hours.parse().unwrap()),
        time_zone: zone(name),
    }
}

#[test]
fn hours_include_their_start_and_not_their_end() {
    let window = mk_window(&[], "09:00-16:00", "Europe/Berlin");
    for (time, open) in [("07:59", false), ("08:00", true), ("14:59", true), ("15:00", false)] {
        assert_eq!(window.is_open(at(&format!("2026-01-12T{time}:00Z"))), open, "{time}");
    }
}

#[test]
fn hours_that_cross_midnight_belong_to_the_day_on_which_they_begin() {
    // 2026-01-12 is a Monday.
    let window = mk_window(&[jiff::civil::Weekday::Monday], "22:00-06:00", "UTC");
    let open = [
        ("2026-01-12T05:00:00Z", false),
        ("2026-01-12T21:59:59Z", false),
        ("2026-01-12T22:00:00Z", true),
        ("2026-01-13T05:59:59Z", true),
        ("2026-01-13T06:00:00Z", false),
        ("2026-01-13T22:00:00Z", false),
    ];
    for (time, expected) in open {
        assert_eq!(window.is_open(at(time)), expected, "{time}");
    }
    assert_eq!(window.next_opening(at("2026-01-12T22:00:00Z")), Some(at("2026-01-19T22:00:00Z")));
}

#[test]
fn an_opening_that_the_clocks_skip_comes_when_they_have_skipped() {
    // On 2026-03-29 clocks in Berlin go from 02:00 to 03:00.
    let window = mk_window(&[], "02:30-05:00", "Europe/Berlin");
    let opening = at("2026-03-29T01:00:00Z");
    assert_eq!(window.next_opening(at("2026-03-28T12:00:00Z")), Some(opening));
    assert!(window.is_open(opening));
    // However long before that somebody asks.
    let window = mk_window(&[jiff::civil::Weekday::Sunday], "02:30-05:00", "Europe/Berlin");
    assert_eq!(window.next_opening(at("2026-03-23T12:00:00Z")), Some(opening));
    // Hours that fall into the gap whole do not open that day.
    let window = mk_window(&[], "02:10-02:50", "Europe/Berlin");
    assert_eq!(window.next_opening(at("2026-03-28T12:00:00Z")), Some(at("2026-03-30T00:10:00Z")));
}

#[test]
fn an_opening_that_the_clocks_repeat_comes_twice() {
    // On 2026-10-25 clocks in Berlin go from 03:00 back to 02:00.
    let window = mk_window(&[], "02:30-05:00", "Europe/Berlin");
    let (first, second) = (at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z"));
    assert_eq!(window.next_opening(at("2026-10-25T00:00:00Z")), Some(first));
    assert_eq!(window.next_opening(first), Some(second));
    assert!(!window.is_open(at("2026-10-25T01:10:00Z")));
}

#[test]
fn a_window_of_every_day_is_always_open() {
    assert_eq!(Window::always().next_opening(at("2026-01-12T05:00:00Z")), None);
    let all: Vec<_> = jiff::civil::Weekday::Monday.cycle_forward().take(7).collect();
    assert_eq!(mk_window(&all, "", "UTC").next_opening(at("2026-01-12T05:00:00Z")), None);
}

#[test]
fn hours_are_two_different_times() {
    for text in ["", "09:00", "09:00-09:00", "9-17", "25:00-26:00", "09:00-16:00-17:00"] {
        assert!(text.parse::<Hours>().is_err(), "{text}");
    }
    assert_eq!("09:00 - 16:30".parse::<Hours>().unwrap().to_string(), "09:00-16:30");
}

proptest! {
    #![proptest_config(Config {
        rng_seed: RngSeed::Fixed(20_260_101), failure_persistence: None, ..Config::default()
    })]

    #[test]
    fn the_next_opening_is_the_first_instant_at_which_a_closed_window_opens(
        days in 0..128u32, from in 0..1440u32, to in 0..1440u32, all_day in any::<bool>(),
        name in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
        start in 0..366 * 24 * 60i64,
    ) {
        prop_assume!(from != to);
        let week: Vec<_> = jiff::civil::Weekday::Monday.cycle_forward().take(7).collect();
        let days: Vec<_> = (0..7usize).filter(|n| days & (1 << n) != 0).map(|n| week[n]).collect();
        let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let hours = if all_day { String::new() } else { format!("{}-{}", clock(from), clock(to)) };
        let window = mk_window(&days, &hours, name);
        let now = at("2026-01-01T00:00:00Z") + SignedDuration::from_mins(start);
        let opening = window.next_opening(now);
        if let Some(opening) = opening {
            prop_assert!(opening > now && window.is_open(opening));
            prop_assert!(!window.is_open(opening - SignedDuration::from_nanos(1)));
        }
        // Between now and then it only ever closes.
        let end = opening.unwrap_or(now + SignedDuration::from_hours(8 * 24));
        let (mut moment, mut open) = (now, window.is_open(now));
        while moment < end {
            let still = window.is_open(moment);
            prop_assert!(open || !still, "open at {moment}, said to open at {opening:?}");
            open = still;
            moment += SignedDuration::from_mins(30);
        }
    }
}
