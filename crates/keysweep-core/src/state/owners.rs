//! Owners, each kept once: an organization has a few thousand of them, and tens of thousands of keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::owner::Owner;

/// So many are kept before any is looked at again.
const AT_LEAST: usize = 1024;

/// The owners of all records. Some may have no key any more: they are dropped once there are twice as many owners.
#[derive(Debug, Clone, Default)]
pub(super) struct Owners {
    kept: BTreeSet<Arc<Owner>>,
    tidied: usize,
}

impl Owners {
    /// The same owner, as it is kept already; otherwise this one.
    pub(super) fn known(&self, owner: Arc<Owner>) -> Arc<Owner> {
        self.kept.get(&owner).map_or(owner, Arc::clone)
    }

    /// The same owner, kept from now on.
    pub(super) fn keep(&mut self, owner: Arc<Owner>) -> Arc<Owner> {
        if let Some(kept) = self.kept.get(&owner) {
            return Arc::clone(kept);
        }
        self.kept.insert(Arc::clone(&owner));
        if self.kept.len() > (2 * self.tidied).max(AT_LEAST) {
            self.kept.retain(|owner| Arc::strong_count(owner) > 1);
            self.tidied = self.kept.len();
        }
        owner
    }
}

/// What is kept once says nothing about a state: the owners are in its records.
impl PartialEq for Owners {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Owners {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::{Confidence, Contact, OwnerSource};

    fn mk_owner(number: usize) -> Arc<Owner> {
        Arc::new(Owner {
            name: format!("owner-{number}"),
            source: OwnerSource::UserTags,
            confidence: Confidence::High,
            contact: Contact::default(),
            listed: None,
            left: None,
        })
    }

    #[test]
    fn the_same_owner_is_kept_once_and_another_is_another() {
        let mut owners = Owners::default();
        let first = owners.keep(mk_owner(1));
        assert!(Arc::ptr_eq(&first, &owners.keep(mk_owner(1))));
        assert!(Arc::ptr_eq(&first, &owners.known(mk_owner(1))));
        let elsewhere = Owner { confidence: Confidence::Low, ..Owner::clone(&first) };
        assert_eq!(*owners.known(Arc::new(elsewhere.clone())), elsewhere);
        assert_eq!(owners.kept.len(), 1, "looking keeps nothing");
    }

    #[test]
    fn owners_of_no_key_are_dropped() {
        let mut owners = Owners::default();
        let of_keys: Vec<_> = (0..10).map(|number| owners.keep(mk_owner(number))).collect();
        for number in 0..10 * AT_LEAST {
            owners.keep(mk_owner(number));
        }
        assert!(owners.kept.len() <= AT_LEAST, "{}", owners.kept.len());
        for owner in of_keys {
            assert!(Arc::ptr_eq(&owner, &owners.known(Arc::new(Owner::clone(&owner)))));
        }
    }
}
