//! `journal`: the files themselves, beside a running daemon too, since they are only read.

use std::collections::VecDeque;
use std::io::{self, Write};

use keysweep_core::state::Entry;
use keysweep_store::{JournalError, Verified};
use serde::Serialize;

use super::args::{Format, FormatArgs, Global};
use super::config::data_dir;
use super::console::Console;
use super::error::CliError;
use super::export;
use super::text::count;
use super::{Exit, view};

/// An entry as CSV.
const ENTRY: [export::Column<Entry>; 5] = [
    ("seq", |entry| entry.seq.to_string()),
    ("at", |entry| entry.at.to_string()),
    ("actor", |entry| entry.actor.to_string()),
    ("event", |entry| entry.body.name().into()),
    ("details", |entry| view::details(entry)),
];

/// `journal verify` as JSON.
#[derive(Debug, Serialize)]
struct Whole {
    entries: u64,
    segments: u64,
    first_seq: u64,
    last_seq: u64,
    head_hash: String,
    torn_bytes: u64,
}

impl From<Verified> for Whole {
    fn from(verified: Verified) -> Self {
        let Verified { entries, segments, first_seq, last_seq, head_hash, torn_bytes, written_by: _ } =
            verified;
        Self { entries, segments, first_seq, last_seq, head_hash, torn_bytes }
    }
}

/// `journal verify` as CSV.
const WHOLE: [export::Column<Whole>; 6] = [
    ("entries", |whole| whole.entries.to_string()),
    ("segments", |whole| whole.segments.to_string()),
    ("first_seq", |whole| whole.first_seq.to_string()),
    ("last_seq", |whole| whole.last_seq.to_string()),
    ("head_hash", |whole| whole.head_hash.clone()),
    ("torn_bytes", |whole| whole.torn_bytes.to_string()),
];

/// `journal export`.
pub(super) fn export(global: &Global, from: u64, console: &Console) -> Result<Exit, CliError> {
    let data_dir = data_dir(global, console)?;
    console.print(|out| {
        keysweep_store::export(&data_dir, from, out)?;
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// `journal verify`.
pub(super) fn verify(global: &Global, format: FormatArgs, console: &Console) -> Result<Exit, CliError> {
    let whole = Whole::from(keysweep_store::verify(&data_dir(global, console)?)?);
    console.print_until_closed(|out| match format.format {
        Format::Table => write!(out, "{}", in_words(&whole)).map_err(|source| CliError::Output { source }),
        Format::Json => export::json(out, &whole),
        Format::Jsonl => export::json_lines(out, [&whole]),
        Format::Csv => export::csv(out, &WHOLE, [&whole]),
    })?;
    Ok(Exit::Done)
}

fn in_words(whole: &Whole) -> String {
    let Whole { entries, segments, first_seq, last_seq, head_hash, torn_bytes } = whole;
    let mut text = format!(
        "the journal is intact: {} ({first_seq} to {last_seq}) in {}\nlast line: {head_hash}\n",
        count(*entries, "entry", "entries"),
        count(*segments, "segment", "segments"),
    );
    if *first_seq > 1 {
        text += &format!("entries before {first_seq} are not here: archived, if this is your doing\n");
    }
    if *torn_bytes > 0 {
        text +=
            &format!("{torn_bytes} bytes at the end are being written right now, or were torn by a crash\n");
    }
    text
}

/// `journal tail`.
pub(super) fn tail(
    global: &Global,
    number: usize,
    format: FormatArgs,
    console: &Console,
) -> Result<Exit, CliError> {
    let data_dir = data_dir(global, console)?;
    let mut last = Last { number, lines: VecDeque::new(), rest: Vec::new() };
    keysweep_store::export(&data_dir, 1, &mut last)?;
    let parsed: Result<Vec<Entry>, _> = last.lines.iter().map(|line| serde_json::from_slice(line)).collect();
    let entries = parsed.map_err(|source| JournalError::Decode { path: data_dir, source })?;
    console.print_until_closed(|out| match format.format {
        Format::Table => {
            let text = view::entries_table(&entries, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, &entries),
        Format::Jsonl => export::json_lines(out, &entries),
        Format::Csv => export::csv(out, &ENTRY, &entries),
    })?;
    Ok(Exit::Done)
}

/// Keeps the last lines of what is written to it.
struct Last {
    number: usize,
    lines: VecDeque<Vec<u8>>,
    rest: Vec<u8>,
}

impl Write for Last {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if self.rest.last() == Some(&b'\n') {
                self.lines.push_back(std::mem::take(&mut self.rest));
                while self.lines.len() > self.number {
                    self.lines.pop_front();
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept_however_they_arrive() {
        for size in [1, 2, 3, 100] {
            let mut last = Last { number: 2, lines: VecDeque::new(), rest: Vec::new() };
            for piece in b"one\ntwo\nthree\nfour\n".chunks(size) {
                last.write_all(piece).unwrap();
            }
            assert_eq!(last.lines, [b"three\n".to_vec(), b"four\n".to_vec()]);
        }
    }
}
