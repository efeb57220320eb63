//! Months of simulated time, in which nothing that was promised is broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use keysweep_tests::history::{Setting, live_through};

#[test]
fn a_hundred_histories_of_sixty_days_break_no_promise() {
    let setting = Setting { seed: 1, days: 60, most_accounts: 10, tell: false };
    let (tally, broken) = live_through(setting, 100);
    println!("{tally}");
    let broken =
        broken.iter().map(|broken| format!("seed {}: {broken}", broken.setting.seed)).collect::<Vec<_>>();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
