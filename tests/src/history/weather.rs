//! What goes wrong at AWS on a day.

use std::time::Duration;

use jiff::SignedDuration;
use keysweep_sim::{Fault, Rule, Sim};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const ACTIONS: [&str; 16] = [
    "*",
    "iam:*",
    "sts:AssumeRole",
    "organizations:*",
    "organizations:ListTagsForResource",
    "iam:ListAccessKeys",
    "iam:GetUser",
    "iam:GetAccessKeyLastUsed",
    "iam:GetAccountAuthorizationDetails",
    "iam:GetCredentialReport",
    "iam:GenerateCredentialReport",
    "iam:ListAttachedUserPolicies",
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
    "cloudtrail:LookupEvents",
    "account:ListRegions",
];

/// A permission that is missing for some days.
#[derive(Debug)]
pub(super) struct Spell {
    action: &'static str,
    sweeps: u32,
}

/// Clears yesterday's faults and makes today's.
pub(super) fn change(sim: &Sim, rng: &mut ChaCha8Rng, accounts: &[String], spell: &mut Option<Spell>) {
    sim.clear_faults();
    sim.clear_denials();
    endure(sim, rng, spell);
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
    // Changes are few among the calls, and what becomes of them matters most.
    if rng.random_bool(0.2) {
        let fault = match rng.random_range(0..8) {
            0 => Fault::AccessDenied,
            1 => Fault::Throttle,
            2 => Fault::ServiceFailure,
            3 => Fault::Hang,
            4 => Fault::ResetBefore,
            // The process is stopped between intent and call, or a packet takes its time.
            5 => Fault::LateArrival(SignedDuration::from_secs(rng.random_range(1..120))),
            6 => Fault::LateArrival(SignedDuration::from_mins(rng.random_range(1..3000))),
            _ => Fault::AnswerLost,
        };
        sim.fault(Rule::new(fault).action("iam:*AccessKey").first(rng.random_range(1..4)));
    }
    if rng.random_bool(0.1) {
        sim.expire_sessions();
    }
    if rng.random_bool(0.1) {
        sim.revoke_sessions();
    }
    if rng.random_bool(0.1) {
        let account = &accounts[rng.random_range(0..accounts.len())];
        sim.deny(Some(account), ACTIONS[rng.random_range(0..ACTIONS.len())]);
    }
}

fn endure(sim: &Sim, rng: &mut ChaCha8Rng, spell: &mut Option<Spell>) {
    if rng.random_bool(0.02) {
        let of_hub =
            ["organizations:ListAccounts", "organizations:ListParents", "organizations:DescribeOrganization"];
        let action = match rng.random_range(0..3) {
            0 => "organizations:ListTagsForResource",
            1 => of_hub[rng.random_range(0..of_hub.len())],
            _ => ACTIONS[rng.random_range(4..ACTIONS.len())],
        };
        *spell = Some(Spell { action, sweeps: rng.random_range(3..10) });
    }
    if let Some(Spell { action, sweeps }) = spell.take_if(|spell| spell.sweeps > 0) {
        sim.deny(None, action);
        *spell = Some(Spell { action, sweeps: sweeps - 1 });
    }
}

fn fault(rng: &mut ChaCha8Rng) -> Fault {
    match rng.random_range(0..16) {
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
        14 => Fault::Page { status: rng.random_range(400..505), body: "<html>a proxy</html>".to_owned() },
        _ => Fault::EmptyPage,
    }
}
