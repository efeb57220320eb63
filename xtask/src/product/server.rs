//! The simulator in a process of its own, so that its processor time and memory are not keysweep's.
//!
//! It prints one line of JSON when it is ready, and after that one for each line on its stdin: the calls so far. It ends
//! with its stdin.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use keysweep::clock::Clock;
use keysweep_sim::Sim;
use keysweep_sim::seed::{self, Bench, Matter};
use serde_json::{Value, json};

use crate::bench::milliseconds;

/// Users of each account in a scan that is measured.
pub(super) const USERS: u64 = 50;
/// How many of a hundred users have a stale key there.
pub(super) const STALE_PERCENT: u64 = 6;

/// What is served.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Member accounts
    #[arg(long)]
    accounts: u64,
    /// Users of each account
    #[arg(long, default_value_t = USERS)]
    users: u64,
    /// How many of a hundred users have a stale key
    #[arg(long, default_value_t = STALE_PERCENT)]
    stale_percent: u64,
    /// How many people own the users
    #[arg(long, default_value_t = 0)]
    owners: u64,
    /// Time before each answer
    #[arg(long, value_parser = milliseconds)]
    latency: Duration,
    /// Let some accounts fail, be throttled or hang
    #[arg(long)]
    trouble: bool,
}

/// Serves until stdin ends.
pub(super) fn serve(options: &Options) -> anyhow::Result<()> {
    let clock = Clock::system();
    let size = Bench {
        accounts: usize::try_from(options.accounts).context("too many accounts")?,
        users: usize::try_from(options.users).context("too many users")?,
        stale_percent: u32::try_from(options.stale_percent).context("too many stale users")?,
        owners: usize::try_from(options.owners).context("too many owners")?,
    };
    let sim = seed::bench(Arc::new(move || clock.now()), size);
    sim.configure(|settings| settings.latency = options.latency);
    if options.trouble {
        for number in 0..usize::try_from(options.accounts).context("too many accounts")? {
            if let Some(rule) = Matter::rule(number, &seed::account_id(number)) {
                sim.fault(rule);
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start tokio")?;
    let server = runtime.block_on(sim.serve()).context("serve the simulator")?;
    let (id, secret, token) = sim.hub_credentials();
    tell(&json!({
        "endpoint": server.endpoint(),
        "access_key_id": id,
        "secret_access_key": secret,
        "session_token": token,
        "external_id": seed::EXTERNAL_ID,
    }))?;
    // The runtime's own threads answer meanwhile.
    for line in io::stdin().lines() {
        line.context("read stdin")?;
        tell(&json!({ "calls": calls(&sim) }))?;
    }
    runtime.block_on(server.shutdown());
    Ok(())
}

fn calls(sim: &Sim) -> BTreeMap<String, u64> {
    let mut by_action = BTreeMap::new();
    for ((_, action), count) in sim.calls() {
        *by_action.entry(action).or_default() += count;
    }
    by_action
}

fn tell(line: &Value) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("write to stdout")
}
