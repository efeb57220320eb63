//! The forms of a line.
//!
//! ```text
//! {"kind":"segment","format":"keysweep-journal","v":1,"first_seq":8,"prev":"..."}   first of each segment
//! {"kind":"snapshot_record", ...} {"kind":"snapshot_account", ...} {"kind":"snapshot_creation", ...}
//! {"kind":"snapshot_parcel", ...} {"kind":"snapshot_control", ...}
//! {"kind":"snapshot_end","records":1,"accounts":2,"creations":3,"parcels":4,"prev":"..."}   missing where first_seq is 1
//! {"seq":8,"at":"...","actor":"...","kind":"...", ...,"more":1,"prev":"..."}        the entries
//! ```
//!
//! `more` counts the entries of the same request that follow: a request is in the journal as a whole or not at all.

use std::borrow::Cow;

use keysweep_core::evidence::Creation;
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::Record;
use keysweep_core::notice::Parcel;
use keysweep_core::state::{AccountRecord, Control, Entry};
use serde::{Deserialize, Serialize};

use crate::hash::Hash;

/// Names the format in the header of each segment.
pub(super) const FORMAT: &str = "keysweep-journal";

/// The newest version of the format, and the one written.
pub(super) const VERSION: u64 = 1;

/// A line that is the store's own, not an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Own<'a> {
    /// First line of a segment.
    Segment {
        format: Cow<'a, str>,
        v: u64,
        /// Number of the first entry in it.
        first_seq: u64,
    },
    /// A record as it stood after entry `first_seq - 1`.
    SnapshotRecord { record: Cow<'a, Record> },
    /// An account as it stood.
    SnapshotAccount { account_id: AccountId, account: Cow<'a, AccountRecord> },
    /// Who created a key.
    SnapshotCreation {
        account_id: AccountId,
        access_key_id: Cow<'a, AccessKeyId>,
        creation: Cow<'a, Creation>,
    },
    /// What people were still to be told.
    SnapshotParcel { parcel: Cow<'a, Parcel> },
    /// What restrained changes.
    SnapshotControl { control: Cow<'a, Control> },
    /// The snapshot is complete.
    SnapshotEnd {
        records: u64,
        accounts: u64,
        #[serde(default)]
        creations: u64,
        #[serde(default)]
        parcels: u64,
    },
}

/// What every line has.
#[derive(Debug, Deserialize)]
pub(super) struct Peek<'a> {
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    pub(super) prev: Hash,
    #[serde(default)]
    pub(super) seq: Option<u64>,
    #[serde(default)]
    pub(super) more: u32,
}

/// What says which version wrote a segment, in any version.
#[derive(Debug, Deserialize)]
pub(super) struct FormatPeek {
    pub(super) format: String,
    pub(super) v: u64,
}

#[derive(Serialize)]
struct Chained<'a, T> {
    #[serde(flatten)]
    body: &'a T,
    #[serde(skip_serializing_if = "is_zero")]
    more: u32,
    prev: Hash,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Appends one line to `out` and returns its hash.
pub(super) fn write_line<T: Serialize>(
    out: &mut Vec<u8>,
    body: &T,
    more: u32,
    prev: Hash,
) -> Result<Hash, serde_json::Error> {
    let line = serde_json::to_vec(&Chained { body, more, prev })?;
    let hash = Hash::of(&line);
    out.extend_from_slice(&line);
    out.push(b'\n');
    Ok(hash)
}

/// The entry of a line.
pub(crate) fn parse_entry(line: &[u8]) -> Result<Entry, serde_json::Error> {
    serde_json::from_slice(line)
}
