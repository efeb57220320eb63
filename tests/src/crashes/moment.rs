//! When a life ends: drawn from the seed, and told by something that happens.

use std::fmt;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::wire::{How, Trigger};

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    /// At a call.
    Call(Trigger),
    /// When its log has so many lines: between calls, or while it starts.
    Lines(usize),
    /// When the journal has grown by so many bytes, in the middle of whatever follows a write.
    Grown(u64),
    /// When it has read for a minute what became of an intent that its predecessor left open.
    Settled,
}

impl Moment {
    /// Draws one. `may_lose` allows the loss of a change on its way, after which the next process reads for a minute.
    pub(super) fn draw(rng: &mut ChaCha8Rng, may_lose: bool) -> Self {
        let how = if rng.random_bool(0.5) { How::Arriving } else { How::AnswerHeld };
        match rng.random_range(0..100) {
            0..40 => Self::Call(Trigger { changes_only: true, nth: rng.random_range(1..=6), how }),
            40..42 if may_lose => {
                Self::Call(Trigger { changes_only: true, nth: rng.random_range(1..=2), how: How::Lost })
            }
            40..60 => {
                // A read that is lost is as good as one that was never sent.
                let nth = rng.random_range(1..=150);
                Self::Call(Trigger { changes_only: false, nth, how })
            }
            60..80 => Self::Lines(rng.random_range(1..=60)),
            _ => Self::Grown(rng.random_range(1..=30_000)),
        }
    }
}

/// Its name in the tally.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call(Trigger { changes_only: true, how: How::Lost, .. }) => "kill, a change lost",
            Self::Call(Trigger { changes_only: true, how: How::Arriving, .. }) => "kill, a change arriving",
            Self::Call(Trigger { changes_only: true, how: How::AnswerHeld, .. }) => {
                "kill, the answer of a change held"
            }
            Self::Call(Trigger { changes_only: false, .. }) => "kill, a call under way",
            Self::Lines(_) => "kill, at a line of the log",
            Self::Grown(_) => "kill, as the journal grows",
            Self::Settled => "kill, after a minute of reading",
        })
    }
}
