//! An organization of a given shape for tests that want many different ones.

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ENFORCE_ROLE, EXTERNAL_ID, SCAN_ROLE, names};
use crate::builder::KeySpec;
use crate::clock::Clock;
use crate::script::Happening;
use crate::sim::Sim;

/// How large an organization is, and what its keys are like. The percentages are of users; what they leave has keys in
/// steady use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Member accounts, beside the management account.
    pub accounts: usize,
    /// Users in each.
    pub users_per_account: usize,
    /// Users whose key was last used 100 to 500 days ago.
    pub stale_percent: u32,
    /// Users whose key is 100 to 500 days old and was never used.
    pub never_used_percent: u32,
    /// Users whose key is Inactive already.
    pub inactive_percent: u32,
    /// Users without any key.
    pub keyless_percent: u32,
    /// Users with a second key, of any kind.
    pub second_key_percent: u32,
    /// Whether keys in use go on being used as time passes.
    pub periodic_use: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            accounts: 5,
            users_per_account: 12,
            stale_percent: 15,
            never_used_percent: 8,
            inactive_percent: 8,
            keyless_percent: 10,
            second_key_percent: 15,
            periodic_use: true,
        }
    }
}

/// What a key is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Used,
    Stale,
    Never,
    Inactive,
}

/// Makes an organization up. Every account has both roles of keysweep.
pub fn organization(seed: u64, shape: &Shape, clock: Clock) -> Sim {
    let sim = Sim::new(clock);
    sim.seed_faults(seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for number in 0..shape.accounts {
        let account = add_account(&sim, &mut rng, number);
        for user in 0..shape.users_per_account {
            add_user(&sim, &mut rng, &account, user, shape);
        }
    }
    sim
}

/// An account with a plausible name and both roles.
pub(crate) fn add_account(sim: &Sim, rng: &mut ChaCha8Rng, number: usize) -> String {
    let unit = names::unit(number);
    let name = names::account(rng, unit, number);
    let environment = unit.rsplit('/').next().unwrap_or(unit).to_lowercase();
    sim.account(account_id(number))
        .email(format!("aws+{name}@example.com"))
        .name(name)
        .ou(unit)
        .joined(days_before(sim.now(), 2200))
        .tag("environment", environment)
        .role(SCAN_ROLE, EXTERNAL_ID)
        .role(ENFORCE_ROLE, EXTERNAL_ID)
        .add()
}

/// The ID of the account with this number, counted from 0, in organizations that are made here.
pub fn account_id(number: usize) -> String {
    format!("{}", 200_000_000_000_u64 + 7_919 * number as u64)
}

pub(crate) fn days_before(now: Timestamp, days: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(now)
}

/// A user with a key of a kind that the shape's percentages draw, or without one.
pub(crate) fn add_user(sim: &Sim, rng: &mut ChaCha8Rng, account: &str, number: usize, shape: &Shape) {
    let now = sim.now();
    let (name, path) = names::user(rng, number);
    let created = days_before(now, rng.random_range(510..2000));
    let mut user = sim.user(account, name).path(path).created(created);
    if path == "/people/" {
        let used = rng.random_bool(0.7).then(|| days_before(now, rng.random_range(0..200)));
        user = user.password(used).mfa();
    }
    let mut used = Vec::new();
    if !hit(rng, shape.keyless_percent) {
        let keys = 1 + usize::from(hit(rng, shape.second_key_percent));
        for _ in 0..keys {
            let kind = draw(rng, shape);
            used.push(kind == Kind::Used);
            user = user.key(mk_key(rng, now, created, kind));
        }
    }
    let user = user.add();
    if shape.periodic_use {
        let in_use = user.keys.iter().zip(used).filter(|(_, used)| *used);
        in_use.for_each(|(key, _)| use_steadily(sim, rng, key));
    }
}

/// Lets a key be used on and on, every 6 to 72 hours.
pub(crate) fn use_steadily(sim: &Sim, rng: &mut ChaCha8Rng, key: &str) {
    let (service, region) = names::service(rng);
    let every = SignedDuration::from_mins(rng.random_range(6 * 60..72 * 60));
    let first = sim.now().checked_add(every / 2).unwrap_or(Timestamp::MAX);
    let what =
        Happening::UseKey { key_id: key.to_owned(), service: service.to_owned(), region: region.to_owned() };
    sim.every(every, first, None, "program", what);
}

fn draw(rng: &mut ChaCha8Rng, shape: &Shape) -> Kind {
    let roll = rng.random_range(0..100);
    let stale = shape.stale_percent;
    let never = stale + shape.never_used_percent;
    let inactive = never + shape.inactive_percent;
    match roll {
        roll if roll < stale => Kind::Stale,
        roll if roll < never => Kind::Never,
        roll if roll < inactive => Kind::Inactive,
        _ => Kind::Used,
    }
}

fn mk_key(rng: &mut ChaCha8Rng, now: Timestamp, user_created: Timestamp, kind: Kind) -> KeySpec {
    let old = days_before(now, rng.random_range(501..510)).max(user_created);
    let (service, region) = names::service(rng);
    let key = KeySpec::new().created(old);
    match kind {
        Kind::Used => {
            let ago = SignedDuration::from_mins(rng.random_range(30..20 * 24 * 60));
            key.used(now.checked_sub(ago).unwrap_or(now), service, region)
        }
        Kind::Stale => key.used(days_before(now, rng.random_range(100..500)), service, region),
        Kind::Never => key.created(days_before(now, rng.random_range(100..500))),
        Kind::Inactive => key.used(days_before(now, rng.random_range(30..500)), service, region).inactive(),
    }
}

fn hit(rng: &mut ChaCha8Rng, percent: u32) -> bool {
    rng.random_range(0..100) < percent
}
