//! The organization that a seed makes: accounts, users, keys, and how long they go on being used.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use keysweep_sim::{Happening, KeySpec, Settings, Sim, UserBuilder};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::rules::{EXEMPT_ACCOUNT_TAG, EXEMPT_TAG, SPECIAL_USERS};

/// External ID of every role.
pub(super) const EXTERNAL_ID: &str = "keysweep-tests";

pub(super) const SCAN_ROLE: &str = "keysweep/KeysweepScan";
pub(super) const ENFORCE_ROLE: &str = "keysweep/KeysweepEnforce";

/// The policy that is shipped to every account.
pub(super) const QUARANTINE_POLICY: &str = "keysweep-quarantine-ask-security";

/// OUs that accounts are moved between.
pub(super) const OUS: [&str; 3] = ["Workloads", "Workloads/Dev", "Sandbox"];

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How this AWS behaves.
pub(super) fn settings(rng: &mut ChaCha8Rng) -> Settings {
    Settings {
        empty_pages: rng.random_bool(0.3),
        organizations_page: rng.random_range(2..21),
        iam_page: rng.random_bool(0.3).then_some(1),
        report_polls: rng.random_range(0..3),
        last_used_lag: HOUR * rng.random_range(0..5),
        inactive_use_counts: rng.random_bool(0.3),
        latency: std::time::Duration::from_millis(20),
        ..Settings::default()
    }
}

/// Whether an account bears the tag that exempts it where the rules say so.
pub(super) fn is_tagged(account: &str) -> bool {
    account.ends_with(['1', '3'])
}

/// The OU that rules may exempt.
pub(super) const EXEMPT_OU: &str = "Sandbox";

/// Makes the accounts, and returns the ID of each and whether it is in the OU that rules may exempt.
pub(super) fn populate(sim: &Sim, rng: &mut ChaCha8Rng, most_accounts: usize) -> BTreeMap<String, bool> {
    sim.ship_policy(QUARANTINE_POLICY);
    let accounts = rng.random_range(5..=most_accounts.max(5));
    let mut ids = BTreeMap::new();
    for n in 0..accounts {
        let id = format!("{:012}", 111_000_000_000_u64 + u64::try_from(n).unwrap_or_default());
        let ou = OUS[rng.random_range(0..OUS.len())];
        let account = sim.account(&id).name(format!("account-{n}")).ou(ou);
        let account = account.role(SCAN_ROLE, EXTERNAL_ID);
        // Here and there somebody forgot a role.
        let account = if rng.random_bool(0.95) { account.role(ENFORCE_ROLE, EXTERNAL_ID) } else { account };
        account.add();
        if is_tagged(&id) {
            sim.tag_account(&id, EXEMPT_ACCOUNT_TAG, "off");
        }
        // The first is where everything ended up, here and there.
        let crowded = n == 0 && rng.random_bool(0.5);
        for user in 0..if crowded { rng.random_range(6..12) } else { rng.random_range(1..5) } {
            let name = match rng.random_range(0..10) {
                0 => format!("{SPECIAL_USERS}{user}"),
                1 => format!("ses-smtp-user.{user}"),
                _ => format!("user-{user}"),
            };
            add_user(sim, rng, &id, &name);
        }
        ids.insert(id, ou == EXEMPT_OU);
    }
    ids
}

/// Makes a user with one or two keys.
pub(super) fn add_user(sim: &Sim, rng: &mut ChaCha8Rng, account: &str, name: &str) {
    let mut user: UserBuilder = sim.user(account, name).path("/ci/");
    if rng.random_bool(0.08) {
        user = user.tag(EXEMPT_TAG, "yes");
    }
    let keys = if rng.random_bool(0.35) { 2 } else { 1 };
    let (mut specs, mut lives) = (Vec::new(), Vec::new());
    for _ in 0..keys {
        let (spec, life) = mk_key(sim.now(), rng);
        specs.push(spec);
        lives.push(life);
    }
    for spec in specs {
        user = user.key(spec);
    }
    let made = user.add();
    for (key_id, until) in made.keys.into_iter().zip(lives) {
        let Some(until) = until else { continue };
        let every = HOUR * rng.random_range(20..60);
        let first = sim.now() + HOUR * rng.random_range(1..24);
        let what = Happening::UseKey { key_id, service: "s3".into(), region: "us-east-1".into() };
        sim.every(every, first, Some(until), "program", what);
    }
}

/// A key, and until when it goes on being used.
fn mk_key(now: Timestamp, rng: &mut ChaCha8Rng) -> (KeySpec, Option<Timestamp>) {
    let days = |days: i64| now - HOUR * 24 * i32::try_from(days).unwrap_or_default();
    let created = days(rng.random_range(60..400));
    let key = KeySpec::new().created(created);
    match rng.random_range(0..10) {
        // Long unused.
        0..4 => (key.used(days(rng.random_range(20..60)), "s3", "us-east-1"), None),
        // Never used.
        4 => (key, None),
        // Inactive already.
        5 => (key.used(days(30), "s3", "us-east-1").inactive(), None),
        // In use for some while.
        6..9 => {
            let until = now + HOUR * 24 * rng.random_range(1..40);
            (key.used(days(1), "s3", "us-east-1"), Some(until))
        }
        // In use for good.
        _ => (key.used(days(1), "s3", "us-east-1"), Some(days(-10_000))),
    }
}
