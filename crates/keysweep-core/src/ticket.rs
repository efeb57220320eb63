//! Witness values: nobody can ask for a change without one.
//!
//! ```text
//! plan ──mints──> Ticket ──fresh facts, same decision──> Warrant ──Receipt: intent on disk──> Order ──consumed by the call
//!                                                  deletion: └──Receipt: evidence bundle on disk──┘
//! ```
//!
//! No field is public, nothing here is `Clone`, and the only constructors are those of the arrows above. So the
//! compiler holds four invariants: no change without a plan, none without a re-check, none without an intent of its
//! own in the journal, and no deletion without an evidence bundle of its own.
//!
//! ```compile_fail,E0382
//! # use keysweep_core::{state::Receipt, ticket::{Order, Warrant}};
//! fn orders(warrant: Warrant, intent: Receipt, another: Receipt) -> [Option<Order>; 2] {
//!     [warrant.recorded(intent).ok(), warrant.recorded(another).ok()]
//! }
//! ```

use serde::{Deserialize, Serialize};

use crate::ids::{KeyIdentity, UserName};
use crate::quarantine::{QuarantinePolicy, UserBefore};
use crate::state::{Actor, Receipt};

/// A change of one access key, or of what its user may do: one call to AWS.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    /// `AttachUserPolicy`: a policy that denies everything.
    Quarantine,
    /// `DetachUserPolicy`: the undo of the quarantine.
    EndQuarantine,
    /// `UpdateAccessKey` to Inactive.
    Deactivate,
    /// `UpdateAccessKey` to Active: the undo of the deactivation.
    Reactivate,
    /// `DeleteAccessKey`: final.
    Delete,
}

impl Action {
    /// Its name in metrics, JSON and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The planned change that it is, or is a step towards; none for an undo.
    #[must_use]
    pub fn planned(self) -> Option<Planned> {
        match self {
            Self::Quarantine | Self::Deactivate => Some(Planned::Deactivate),
            Self::Delete => Some(Planned::Delete),
            Self::EndQuarantine | Self::Reactivate => None,
        }
    }

    /// Whether it gives access back: nothing of ours stands in its way.
    #[must_use]
    pub fn is_undo(self) -> bool {
        self.planned().is_none()
    }
}

impl From<Planned> for Action {
    fn from(planned: Planned) -> Self {
        match planned {
            Planned::Deactivate => Self::Deactivate,
            Planned::Delete => Self::Delete,
        }
    }
}

/// A change that the policy plans: announced, approved, due, and under a cap. Never the undo.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Planned {
    /// `UpdateAccessKey` to Inactive.
    Deactivate,
    /// `DeleteAccessKey`: final.
    Delete,
}

impl Planned {
    /// Its name in metrics, JSON and messages: that of the [`Action`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Who wants a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The policy, in a sweep.
    Policy,
    /// An operator.
    Operator {
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
}

/// A user tag that exempts: IAM itself is asked to refuse the change where it is present.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExemptTag {
    /// Tag key.
    pub key: String,
    /// Glob for its value; `*` for any.
    pub value: String,
}

/// One change that a plan calls for.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    identity: KeyIdentity,
    action: Action,
    origin: Origin,
    why: String,
}

impl Ticket {
    pub(crate) fn mint(identity: KeyIdentity, action: Action, origin: Origin, why: String) -> Self {
        Self { identity, action, origin, why }
    }

    /// The key, and no other.
    #[must_use]
    pub fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    /// What is to be done.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// Who wants it.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The reason in words.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Turns the ticket into a warrant, on proof that the re-check agreed to it.
    ///
    /// # Errors
    /// Gives the ticket back if the re-check agreed to another change.
    pub fn agreed(self, agreement: Agreement) -> Result<Warrant, Box<Self>> {
        let Agreement { identity, action, user_name, exempt_tags, quarantine } = agreement;
        if identity == self.identity && action == self.action {
            Ok(Warrant { ticket: self, user_name, exempt_tags, quarantine, evidence: false })
        } else {
            Err(Box::new(self))
        }
    }
}

/// The answer of a re-check that agreed to a change.
#[derive(Debug, PartialEq, Eq)]
pub struct Agreement {
    identity: KeyIdentity,
    action: Action,
    user_name: UserName,
    exempt_tags: Vec<ExemptTag>,
    quarantine: Option<Box<Attachment>>,
}

impl Agreement {
    /// Only the re-check agrees.
    pub(crate) fn to(ticket: &Ticket, user_name: UserName, exempt_tags: Vec<ExemptTag>) -> Self {
        let (identity, action) = (ticket.identity.clone(), ticket.action);
        Self { identity, action, user_name, exempt_tags, quarantine: None }
    }

    /// The same, to attach this policy, or to detach it.
    pub(crate) fn with(self, quarantine: Attachment) -> Self {
        Self { quarantine: Some(Box::new(quarantine)), ..self }
    }
}

/// Which policy is attached to which user, or detached from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The policy.
    pub policy: QuarantinePolicy,
    /// What the user was like before it was attached.
    pub user_before: UserBefore,
}

/// A ticket that the re-check with fresh facts agreed to.
#[derive(Debug, PartialEq, Eq)]
pub struct Warrant {
    ticket: Ticket,
    user_name: UserName,
    exempt_tags: Vec<ExemptTag>,
    quarantine: Option<Box<Attachment>>,
    /// Whether the bundle of this deletion is in the journal.
    evidence: bool,
}

impl Warrant {
    /// The ticket, to be checked once more.
    #[must_use]
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// The key.
    #[must_use]
    pub fn identity(&self) -> &KeyIdentity {
        &self.ticket.identity
    }

    /// What is to be done.
    #[must_use]
    pub fn action(&self) -> Action {
        self.ticket.action
    }

    /// Who wants it.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.ticket.origin
    }

    /// The reason in words.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.ticket.why
    }

    /// The user's name as the re-check read it: calls take the name, not the ID.
    #[must_use]
    pub fn user_name(&self) -> &UserName {
        &self.user_name
    }

    /// The policy to attach or detach; none for a change of the key itself.
    #[must_use]
    pub fn quarantine(&self) -> Option<&Attachment> {
        self.quarantine.as_deref()
    }

    /// Tags under which IAM itself must refuse the change; empty for an undo, which nothing of ours blocks.
    #[must_use]
    pub fn exempt_tags(&self) -> &[ExemptTag] {
        &self.exempt_tags
    }

    /// Notes that the evidence bundle of this deletion is in the journal, and so on disk.
    ///
    /// # Errors
    /// Gives the warrant back if the receipt is that of another entry.
    pub fn evidenced(mut self, receipt: &Receipt) -> Result<Self, Box<Self>> {
        self.evidence = receipt.is_bundle_of(&self.ticket.identity);
        if self.evidence { Ok(self) } else { Err(Box::new(self)) }
    }

    /// Turns the warrant into the order for one call, on proof that its intent is in the journal and on disk.
    ///
    /// # Errors
    /// Gives the warrant back if the receipt is that of another entry, or a deletion has no evidence bundle.
    pub fn recorded(self, receipt: Receipt) -> Result<Order, Box<Self>> {
        let evidenced = self.evidence || self.ticket.action != Action::Delete;
        if evidenced && receipt.is_intent_of(&self.ticket.identity, self.ticket.action) {
            Ok(Order { warrant: self, intent: receipt.seq() })
        } else {
            Err(Box::new(self))
        }
    }
}

/// Permission for exactly one call. Sending consumes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    warrant: Warrant,
    intent: u64,
}

impl Order {
    /// The key.
    #[must_use]
    pub fn identity(&self) -> &KeyIdentity {
        self.warrant.identity()
    }

    /// What is to be done.
    #[must_use]
    pub fn action(&self) -> Action {
        self.warrant.action()
    }

    /// The user's name as the re-check read it.
    #[must_use]
    pub fn user_name(&self) -> &UserName {
        &self.warrant.user_name
    }

    /// Sequence number of the intent in the journal.
    #[must_use]
    pub fn intent(&self) -> u64 {
        self.intent
    }
}
