//! Matching the slots of a report row with the keys of its user.

use jiff::Timestamp;
use keysweep_core::facts::{Fact, KeyStatus, LastUse};

use super::{Row, Slot};
use crate::reader::ListedKey;

/// The last use of each key, in the order given, where the report tells it without doubt.
///
/// A report carries no key IDs, so a slot is matched by date: without doubt means that the user has at most two
/// keys, exactly one slot was rotated in the second in which the key was created, exactly one key was created in
/// that second, the statuses agree, and the report knows the last use. Everything else is `None` and needs
/// `GetAccessKeyLastUsed`.
#[must_use]
pub fn join(row: &Row, keys: &[ListedKey]) -> Vec<Option<LastUse>> {
    keys.iter()
        .map(|key| if row.more_than_two || keys.len() > 2 { None } else { told(row, keys, key) })
        .collect()
}

fn told(row: &Row, keys: &[ListedKey], key: &ListedKey) -> Option<LastUse> {
    let same_second = |at: Timestamp| at.as_second() == key.created.as_second();
    if keys.iter().filter(|other| same_second(other.created)).count() != 1 {
        return None;
    }
    let mut slots = row.slots.iter().filter(|slot| slot.last_rotated.is_some_and(same_second));
    match (slots.next(), slots.next()) {
        (Some(slot), None) if agrees(slot, &key.status) => match &slot.last_used {
            Fact::Known(last_use) => Some(last_use.clone()),
            Fact::Unknown(_) | Fact::NotRead => None,
        },
        (Some(_), _) | (None, _) => None,
    }
}

fn agrees(slot: &Slot, status: &KeyStatus) -> bool {
    match status {
        KeyStatus::Active => slot.active,
        KeyStatus::Inactive => !slot.active,
        KeyStatus::Other(_) => false,
    }
}
