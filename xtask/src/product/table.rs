//! The measurements, as a table for people.

use std::fmt::Write as _;

use super::gates::{Run, expected_calls, stale_users};
use super::server::USERS;

/// One line per measure, one column per run; Markdown, so that it can go into docs/PERFORMANCE.md.
pub(super) fn table(runs: &[Run]) -> String {
    type Measure = (&'static str, fn(&Run) -> String);
    let measures: [Measure; 13] = [
        ("accounts", |run| run.accounts.to_string()),
        ("each answer, ms", |run| run.latency.as_millis().to_string()),
        ("users", |run| (run.accounts * USERS).to_string()),
        ("stale keys", |run| (run.accounts * stale_users()).to_string()),
        ("findings", |run| run.findings.to_string()),
        ("calls expected", |run| expected_calls(run.accounts).values().sum::<u64>().to_string()),
        ("calls counted", |run| run.total_calls().to_string()),
        ("calls per second", |run| {
            format!("{:.0}", run.total_calls() as f64 / run.wall.as_secs_f64().max(f64::EPSILON))
        }),
        ("wall, s", |run| format!("{:.2}", run.wall.as_secs_f64())),
        ("least wall, s", |run| format!("{:.2}", run.least_wall.as_secs_f64())),
        ("wall / least wall", |run| run.wall_ratio().map_or("-".into(), |ratio| format!("{ratio:.2}"))),
        ("CPU per call, µs", |run| run.cpu_per_call().as_micros().to_string()),
        ("peak memory, MiB", |run| format!("{:.1}", run.peak_mib())),
    ];
    let mut text = String::new();
    for (number, (name, measure)) in measures.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = write!(text, "| {name:<18} |");
        for run in runs {
            let _ = write!(text, " {:>9} |", measure(run));
        }
        text.push('\n');
        if number == 0 {
            let _ = write!(text, "|{}|", "-".repeat(20));
            for _ in runs {
                let _ = write!(text, "{}:|", "-".repeat(10));
            }
            text.push('\n');
        }
    }
    text
}
