//! What there is to see at one moment.

use jiff::Timestamp;
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::{Record, State as KeyState};
use keysweep_core::policy::Policy;
use keysweep_core::state::{State, Stop, SweepSummary};
use keysweep_sim::seed::Demo;

use super::SWEEPS_PAUSED;
use super::calendar::date;
use super::chronicle::Chronicle;
use super::stories::{self, Story};
use crate::engine::Engine;

/// What there is to see at one moment.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// Day of the demo.
    pub(super) day: i64,
    /// The date, in policy time.
    pub(super) date: String,
    /// Sweeps that came to their end.
    pub(super) sweeps: u64,
    /// The last of them.
    pub(super) last_sweep: Option<SweepSummary>,
    /// Keys by where they stand.
    pub(super) keys: Counts,
    /// Why nothing automatic happens, if nothing does.
    pub(super) stopped: Option<String>,
    /// What to watch.
    pub(super) stories: Vec<Story>,
    /// The key that was deleted first: there is a bundle of evidence to read.
    pub(super) first_deleted: Option<AccessKeyId>,
}

/// Keys by where they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// On their way to deactivation.
    pub(super) flagged: usize,
    /// Inactive, under watch.
    pub(super) deactivated: usize,
    /// Deleted by keysweep.
    pub(super) deleted: usize,
    /// On hold.
    pub(super) hold: usize,
    /// Stale, and held back by an exemption.
    pub(super) exempt: u64,
    /// Waiting for somebody's approval.
    pub(super) approval: usize,
}

impl Snapshot {
    pub(super) fn of(engine: &Engine, chronicle: &Chronicle, demo: &Demo) -> Self {
        let (now, config) = (engine.clock().now(), engine.config());
        engine.store().read(|state| Self::at(now, &config.policy, state, chronicle, demo))
    }

    fn at(now: Timestamp, policy: &Policy, state: &State, chronicle: &Chronicle, demo: &Demo) -> Self {
        let control = state.control();
        let stops = control.stops(policy).map(|stop| match stop {
            Stop::Paused(pause) if pause.by.is_keysweep() => {
                format!("paused, as every new data_dir is; the demo resumes after {SWEEPS_PAUSED} sweeps")
            }
            Stop::Paused(_) | Stop::Breaker(_) | Stop::Reference(_) => stop.to_string(),
        });
        Self {
            day: chronicle.calendar.day(now),
            date: date(now),
            sweeps: chronicle.sweeps,
            last_sweep: control.last_sweep.clone(),
            keys: Counts::of(state),
            stopped: stops.reduce(|all, one| format!("{all}; {one}")),
            stories: stories::all(demo, state, chronicle),
            first_deleted: first_deleted(state),
        }
    }
}

impl Counts {
    fn of(state: &State) -> Self {
        // Keys that are exempt from the start have no record: accounts count them.
        let exempt = state.accounts().map(|(_, account)| account.findings.exempt).sum();
        let mut counts = Self { exempt, ..Self::default() };
        for record in state.records() {
            match &record.state {
                KeyState::Active | KeyState::Gone(_) => {}
                KeyState::Flagged(_) | KeyState::Deactivating(_) => counts.flagged += 1,
                KeyState::Deactivated(_) | KeyState::Deleting(_) => counts.deactivated += 1,
                KeyState::Deleted(_) => counts.deleted += 1,
            }
            counts.hold += usize::from(!record.holds.is_empty());
            counts.approval += usize::from(waits_for_approval(record));
        }
        counts
    }
}

fn first_deleted(state: &State) -> Option<AccessKeyId> {
    let deleted = state.records().filter_map(|record| match &record.state {
        KeyState::Deleted(data) => Some((data.since, &record.identity.key)),
        KeyState::Active
        | KeyState::Flagged(_)
        | KeyState::Deactivating(_)
        | KeyState::Deactivated(_)
        | KeyState::Deleting(_)
        | KeyState::Gone(_) => None,
    });
    deleted.min().map(|(_, key)| key.clone())
}

fn waits_for_approval(record: &Record) -> bool {
    let approval = match &record.state {
        KeyState::Flagged(data) => data.approval.as_deref(),
        KeyState::Deactivated(data) => data.approval.as_deref(),
        KeyState::Active
        | KeyState::Deactivating(_)
        | KeyState::Deleting(_)
        | KeyState::Deleted(_)
        | KeyState::Gone(_) => None,
    };
    approval.is_some_and(|approval| !approval.is_granted())
}
