//! What comes next, the most urgent first.

use jiff::Timestamp;
use keysweep_core::facts::Collection;
use keysweep_core::plan::{Plan, PlannedKey};
use keysweep_core::render::{NextAction, is_incident, next_action};

use super::words::moment;

/// Rows on the page: the rest are counted, and listed by `keysweep plan`.
const ROWS: usize = 20;

/// What comes next.
pub(super) struct Actions {
    /// The most urgent.
    pub(super) rows: Vec<Row>,
    /// How many more there are.
    pub(super) more: usize,
}

/// One key.
pub(super) struct Row {
    pub(super) action: &'static str,
    pub(super) when: String,
    pub(super) account: String,
    pub(super) account_name: String,
    pub(super) user: String,
    pub(super) key: String,
    pub(super) why: String,
}

/// What comes next by a plan on what the last sweep saw. Keys of which nothing comes next are left out.
pub(super) fn actions(now: Timestamp, plan: &Plan, collection: &Collection) -> Actions {
    let mut next: Vec<_> = plan
        .keys
        .iter()
        .filter_map(|key| {
            let (action, at, why) = next_action(now, &key.next);
            let rank = if is_incident(key) { 0 } else { 1 + rank(now, action, at)? };
            // Without a time it comes last among its own; the key ID makes the order complete.
            Some(((rank, at.is_none(), at, &key.facts.key), key, action, at, why))
        })
        .collect();
    next.sort_by_key(|(order, ..)| *order);
    let more = next.len().saturating_sub(ROWS);
    let rows = next
        .into_iter()
        .take(ROWS)
        .map(|(_, key, action, at, why)| row(now, collection, key, action, at, why));
    Actions { rows: rows.collect(), more }
}

fn rank(now: Timestamp, action: NextAction, at: Option<Timestamp>) -> Option<u8> {
    match action {
        NextAction::Quarantine | NextAction::Deactivate | NextAction::Delete
            if at.is_some_and(|at| at <= now) =>
        {
            Some(0)
        }
        NextAction::Approval => Some(1),
        NextAction::Quarantine | NextAction::Deactivate | NextAction::Delete => Some(2),
        NextAction::Notice => Some(3),
        NextAction::Wait => Some(4),
        NextAction::None => None,
    }
}

fn row(
    now: Timestamp,
    collection: &Collection,
    key: &PlannedKey,
    action: NextAction,
    at: Option<Timestamp>,
    why: String,
) -> Row {
    let account = collection.accounts.get(key.account).map(|(account, _)| account);
    Row {
        action: if is_incident(key) { "incident" } else { action.as_str() },
        when: match at {
            Some(at) if at <= now => "now".to_owned(),
            Some(at) => moment(now, at),
            None => String::new(),
        },
        account: key.facts.account.to_string(),
        account_name: account.map(|account| account.name.clone()).unwrap_or_default(),
        user: key.facts.user_name.to_string(),
        key: key.facts.key.to_string(),
        why,
    }
}
