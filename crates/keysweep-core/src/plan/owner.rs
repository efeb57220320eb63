//! Keeps the owner of a key in line with what says to whom it belongs.

use std::sync::Arc;

use super::decide::{By, Look};
use crate::lifecycle::event::{KeyEvent, Note};
use crate::lifecycle::{Notice, Record};
use crate::owner::{Found, Owner, Traces};

use super::{Context, View};

/// The owner as the facts have it.
///
/// # Errors
/// What could not be read and would have had to be asked first.
pub(super) fn find_owner(
    context: &Context<'_>,
    record: Option<&Record>,
    view: &View<'_>,
) -> Result<Found, String> {
    let (account, facts) = (view.account, view.facts);
    let before = record.and_then(|record| record.owner.as_ref());
    let mut found = context.policy.owners.find(&Traces {
        account,
        key: &facts.key,
        user_tags: &facts.tags,
        creation: context.state.creation(account.id, &facts.key),
        before: before.map(Arc::as_ref),
    })?;
    // The same owner is kept once.
    found.owner = match (found.owner, before) {
        (Some(found), Some(before)) if found == *before => Some(Arc::clone(before)),
        (found, _) => found.map(|owner| context.state.shared_owner(owner)),
    };
    Ok(found)
}

impl Look<'_> {
    /// An owner who is not known now stays the one who was. An order names the key, and is for nobody to object to.
    pub(super) fn owner(&self, record: &Record) -> Option<KeyEvent> {
        let owner = &self.owner.as_ref().ok()?.owner;
        let decides = self.by == By::Policy && self.unknown.is_empty();
        let changed = decides && *owner != record.owner;
        changed.then(|| Note::OwnerFound { owner: owner.clone() }.into())
    }

    /// Why a notice does not count for the owner of the key: somebody else was told, or nobody could be.
    pub(super) fn told_another(&self, record: &Record, notice: &Notice) -> Option<String> {
        if notice.decoy {
            let told = "only protect.notify was told, and the key is no longer considered a honeytoken";
            return (!self.is_for_protect(record)).then(|| told.to_owned());
        }
        // The last owner who was told may still object.
        let owner = told(record.owner.as_deref())?;
        match &notice.owner {
            Some(told) if told.to_lowercase() == owner.to_lowercase() => None,
            Some(told) => Some(format!("the owner changed from {told} to {owner}")),
            None => Some(format!(
                "the previous notice was recorded before keysweep could contact the owner, {owner}"
            )),
        }
    }
}

/// The name of an owner, as requests for approval keep it.
pub(super) fn name(owner: Option<&Owner>) -> Option<String> {
    owner.map(|owner| owner.name.clone())
}

/// The name of an owner, as notices keep it: nobody is told whom keysweep cannot contact.
pub(super) fn told(owner: Option<&Owner>) -> Option<String> {
    name(owner.filter(|owner| owner.contact.is_reachable()))
}
