//! What operators ask for, and what they are told: the same whether a daemon answers or the command opens data_dir
//! itself.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::lifecycle::{Finding, HoldKind};
use keysweep_core::render::{Coverage, FindingRow, NextAction};
use keysweep_core::state::{Entry, ParkReason};
use keysweep_core::ticket::{Action, Planned};
use keysweep_store::JournalView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod decide;
mod order;
mod restrain;
mod rules;
mod show;

pub use self::rules::{MissingRow, RulesDocument};

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// What would be done now and next, key by key.
    Plan,
    /// Every record.
    KeysList,
    /// One key.
    KeysShow {
        /// Key ID.
        key: String,
    },
    /// A decision about one key.
    Decide {
        /// Key ID.
        key: String,
        /// Which.
        decision: Decision,
        /// Why.
        reason: String,
    },
    /// Stop every automatic change; answered once no call can start any more.
    Pause {
        /// Why.
        reason: String,
    },
    /// End pauses. Changes go on once none is left.
    Resume {
        /// Which.
        which: Which,
        /// Why.
        reason: String,
    },
    /// Which accounts, OUs and users that rules name do not exist.
    RulesList,
    /// Let changes go on although a rule names what does not exist.
    AcknowledgeRule {
        /// The ID that [`Request::RulesList`] shows.
        id: String,
        /// Why.
        reason: String,
    },
    /// Which bytes on disk are the journal right now, for a backup.
    JournalView,
    /// What the breaker stopped for.
    BreakerShow,
    /// Accept what the breaker stopped for, and close it.
    BreakerReset {
        /// Why.
        reason: String,
        /// The count and the hash of the set that the operator was shown, as in [`BreakerDocument::confirm`].
        confirm: String,
    },
    /// Let automatic changes go on in a parked account.
    AccountUnpark {
        /// Account.
        account: String,
        /// Why.
        reason: String,
    },
}

/// Which pauses are to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The one that is the asker's own, or the only one.
    Own,
    /// The one with this number.
    Number(u64),
    /// All, if there are so many.
    All(u64),
}

impl Request {
    /// Whether it asks for an undo.
    #[must_use]
    pub fn is_undo(&self) -> bool {
        matches!(self, Self::Decide { decision: Decision::Reactivate, .. })
    }
}

/// A decision about one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
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
    /// Hold the key.
    Hold {
        /// For how long; `None` until released.
        length: Option<Duration>,
    },
    /// End a hold.
    Release {
        /// Which; `None` for the only one, if an operator placed it.
        hold: Option<u64>,
    },
    /// Clear the reactivations of a key, so that they no longer make its changes need approval.
    ClearReactivations,
    /// The undo: set it Active, at once.
    Reactivate,
    /// Deactivate it, without waiting for mode, notice or window.
    Deactivate,
    /// Delete it, without waiting for mode, notice or window.
    Delete,
    /// Drop the record of a key that is gone, deleted or out of reach.
    Forget,
}

/// A request for approval as it was shown: its number, and the hash of the facts shown with it. Written `NUMBER` or
/// `NUMBER-HASH`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RequestRef {
    /// The sequence number of the entry that asked.
    pub number: u64,
    /// The hash; `None` compares the number alone.
    pub hash: Option<String>,
}

impl std::fmt::Display for RequestRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.hash {
            Some(hash) => write!(f, "{}-{hash}", self.number),
            None => write!(f, "{}", self.number),
        }
    }
}

impl From<RequestRef> for String {
    fn from(request: RequestRef) -> Self {
        request.to_string()
    }
}

impl TryFrom<String> for RequestRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for RequestRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, hash) = text.split_once('-').map_or((text, None), |(number, hash)| (number, Some(hash)));
        let wrong =
            || format!("expected the request as it is shown, such as 120-1f2e3d4c, and found {text:?}");
        let number = number.parse().map_err(|_| wrong())?;
        let is_hash = |hash: &str| !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hash.is_some_and(|hash| !is_hash(hash)) {
            return Err(wrong());
        }
        Ok(Self { number, hash: hash.map(str::to_ascii_lowercase) })
    }
}

/// What an operator is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Plan`].
    Plan(Box<PlanDocument>),
    /// To [`Request::KeysList`].
    Keys(KeysDocument),
    /// To [`Request::KeysShow`].
    Key(Box<KeyDocument>),
    /// To a decision, pause, resume or reset: what was done, in words.
    Done {
        /// In words.
        message: String,
    },
    /// To [`Request::BreakerShow`].
    Breaker(BreakerDocument),
    /// To [`Request::RulesList`].
    Rules(RulesDocument),
    /// To [`Request::JournalView`].
    JournalView {
        /// Which bytes.
        #[schemars(with = "serde_json::Value")]
        view: JournalView,
    },
    /// It was not done.
    Refused {
        /// Why, in words.
        message: String,
    },
}

/// The output of `keysweep plan --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanDocument {
    /// When it was made.
    pub generated_at: Timestamp,
    /// When the facts were collected.
    pub collected_at: Timestamp,
    /// Why nothing automatic happens, if pause or breaker stop everything.
    pub stopped: Option<String>,
    /// AWS's clock minus the one that keys are judged by, in seconds, by the last answer of AWS.
    #[serde(default)]
    pub clock_skew_seconds: Option<i64>,
    /// Every pause in force.
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

/// What it means for everything that is judged by time that our clock and AWS's differ, if it is by too much. The AWS
/// SDK corrects the time it signs with by itself, so that no call fails.
#[must_use]
pub fn skewed(aws_minus_ours: SignedDuration) -> Option<String> {
    let beyond = aws_minus_ours.abs() > keysweep_core::facts::MAX_SKEW;
    let direction = if aws_minus_ours.is_negative() { "ahead of" } else { "behind" };
    beyond.then(|| {
        format!(
            "the clock of this machine is {} s {direction} AWS's: idle times and dates are wrong by as much",
            aws_minus_ours.unsigned_abs().as_secs()
        )
    })
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
    /// Base state.
    pub state: String,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// Overlays: `hold`, `exempt`, `out_of_reach`.
    pub overlays: Vec<String>,
    /// Why it was flagged.
    pub finding: Option<Finding>,
    /// Every hold in words: who placed it, why, and until when.
    pub hold: Option<String>,
    /// Every hold; `keysweep keys release KEY --hold NUMBER` ends one.
    pub holds: Vec<HoldRow>,
    /// Who deactivated it; for deactivated keys.
    pub deactivated_by: Option<String>,
    /// How often it was reactivated after keysweep had deactivated it.
    pub reactivations: u32,
    /// Whether these make each further change need a person's approval; `keysweep keys clear-reactivations` ends that.
    pub reactivations_need_approval: bool,
    /// Watched grace so far, in seconds; for deactivated keys.
    pub watched_seconds: Option<u64>,
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
    /// Who approved it.
    pub approved_by: Option<String>,
}

/// The output of `keysweep keys show KEY --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeyDocument {
    /// When this was told.
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

/// What the breaker stopped for.
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
