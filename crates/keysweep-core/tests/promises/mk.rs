//! Builders: one small organization, its keys, and the way from a plan to a state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::effect::Announcement;
use keysweep_core::evidence::{Activity, RegionTrail, Trail};
use keysweep_core::facts::{
    AccountFacts, AccountScan, Collection, Fact, Inventory, KeyFacts, KeyStatus, LastUse, OtherKey, Outcome,
    Source, Tags,
};
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::event::{Change, Consent, Note, Overlay, Purpose};
use keysweep_core::lifecycle::{Approval, KeyEvent, OpenIntent, Record, Sighting, State as KeyState};
use keysweep_core::plan::{self, Context, Plan, Refusal, View};
use keysweep_core::policy::{DAY, Mode, Policy};
use keysweep_core::quarantine::{AttachedPolicy, QuarantinePolicy};
use keysweep_core::references::Met;
use keysweep_core::state::{Actor, Body, Entry, State};
use keysweep_core::ticket::{Action, Ticket, Warrant};

/// The scan interval of all tests.
pub(crate) const INTERVAL: Duration = Duration::from_secs(6 * 3600);

/// 2026-01-01, plus days.
pub(crate) fn day(days: i64) -> Timestamp {
    hours(days * 24)
}

/// 2026-01-01, plus hours.
pub(crate) fn hours(hours: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_hours(hours)
}

pub(crate) fn days(n: u32) -> Duration {
    n * DAY
}

pub(crate) fn mk_account_id(n: usize) -> AccountId {
    format!("{:012}", 111_111_111_111 + n).parse().unwrap()
}

pub(crate) fn mk_key_id(n: usize) -> AccessKeyId {
    format!("AKIAEXAMPLE{n:09}").parse().unwrap()
}

pub(crate) fn mk_account(n: usize) -> AccountFacts {
    AccountFacts {
        id: mk_account_id(n),
        name: format!("account-{n}"),
        email: Fact::Known(String::new()),
        management: false,
        ous: Fact::NotRead,
        tags: Fact::NotRead,
    }
}

pub(crate) fn used_at(at: Timestamp) -> LastUse {
    LastUse::At { at, service: Some("s3".into()), region: None }
}

/// An active key of account 0, created long ago and last used 100 days before [`day`] 0.
pub(crate) fn mk_key(n: usize) -> KeyFacts {
    KeyFacts {
        account: mk_account_id(0),
        user_name: format!("user-{n}").parse().unwrap(),
        user_id: Fact::Known(format!("AIDAEXAMPLE{n:09}").parse().unwrap()),
        path: Fact::Known("/".into()),
        tags: Fact::Known(Tags::default()),
        key: mk_key_id(n),
        created: day(-1000),
        status: KeyStatus::Active,
        last_use: Fact::Known(used_at(day(-100))),
        source: Source::Report,
        other_keys: Vec::new(),
        policies: Fact::NotRead,
        password: Fact::NotRead,
        policy_denies: Fact::NotRead,
        trail: Fact::NotRead,
    }
}

/// So many other keys of a user, all Inactive.
pub(crate) fn mk_others(count: usize) -> Vec<OtherKey> {
    (0..count).map(|n| OtherKey::listed(mk_key_id(900 + n), KeyStatus::Inactive)).collect()
}

/// A managed policy of AWS that is attached to a user.
pub(crate) fn mk_attached(name: &str) -> AttachedPolicy {
    AttachedPolicy { name: name.into(), arn: format!("arn:aws:iam::aws:policy/{name}") }
}

/// The policy that keysweep attaches to a user in quarantine.
pub(crate) fn mk_quarantine() -> AttachedPolicy {
    let policy = QuarantinePolicy::default();
    AttachedPolicy { name: policy.to_string(), arn: format!("arn:aws{}", policy.resource(mk_account_id(0))) }
}

/// What AWS attaches to a user whose key it considers compromised.
pub(crate) fn mk_compromise() -> Vec<AttachedPolicy> {
    vec![mk_attached("AWSCompromisedKeyQuarantineV3")]
}

/// The deadline of an intent that is written then.
pub(crate) fn mk_deadline(at: Timestamp) -> Timestamp {
    at + SignedDuration::try_from(OpenIntent::time_to_act(Duration::from_secs(10))).unwrap()
}

/// Another key of the user as the look right before a quarantine sees it.
fn fresh_other(other: &OtherKey) -> OtherKey {
    OtherKey {
        last_use: other
            .last_use
            .known()
            .map_or(Fact::Known(used_at(day(-100))), |known| Fact::Known(known.clone())),
        trail: other.trail.known().map_or_else(
            || Fact::Known(mk_trail(vec![("us-east-1", RegionTrail::Read(vec![]))])),
            |known| Fact::Known(known.clone()),
        ),
        ..other.clone()
    }
}

/// The same key as the re-read right before a change sees it.
pub(crate) fn fresh(facts: &KeyFacts) -> KeyFacts {
    KeyFacts {
        source: Source::Live,
        policies: facts.policies.known().map_or(Fact::Known(vec![]), |known| Fact::Known(known.clone())),
        password: facts.password.known().map_or(Fact::Known(false), |known| Fact::Known(*known)),
        policy_denies: Fact::Known(true),
        other_keys: facts.other_keys.iter().map(fresh_other).collect(),
        trail: Fact::Known(mk_trail(vec![("us-east-1", RegionTrail::Read(vec![]))])),
        ..facts.clone()
    }
}

pub(crate) fn mk_trail(regions: Vec<(&str, RegionTrail)>) -> Box<Trail> {
    let regions = regions.into_iter().map(|(region, trail)| (region.to_owned(), trail)).collect();
    Trail { at: day(0), since: day(-90), regions, analyzer: None }.into()
}

/// A call to EC2 in us-east-1.
pub(crate) fn mk_activity(at: Timestamp) -> Activity {
    Activity {
        at,
        region: "us-east-1".into(),
        source: Some("ec2.amazonaws.com".into()),
        name: Some("DescribeInstances".into()),
        address: Some("203.0.113.7".into()),
        user_agent: Some("aws-cli/2.31".into()),
        error: None,
        event_id: Some("11111111-2222-4333-8444-555555555555".into()),
    }
}

pub(crate) fn mk_sighting(at: Timestamp) -> Sighting {
    let monotonic = at.duration_since(day(-5000)).unsigned_abs();
    Sighting { at, run: 1, monotonic, interval: INTERVAL }
}

pub(crate) fn mk_scan(at: Timestamp, keys: Vec<KeyFacts>) -> AccountScan {
    let active = keys.iter().filter(|key| key.status == KeyStatus::Active).count();
    AccountScan {
        sighting: mk_sighting(at),
        keys: keys.into_iter().map(Arc::new).collect(),
        absent: BTreeSet::new(),
        unread_users: BTreeMap::new(),
        unread_rows: Vec::new(),
        root_keys_unknown: None,
        inventory: Inventory { active_keys: active as u64, ..Inventory::default() },
        report_generated_at: None,
        fallback: None,
        met: Met { every_user: true, ..Met::default() },
    }
}

pub(crate) fn mk_collection(at: Timestamp, accounts: Vec<(AccountFacts, AccountScan)>) -> Collection {
    let scanned = |(account, scan)| (account, Outcome::Scanned(Box::new(scan)));
    Collection {
        at,
        accounts: accounts.into_iter().map(scanned).collect(),
        complete: true,
        ous: None,
        skew: None,
    }
}

/// A policy that changes keys, with notices recorded only.
pub(crate) fn mk_policy(mode: Mode) -> Policy {
    let mut policy = Policy::default();
    policy.notices.required = false;
    policy.base.mode = mode;
    policy
}

/// A daemon without IO: records, and the keys as AWS has them.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) state: State,
    pub(crate) keys: Vec<KeyFacts>,
    /// What every account is like.
    pub(crate) account: AccountFacts,
    pub(crate) journal: Vec<Entry>,
}

impl World {
    pub(crate) fn new(policy: Policy, keys: Vec<KeyFacts>) -> Self {
        Self { policy, state: State::default(), keys, account: mk_account(0), journal: Vec::new() }
    }

    pub(crate) fn write(&mut self, at: Timestamp, body: Body) -> keysweep_core::state::Delta {
        self.write_as(Actor::Keysweep, at, body)
    }

    pub(crate) fn write_as(
        &mut self,
        actor: Actor,
        at: Timestamp,
        body: Body,
    ) -> keysweep_core::state::Delta {
        let entry = Entry { seq: self.journal.len() as u64 + 1, at, actor, body };
        let delta = self.state.replay(&entry).unwrap_or_else(|e| panic!("{e} in {entry:?}"));
        self.journal.push(entry);
        delta
    }

    /// Ends every pause.
    pub(crate) fn resume(&mut self, at: Timestamp) {
        let pauses = self.state.control().pauses.iter().map(|pause| pause.number).collect();
        self.write_as(Actor::local("ada"), at, Body::Resumed { pauses, reason: "thaw".into() });
    }

    /// Accepts what the breaker shows.
    pub(crate) fn reset_breaker(&mut self, at: Timestamp, accounts: Option<u64>) {
        let keys = plan::newly_due(&self.state);
        let body = Body::BreakerReset { reason: "looked".into(), keys, accounts };
        self.write_as(Actor::local("ada"), at, body);
    }

    pub(crate) fn happen(&mut self, at: Timestamp, key: usize, event: KeyEvent) {
        let facts = &self.keys[key];
        if matches!(event, KeyEvent::Change(Change::Intent { action: Action::Delete, .. })) {
            self.write(at, Body::Key { account: facts.account, key: facts.key.clone(), event: mk_bundle(1) });
        }
        let facts = &self.keys[key];
        let actor = match event {
            KeyEvent::Consent(Consent::Approved { .. })
            | KeyEvent::Consent(Consent::Denied { .. })
            | KeyEvent::Overlay(Overlay::HoldPlaced { .. })
            | KeyEvent::Overlay(Overlay::HoldReleased { .. })
            | KeyEvent::Record(Note::Forgotten { .. }) => Actor::local("ada"),
            _ => Actor::Keysweep,
        };
        let body = Body::Key { account: facts.account, key: facts.key.clone(), event };
        self.write_as(actor, at, body);
    }

    pub(crate) fn collection(&self, at: Timestamp) -> Collection {
        let ids: BTreeSet<AccountId> = self.keys.iter().map(|key| key.account).collect();
        let of = |id| self.keys.iter().filter(|key| key.account == id).cloned().collect();
        let account = |id| AccountFacts { id, ..self.account.clone() };
        mk_collection(at, ids.into_iter().map(|id| (account(id), mk_scan(at, of(id)))).collect())
    }

    /// What a scan writes of the keys that it saw Inactive.
    pub(crate) fn observe(&mut self, collection: &Collection) {
        for (account, outcome) in &collection.accounts {
            let Outcome::Scanned(scan) = outcome else { continue };
            let tracked = |key: &&Arc<KeyFacts>| self.state.record(&key.key).is_some();
            let inactive = scan.keys.iter().filter(|key| key.status == KeyStatus::Inactive).filter(tracked);
            let body = Body::AccountScanned {
                account: account.id,
                name: account.name.clone(),
                ou_path: String::new(),
                sighting: scan.sighting.clone(),
                inactive: inactive.map(|key| key.key.clone()).collect(),
                inventory: scan.inventory.clone(),
                untold: std::collections::BTreeSet::new(),
                unknown_keys: 0,
                report_generated_at: None,
                place: self.policy.notices.place(account),
            };
            self.write(collection.at, body);
        }
    }

    /// One sweep, written down: its last plan, with the entries of all of them, and what people were told.
    pub(crate) fn sweep(&mut self, at: Timestamp) -> Plan {
        let collection = self.collection(at);
        self.observe(&collection);
        let mut all = Vec::new();
        for _ in 0..8 {
            let mut plan = plan::plan(at, &self.policy, &self.state, &collection);
            for body in &plan.entries {
                self.write(at, body.clone());
            }
            all.append(&mut plan.entries);
            let told = plan::still_to_tell(&self.context(at), &collection, &plan);
            if told.is_empty() {
                plan.entries = all;
                return plan;
            }
            for body in told.into_iter().map(Announcement::told) {
                self.write(at, body.clone());
                all.push(body);
            }
        }
        panic!("people are told things without end");
    }

    pub(crate) fn context(&self, now: Timestamp) -> Context<'_> {
        Context { now, policy: &self.policy, state: &self.state }
    }

    pub(crate) fn recheck_with(
        &self,
        at: Timestamp,
        ticket: Ticket,
        facts: &KeyFacts,
    ) -> Result<Warrant, Refusal> {
        let account = AccountFacts { id: facts.account, ..self.account.clone() };
        let view = View { account: &account, facts, sighting: &mk_sighting(at) };
        let agreement = plan::recheck(&self.context(at), &ticket, &view)?;
        Ok(ticket.agreed(agreement).unwrap())
    }

    /// The re-check with the key as AWS has it.
    pub(crate) fn recheck(&self, at: Timestamp, ticket: Ticket) -> Result<Warrant, Refusal> {
        let facts = self.facts_of(&ticket.identity().key).clone();
        self.recheck_with(at, ticket, &fresh(&facts))
    }

    pub(crate) fn facts_of(&self, key: &AccessKeyId) -> &KeyFacts {
        self.keys.iter().find(|facts| facts.key == *key).unwrap()
    }

    /// Does what a warrant permits, in AWS and in the journal.
    pub(crate) fn carry_out(&mut self, at: Timestamp, warrant: &Warrant) {
        let n = self.keys.iter().position(|facts| facts.key == warrant.identity().key).unwrap();
        let action = warrant.action();
        self.happen(
            at,
            n,
            KeyEvent::Change(Change::Intent {
                action,
                origin: warrant.origin().clone(),
                why: warrant.why().into(),
                deadline: mk_deadline(at),
                quarantine: (action == Action::Quarantine)
                    .then(|| warrant.quarantine().cloned().map(Box::new))
                    .flatten(),
            }),
        );
        let activity =
            self.record_of(&warrant.identity().key).and_then(|record| record.past.activity.clone());
        let last_use = self.keys[n].with_activity(activity.as_deref()).last_use.known().unwrap().clone();
        let hold_until = at + SignedDuration::try_from(self.policy.base.hold_after_reactivation).unwrap();
        let outcome = match action {
            Action::Quarantine => {
                self.keys[n].policies = Fact::Known(vec![mk_quarantine()]);
                KeyEvent::Change(Change::Quarantined { request_id: None })
            }
            Action::EndQuarantine => {
                self.keys[n].policies = Fact::Known(Vec::new());
                KeyEvent::Change(Change::QuarantineEnded { request_id: None, hold_until: None })
            }
            Action::Deactivate => {
                self.keys[n].status = KeyStatus::Inactive;
                KeyEvent::Change(Change::Deactivated {
                    request_id: None,
                    last_use,
                    sighting: mk_sighting(at),
                })
            }
            Action::Reactivate => {
                self.keys[n].status = KeyStatus::Active;
                KeyEvent::Change(Change::Undone { request_id: None, hold_until })
            }
            Action::Delete => KeyEvent::Change(Change::Deleted { request_id: None }),
        };
        self.happen(at, n, outcome);
        if action == Action::Delete {
            self.keys.remove(n);
        }
    }

    /// Plans, re-checks and carries out; gives the number of changes made.
    pub(crate) fn sweep_and_act(&mut self, at: Timestamp) -> usize {
        let mut plan = self.sweep(at);
        let mut done = 0;
        for ticket in plan.take_effects().0 {
            if let Ok(warrant) = self.recheck(at, ticket) {
                self.carry_out(at, &warrant);
                done += 1;
            }
        }
        done
    }

    /// Sweeps every six hours from the first to the last of these days, at 00:00, 06:00, 12:00 and 18:00.
    pub(crate) fn run(&mut self, from: i64, to: i64) -> usize {
        (from * 4..to * 4 + 4).map(|quarter| self.sweep_and_act(hours(quarter * 6))).sum()
    }

    /// The request for approval of a key.
    pub(crate) fn asked(&self, key: usize) -> Option<&Approval> {
        match self.record(key).map(|record| &record.state) {
            Some(KeyState::Flagged(data)) => data.approval.as_deref(),
            Some(KeyState::Deactivated(data)) => data.approval.as_deref(),
            Some(_) | None => None,
        }
    }

    /// The approval of what is asked now.
    pub(crate) fn approve(&mut self, at: Timestamp, key: usize) {
        let approval = self.asked(key).unwrap_or_else(|| panic!("nothing is asked: {:?}", self.record(key)));
        let (action, request) = (approval.action, approval.number);
        self.happen(
            at,
            key,
            KeyEvent::Consent(Consent::Approved {
                action,
                request,
                reason: "looked".into(),
                as_owner: false,
            }),
        );
    }

    /// The number of the only hold of a key.
    pub(crate) fn hold_number(&self, key: usize) -> u64 {
        match self.record(key).map(|record| record.holds.as_slice()) {
            Some([hold]) => hold.number,
            other => panic!("not one hold: {other:?}"),
        }
    }

    fn record_of(&self, key: &AccessKeyId) -> Option<&Record> {
        self.state.record(key)
    }

    pub(crate) fn record(&self, key: usize) -> Option<&Record> {
        self.state.record(&mk_key_id(key))
    }

    pub(crate) fn state_of(&self, key: usize) -> &'static str {
        self.record(key).map_or("active", |record| record.state.as_str())
    }

    pub(crate) fn names_of(&self, key: usize) -> Vec<&'static str> {
        let of_key = self.journal.iter().filter_map(|entry| match &entry.body {
            Body::Key { key: id, event, .. } if *id == mk_key_id(key) => Some(event.name()),
            _ => None,
        });
        of_key.collect()
    }
}

/// The evidence bundle of a deletion, told apart by a number.
pub(crate) fn mk_bundle(n: u8) -> KeyEvent {
    let bundle = format!("{n:064x}").parse().unwrap();
    KeyEvent::Record(Note::BundleWritten { bundle, purpose: Purpose::Deletion })
}
