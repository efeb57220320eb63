//! Use over time: what the people and programs of the organization do by themselves.
//!
//! Nothing runs in the background. Whenever the world is touched, everything that is due by its clock is done first,
//! in order.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::key_use::KeyUse;
use crate::ledger::Change;
use crate::world::{Actor, World};

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are what their names say: ids, names and AWS's words")]
pub enum Happening {
    /// A program uses a key. Fails, and is written down as missed, when the key is not Active.
    UseKey { key_id: String, service: String, region: String },
    /// The same in every detail that CloudTrail shows.
    Use(KeyUse),
    /// Somebody sets a key Active or Inactive.
    SetKeyStatus { key_id: String, status: String },
    /// Somebody deletes a key.
    DeleteKey { key_id: String },
    /// Somebody makes a key; without an id one is minted.
    CreateKey { account: String, user: String, key_id: Option<String> },
    /// Somebody makes a user.
    CreateUser { account: String, name: String, path: String },
    /// Somebody deletes a user.
    DeleteUser { account: String, user: String },
    /// Somebody renames a user (given by name or unique id).
    RenameUser { account: String, user: String, to: String },
    /// Somebody tags a user (given by name or unique id).
    TagUser { account: String, user: String, key: String, value: String },
    /// Somebody removes a tag.
    UntagUser { account: String, user: String, key: String },
    /// Somebody attaches a managed policy.
    AttachPolicy { account: String, user: String, arn: String },
    /// A managed policy is taken off.
    DetachPolicy { account: String, user: String, arn: String },
    /// An administrator moves an account below another OU, made if needed.
    MoveAccount { account: String, ou: String },
    /// An administrator suspends, closes or reopens an account.
    SetAccountState { account: String, state: String },
    /// An administrator removes a role, given by name with path.
    RemoveRole { account: String, role: String },
}

/// What a watch waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// The key takes this status, by whomever.
    KeyStatus {
        /// The key.
        key_id: String,
        /// `Inactive`, `Active`.
        status: String,
    },
    /// A managed policy is attached to the user.
    PolicyAttached {
        /// The user's unique id.
        user_id: String,
    },
    /// The key is deleted.
    KeyDeleted {
        /// The key.
        key_id: String,
    },
}

/// A happening that waits for its time.
#[derive(Debug, Clone)]
pub(crate) struct Scheduled {
    pub(crate) at: Timestamp,
    pub(crate) number: u64,
    pub(crate) who: String,
    pub(crate) what: Happening,
    pub(crate) again: Option<Again>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Again {
    pub(crate) every: SignedDuration,
    pub(crate) until: Option<Timestamp>,
}

/// A happening that waits for a change; it is told once.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) trigger: Trigger,
    pub(crate) delay: SignedDuration,
    pub(crate) who: String,
    pub(crate) what: Happening,
}

impl Scheduled {
    fn order(&self) -> (Timestamp, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl Trigger {
    fn fired_by(&self, change: &Change) -> bool {
        match self {
            Self::KeyStatus { key_id, status } => {
                change.action == "iam:UpdateAccessKey"
                    && change.key_id.as_ref() == Some(key_id)
                    && change.new.as_ref() == Some(status)
                    && change.old != change.new
            }
            Self::PolicyAttached { user_id } => {
                change.action == "iam:AttachUserPolicy" && change.user_id.as_ref() == Some(user_id)
            }
            Self::KeyDeleted { key_id } => {
                change.action == "iam:DeleteAccessKey" && change.key_id.as_ref() == Some(key_id)
            }
        }
    }
}

impl World {
    pub(crate) fn schedule(&mut self, at: Timestamp, who: &str, what: Happening, again: Option<Again>) {
        let number = self.next_number();
        self.scheduled.push(Reverse(Scheduled { at, number, who: who.to_owned(), what, again }));
    }

    /// Does everything that is due.
    pub(crate) fn settle(&mut self) {
        self.receive_late();
        let now = self.now();
        while self.scheduled.peek().is_some_and(|Reverse(next)| next.at <= now) {
            let Some(Reverse(due)) = self.scheduled.pop() else { return };
            self.moment = Some(due.at);
            self.happen(due.at, &due.who, &due.what);
            self.moment = None;
            let Some(again) = due.again.filter(|again| again.every > SignedDuration::ZERO) else { continue };
            if let Ok(at) = due.at.checked_add(again.every)
                && again.until.is_none_or(|until| at <= until)
            {
                self.scheduled.push(Reverse(Scheduled { at, ..due }));
            }
        }
    }

    /// Called for every change that took effect: starts what waited for it.
    pub(crate) fn wake(&mut self, change: &Change) {
        if self.watches.is_empty() {
            return;
        }
        let (fired, waiting) = std::mem::take(&mut self.watches)
            .into_iter()
            .partition::<Vec<_>, _>(|watch| watch.trigger.fired_by(change));
        self.watches = waiting;
        for watch in fired {
            let at = change.at.checked_add(watch.delay).unwrap_or(Timestamp::MAX);
            self.schedule(at, &watch.who, watch.what, None);
        }
    }

    /// Does one thing now. Where it cannot be done any more, the ledger says so.
    pub(crate) fn happen(&mut self, at: Timestamp, who: &str, what: &Happening) {
        let actor = Actor::script(who);
        let named = |world: &Self, account: &str, user: &str| {
            let found = world.accounts.get(account).and_then(|account| account.user_name(user));
            found.map_or_else(|| user.to_owned(), |name| name.to_string())
        };
        // Refusals are in the ledger; a script has nobody to tell.
        let _refused = match what {
            Happening::UseKey { key_id, service, region } => {
                self.use_key(&KeyUse::new(key_id, service, region), at);
                Ok(())
            }
            Happening::Use(used) => {
                self.use_key(used, at);
                Ok(())
            }
            Happening::SetKeyStatus { key_id, status } => {
                let (account, user) = self.home_of(key_id);
                self.set_key_status(&account, &user, key_id, status, &actor)
            }
            Happening::DeleteKey { key_id } => {
                let (account, user) = self.home_of(key_id);
                self.delete_key(&account, &user, key_id, &actor)
            }
            Happening::CreateKey { account, user, key_id } => {
                let user = named(self, account, user);
                self.create_key(account, &user, key_id.as_deref(), true, &actor).map(|_| ())
            }
            Happening::CreateUser { account, name, path } => {
                self.create_user(account, name, path, BTreeMap::new(), &actor)
            }
            Happening::DeleteUser { account, user } => {
                let user = named(self, account, user);
                self.delete_user(account, &user, &actor)
            }
            Happening::RenameUser { account, user, to } => {
                let user = named(self, account, user);
                self.update_user(account, &user, Some(to), None, &actor)
            }
            Happening::TagUser { account, user, key, value } => {
                let user = named(self, account, user);
                let shown = json!({ "tags": [{ "key": key, "value": value }] });
                self.alter_user(account, &user, ("iam:TagUser", shown), &actor, |user| {
                    user.tags.insert(key.clone(), value.clone());
                    Ok(())
                })
            }
            Happening::UntagUser { account, user, key } => {
                let user = named(self, account, user);
                let shown = json!({ "tagKeys": [key] });
                self.alter_user(account, &user, ("iam:UntagUser", shown), &actor, |user| {
                    user.tags.remove(key);
                    Ok(())
                })
            }
            Happening::AttachPolicy { account, user, arn } => {
                let user = named(self, account, user);
                let shown = json!({ "policyArn": arn });
                self.alter_user(account, &user, ("iam:AttachUserPolicy", shown), &actor, |user| {
                    user.attached.push(arn.clone());
                    Ok(())
                })
            }
            Happening::DetachPolicy { account, user, arn } => {
                let user = named(self, account, user);
                let shown = json!({ "policyArn": arn });
                self.alter_user(account, &user, ("iam:DetachUserPolicy", shown), &actor, |user| {
                    user.attached.retain(|own| own != arn);
                    Ok(())
                })
            }
            Happening::MoveAccount { account, ou } => self.move_account(account, ou, &actor),
            Happening::SetAccountState { account, state } => self.set_account_state(account, state, &actor),
            Happening::RemoveRole { account, role } => self.remove_role(account, role, &actor),
        };
    }

    fn home_of(&self, key_id: &str) -> (String, String) {
        let home = self.keys.get(key_id);
        home.map(|home| (home.account.to_string(), home.user.to_string())).unwrap_or_default()
    }
}
