//! Lives through many histories side by side, and tells what happened in them; `cargo xtask soak` builds and runs it.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::process::ExitCode;

use clap::Parser;
use keysweep_core::planted::{Bug, plant};
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
    /// Plant each of these mistakes in turn, or all there are; tell which promise broke, after how many histories
    #[arg(long, value_name = "BUG", num_args = 0.., value_delimiter = ',')]
    hunt: Option<Vec<Bug>>,
}

impl Options {
    fn setting(&self) -> Setting {
        Setting { seed: self.first_seed, days: self.days, most_accounts: self.accounts, tell: self.tell }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match options.hunt.as_deref() {
        Some([]) => return hunt(&options, Bug::ALL),
        Some(bugs) => return hunt(&options, bugs),
        None => {}
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

fn hunt(options: &Options, bugs: &[Bug]) -> ExitCode {
    println!("| planted mistake | promise | what broke | histories | how it showed |");
    println!("|---|---|---|--:|---|");
    let mut missed = 0;
    for bug in bugs {
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
    println!("\n{} of {} caught", bugs.len() - missed, bugs.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
