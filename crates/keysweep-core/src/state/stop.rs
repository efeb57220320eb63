//! What stops every automatic change at once.

use jiff::Timestamp;

use crate::policy::Policy;

use super::control::{Control, MissingReference, Pause, Trip};

/// What stops every automatic change at once, until an operator lifts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop<'a> {
    /// A pause. It stops orders, too.
    Paused(&'a Pause),
    /// The breaker.
    Breaker(&'a Trip),
    /// Something that a rule names and that does not exist, in a mode that changes keys.
    Reference(&'a MissingReference),
}

impl Stop<'_> {
    /// Since when.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        match self {
            Self::Paused(pause) => pause.since,
            Self::Breaker(trip) => trip.since,
            Self::Reference(missing) => missing.since,
        }
    }
}

impl Control {
    /// Every pause, then the breaker where it is open, then, in a policy that changes keys, what a rule names and does
    /// not exist.
    pub fn stops(&self, policy: &Policy) -> impl Iterator<Item = Stop<'_>> {
        let missing = self.unacknowledged().filter(|_| policy.changes_anything());
        let breaker = self.breaker.as_ref().map(Stop::Breaker);
        self.pauses.iter().map(Stop::Paused).chain(breaker).chain(missing.map(Stop::Reference))
    }
}
