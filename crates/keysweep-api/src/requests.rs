//! What can be asked.

use std::time::Duration;

use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::ticket::Planned;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::documents::{
    BreakerDocument, Done, EvidenceDocument, JournalBytes, KeyDocument, KeysDocument, PlanDocument,
    RulesDocument,
};
use crate::{Operation, RequestRef, Role, Verb};

/// What would be done now and next, key by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowPlan {}

impl Operation for ShowPlan {
    type Reply = PlanDocument;
    const NAME: &'static str = "show_plan";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/plan";
}

/// Every record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListKeys {}

impl Operation for ListKeys {
    type Reply = KeysDocument;
    const NAME: &'static str = "list_keys";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/keys";
}

/// One key: facts, effective policy, next step, history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowKey {
    /// Key ID.
    #[schemars(schema_with = "crate::pattern::access_key")]
    pub key: AccessKeyId,
}

impl Operation for ShowKey {
    type Reply = KeyDocument;
    const NAME: &'static str = "show_key";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/keys/{key}";
}

/// The newest evidence bundle of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowEvidence {
    /// Key ID.
    #[schemars(schema_with = "crate::pattern::access_key")]
    pub key: AccessKeyId,
}

impl Operation for ShowEvidence {
    type Reply = EvidenceDocument;
    const NAME: &'static str = "show_evidence";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/keys/{key}/evidence";
}

/// Read the key, its user, and CloudTrail now, and write an evidence bundle. It permits nothing: a deletion needs a bundle
/// of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatherEvidence {
    /// Key ID.
    #[schemars(schema_with = "crate::pattern::access_key")]
    pub key: AccessKeyId,
}

impl Operation for GatherEvidence {
    type Reply = EvidenceDocument;
    const NAME: &'static str = "gather_evidence";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/keys/{key}/evidence";
    const ROLE: Role = Role::Approver;
}

/// A decision about one key. It is journaled with the caller and the reason before it takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// Key ID.
    #[schemars(schema_with = "crate::pattern::access_key")]
    pub key: AccessKeyId,
    /// Which decision.
    pub decision: Decision,
    /// Why, for the audit log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
}

impl Operation for Decide {
    type Reply = Done;
    const NAME: &'static str = "decide";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/keys/{key}/decisions";
    // The least of all decisions: see `Decision::role`.
    const ROLE: Role = Role::Approver;
}

impl Decide {
    /// Whether it asks for an undo.
    #[must_use]
    pub fn is_undo(&self) -> bool {
        matches!(self.decision, Decision::Reactivate {})
    }
}

/// A decision about one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// Approve a request.
    Approve {
        /// What it asks to be approved.
        action: Planned,
        /// Which request, as it was shown.
        request: RequestRef,
    },
    /// Deny a request; the key is held.
    Deny {
        /// What it asks to be approved.
        action: Planned,
        /// Which request, as it was shown.
        request: RequestRef,
    },
    /// Say that the caller is looking at a request. Anyone else can still decide.
    Claim {
        /// What it asks to be approved.
        action: Planned,
        /// Which request, as it was shown.
        request: RequestRef,
        /// For how long, in minutes: 1 to 1440.
        #[serde(default = "one_hour")]
        #[schemars(range(min = 1, max = 1440))]
        minutes: u32,
    },
    /// Hold the key.
    Hold {
        /// For how long, in seconds; null until released.
        #[serde(rename = "length_seconds", default, with = "seconds")]
        #[schemars(with = "Option<u64>")]
        length: Option<Duration>,
    },
    /// End a hold.
    Release {
        /// Its number; null for the only one, if an operator placed it.
        #[serde(default)]
        hold: Option<u64>,
    },
    /// Clear the reactivations of a key, so that they no longer require approval of its changes.
    ClearReactivations {},
    /// The undo: set the key Active, immediately, and hold it.
    Reactivate {},
    /// Deactivate the key now, regardless of mode, notice, and change window.
    Deactivate {},
    /// Delete the key now, regardless of mode, notice, and change window. Only after a full grace period.
    Delete {
        /// The key ID again: a deletion cannot be undone.
        #[schemars(schema_with = "crate::pattern::access_key")]
        confirm: AccessKeyId,
    },
    /// Drop the record of a key that is gone, deleted, or out of reach.
    Forget {},
}

fn one_hour() -> u32 {
    60
}

impl Decision {
    /// What the caller must be allowed to do in the account of the key.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Self::Approve { .. }
            | Self::Deny { .. }
            | Self::Claim { .. }
            | Self::Hold { .. }
            | Self::Release { .. }
            | Self::Reactivate {} => Role::Approver,
            Self::ClearReactivations {} | Self::Deactivate {} | Self::Delete { .. } | Self::Forget {} => {
                Role::Operator
            }
        }
    }

    /// Whether the owner of the key may do it, too, after login.
    #[must_use]
    pub fn is_for_owners(&self) -> bool {
        matches!(self, Self::Approve { .. } | Self::Deny { .. } | Self::Claim { .. })
    }
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(length: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        length.map(|length| length.as_secs()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_secs))
    }
}

/// Stop all automatic changes. The reply is sent once no more calls can start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Why, for the audit log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
}

impl Operation for Pause {
    type Reply = Done;
    const NAME: &'static str = "pause";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/pause";
}

/// End pauses. Changes go on once none is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Which pauses.
    pub which: Which,
    /// Why, for the audit log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
}

impl Operation for Resume {
    type Reply = Done;
    const NAME: &'static str = "resume";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/resume";
}

/// Which pauses end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The caller's own, or the only one.
    Own,
    /// The one with this number.
    Number(u64),
    /// All, if there are exactly this many.
    All(u64),
}

/// What rules name and what does not exist, or matches nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRules {}

impl Operation for ListRules {
    type Reply = RulesDocument;
    const NAME: &'static str = "list_rules";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/rules";
}

/// Allow changes although a rule names something that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeRule {
    /// The ID that `list_rules` shows.
    pub id: String,
    /// Why, for the audit log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
}

impl Operation for AcknowledgeRule {
    type Reply = Done;
    const NAME: &'static str = "acknowledge_rule";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/rules/{id}/acknowledge";
}

/// Why the circuit breaker is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowBreaker {}

impl Operation for ShowBreaker {
    type Reply = BreakerDocument;
    const NAME: &'static str = "show_breaker";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/breaker";
}

/// Accept what the circuit breaker opened for, and close it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetBreaker {
    /// Why, for the audit log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
    /// The count and the hash of the set that the operator was shown, as `confirm` in the reply of `show_breaker`.
    pub confirm: String,
}

impl Operation for ResetBreaker {
    type Reply = Done;
    const NAME: &'static str = "reset_breaker";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/breaker/reset";
}

/// Let changes by policy go on in a parked account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnparkAccount {
    /// Account ID.
    #[schemars(schema_with = "crate::pattern::account")]
    pub account: AccountId,
    /// Why, for the audit log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
}

impl Operation for UnparkAccount {
    type Reply = Done;
    const NAME: &'static str = "unpark_account";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/accounts/{account}/unpark";
}

/// Which bytes in data_dir are the journal right now, for a backup that is made beside a running daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewJournal {}

impl Operation for ViewJournal {
    type Reply = JournalBytes;
    const NAME: &'static str = "view_journal";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/journal/bytes";
    // It names files of the machine.
    const ROLE: Role = Role::Operator;
}
