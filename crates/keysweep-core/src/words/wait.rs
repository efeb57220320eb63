//! Why a change waits, or was not made.

use std::fmt;

use super::stop::does_not_exist;
use super::{breaker_open, friendly, listed};
use crate::evidence::{Activity, Gap, Opinion, TracedCall};
use crate::plan::{Need, Recheck, Unknown, Wait};
use crate::ticket::Action;

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode { mode, action } => write!(f, "mode {}: would {action} it", mode.as_str()),
            Self::ReadOnly => f.write_str(
                "the management account is only read, since organization.management_account is \"direct\"; set it to \
                 \"assume\" to have its keys changed by a role",
            ),
            Self::MaybeNotOurs => {
                f.write_str("keysweep may not have set it Inactive, and adopt_inactive is off")
            }
            Self::NotStale => f.write_str("it is not stale under the current policy"),
            Self::NoChannel => f.write_str("a notice is required, but no notice channel is configured"),
            Self::NoOwner => f.write_str("a notice is required, but keysweep knows no owner whom it can notify"),
            Self::Delivery { since } => {
                write!(f, "waiting since {since:.0} for a channel to accept the notice to the owner")
            }
            Self::Undeliverable { why } => write!(f, "the notice could not be delivered: {why}"),
            Self::Notice { ends, .. } => write!(f, "notice given; the notice period ends {ends:.0}"),
            Self::Approval { need, given: _, needed: 0 | 1, expires } => {
                write!(f, "waits for approval until {expires:.0}: {need}")
            }
            Self::Approval { need, given, needed, expires } => {
                write!(f, "waits for approval by {needed} people ({given} so far) until {expires:.0}: {need}")
            }
            Self::Window { .. } => f.write_str("the change window is closed"),
            Self::Cap { action, limit } => {
                let what = match action {
                    Action::Quarantine => "quarantines",
                    Action::Deactivate => "deactivations",
                    Action::Delete => "deletions",
                    Action::EndQuarantine | Action::Reactivate => "undos",
                };
                write!(f, "limit reached: {limit} {what} within 24 hours")
            }
            Self::AccountCap { limit } => {
                write!(f, "limit reached: {limit} changes in one account within 24 hours")
            }
            Self::CapUnknown { .. } => f.write_str(
                "a backup was restored: how many changes there were within 24 hours is not known",
            ),
            Self::Breaker(reason) => f.write_str(&breaker_open(reason)),
            Self::Failing(reason) => reason.fmt(f),
            Self::Parked { account, park, .. } => write!(
                f,
                "the account is {park}; `keysweep accounts unpark {account} --reason TEXT` lets changes go on there"
            ),
            Self::NotAccepted => f.write_str("newly due, not yet in the baseline of the circuit breaker"),
            Self::Paused(pauses) => f.write_str(&listed(pauses)),
            Self::Stopping => f.write_str("keysweep is stopping"),
            Self::Held { holds, .. } => write!(f, "held {}", listed(holds)),
            Self::Resting { .. } => f.write_str(
                "its last change failed for a temporary reason: no change for 24 hours",
            ),
            Self::Exempt { rule, reason, .. } => write!(f, "exempt by {rule}: {reason}"),
            Self::Incident(incident) => incident.fmt(f),
            Self::Reference(reference) => f.write_str(&does_not_exist(reference)),
            Self::Evidence(gap) => gap.fmt(f),
            Self::Grace { watched, grace, .. } => {
                write!(f, "seen Inactive for {:#} of {:#}", friendly(*watched), friendly(*grace))
            }
            Self::Quarantine { since, .. } => {
                write!(f, "user in quarantine since {since:.0}; no use seen so far")
            }
            Self::OtherKey(key) => write!(f, "waits for key {key} of the same user, which goes through quarantine first"),
            Self::PolicyAttached(policy) => write!(
                f,
                "{policy} is attached to the user, but keysweep has no record of attaching it; detach it, or run `keysweep \
                 keys deactivate`"
            ),
            Self::Unknown(unknown) => unknown.fmt(f),
            Self::Recheck(recheck) => recheck.fmt(f),
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRead => f.write_str("the key was not looked up in CloudTrail"),
            Self::Regions(why) => write!(f, "could not look up the key in CloudTrail: {why}"),
            Self::Analyzer(why) => {
                write!(f, "could not read findings of IAM Access Analyzer about the key: {why}")
            }
            Self::NoLongerUnused { since } => write!(
                f,
                "IAM Access Analyzer resolved its finding that the key is unused at {since:.0}, and no use explains it; the key waits \
                 until the analyzer has an active finding again, or AWS deletes the resolved one after 90 days"
            ),
            Self::NoBundle(why) => write!(f, "could not write the evidence bundle of the deletion: {why}"),
            Self::NoRegion => {
                f.write_str("could not look up the key in CloudTrail: no Region is enabled in the account")
            }
            Self::Unread { regions, of } => {
                let (count, first) = (regions.len(), regions.iter().next());
                write!(f, "could not read CloudTrail in {count} of {of} Regions")?;
                first.map_or(Ok(()), |(region, why)| write!(f, "; {region}: {why}"))
            }
            Self::Unclear { region, why } => {
                write!(f, "could not interpret an event of the key in CloudTrail in {region}: {why}")
            }
        }
    }
}

impl fmt::Display for Opinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last_use = match self {
            Self::None => return f.write_str("no finding about the key"),
            Self::Unread(why) => return write!(f, "could not read findings: {why}"),
            Self::Unused { last_use } => {
                f.write_str("finding: the key is unused")?;
                last_use
            }
            Self::Resolved { at, last_use } => {
                write!(f, "finding resolved at {at:.0}")?;
                last_use
            }
        };
        match last_use {
            Some(last_use) => write!(f, "; last accessed {}", last_use.at),
            None => f.write_str("; no last access reported"),
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, region, source, name, address, user_agent, error, event_id: _ } = self;
        if self.is_of_analyzer() {
            return write!(f, "IAM Access Analyzer shows a use at {at:.0}");
        }
        f.write_str(name.as_deref().unwrap_or("a call"))?;
        if let Some(source) = source {
            write!(f, " ({source})")?;
        }
        write!(f, " in {region} at {at:.0}")?;
        if let Some(address) = address {
            write!(f, " from {address}")?;
        }
        if let Some(user_agent) = user_agent {
            write!(f, " with {user_agent}")?;
        }
        error.as_ref().map_or(Ok(()), |error| write!(f, ": {error}"))
    }
}

impl fmt::Display for TracedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, by, address, user_agent, event_id: _ } = self;
        write!(f, "by {by} at {at:.0}")?;
        if let Some(address) = address {
            write!(f, " from {address}")?;
        }
        if let Some(user_agent) = user_agent {
            write!(f, " with {user_agent}")?;
        }
        let Some(tool) = self.tool() else { return Ok(()) };
        write!(f, "; {tool:?} may set it Active again: {}", tool.remedy())
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(approval) => write!(f, "policy: approval = {}", approval.as_str()),
            Self::Reactivated(1) => f.write_str("reactivated after keysweep had deactivated it"),
            Self::Reactivated(times) => write!(
                f,
                "reactivated {times} times after keysweep had deactivated it: does Terraform or another tool set it \
                 Active?"
            ),
            Self::Honeytoken => {
                f.write_str("its user matches protect.honeytokens: the key may be a honeytoken")
            }
            Self::SesUser => f.write_str("an SES SMTP user"),
            Self::UsedWith(service) => write!(f, "last used with {service}"),
            Self::Keys(count) => write!(f, "the user has {count} keys"),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Facts(unknown) => f.write_str(&listed(unknown)),
            Self::Status(status) => write!(f, "status {status} is not known to keysweep"),
            Self::Policies(why) => write!(f, "policies of the user: {why}"),
            Self::PoliciesNotRead => f.write_str("policies of the user were not read"),
            Self::Identity => {
                f.write_str("account, user ID or creation date is not that of the recorded key")
            }
            Self::Outcome { accepted: Some(request_id) } => {
                write!(f, "AWS accepted the call (request {request_id}); it does not show yet")
            }
            Self::Outcome { accepted: None } => f.write_str("waiting for the outcome of the previous call"),
            Self::Failed(what) => f.write_str(what),
            Self::Bug(what) => write!(f, "a bug in keysweep: {what}"),
            Self::Illegal(illegal) => write!(f, "a bug in keysweep: {illegal}"),
        }
    }
}

impl fmt::Display for Recheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(reach) => f.write_str(&reach.out_of_reach().unwrap_or_default()),
            Self::NotEntered { account, why } => write!(f, "account {account}: {why}"),
            Self::NoRecord => f.write_str("the record is not there any more"),
            Self::NoUserId => f.write_str("the user ID could not be read"),
            Self::AnotherKey => {
                f.write_str("account, user ID, key ID or creation date differs from the recorded key")
            }
            Self::NotLive => f.write_str("last use was not read live"),
            Self::UserGone => f.write_str("its user no longer exists"),
            Self::Unread(why) => f.write_str(why),
            Self::Events(names) => {
                let names: Vec<_> = names.iter().map(|name| name.replace('_', " ")).collect();
                write!(f, "the re-check found: {}; now recorded", names.join(", "))
            }
            Self::NotNoticed => f.write_str("a notice comes first, and is given now"),
            Self::NotAsked => f.write_str("it requires approval, which is requested now"),
            Self::AnotherAnswer => f.write_str("fresh facts give another answer"),
            Self::AnotherDecision => f.write_str("another decision about it came first"),
            Self::Undo => f.write_str("an undo of it comes first"),
            Self::AnotherConfiguration => f.write_str("another configuration came first"),
            Self::Late => f.write_str("it waited until its deadline; the next sweep reads it again"),
            Self::NothingToUndo(state) => {
                write!(f, "it is {state}, and keysweep sent no deactivation of it")
            }
            Self::OtherKeyUsed(key) => {
                write!(f, "key {key} of the same user is in use; a quarantine would block it too")
            }
            Self::PolicyGrants => f.write_str(
                "the quarantine policy contains a statement that is not Deny; keysweep does not attach it",
            ),
            Self::NotInQuarantine => f.write_str("there is no quarantine to end now"),
            Self::NotByLink => f.write_str("a link cannot undo this deactivation; the security team can"),
            Self::Active => f.write_str("it is Active already"),
            Self::Status(status) => write!(f, "its status in AWS is {status}"),
        }
    }
}
