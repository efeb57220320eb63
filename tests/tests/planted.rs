//! The histories can fail: mistakes that are planted one at a time are noticed. All of them are in `cargo xtask soak
//! --hunt`; here are those that show soonest. One test, as a planted mistake has the whole process to itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use keysweep_core::planted::{Bug, plant};
use keysweep_tests::history::{Setting, first_broken};

#[test]
fn a_planted_mistake_breaks_a_promise_within_a_few_histories() {
    let setting = Setting { seed: 1, days: 60, most_accounts: 10, tell: false };
    for bug in [
        Bug::SyncForgotten,
        Bug::SdkRetriesChanges,
        Bug::NoHoldAfterUndo,
        Bug::CapOffByOne,
        Bug::SkewIgnored,
        Bug::UnreadIsGone,
        Bug::RenamedIsGone,
        Bug::SkipRecheck,
    ] {
        plant(Some(bug));
        let broken = first_broken(setting, 12);
        plant(None);
        assert!(broken.is_some(), "{bug} was not noticed");
    }
}
