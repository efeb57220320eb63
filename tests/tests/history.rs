//! Months of simulated time, in which nothing that was promised is broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use keysweep_tests::history::{Setting, run};

#[test]
fn one() {
    let seed = std::env::var("SEED").map_or(1, |s| s.parse().unwrap());
    let days = std::env::var("DAYS").map_or(60, |s| s.parse().unwrap());
    let n = std::env::var("N").map_or(1, |s| s.parse().unwrap());
    let start = std::time::Instant::now();
    let mut all = keysweep_tests::history::Tally::default();
    for seed in seed..seed + n {
        match run(Setting { seed, days, most_accounts: 10, tell: std::env::var("TELL").is_ok() }) {
            Ok(tally) => all.merge(&tally),
            Err(broken) => println!("seed {seed}: {broken}"),
        }
    }
    println!("{all}{:?}", start.elapsed());
}
