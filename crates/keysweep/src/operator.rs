//! What operators ask for, done: the same whether a daemon answers or the command opens data_dir itself.

mod answer;
mod decide;
mod evidence;
mod notices;
mod order;
mod restrain;
mod rules;
mod show;

use jiff::SignedDuration;
use keysweep_api::{Operation, Refusal};
use keysweep_core::state::Actor;

pub(crate) use self::answer::{Answer, is_current, may_reactivate};
use crate::engine::Engine;

/// An operation that only looks.
pub trait Look: Operation {
    /// Whether it can be answered from what is there, without asking AWS. Where everybody on a network may ask, nothing
    /// else is answered.
    ///
    /// # Errors
    /// What is not there yet.
    fn is_at_hand(&self, _engine: &Engine) -> Result<(), Refusal> {
        Ok(())
    }

    /// Looks.
    fn look(self, engine: &Engine) -> impl Future<Output = Result<Self::Reply, Refusal>> + Send;
}

/// An operation that decides.
pub trait Act: Operation {
    /// Decides, and waits for what comes of it. `actor` is who asks, as the journal will name him.
    fn act(self, engine: &Engine, actor: &Actor)
    -> impl Future<Output = Result<Self::Reply, Refusal>> + Send;
}

/// What it means for everything that is judged by time that our clock and AWS's differ, if it is by too much. The AWS
/// SDK corrects the time it signs with by itself, so that no call fails.
#[must_use]
pub fn skewed(aws_minus_ours: SignedDuration) -> Option<String> {
    let beyond = aws_minus_ours.abs() > keysweep_core::facts::MAX_SKEW;
    let direction = if aws_minus_ours.is_negative() { "ahead of" } else { "behind" };
    beyond.then(|| {
        format!(
            "this machine's clock is {} s {direction} AWS's: idle times and dates are off by that much",
            aws_minus_ours.unsigned_abs().as_secs()
        )
    })
}
