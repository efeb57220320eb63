//! What a list shows, before it is rendered: lists are filtered and sorted by this, and only the rows of one page are made.

use jiff::Timestamp;

use super::{FindingRow, NextAction, is_incident, next_step, overlays, root_row, row, state_of};
use crate::facts::{AccountFacts, AccountScan, Collection, Outcome};
use crate::finding::{Finding, FindingKind, Severity, of_root};
use crate::ids::AccessKeyId;
use crate::plan::PlannedKey;
use crate::state::State;

/// A finding, or a key in the lifecycle, as the last sweep saw it.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    account: &'a AccountFacts,
    scan: &'a AccountScan,
    of: Of<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Of<'a> {
    Key(&'a PlannedKey),
    Root(Finding<'a>),
}

/// Everything that the plan looked at, root keys included, with the index of its account.
pub fn listed<'a>(
    collection: &'a Collection,
    keys: &'a [PlannedKey],
) -> impl Iterator<Item = (usize, Listed<'a>)> {
    let of_keys = keys.iter().filter_map(|key| Some((key.account, Listed::of_key(collection, key)?)));
    let roots = root_keys(collection);
    of_keys.chain(roots.filter_map(|index| Some((index, Listed::of_root(collection, index)?))))
}

/// The index of its account for each key of a root user.
pub fn root_keys(collection: &Collection) -> impl Iterator<Item = usize> {
    collection.accounts.iter().enumerate().flat_map(|(index, (_, outcome))| {
        let found = match outcome {
            Outcome::Scanned(scan) => of_root(scan).count(),
            Outcome::Failed { .. } | Outcome::Skipped { .. } => 0,
        };
        std::iter::repeat_n(index, found)
    })
}

impl<'a> Listed<'a> {
    /// A key that the plan looked at.
    #[must_use]
    pub fn of_key(collection: &'a Collection, key: &'a PlannedKey) -> Option<Self> {
        match collection.accounts.get(key.account)? {
            (account, Outcome::Scanned(scan)) => Some(Self { account, scan, of: Of::Key(key) }),
            (_, Outcome::Failed { .. } | Outcome::Skipped { .. }) => None,
        }
    }

    /// A key of the root user of an account, if there is one.
    #[must_use]
    pub fn of_root(collection: &'a Collection, account: usize) -> Option<Self> {
        match collection.accounts.get(account)? {
            (account, Outcome::Scanned(scan)) => {
                Some(Self { account, scan, of: Of::Root(of_root(scan).next()?) })
            }
            (_, Outcome::Failed { .. } | Outcome::Skipped { .. }) => None,
        }
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &'a AccountFacts {
        self.account
    }

    /// The key; `None` for one of the root user.
    #[must_use]
    pub fn key(&self) -> Option<&'a AccessKeyId> {
        match self.of {
            Of::Key(key) => Some(&key.facts.key),
            Of::Root(_) => None,
        }
    }

    /// The key as it was planned; `None` for one of the root user.
    #[must_use]
    pub fn planned(&self) -> Option<&'a PlannedKey> {
        match self.of {
            Of::Key(key) => Some(key),
            Of::Root(_) => None,
        }
    }

    /// The user, as in [`FindingRow::user_name`].
    #[must_use]
    pub fn user_name(&self) -> &'a str {
        match self.of {
            Of::Key(key) => key.facts.user_name.as_str(),
            Of::Root(_) => super::ROOT,
        }
    }

    /// The owner.
    #[must_use]
    pub fn owner(&self) -> Option<&'a str> {
        self.planned()?.owner.owner.as_ref().map(|owner| owner.name.as_str())
    }

    /// Why it is a finding.
    #[must_use]
    pub fn finding(&self) -> Option<FindingKind> {
        match self.of {
            Of::Key(key) => key.finding,
            Of::Root(finding) => Some(finding.kind),
        }
    }

    /// As in [`FindingRow::severity`].
    #[must_use]
    pub fn severity(&self, now: Timestamp) -> Option<Severity> {
        match self.of {
            Of::Key(key) => super::severity(now, key),
            Of::Root(finding) => Some(finding.severity(now)),
        }
    }

    /// Base state.
    #[must_use]
    pub fn state(&self) -> &'static str {
        self.planned().map_or(crate::lifecycle::State::Active.as_str(), state_of)
    }

    /// Overlays by name.
    #[must_use]
    pub fn overlays(&self, state: &State) -> Vec<&'static str> {
        let out_of_reach = state.is_out_of_reach(self.account.id);
        self.planned().map(|key| overlays(key, out_of_reach).collect()).unwrap_or_default()
    }

    /// Whether AWS considers the key compromised.
    #[must_use]
    pub fn is_incident(&self) -> bool {
        self.planned().is_some_and(is_incident)
    }

    /// As in [`FindingRow::idle_days`].
    #[must_use]
    pub fn idle_days(&self, now: Timestamp) -> Option<i64> {
        self.planned()?.facts.idle_days(now)
    }

    /// When the key was created.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        self.planned().map(|key| key.facts.created)
    }

    /// What comes next, and when.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> (NextAction, Option<Timestamp>) {
        self.planned().map_or((NextAction::None, None), |key| next_step(now, &key.next))
    }

    /// The row.
    #[must_use]
    pub fn row(&self, now: Timestamp, state: &State) -> FindingRow {
        let made = self.scan.report_generated_at;
        match self.of {
            Of::Key(key) => row(now, self.account, key, made, state.is_out_of_reach(self.account.id)),
            Of::Root(finding) => root_row(now, self.account, finding, made),
        }
    }
}
