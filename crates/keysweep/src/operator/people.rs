//! Requests for approval and holds, as lists.

use jiff::Timestamp;
use keysweep_api::{
    ApprovalsDocument, Decide, DecideApprovals, DecidedApprovals, Decision, HeldKey, HoldsDocument,
    KeyFilter, ListApprovals, ListHolds, Operation, PendingApproval, Refusal, RefusedApproval,
};
use keysweep_core::lifecycle::{Approval, Record};
use keysweep_core::render::NextAction;
use keysweep_core::state::State;

use super::decide::pending;
use super::find::{Matcher, Traits};
use super::show::{finding_of, mk_approval, overlays_of};
use super::{Act, Look};
use crate::access::{Need, Permit, Sight};
use crate::engine::Engine;

/// Requests that are decided on in one go.
const AT_ONCE: usize = 1_000;

impl Look for ListApprovals {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<ApprovalsDocument, Refusal> {
        let generated_at = engine.clock().now();
        let approvals =
            engine.store().read(|state| open_requests(state, &self.filter, sight, generated_at))?;
        Ok(ApprovalsDocument { generated_at, approvals })
    }
}

fn open_requests(
    state: &State,
    filter: &KeyFilter,
    sight: &Sight,
    now: Timestamp,
) -> Result<Vec<PendingApproval>, Refusal> {
    let matcher = Matcher::new(filter)?;
    let open = |approval: &&Approval| !approval.is_granted() && now < approval.expires;
    let records = state.records().filter(|record| sight.record(record) && matches(&matcher, state, record));
    let mut requests: Vec<_> = records
        .filter_map(|record| Some(request(state, record, pending(record).filter(open)?, now)))
        .collect();
    requests.sort_by(|one, other| {
        let key = |row: &PendingApproval| (row.approval.expires_at, row.access_key_id.clone());
        key(one).cmp(&key(other))
    });
    Ok(requests)
}

fn request(state: &State, record: &Record, approval: &Approval, now: Timestamp) -> PendingApproval {
    let identity = &record.identity;
    PendingApproval {
        account_id: identity.account.to_string(),
        account_name: account_name(state, record),
        user_name: record.user_name.to_string(),
        access_key_id: identity.key.to_string(),
        state: record.state.as_str().into(),
        owner: record.owner.as_deref().map(|owner| owner.name.clone()),
        not_needed_at: record.past.not_needed.as_ref().map(|said| said.at),
        finding: approval.shown.finding.as_str().into(),
        overlays: overlays_of(state, record).into_iter().map(str::to_owned).collect(),
        approval: mk_approval(record, approval, now),
    }
}

fn matches(matcher: &Matcher<'_>, state: &State, record: &Record) -> bool {
    let account = state.account(record.identity.account);
    let overlays = overlays_of(state, record);
    matcher.matches(&Traits {
        account_id: record.identity.account,
        account_name: account.map(|account| account.name.as_str()),
        ou_path: account.map_or("", |account| &account.ou_path),
        user: record.user_name.as_str(),
        key: record.identity.key.as_str(),
        owner: record.owner.as_deref().map(|owner| owner.name.as_str()),
        finding: finding_of(record),
        state: record.state.as_str(),
        overlays: &overlays,
        // What comes next is not known without a plan.
        next: pending(record).map_or(NextAction::None, |_| NextAction::Approval),
    })
}

fn account_name(state: &State, record: &Record) -> Option<String> {
    let account = state.account(record.identity.account)?;
    Some(account.name.clone()).filter(|name| !name.is_empty())
}

impl Act for DecideApprovals {
    /// The least; each request is decided on only with a permit of its own.
    fn need(&self) -> Need {
        Need { role: Self::ROLE, ..Need::visible() }
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<DecidedApprovals, Refusal> {
        let Self { filter, approve, count, requests, reason } = self;
        let now = engine.clock().now();
        let sight = permit.caller().sight(engine);
        let open = engine.store().read(|state| open_requests(state, &filter, &sight, now))?;
        let found = open.len();
        if usize::try_from(count) != Ok(found) {
            return Err(Refusal::Conflict(format!(
                "{found} requests match now, not {count}: nothing was decided; look at the list again"
            )));
        }
        if found > AT_ONCE {
            return Err(Refusal::Malformed(format!(
                "{found} requests match; decide on at most {AT_ONCE} at once"
            )));
        }
        if let Some(row) = open.iter().find(|row| !requests.contains(&row.approval.request)) {
            return Err(Refusal::Conflict(format!(
                "the request for {} is not among those that were shown: nothing was decided; look at the list again",
                row.access_key_id
            )));
        }
        let mut outcome = DecidedApprovals { decided: 0, refused: Vec::new() };
        for row in open {
            match engine.decide_one(permit, &row, approve, &reason).await {
                Ok(()) => outcome.decided += 1,
                Err(refusal) => outcome
                    .refused
                    .push(RefusedApproval { access_key_id: row.access_key_id, reason: refusal.to_string() }),
            }
        }
        Ok(outcome)
    }
}

impl Engine {
    /// One decision of many, permitted and journaled on its own.
    async fn decide_one(
        &self,
        permit: &Permit<'_>,
        row: &PendingApproval,
        approve: bool,
        reason: &str,
    ) -> Result<(), Refusal> {
        let malformed = |error: &dyn std::fmt::Display| Refusal::Internal(error.to_string());
        let key = row.access_key_id.parse().map_err(|error| malformed(&error))?;
        let request = row.approval.request.parse().map_err(|error| malformed(&error))?;
        let action = row.approval.action;
        let decision =
            if approve { Decision::Approve { action, request } } else { Decision::Deny { action, request } };
        let decide = Decide { key, decision, reason: reason.to_owned() };
        let own = permit.caller().authorize(self, &decide.need())?;
        decide.act(self, &own).await.map(|_| ())
    }
}

impl Look for ListHolds {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<HoldsDocument, Refusal> {
        let matcher = Matcher::new(&self.filter)?;
        let mut holds: Vec<_> = engine.store().read(|state| {
            let records =
                state.records().filter(|record| sight.record(record) && matches(&matcher, state, record));
            records.flat_map(|record| held(state, record)).collect()
        });
        holds.sort_by(|one: &HeldKey, other| {
            let key =
                |hold: &HeldKey| (hold.until.is_none(), hold.until, hold.access_key_id.clone(), hold.number);
            key(one).cmp(&key(other))
        });
        Ok(HoldsDocument { generated_at: engine.clock().now(), holds })
    }
}

fn held(state: &State, record: &Record) -> Vec<HeldKey> {
    let identity = &record.identity;
    let hold = |hold: &keysweep_core::lifecycle::Hold| HeldKey {
        account_id: identity.account.to_string(),
        account_name: account_name(state, record),
        user_name: record.user_name.to_string(),
        access_key_id: identity.key.to_string(),
        state: record.state.as_str().into(),
        owner: record.owner.as_deref().map(|owner| owner.name.clone()),
        number: hold.number,
        kind: hold.kind,
        by: hold.by.to_string(),
        reason: hold.reason.clone(),
        since: hold.since,
        until: hold.until,
    };
    record.holds.iter().map(hold).collect()
}
