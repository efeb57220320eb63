//! What happens on which day if nobody acts.

use askama::Template;
use keysweep_api::{CalendarDay, CalendarDocument, CalendarEvent};

use super::frame::{Chip, Frame, Shell, View, chip, html};
use super::query::{key_path, keys_with};
use super::words::{counted, number};

#[derive(Template)]
#[template(path = "calendar.html")]
struct Page<'a> {
    shell: Shell<'a>,
    zone: &'a str,
    days: Vec<Day<'a>>,
}

struct Day<'a> {
    day: &'a CalendarDay,
    title: String,
    count: String,
    more: String,
    events: Vec<Event<'a>>,
}

struct Event<'a> {
    row: &'a CalendarEvent,
    what: Chip,
    iso: String,
    time: String,
    path: String,
    account: String,
}

/// The calendar.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn calendar(
    frame: &Frame,
    document: &CalendarDocument,
) -> Result<String, askama::Error> {
    let zone = jiff::tz::TimeZone::get(&document.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    html(&Page {
        shell: frame.shell(View::Calendar, "Calendar", Some(document.generated_at), false),
        zone: &document.time_zone,
        days: document.days.iter().map(|day| of(day, &zone)).collect(),
    })
}

fn of<'a>(day: &'a CalendarDay, zone: &jiff::tz::TimeZone) -> Day<'a> {
    let event = |row: &'a CalendarEvent| Event {
        row,
        what: chip(&row.what),
        iso: row.at.to_string(),
        time: row.at.to_zoned(zone.clone()).strftime("%H:%M").to_string(),
        path: key_path(&row.access_key_id),
        account: keys_with("account", &row.account_id),
    };
    Day {
        day,
        title: day.day.strftime("%A, %Y-%m-%d").to_string(),
        count: counted(day.events.len() as u64 + day.more, "event", "events"),
        more: number(day.more),
        events: day.events.iter().map(event).collect(),
    }
}
