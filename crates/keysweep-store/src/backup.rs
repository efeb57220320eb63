//! Backups: the journal and the evidence bundles as one file, and the way back.
//!
//! ```text
//! {"kind":"backup","format":"keysweep-backup","v":1,"keysweep":"0.1.0","created_at":"...","entries":9,...}
//! ... every segment of the journal, oldest first, byte for byte ...
//! ... every evidence bundle, a line each ...
//! {"kind":"backup_end","sha256":"..."}                          of every byte before this line
//! ```
//!
//! JSON lines from beginning to end, so that a backup can be read with `less` and `jq`, checked with `head -n -1 FILE |
//! sha256sum`, and taken apart at the lines of kind `segment`. The first line says how many bytes, entries, segments and
//! bundles follow and which hash the last line of the journal has, so that nothing can be missing or altered unnoticed.

mod error;
mod manifest;
mod read;
mod restore;
mod shelf;
mod view;
mod write;

pub use self::error::{BackupError, RestoreError};
pub use self::manifest::{Bundles, Manifest, Part};
pub use self::read::{Backup, inspect};
pub(crate) use self::restore::refuse_unfinished;
pub use self::restore::{Restoration, Restored, restore, unfinished_restoration};
pub use self::shelf::{EXTENSION, Shelf, file_name};
pub use self::view::JournalView;
pub use self::write::{NewBackup, back_up};
