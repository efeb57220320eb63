//! Hundreds of accounts of which some fail, are throttled or hang; `cargo xtask soak --load 10000` for more.

use keysweep_sim::seed::Matter;
use keysweep_tests::load::{CONCURRENCY, sweep};

const ACCOUNTS: usize = 600;

#[tokio::test(start_paused = true)]
async fn accounts_in_trouble_do_not_hold_up_the_others() {
    let calm = sweep(ACCOUNTS, false).await;
    let loaded = sweep(ACCOUNTS, true).await;
    println!("calm\n{calm}\nwith faults\n{loaded}");
    let coverage = |matter| loaded.coverage[&matter];
    assert_eq!(coverage(Matter::Healthy), (534, 0));
    assert_eq!(coverage(Matter::Failing), (0, 30));
    assert_eq!(coverage(Matter::Hanging), (0, 6));
    let (scanned, failed) = coverage(Matter::Throttled);
    assert_eq!(scanned + failed, 30);
    assert_eq!((calm.flagged, loaded.flagged), (534, 534));
    let (calm_done, loaded_done) = (calm.healthy_done.as_secs_f64(), loaded.healthy_done.as_secs_f64());
    assert!(loaded_done <= 1.1 * calm_done, "{loaded_done} s instead of {calm_done} s");
    let bound = u64::try_from(6 * CONCURRENCY).unwrap();
    assert!(loaded.in_flight <= bound, "{} calls at the same time", loaded.in_flight);
}
