//! The only crate that knows bytes on disk.
//!
//! ```text
//! append ──queue──> group: validate, one write, one fdatasync ──> visible in memory, receipts ──later──> projection
//!                          (journal, the truth)                   (keysweep_core::state::State)         (sled)
//! ```
//!
//! * the **journal** (`<data_dir>/journal/`) is the truth: JSON lines, each with the hash of the line before it, on
//!   disk before anybody hears of them. A segment after the first begins with a snapshot of the whole state, so that
//!   segments before it may be archived;
//! * the **projection** (`<data_dir>/records/`) makes opening quick and answers for the history of one key. It can be
//!   thrown away at any time and is rebuilt from the journal;
//! * **evidence bundles** (`<data_dir>/evidence/`) are the proofs of deletions, each named by its hash, which is in the
//!   journal;
//! * the **state** that is read lives in memory, and an entry is part of it only once the journal has it on disk.
//!
//! No sled type is public here.

mod backup;
mod bundles;
mod error;
mod files;
mod hash;
mod journal;
mod lock;
mod ownership;
mod projection;
mod reserve;
mod store;

pub use self::backup::{
    Backup, BackupError, Bundles, EXTENSION as BACKUP_EXTENSION, JournalView, Manifest, NewBackup, Part,
    Restoration, RestoreError, Restored, Shelf, back_up, file_name as backup_name, inspect, restore,
    unfinished_restoration,
};
pub use self::bundles::{BundleError, bundle_id, read_bundle};
pub use self::error::{AppendError, CloseError, JournalError, OpenError, Problem, ReadError};
pub use self::files::{Disk, Files, JournalFile};
pub use self::journal::{Verified, Witnessed, export, verify, witness};
pub use self::lock::holder;
pub use self::ownership::{Exposed, exposed};
pub use self::store::{ErrorCounts, Jobs, OpenOptions, Opened, Rebuilt, Store, Told, Undecided, rebuild};
