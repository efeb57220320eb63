//! Requests for approval, and holds.

use jiff::Timestamp;
use keysweep_core::lifecycle::HoldKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApprovalRow, KeyFilter, Operation, Role, Verb};

/// Open requests for approval, the earliest to expire first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListApprovals {
    /// Which keys.
    #[serde(flatten)]
    pub filter: KeyFilter,
}

impl Operation for ListApprovals {
    type Reply = ApprovalsDocument;
    const NAME: &'static str = "list_approvals";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/approvals";
}

/// The output of `keysweep approvals list --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalsDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// One row per request.
    pub approvals: Vec<PendingApproval>,
}

/// An open request for approval, with the key that it is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PendingApproval {
    /// Account ID.
    pub account_id: String,
    /// Account name, if known.
    pub account_name: Option<String>,
    /// User.
    pub user_name: String,
    /// Key ID.
    pub access_key_id: String,
    /// Base state.
    pub state: String,
    /// Owner, if known.
    pub owner: Option<String>,
    /// When the owner said that they no longer need the key.
    pub not_needed_at: Option<Timestamp>,
    /// Facts about the key that the request shows: the finding.
    pub finding: String,
    /// Whether the key is on hold, exempt, or part of an incident: no change happens even if the request is approved.
    pub overlays: Vec<String>,
    /// The request.
    pub approval: ApprovalRow,
}

/// Decide on all open requests that match a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideApprovals {
    /// Which keys.
    pub filter: KeyFilter,
    /// Whether to approve or deny.
    pub approve: bool,
    /// How many requests match, as shown. If the number has changed, nothing is decided.
    pub count: u32,
    /// Every request, as shown. If one of them has changed, nothing is decided.
    pub requests: Vec<String>,
    /// Why, for the audit log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
}

impl Operation for DecideApprovals {
    type Reply = DecidedApprovals;
    const NAME: &'static str = "decide_approvals";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/approvals/decisions";
    const ROLE: Role = Role::Approver;
}

/// What became of a decision on many requests. Each request is decided on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecidedApprovals {
    /// How many requests were decided on.
    pub decided: u32,
    /// What was not, and why.
    pub refused: Vec<RefusedApproval>,
}

/// A request that was not decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedApproval {
    /// Key ID.
    pub access_key_id: String,
    /// Why.
    pub reason: String,
}

/// Every hold, those that end first at the top.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListHolds {
    /// Which keys.
    #[serde(flatten)]
    pub filter: KeyFilter,
}

impl Operation for ListHolds {
    type Reply = HoldsDocument;
    const NAME: &'static str = "list_holds";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/holds";
}

/// The output of `keysweep holds list --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HoldsDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// One row per hold; a key can have several.
    pub holds: Vec<HeldKey>,
}

/// A hold, with the key that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldKey {
    /// Account ID.
    pub account_id: String,
    /// Account name, if known.
    pub account_name: Option<String>,
    /// User.
    pub user_name: String,
    /// Key ID.
    pub access_key_id: String,
    /// Base state.
    pub state: String,
    /// Owner, if known.
    pub owner: Option<String>,
    /// Number of the hold.
    pub number: u64,
    /// Why keysweep or a person placed it.
    pub kind: HoldKind,
    /// Who placed it.
    pub by: String,
    /// Reason.
    pub reason: String,
    /// When it was placed.
    pub since: Timestamp,
    /// When it ends; null until someone releases it.
    pub until: Option<Timestamp>,
}
