//! Lives through many histories side by side, and tells what happened in them; `cargo xtask soak` builds and runs it.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]
#![allow(clippy::expect_used, reason = "a runtime that cannot be made ends it")]

use std::process::ExitCode;

use clap::Parser;
use keysweep_tests::crashes::{self, kill_again_and_again, too_idle};
use keysweep_tests::history::{Setting, first_broken, live_through};
use keysweep_tests::load;

/// Histories of simulated time, each from its seed.
#[derive(Debug, Parser)]
struct Options {
    /// Histories
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The seed of the first; the others follow
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Days of each
    #[arg(long, default_value_t = 60)]
    days: u32,
    /// The largest organization, in accounts
    #[arg(long, default_value_t = 10)]
    accounts: usize,
    /// Tell every day on stderr
    #[arg(long)]
    tell: bool,
    /// End at the first broken promise, print promise, histories and breach with tabs between, and exit with 3
    #[arg(long)]
    until_broken: bool,
    /// No histories: start the program as a process of its own and kill it so many times
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["until_broken", "seeds", "days", "accounts"])]
    kills: Option<u64>,
    /// No histories: one sweep of so many accounts, first calm, and then with accounts that fail, are throttled or hang
    #[arg(long, value_name = "ACCOUNTS", conflicts_with_all = ["until_broken", "seeds", "days", "accounts", "kills"])]
    load: Option<usize>,
}

impl Options {
    fn setting(&self) -> Setting {
        Setting { seed: self.first_seed, days: self.days, most_accounts: self.accounts, tell: self.tell }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(kills) = options.kills {
        return kill(&options, kills);
    }
    if let Some(accounts) = options.load {
        return load(accounts);
    }
    if options.until_broken {
        return until_broken(&options);
    }
    let (tally, broken) = live_through(options.setting(), options.seeds);
    for broken in &broken {
        println!("seed {}: {broken}", broken.setting.seed);
    }
    println!("{tally}");
    println!("{} histories of {} days, {} with a broken promise", options.seeds, options.days, broken.len());
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn kill(options: &Options, kills: u64) -> ExitCode {
    let setting = crashes::Setting { seed: options.first_seed, kills, leave_open: true, tell: options.tell };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            println!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (tally, broken) = runtime.block_on(kill_again_and_again(setting));
    for broken in &broken {
        println!("{broken}");
    }
    println!("{tally}");
    println!("{kills} processes to be killed, {} worlds with a broken promise", broken.len());
    let idle = too_idle(&tally, kills);
    if let Some(idle) = &idle {
        println!("too little happened: {idle}");
    }
    if broken.is_empty() && idle.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn load(accounts: usize) -> ExitCode {
    let sweep = |faults| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
        runtime.block_on(load::sweep(accounts, faults))
    };
    let (calm, loaded) = (sweep(false), sweep(true));
    let ratio = loaded.healthy_done.as_secs_f64() / calm.healthy_done.as_secs_f64();
    println!("calm\n{calm}\n\nwith faults\n{loaded}\n\nhealthy accounts took {ratio:.3} times as long");
    if ratio <= 1.1 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn until_broken(options: &Options) -> ExitCode {
    let Some(broken) = first_broken(options.setting(), options.seeds) else { return ExitCode::SUCCESS };
    let histories = broken.setting.seed - options.first_seed + 1;
    println!("{}\t{histories}\t{}", broken.breach.promise, broken.breach.what.replace('\n', " "));
    ExitCode::from(3)
}
