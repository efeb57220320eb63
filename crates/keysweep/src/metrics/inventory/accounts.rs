//! Gauges by account.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use keysweep_core::facts::{AccountFacts, Fact};
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::AccountId;
use keysweep_core::policy::Mode;
use keysweep_core::state::{AccountRecord, Reach, State};
use strum::VariantArray as _;

use super::{AccountTally, Observed, Tally};
use crate::metrics::Later;
use crate::metrics::family::{Gauges, Value};

/// What the series of one account are made of.
#[derive(Debug)]
struct Row {
    id: AccountId,
    account: Arc<AccountRecord>,
    keys: AccountTally,
}

impl Row {
    /// Keys of an account that left are not inventory any more.
    fn is_listed(&self) -> bool {
        !matches!(self.account.reach, Reach::Left { .. })
    }

    /// The last successful result, if there ever was one.
    fn scanned(&self) -> Option<(&AccountRecord, Timestamp)> {
        self.account.last_success.filter(|_| self.is_listed()).map(|at| (self.account.as_ref(), at))
    }
}

/// The series of one account, under construction.
struct Series<'a> {
    gauges: &'a mut Gauges,
    id: &'a str,
}

impl Series<'_> {
    fn push(&mut self, value: impl Value) {
        self.gauges.push(&[("account_id", self.id)], value);
    }

    fn push_by(&mut self, label: &str, value_of_label: &str, value: impl Value) {
        self.gauges.push(&[("account_id", self.id), (label, value_of_label)], value);
    }
}

/// A family with series by account.
struct OfAccounts {
    name: &'static str,
    help: &'static str,
    push: fn(&mut Series<'_>, &Row),
}

/// A family that counts keys of accounts of the organization.
macro_rules! keys {
    ($name:literal, $help:expr, $field:ident) => {
        OfAccounts {
            name: $name,
            help: $help,
            push: |series, row| {
                if row.is_listed() {
                    series.push(row.keys.$field);
                }
            },
        }
    };
}

const FAMILIES: [OfAccounts; 15] = [
    OfAccounts {
        name: "keysweep_account_info",
        help: "Account metadata for joins; always 1.",
        push: |series, row| {
            if row.is_listed() {
                let account = &row.account;
                let labels = [
                    ("account_id", series.id),
                    ("account_name", account.name.as_str()),
                    ("ou_path", &account.ou_path),
                ];
                series.gauges.push(&labels, true);
            }
        },
    },
    OfAccounts {
        name: "keysweep_account_scan_success",
        help: "Whether the last scan of the account succeeded.",
        push: |series, row| match &row.account.reach {
            Reach::Scanned => series.push(true),
            Reach::Failed { .. } => series.push(false),
            // No scan, no result.
            Reach::Skipped { .. } | Reach::Left { .. } => {}
        },
    },
    OfAccounts {
        name: "keysweep_account_scan_last_success_timestamp_seconds",
        help: "Unix time of the last successful scan of the account.",
        push: |series, row| {
            if let Some((_, last_success)) = row.scanned() {
                series.push(last_success);
            }
        },
    },
    OfAccounts {
        name: "keysweep_stale_keys",
        help: "Access keys past the stale threshold; each key has exactly one reason.",
        push: |series, row| {
            if let Some((account, _)) = row.scanned() {
                for kind in FindingKind::OF_KEYS {
                    series.push_by("reason", kind.as_str(), account.findings.of(kind));
                }
            }
        },
    },
    OfAccounts {
        name: "keysweep_root_keys",
        help: "Access keys of the account root user.",
        push: |series, row| {
            if let Some(root_keys) = row.scanned().and_then(|(account, _)| account.inventory.root_keys) {
                series.push(root_keys);
            }
        },
    },
    OfAccounts {
        name: "keysweep_oldest_key_created_timestamp_seconds",
        help: "Unix time of creation of the oldest active access key of the account.",
        push: |series, row| {
            if let Some(oldest) = row.scanned().and_then(|(account, _)| account.inventory.oldest_active_key) {
                series.push(oldest);
            }
        },
    },
    OfAccounts {
        name: "keysweep_keys",
        help: "Access keys by account and lifecycle state; each key is counted once; series at zero are left out.",
        push: |series, row| {
            let states = row.keys.states().into_iter().filter(|(_, count)| *count > 0);
            for (state, count) in states.filter(|_| row.is_listed()) {
                series.push_by("state", state, count);
            }
        },
    },
    OfAccounts {
        name: "keysweep_exempt_keys",
        help: "Stale keys held back by an exemption.",
        push: |series, row| {
            if let Some((account, _)) = row.scanned() {
                series.push(account.findings.exempt);
            }
        },
    },
    keys!("keysweep_keys_on_hold", "Keys under a hold.", on_hold),
    keys!(
        "keysweep_keys_in_incident",
        "Tracked keys whose user AWS marked as compromised; no change is made to them.",
        in_incident
    ),
    keys!("keysweep_keys_in_quarantine", "Keys whose user is in quarantine or may be.", in_quarantine),
    keys!(
        "keysweep_quarantines_overdue",
        "Keys whose quarantine should have ended but whose policy may still be attached.",
        to_end
    ),
    OfAccounts {
        name: "keysweep_keys_out_of_reach",
        help: "Tracked keys whose account can no longer be read.",
        push: |series, row| {
            // Of an account that left, that there are keys which nobody can reach is all that is left to say, until an
            // operator forgets them.
            if row.is_listed() || row.keys.out_of_reach > 0 {
                series.push(row.keys.out_of_reach);
            }
        },
    },
    OfAccounts {
        name: "keysweep_unknown_keys",
        help: "Candidate keys of which a fact could not be read in the last sweep.",
        push: |series, row| {
            if let Some((account, _)) = row.scanned() {
                series.push(account.unknown_keys);
            }
        },
    },
    keys!(
        "keysweep_deactivated_keys_in_use",
        "Deactivated keys whose last use moved after deactivation; their deletion is blocked. No AWS log records calls with \
         an Inactive key, so zero does not prove that no one tries.",
        in_use
    ),
];

/// Families with a series per account, each made when it is written.
pub(super) fn families(state: &State, tally: &Tally) -> Vec<Later> {
    let row = |(id, account)| Row { id, account, keys: tally.accounts.get(&id).copied().unwrap_or_default() };
    let rows: Arc<Vec<Row>> = Arc::new(state.shared_accounts().map(row).collect());
    let later = FAMILIES.into_iter().map(|OfAccounts { name, help, push }| {
        let rows = Arc::clone(&rows);
        Later::new(name, move || {
            let mut gauges = Gauges::new(name, help);
            for row in rows.iter() {
                push(&mut Series { gauges: &mut gauges, id: &row.id.to_string() }, row);
            }
            gauges
        })
    });
    later.collect()
}

/// Families that count accounts.
pub(super) fn counts(observed: &Observed<'_>, tally: &Tally) -> [Gauges; 2] {
    [outcomes(observed, tally), modes(observed)]
}

/// Absent until there is a sweep to speak of.
fn outcomes(observed: &Observed<'_>, tally: &Tally) -> Gauges {
    let mut family =
        Gauges::new("keysweep_accounts", "Accounts in the organization by outcome of the last sweep.");
    if observed.state.control().last_sweep.is_some() {
        let reaches = &tally.reaches;
        family.push(&[("outcome", "scanned")], reaches.scanned);
        family.push(&[("outcome", "failed")], reaches.failed);
        family.push(&[("outcome", "skipped")], reaches.skipped);
    }
    family
}

fn modes(observed: &Observed<'_>) -> Gauges {
    let seen: BTreeMap<AccountId, &AccountFacts> = observed
        .seen
        .map(|collection| collection.accounts.iter().map(|(facts, _)| (facts.id, facts)).collect())
        .unwrap_or_default();
    let mut counts: BTreeMap<Mode, u64> = Mode::VARIANTS.iter().map(|mode| (*mode, 0)).collect();
    for (id, account) in observed.state.accounts() {
        if matches!(account.reach, Reach::Left { .. }) {
            continue;
        }
        let mode = match seen.get(&id) {
            Some(facts) => observed.policy.strongest_mode(facts),
            None => observed.policy.strongest_mode(&remembered(id, account)),
        };
        *counts.entry(mode).or_default() += 1;
    }
    let mut family = Gauges::new(
        "keysweep_accounts_by_mode",
        "Accounts by the strongest mode that any policy allows there.",
    );
    for (mode, count) in counts {
        family.push(&[("mode", mode.as_str())], count);
    }
    family
}

/// What the records say of an account that no sweep of this process has seen yet.
fn remembered(id: AccountId, account: &AccountRecord) -> AccountFacts {
    AccountFacts {
        id,
        name: account.name.clone(),
        email: Fact::Known(String::new()),
        management: false,
        ous: Fact::NotRead,
        tags: Fact::NotRead,
    }
}
