//! The credential report.

use jiff::Timestamp;
use keysweep_aws::report::Report;
use proptest::prelude::*;
use proptest::sample::select;

use super::damage::{check, corpus, mk_damage};

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// Reads a report. Whoever has a row must stand in the text; whose line is whole must have one, unless the report says
/// that it cannot name everybody.
fn read(text: &[u8], users: &[(String, Vec<u8>)]) {
    let Ok(report) = Report::parse(text.to_vec(), "111122223333".parse().unwrap(), now(), now()) else {
        return;
    };
    let mut names_every_user = report.names_every_user();
    let plain = |text: &str| text.replace('"', "");
    let shown = plain(&String::from_utf8_lossy(text));
    let mut named = Vec::new();
    for row in report.into_rows() {
        match row {
            Ok(row) => {
                assert!(shown.contains(&plain(row.user_name.as_str())), "{:?} is made up", row.user_name);
                named.push(row.user_name.to_string());
            }
            // Whose row it is nobody knows: the account is read without the report, or counts as unknown.
            Err(error) => names_every_user &= error.is_root(),
        }
    }
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').skip(1).collect();
    for (user, line) in users.iter().filter(|(_, line)| lines.contains(&line.as_slice())) {
        assert!(!names_every_user || named.contains(user), "{user} is lost: {}", line.escape_ascii());
    }
}

/// Users of a report with their lines, as the report says by itself while it is whole.
fn users_of(text: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Ok(report) = Report::parse(text.to_vec(), "111122223333".parse().unwrap(), now(), now()) else {
        return Vec::new();
    };
    let lines = text.split(|byte| *byte == b'\n').skip(1).map(<[u8]>::to_vec);
    report
        .into_rows()
        .zip(lines)
        .filter_map(|(row, line)| Some((row.ok()?.user_name.to_string(), line)))
        .collect()
}

#[test]
fn a_report_of_the_corpus_is_read_or_refused() {
    for (_, text) in corpus("report") {
        read(&text, &[]);
    }
}

#[test]
fn a_damaged_report_makes_up_nobody_and_loses_nobody() {
    check(2_000, &(select(corpus("report")), mk_damage()), |((_, text), damage)| {
        read(&damage.done_to(&text), &users_of(&text));
    });
}

#[test]
fn a_quote_that_swallows_rows_is_told() {
    let (_, text) = corpus("report").into_iter().find(|(name, _)| name == "users.csv").unwrap();
    let text = String::from_utf8(text).unwrap();
    let swallowed = text.replacen("\nalice,", "\n\"alice,", 1);
    assert_ne!(swallowed, text);
    read(swallowed.as_bytes(), &users_of(text.as_bytes()));
}

#[test]
fn bytes_that_are_no_report_name_nobody() {
    check(300, &prop::collection::vec(any::<u8>(), 0..2_000), |bytes| read(&bytes, &[]));
}
