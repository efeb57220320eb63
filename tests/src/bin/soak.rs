//! Lives through many histories side by side, and tells what happened in them; `cargo xtask soak` builds and runs it.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::process::ExitCode;

use clap::Parser;
use keysweep_core::planted::{Bug, plant};
use keysweep_tests::crashes::{self, kill_again_and_again, too_idle};
use keysweep_tests::history::{Setting, first_broken, live_through};

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
    /// Plant this mistake: the promise that it breaches must break
    #[arg(long, value_name = "BUG", conflicts_with = "hunt")]
    plant: Option<Bug>,
    /// Plant every mistake in turn, and tell which promise broke and after how many histories
    #[arg(long)]
    hunt: bool,
    /// No histories: start the program as a process of its own and kill it so many times
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["plant", "hunt", "seeds", "days", "accounts"])]
    kills: Option<u64>,
}

impl Options {
    fn setting(&self) -> Setting {
        Setting { seed: self.first_seed, days: self.days, most_accounts: self.accounts, tell: self.tell }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.hunt {
        return hunt(&options);
    }
    if let Some(kills) = options.kills {
        return kill(&options, kills);
    }
    plant(options.plant);
    let (tally, broken) = live_through(options.setting(), options.seeds);
    for broken in &broken {
        println!("seed {}: {broken}", broken.setting.seed);
    }
    println!("{tally}");
    println!("{} histories of {} days, {} with a broken promise", options.seeds, options.days, broken.len());
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn kill(options: &Options, kills: u64) -> ExitCode {
    let setting = crashes::Setting { seed: options.first_seed, kills, wait_out: true, tell: options.tell };
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

fn hunt(options: &Options) -> ExitCode {
    println!("| planted mistake | promise | what broke | histories | how it showed |");
    println!("|---|---|---|--:|---|");
    let mut missed = 0;
    for bug in Bug::ALL {
        plant(Some(*bug));
        match first_broken(options.setting(), options.seeds) {
            Some(broken) => {
                let histories = broken.setting.seed - options.first_seed + 1;
                let (promise, what) = (broken.breach.promise, broken.breach.what);
                println!("| {bug} | {} | {promise} | {histories} | {what} |", bug.promise());
            }
            None => {
                missed += 1;
                println!("| {bug} | {} | **not caught** | {} | |", bug.promise(), options.seeds);
            }
        }
    }
    println!("\n{} of {} caught", Bug::ALL.len() - missed, Bug::ALL.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
