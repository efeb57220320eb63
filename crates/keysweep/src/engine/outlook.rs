//! What comes next for each key, as views show it: planned once for many who look.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::Collection;
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::plan::{Plan, PlannedKey, plan};
use keysweep_core::policy::Policy;
use keysweep_core::render::{Listed, root_keys};
use keysweep_core::state::State;
use tokio::time::Instant;

use super::{Engine, Latest};
use crate::config::Config;

/// Planning for views takes at most one part in so many of the time, unless a person has decided something: that
/// person sees it at once, and entries of a sweep appear a little later in a large organization.
const SHARE: u32 = 20;

/// How long a plan holds if nothing happens but the passing of time.
const HOLDS: SignedDuration = SignedDuration::from_secs(10);

/// What would be done now, by what the last sweep saw and by what is recorded.
#[derive(Debug)]
pub(crate) struct Outlook {
    /// Every key that is a finding or has a record, in the order of the collection.
    pub(crate) keys: Vec<PlannedKey>,
    /// Keys found Inactive of which nothing is recorded.
    pub(crate) inactive_of_unknown_origin: Vec<(AccountId, AccessKeyId)>,
    /// The index of its account for each key of a root user.
    pub(crate) roots: Vec<usize>,
    /// Keys with a record that the last sweep did not see: deleted, gone, or out of reach.
    pub(crate) unseen: Vec<AccessKeyId>,
    /// Indices of `keys`, by key ID.
    by_id: Vec<u32>,
    /// What the last sweep saw, if there was one.
    latest: Option<Arc<Latest>>,
    config: Arc<Config>,
    of: Moment,
}

/// What an outlook was made of.
#[derive(Debug)]
struct Moment {
    /// The last entry.
    seq: u64,
    /// How often it was noted or cleared that CloudTrail lacks something.
    gaps: u64,
    now: Timestamp,
    made: Instant,
    took: Duration,
}

/// What is compared with it.
#[derive(Debug, Clone, Copy)]
struct Present {
    /// Whether sweep, configuration, and gaps are the same.
    same: bool,
    /// The last entry.
    seq: u64,
    /// The last entry when a person last decided something.
    decided: u64,
    /// Policy time since then.
    passed: SignedDuration,
    /// Operational time since then.
    age: Duration,
}

impl Moment {
    fn holds(&self, present: &Present) -> bool {
        let Present { same, seq, decided, passed, age } = *present;
        let still = self.seq == seq && !passed.is_negative() && passed < HOLDS;
        let recent = age < self.took.saturating_mul(SHARE);
        same && self.seq >= decided && (still || recent)
    }
}

impl Outlook {
    /// What the last sweep saw.
    pub(crate) fn collection(&self) -> Option<&Collection> {
        self.latest.as_deref().map(|latest| &latest.collection)
    }

    /// A key as the last sweep saw it.
    pub(crate) fn key(&self, key: &AccessKeyId) -> Option<&PlannedKey> {
        let id = |index: &u32| self.at(*index).map(|planned| &planned.facts.key);
        let found = self.by_id.binary_search_by(|index| id(index).cmp(&Some(key))).ok()?;
        self.at(*self.by_id.get(found)?)
    }

    /// The same, to show.
    pub(crate) fn listed(&self, key: &AccessKeyId) -> Option<Listed<'_>> {
        Listed::of_key(self.collection()?, self.key(key)?)
    }

    fn at(&self, index: u32) -> Option<&PlannedKey> {
        self.keys.get(usize::try_from(index).ok()?)
    }
}

impl Engine {
    /// What would be done now. All who ask share one plan, and it is made anew when it no longer holds.
    pub(crate) fn outlook(&self) -> Arc<Outlook> {
        // Held while it is made: who comes meanwhile takes that one.
        let mut slot = self.outlook.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = slot.as_ref().filter(|known| self.holds(known)) {
            return Arc::clone(known);
        }
        // Its memory first, as there may be much.
        *slot = None;
        let outlook = Arc::new(self.look_ahead(self.latest()));
        *slot = Some(Arc::clone(&outlook));
        outlook
    }

    /// Gives the memory of the last outlook back, with the records that it has and the state has no more.
    pub(crate) fn forget_outlook(&self) {
        *self.outlook.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A person has decided something, and is to see what came of it.
    pub(crate) fn decided(&self) {
        self.decided.fetch_max(self.store().last_seq(), Ordering::AcqRel);
    }

    fn holds(&self, known: &Outlook) -> bool {
        let Moment { gaps, now, made, .. } = &known.of;
        let same_sweep = match (&known.latest, self.latest()) {
            (Some(known), Some(latest)) => Arc::ptr_eq(known, &latest),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let present = Present {
            same: same_sweep && Arc::ptr_eq(&known.config, &self.config()) && *gaps == self.gaps.version(),
            seq: self.store().last_seq(),
            decided: self.decided.load(Ordering::Acquire),
            passed: self.clock.now().duration_since(*now),
            age: self.clock.elapsed_since(*made),
        };
        known.of.holds(&present)
    }

    /// What would be done now by what was seen, planned for one asker.
    pub(crate) fn look_ahead(&self, latest: Option<Arc<Latest>>) -> Outlook {
        let (config, gaps, made) = (self.config(), self.gaps.version(), self.clock.instant());
        let (now, seq, plan, unseen) = self.store().read(|state| {
            let (now, seq) = (self.clock.now(), self.store().last_seq());
            let plan = match &latest {
                Some(latest) => self.plan(now, &config.policy, state, &latest.collection),
                None => Plan::default(),
            };
            let mut seen: Vec<&AccessKeyId> = plan.keys.iter().map(|key| &key.facts.key).collect();
            seen.sort_unstable();
            let ids = state.records().map(|record| &record.identity.key);
            let unseen: Vec<_> = ids.filter(|id| seen.binary_search(id).is_err()).cloned().collect();
            (now, seq, plan, unseen)
        });
        let Plan { keys, inactive_of_unknown_origin, .. } = plan;
        let mut by_id: Vec<u32> = (0..u32::try_from(keys.len()).unwrap_or(u32::MAX)).collect();
        let id =
            |index: &u32| usize::try_from(*index).ok().and_then(|at| keys.get(at)).map(|key| &key.facts.key);
        by_id.sort_unstable_by(|one, other| id(one).cmp(&id(other)));
        let took = self.clock.elapsed_since(made);
        let of = Moment { seq, gaps, now, made, took };
        let roots = latest.iter().flat_map(|latest| root_keys(&latest.collection)).collect();
        Outlook { keys, inactive_of_unknown_origin, roots, unseen, by_id, latest, config, of }
    }

    /// The plan, with what the last look at a key lacked.
    pub(crate) fn plan(&self, now: Timestamp, policy: &Policy, state: &State, of: &Collection) -> Plan {
        let mut plan = plan(now, policy, state, of);
        self.gaps.show(&mut plan.keys);
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_plan_is_shared_until_something_happens_that_must_show() {
        let moment = Moment {
            seq: 100,
            gaps: 0,
            now: Timestamp::UNIX_EPOCH,
            made: Instant::now(),
            took: Duration::from_millis(200),
        };
        let second = SignedDuration::from_secs(1);
        let same =
            Present { same: true, seq: 100, decided: 90, passed: second, age: Duration::from_secs(60) };
        assert!(moment.holds(&same));
        let late = Present { passed: HOLDS, ..same };
        let set_back = Present { passed: -second, ..same };
        let written = Present { seq: 101, ..same };
        for present in [late, set_back, written] {
            assert!(!moment.holds(&present), "{present:?}");
            // Planning takes a twentieth of the time and no more.
            assert!(moment.holds(&Present { age: Duration::from_millis(3_999), ..present }), "{present:?}");
            assert!(!moment.holds(&Present { age: Duration::from_secs(4), ..present }), "{present:?}");
        }
        let at_once = Duration::ZERO;
        assert!(!moment.holds(&Present { seq: 101, decided: 101, age: at_once, ..same }), "a person decided");
        assert!(!moment.holds(&Present { same: false, age: at_once, ..same }), "another sweep has ended");
    }
}
