//! A login between the redirect to the provider and the return of the person.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use openidconnect::{CsrfToken, Nonce, PkceCodeVerifier};
use subtle::ConstantTimeEq as _;

/// How long a person has to log in at the provider.
pub const PENDING_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// A login that has begun.
pub struct Begun {
    /// Where to send the browser. Contains the state and the nonce of the login, so do not log it.
    pub authorize_url: String,
    /// What to keep until the browser returns, bound to this browser alone: its holder can finish the login.
    pub pending: Pending,
}

/// The secrets of a login that has begun. [`Provider::finish`](crate::Provider::finish) consumes it, so that each is used
/// once.
pub struct Pending {
    pub(crate) state: CsrfToken,
    pub(crate) nonce: Nonce,
    pub(crate) verifier: PkceCodeVerifier,
    pub(crate) started: Timestamp,
}

impl Pending {
    /// When the login began.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// Whether the time for this login is over; it can be forgotten then. One from the future is over too: the clock was
    /// set back.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.started);
        age.is_negative() || age > PENDING_LIFETIME
    }

    pub(crate) fn has_state(&self, state: &str) -> bool {
        self.state.secret().as_bytes().ct_eq(state.as_bytes()).into()
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("started", &self.started).finish_non_exhaustive()
    }
}
