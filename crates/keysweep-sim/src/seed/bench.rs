//! Large and plain organizations for measuring.

use jiff::SignedDuration;

use super::organization::{account_id, days_before};
use super::{ENFORCE_ROLE, EXTERNAL_ID, SCAN_ROLE};
use crate::builder::KeySpec;
use crate::clock::Clock;
use crate::sim::Sim;

/// `accounts` member accounts of `users` users with one key each, of which `stale_percent` (rounded to whole users) were
/// last used 200 days ago and the rest two hours ago. Every report is ready. About a kilobyte of memory per user.
pub fn bench(clock: Clock, accounts: usize, users: usize, stale_percent: u32) -> Sim {
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
            sim.user(account.as_str(), format!("svc-{user:05}"))
                .path("/service/")
                .created(created)
                .key(key)
                .add();
        }
    }
    sim.make_reports();
    sim
}
