//! The organization of `keysweep demo`: thirty accounts in which every story about access keys takes place.

use jiff::SignedDuration;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::organization::{account_id, add_account, add_user, days_before, use_steadily};
use super::{ENFORCE_ROLE, EXTERNAL_ID, SCAN_ROLE, Shape, names};
use crate::builder::KeySpec;
use crate::clock::Clock;
use crate::key_use::KeyUse;
use crate::script::{Happening, Trigger};
use crate::sim::Sim;

/// Ordinary accounts; three more have a story of their own.
const ACCOUNTS: usize = 27;
/// Users in each of them, beside the one whose key fades; with those that have a story, about four hundred.
const USERS: usize = 14;
/// Idle days of the first key that fades: a day short of stale at the usual threshold of ninety.
const FADING: i64 = 89;

/// The demo's organization, and the keys whose stories it tells.
#[derive(Debug, Clone)]
pub struct Demo {
    /// The organization.
    pub sim: Sim,
    /// Stale, and used again three days after the start: in time, during a notice of seven days.
    pub rescued_key: String,
    /// Stale by what IAM reports, and used three days after the start in a way that CloudTrail alone shows.
    pub seen_key: String,
    /// Stale, of a user that is to be put in quarantine: its client goes on to call, and is denied.
    pub quarantined_key: String,
    /// Stale; six hours after somebody deactivates it, its owner reactivates it.
    pub missed_key: String,
    /// Stale for good: goes the whole way to deletion.
    pub forgotten_key: String,
    /// Stale, but its user wears the tag `keysweep:exempt`.
    pub exempt_key: String,
    /// An account that lacks the roles.
    pub account_without_role: String,
    /// A suspended account.
    pub suspended_account: String,
}

/// Makes the demo's organization up, with all times relative to what the clock shows now.
pub fn demo(seed: u64, clock: Clock) -> Demo {
    let sim = Sim::new(clock);
    sim.seed_faults(seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Few enough stale ones that a sweep of the whole looks like an organization and not like an accident.
    let shape = Shape {
        stale_percent: 3,
        never_used_percent: 2,
        inactive_percent: 5,
        keyless_percent: 12,
        ..Shape::default()
    };
    let accounts: Vec<String> = (0..ACCOUNTS).map(|number| add_account(&sim, &mut rng, number)).collect();
    for account in &accounts {
        for number in 0..USERS {
            add_user(&sim, &mut rng, account, number, &shape);
        }
    }
    // One key turns stale every day, so that every day has something to show.
    for (account, days) in accounts.iter().zip((0..=FADING).rev()) {
        add_fading(&sim, &mut rng, account, days);
    }
    let account = |number: usize| accounts.get(number).cloned().unwrap_or_else(|| account_id(0));
    add_oddities(&sim, &mut rng, &account(1), &account(2));

    let now = sim.now();
    let stale = |account: String, name: &str, days: i64| {
        let key =
            KeySpec::new().created(days_before(now, 700)).used(days_before(now, days), "s3", "eu-west-1");
        let user = sim.user(account, name).path("/service/").created(days_before(now, 701)).key(key).add();
        user.keys.into_iter().next().unwrap_or_default()
    };
    let rescued_key = stale(account(0), "svc-quarterly-report", 96);
    let seen_key = stale(account(6), "svc-night-batch", 120);
    let quarantined_key = stale(account(8), "svc-invoice-export", 140);
    let missed_key = stale(account(3), "svc-year-end-closing", 170);
    let forgotten_key = stale(account(4), "svc-old-migration", 410);
    let exempt_key = stale(account(5), "break-glass", 300);
    sim.user(account(5), "break-glass").tag("keysweep:exempt", "break glass, reviewed yearly").add();

    let use_again = Happening::UseKey {
        key_id: rescued_key.clone(),
        service: "s3".to_owned(),
        region: "eu-west-1".to_owned(),
    };
    let comes_back = now.checked_add(SignedDuration::from_hours(72)).unwrap_or(now);
    sim.every(SignedDuration::from_hours(24), comes_back, None, "svc-quarterly-report", use_again);
    let batch = KeyUse::new(&seen_key, "ec2", "eu-central-1").address("203.0.113.60").unknown_to_iam();
    sim.at(comes_back, "svc-night-batch", Happening::Use(batch));
    sim.ship_policy("keysweep-quarantine-ask-security");
    if let Some(user_id) = sim.user_id(&account(8), "svc-invoice-export") {
        let export = KeyUse::new(&quarantined_key, "ec2", "eu-west-1")
            .address("198.51.100.23")
            .user_agent("Boto3/1.40.2");
        let calls = Happening::Use(export);
        let hours = SignedDuration::from_hours(9);
        sim.after(Trigger::PolicyAttached { user_id }, hours, "svc-invoice-export", calls);
    }
    sim.after(
        Trigger::KeyStatus { key_id: missed_key.clone(), status: "Inactive".to_owned() },
        SignedDuration::from_hours(6),
        "owner of svc-year-end-closing",
        Happening::SetKeyStatus { key_id: missed_key.clone(), status: "Active".to_owned() },
    );

    let account_without_role =
        sim.account(account_id(ACCOUNTS)).name("acquired-legacy").ou("Infrastructure").add();
    stale(account_without_role.clone(), "svc-unseen", 200);
    let suspended_account = sim
        .account(account_id(ACCOUNTS + 1))
        .name("old-sandbox")
        .ou("Sandbox")
        .role(SCAN_ROLE, EXTERNAL_ID)
        .role(ENFORCE_ROLE, EXTERNAL_ID)
        .state("SUSPENDED")
        .add();
    // An account with roles and nobody in it.
    add_account(&sim, &mut rng, ACCOUNTS + 2);
    Demo {
        sim,
        rescued_key,
        seen_key,
        quarantined_key,
        missed_key,
        forgotten_key,
        exempt_key,
        account_without_role,
        suspended_account,
    }
}

/// A user whose only key was last used so many days ago.
fn add_fading(sim: &Sim, rng: &mut ChaCha8Rng, account: &str, days: i64) {
    let now = sim.now();
    let (name, path) = names::user(rng, USERS);
    let (service, region) = names::service(rng);
    let created = days_before(now, 500);
    let key = KeySpec::new().created(created).used(days_before(now, days), service, region);
    sim.user(account, name).path(path).created(created).key(key).add();
}

/// What a tool has to be careful with.
fn add_oddities(sim: &Sim, rng: &mut ChaCha8Rng, first: &str, second: &str) {
    let now = sim.now();
    let old = days_before(now, 600);
    let key = |days: i64, service: &str| {
        KeySpec::new().created(old).used(days_before(now, days), service, "us-east-1")
    };
    sim.user(first, "ses-smtp-user.20230402-101500").created(old).key(key(140, "ses-smtp")).add();
    sim.user(first, "leaked-key")
        .created(old)
        .attached("arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3")
        .key(key(150, "s3"))
        .add();
    sim.user(second, "eight-hands")
        .created(old)
        .key(key(120, "s3"))
        .key(key(3, "ec2"))
        .key(key(200, "sts"))
        .add();
    let stack = sim
        .user(second, "stack-made")
        .created(old)
        .tag("aws:cloudformation:stack-name", "legacy-uploader")
        .key(key(130, "s3"))
        .add();
    let rotated = sim
        .user(second, "svc-half-rotated")
        .created(old)
        .tag(stack.keys.first().cloned().unwrap_or_default(), "copied from the stack")
        .key(key(180, "sqs"))
        .key(KeySpec::new().created(days_before(now, 20)).used(days_before(now, 1), "sqs", "eu-west-1"))
        .add();
    if let Some(key) = rotated.keys.get(1) {
        use_steadily(sim, rng, key);
    }
    sim.set_root_keys(second, 1);
}
