//! Telling people: notices, and requests for approval.
//!
//! Nothing can be sent yet: the journal is the only channel, so that people are told once the entry is on disk.

use std::convert::Infallible;

use keysweep_core::effect::Announcement;
use keysweep_core::facts::Collection;
use keysweep_core::plan::plan;
use keysweep_core::policy::Policy;
use keysweep_core::state::{Actor, Body, State};
use keysweep_store::AppendError;

use crate::engine::Engine;

/// Tells people what a plan on the present state wants them told, and gives the entries that say so.
///
/// It is planned again on exactly the state that these entries follow: what an operator has decided since the plan was
/// made comes first.
///
/// # Errors
/// If it cannot be journaled.
pub(crate) async fn announce(
    engine: &Engine,
    policy: &Policy,
    collection: &Collection,
) -> Result<Vec<Body>, AppendError> {
    let told = |state: &State, now| {
        let (_, announcements) = plan(now, policy, state, collection).take_effects();
        let told: Vec<Body> = announcements.into_iter().map(Announcement::told).collect();
        Ok::<_, Infallible>((told.clone(), told))
    };
    let (_, told) = engine.decide(&Actor::Keysweep, told).await.map_err(AppendError::from)?;
    Ok(told)
}
