//! Notices, and requests for approval with what was shown.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Record, State};
use crate::facts::LastUse;
use crate::finding::FindingKind;
use crate::ids::{KeyIdentity, UserName};
use crate::notice::postponed;
use crate::plan::Need;
use crate::state::Actor;
use crate::ticket::Planned;

/// A notice that was sent or recorded: what it promised. Whatever would act sooner than that voids it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When it was delivered; until then, and where it is only recorded, when it was given.
    pub at: Timestamp,
    /// The earliest time of the deactivation; absent in a notice about a key that is Inactive.
    pub deactivation: Option<Timestamp>,
    /// The earliest time of the deletion; absent where only the deactivation was announced.
    pub deletion: Option<Timestamp>,
    /// The terms that these dates were computed by.
    pub terms: NoticeTerms,
    /// The owner of the key whom it was for; absent where none was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether it reached somebody.
    #[serde(default)]
    pub delivery: Delivery,
    /// When the last reminder was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded: Option<Timestamp>,
    /// Whether the key may be a decoy, so that only `protect.notify` is told.
    #[serde(default)]
    pub decoy: bool,
}

/// Whether a notice reached somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It is in the journal, and was not to be sent.
    #[default]
    Recorded,
    /// No channel has accepted it yet.
    Pending {
        /// The entry that gave notice.
        notice: u64,
    },
    /// A channel accepted it.
    Delivered {
        /// The entry that gave notice.
        notice: u64,
        /// The message that contained it.
        message: u64,
    },
    /// keysweep gave up.
    Undelivered {
        /// The entry that gave notice.
        notice: u64,
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
}

/// The terms of the policy that a notice rests on: any of them that becomes less strict would act sooner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeTerms {
    /// `unused_after` or `never_used_after`, by what the key was flagged for.
    pub threshold: Duration,
    /// `notice`.
    pub notice: Duration,
    /// `grace`.
    pub grace: Duration,
    /// Whether the next change needed a person's approval.
    pub approval: bool,
}

impl Notice {
    /// Whether a channel accepted it.
    #[must_use]
    pub fn was_delivered(&self) -> bool {
        matches!(self.delivery, Delivery::Delivered { .. })
    }

    /// The entry that gave notice, if it was to be sent.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match &self.delivery {
            Delivery::Pending { notice }
            | Delivery::Delivered { notice, .. }
            | Delivery::Undelivered { notice, .. } => Some(*notice),
            Delivery::Recorded => None,
        }
    }

    /// The entry that gave notice, while keysweep tries to deliver it.
    #[must_use]
    pub fn pending(&self) -> Option<u64> {
        match &self.delivery {
            Delivery::Pending { notice } => Some(*notice),
            Delivery::Recorded | Delivery::Delivered { .. } | Delivery::Undelivered { .. } => None,
        }
    }

    /// The entry that gave notice, if no channel has accepted it.
    #[must_use]
    pub fn undelivered(&self) -> Option<u64> {
        match &self.delivery {
            Delivery::Pending { notice } | Delivery::Undelivered { notice, .. } => Some(*notice),
            Delivery::Recorded | Delivery::Delivered { .. } => None,
        }
    }

    /// Its period begins: no date that it announced is earlier than the end of it.
    pub(super) fn deliver(&mut self, at: Timestamp, notice: u64, message: u64) {
        (self.deactivation, self.deletion) =
            postponed(self.deactivation, self.deletion, at, self.terms.notice);
        self.at = at;
        self.delivery = Delivery::Delivered { notice, message };
    }

    /// The furthest change that it announces.
    #[must_use]
    pub fn covers(&self) -> Planned {
        if self.deletion.is_some() { Planned::Delete } else { Planned::Deactivate }
    }

    /// The earliest time of a change that it announces; `None` if it does not announce it.
    #[must_use]
    pub fn not_before(&self, action: Planned) -> Option<Timestamp> {
        match action {
            Planned::Deactivate => self.deactivation,
            Planned::Delete => self.deletion,
        }
    }
}

/// A person's approval of one action on one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The sequence number of the entry that asked; 0 in a plan that is not journaled yet.
    pub number: u64,
    /// What is to be approved.
    pub action: Planned,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When the request expires.
    pub expires: Timestamp,
    /// How often it was asked again.
    pub repeats: u32,
    /// Why a person has to decide.
    pub why: String,
    /// What was shown with the request: the approval is void when it changes.
    pub shown: Shown,
    /// How many different people have to approve.
    #[serde(default = "one")]
    pub needed: u32,
    /// Whether the owner of the key may approve, too.
    #[serde(default)]
    pub by_owner: bool,
    /// Who approved so far, and when.
    #[serde(default)]
    pub granted: Vec<Granted>,
    /// Who is looking at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// Someone is looking at a request. Everyone else can still decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who.
    pub by: Actor,
    /// When the claim ends.
    pub until: Timestamp,
}

pub(crate) fn one() -> u32 {
    1
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Whether it was given as the owner of the key, without the role of an approver.
    #[serde(default)]
    pub as_owner: bool,
}

/// The facts that a request for approval shows, beside the identity of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The user's name.
    pub user_name: UserName,
    /// Why the key is stale.
    pub finding: FindingKind,
    /// Last use.
    pub last_use: LastUse,
    /// How many keys the user has.
    pub keys_of_user: u64,
    /// How often the key was reactivated after a deactivation.
    pub reactivated: u32,
    /// The owner of the key, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl Shown {
    /// What has changed, if anything that matters has: report and live answer may tell the same use a few minutes
    /// apart, and name its service differently.
    #[must_use]
    pub fn change_to(&self, now: &Self) -> Option<String> {
        let Self { user_name, finding, last_use, keys_of_user, reactivated, owner } = self;
        let known = |owner: &Option<String>| owner.clone().unwrap_or_else(|| "unknown".to_owned());
        let time = |last_use: &LastUse| last_use.at().map_or("never".to_owned(), |at| at.to_string());
        if !last_use.is_same_use(&now.last_use) {
            Some(format!("last use changed from {} to {}", time(last_use), time(&now.last_use)))
        } else if *reactivated != now.reactivated {
            Some("the key was reactivated since".to_owned())
        } else if *user_name != now.user_name {
            Some(format!("user {user_name} is called {} now", now.user_name))
        } else if *keys_of_user != now.keys_of_user {
            Some(format!("the user had {keys_of_user} keys and has {} now", now.keys_of_user))
        } else if *finding != now.finding {
            Some(format!("the finding was {finding} and is {} now", now.finding))
        } else if *owner != now.owner {
            Some(format!("the owner changed from {} to {}", known(owner), known(&now.owner)))
        } else {
            None
        }
    }
}

impl Record {
    /// The notice of the next change, or of the change under way.
    #[must_use]
    pub fn notice(&self) -> Option<&Notice> {
        match &self.state {
            State::Flagged(data) => data.notice.as_deref(),
            State::Deactivating(data) => data.flagged.notice.as_deref(),
            State::Deactivated(data) => data.notice.as_deref(),
            State::Deleting(data) => data.deactivated.notice.as_deref(),
            State::Active | State::Deleted(_) | State::Gone(_) => None,
        }
    }

    /// The request for approval of the next change, or of the change under way, with the answers.
    #[must_use]
    pub fn approval(&self) -> Option<&Approval> {
        match &self.state {
            State::Flagged(data) => data.approval.as_deref(),
            State::Deactivating(data) => data.flagged.approval.as_deref(),
            State::Deactivated(data) => data.approval.as_deref(),
            State::Deleting(data) => data.deactivated.approval.as_deref(),
            State::Active | State::Deleted(_) | State::Gone(_) => None,
        }
    }

    /// Whether the team was told that keysweep cannot notify anyone about the key. A delivered notice ends that.
    pub(crate) fn team_told(&self) -> bool {
        match &self.state {
            State::Flagged(data) => data.team_told,
            State::Deactivating(data) => data.flagged.team_told,
            State::Deactivated(data) => data.team_told,
            State::Deleting(data) => data.deactivated.team_told,
            State::Active | State::Deleted(_) | State::Gone(_) => false,
        }
    }

    /// Whether a notice or a request for approval says that the key may be a decoy: only `protect.notify` is told of it.
    #[must_use]
    pub fn may_be_decoy(&self) -> bool {
        let asked = |approval: &Approval| approval.why == Need::Honeytoken.to_string();
        self.past.decoy || self.approval().is_some_and(asked)
    }
}

impl Approval {
    /// Whether everybody has approved who has to.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        u32::try_from(self.granted.len()).is_ok_and(|given| given >= self.needed.max(1))
    }

    /// The approval that this person has given already, whatever way it came.
    #[must_use]
    pub fn given_by(&self, actor: &Actor) -> Option<&Granted> {
        self.granted.iter().find(|granted| granted.by.may_be(actor))
    }

    /// Who is looking at the request now.
    #[must_use]
    pub fn claimed(&self, now: Timestamp) -> Option<&Claim> {
        self.claim.as_ref().filter(|claim| now < claim.until)
    }

    /// A short hash of what was shown: who decides repeats it beside the number.
    #[must_use]
    pub fn hash(&self, identity: &KeyIdentity) -> String {
        let Shown { user_name, finding, last_use, keys_of_user, reactivated, owner } = &self.shown;
        let owner = owner.as_deref().unwrap_or_default();
        let KeyIdentity { account, user_id, key, created } = identity;
        let used = last_use.at().map_or("never".to_owned(), |at| at.to_string());
        let (number, action) = (self.number, self.action);
        short_hash(&format!(
            "{number}\n{action}\n{account}\n{user_id}\n{key}\n{created}\n{user_name}\n{finding}\n{used}\n{keys_of_user}\n{reactivated}\n{owner}"
        ))
    }
}

/// 32 bits of FNV-1a: it tells one request from another, and protects against mistakes alone.
fn short_hash(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{:08x}", (hash ^ (hash >> 32)) & 0xffff_ffff)
}
