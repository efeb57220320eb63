//! The last words: what happened to how many keys, how each story ended, and that nothing is left.

use std::path::Path;
use std::time::Duration;

use keysweep_sim::Sim;

use super::chronicle::Chronicle;
use super::snapshot::Snapshot;

/// Everything that is said at the end.
pub(super) fn text(snapshot: &Snapshot, chronicle: &Chronicle, sim: &Sim, ran: Duration) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!(
            "The demo ran for {} s: {} days passed, in {} sweeps.",
            ran.as_secs(),
            snapshot.day,
            snapshot.sweeps
        ),
        String::new(),
    ];
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let happened = [
        (chronicle.count(|past| past.flagged.is_some()), "flagged as stale, owners notified"),
        (chronicle.count(|past| past.used_again.is_some()), "used again in time, and left alone"),
        (chronicle.count(|past| past.deactivated.is_some()), "deactivated after seven days of notice"),
        (chronicle.count(|past| past.reactivated.is_some()), "reactivated by its owner or an operator"),
        (chronicle.count(|past| past.deleted.is_some()), "deleted after 14 days of watched grace"),
        (chronicle.messages, "messages delivered to owners and the security team"),
        (snapshot.keys.hold, "on hold now"),
        (count(snapshot.keys.exempt), "stale but exempt"),
        (snapshot.keys.approval, "waiting for approval"),
    ];
    lines.extend(happened.map(|(number, what)| format!("{number:>5}  {what}")));
    lines.push(String::new());
    let title = width(snapshot.stories.iter().map(|story| story.title.len()));
    let about = width(snapshot.stories.iter().map(|story| story.about.len()));
    lines.extend(
        snapshot
            .stories
            .iter()
            .map(|story| format!("  {:title$}  {:about$}  {}", story.title, story.about, story.stands)),
    );
    lines.push(String::new());
    lines.push(match sim.missed_uses().len() {
        0 => "No program in the organization was refused a key that it used.".to_owned(),
        1 => "A program in the organization was refused a key once.".to_owned(),
        n => format!("Programs in the organization were refused a key {n} times."),
    });
    lines
}

/// That nothing is left.
pub(super) fn removed(folder: &Path) -> String {
    format!("Nothing is left behind: {} is removed.", folder.display())
}

fn width(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.max().unwrap_or_default()
}
