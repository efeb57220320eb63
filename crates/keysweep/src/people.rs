//! Notices to people, and their answers.
//!
//! A [`Postman`] puts what the journal owes into messages and sends each as a [`Letter`] through a [`Carrier`]. A [`Link`] in
//! a message is a signed value by which an owner answers. [`slack`] receives decisions in Slack, and replaces messages
//! there.

mod carrier;
mod dispatch;
mod letter;
mod link;
mod post;
mod preview;
mod request;
pub mod slack;
mod trial;

use std::convert::Infallible;
use std::sync::Arc;

use keysweep_core::effect::Announcement;
use keysweep_core::facts::Collection;
use keysweep_core::plan::{Context, Plan, still_to_tell};
use keysweep_core::state::{Actor, Body, State};
use keysweep_store::AppendError;

pub(crate) use self::carrier::Channels;
pub(crate) use self::carrier::slack as slack_client;
pub use self::carrier::{Carried, Carrier, Outgoing};
pub(crate) use self::dispatch::{Dispatch, check_templates};
pub use self::letter::Letter;
pub use self::link::{Invalid, Link, LinkMaker, Purpose};
pub(crate) use self::link::{PATH as ANSWER_PATH, shortened};
pub use self::post::Postman;
pub(crate) use self::preview::{Subject, preview};
pub(crate) use self::trial::{Trial, try_channel};
use crate::config::Config;
use crate::engine::Engine;
use crate::sweep::ENTRIES_AT_ONCE;

/// Journals the notices of a plan that still apply to exactly the state that the entries follow, and passes these entries on.
/// Under a configuration that is no longer in effect, it journals none.
///
/// # Errors
/// If it cannot be journaled.
pub(crate) async fn announce(
    engine: &Engine,
    config: &Arc<Config>,
    collection: &Collection,
    plan: &Plan,
    tell: impl Fn(&[Body]),
) -> Result<(), AppendError> {
    let all = plan.announcements().count();
    // Somebody who was told is not told again, so that each part is another one.
    for _ in 0..all.div_ceil(ENTRIES_AT_ONCE) {
        let told = |state: &State, now| {
            let context = Context { now, policy: &config.policy, state };
            let told: Vec<Body> = match Arc::ptr_eq(config, &engine.config()) {
                true => {
                    let told = still_to_tell(&context, collection, plan).into_iter();
                    told.take(ENTRIES_AT_ONCE).map(Announcement::told).collect()
                }
                false => Vec::new(),
            };
            Ok::<_, Infallible>((told.clone(), told))
        };
        let (_, told) = engine.decide(&Actor::Keysweep, told).await.map_err(AppendError::from)?;
        tell(&told);
    }
    Ok(())
}
