//! The first and the last line of a backup.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::view::JournalView;
use crate::hash::Hash;

/// Names the format in the first line.
pub(super) const FORMAT: &str = "keysweep-backup";

/// The newest version of the format, and the one written.
pub(super) const VERSION: u64 = 1;

/// Longer is no first line: tens of thousands of segments fit.
pub(super) const MAX_FIRST_LINE: u64 = 1 << 20;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the program that wrote it.
    #[serde(rename = "keysweep")]
    pub version: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Entries of the journal.
    pub entries: u64,
    /// Number of the first entry: above 1 where older segments were archived before.
    pub first_seq: u64,
    /// Number of the last entry.
    pub last_seq: u64,
    /// SHA-256 of the last line of the journal, as `keysweep journal verify` prints it.
    pub(crate) head_hash: Hash,
    /// The segments, oldest first, in which they follow.
    pub segments: Vec<Part>,
    /// The evidence bundles, which follow after them.
    #[serde(default)]
    pub bundles: Bundles,
}

/// The evidence bundles in a backup: a line each, in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bundles {
    /// How many.
    pub count: u64,
    /// Their length together.
    pub bytes: u64,
}

/// One segment in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Number of its first entry.
    pub first_seq: u64,
    /// Its length.
    pub bytes: u64,
}

impl Manifest {
    /// SHA-256 of the last line of the journal, in hexadecimal.
    #[must_use]
    pub fn head_hash(&self) -> String {
        self.head_hash.to_string()
    }

    pub(super) fn new(view: &JournalView, bundles: Bundles, version: &str, created_at: Timestamp) -> Self {
        let first_seq = view.parts.first().map_or(1, |part| part.first_seq);
        Self {
            version: version.into(),
            created_at,
            entries: view.last_seq.saturating_add(1).saturating_sub(first_seq),
            first_seq,
            last_seq: view.last_seq,
            head_hash: view.head,
            segments: view.parts.clone(),
            bundles,
        }
    }

    /// Bytes between the first and the last line.
    pub(super) fn body_bytes(&self) -> Option<u64> {
        self.segments.iter().try_fold(self.bundles.bytes, |sum, part| sum.checked_add(part.bytes))
    }
}

/// The first line.
#[derive(Serialize)]
struct First<'a> {
    kind: &'static str,
    format: &'static str,
    v: u64,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

/// What says that a file is a backup, of whatever version.
#[derive(Debug, Deserialize)]
pub(super) struct Peek {
    pub(super) kind: String,
    pub(super) format: String,
    pub(super) v: u64,
    /// Who wrote it.
    #[serde(default)]
    pub(super) keysweep: String,
}

impl Peek {
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let peek: Self = serde_json::from_slice(line).ok()?;
        (peek.kind == "backup" && peek.format == FORMAT).then_some(peek)
    }
}

/// The first line, with its end.
pub(super) fn first_line(manifest: &Manifest) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(&First { kind: "backup", format: FORMAT, v: VERSION, manifest })?;
    line.push(b'\n');
    Ok(line)
}

/// The last line, with its end. It has the same length in every backup, and there is one way to write it.
pub(super) fn last_line(sha256: Hash) -> String {
    format!("{{\"kind\":\"backup_end\",\"sha256\":\"{sha256}\"}}\n")
}
