//! The demo on a terminal: one screen, updated in place.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use console::{StyledObject, Term, style, truncate_str};

use super::calendar::Calendar;
use super::marquee::Marquee;
use super::snapshot::{Counts, Snapshot};
use super::stories::Story;
use super::words::{Event, Tone};

/// More events than any terminal has lines.
const EVENTS_KEPT: usize = 200;

/// The alternate screen, so that what the terminal showed before comes back at the end; no cursor.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// The demo on a terminal. Dropping it gives the terminal back.
pub(super) struct Screen {
    terminal: Term,
    picture: Picture,
}

/// What is on the screen, whatever its size.
struct Picture {
    marquee: Marquee,
    calendar: Calendar,
    events: VecDeque<Event>,
    /// Whether the demo is about to end.
    ending: bool,
}

impl Screen {
    pub(super) fn begin(marquee: Marquee, calendar: Calendar) -> io::Result<Self> {
        let terminal = Term::stdout();
        terminal.write_str(ENTER)?;
        let picture = Picture { marquee, calendar, events: VecDeque::new(), ending: false };
        Ok(Self { terminal, picture })
    }

    pub(super) fn show(&mut self, events: &[Event], snapshot: &Snapshot) -> io::Result<()> {
        self.picture.add(events);
        let (height, width) = self.terminal.size();
        let mut frame = String::from("\u{1b}[H");
        for line in self.picture.lines(snapshot, usize::from(width), usize::from(height)) {
            // The rest of a line goes before the next begins; the last one leaves no line feed, which would scroll.
            let _ = write!(frame, "{}\u{1b}[0m\u{1b}[K\r\n", truncate_str(&line, usize::from(width), "…"));
        }
        frame.truncate(frame.trim_end_matches("\r\n").len());
        frame.push_str("\u{1b}[J");
        self.terminal.write_str(&frame)?;
        self.terminal.flush()
    }

    /// Says from now on that the demo is about to end.
    pub(super) fn ending(&mut self) {
        self.picture.ending = true;
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing given back.
        let _ = io::stdout().lock().write_all(LEAVE.as_bytes());
        let _ = io::stdout().lock().flush();
    }
}

impl Picture {
    fn add(&mut self, events: &[Event]) {
        self.events.extend(events.iter().cloned());
        let surplus = self.events.len().saturating_sub(EVENTS_KEPT);
        self.events.drain(..surplus);
    }

    /// The lines from top to bottom: at most `height`. What happened last gets what the rest leaves.
    fn lines(&self, snapshot: &Snapshot, width: usize, height: usize) -> Vec<String> {
        let mut lines = self.head(snapshot);
        lines.push(rule("Stories to watch", width));
        lines.extend(stories(&snapshot.stories));
        lines.push(rule("What happens", width));
        // One line stays for the foot.
        let room = height.saturating_sub(lines.len() + 1);
        let first = self.events.len().saturating_sub(room);
        let mut shown: Vec<String> = self.events.range(first..).map(|event| self.event(event)).collect();
        shown.resize(room, String::new());
        lines.extend(shown);
        lines.truncate(height.saturating_sub(1));
        lines.push(self.foot());
        lines
    }

    fn head(&self, snapshot: &Snapshot) -> Vec<String> {
        let Marquee { organization, speed, page, token, join, program } = &self.marquee;
        let Counts { flagged, deactivated, deleted, hold, exempt, approval } = snapshot.keys;
        let swept = match &snapshot.last_sweep {
            Some(sweep) => format!(
                "{}; the last one: {} accounts scanned, {} failed, {} skipped, {:.1} s",
                snapshot.sweeps,
                sweep.scanned,
                sweep.failed,
                sweep.skipped,
                sweep.took.as_secs_f64()
            ),
            None => "the first one is under way".to_owned(),
        };
        let mut lines = vec![
            format!("{}: {organization}, all made up", style("keysweep demo").bold()),
            format!(
                "{} · {} · {speed} · mode delete",
                style(format!("Day {}", snapshot.day)).bold().cyan(),
                snapshot.date
            ),
            label("Metrics", &format!("{page}metrics")),
            label("Page", &format!("{page} (to decide, log in with {token})")),
            label("Messages", &format!("{page}mailbox and {page}slack")),
            label("Join in", join),
            label("", &format!("{program} keys list")),
        ];
        if let Some(key) = &snapshot.first_deleted {
            lines.push(label("Evidence", &self.marquee.evidence(key)));
        }
        lines.extend([
            String::new(),
            label("Sweeps", &swept),
            label(
                "Keys",
                &format!(
                    "{} flagged, {} deactivated, {} deleted; {hold} held, {exempt} exempt, {approval} to approve",
                    number(flagged).yellow(),
                    number(deactivated).magenta(),
                    number(deleted).red(),
                ),
            ),
        ]);
        if let Some(why) = &snapshot.stopped {
            lines.push(style(capitalized(why)).yellow().to_string());
        } else {
            lines.push(String::new());
        }
        lines
    }

    fn event(&self, event: &Event) -> String {
        let text = style(&event.text);
        let text = match event.tone {
            Tone::Usual => text,
            Tone::Change => text.magenta(),
            Tone::Wanted => text.green(),
            Tone::Trouble => text.yellow(),
        };
        format!("{} {text}", style(format!("day {:>2}", self.calendar.day(event.at))).dim())
    }

    fn foot(&self) -> String {
        let text = match self.ending {
            false => "Ctrl-C ends the demo and removes everything that it made.",
            true => "Ending: what is under way is brought to its end. Ctrl-C again aborts.",
        };
        style(text).dim().to_string()
    }
}

fn number(number: usize) -> StyledObject<usize> {
    style(number).bold()
}

fn label(name: &str, value: &str) -> String {
    format!("{} {value}", style(format!("{name:<8}")).dim())
}

fn rule(title: &str, width: usize) -> String {
    let rest = width.saturating_sub(title.chars().count() + 4);
    style(format!("── {title} {}", "─".repeat(rest))).dim().to_string()
}

fn stories(stories: &[Story]) -> Vec<String> {
    let title = stories.iter().map(|story| story.title.len()).max().unwrap_or_default();
    let line = |story: &Story| {
        let mark = if story.told { style("✓").green() } else { style("·").dim() };
        let about = style(&story.about).bold();
        format!("{mark} {} {about}: {}", style(format!("{:title$}", story.title)).dim(), story.stands)
    };
    stories.iter().map(line).collect()
}

/// A sentence at the start of a line.
fn capitalized(sentence: &str) -> String {
    let mut rest = sentence.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use console::{measure_text_width, strip_ansi_codes};
    use jiff::Timestamp;

    use super::*;

    fn mk_picture(events: i64) -> Picture {
        let marquee = Marquee {
            organization: "31 accounts".to_owned(),
            speed: "a day passes every 2 s".to_owned(),
            page: "http://127.0.0.1:9853/".to_owned(),
            token: format!("demo-{}", "0".repeat(16)),
            join: "export KEYSWEEP_CONFIG=/tmp/keysweep-abcdef/demo.toml".to_owned(),
            program: "keysweep".to_owned(),
        };
        let mut picture = Picture {
            marquee,
            calendar: Calendar::new(Timestamp::UNIX_EPOCH, 30),
            events: VecDeque::new(),
            ending: false,
        };
        let at = Timestamp::UNIX_EPOCH;
        let event = |n| Event { at, text: format!("event {n}"), tone: Tone::Usual };
        picture.add(&(0..events).map(event).collect::<Vec<_>>());
        picture
    }

    fn mk_snapshot() -> Snapshot {
        let story =
            |title, told| Story { title, about: "svc-a".to_owned(), stands: "flagged".to_owned(), told };
        Snapshot {
            day: 3,
            date: "2026-01-04".to_owned(),
            sweeps: 0,
            last_sweep: None,
            keys: Counts::default(),
            stopped: None,
            stories: vec![story("rescued", true), story("no role", false)],
            first_deleted: Some("AKIAIOSFODNN7EXAMPLE".parse().unwrap()),
        }
    }

    fn plain(lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| strip_ansi_codes(line).into_owned()).collect()
    }

    #[test]
    fn every_terminal_is_filled_to_the_last_line_and_no_further() {
        for (width, height) in [(80, 24), (120, 40), (40, 10), (10, 2)] {
            let lines = plain(&mk_picture(100).lines(&mk_snapshot(), width, height));
            assert_eq!(lines.len(), height);
            assert!(lines.last().unwrap().starts_with("Ctrl-C ends the demo"), "{lines:?}");
        }
    }

    #[test]
    fn what_happened_last_is_what_is_seen() {
        let lines = plain(&mk_picture(100).lines(&mk_snapshot(), 80, 24));
        assert_eq!(lines[lines.len() - 2], "day  0 event 99");
        let few = plain(&mk_picture(1).lines(&mk_snapshot(), 80, 24));
        assert!(few.contains(&"day  0 event 0".to_owned()), "{few:?}");
        assert_eq!(few.len(), 24);
    }

    #[test]
    fn events_that_nobody_can_see_any_more_are_dropped() {
        assert_eq!(mk_picture(1000).events.len(), EVENTS_KEPT);
    }

    #[test]
    fn the_head_fits_eighty_columns() {
        let mut snapshot = mk_snapshot();
        snapshot.keys = Counts { flagged: 33, deactivated: 33, deleted: 33, hold: 3, exempt: 3, approval: 3 };
        for line in mk_picture(0).lines(&snapshot, 80, 24) {
            assert!(measure_text_width(&line) <= 80, "{line}");
        }
    }
}
