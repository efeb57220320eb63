//! Rules that name what does not exist: shown, and acknowledged one by one.

use jiff::Timestamp;
use keysweep_core::references::Reference;
use keysweep_core::state::{Actor, Body};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Reply;
use crate::engine::Engine;
use crate::sweep::in_words;

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
        // Behind the door, so that what is acknowledged is what stands in the journal at that moment.
        let _door = self.changes.door.lock().await;
        let found = self.store().read(|state| {
            state.control().references.iter().find(|known| id_of(&known.reference) == id).cloned()
        });
        let Some(known) = found else {
            return Reply::Refused {
                message: format!("no missing reference has the ID {id}: see `keysweep rules list`"),
            };
        };
        if let Some(done) = &known.acknowledged {
            return Reply::Refused { message: format!("{} acknowledged it already", done.by) };
        }
        let message = format!("acknowledged: {} does not exist", known.reference);
        match self.append(actor, vec![Body::RuleAcknowledged { reference: known.reference, reason }]).await {
            Ok(_) => {
                self.request_sweep();
                Reply::Done { message }
            }
            Err(error) => Reply::Refused { message: in_words(&error) },
        }
    }
}
