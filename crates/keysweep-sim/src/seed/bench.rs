//! Large and plain organizations for measuring.

use jiff::SignedDuration;

use super::organization::{account_id, days_before};
use super::{ENFORCE_ROLE, EXTERNAL_ID, SCAN_ROLE};
use crate::builder::KeySpec;
use crate::clock::Clock;
use crate::sim::Sim;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Bench {
    /// Member accounts.
    pub accounts: usize,
    /// Users of each account, with one key each.
    pub users: usize,
    /// How many of a hundred users have a key that was last used 200 days ago, rounded to whole users. The other keys were
    /// last used two hours ago.
    pub stale_percent: u32,
    /// How many people own the users, by the tag `Owner`; 0 tags nothing.
    pub owners: usize,
}

/// An organization of this size. Every report is ready. About a kilobyte of memory per user.
pub fn bench(clock: Clock, size: Bench) -> Sim {
    let Bench { accounts, users, stale_percent, owners } = size;
    let sim = Sim::new(clock);
    let now = sim.now();
    let created = days_before(now, 400);
    let idle = days_before(now, 200);
    let fresh = now.checked_sub(SignedDuration::from_hours(2)).unwrap_or(now);
    let stale = (users * stale_percent as usize + 50) / 100;
    for number in 0..accounts {
        let account = sim
            .account(account_id(number))
            .name(format!("bench-{number:05}"))
            .ou("Workloads")
            .joined(created)
            .role(SCAN_ROLE, EXTERNAL_ID)
            .role(ENFORCE_ROLE, EXTERNAL_ID)
            .add();
        for user in 0..users {
            let used = if user < stale { idle } else { fresh };
            let key = KeySpec::new().created(created).used(used, "s3", "us-east-1");
            let mut it = sim
                .user(account.as_str(), format!("svc-{user:05}"))
                .path("/service/")
                .created(created)
                .key(key);
            if let Some(owner) = (number * users + user).checked_rem(owners) {
                it = it.tag("Owner", format!("owner-{owner:05}@example.com"));
            }
            it.add();
        }
    }
    sim.make_reports();
    sim
}
