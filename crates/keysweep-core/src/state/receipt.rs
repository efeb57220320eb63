//! Proof that an entry is in the journal.

use crate::ids::KeyIdentity;
use crate::lifecycle::StateName;
use crate::ticket::Action;

/// An entry that can happen and that is in no journal yet. A store turns it into a [`Receipt`].
#[derive(Debug, PartialEq, Eq)]
pub struct Unwritten(Receipt);

impl Unwritten {
    pub(super) fn new(seq: u64) -> Self {
        Self(Receipt { seq, intent: None, bundle: None, transition: None })
    }

    /// Notes that the entry is the intent to make this change.
    pub(super) fn is_intent(&mut self, identity: KeyIdentity, action: Action) {
        self.0.intent = Some((identity, action));
    }

    /// Notes that the entry tells of the evidence bundle for the deletion of this key.
    pub(super) fn is_bundle(&mut self, identity: KeyIdentity) {
        self.0.bundle = Some(identity);
    }

    /// Notes that the entry leads from one base state to another.
    pub(super) fn leads(&mut self, from: StateName, to: StateName) {
        self.0.transition = Some((from, to));
    }

    /// The proof that the entry is written. For a store alone, once the line is on disk: clippy bans it elsewhere.
    #[must_use]
    pub fn written(self) -> Receipt {
        self.0
    }
}

/// Proof that an entry is in the journal and on disk. Only a store makes one, of an [`Unwritten`] entry.
///
/// It is used up where it permits something, so that one intent permits one call:
///
/// ```
/// # use keysweep_core::{state::Receipt, ticket::{Order, Warrant}};
/// fn order(warrant: Warrant, intent: Receipt) -> Option<Order> {
///     warrant.recorded(intent).ok()
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use keysweep_core::{state::Receipt, ticket::{Order, Warrant}};
/// fn orders(warrant: Warrant, another: Warrant, intent: Receipt) -> [Option<Order>; 2] {
///     [warrant.recorded(intent).ok(), another.recorded(intent).ok()]
/// }
/// ```
///
/// Nor is there another way to get a second one:
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<keysweep_core::state::Receipt>();
/// ```
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<keysweep_core::state::Unwritten>();
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    seq: u64,
    intent: Option<(KeyIdentity, Action)>,
    bundle: Option<KeyIdentity>,
    transition: Option<(StateName, StateName)>,
}

impl Receipt {
    /// Sequence number of the entry.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The base state left and the base state entered, where they differ.
    #[must_use]
    pub fn transition(&self) -> Option<(StateName, StateName)> {
        self.transition
    }

    pub(crate) fn is_bundle_of(&self, identity: &KeyIdentity) -> bool {
        self.bundle.as_ref() == Some(identity)
    }

    pub(crate) fn is_intent_of(&self, identity: &KeyIdentity, action: Action) -> bool {
        self.intent.as_ref().is_some_and(|(i, a)| i == identity && *a == action)
    }
}
