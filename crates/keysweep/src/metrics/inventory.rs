//! Gauges over the records, computed fresh at each scrape: what vanished from the organization vanishes from here.
//!
//! What is known of an account stays when its scan fails, beside `keysweep_account_scan_success 0`, and over a
//! restart. What is not known has no series: an account that was never scanned has no stale keys at all rather than
//! none.

mod accounts;
mod tally;

use std::time::Duration;

use jiff::Timestamp;
use keysweep_core::facts::Collection;
use keysweep_core::notice::{self, Address, ChannelKind, Notices, Recipient};
use keysweep_core::owner::{OwnerSource, Owners};
use keysweep_core::policy::Policy;
use keysweep_core::state::State;
use keysweep_core::ticket::Planned;
use strum::VariantArray as _;

pub use self::tally::{AccountTally, Reaches, Tally};
use super::exposition::Family;
use super::family::Gauges;

/// What the gauges are computed from.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// Policy time.
    pub now: Timestamp,
    /// Records and restraints.
    pub state: &'a State,
    /// What the operator wants.
    pub policy: &'a Policy,
    /// Configured time between sweeps.
    pub scan_interval: Duration,
    /// What the last sweep of this process saw. Without it, rules that read OUs or tags of an account are taken to
    /// match there.
    pub seen: Option<&'a Collection>,
    /// How much of what rules name matched nothing in the last sweep of this process, where that is known.
    pub idle_rules: Option<u64>,
    /// Size of the store on disk, where it could be read.
    pub store_bytes: Option<u64>,
    /// Size of all evidence bundles, and how much they may have.
    pub evidence_bytes: Option<(u64, u64)>,
}

/// Every family of gauges.
#[must_use]
pub fn families(observed: &Observed<'_>) -> Vec<Family> {
    let tally = Tally::of(observed.state, observed.now);
    let mut families = process(observed);
    families.extend(lifecycle(&tally));
    families.extend(notifications(&observed.policy.notices, observed.state));
    families.extend(owners(&observed.policy.owners, &tally));
    families.extend(accounts::counts(observed, &tally));
    let of_accounts = accounts::families(observed.state, &tally).into_iter().map(Family::from);
    families.into_iter().map(Family::from).chain(of_accounts).collect()
}

fn process(observed: &Observed<'_>) -> Vec<Gauges> {
    let control = observed.state.control();
    let mut build =
        Gauges::new("keysweep_build_info", "Build information about the running binary; always 1.");
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", env!("KEYSWEEP_REVISION")),
        ("rust_version", env!("KEYSWEEP_RUST_VERSION")),
    ];
    build.push(&labels, true);
    let mut last_success = Gauges::new(
        "keysweep_scan_last_success_timestamp_seconds",
        "Unix time at which an organization scan last completed.",
    );
    let mut last_duration = Gauges::new(
        "keysweep_scan_last_duration_seconds",
        "Duration of the last completed organization scan.",
    );
    if let Some(sweep) = &control.last_sweep {
        last_success.push(&[], sweep.at);
        last_duration.push(&[], sweep.took.as_secs_f64());
    }
    let mut store = Gauges::new("keysweep_state_store_size_bytes", "Size of the state store on disk.");
    if let Some(bytes) = observed.store_bytes {
        store.push(&[], bytes);
    }
    let mut evidence = Gauges::new("keysweep_evidence_size_bytes", "Size of all evidence bundles on disk.");
    let mut evidence_limit = Gauges::new(
        "keysweep_evidence_limit_bytes",
        "Configured maximum size of all evidence bundles; beyond it, deletions wait.",
    );
    if let Some((bytes, most)) = observed.evidence_bytes {
        evidence.push(&[], bytes);
        evidence_limit.push(&[], most);
    }
    let mut idle_rules = Gauges::new(
        "keysweep_rules_matching_nothing",
        "Patterns, paths, tags and organizational units of rules that matched nothing in the last complete scan.",
    );
    if let Some(count) = observed.idle_rules {
        idle_rules.push(&[], count);
    }
    let missing = control.references.iter().filter(|reference| reference.acknowledged.is_none()).count();
    vec![
        build,
        idle_rules,
        evidence,
        evidence_limit,
        Gauges::single(
            "keysweep_missing_references",
            "Accounts, organizational units and users that rules name and that do not exist, not acknowledged.",
            u64::try_from(missing).unwrap_or(u64::MAX),
        ),
        Gauges::single(
            "keysweep_paused",
            "Whether automatic changes are paused.",
            !control.pauses.is_empty(),
        ),
        Gauges::single(
            "keysweep_circuit_breaker_open",
            "Whether the circuit breaker is open; it stops all automatic changes.",
            control.breaker.is_some(),
        ),
        Gauges::single(
            "keysweep_scan_interval_seconds",
            "Configured time between scans.",
            observed.scan_interval.as_secs_f64(),
        ),
        last_success,
        last_duration,
        store,
    ]
}

/// Messages that no channel has accepted.
fn notifications(notices: &Notices, state: &State) -> Vec<Gauges> {
    let messages = || state.outbox().messages();
    let mut dead = Gauges::new(
        "keysweep_notification_dead_letters",
        "Recipients to whom keysweep gave up delivering a notification and has delivered none since, while they are still \
         to be notified.",
    );
    let recipients = notice::dead_recipients(notices, state);
    for channel in ChannelKind::VARIANTS {
        let first = |to: &&&Recipient| to.addresses.first().map(Address::channel) == Some(*channel);
        let count = recipients.iter().filter(first).count();
        dead.push(&[("channel", channel.as_str())], u64::try_from(count).unwrap_or(u64::MAX));
    }
    let open = || messages().filter(|message| message.is_open());
    let pending = Gauges::single(
        "keysweep_notifications_pending",
        "Notifications that no channel has accepted yet.",
        u64::try_from(open().count()).unwrap_or(u64::MAX),
    );
    let mut oldest = Gauges::new(
        "keysweep_notification_oldest_pending_timestamp_seconds",
        "Unix time at which the oldest pending notification is or was due; absent when there is none.",
    );
    if let Some(at) = open().map(|message| message.send_from).min() {
        oldest.push(&[], at);
    }
    vec![dead, pending, oldest]
}

/// No series where nobody looks for owners: that none is known would say nothing.
fn owners(owners: &Owners, tally: &Tally) -> Vec<Gauges> {
    let mut by_source = Gauges::new(
        "keysweep_keys_by_owner_source",
        "Tracked keys by the source that determined their owner; \"unreachable\" if keysweep has no contact details for \
         the owner, \"none\" if keysweep has found no owner.",
    );
    let mut left = Gauges::new(
        "keysweep_keys_of_departed_owners",
        "Tracked keys whose owner has left, according to the directory.",
    );
    if owners.is_configured() {
        // Those that the configuration names, and those that a record still does.
        let mut sources: Vec<OwnerSource> = owners.in_order().collect();
        sources.extend(tally.owners.reached.keys());
        sources.sort_unstable();
        sources.dedup();
        for source in sources {
            let count = tally.owners.reached.get(&source).copied().unwrap_or_default();
            by_source.push(&[("source", source.as_str())], count);
        }
        by_source.push(&[("source", "unreachable")], tally.owners.unreachable);
        by_source.push(&[("source", "none")], tally.owners.none);
        left.push(&[], tally.owners.left);
    }
    vec![by_source, left]
}

fn lifecycle(tally: &Tally) -> Vec<Gauges> {
    let mut overdue =
        Gauges::new("keysweep_overdue_keys", "Access keys whose next lifecycle action is past its due time.");
    overdue.push(&[("action", Planned::Deactivate.as_str())], tally.overdue_deactivations);
    overdue.push(&[("action", Planned::Delete.as_str())], tally.overdue_deletions);
    let mut oldest = Gauges::new(
        "keysweep_approval_oldest_pending_timestamp_seconds",
        "Unix time of the oldest undecided approval request; absent when there is none.",
    );
    if let Some(at) = tally.oldest_approval {
        oldest.push(&[], at);
    }
    let pending = Gauges::single(
        "keysweep_approvals_pending",
        "Approval requests waiting for a decision.",
        tally.approvals_pending,
    );
    let mut idle = Gauges::new(
        "keysweep_active_keys_by_idle",
        "Active keys of the whole organization by time since last use (creation where never used).",
    );
    for (bucket, count) in tally.idle.buckets() {
        idle.push(&[("bucket", bucket)], count);
    }
    vec![overdue, pending, oldest, idle]
}
