//! What a plan wants done in the world.
//!
//! An effect is no event: nothing has happened yet. All take the same way: the entries of the plan are journaled, the
//! effect is carried out, and what came of it is journaled in turn. What follows from that is for the next plan.

use crate::ids::{AccessKeyId, AccountId};
use crate::lifecycle::event::Consent;
use crate::state::Body;
use crate::ticket::Ticket;

/// Something to carry out.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Change a key in AWS.
    Change(Ticket),
    /// Tell people what is to come for a key.
    Notify(Announcement),
    /// Ask for approval of a change.
    AskApproval(Announcement),
}

impl Effect {
    /// Tells people about a key. `consent` is the event that it becomes once they are told.
    pub(crate) fn announce(account: AccountId, key: AccessKeyId, consent: Consent) -> Self {
        let announcement = Announcement::new(account, key, consent);
        if announcement.asks() { Self::AskApproval(announcement) } else { Self::Notify(announcement) }
    }
}

/// What people are told about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    account: AccountId,
    key: AccessKeyId,
    consent: Consent,
}

impl Announcement {
    /// `consent` is the event that it becomes once people are told.
    pub(crate) fn new(account: AccountId, key: AccessKeyId, consent: Consent) -> Self {
        Self { account, key, consent }
    }

    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &AccessKeyId {
        &self.key
    }

    /// Whether it asks for approval, and does not only give notice.
    #[must_use]
    pub fn asks(&self) -> bool {
        matches!(self.consent, Consent::ApprovalAsked { .. })
    }

    /// The entry that says that people were told.
    #[must_use]
    pub fn told(self) -> Body {
        Body::Key { account: self.account, key: self.key, event: self.consent.into() }
    }
}
