//! The journal as an auditor reads it: lines of JSON, and nothing of keysweep's own code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

/// What happens to a key between an intent and its end. The first that follows an intent ends it.
const ENDS: [&str; 11] = [
    "deactivated",
    "undone",
    "deleted",
    "refused",
    "unclear",
    "reactivated",
    "absent",
    "forgotten",
    "quarantined",
    "quarantine_ended",
    "quarantine_removed",
];

/// What takes back a change.
const UNDOS: [&str; 2] = ["reactivate", "end_quarantine"];

/// The whole lines of a journal at one moment.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The bytes of all whole lines.
    pub(super) bytes: Vec<u8>,
    entries: Vec<Value>,
}

impl Journal {
    /// Reads what is there now, be it in the middle of a write: a line without its end is left out.
    pub(super) fn read(data_dir: &Path) -> Result<Self, String> {
        let dir = data_dir.join("journal");
        let Ok(listed) = fs::read_dir(&dir) else { return Ok(Self::default()) };
        let mut paths: Vec<_> = listed.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        paths.sort();
        let mut bytes = Vec::new();
        for path in paths {
            bytes.extend(fs::read(&path).map_err(|error| format!("read {}: {error}", path.display()))?);
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes.truncate(whole);
        let mut entries = Vec::new();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let value: Value =
                serde_json::from_slice(line).map_err(|error| format!("a line of the journal: {error}"))?;
            if value.get("seq").is_some() {
                entries.push(value);
            }
        }
        Ok(Self { bytes, entries })
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Fails where numbers are missing, or where an intent was written before the one of the same key had come to its
    /// end. An undo waits for no other.
    pub(super) fn is_in_order(&self) -> Result<(), String> {
        let mut open: BTreeMap<&str, &str> = BTreeMap::new();
        for (number, entry) in (1_u64..).zip(&self.entries) {
            if entry.get("seq").and_then(Value::as_u64) != Some(number) {
                return Err(format!("entry {number} of the journal is missing: {entry}"));
            }
            let (key, event) = (text(entry, "access_key_id"), text(entry, "event"));
            if event == "intent" {
                let action = text(entry, "action");
                let first = open.insert(key, action);
                // What a process that was killed left open may still be so when the next one is asked for an undo.
                if first.is_some() && !UNDOS.contains(&action) {
                    return Err(format!("P5: a second intent while the first is open: {entry}"));
                }
            }
            if ENDS.contains(&event) {
                open.remove(key);
            }
        }
        Ok(())
    }

    /// Keys whose last intent has no end yet, with what was to be done.
    pub(super) fn open_intents(&self) -> BTreeMap<&str, &str> {
        let mut open = BTreeMap::new();
        for entry in &self.entries {
            let (key, event) = (text(entry, "access_key_id"), text(entry, "event"));
            if event == "intent" {
                open.insert(key, text(entry, "action"));
            } else if ENDS.contains(&event) {
                open.remove(key);
            }
        }
        open
    }

    /// The deadline of the last intent about a key.
    pub(super) fn deadline(&self, key: &str) -> Option<Timestamp> {
        self.of_key(key, "intent").last().and_then(|entry| text(entry, "deadline").parse().ok())
    }

    /// Intents to do this to this key.
    pub(super) fn intents(&self, key: &str, action: &str) -> usize {
        self.of_key(key, "intent").filter(|entry| text(entry, "action") == action).count()
    }

    /// Whether something happened to a key, and, where a reason is given, for that reason.
    pub(super) fn has(&self, key: &str, event: &str, reason: Option<&str>) -> bool {
        self.of_key(key, event).any(|entry| reason.is_none_or(|reason| text(entry, "reason") == reason))
    }

    /// How often something happened to a key.
    pub(super) fn times(&self, key: &str, event: &str) -> usize {
        self.of_key(key, event).count()
    }

    /// Whether there is an entry of this kind with this reason.
    pub(super) fn has_kind(&self, kind: &str, reason: &str) -> bool {
        self.entries.iter().any(|entry| text(entry, "kind") == kind && text(entry, "reason") == reason)
    }

    /// The name of every entry: its event, or its kind.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| match text(entry, "event") {
            "" => text(entry, "kind"),
            event => event,
        })
    }

    fn of_key<'a>(&'a self, key: &'a str, event: &'a str) -> impl Iterator<Item = &'a Value> {
        self.entries
            .iter()
            .filter(move |entry| text(entry, "event") == event && text(entry, "access_key_id") == key)
    }
}

/// A field that is a text; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
