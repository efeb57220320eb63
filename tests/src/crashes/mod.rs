//! Real crashes: the program as a process of its own, with real files, under SIGKILL again and again.
//!
//! A world is one organization and one data_dir. In it one process lives after the other, each killed at a moment that
//! the seed draws in terms of what it does: at its n-th call or change, be that on its way, arriving or waiting for
//! its answer; at the n-th line of its log; when its journal has grown by so many bytes. Operators ask meanwhile, and
//! remember what they were told. After each death the files are looked at, and at the end of a world a last process
//! lives long enough to settle everything, and what it believes is compared with what is true.
//!
//! What is drawn follows from the seed; how far a process had come at its moment does not.

mod evidence;
mod journal;
mod moment;
mod people;
mod wire;
mod world;

use std::fmt;

pub use self::world::kill_again_and_again;
use crate::history::Tally;

/// How many crashes, and which.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Seed of the first world; the others follow.
    pub seed: u64,
    /// Processes that are killed.
    pub kills: u64,
    /// Whether a change whose process died between its intent and its call, or whose call is lost on its way, is left
    /// for the next process, which then reads AWS for a minute, and leaves the intent open until its call can no longer
    /// take effect. Otherwise somebody makes it by hand before, so that a sample is quick.
    pub leave_open: bool,
    /// Tell every death on stderr.
    pub tell: bool,
}

/// A promise that a crash broke.
#[derive(Debug)]
pub struct Broken {
    /// Seed of its world.
    pub seed: u64,
    /// Lives before it in that world.
    pub life: u64,
    /// What is wrong, with the end of the daemon's log.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "world {}, life {}: {}", self.seed, self.life, self.what)
    }
}

/// What has happened too seldom for a run to say anything, in words; `None` where all did.
///
/// Each is a third or less of what was counted when this was written.
#[must_use]
pub fn too_idle(tally: &Tally, kills: u64) -> Option<String> {
    let least = [
        ("kills", kills),
        ("restarts after a crash", kills - kills / 10),
        ("killed while an intent was open", kills / 6),
        ("change deactivate", kills / 2),
        ("change delete", kills / 20),
        ("change quarantine", kills / 2),
        ("change end_quarantine", kills / 4),
        ("operators' requests acknowledged", kills / 20),
    ];
    let missing = least.into_iter().filter(|(name, least)| tally.count(name) < *least);
    let told: Vec<String> =
        missing.map(|(name, least)| format!("{name}: {} and not {least}", tally.count(name))).collect();
    if told.is_empty() { None } else { Some(told.join("; ")) }
}

/// What came of it: counts, and the first broken promise of each world.
pub type Outcome = (Tally, Vec<Broken>);
