//! What is the matter with some accounts of a large organization.

use crate::{Fault, Rule};

/// How an account fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// Nothing is the matter.
    Healthy,
    /// 5 in 100: its role cannot be assumed, or IAM answers 500 to everything.
    Failing,
    /// 5 in 100: every second call to IAM is throttled.
    Throttled,
    /// 1 in 100: IAM never answers.
    Hanging,
}

impl Matter {
    /// That of the account with this number, counted from 0.
    #[must_use]
    pub fn of(number: usize) -> Self {
        match number % 100 {
            7 | 27 | 47 | 67 | 87 => Self::Failing,
            13 | 33 | 53 | 73 | 93 => Self::Throttled,
            50 => Self::Hanging,
            _ => Self::Healthy,
        }
    }

    /// The fault that makes the account with this number fare so; None for a healthy one.
    #[must_use]
    pub fn rule(number: usize, account: &str) -> Option<Rule> {
        let rule = |fault| Rule::new(fault).account(account);
        Some(match Self::of(number) {
            Self::Healthy => return None,
            Self::Failing if (number / 20).is_multiple_of(2) => {
                rule(Fault::AccessDenied).action("sts:AssumeRole")
            }
            Self::Failing => rule(Fault::ServiceFailure).action("iam:*"),
            Self::Throttled => rule(Fault::Throttle).action("iam:*").probability(0.5),
            Self::Hanging => rule(Fault::Hang).action("iam:*"),
        })
    }
}
