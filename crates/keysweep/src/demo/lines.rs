//! The demo where there is no terminal: a line per event, and now and then how things stand.

use std::io::{self, Write};

use super::calendar::Calendar;
use super::marquee::Marquee;
use super::snapshot::{Counts, Snapshot};
use super::words::Event;

/// A line on how things stand after so many looks: every five seconds.
const STANDING_EVERY: u32 = 20;

/// The demo as lines.
pub(super) struct Lines {
    marquee: Marquee,
    calendar: Calendar,
    looks: u32,
    /// Whether the first deletion was told of.
    has_deleted: bool,
}

impl Lines {
    pub(super) fn begin(marquee: Marquee, calendar: Calendar) -> io::Result<Self> {
        print(&[
            format!("keysweep demo: a simulated organization of {}", marquee.organization),
            format!("policy time is sped up: {}; mode delete; nothing leaves this machine", marquee.speed),
            format!("metrics: {}", marquee.metrics()),
            format!("page: {}", marquee.page),
            format!("messages to people: {}mailbox and {}slack", marquee.page, marquee.page),
            format!("to decide on the page, log in with: {}", marquee.token),
            format!("from another terminal: {} && {} keys list", marquee.join, marquee.program),
        ])?;
        Ok(Self { marquee, calendar, looks: 0, has_deleted: false })
    }

    pub(super) fn show(&mut self, events: &[Event], snapshot: &Snapshot) -> io::Result<()> {
        let mut lines: Vec<String> = events
            .iter()
            .map(|event| format!("day {}: {}", self.calendar.day(event.at), event.text))
            .collect();
        if let (false, Some(key)) = (self.has_deleted, &snapshot.first_deleted) {
            self.has_deleted = true;
            lines.push(format!(
                "to read the evidence bundle of the first deletion while the demo runs, run in the terminal with \
                 KEYSWEEP_CONFIG: {}",
                self.marquee.evidence(key)
            ));
        }
        self.looks += 1;
        if self.looks.is_multiple_of(STANDING_EVERY) {
            lines.push(standing(snapshot));
        }
        print(&lines)
    }
}

/// Writes lines to stdout.
pub(super) fn print(lines: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// How things stand, on one line.
fn standing(snapshot: &Snapshot) -> String {
    let Snapshot { day, date, keys, stopped, .. } = snapshot;
    let stopped = stopped.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
    format!("-- day {day} ({date}): {}; keys: {}{stopped}", coverage(snapshot), counts(*keys))
}

/// What the last sweep saw.
pub(super) fn coverage(snapshot: &Snapshot) -> String {
    match &snapshot.last_sweep {
        Some(sweep) => format!(
            "sweep {}: {} accounts scanned, {} failed, {} skipped",
            snapshot.sweeps, sweep.scanned, sweep.failed, sweep.skipped
        ),
        None => "the first sweep is under way".to_owned(),
    }
}

/// Keys by where they stand.
pub(super) fn counts(keys: Counts) -> String {
    let Counts { flagged, deactivated, deleted, hold, exempt, approval } = keys;
    format!(
        "{flagged} flagged ({approval} of them wait for approval), {deactivated} deactivated, {deleted} deleted, \
         {hold} on hold, {exempt} exempt"
    )
}
