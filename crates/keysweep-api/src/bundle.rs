//! An evidence bundle: what was known about a key, and what was not, when keysweep was about to delete it.

use jiff::Timestamp;
use keysweep_core::evidence::Activity;
use keysweep_core::finding::FindingKind;
use keysweep_core::lifecycle::PastQuarantine;
use keysweep_core::lifecycle::event::Purpose;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::PolicyTerm;

/// The newest version of the form, and the one written.
pub const BUNDLE_VERSION: u64 = 1;

/// The file: one line. Its SHA-256 is its name, and in the journal before the deletion.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleFile {
    /// The bundle, byte for byte as it was signed.
    #[schemars(with = "Bundle")]
    pub bundle: Box<RawValue>,
    /// The signature over these bytes; null if keysweep has no signing key.
    pub signature: Option<Signature>,
}

/// A signature over the bytes of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// How it was made.
    pub algorithm: Algorithm,
    /// The public key that verifies it, as 32 bytes in base64. It proves nothing by itself: compare it with the key that
    /// you know.
    pub public_key: String,
    /// The signature, as 64 bytes in base64.
    pub value: String,
}

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// RFC 8032.
    Ed25519,
}

/// What is known about a key at one moment, and what is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bundle {
    /// Version of this form.
    pub v: u64,
    /// Version of the keysweep that made it.
    pub keysweep: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// What it was made for.
    pub purpose: Purpose,
    /// Why the key is to be deleted; null for a request.
    pub decision: Option<BundleDecision>,
    /// The end of the journal at that time: everything up to there is older than the bundle.
    pub journal: JournalEnd,
    /// Which key.
    pub key: BundleKey,
    /// What was read of the key, its user, and its account immediately before.
    pub facts: Vec<BundleFact>,
    /// The lookup in CloudTrail event history.
    pub cloudtrail: BundleTrail,
    /// The policy that applied: each term with its value and the rule that set it; empty if it is unknown.
    pub policy: Vec<PolicyTerm>,
    /// The exemption that matches.
    pub exempt: Option<String>,
    /// Where the key is in the lifecycle.
    pub lifecycle: BundleLifecycle,
    /// Every entry of the journal about the key, oldest first: notices, approvals, holds, and changes with the request IDs
    /// of AWS among them.
    pub history: Vec<serde_json::Value>,
    /// What this bundle does not show, in words.
    pub limits: Vec<String>,
}

/// Why a key is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleDecision {
    /// The reason in words.
    pub why: String,
    /// The operator who ordered it; null if the policy did.
    pub ordered_by: Option<String>,
    /// The operator's reason.
    pub order_reason: Option<String>,
}

/// Where the journal ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalEnd {
    /// Number of its last entry.
    pub last_seq: u64,
    /// SHA-256 of its last line, in hexadecimal.
    pub head_hash: String,
}

/// What names a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleKey {
    /// Account.
    pub account_id: String,
    /// Its name, where known.
    pub account_name: Option<String>,
    /// User, as named at that time.
    pub user_name: String,
    /// The user's ID for life.
    pub user_id: String,
    /// Key.
    pub access_key_id: String,
    /// Creation.
    pub created_at: Timestamp,
}

/// One fact, or why it is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleFact {
    /// Its name.
    pub fact: String,
    /// Its value; null where it is unknown.
    pub value: Option<String>,
    /// Why it is unknown.
    pub unknown: Option<String>,
    /// The AWS operation that reported it, such as `iam:GetAccessKeyLastUsed`.
    pub source: String,
    /// When it was read; null for what keysweep keeps for longer, such as the tree of the organization.
    pub read_at: Option<Timestamp>,
}

/// The lookup of a key in CloudTrail event history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleTrail {
    /// When it began; null if there was none.
    pub looked_up_at: Option<Timestamp>,
    /// Start of the searched period.
    pub since: Option<Timestamp>,
    /// What is missing for an answer about every Region; null if nothing is.
    pub missing: Option<String>,
    /// Every Region.
    pub regions: Vec<BundleRegion>,
}

/// The event history of one Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleRegion {
    /// Region.
    pub region: String,
    /// Why it could not be read or interpreted; null if it was.
    pub problem: Option<String>,
    /// How many events of the key its newest page has; null where it could not be read.
    pub events: Option<u64>,
    /// The newest of them, newest first.
    pub newest: Vec<Activity>,
}

/// Where a key is in the lifecycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleLifecycle {
    /// Base state.
    pub state: String,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// Why it was flagged.
    pub finding: Option<FindingKind>,
    /// Who deactivated it; for deactivated keys.
    pub deactivated_by: Option<String>,
    /// Observed part of the grace period, in seconds; for deactivated keys.
    pub watched_seconds: Option<u64>,
    /// How often it was reactivated after keysweep had deactivated it.
    pub reactivations: u32,
    /// The last quarantine of the user that is over.
    #[serde(default)]
    pub past_quarantine: Option<PastQuarantine>,
    /// Every hold in words.
    pub holds: Vec<String>,
    /// The notice that announces what comes next.
    pub notice: Option<BundleNotice>,
    /// The approval of what comes next.
    pub approval: Option<BundleApproval>,
}

/// A notice, as far as the record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleNotice {
    /// When a channel accepted it; when it was given, if `delivered` is false.
    pub at: Timestamp,
    /// Whether a channel accepted it. Otherwise, only the journal contains it.
    #[serde(default)]
    pub delivered: bool,
    /// Earliest time of the announced change.
    pub announced: Option<Timestamp>,
    /// Owner to whom the notice was addressed; null if no owner was known.
    #[serde(default)]
    pub owner: Option<String>,
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleApproval {
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Why a person had to decide.
    pub reason: String,
    /// How many different people have to approve.
    pub approvals_needed: u32,
    /// Every approval, oldest first.
    pub approvals: Vec<BundleGranted>,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleGranted {
    /// Who approved.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Whether it was given as the owner of the key, without the role of an approver.
    #[serde(default)]
    pub as_owner: bool,
}
