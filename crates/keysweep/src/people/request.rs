//! A request for approval as people in Slack see it: how it stands, and how their clicks name it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use keysweep_api::{Decision, RequestRef};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::{Approval, Record};
use keysweep_core::notice::{Closing, Ending, Item};
use keysweep_core::state::{Actor, State};
use keysweep_core::ticket::Planned;

use crate::config::SlackBot;

/// How long a claim by a click lasts, in minutes.
const CLAIMED_FOR: u32 = 60;

/// What somebody decides about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Approves it.
    Approve,
    /// Denies it.
    Deny,
    /// Is looking at it.
    Claim,
}

impl Verdict {
    const ALL: [Self; 3] = [Self::Approve, Self::Deny, Self::Claim];

    /// ID of its button, and of the modal that asks for the reason.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Approve => "keysweep-approve",
            Self::Deny => "keysweep-deny",
            Self::Claim => "keysweep-claim",
        }
    }

    /// The verdict with this ID.
    pub(crate) fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.id() == id)
    }
}

/// Names a request in a button: key, action, and the request as it was shown. Written `KEY ACTION NUMBER-HASH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestName {
    /// The key.
    pub(crate) key: AccessKeyId,
    /// What it asks to be approved.
    pub(crate) action: Planned,
    /// Number and hash.
    pub(crate) request: RequestRef,
}

impl RequestName {
    /// What an operator would ask.
    pub(crate) fn decision(&self, verdict: Verdict) -> Decision {
        let Self { action, request, .. } = self.clone();
        match verdict {
            Verdict::Approve => Decision::Approve { action, request },
            Verdict::Deny => Decision::Deny { action, request },
            Verdict::Claim => Decision::Claim { action, request, minutes: CLAIMED_FOR },
        }
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.key, self.action, self.request)
    }
}

/// A text that names no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the button names no request")]
pub(crate) struct NoRequest;

impl FromStr for RequestName {
    type Err = NoRequest;

    fn from_str(text: &str) -> Result<Self, NoRequest> {
        let mut parts = text.split(' ');
        let (Some(key), Some(action), Some(request), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoRequest);
        };
        let action = [Planned::Deactivate, Planned::Delete]
            .into_iter()
            .find(|planned| planned.to_string() == action)
            .ok_or(NoRequest)?;
        let request: RequestRef = request.parse().map_err(|_| NoRequest)?;
        // Without the hash, a click would count for whatever the request says now.
        request.hash.as_ref().ok_or(NoRequest)?;
        Ok(Self { key: key.parse().map_err(|_| NoRequest)?, action, request })
    }
}

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It waits for a decision.
    Open {
        /// Who is looking at it, and until when.
        claim: Option<(Actor, Timestamp)>,
        /// Who approved.
        given: Vec<Actor>,
        /// How many have to.
        needed: u32,
    },
    /// Everybody approved who had to.
    Approved(Vec<Actor>),
    /// Somebody denied it.
    Denied(Vec<Actor>, Option<String>),
    /// Nobody answered in time.
    Expired,
    /// What it asked no longer applies.
    Void(Option<String>),
}

impl Standing {
    /// Of the request that an item asks, with the closing that the journal knows.
    pub(crate) fn of(
        item: &Item,
        record: Option<&Record>,
        closing: Option<&Closing>,
        now: Timestamp,
    ) -> Self {
        if let Some(Closing { ending, by, why, .. }) = closing {
            return match ending {
                Ending::Approved => Self::Approved(by.clone()),
                Ending::Denied => Self::Denied(by.clone(), why.clone()),
                Ending::Expired => Self::Expired,
                Ending::Void => Self::Void(why.clone()),
            };
        }
        let approval = record.and_then(Record::approval).filter(|approval| approval.number == item.id.0);
        let Some(approval) = approval else { return Self::Void(None) };
        let given = approvers(approval);
        if approval.is_granted() {
            return Self::Approved(given);
        }
        if now >= approval.expires {
            return Self::Expired;
        }
        let claim = approval.claimed(now).map(|claim| (claim.by.clone(), claim.until));
        Self::Open { claim, given, needed: approval.needed }
    }

    /// Whether somebody can still decide.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Whether nothing has happened since it was asked.
    pub(crate) fn is_untouched(&self) -> bool {
        matches!(self, Self::Open { claim: None, given, .. } if given.is_empty())
    }
}

fn approvers(approval: &Approval) -> Vec<Actor> {
    approval.granted.iter().map(|granted| granted.by.clone()).collect()
}

/// A request in a message to Slack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// How it stands.
    pub(crate) standing: Standing,
    /// What its buttons name, where it is decided in Slack.
    pub(crate) name: Option<RequestName>,
    /// Page of the key.
    pub(crate) page: Option<String>,
}

impl Request {
    /// The request that an item asks, as a message to Slack shows it now.
    pub(crate) fn of(
        bot: &SlackBot,
        state: &State,
        item: &Item,
        closing: Option<&Closing>,
        now: Timestamp,
    ) -> Self {
        let record = state.record(&item.key);
        let standing = Standing::of(item, record, closing, now);
        let named = |record: &Record| {
            let approval = record.approval()?;
            let hash = Some(approval.hash(&record.identity));
            let request = RequestRef { number: approval.number, hash };
            Some(RequestName { key: item.key.clone(), action: approval.action, request })
        };
        let name = record.filter(|_| bot.native().is_some() && standing.is_open()).and_then(named);
        let page = bot.page.as_ref().map(|page| page_of(page, &item.key));
        Self { standing, name, page }
    }
}

/// The page of a key.
pub(crate) fn page_of(page: &str, key: &AccessKeyId) -> String {
    format!("{page}/keys/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_names_a_request_in_full() {
        let text = "AKIAIOSFODNN7EXAMPLE deactivate 120-1f2e3d4c";
        let name: RequestName = text.parse().unwrap();
        assert_eq!(name.to_string(), text);
        let request = RequestRef { number: 120, hash: Some("1f2e3d4c".to_owned()) };
        assert_eq!(
            name.decision(Verdict::Approve),
            Decision::Approve { action: Planned::Deactivate, request: request.clone() }
        );
        let action = Planned::Deactivate;
        assert_eq!(name.decision(Verdict::Deny), Decision::Deny { action, request: request.clone() });
        assert_eq!(name.decision(Verdict::Claim), Decision::Claim { action, request, minutes: 60 });
        for bad in [
            "",
            "AKIAIOSFODNN7EXAMPLE deactivate 120",
            "AKIAIOSFODNN7EXAMPLE deactivate 120-",
            "AKIAIOSFODNN7EXAMPLE reactivate 120-1f2e3d4c",
            "AKIAIOSFODNN7EXAMPLE deactivate",
            "AKIAIOSFODNN7EXAMPLE  deactivate 120-1f2e3d4c",
            "AKIAIOSFODNN7EXAMPLE deactivate 120-1f2e3d4c more",
            "nonsense deactivate 120-1f2e3d4c",
        ] {
            assert_eq!(bad.parse::<RequestName>(), Err(NoRequest), "{bad:?}");
        }
    }

    #[test]
    fn each_button_has_its_own_verdict() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::of(verdict.id()), Some(verdict));
        }
        assert_eq!(Verdict::of("approve"), None);
    }
}
