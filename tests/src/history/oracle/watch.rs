//! The watched grace of a key, counted from the listings that keysweep was given.

use jiff::{SignedDuration, Timestamp};

/// How long a listing may lag behind a deactivation that another listing has shown.
const LAG: SignedDuration = SignedDuration::from_secs(5);

/// How long a key was seen Inactive.
#[derive(Debug, Clone, Default)]
pub(super) struct Watched {
    last: Option<(Timestamp, u64)>,
    pub(super) sum: SignedDuration,
}

impl Watched {
    /// A listing shows the key Inactive, in the life of that number; `most` is the longest span that counts.
    pub(super) fn inactive(&mut self, at: Timestamp, life: u64, most: SignedDuration) {
        if let Some((last, last_life)) = self.last {
            let span = at.duration_since(last);
            // What passed while no process ran was not watched, nor was a span that is too long.
            if last_life == life && span <= most {
                self.sum += span;
            }
        }
        self.last = Some((at, life));
    }

    /// It is seen otherwise: the watch starts over. A listing that lags may show for a moment what a deactivation ended,
    /// such as to the end of a quarantine right after it.
    pub(super) fn over(&mut self, at: Timestamp) {
        if self.last.is_none_or(|(last, _)| at.duration_since(last) > LAG) {
            *self = Self::default();
        }
    }
}
