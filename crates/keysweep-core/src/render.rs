//! The forms of findings and plans that people and programs read.
//!
//! JSON shapes are binding: fields are added, never renamed. Times are RFC 3339 in UTC, absent values null.

mod coverage;
mod listed;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::{AccountFacts, Collection, Fact, KeyStatus, LastUse, Source};
use crate::finding::{Finding, FindingKind, Severity, SubjectKind};
use crate::lifecycle::{INCIDENT_REMEDY, Record, State as KeyState};
use crate::owner::{Confidence, Owner, OwnerSource};
use crate::plan::{Next, Plan, PlannedKey, Reason};
use crate::state::State;
use crate::ticket::{Action, Planned};

pub use self::coverage::{Coverage, NotScanned, UnreadUser, coverage, coverage_in};
pub use self::listed::{Listed, listed, root_keys};

/// The root user, as credential reports name it.
const ROOT: &str = "<root_account>";

/// The output of `keysweep scan --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScanDocument {
    /// When the scan ended.
    pub generated_at: Timestamp,
    /// What was looked at, and what was not.
    pub coverage: Coverage,
    /// One row per finding.
    pub findings: Vec<FindingRow>,
}

/// What comes next for a key, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NextAction {
    /// Nothing.
    None,
    /// A notice.
    Notice,
    /// A person's approval.
    Approval,
    /// The quarantine of its user.
    Quarantine,
    /// Its deactivation.
    Deactivate,
    /// Its deletion.
    Delete,
    /// Waiting for something that keysweep does not bring about.
    Wait,
}

impl NextAction {
    /// Its name in JSON and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One finding, or one key in the lifecycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FindingRow {
    /// What it is about.
    pub subject: SubjectKind,
    /// Account.
    pub account_id: String,
    /// Its name; null for a static list.
    pub account_name: Option<String>,
    /// User; `<root_account>` for the root user.
    pub user_name: String,
    /// The user's ID for life.
    pub user_id: Option<String>,
    /// Key; null for a key of the root user, whose ID only the root user can read.
    pub access_key_id: Option<String>,
    /// `Active`, `Inactive`, or what AWS said.
    pub status: String,
    /// Creation.
    pub created_at: Option<Timestamp>,
    /// Last use; null if never, or unknown.
    pub last_used_at: Option<Timestamp>,
    /// Service of the last use.
    pub last_used_service: Option<String>,
    /// Region of the last use.
    pub last_used_region: Option<String>,
    /// Full days since last use, or since creation where never used; null where last use is unknown.
    pub idle_days: Option<i64>,
    /// Full days since creation.
    pub age_days: Option<i64>,
    /// Why it is a finding; null for a key that is none, or of which that cannot be told.
    pub finding: Option<FindingKind>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// Controls that it fails, such as `CIS 1.12`.
    pub compliance: Vec<String>,
    /// AWS CLI commands that remedy it.
    pub remediation: Vec<String>,
    /// Base state.
    pub state: String,
    /// Overlays: `incident`, `hold`, `exempt`, `out_of_reach`, `quarantine`.
    pub overlays: Vec<String>,
    /// Facts that could not be read, with the reason. Nothing is done to such a key.
    pub unknown: Vec<String>,
    /// What comes next.
    pub next_action: NextAction,
    /// When, where that is known.
    pub next_action_at: Option<Timestamp>,
    /// Why that, or why nothing.
    pub next_action_reason: String,
    /// The request for approval that waits for a decision, as a decision names it.
    pub approval_request: Option<String>,
    /// How often the key was reactivated after keysweep had deactivated it.
    #[serde(default)]
    pub reactivations: u32,
    /// Owner to whom notices about the key are addressed; null if no source in `[owners]` names one.
    pub owner: Option<String>,
    /// Source that determined the owner.
    #[serde(default)]
    pub owner_source: Option<OwnerSource>,
    /// Confidence that this is the owner.
    #[serde(default)]
    pub owner_confidence: Option<Confidence>,
    /// Original owner, if that person has left according to the directory; same as `owner` if no one took over.
    #[serde(default)]
    pub owner_left: Option<String>,
    /// Where last use comes from.
    pub source: Source,
    /// When the credential report was made; null in a live scan.
    pub report_generated_at: Option<Timestamp>,
    /// What a person should know before acting, such as marks of infrastructure as code.
    pub warnings: Vec<String>,
}

/// Rows of every key that the plan looked at, root keys included: incidents first, then in the order of the collection.
#[must_use]
pub fn rows(now: Timestamp, collection: &Collection, plan: &Plan, state: &State) -> Vec<FindingRow> {
    let mut listed: Vec<_> = listed(collection, &plan.keys).collect();
    listed.sort_by_key(|(index, it)| (!it.is_incident(), *index));
    listed.into_iter().map(|(_, it)| it.row(now, state)).collect()
}

/// Whether AWS considers the keys of its user compromised.
#[must_use]
pub fn is_incident(key: &PlannedKey) -> bool {
    let recorded = key.record.as_ref().and_then(|record| record.incident.as_ref());
    match (recorded, &key.facts.policies) {
        (Some(incident), _) => !incident.policies.is_empty(),
        (None, Fact::Known(policies)) => policies.iter().any(|policy| policy.marks_a_compromise()),
        (None, Fact::Unknown(_) | Fact::NotRead) => false,
    }
}

/// The policies that mark the keys of its user as compromised: recorded, or seen though nothing is recorded of it.
fn marks(key: &PlannedKey) -> Vec<String> {
    let recorded = key.record.as_ref().and_then(|record| record.incident.as_ref());
    let seen = || key.facts.compromise().known().cloned();
    recorded.map(|incident| incident.policies.clone()).or_else(seen).unwrap_or_default()
}

fn row(
    now: Timestamp,
    account: &AccountFacts,
    key: &PlannedKey,
    report_generated_at: Option<Timestamp>,
    out_of_reach: bool,
) -> FindingRow {
    let facts = &key.facts;
    let (last_used_at, service, region) = match facts.last_use.known() {
        Some(LastUse::At { at, service, region }) => (Some(*at), service.clone(), region.clone()),
        Some(LastUse::Never) | None => (None, None, None),
    };
    let (next_action, next_action_at, next_action_reason) = next_action(now, &key.next);
    let incident = is_incident(key);
    let owner = key.owner.owner.as_deref();
    let finding = key.finding.map(|kind| Finding::of_key(facts, kind, incident));
    FindingRow {
        subject: SubjectKind::Key,
        account_id: account.id.to_string(),
        account_name: (!account.name.is_empty()).then(|| account.name.clone()),
        user_name: facts.user_name.to_string(),
        user_id: facts.user_id.known().map(ToString::to_string),
        access_key_id: Some(facts.key.to_string()),
        status: match &facts.status {
            KeyStatus::Active => "Active".into(),
            KeyStatus::Inactive => "Inactive".into(),
            KeyStatus::Other(status) => status.clone(),
        },
        created_at: Some(facts.created),
        last_used_at,
        last_used_service: service.map(Into::into),
        last_used_region: region.map(Into::into),
        idle_days: facts.idle_days(now),
        age_days: Some(facts.age_days(now)),
        finding: key.finding,
        severity: severity(now, key),
        compliance: finding.map(|it| it.compliance(now)).unwrap_or_default(),
        remediation: match finding {
            Some(finding) => finding.remediation(),
            None if incident => vec![INCIDENT_REMEDY.into()],
            None => Vec::new(),
        },
        state: state_of(key).into(),
        overlays: overlays(key, out_of_reach).map(str::to_owned).collect(),
        unknown: key.unknown.clone(),
        next_action,
        next_action_at,
        next_action_reason,
        approval_request: key.record.as_ref().and_then(|record| waiting_request(record)),
        reactivations: key.record.as_ref().map_or(0, |record| record.past.reactivated),
        owner: owner.map(|owner| owner.name.clone()),
        owner_source: owner.map(|owner| owner.source),
        owner_confidence: owner.map(|owner| owner.confidence),
        owner_left: owner.and_then(Owner::left).map(str::to_owned),
        source: facts.source,
        report_generated_at,
        warnings: warnings(key),
    }
}

/// How bad it is. A key of an incident need not be stale.
fn severity(now: Timestamp, key: &PlannedKey) -> Option<Severity> {
    let incident = is_incident(key);
    let found = key.finding.map(|kind| Finding::of_key(&key.facts, kind, incident).severity(now));
    found.or(incident.then_some(Severity::Critical))
}

/// The base state of a key, or that of a key without a record.
fn state_of(key: &PlannedKey) -> &'static str {
    key.record.as_ref().map_or(KeyState::Active.as_str(), |record| record.state.as_str())
}

/// The overlays of a key, by name.
fn overlays(key: &PlannedKey, out_of_reach: bool) -> impl Iterator<Item = &'static str> {
    let record = key.record.as_ref();
    let overlays = [
        ("incident", is_incident(key)),
        ("hold", record.is_some_and(|record| !record.holds.is_empty())),
        ("exempt", key.exempt.is_some()),
        ("out_of_reach", out_of_reach),
        ("quarantine", record.is_some_and(|record| record.quarantine.is_some())),
    ];
    overlays.into_iter().filter(|(_, on)| *on).map(|(name, _)| name)
}

/// The request that waits for a decision. One that the next sweep asks has no number yet.
fn waiting_request(record: &Record) -> Option<String> {
    let approval = match &record.state {
        KeyState::Flagged(data) => data.approval.as_deref(),
        KeyState::Deactivated(data) => data.approval.as_deref(),
        KeyState::Active
        | KeyState::Deactivating(_)
        | KeyState::Deleting(_)
        | KeyState::Deleted(_)
        | KeyState::Gone(_) => None,
    };
    let waiting = approval.filter(|approval| !approval.is_granted() && approval.number != 0)?;
    Some(format!("{}-{}", waiting.number, waiting.hash(&record.identity)))
}

/// A finding that no lifecycle follows from.
fn root_row(
    now: Timestamp,
    account: &AccountFacts,
    finding: Finding<'_>,
    report_generated_at: Option<Timestamp>,
) -> FindingRow {
    FindingRow {
        subject: SubjectKind::RootKey,
        account_id: account.id.to_string(),
        account_name: (!account.name.is_empty()).then(|| account.name.clone()),
        user_name: ROOT.into(),
        user_id: None,
        access_key_id: None,
        status: "Active".into(),
        created_at: None,
        last_used_at: None,
        last_used_service: None,
        last_used_region: None,
        idle_days: None,
        age_days: None,
        finding: Some(finding.kind),
        severity: Some(finding.severity(now)),
        compliance: finding.compliance(now),
        remediation: finding.remediation(),
        state: KeyState::Active.as_str().into(),
        overlays: Vec::new(),
        unknown: Vec::new(),
        next_action: NextAction::None,
        next_action_at: None,
        next_action_reason: "keysweep never changes a key of the root user".into(),
        approval_request: None,
        reactivations: 0,
        owner: None,
        owner_source: None,
        owner_confidence: None,
        owner_left: None,
        source: if report_generated_at.is_some() { Source::Report } else { Source::Live },
        report_generated_at,
        warnings: Vec::new(),
    }
}

/// An incident, claims of ownership that lead to nobody, and marks of infrastructure as code: what it manages comes back at
/// its next apply.
fn warnings(key: &PlannedKey) -> Vec<String> {
    let incident = is_incident(key).then(|| {
        format!(
            "incident: AWS attached {} to the user, whose keys it considers compromised",
            marks(key).join(", ")
        )
    });
    let owner = key.owner.passed_over.iter().map(|why| format!("owner: {why}"));
    let said = incident.into_iter().chain(owner);
    let Fact::Known(tags) = &key.facts.tags else { return said.collect() };
    let managed = |tag: &str| {
        let tag = tag.to_ascii_lowercase();
        tag.starts_with("aws:cloudformation:")
            || tag == "terraform"
            || (tag == "managedby")
            || (tag == "managed-by")
    };
    let marks = tags.iter().filter(|(tag, _)| managed(tag));
    let managed = marks
        .map(|(tag, value)| format!("tag {tag}={value}: managed as code, may come back at the next apply"));
    said.chain(managed).collect()
}

/// What comes next, in one word, with time and reason.
#[must_use]
pub fn next_action(now: Timestamp, next: &Next) -> (NextAction, Option<Timestamp>, String) {
    let (action, at) = next_step(now, next);
    let why = match next {
        Next::Nothing => String::new(),
        Next::Step { why, .. } => why.clone(),
        Next::Wait { wait, .. } => wait.to_string(),
    };
    (action, at, why)
}

/// As [`next_action`], without the reason.
#[must_use]
pub fn next_step(now: Timestamp, next: &Next) -> (NextAction, Option<Timestamp>) {
    let of = |action| match action {
        Planned::Deactivate => NextAction::Deactivate,
        Planned::Delete => NextAction::Delete,
    };
    let step = |action: Action| match action {
        Action::Quarantine => NextAction::Quarantine,
        Action::Deactivate => NextAction::Deactivate,
        Action::Delete => NextAction::Delete,
        // No plan has an undo as its next step.
        Action::EndQuarantine | Action::Reactivate => NextAction::None,
    };
    match next {
        Next::Nothing => (NextAction::None, None),
        Next::Step { action, .. } => (step(*action), Some(now)),
        Next::Wait { action, wait } => {
            let until = wait.until();
            let word = match wait.reason() {
                Reason::Observe => NextAction::None,
                Reason::Notice if until.is_none() => NextAction::Notice,
                Reason::Quarantine if until.is_none() => NextAction::Wait,
                Reason::Notice | Reason::Grace | Reason::Window | Reason::Quarantine => of(*action),
                Reason::Approval => NextAction::Approval,
                Reason::Cap
                | Reason::Breaker
                | Reason::Paused
                | Reason::Hold
                | Reason::Exempt
                | Reason::Unknown
                | Reason::Recheck
                | Reason::Reference
                | Reason::Evidence
                | Reason::Protected => NextAction::Wait,
            };
            (word, until)
        }
    }
}
