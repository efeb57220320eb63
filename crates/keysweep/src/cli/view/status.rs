//! How things stand.

use std::time::Duration;

use jiff::Timestamp;
use keysweep_api::{CountRow, StatusDocument, SweepRow};

use super::Screen;
use crate::cli::table::{Text, Tone, table};
use crate::cli::text::{count, rough, when};

/// What stops changes, sweeps, counts, and what waits for somebody.
#[must_use]
pub fn status_text(document: &StatusDocument, screen: Screen) -> String {
    let now = document.generated_at;
    let plain = |name: &str, text: String| [Text::new(name, Tone::Faint), Text::new(text, Tone::Plain)];
    let bad = |name: &str, text: String| [Text::new(name, Tone::Faint), Text::new(text, Tone::Bad)];
    let mut rows = vec![plain("mode", format!("{}: keysweep {}", document.mode, document.mode_means))];
    if document.stops.is_empty() {
        rows.push(plain("stopped", "no".to_owned()));
    }
    for stop in &document.stops {
        rows.push(bad("stopped", format!("{}: {} ({})", stop.title, stop.reason, when(now, stop.since))));
        rows.push(plain("", format!("to end this: {}", stop.remedy)));
    }
    rows.extend(document.missing.iter().map(|what| bad("not ready", what.clone())));
    rows.push(match &document.sweep {
        Some(sweep) if sweep.failed > 0 || sweep.unknown_keys > 0 => bad("last sweep", swept(now, sweep)),
        Some(sweep) => plain("last sweep", swept(now, sweep)),
        None => plain("last sweep", "none yet".to_owned()),
    });
    rows.push(plain("next sweep", next_sweep(now, document)));
    rows.push(plain("keys", counts(&document.states, "none tracked")));
    rows.push(plain("findings", counts(&document.findings, "none")));
    rows.push(plain("waiting for", waiting(document)));
    rows.extend(document.data_dir.iter().map(|dir| plain("data_dir", dir.clone())));
    table(screen, ["KEYSWEEP", &document.version], rows)
}

fn swept(now: Timestamp, sweep: &SweepRow) -> String {
    let SweepRow { at, took_seconds, scanned, failed, skipped, unknown_keys } = sweep;
    let took = rough(Duration::from_secs(*took_seconds));
    let scanned = count(*scanned, "account", "accounts");
    let unknown = match unknown_keys {
        0 => String::new(),
        keys => format!("; facts about {} could not be read", count(*keys, "key", "keys")),
    };
    format!("{}, took {took}: {scanned} scanned, {failed} failed, {skipped} skipped{unknown}", when(now, *at))
}

fn next_sweep(now: Timestamp, document: &StatusDocument) -> String {
    match document.next_sweep_at {
        _ if document.sweeping => "under way".to_owned(),
        Some(at) => when(now, at),
        None => "unknown: no daemon is running, or it is starting".to_owned(),
    }
}

/// Those that are not zero.
fn counts(rows: &[CountRow], none: &str) -> String {
    let some = rows.iter().filter(|row| row.count > 0);
    let texts: Vec<_> = some.map(|row| format!("{} {}", row.count, row.name.replace('_', " "))).collect();
    if texts.is_empty() { none.to_owned() } else { texts.join(", ") }
}

fn waiting(document: &StatusDocument) -> String {
    let waits = [
        (document.approvals, "approval", "approvals"),
        (document.without_owner, "owner of a key", "owners of keys"),
        (
            document.undeliverable,
            "message that could not be delivered",
            "messages that could not be delivered",
        ),
    ];
    let some = waits.into_iter().filter(|(waiting, ..)| *waiting > 0);
    let texts: Vec<_> = some.map(|(waiting, one, many)| count(waiting, one, many)).collect();
    if texts.is_empty() { "nobody".to_owned() } else { texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use keysweep_api::StopRow;

    use super::*;
    use crate::cli::console::Width;

    fn mk_count(name: &str, count: u64) -> CountRow {
        CountRow { name: name.into(), meaning: String::new(), count, urgent: false }
    }

    fn mk_status() -> StatusDocument {
        StatusDocument {
            generated_at: "2026-11-22T12:00:00Z".parse().unwrap(),
            version: "0.1.0".into(),
            mode: "deactivate".into(),
            mode_means: "deactivates stale keys, and deletes none".into(),
            stops: Vec::new(),
            pauses: Vec::new(),
            missing: Vec::new(),
            sweep: None,
            sweeping: false,
            next_sweep_at: None,
            data_dir: Some("/var/lib/keysweep".into()),
            states: vec![mk_count("flagged", 0)],
            findings: vec![mk_count("never_used", 0)],
            idle: Vec::new(),
            approvals: 0,
            without_owner: 0,
            undeliverable: 0,
            trend: Vec::new(),
        }
    }

    #[test]
    fn a_quiet_daemon_says_that_nothing_is_the_matter() {
        let screen = Screen { colour: false, width: Width::Columns(80) };
        insta::assert_snapshot!(status_text(&mk_status(), screen), @r"
        KEYSWEEP     0.1.0
        mode         deactivate: keysweep deactivates stale keys, and deletes none
        stopped      no
        last sweep   none yet
        next sweep   unknown: no daemon is running, or it is starting
        keys         none tracked
        findings     none
        waiting for  nobody
        data_dir     /var/lib/keysweep
        ");
    }

    #[test]
    fn everything_that_needs_somebody_shows_within_80_columns() {
        let status = StatusDocument {
            stops: vec![StopRow {
                title: "Paused".into(),
                reason: "ann (local): <incident 4711>, which takes longer than we thought at first".into(),
                since: "2026-11-20T12:00:00Z".parse().unwrap(),
                remedy: "keysweep resume 12 --reason TEXT".into(),
            }],
            missing: vec!["the last sweep ended 3 d ago".into()],
            sweep: Some(SweepRow {
                at: "2026-11-19T12:00:00Z".parse().unwrap(),
                took_seconds: 190,
                scanned: 498,
                failed: 1,
                skipped: 2,
                unknown_keys: 3,
            }),
            next_sweep_at: Some("2026-11-22T15:00:00Z".parse().unwrap()),
            states: vec![mk_count("active", 0), mk_count("flagged", 218), mk_count("deactivated", 50)],
            findings: vec![mk_count("unused", 200), mk_count("never_used", 18)],
            approvals: 3,
            without_owner: 1,
            undeliverable: 2,
            ..mk_status()
        };
        let screen = Screen { colour: false, width: Width::Columns(80) };
        let text = status_text(&status, screen);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text, @r"
        KEYSWEEP     0.1.0
        mode         deactivate: keysweep deactivates stale keys, and deletes none
        stopped      Paused: ann (local): <incident 4711>, which takes longer than we
                     thought at first (2026-11-20, 2 d ago)
                     to end this: keysweep resume 12 --reason TEXT
        not ready    the last sweep ended 3 d ago
        last sweep   2026-11-19, 3 d ago, took 3 min: 498 accounts scanned, 1 failed,
                     2 skipped; facts about 3 keys could not be read
        next sweep   2026-11-22 15:00 UTC, in 3 h
        keys         218 flagged, 50 deactivated
        findings     200 unused, 18 never used
        waiting for  3 approvals, 1 owner of a key, 2 messages that could not be
                     delivered
        data_dir     /var/lib/keysweep
        ");
    }
}
