//! A sweep of a large organization, some of whose accounts fail, are throttled or hang, in simulated time.
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keysweep_core::finding::FindingKind;
use keysweep_core::lifecycle::State;
use keysweep_core::state::Reach;
use keysweep_sim::Watcher;
use keysweep_sim::seed::Matter;
use keysweep_sim::watch::{Call, Outcome};
use tokio::time::Instant;

use crate::company::{Company, swept};

/// Accounts looked at side by side.
pub const CONCURRENCY: usize = 64;

const CONFIG: &str = "[organization]\nmanagement_account = \"skip\"\n[scan]\nconcurrency = 64\n";

/// How a sweep went.
#[derive(Debug)]
pub struct Swept {
    /// How many accounts of each matter were scanned, and how many failed.
    pub coverage: BTreeMap<Matter, (usize, usize)>,
    /// Stale keys that were flagged in healthy accounts; there is one in each.
    pub flagged: usize,
    /// From the first call to the last one of a healthy account.
    pub healthy_done: Duration,
    /// Until the sweep ended.
    pub ended: Duration,
    /// Calls under way at the same time, at most.
    pub in_flight: u64,
}

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (matter, (scanned, failed)) in &self.coverage {
            writeln!(f, "{matter:?}: {scanned} scanned, {failed} failed")?;
        }
        let Self { flagged, healthy_done, ended, in_flight, .. } = self;
        write!(
            f,
            "flagged in healthy accounts: {flagged}; healthy accounts done after {healthy_done:?}, all after \
             {ended:?}; at most {in_flight} calls at the same time"
        )
    }
}

/// When each account was last heard of.
#[derive(Default)]
struct Last(Mutex<BTreeMap<String, Instant>>);

impl Watcher for Last {
    fn comes(&self, _call: &Call<'_>) -> bool {
        true
    }

    fn ends(&self, call: &Call<'_>, _outcome: &Outcome<'_>) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(call.account.to_owned(), Instant::now());
        true
    }
}

fn account_id(number: usize) -> String {
    format!("{:012}", 200_000_000_000 + number)
}

/// One sweep of so many accounts, with or without faults. Needs paused time.
///
/// # Panics
/// If the sweep fails as a whole.
pub async fn sweep(accounts: usize, faults: bool) -> Swept {
    let company = Company::new(CONFIG);
    let sim = &company.sim;
    sim.configure(|settings| settings.latency = Duration::from_millis(50));
    for number in 0..accounts {
        let account = company.account(&account_id(number));
        company.stale_user(&account, "svc-old", 200);
        let key = company.used(1);
        sim.user(&account, "svc-busy").key(key).add();
        if let Some(rule) = Matter::rule(number, &account).filter(|_| faults) {
            sim.fault(rule);
        }
    }
    sim.make_reports();
    let engine = company.open().await;
    let last = Arc::new(Last::default());
    sim.watch(Arc::clone(&last) as Arc<dyn Watcher>);
    let began = Instant::now();
    swept(&engine).await;
    let ended = began.elapsed();

    let last = last.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let healthy = || (0..accounts).filter(|number| Matter::of(*number) == Matter::Healthy).map(account_id);
    let done = healthy().filter_map(|id| last.get(&id)).max().copied().expect("an account was looked at");
    let (coverage, flagged) = engine.store().read(|state| {
        let mut coverage: BTreeMap<Matter, (usize, usize)> = BTreeMap::new();
        for (id, account) in state.accounts() {
            let number = id.to_string().parse::<usize>().expect("a number").checked_sub(200_000_000_000);
            let Some(number) = number else { continue };
            let (scanned, failed) = coverage.entry(Matter::of(number)).or_default();
            match account.reach {
                Reach::Scanned => *scanned += 1,
                Reach::Failed { .. } => *failed += 1,
                Reach::Skipped { .. } | Reach::Left { .. } => {}
            }
        }
        let healthy: std::collections::BTreeSet<String> = healthy().collect();
        let flagged = state.records().filter(|record| {
            matches!(&record.state, State::Flagged(data) if data.finding == FindingKind::Unused)
                && healthy.contains(&record.identity.account.to_string())
        });
        (coverage, flagged.count())
    });
    let in_flight = sim.peak_in_flight_overall();
    engine.close().await.expect("data_dir is closed");
    Swept { coverage, flagged, healthy_done: done - began, ended, in_flight }
}
