//! Lives through many histories side by side, and tells what happened in them; `cargo xtask soak` builds and runs it.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use clap::Parser;
use keysweep_tests::history::{Setting, Tally, run};

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
}

fn main() -> ExitCode {
    let options = Options::parse();
    let next = AtomicU64::new(options.first_seed);
    let end = options.first_seed + options.seeds;
    let total = Mutex::new((Tally::default(), 0_u64));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let (days, most_accounts, tell) = (options.days, options.accounts, options.tell);
                    let result = run(Setting { seed, days, most_accounts, tell });
                    let Ok(mut total) = total.lock() else { return };
                    match result {
                        Ok(tally) => total.0.merge(&tally),
                        Err(broken) => {
                            total.1 += 1;
                            println!("seed {seed}: {broken}");
                        }
                    }
                }
            });
        }
    });
    let Ok((tally, broken)) = total.into_inner() else { return ExitCode::FAILURE };
    println!("{tally}");
    println!("{} histories of {} days, {broken} with a broken promise", options.seeds, options.days);
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
