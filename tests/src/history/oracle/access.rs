//! Who may do what, and what the journal says of who did it.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::judge::{Case, Verdict, fresh};
use super::{DEACTIVATE, DELETE, Inner, Oracle, is_undo};
use crate::history::cast::{Person, Role, Scope};
use crate::history::organization::is_tagged;

/// A sweep may take six hours, and what it knows of OUs an hour more.
const OLDEST_SIGHT: SignedDuration = SignedDuration::from_hours(8);

/// Whether somebody may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum May {
    No,
    /// It depends on when keysweep last looked.
    Perhaps,
    Yes,
}

/// Who is named by an entry.
pub(super) enum Doer<'a> {
    Keysweep,
    /// Someone with a link that was sent to this owner.
    Link(&'a str),
    Person(Person),
    Nobody,
}

/// What an entry about a key requires of who caused it.
enum Required {
    Role(Role),
    /// The role, or to be the owner of the key.
    OrOwner(Role),
}

impl Oracle {
    /// Whether somebody holds a role in an account.
    pub(crate) fn holds(&self, person: &Person, role: Role, account: &str) -> May {
        self.locked().holds(person, role, account)
    }

    /// Whether somebody may decide on requests about a key.
    pub(crate) fn decides(&self, person: &Person, account: &str, key: &str) -> May {
        let inner = self.locked();
        let owns = if inner.owns(person, key) { May::Yes } else { May::No };
        owns.max(inner.holds(person, Role::Approver, account))
    }

    /// Whose a key is, as far as keysweep has written it down.
    pub(crate) fn owner_of(&self, key: &str) -> Option<String> {
        self.locked().owner_of.get(key).cloned().flatten()
    }

    /// Whether somebody may see a key.
    pub(crate) fn sees(&self, person: &Person, account: &str, key: &str) -> May {
        let inner = self.locked();
        let owns = if inner.owns(person, key) { May::Yes } else { May::No };
        owns.max(inner.holds(person, Role::Viewer, account))
    }
}

impl Inner {
    pub(super) fn doer<'a>(&self, line: &'a Value) -> Doer<'a> {
        let Some(actor) = line.get("actor") else { return Doer::Nobody };
        if actor == "keysweep" {
            return Doer::Keysweep;
        }
        let text = |path: &str| line.pointer(path).and_then(Value::as_str);
        if let Some(owner) = text("/actor/link/owner") {
            return Doer::Link(owner);
        }
        let id = text("/actor/oidc/subject").or(text("/actor/slack/id"));
        let name = text("/actor/local/user")
            .or(text("/actor/token/name"))
            .or(text("/actor/oidc/name"))
            .or(text("/actor/slack/name"));
        let known = name.and_then(|name| self.rules.cast.known(id, name));
        known.map_or(Doer::Nobody, |person| Doer::Person(person.clone()))
    }

    pub(super) fn holds(&self, person: &Person, role: Role, account: &str) -> May {
        let here = person.roles.iter().filter(|(held, _)| *held >= role).map(|(_, scope)| match scope {
            Scope::Whole => May::Yes,
            Scope::Accounts(accounts) if accounts.iter().any(|id| id == account) => May::Yes,
            Scope::Tagged if is_tagged(account) => May::Perhaps,
            Scope::Ou(_) if self.may_seem_in_ou(account) => May::Perhaps,
            Scope::Accounts(_) | Scope::Tagged | Scope::Ou(_) => May::No,
        });
        here.max().unwrap_or(May::No)
    }

    /// Whether the account is in the OU that rules may exempt, or was when keysweep last looked.
    fn may_seem_in_ou(&self, account: &str) -> bool {
        let looked = self.last_sweep.unwrap_or(Timestamp::MIN);
        let oldest = looked.checked_sub(OLDEST_SIGHT).unwrap_or(Timestamp::MIN);
        self.placed.get(account).is_none_or(|(since, in_it)| *in_it || *since > oldest)
    }

    /// Whether somebody is the owner of a key, as far as keysweep has written it down.
    pub(super) fn owns(&self, person: &Person, key: &str) -> bool {
        let owner = self.owner_of.get(key).and_then(Option::as_ref);
        owner.zip(person.email.as_ref()).is_some_and(|(owner, email)| owner.eq_ignore_ascii_case(email))
    }

    /// Nobody wrote an entry whose role does not permit it.
    pub(super) fn by_person(&mut self, line: &Value) {
        // The head of a segment, and a snapshot.
        if line.get("seq").is_none() {
            return;
        }
        let person = match self.doer(line) {
            Doer::Keysweep | Doer::Link(_) => return,
            Doer::Nobody => return self.broken("access", format!("nobody knows who did this: {line}")),
            Doer::Person(person) => person,
        };
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let (account, key) = (text("account_id"), text("access_key_id"));
        let may = match (text("kind"), required(text("event"), text("action"))) {
            ("key" | "change_failed", Required::Role(role)) => self.holds(&person, role, account),
            ("key" | "change_failed", Required::OrOwner(role)) => {
                let owns = if self.owns(&person, key) { May::Yes } else { May::No };
                owns.max(self.holds(&person, role, account))
            }
            ("account_unparked", _) => self.holds(&person, Role::Operator, account),
            // Everything else is about the whole organization.
            _ if person.holds(Role::Operator) => May::Yes,
            _ => May::No,
        };
        if may == May::No {
            self.broken("access", format!("{} may not do this: {line}", person.name));
        }
    }

    /// A link can only hold back or undo what keysweep did by itself, and only for the present owner.
    pub(super) fn by_link(&mut self, line: &Value) {
        let Doer::Link(recipient) = self.doer(line) else { return };
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let (event, key) = (text("event"), text("access_key_id"));
        let undoes = event == "intent" && is_undo(text("action"));
        if !BY_LINK.contains(&event) || (event == "intent" && !undoes) {
            self.broken("link", format!("a link led to more than it may: {line}"));
        }
        let owner = self.owner_of.get(key).and_then(Option::as_ref);
        let same = owner.is_some_and(|owner| owner.eq_ignore_ascii_case(recipient));
        // What follows an intent is written later.
        let begins = undoes || matches!(event, "hold_placed" | "no_longer_needed");
        if begins && text("action") != super::END_QUARANTINE && !same {
            let what = format!("a link to {recipient} counts, and the key belongs to {owner:?}: {line}");
            self.broken("link", what);
        }
        if undoes && self.by_name.contains(key) {
            self.broken("link", format!("a link undoes what a person ordered: {line}"));
        }
        if undoes && self.marked.contains(key) {
            self.broken("link", format!("a link undoes although AWS marked the user: {line}"));
        }
    }

    /// What AWS has marked is not undone by a link, as far as the marks were there when the user was read.
    pub(super) fn linked_undo(&self, case: &Case<'_>) -> Verdict {
        if self.undone_by_link.as_deref() != Some(case.key) {
            return Ok(());
        }
        let read = self.seen.users.get(&case.of_user());
        let user = fresh(read, case, "its user was not read")?;
        let marked = self.incidents.get(&user.user_id);
        if marked.is_some_and(|since| read.is_some_and(|read| *since <= read.at)) {
            return Err(("link", "AWS has marked its user, and a link gives access back".into()));
        }
        Ok(())
    }

    /// What is to be remembered of who did something, and whose a key is.
    pub(super) fn remember_people(&mut self, line: &Value) {
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let key = || text("access_key_id").to_owned();
        match (text("kind"), text("event")) {
            ("key", "owner_found") => {
                let name = line.pointer("/owner/name").and_then(Value::as_str).map(str::to_owned);
                self.owner_of.insert(key(), name);
            }
            ("key", "forgotten") => {
                self.owner_of.remove(text("access_key_id"));
            }
            ("key", "incident_began") => {
                self.marked.insert(key());
            }
            ("key", "incident_ended") => {
                self.marked.remove(text("access_key_id"));
            }
            ("key", "intent") if is_undo(text("action")) => {
                let by_link = matches!(self.doer(line), Doer::Link(_));
                self.undone_by_link = by_link.then(key);
            }
            ("key", "intent") if text("action") == DEACTIVATE => {
                match self.doer(line) {
                    Doer::Person(_) => self.by_name.insert(key()),
                    Doer::Keysweep | Doer::Link(_) | Doer::Nobody => {
                        self.by_name.remove(text("access_key_id"))
                    }
                };
            }
            _ => {}
        }
    }
}

/// What a link may have written to the journal: what holds back or undoes, and what came of it.
const BY_LINK: [&str; 10] = [
    "hold_placed",
    "no_longer_needed",
    "intent",
    "accepted",
    "undone",
    "quarantine_ended",
    "reactivated",
    "refused",
    "unclear",
    "activity_seen",
];

/// The least that an entry about a key requires.
fn required(event: &str, action: &str) -> Required {
    match event {
        "approved" | "denied" | "claimed" => Required::OrOwner(Role::Approver),
        "intent" if matches!(action, DEACTIVATE | DELETE) => Required::Role(Role::Operator),
        "forgotten" | "reactivations_cleared" => Required::Role(Role::Operator),
        _ => Required::Role(Role::Approver),
    }
}
