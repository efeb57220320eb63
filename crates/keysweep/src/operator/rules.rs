//! Rules that name what does not exist: shown, and acknowledged one by one.

use keysweep_api::{AcknowledgeRule, Done, ListRules, MissingRow, Operation, Refusal, RulesDocument};
use keysweep_core::references::Reference;
use keysweep_core::state::{Body, State};
use sha2::{Digest as _, Sha256};

use super::{Act, Look};
use crate::access::{Need, Permit, Sight};
use crate::engine::Engine;

/// Digits of an ID: with a hundred references at most, two do not share one.
const ID_DIGITS: usize = 8;

fn id_of(reference: &Reference) -> String {
    let digest = Sha256::digest(format!("{}\n{}", reference.rule, reference.what));
    hex::encode(digest).chars().take(ID_DIGITS).collect()
}

impl Look for ListRules {
    fn need(&self) -> Need {
        Need::organization(Self::ROLE)
    }

    async fn look(self, engine: &Engine, _: &Sight) -> Result<RulesDocument, Refusal> {
        let idle = engine.latest().and_then(|latest| latest.idle_rules.clone());
        let missing = engine.store().read(|state| {
            let rows = state.control().references.iter().map(|known| MissingRow {
                id: id_of(&known.reference),
                rule: known.reference.rule.clone(),
                what: known.reference.what.clone(),
                since: known.since,
                stops: known.acknowledged.is_none(),
                acknowledged: known
                    .acknowledged
                    .as_ref()
                    .map(|done| format!("by {} at {}: {}", done.by, done.at, done.reason)),
            });
            rows.collect()
        });
        Ok(RulesDocument {
            generated_at: engine.clock().now(),
            missing,
            matching_nothing: idle.map(|idle| idle.into_iter().collect()),
        })
    }
}

impl Act for AcknowledgeRule {
    fn need(&self) -> Need {
        Need::organization(Self::ROLE)
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<Done, Refusal> {
        let actor = permit.actor();
        let Self { id, reason } = self;
        let acknowledged = |state: &State, _| {
            let mut references = state.control().references.iter();
            let known = references.find(|known| id_of(&known.reference) == id).ok_or_else(|| {
                Refusal::NotFound(format!("no missing reference has the ID {id}: see `keysweep rules list`"))
            })?;
            if let Some(done) = &known.acknowledged {
                return Err(Refusal::Conflict(format!("{} acknowledged it already", done.by)));
            }
            let message = format!("acknowledged: {} does not exist", known.reference);
            let (reference, reason) = (known.reference.clone(), reason.clone());
            Ok((vec![Body::RuleAcknowledged { reference, reason }], message))
        };
        engine.decide_and_sweep(actor, acknowledged).await
    }
}
