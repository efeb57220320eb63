//! The time zone of the dates that a reader sees.

use jiff::tz::TimeZone;
use keysweep_core::owner::{Contact, ContactRule};

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn contact(email: &str) -> Contact {
    Contact { email: Some(email.parse().unwrap()), ..Contact::default() }
}

impl World {
    /// The time zones of everything that is sent now, by recipient.
    fn zones(&mut self, at: Timestamp) -> Vec<(String, String)> {
        let messages = self.post(at);
        let zone_of = |message: &Message| {
            let item = self.standing(message).into_iter().next()?;
            let zone = notice::time_zone(&self.policy, &self.state, message.to.audience, &item);
            Some((message.to.name.clone(), zone.iana_name().unwrap().to_owned()))
        };
        messages.iter().filter_map(zone_of).collect()
    }
}

fn zones(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(to, zone)| ((*to).to_owned(), (*zone).to_owned())).collect()
}

/// A world whose key belongs to payments, in New York.
fn mk_payments() -> World {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.policy.notices.time_zone = zone("Europe/Berlin");
    world.policy.owners.default = Some("Payments".into());
    world.policy.owners.contacts = vec![
        ContactRule::new("pay*", contact("pay@example.com")).in_time_zone(Some(zone("America/New_York"))),
        ContactRule::new("*", contact("web@example.com")),
    ];
    world
}

#[test]
fn dates_for_an_owner_are_in_the_time_zone_of_the_contact() {
    let mut world = mk_payments();
    world.sweep(day(0));
    assert_eq!(world.zones(day(0)), zones(&[("Payments", "America/New_York")]));

    let mut world = mk_payments();
    world.policy.owners.default = Some("Web".into());
    world.sweep(day(0));
    assert_eq!(world.zones(day(0)), zones(&[("Web", "Europe/Berlin")]));
}

#[test]
fn a_contact_that_does_not_reach_the_owner_says_nothing_about_the_time_zone() {
    let mut world = mk_payments();
    world.sweep(day(0));
    // The owner was found before the contact changed.
    let elsewhere = ContactRule::new("pay*", contact("new@example.com"));
    world.policy.owners.contacts = vec![elsewhere.in_time_zone(Some(zone("Asia/Tokyo")))];
    assert_eq!(world.zones(day(0)), zones(&[("Payments", "Europe/Berlin")]));
}

#[test]
fn dates_for_the_team_are_in_the_time_zone_of_the_route() {
    let mut world = mk_payments();
    world.policy.notices.routes = vec![Route { time_zone: Some(zone("Asia/Tokyo")), ..Route::default() }];
    world.sweep(day(0));
    assert_eq!(world.zones(day(0)), zones(&[("Payments", "America/New_York")]), "the contact decides");

    let mut world = mk_payments();
    world.policy.notices.routes = vec![Route { time_zone: Some(zone("Asia/Tokyo")), ..Route::default() }];
    world.policy.owners.default = Some("Web".into());
    world.sweep(day(0));
    assert_eq!(world.zones(day(0)), zones(&[("Web", "Europe/Berlin")]), "a route is for the team");

    world.policy.owners.default = None;
    world.sweep(day(1));
    let of_team: Vec<_> = world.zones(day(1)).into_iter().filter(|(to, _)| to == TEAM).collect();
    assert_eq!(of_team, zones(&[(TEAM, "Asia/Tokyo")]));
    world.policy.notices.routes.clear();
    let of_team: Vec<_> = world.zones(day(1)).into_iter().filter(|(to, _)| to == TEAM).collect();
    assert_eq!(of_team, zones(&[(TEAM, "Europe/Berlin")]));
}

#[test]
fn quiet_hours_are_in_the_time_zone_of_the_route() {
    let mut world = mk_payments();
    let quiet_hours = Some("22:00-07:00".parse().unwrap());
    world.policy.notices.routes =
        vec![Route { quiet_hours, time_zone: Some(zone("Asia/Tokyo")), ..Route::default() }];
    // 21:00 in Tokyo, 13:00 in Berlin.
    world.sweep(hours(12));
    assert_eq!(world.post(hours(12)).len(), 1);

    let mut world = mk_payments();
    world.policy.notices.routes =
        vec![Route { quiet_hours, time_zone: Some(zone("Asia/Tokyo")), ..Route::default() }];
    world.sweep(hours(14));
    assert_eq!(world.post(hours(14)).len(), 0, "23:00 in Tokyo, 15:00 in Berlin");
    assert_eq!(world.post(hours(22)).len(), 1, "07:00 in Tokyo, 23:00 in Berlin");
}
