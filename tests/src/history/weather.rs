//! What goes wrong at AWS on a day.

use std::time::Duration;

use jiff::SignedDuration;
use keysweep_sim::{Fault, Rule, Sim};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const ACTIONS: [&str; 13] = [
    "*",
    "iam:*",
    "sts:AssumeRole",
    "organizations:*",
    "organizations:ListTagsForResource",
    "iam:ListAccessKeys",
    "iam:GetUser",
    "iam:GetAccessKeyLastUsed",
    "iam:GetCredentialReport",
    "iam:GenerateCredentialReport",
    "iam:ListAttachedUserPolicies",
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
];

/// Clears yesterday's faults and makes today's.
pub(super) fn change(sim: &Sim, rng: &mut ChaCha8Rng, accounts: &[String]) {
    sim.clear_faults();
    sim.clear_denials();
    if rng.random_bool(0.4) {
        return;
    }
    for _ in 0..rng.random_range(1..4) {
        let action = ACTIONS[rng.random_range(0..ACTIONS.len())];
        let mut rule =
            Rule::new(fault(rng)).action(action).probability(f64::from(rng.random_range(1..11)) / 10.0);
        if rng.random_bool(0.6) {
            rule = rule.account(&accounts[rng.random_range(0..accounts.len())]);
        }
        if rng.random_bool(0.5) {
            rule = rule.first(rng.random_range(1..20));
        }
        sim.fault(rule);
    }
    if rng.random_bool(0.15) {
        let slow = Fault::Delay(Duration::from_secs(rng.random_range(2..9)));
        sim.fault(Rule::new(slow).action("iam:*AccessKey"));
    }
    if rng.random_bool(0.1) {
        sim.expire_sessions();
    }
    if rng.random_bool(0.1) {
        let account = &accounts[rng.random_range(0..accounts.len())];
        sim.deny(Some(account), ACTIONS[rng.random_range(0..ACTIONS.len())]);
    }
}

fn fault(rng: &mut ChaCha8Rng) -> Fault {
    match rng.random_range(0..15) {
        0 => Fault::Throttle,
        1 => Fault::AccessDenied,
        2 => Fault::ServiceFailure,
        3 => Fault::Unavailable,
        4 => Fault::report_capacity(),
        5 => Fault::ResetBefore,
        6 | 7 => Fault::AnswerLost,
        8 => Fault::Delay(Duration::from_secs(rng.random_range(1..20))),
        9 => Fault::LateAnswer(Duration::from_secs(rng.random_range(1..40))),
        10 => Fault::Hang,
        11 => Fault::Stale(SignedDuration::from_hours(rng.random_range(1..24))),
        12 => Fault::MalformedBody,
        13 => Fault::GarbageBody,
        _ => Fault::EmptyPage,
    }
}
