//! Requests for approval, and whose approvals count.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::access::{Doer, May};
use super::judge::{CLOSE, Case, Verdict, fresh};
use super::{DEACTIVATE, DELETE, Inner};
use crate::history::cast::{Person, Role, Scope};
use crate::history::rules::Rules;

/// A request that is asked, with who has approved it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    number: u64,
    action: &'static str,
    by_owner: bool,
    expires: Option<Timestamp>,
    user_name: String,
    last_use: Option<Timestamp>,
    keys_of_user: Option<u64>,
    owner: Option<String>,
    approvals: Vec<Given>,
}

/// An approval.
#[derive(Debug, Clone)]
struct Given {
    by: Person,
    as_owner: bool,
}

fn action_of(line: &Value) -> &'static str {
    match line.get("action").and_then(Value::as_str) {
        Some("deactivate") => DEACTIVATE,
        Some("delete") => DELETE,
        _ => "",
    }
}

impl Request {
    /// As the journal asks.
    fn asked(line: &Value) -> Self {
        let text = |path: &str| line.pointer(path).and_then(Value::as_str);
        let date = |path: &str| text(path).and_then(|date| date.parse().ok());
        Self {
            number: line.get("seq").and_then(Value::as_u64).unwrap_or_default(),
            action: action_of(line),
            by_owner: line.get("by_owner").and_then(Value::as_bool).unwrap_or_default(),
            expires: date("/expires"),
            user_name: text("/shown/user_name").unwrap_or_default().to_owned(),
            last_use: date("/shown/last_use/at/at"),
            keys_of_user: line.pointer("/shown/keys_of_user").and_then(Value::as_u64),
            owner: text("/shown/owner").map(str::to_owned),
            approvals: Vec::new(),
        }
    }
}

impl Inner {
    /// Whether the approval of such a key is for others than its owner, whatever the rules say.
    fn protected(&self, key: &str, user: &str) -> bool {
        // Rotating these is a matter of mail servers.
        user.to_lowercase().starts_with("ses-smtp-user.") || self.woken.contains(key)
    }

    pub(super) fn remember_request(&mut self, key: &str, line: &Value) {
        match line.get("event").and_then(Value::as_str).unwrap_or_default() {
            "approval_asked" => {
                self.requests.insert(key.to_owned(), Request::asked(line));
            }
            "approved" => {
                let Doer::Person(by) = self.doer(line) else { return };
                let as_owner = line.get("as_owner").and_then(Value::as_bool).unwrap_or_default();
                let number = line.get("request").and_then(Value::as_u64);
                let request = self.requests.get_mut(key);
                if let Some(request) = request.filter(|request| Some(request.number) == number) {
                    request.approvals.push(Given { by, as_owner });
                }
            }
            // Denied, answered by nobody, void, or about a change that is over.
            "denied"
            | "approval_voided"
            | "approval_unanswered"
            | "notice_voided"
            | "cleared"
            | "reactivated"
            | "undone"
            | "absent"
            | "forgotten"
            | "deleted"
            | "deactivated"
            | "used_in_quarantine" => {
                self.requests.remove(key);
            }
            _ => {}
        }
    }

    /// P2: whoever approves may, answers what is asked, in time, and once.
    pub(super) fn approved_rightly(&mut self, line: &Value) {
        if let Err((promise, what)) = self.judge_approval(line) {
            self.broken(promise, format!("{what}: {line}"));
        }
    }

    fn judge_approval(&mut self, line: &Value) -> Verdict {
        let Doer::Person(person) = self.doer(line) else {
            return Err(("P2", "no person approved this".into()));
        };
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let (account, key) = (text("account_id"), text("access_key_id"));
        let number = line.get("request").and_then(Value::as_u64);
        let request = self.requests.get(key).filter(|request| Some(request.number) == number);
        let request = request.filter(|request| request.action == action_of(line));
        let request = request.ok_or(("P2", "this is not asked".to_owned()))?;
        let at = text("at").parse::<Timestamp>().ok();
        if at >= request.expires {
            return Err(("P2", format!("the request expired at {:?}", request.expires)));
        }
        if request.approvals.iter().any(|given| given.by == person) {
            return Err(("P2", format!("{} approved it already", person.name)));
        }
        if request.action == DELETE && line.pointer("/actor/slack").is_some() {
            return Err(("access", "a deletion was approved in Slack".into()));
        }
        let by_role = self.holds(&person, Role::Approver, account) != May::No;
        let as_owner = line.get("as_owner").and_then(Value::as_bool).unwrap_or_default();
        if as_owner {
            if !request.by_owner || self.protected(key, &request.user_name) {
                return Err(("access", "its owner may not approve it".into()));
            }
            if !self.owns(&person, key) {
                return Err(("access", format!("it does not belong to {}", person.name)));
            }
            self.tally.add("approved by an owner");
        } else if !by_role {
            return Err(("access", format!("{} is no approver of it", person.name)));
        } else if !person.holds(Role::Approver) {
            self.tally.add("approved within a scope");
        }
        if !request.approvals.is_empty() {
            self.tally.add("approved by a second person");
        }
        Ok(())
    }

    /// P2: enough people approved just this, and what they were shown is still so.
    pub(super) fn consented(&self, case: &Case<'_>, rules: &Rules) -> Verdict {
        let action = if case.action == DELETE { DELETE } else { DEACTIVATE };
        let asks = if action == DELETE { rules.approve_delete } else { rules.approve_deactivate };
        let protected = self.protected(case.key, case.user);
        if !asks && !protected {
            return Ok(());
        }
        let request = self.requests.get(case.key).filter(|request| request.action == action);
        let request = request.ok_or(("P2", "nobody approved it".to_owned()))?;
        // An order is for nobody to object to: its owner is whoever was known before.
        let tagged =
            fresh(self.seen.users.get(&case.of_user()), case, "its user was not read")?.owner.as_ref();
        let of_account = || rules.owners.then(|| format!("aws+{}@example.com", case.account));
        let owner = match case.ordered {
            true => self.owner_of.get(case.key).cloned().flatten(),
            false => tagged.filter(|_| rules.owners).cloned().or_else(of_account),
        };
        let counts = |given: &&Given| {
            let owns = given.by.email.is_some() && given.by.email == owner;
            let by_owner = rules.owner_approves && !protected && owns;
            if given.as_owner { by_owner } else { self.may_have_held(&given.by, case.account) }
        };
        let people: BTreeSet<&str> =
            request.approvals.iter().filter(counts).map(|given| given.by.name.as_str()).collect();
        if people.len() < rules.approvals_needed {
            let (given, needed) = (people.len(), rules.approvals_needed);
            let from = request.approvals.len();
            return Err(("P2", format!("nobody approved it: {given} of {needed} people, from {from}")));
        }
        let shown = |what: &str, then: &dyn std::fmt::Debug, now: &dyn std::fmt::Debug| {
            Err(("P2", format!("approved was one whose {what} is {then:?}, and now it is {now:?}")))
        };
        if request.user_name != case.user {
            return shown("user", &request.user_name, &case.user);
        }
        if request.owner != owner {
            return shown("owner", &request.owner, &owner);
        }
        let listed = fresh(self.seen.keys.get(&case.of_user()), case, "its keys were not listed")?;
        let keys = u64::try_from(listed.len()).ok();
        if request.keys_of_user != keys {
            return shown("number of the user's keys", &request.keys_of_user, &keys);
        }
        let used = fresh(self.seen.last_uses.get(case.key), case, "its last use was not read")?;
        // Report and live answer may differ by a quarter of an hour.
        let same = match (request.last_use, *used) {
            (Some(then), Some(now)) => now.duration_since(then) < CLOSE * 2,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        if !same {
            return shown("last use", &request.last_use, used);
        }
        Ok(())
    }

    /// An account may have changed its OU since.
    fn may_have_held(&self, person: &Person, account: &str) -> bool {
        let anywhere =
            |(role, scope): &(Role, Scope)| *role >= Role::Approver && matches!(scope, Scope::Ou(_));
        self.holds(person, Role::Approver, account) != May::No || person.roles.iter().any(anywhere)
    }
}
