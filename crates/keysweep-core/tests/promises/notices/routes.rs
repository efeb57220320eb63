//! Routes by OU and account tag. A notice never goes by the wrong route because a fact is missing.

use keysweep_core::facts::Ou;

use super::*;

const PROD: &str = "prod@example.com";

fn ou(id: &str) -> Ou {
    Ou { id: id.parse().unwrap(), name: id.to_owned() }
}

fn unknown<T>() -> Fact<T> {
    Fact::Unknown("organizations:ListParents was throttled".into())
}

/// A world whose key has no owner, with a route for an OU that has a team of its own.
fn mk_routed(matches: RouteMatch) -> World {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.policy.owners.default = None;
    world.policy.notices.routes = vec![Route { matches, notify: vec![address(PROD)], ..Route::default() }];
    world
}

fn in_ou(id: &str) -> RouteMatch {
    RouteMatch { ous: vec![id.parse().unwrap()], ..RouteMatch::default() }
}

fn tagged(key: &str, value: &str) -> RouteMatch {
    RouteMatch { account_tags: [(key.to_owned(), value.to_owned())].into(), ..RouteMatch::default() }
}

fn names(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.to.name.as_str()).collect()
}

#[test]
fn a_route_matches_ous_with_their_descendants_and_tags_by_globs() {
    let above = || Fact::Known(vec![ou("r-ab12"), ou("ou-ab12-11111111"), ou("ou-ab12-22222222")]);
    let tags = || Fact::Known([("env".to_owned(), "production".to_owned())].into());
    let both = |value| RouteMatch { ous: in_ou("r-ab12").ous, ..tagged("env", value) };
    for (matches, expected) in [
        (in_ou("ou-ab12-22222222"), PROD),
        (in_ou("ou-ab12-11111111"), PROD),
        (in_ou("r-ab12"), PROD),
        (in_ou("ou-ab12-33333333"), TEAM),
        (tagged("env", "prod*"), PROD),
        (tagged("env", "dev*"), TEAM),
        (tagged("team", "*"), TEAM),
        (both("production"), PROD),
        (both("dev"), TEAM),
    ] {
        let mut world = mk_routed(matches.clone());
        (world.account.ous, world.account.tags) = (above(), tags());
        world.sweep(day(0));
        assert_eq!(names(&world.post(day(0))), [expected], "{matches:?}");
    }
}

#[test]
fn a_notice_whose_route_is_unknown_waits_for_the_next_scan() {
    for place in [unknown(), Fact::NotRead] {
        let mut world = mk_routed(in_ou("ou-ab12-11111111"));
        world.account.ous = place;
        for hour in [0, 6, 12] {
            world.sweep(hours(hour));
            assert_eq!(world.post(hours(hour)), [], "neither team is told at {hour} h");
        }
        let mut known = world;
        known.account.ous = Fact::Known(vec![ou("ou-ab12-11111111")]);
        known.sweep(hours(12));
        assert_eq!(names(&known.post(hours(12))), [PROD]);
    }
}

#[test]
fn a_tag_that_aws_may_take_for_another_is_no_sure_match() {
    let mut world = mk_routed(tagged("Env", "prod*"));
    world.account.tags = Fact::Known([("env".to_owned(), "production".to_owned())].into());
    world.sweep(day(0));
    assert_eq!(world.post(day(0)), []);
}

#[test]
fn news_whose_route_stays_unknown_goes_by_the_first_sure_route() {
    let mut world = mk_routed(in_ou("ou-ab12-11111111"));
    world.account.ous = unknown();
    world.sweep(day(0));
    assert_eq!(world.post(hours(12)), []);
    assert_eq!(names(&world.post(hours(13))), [TEAM], "it would be lost");

    let mut world = mk_routed(in_ou("ou-ab12-11111111"));
    let others = Route { notify: vec![address("others@example.com")], ..Route::default() };
    world.policy.notices.routes.push(others);
    world.account.ous = unknown();
    world.sweep(day(0));
    assert_eq!(world.post(hours(12)), []);
    assert_eq!(names(&world.post(hours(13))), ["others@example.com"]);
}

#[test]
fn a_missing_fact_delays_nothing_that_it_cannot_change() {
    let matches = in_ou("ou-ab12-11111111");
    let elsewhere = RouteMatch { accounts: [mk_account_id(7)].into(), ..matches.clone() };
    let of_other_kind = RouteMatch { kinds: [NoticeKind::Reactivated].into(), ..matches.clone() };
    for other in [elsewhere, of_other_kind] {
        let mut world = mk_routed(other);
        world.account.ous = unknown();
        world.sweep(day(0));
        assert_eq!(names(&world.post(day(0))), [TEAM], "another condition surely does not match");
    }

    let mut world = mk_routed(RouteMatch::default());
    let later = Route { matches, notify: vec![address(TEAM)], ..Route::default() };
    world.policy.notices.routes.push(later);
    world.account.ous = unknown();
    world.sweep(day(0));
    assert_eq!(names(&world.post(day(0))), [PROD], "an earlier route surely matches");

    let mut world = mk_routed(in_ou("ou-ab12-11111111"));
    world.policy.owners.default = Some(DANA.into());
    world.account.ous = unknown();
    world.sweep(day(0));
    assert_eq!(names(&world.post(day(0))), [DANA], "both routes reach the owner in the same way");
}

#[test]
fn an_announcement_never_goes_by_a_route_that_is_not_sure() {
    let mut world = mk_routed(in_ou("ou-ab12-11111111"));
    world.policy.owners.default = Some(DANA.into());
    world.policy.notices.routes[0].channels = vec![ChannelKind::Slack];
    world.policy.notices.channels.push(ChannelKind::Slack);
    world.account.ous = unknown();
    world.run(0, 9);
    assert_eq!(world.post(day(9)), []);
    assert_eq!(world.state_of(0), "flagged");
    let wait = world.wait_of(day(9), 0);
    let expected = "route of the notice: OUs of the account: organizations:ListParents was throttled";
    assert!(wait.contains(expected), "{wait}");
    world.account.ous = Fact::Known(Vec::new());
    world.sweep(day(10));
    assert_eq!(world.deliver(day(10)), [said(DANA, NoticeKind::DeactivationAhead, 0)]);

    // The route is new, and no scan has read what it needs.
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep(day(0));
    let channels = vec![ChannelKind::Slack];
    world.policy.notices.routes =
        vec![Route { matches: tagged("env", "prod"), channels, ..Route::default() }];
    assert_eq!(world.post(day(3)), []);
    world.account.tags = Fact::Known([("env".to_owned(), "dev".to_owned())].into());
    world.sweep(day(3));
    assert_eq!(names(&world.post(day(3))), [DANA]);
}

#[test]
fn what_no_route_needs_is_not_recorded() {
    let mut world = mk_routed(tagged("env", "prod"));
    (world.account.ous, world.account.tags) =
        (unknown(), Fact::Known([("env".into(), "prod".into())].into()));
    world.sweep(day(0));
    let place = &world.state.account(mk_account_id(0)).unwrap().place;
    assert_eq!((&place.ous, place.tags.known().unwrap().iter().count()), (&Fact::NotRead, 1));
    world.policy.notices.routes.clear();
    world.sweep(day(1));
    assert!(world.state.account(mk_account_id(0)).unwrap().place.is_unread());
}
