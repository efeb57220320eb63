//! How old the newest backup is.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::family::Gauges;

/// What is known of the backups that the configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastBackup {
    /// There is none yet.
    Never,
    /// When the newest was made.
    At(Timestamp),
}

/// The gauge of the backups.
#[derive(Default)]
pub struct Backups {
    /// `None` where no backup is configured.
    last: Mutex<Option<LastBackup>>,
}

impl Backups {
    /// What is known of the backups, or `None` where none is configured.
    pub fn set(&self, last: Option<LastBackup>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    /// Where there never was a backup, it is as old as Unix time: an alert looks at one series alone.
    pub(super) fn family(&self) -> Gauges {
        let mut family = Gauges::new(
            "keysweep_backup_last_success_timestamp_seconds",
            "Unix time of the last successful state backup.",
        );
        match *self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            None => {}
            Some(LastBackup::Never) => family.push(&[], 0.0),
            Some(LastBackup::At(at)) => family.push(&[], at),
        }
        family
    }
}
