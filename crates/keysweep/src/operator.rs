//! What operators ask for, done: the same whether a daemon answers or the command opens data_dir itself.

mod answer;
mod decide;
mod evidence;
mod exemptions;
mod find;
mod notices;
mod order;
mod overview;
mod people;
mod restrain;
mod rules;
mod sessions;
mod show;

use jiff::SignedDuration;
use keysweep_api::{Operation, Refusal};

pub(crate) use self::answer::{Answer, is_current, may_reactivate};
pub(crate) use self::decide::is_asked;
pub(crate) use self::find::{Found, Glance, find};
pub(crate) use self::overview::{mode_means, stop_rows};
pub(crate) use self::show::{account_of, unknown_key};
use crate::access::{Caller, Need, Permit, Sight};
use crate::engine::Engine;

/// An operation that only looks.
pub trait Look: Operation {
    /// What it requires of its caller. By default the reply is limited to what the caller may see.
    fn need(&self) -> Need {
        Need::visible()
    }

    /// Whether it can be answered from what is there, without asking AWS. Where everybody on a network may ask, nothing
    /// else is answered.
    ///
    /// # Errors
    /// What is not there yet.
    fn is_at_hand(&self, _engine: &Engine) -> Result<(), Refusal> {
        Ok(())
    }

    /// Looks. The reply contains only what `sight` shows.
    fn look(
        self,
        engine: &Engine,
        sight: &Sight,
    ) -> impl Future<Output = Result<Self::Reply, Refusal>> + Send;
}

/// An operation that decides.
pub trait Act: Operation {
    /// What it requires of its caller.
    fn need(&self) -> Need;

    /// Decides, and waits for what comes of it.
    fn act(
        self,
        engine: &Engine,
        permit: &Permit<'_>,
    ) -> impl Future<Output = Result<Self::Reply, Refusal>> + Send;
}

/// Looks on behalf of a caller.
///
/// # Errors
/// The caller may not, or there is no answer.
pub async fn look<O: Look>(engine: &Engine, caller: &Caller, asked: O) -> Result<O::Reply, Refusal> {
    caller.authorize(engine, &asked.need())?;
    asked.look(engine, &caller.sight(engine)).await
}

/// Decides on behalf of a caller.
///
/// # Errors
/// The caller may not, or it was not done.
pub async fn act<O: Act>(engine: &Engine, caller: &Caller, asked: O) -> Result<O::Reply, Refusal> {
    let permit = caller.authorize(engine, &asked.need())?;
    let reply = asked.act(engine, &permit).await;
    engine.decided();
    reply
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
