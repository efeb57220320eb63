//! The journal: JSON lines, each with the hash of the line before it, in segments.

mod audit;
mod backwards;
mod line;
mod scan;
mod segment;
mod writer;

pub use self::audit::{Verified, Witnessed, export, verify, witness};
pub(crate) use self::backwards::backwards;
pub(crate) use self::line::parse_entry;
pub(crate) use self::scan::{BUFFER, Scanned, Snapshots, Visit, scan, scan_with};
pub(crate) use self::segment::{Segment, list, remove_unfinished};
pub(crate) use self::writer::{Group, Journal, cut_tail};

/// Name of the journal's directory in data_dir.
pub(crate) const DIR: &str = "journal";
