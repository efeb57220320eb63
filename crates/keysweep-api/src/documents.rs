//! What is answered: the documents that commands print with `--format json`.

use jiff::Timestamp;
use keysweep_core::evidence::{Activity, TracedCall, UserChange};
use keysweep_core::finding::FindingKind;
use keysweep_core::lifecycle::{HoldKind, PastQuarantine};
use keysweep_core::owner::{Confidence, OwnerSource};
use keysweep_core::quarantine::QuarantinePolicy;
use keysweep_core::references::Reference;
use keysweep_core::render::{Coverage, FindingRow, NextAction};
use keysweep_core::state::{Entry, ParkReason};
use keysweep_core::ticket::{Action, Planned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// In words.
    pub message: String,
}

/// Which bytes on disk are the journal. Only keysweep itself, on the same machine, can use them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalBytes {
    /// As the store wrote it.
    pub view: serde_json::Value,
}

/// The output of `keysweep plan --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanDocument {
    /// When it was made.
    pub generated_at: Timestamp,
    /// When the facts were collected.
    pub collected_at: Timestamp,
    /// Why no automatic change happens, if something stops all of them.
    pub stopped: Option<String>,
    /// AWS's clock minus the one that keys are judged by, in seconds, by the last answer of AWS.
    #[serde(default)]
    pub clock_skew_seconds: Option<i64>,
    /// Every pause in effect.
    pub pauses: Vec<PauseRow>,
    /// Accounts without automatic changes.
    pub parked: Vec<ParkedAccount>,
    /// What was looked at.
    pub coverage: Coverage,
    /// One row per finding or key in the lifecycle.
    pub keys: Vec<FindingRow>,
    /// Keys found Inactive of which nothing is recorded.
    pub inactive_of_unknown_origin: Vec<UnknownOrigin>,
}

/// One pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PauseRow {
    /// Names it, as in `keysweep resume NUMBER`.
    pub number: u64,
    /// Who paused.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// An account without automatic changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParkedAccount {
    /// Account.
    pub account_id: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when, unless an operator ends it before.
    pub until: Timestamp,
    /// Why.
    pub reason: ParkReason,
    /// The key whose change failed.
    pub access_key_id: String,
    /// Which change.
    pub action: Action,
    /// How it failed.
    pub detail: String,
}

/// A key found Inactive of which nothing is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnknownOrigin {
    /// Account.
    pub account_id: String,
    /// Key.
    pub access_key_id: String,
}

/// The output of `keysweep keys list --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeysDocument {
    /// When it was made.
    pub generated_at: Timestamp,
    /// AWS's clock minus the one that keys are judged by, in seconds, by the last answer of AWS.
    #[serde(default)]
    pub clock_skew_seconds: Option<i64>,
    /// One row per record.
    pub keys: Vec<KeyRow>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeyRow {
    /// Account.
    pub account_id: String,
    /// Its name, where known.
    pub account_name: Option<String>,
    /// User.
    pub user_name: String,
    /// The user's ID for life.
    pub user_id: String,
    /// Key.
    pub access_key_id: String,
    /// Creation.
    pub created_at: Timestamp,
    /// The `CreateAccessKey` call, if keysweep found it in CloudTrail.
    #[serde(default)]
    pub created_by: Option<TracedCall>,
    /// Whether that call was made by another IAM user than the one whose key it is.
    #[serde(default)]
    pub created_by_another_user: bool,
    /// Owner of the key; null if no source names one.
    #[serde(default)]
    pub owner: Option<OwnerRow>,
    /// Base state.
    pub state: String,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// Overlays: `incident`, `hold`, `exempt`, `out_of_reach`, `quarantine`.
    pub overlays: Vec<String>,
    /// Why it was flagged.
    pub finding: Option<FindingKind>,
    /// Every hold in words: who placed it, why, and until when.
    pub hold: Option<String>,
    /// Every hold; `keysweep keys release KEY --hold NUMBER` ends one.
    pub holds: Vec<HoldRow>,
    /// Who deactivated it; for deactivated keys.
    pub deactivated_by: Option<String>,
    /// How often it was reactivated after keysweep had deactivated it.
    pub reactivations: u32,
    /// Whether these require approval for each further change; `keysweep keys clear-reactivations` ends that.
    pub reactivations_need_approval: bool,
    /// The call that set the key Active after its deactivation, where CloudTrail shows it and it was not an undo.
    #[serde(default)]
    pub reactivated_by: Option<TracedCall>,
    /// The newest changes of the user (at most five, newest first) that CloudTrail shows since keysweep deactivated the key or
    /// quarantined its user.
    #[serde(default)]
    pub user_changes: Vec<UserChange>,
    /// The quarantine of the user.
    #[serde(default)]
    pub quarantine: Option<QuarantineRow>,
    /// The last quarantine of the user that is over.
    #[serde(default)]
    pub past_quarantine: Option<PastQuarantine>,
    /// Newest call found in CloudTrail immediately before a change; null unless newer than the last use that IAM reported.
    #[serde(default)]
    pub activity: Option<Activity>,
    /// Observed part of the grace period, in seconds; for deactivated keys.
    pub watched_seconds: Option<u64>,
    /// When the owner said, through a link in a notice, that they no longer need the key; null otherwise.
    #[serde(default)]
    pub not_needed_at: Option<Timestamp>,
    /// The action whose approval is asked for and not given.
    pub approval_pending: Option<Planned>,
    /// The request for approval, decided or not.
    pub approval: Option<ApprovalRow>,
    /// What comes next; `none` until the next sweep has looked.
    pub next_action: NextAction,
    /// When, where that is known.
    pub next_action_at: Option<Timestamp>,
    /// Why that, or why nothing.
    pub next_action_reason: String,
}

/// The owner of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnerRow {
    /// Owner to whom notices about the key are addressed.
    pub name: String,
    /// Source that determined the owner.
    pub source: OwnerSource,
    /// Confidence that this is the owner.
    pub confidence: Confidence,
    /// E-mail address; null if keysweep knows none.
    pub email: Option<String>,
    /// Slack channel or ID; null if keysweep knows none.
    pub slack: Option<String>,
    /// Name of a webhook; null if keysweep knows none.
    #[serde(default)]
    pub webhook: Option<String>,
    /// Original owner, if that person has left according to the directory; same as `name` if no one took over.
    pub left: Option<String>,
}

/// The quarantine of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuarantineRow {
    /// The policy that is attached.
    pub policy: QuarantinePolicy,
    /// When AWS showed it attached; null while that is not known.
    pub attached_at: Option<Timestamp>,
    /// Why it is to be detached; null while it is to stay.
    pub ends_because: Option<String>,
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldRow {
    /// Its number.
    pub number: u64,
    /// What it is about.
    pub kind: HoldKind,
    /// Who placed it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was placed.
    pub since: Timestamp,
    /// When it ends; null until it is released.
    pub until: Option<Timestamp>,
}

/// A request for approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRow {
    /// `NUMBER-HASH`, as a decision repeats it.
    pub request: String,
    /// What is to be approved.
    pub action: Planned,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Why a person has to decide.
    pub reason: String,
    /// The facts shown: when the key was last used.
    pub last_used_at: Option<Timestamp>,
    /// The facts shown: how many keys the user has.
    pub keys_of_user: u64,
    /// Everybody who approved it so far.
    pub approved_by: Vec<String>,
    /// How many different people have to approve.
    pub approvals_needed: u32,
    /// Whether the owner of the key can approve, too.
    #[serde(default)]
    pub owner_can_approve: bool,
    /// Who is looking at the request; anyone else can still decide.
    #[serde(default)]
    pub claimed_by: Option<String>,
    /// When the claim ends.
    #[serde(default)]
    pub claimed_until: Option<Timestamp>,
}

/// The output of `keysweep keys show KEY --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeyDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// AWS's clock minus the one that keys are judged by, in seconds, by the last answer of AWS.
    #[serde(default)]
    pub clock_skew_seconds: Option<i64>,
    /// The record; null for a finding that has none.
    pub record: Option<KeyRow>,
    /// The facts of the last sweep; null if it did not see the key.
    pub facts: Option<FindingRow>,
    /// The policy that applies: each term with its value and the rule that set it; empty where it cannot be told.
    pub policy: Vec<PolicyTerm>,
    /// The exemption that matches.
    pub exempt: Option<String>,
    /// Every entry of the journal about it, oldest first.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub history: Vec<Entry>,
    /// What keysweep cannot see of this key.
    pub caveats: Vec<String>,
}

/// The newest evidence bundle of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceDocument {
    /// SHA-256 of the file, by which the journal names it.
    pub sha256: String,
    /// The file, as it is on disk.
    pub file: String,
}

/// One term of the policy as it applies to a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyTerm {
    /// Its name in the configuration.
    pub term: String,
    /// Its value.
    pub value: String,
    /// The rule that set it, such as `policy` or `policy.override[2]`.
    pub set_by: String,
}

/// The circuit breaker: why it is open, and what a reset accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BreakerDocument {
    /// Why it is open; null if it is closed.
    pub open: Option<String>,
    /// How many newly due keys a reset accepts.
    pub count: u64,
    /// What names exactly this set, for `keysweep breaker reset --confirm`: the count and a hash; null if it is closed.
    pub confirm: Option<String>,
    /// Newly due keys that a reset would accept.
    pub keys: Vec<BreakerKey>,
}

/// A newly due key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BreakerKey {
    /// Account.
    pub account_id: String,
    /// User.
    pub user_name: String,
    /// Key.
    pub access_key_id: String,
    /// What is due.
    pub action: Planned,
}

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
