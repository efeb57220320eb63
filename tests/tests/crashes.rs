//! The program under SIGKILL, again and again, with real files. `cargo xtask soak --kills 300` does more of it.

use keysweep_tests::crashes::{Setting, kill_again_and_again, too_idle};

#[tokio::test(flavor = "multi_thread")]
async fn six_processes_that_are_killed_lose_nothing_and_do_nothing_twice() {
    let setting = Setting { seed: 1, kills: 6, leave_open: false, tell: false };
    let (tally, broken) = kill_again_and_again(setting).await;
    let told = broken.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(broken.is_empty(), "{told}\n{tally}");
    assert_eq!(too_idle(&tally, setting.kills), None, "{tally}");
}
