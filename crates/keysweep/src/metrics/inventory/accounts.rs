//! Gauges by account.

use std::collections::BTreeMap;

use keysweep_core::facts::{AccountFacts, Fact};
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::AccountId;
use keysweep_core::policy::Mode;
use keysweep_core::state::{AccountRecord, Reach};
use strum::VariantArray as _;

use super::{Observed, Tally};
use crate::metrics::family::Gauges;

struct Families {
    info: Gauges,
    scan_success: Gauges,
    scan_last_success: Gauges,
    stale: Gauges,
    root: Gauges,
    oldest: Gauges,
    keys: Gauges,
    exempt: Gauges,
    on_hold: Gauges,
    in_incident: Gauges,
    in_quarantine: Gauges,
    to_end: Gauges,
    out_of_reach: Gauges,
    unknown: Gauges,
    in_use: Gauges,
}

/// Families with a series per account, and those that count accounts.
pub(super) fn families(observed: &Observed<'_>, tally: &Tally) -> Vec<Gauges> {
    let mut families = Families::new();
    for (id, account) in observed.state.accounts() {
        let keys = tally.accounts.get(&id).copied().unwrap_or_default();
        let label = id.to_string();
        match &account.reach {
            Reach::Scanned | Reach::Failed { .. } | Reach::Skipped { .. } => {
                families.describe(&label, account);
                families.inventory(&label, account);
                for (state, count) in keys.states().into_iter().filter(|(_, count)| *count > 0) {
                    families.keys.push(&[("account_id", &label), ("state", state)], count);
                }
                families.on_hold.push(&[("account_id", &label)], keys.on_hold);
                families.in_incident.push(&[("account_id", &label)], keys.in_incident);
                families.in_quarantine.push(&[("account_id", &label)], keys.in_quarantine);
                families.to_end.push(&[("account_id", &label)], keys.to_end);
                families.out_of_reach.push(&[("account_id", &label)], keys.out_of_reach);
                families.in_use.push(&[("account_id", &label)], keys.in_use);
            }
            // Its keys are not inventory any more; that there are some which nobody can reach is all that is left
            // to say, until an operator forgets them.
            Reach::Left { .. } if keys.out_of_reach > 0 => {
                families.out_of_reach.push(&[("account_id", &label)], keys.out_of_reach);
            }
            Reach::Left { .. } => {}
        }
    }
    let mut all = families.into_vec();
    all.extend([outcomes(observed, tally), modes(observed)]);
    all
}

impl Families {
    fn new() -> Self {
        Self {
            info: Gauges::new("keysweep_account_info", "Account metadata for joins; always 1."),
            scan_success: Gauges::new(
                "keysweep_account_scan_success",
                "Whether the last scan of the account succeeded.",
            ),
            scan_last_success: Gauges::new(
                "keysweep_account_scan_last_success_timestamp_seconds",
                "Unix time of the last successful scan of the account.",
            ),
            stale: Gauges::new(
                "keysweep_stale_keys",
                "Access keys past the stale threshold; each key has exactly one reason.",
            ),
            root: Gauges::new("keysweep_root_keys", "Access keys of the account root user."),
            oldest: Gauges::new(
                "keysweep_oldest_key_created_timestamp_seconds",
                "Unix time of creation of the oldest active access key of the account.",
            ),
            keys: Gauges::new(
                "keysweep_keys",
                "Access keys by account and lifecycle state; each key is counted once; series at zero are left out.",
            ),
            exempt: Gauges::new("keysweep_exempt_keys", "Stale keys held back by an exemption."),
            on_hold: Gauges::new("keysweep_keys_on_hold", "Keys under a hold."),
            in_incident: Gauges::new(
                "keysweep_keys_in_incident",
                "Tracked keys whose user AWS marked as compromised; no change is made to them.",
            ),
            in_quarantine: Gauges::new(
                "keysweep_keys_in_quarantine",
                "Keys whose user is in quarantine or may be.",
            ),
            to_end: Gauges::new(
                "keysweep_quarantines_overdue",
                "Keys whose quarantine should have ended but whose policy may still be attached.",
            ),
            out_of_reach: Gauges::new(
                "keysweep_keys_out_of_reach",
                "Tracked keys whose account can no longer be read.",
            ),
            unknown: Gauges::new(
                "keysweep_unknown_keys",
                "Candidate keys of which a fact could not be read in the last sweep.",
            ),
            in_use: Gauges::new(
                "keysweep_deactivated_keys_in_use",
                "Deactivated keys whose last use moved after deactivation; their deletion is blocked. No AWS log records \
                 calls with an Inactive key, so zero does not prove that no one tries.",
            ),
        }
    }

    fn describe(&mut self, label: &str, account: &AccountRecord) {
        let info =
            [("account_id", label), ("account_name", account.name.as_str()), ("ou_path", &account.ou_path)];
        self.info.push(&info, true);
        match &account.reach {
            Reach::Scanned => self.scan_success.push(&[("account_id", label)], true),
            Reach::Failed { .. } => self.scan_success.push(&[("account_id", label)], false),
            // No scan, no result.
            Reach::Skipped { .. } | Reach::Left { .. } => {}
        }
    }

    /// The last successful result, if there ever was one.
    fn inventory(&mut self, label: &str, account: &AccountRecord) {
        let Some(last_success) = account.last_success else { return };
        let id = [("account_id", label)];
        self.scan_last_success.push(&id, last_success);
        let findings = &account.findings;
        for kind in FindingKind::OF_KEYS {
            self.stale.push(&[("account_id", label), ("reason", kind.as_str())], findings.of(kind));
        }
        if let Some(root_keys) = account.inventory.root_keys {
            self.root.push(&id, root_keys);
        }
        if let Some(oldest) = account.inventory.oldest_active_key {
            self.oldest.push(&id, oldest);
        }
        self.exempt.push(&id, findings.exempt);
        self.unknown.push(&id, account.unknown_keys);
    }

    fn into_vec(self) -> Vec<Gauges> {
        let Self {
            info,
            scan_success,
            scan_last_success,
            stale,
            root,
            oldest,
            keys,
            exempt,
            on_hold,
            in_incident,
            in_quarantine,
            to_end,
            out_of_reach,
            unknown,
            in_use,
        } = self;
        vec![
            info,
            scan_success,
            scan_last_success,
            stale,
            root,
            oldest,
            keys,
            exempt,
            on_hold,
            in_incident,
            in_quarantine,
            to_end,
            out_of_reach,
            unknown,
            in_use,
        ]
    }
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
