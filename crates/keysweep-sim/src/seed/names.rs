//! Plausible names, with the odd ones that real organizations have.

use rand::Rng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

const TEAMS: &[&str] = &[
    "billing",
    "checkout",
    "search",
    "payments",
    "catalog",
    "identity",
    "ledger",
    "media",
    "orders",
    "pricing",
    "reporting",
    "shipping",
    "warehouse",
    "risk",
    "mobile",
    "partners",
];
const JOBS: &[&str] = &[
    "export",
    "sync",
    "backup",
    "deploy",
    "upload",
    "metrics",
    "import",
    "cron",
    "worker",
    "etl",
    "mailer",
    "terraform",
    "jenkins",
    "scanner",
];
const FIRST: &[&str] =
    &["alice", "bruno", "chiara", "deniz", "emeka", "fatima", "goran", "hana", "ivo", "jun", "kofi", "lena"];
const LAST: &[&str] =
    &["adams", "becker", "costa", "diaz", "egger", "fischer", "garcia", "haddad", "ito", "jansen", "o'neil"];
const SERVICES: &[(&str, &str)] = &[
    ("s3", "us-east-1"),
    ("s3", "eu-west-1"),
    ("sts", "us-east-1"),
    ("ec2", "eu-central-1"),
    ("sqs", "eu-west-1"),
    ("dynamodb", "us-east-1"),
    ("ecr", "us-west-2"),
    ("lambda", "ap-southeast-2"),
];

/// The OUs, and how many of ten accounts lie in each.
pub(crate) const UNITS: &[(&str, u32)] =
    &[("Workloads/Prod", 4), ("Workloads/Dev", 3), ("Sandbox", 2), ("Security", 1), ("Infrastructure", 1)];

/// The OU of the account of that number.
pub(crate) fn unit(number: usize) -> &'static str {
    let all: u32 = UNITS.iter().map(|(_, weight)| weight).sum();
    let mut at = u32::try_from(number).unwrap_or_default() % all;
    for (name, weight) in UNITS {
        if at < *weight {
            return name;
        }
        at -= weight;
    }
    "Workloads/Prod"
}

/// The name of an account in that OU.
pub(crate) fn account(rng: &mut ChaCha8Rng, unit: &str, number: usize) -> String {
    let suffix = unit.rsplit('/').next().unwrap_or(unit).to_lowercase();
    format!("{}-{suffix}-{number:02}", pick(rng, TEAMS))
}

/// A user's name and path. `number` keeps names of one account apart.
pub(crate) fn user(rng: &mut ChaCha8Rng, number: usize) -> (String, &'static str) {
    let (team, job) = (pick(rng, TEAMS), pick(rng, JOBS));
    match rng.random_range(0..10) {
        0..=3 => (format!("svc-{team}-{job}-{number}"), "/service/"),
        4..=5 => (format!("ci-{team}-{number}"), "/ci/"),
        6 => (format!("ci+deploy{number}@corp"), "/ci/"),
        7 => (format!("{},{}{number}", pick(rng, LAST), pick(rng, FIRST)), "/"),
        8 => (format!("{}.{}{number}", pick(rng, FIRST), pick(rng, LAST)), "/people/"),
        _ => (format!("{team}_{job}={number}"), "/"),
    }
}

/// A service and a Region that a key is used with.
pub(crate) fn service(rng: &mut ChaCha8Rng) -> (&'static str, &'static str) {
    SERVICES.choose(rng).copied().unwrap_or(("s3", "us-east-1"))
}

fn pick(rng: &mut ChaCha8Rng, from: &[&'static str]) -> &'static str {
    from.choose(rng).copied().unwrap_or("x")
}
