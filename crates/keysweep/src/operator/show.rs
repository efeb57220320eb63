//! What operators are shown: renderings of the state and of what the last sweep saw.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use keysweep_api::{
    ApprovalRow, HoldRow, JournalBytes, KeyDocument, KeyRow, KeysDocument, ListKeys, Operation, OwnerRow,
    ParkedAccount, PauseRow, PlanDocument, PolicyTerm, QuarantineRow, Refusal, ShowKey, ShowPlan,
    UnknownOrigin, ViewJournal,
};
use keysweep_core::evidence::Creation;
use keysweep_core::facts::{AccountFacts, Collection, KeyFacts, Outcome};
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::{Approval, Hold, Quarantine, Record, State as KeyState};
use keysweep_core::owner::Owner;
use keysweep_core::plan::{Context, PlannedKey, quarantine_ends_because};
use keysweep_core::render::{NextAction, coverage_in, listed, next_action};
use keysweep_core::state::{Control, Pause, State};
use keysweep_core::ticket::Planned;

use super::Look;
use super::decide::{pending, request_of};
use crate::access::{Need, Sight};
use crate::causes::in_words;
use crate::collect::{Inputs, OrganizationCache, collect};
use crate::engine::{Engine, Latest, Outlook};
use crate::evidence::QUIET;
use crate::terms::effective;

/// What the undo of an incident's deactivation does.
pub(super) const GIVES_BACK: &str =
    "AWS considers this key compromised: anyone who has a copy can use it again once it is Active";

impl Look for ViewJournal {
    fn need(&self) -> Need {
        Need::organization(Self::ROLE)
    }

    /// The asker makes the backup himself: the file is then his, and where he means.
    async fn look(self, engine: &Engine, _: &Sight) -> Result<JournalBytes, Refusal> {
        let store = engine.store().clone();
        let view = match tokio::task::spawn_blocking(move || store.view()).await {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => return Err(Refusal::Unavailable(in_words(&error))),
            Err(error) => return Err(Refusal::Internal(in_words(&error))),
        };
        match serde_json::to_value(view) {
            Ok(view) => Ok(JournalBytes { view }),
            Err(error) => Err(Refusal::Internal(in_words(&error))),
        }
    }
}

impl Look for ShowPlan {
    fn is_at_hand(&self, engine: &Engine) -> Result<(), Refusal> {
        let none =
            || Refusal::Unavailable("no sweep has ended since keysweep started; try again later".into());
        engine.latest().map(|_| ()).ok_or_else(none)
    }

    /// Planned again on what the last sweep saw, or, where there was none, on what is seen now.
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<PlanDocument, Refusal> {
        if let Some(latest) = engine.latest() {
            return Ok(engine.planned(&engine.outlook(), &latest.collection, sight));
        }
        let latest = Arc::new(Latest { collection: engine.look_now().boxed().await?, idle_rules: None });
        let outlook = engine.look_ahead(Some(Arc::clone(&latest)));
        Ok(engine.planned(&outlook, &latest.collection, sight))
    }
}

impl Look for ListKeys {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<KeysDocument, Refusal> {
        Ok(engine.show_keys(sight))
    }
}

impl Look for ShowKey {
    fn need(&self) -> Need {
        Need::key(Self::ROLE, &self.key).or_owner()
    }

    async fn look(self, engine: &Engine, _: &Sight) -> Result<KeyDocument, Refusal> {
        engine.show_key(&self.key).await
    }
}

impl Engine {
    async fn look_now(&self) -> Result<Collection, Refusal> {
        let aws = self.aws().await.map_err(|error| Refusal::Unavailable(in_words(&error)))?;
        let config = self.config();
        let inputs = Inputs {
            aws: &aws,
            config: &config,
            clock: self.clock(),
            cache: &OrganizationCache::default(),
            only: &[],
            list_inactive: self.lists_inactive(),
        };
        let state = self.store().read(State::clone);
        collect(inputs, &state, &()).await.map_err(|error| Refusal::Unavailable(in_words(&error)))
    }

    fn planned(&self, outlook: &Outlook, collection: &Collection, sight: &Sight) -> PlanDocument {
        let (now, config) = (self.clock().now(), self.config());
        self.store().read(|state| {
            let control = state.control();
            let stops = control.stops(&config.policy);
            let unknown_origin = |(account, key): &(_, AccessKeyId)| UnknownOrigin {
                account_id: AccountId::to_string(account),
                access_key_id: key.to_string(),
            };
            let mut listed: Vec<_> = listed(collection, &outlook.keys)
                .filter(|(_, it)| {
                    sight.key(it.account().id, it.planned().and_then(|it| it.record.as_deref()))
                })
                .collect();
            listed.sort_by_key(|(index, it)| (!it.is_incident(), *index));
            PlanDocument {
                generated_at: now,
                collected_at: collection.at,
                stopped: stops.map(|stop| stop.to_string()).reduce(|all, one| format!("{all}; {one}")),
                pauses: control.pauses.iter().map(pause_row).collect(),
                parked: parked(control, now, sight),
                clock_skew_seconds: self.skew_seconds(),
                coverage: coverage_in(collection, &outlook.keys, |account| sight.account(account)),
                keys: listed.into_iter().map(|(_, it)| it.row(now, state)).collect(),
                inactive_of_unknown_origin: outlook
                    .inactive_of_unknown_origin
                    .iter()
                    .filter(|(account, _)| sight.account(*account))
                    .map(unknown_origin)
                    .collect(),
            }
        })
    }

    /// By the last answer of AWS to this process, if there was one.
    fn skew_seconds(&self) -> Option<i64> {
        self.metrics().calls.skew().map(|skew| skew.as_secs())
    }

    fn show_keys(&self, sight: &Sight) -> KeysDocument {
        let (now, outlook) = (self.clock().now(), self.outlook());
        let keys: Vec<KeyRow> = self.store().read(|state| {
            let mut records: Vec<&Record> = state.records().filter(|record| sight.record(record)).collect();
            records.sort_by_key(|record| record.incident.is_none());
            let row = |record: &Record| mk_row(now, state, record, outlook.key(&record.identity.key));
            records.into_iter().map(row).collect()
        });
        KeysDocument { generated_at: now, clock_skew_seconds: self.skew_seconds(), keys }
    }

    async fn show_key(&self, key: &AccessKeyId) -> Result<KeyDocument, Refusal> {
        let (now, config, outlook) = (self.clock().now(), self.config(), self.outlook());
        let (row, facts, caveats) = self.store().read(|state| {
            let record = state.record(key);
            let row = record.map(|record| mk_row(now, state, record, outlook.key(key)));
            let facts = outlook.listed(key).map(|listed| listed.row(now, state));
            let deactivated = record.is_some_and(|r| matches!(r.state, KeyState::Deactivated(_)));
            let incident = deactivated && record.is_some_and(|r| r.incident.is_some());
            let caveats = [(deactivated, QUIET), (incident, GIVES_BACK)];
            (row, facts, caveats.into_iter().filter(|(said, _)| *said).map(|(_, what)| what.into()).collect())
        });
        if row.is_none() && facts.is_none() {
            return Err(unknown_key(key));
        }
        let told = self.store().told(key).await;
        let history = told.map_err(|error| Refusal::Unavailable(in_words(&error)))?.history;
        let (policy, exempt) =
            self.with_context(&config.policy, |context| policy_of(context, outlook.collection(), key));
        Ok(KeyDocument {
            generated_at: now,
            clock_skew_seconds: self.skew_seconds(),
            record: row,
            facts,
            policy,
            exempt,
            history,
            caveats,
        })
    }
}

pub(super) fn pause_row(pause: &Pause) -> PauseRow {
    PauseRow {
        number: pause.number,
        by: pause.by.to_string(),
        reason: pause.reason.clone(),
        since: pause.since,
    }
}

fn parked(control: &Control, now: Timestamp, sight: &Sight) -> Vec<ParkedAccount> {
    let parked = control.all_parked(now).filter(|(account, _)| sight.account(*account)).filter_map(
        |(account, park)| {
            let (_, until) = control.parked(account, now)?;
            Some(ParkedAccount {
                account_id: account.to_string(),
                since: park.since,
                until,
                reason: park.reason,
                access_key_id: park.key.to_string(),
                action: park.action,
                detail: park.detail.clone(),
            })
        },
    );
    parked.collect()
}

/// The account of a key that has a record, or that the last sweep saw.
pub(crate) fn account_of(engine: &Engine, key: &AccessKeyId) -> Option<AccountId> {
    let of_record = engine.store().read(|state| state.record(key).map(|record| record.identity.account));
    of_record.or_else(|| {
        let latest = engine.latest()?;
        find(&latest.collection, key).map(|(account, _)| account.id)
    })
}

/// Said of a key that nothing is known of.
pub(crate) fn unknown_key(key: &AccessKeyId) -> Refusal {
    Refusal::NotFound(format!(
        "unknown key {key}: only stale keys have records and findings, which `keysweep keys list` and `plan` show; \
         to protect a key in use from any change, configure an exemption ([[policy.exempt]])"
    ))
}

/// A key as a collection saw it.
pub(super) fn find<'a>(
    collection: &'a Collection,
    key: &AccessKeyId,
) -> Option<(&'a AccountFacts, &'a KeyFacts)> {
    collection.accounts.iter().find_map(|(account, outcome)| match outcome {
        Outcome::Scanned(scan) => {
            let facts = scan.keys.iter().find(|facts| facts.key == *key)?;
            Some((account, facts.as_ref()))
        }
        Outcome::Failed { .. } | Outcome::Skipped { .. } => None,
    })
}

fn policy_of(
    context: &Context<'_>,
    seen: Option<&Collection>,
    key: &AccessKeyId,
) -> (Vec<PolicyTerm>, Option<String>) {
    let Some((account, facts)) = seen.and_then(|collection| find(collection, key)) else {
        return (Vec::new(), None);
    };
    effective(context, account, facts).unwrap_or_default()
}

/// What comes next for a key with a record.
pub(super) fn next_of(
    now: Timestamp,
    state: &State,
    record: &Record,
    planned: Option<&PlannedKey>,
) -> (NextAction, Option<Timestamp>, String) {
    match (state.out_of_reach(record.identity.account), planned) {
        (Some(why), _) if record.state.is_tracked() => (NextAction::Wait, None, why),
        (_, Some(key)) => next_action(now, &key.next),
        // Known whatever the last sweep saw.
        (_, None) => match &record.incident {
            Some(incident) => (NextAction::Wait, None, incident.to_string()),
            None => (NextAction::None, None, String::new()),
        },
    }
}

pub(super) fn mk_row(now: Timestamp, state: &State, record: &Record, planned: Option<&PlannedKey>) -> KeyRow {
    let identity = &record.identity;
    let (next, next_at, why) = next_of(now, state, record, planned);
    let told = told(&record.state);
    let creation = state.creation(identity.account, &identity.key);
    let name = state.account(identity.account).map(|account| account.name.clone());
    KeyRow {
        account_id: identity.account.to_string(),
        account_name: name.filter(|name| !name.is_empty()),
        user_name: record.user_name.to_string(),
        user_id: identity.user_id.to_string(),
        access_key_id: identity.key.to_string(),
        created_at: identity.created,
        created_by: creation.map(|creation| creation.call.clone()),
        created_by_another_user: creation.is_some_and(Creation::is_by_another_user),
        owner: record.owner.as_deref().map(mk_owner),
        state: record.state.as_str().into(),
        since: told.since,
        overlays: overlays_of(state, record).into_iter().map(str::to_owned).collect(),
        finding: told.finding,
        hold: record.holds_in_words(),
        holds: record.holds.iter().map(mk_hold).collect(),
        deactivated_by: record.deactivated_by().map(str::to_owned),
        reactivations: record.past.reactivated,
        reactivations_need_approval: record.past.reactivations().is_some(),
        reactivated_by: record.past.woken.as_deref().and_then(|woken| woken.call.clone()),
        user_changes: record.past.user_changes.clone(),
        quarantine: record
            .quarantine
            .as_deref()
            .map(|quarantine| mk_quarantine(state, record, quarantine, now)),
        past_quarantine: record.past.quarantined.as_deref().cloned(),
        activity: record.past.activity.as_deref().cloned(),
        watched_seconds: told.watched_seconds,
        not_needed_at: record.past.not_needed.as_ref().map(|said| said.at),
        approval_pending: told.approval_pending,
        approval: pending(record).map(|approval| mk_approval(record, approval, now)),
        next_action: next,
        next_action_at: next_at,
        next_action_reason: why,
    }
}

/// The overlays of a record, by name.
pub(super) fn overlays_of(state: &State, record: &Record) -> Vec<&'static str> {
    let overlays = [
        ("incident", record.incident.is_some()),
        ("hold", !record.holds.is_empty()),
        ("exempt", record.exempt.is_some()),
        ("out_of_reach", state.is_out_of_reach(record.identity.account)),
        ("quarantine", record.quarantine.is_some()),
    ];
    overlays.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
}

/// Why the key was flagged.
pub(super) fn finding_of(record: &Record) -> Option<FindingKind> {
    told(&record.state).finding
}

fn mk_quarantine(state: &State, record: &Record, quarantine: &Quarantine, now: Timestamp) -> QuarantineRow {
    QuarantineRow {
        policy: quarantine.policy.clone(),
        attached_at: quarantine.attached,
        ends_because: quarantine_ends_because(state, record, now),
    }
}

fn mk_owner(owner: &Owner) -> OwnerRow {
    let Owner { name, source, confidence, contact, listed: _, left } = owner;
    OwnerRow {
        name: name.clone(),
        source: *source,
        confidence: *confidence,
        email: contact.email.as_ref().map(ToString::to_string),
        slack: contact.slack.clone(),
        webhook: contact.webhook.clone(),
        left: left.as_ref().map(|left| left.name.clone()),
    }
}

fn mk_hold(hold: &Hold) -> HoldRow {
    let Hold { number, kind, by, reason, since, until, ending: _ } = hold;
    HoldRow {
        number: *number,
        kind: *kind,
        by: by.to_string(),
        reason: reason.clone(),
        since: *since,
        until: *until,
    }
}

pub(super) fn mk_approval(record: &Record, approval: &Approval, now: Timestamp) -> ApprovalRow {
    let claim = approval.claimed(now);
    ApprovalRow {
        request: request_of(record, approval).to_string(),
        action: approval.action,
        asked_at: approval.asked_at,
        expires_at: approval.expires,
        reason: approval.why.clone(),
        last_used_at: approval.shown.last_use.at(),
        keys_of_user: approval.shown.keys_of_user,
        approved_by: approval.granted.iter().map(|granted| granted.by.to_string()).collect(),
        approvals_needed: approval.needed,
        owner_can_approve: approval.by_owner,
        claimed_by: claim.map(|claim| claim.by.to_string()),
        claimed_until: claim.map(|claim| claim.until),
    }
}

/// What the data of a base state says of a key.
#[derive(Default)]
struct Told {
    since: Option<Timestamp>,
    finding: Option<FindingKind>,
    watched_seconds: Option<u64>,
    approval_pending: Option<Planned>,
}

fn told(state: &KeyState) -> Told {
    let pending = |approval: Option<&Approval>| {
        approval.filter(|approval| !approval.is_granted()).map(|approval| approval.action)
    };
    match state {
        KeyState::Active => Told::default(),
        KeyState::Flagged(data) => Told {
            since: Some(data.since),
            finding: Some(data.finding),
            approval_pending: pending(data.approval.as_deref()),
            ..Told::default()
        },
        KeyState::Deactivating(data) => {
            Told { since: Some(data.intent.at), finding: Some(data.flagged.finding), ..Told::default() }
        }
        KeyState::Deactivated(data) => Told {
            since: Some(data.since),
            finding: Some(data.finding),
            watched_seconds: Some(data.watch.total.as_secs()),
            approval_pending: pending(data.approval.as_deref()),
        },
        KeyState::Deleting(data) => Told {
            since: Some(data.intent.at),
            finding: Some(data.deactivated.finding),
            watched_seconds: Some(data.deactivated.watch.total.as_secs()),
            ..Told::default()
        },
        KeyState::Deleted(data) => Told { since: Some(data.since), ..Told::default() },
        KeyState::Gone(data) => Told { since: Some(data.since), ..Told::default() },
    }
}
