//! Rules that name what does not exist: shown, and acknowledged one by one.

use jiff::Timestamp;
use keysweep_core::references::Reference;
use keysweep_core::state::{Actor, Body, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Reply;
use crate::engine::Engine;

/// Digits of an ID: with a hundred references at most, two do not share one.
const ID_DIGITS: usize = 8;

/// The output of `keysweep rules list --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RulesDocument {
    /// When it was made.
    pub generated_at: Timestamp,
    /// Accounts, OUs, roots and users that rules name and that do not exist.
    pub missing: Vec<MissingRow>,
    /// What rules name and that matched nothing in the last sweep of the daemon; null where there was none.
    pub matching_nothing: Option<Vec<Reference>>,
}

/// Something that a rule names and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingRow {
    /// Names it for `keysweep rules acknowledge`: it follows from rule and name, so that another value has another.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// What it names.
    pub what: String,
    /// Since when it is missing.
    pub since: Timestamp,
    /// Whether it stops every automatic change of a mode that changes keys.
    pub stops: bool,
    /// Who acknowledged it, and why.
    pub acknowledged: Option<String>,
}

fn id_of(reference: &Reference) -> String {
    let digest = Sha256::digest(format!("{}\n{}", reference.rule, reference.what));
    hex::encode(digest).chars().take(ID_DIGITS).collect()
}

impl Engine {
    pub(super) fn show_rules(&self) -> Reply {
        let idle = self.latest().and_then(|latest| latest.idle_rules.clone());
        let missing = self.store().read(|state| {
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
        Reply::Rules(RulesDocument {
            generated_at: self.clock().now(),
            missing,
            matching_nothing: idle.map(|idle| idle.into_iter().collect()),
        })
    }

    pub(super) async fn acknowledge_rule(&self, actor: &Actor, id: &str, reason: String) -> Reply {
        let acknowledged = |state: &State, _| {
            let mut references = state.control().references.iter();
            let known = references
                .find(|known| id_of(&known.reference) == id)
                .ok_or_else(|| format!("no missing reference has the ID {id}: see `keysweep rules list`"))?;
            if let Some(done) = &known.acknowledged {
                return Err(format!("{} acknowledged it already", done.by));
            }
            let message = format!("acknowledged: {} does not exist", known.reference);
            let (reference, reason) = (known.reference.clone(), reason.clone());
            Ok((vec![Body::RuleAcknowledged { reference, reason }], message))
        };
        self.decide_and_sweep(actor, acknowledged).await
    }
}
