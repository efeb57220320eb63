//! Months of simulated time, in which nothing that was promised is broken.

use keysweep_tests::history::{Setting, live_through, remains};

#[test]
fn forty_histories_of_sixty_days_break_no_promise_and_are_not_idle() {
    let setting = Setting { seed: 1, days: 60, most_accounts: 10, tell: false };
    let (tally, broken) = live_through(setting, 40);
    let told = broken.iter().map(|broken| format!("seed {}: {broken}", broken.setting.seed));
    let told = told.collect::<Vec<_>>().join("\n");
    assert!(broken.is_empty(), "{told}");
    // Less than half of what was counted.
    for (name, least) in [
        ("event deactivated", 50),
        ("event deleted", 10),
        ("event reactivated", 20),
        ("event quarantined", 15),
        ("event quarantine_ended", 15),
        ("undone", 6),
        ("unclear and applied", 1),
        ("records rebuilt", 15),
        ("data_dir lost", 1),
        ("operator pauses", 25),
        ("approved by a second person", 40),
        ("approved by an owner", 5),
        ("approved within a scope", 40),
        ("approver claims", 8),
        ("approver denies", 2),
        ("approver holds", 2),
        ("approver releases", 3),
        ("approver reactivates", 1),
        ("operator orders a deactivation", 35),
        ("operator orders a deletion", 35),
        ("operator changes who approves", 8),
        ("attempt: viewer approves", 150),
        ("attempt: approver approves", 60),
        ("attempt: approver orders a deactivation", 30),
        ("attempt: approver pauses", 25),
        ("attempt: owner approves", 120),
        ("attempt at a key that is hidden", 400),
        ("person approves twice in vain", 150),
        ("person approves what is void", 45),
        ("person approves what was not shown", 100),
        ("answer still_needed", 15),
        ("answer no_longer_needed", 20),
        ("answer reactivate", 1),
        ("link in doubt", 35),
        ("link forged", 60),
        ("link of a user whom AWS has just marked", 5),
    ] {
        assert!(tally.count(name) >= least, "{name} happened {} times\n{tally}", tally.count(name));
    }
    for (prefix, least) in [("crash", 35), ("fault", 2000), ("event", 1300), ("owner", 700)] {
        assert!(tally.sum(prefix) >= least, "{prefix} happened {} times\n{tally}", tally.sum(prefix));
    }
}

#[test]
fn one_seed_gives_one_journal_and_one_ledger() {
    let mut changes = 0;
    for seed in 1..=4 {
        let setting = Setting { seed, days: 45, most_accounts: 8, tell: false };
        let (once, again) = (remains(setting).unwrap(), remains(setting).unwrap());
        assert!(!once.journal.is_empty(), "seed {seed} leaves no journal to compare");
        changes += once.ledger.lines().count();
        let differs = |one: &str, other: &str| {
            one.lines().zip(other.lines()).find(|(a, b)| a != b).map(|(a, b)| format!("{a}\n{b}"))
        };
        let (ledger, journal) =
            (differs(&once.ledger, &again.ledger), differs(&once.journal, &again.journal));
        assert_eq!(ledger, None, "seed {seed}: the ledger differs");
        assert_eq!(journal, None, "seed {seed}: the journal differs");
        assert!(once == again, "seed {seed}: one of the two is longer");
    }
    assert!(changes > 10, "only {changes} changes to compare");
}
