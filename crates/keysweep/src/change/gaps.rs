//! Keys whose last change was not made, since CloudTrail could not be read in full: no scan looks there, so that plans
//! show what the last look said.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keysweep_core::evidence::Gap;
use keysweep_core::ids::AccessKeyId;
use keysweep_core::plan::{Next, PlannedKey, Wait};

/// What was missing when a key was looked for, in this process.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    gaps: Mutex<BTreeMap<AccessKeyId, Gap>>,
    version: AtomicU64,
}

impl Gaps {
    /// The key waits for this.
    pub(super) fn found(&self, key: &AccessKeyId, gap: Gap) {
        self.locked().insert(key.clone(), gap);
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Everything could be read.
    pub(super) fn closed(&self, key: &AccessKeyId) {
        if self.locked().remove(key).is_some() {
            self.version.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Another number whenever something else is missing.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Shows what is missing with keys that nothing else keeps from being changed.
    pub(crate) fn show(&self, keys: &mut [PlannedKey]) {
        let gaps = self.locked();
        for key in keys {
            if let (Next::Step { action, .. }, Some(gap)) = (&key.next, gaps.get(&key.facts.key))
                && let Some(action) = action.planned()
            {
                key.next = Next::Wait { action, wait: Wait::Evidence(gap.clone()) };
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<AccessKeyId, Gap>> {
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
