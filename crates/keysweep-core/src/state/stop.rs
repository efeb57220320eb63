//! What stops every automatic change at once.

use jiff::Timestamp;

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
    /// Every pause, then the breaker where it is open.
    pub fn stops(&self) -> impl Iterator<Item = Stop<'_>> {
        self.pauses.iter().map(Stop::Paused).chain(self.breaker.as_ref().map(Stop::Breaker))
    }
}
