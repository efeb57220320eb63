//! The network traffic: each call as it comes, and what it is answered.

use keysweep_sim::Watcher;
use keysweep_sim::watch::{Call, Outcome};

use super::seen::UserKey;
use super::{CallFuse, DEACTIVATE, DELETE, END_QUARANTINE, Oracle, QUARANTINE, REACTIVATE};
use crate::history::organization::QUARANTINE_POLICY;

/// The change of a key that a call asks for.
fn change_of(call: &Call<'_>) -> Option<&'static str> {
    match (call.action, call.param("Status")) {
        ("iam:UpdateAccessKey", Some("Inactive")) => Some(DEACTIVATE),
        ("iam:UpdateAccessKey", Some("Active")) => Some(REACTIVATE),
        ("iam:DeleteAccessKey", _) => Some(DELETE),
        ("iam:AttachUserPolicy", _) if names_the_policy(call) => Some(QUARANTINE),
        ("iam:DetachUserPolicy", _) if names_the_policy(call) => Some(END_QUARANTINE),
        _ => None,
    }
}

/// Nothing else is ever attached or detached.
fn names_the_policy(call: &Call<'_>) -> bool {
    let arn = format!("arn:aws:iam::{}:policy/{QUARANTINE_POLICY}", call.account);
    call.param("PolicyArn") == Some(&arn)
}

/// Whether the answer is whole JSON with this list.
fn list_in(outcome: &Outcome<'_>, list: &str) -> Option<()> {
    let Outcome::Answered { status: 200, body } = outcome else { return None };
    serde_json::from_slice::<serde_json::Value>(body).ok().filter(|json| json.get(list).is_some()).map(drop)
}

fn is_read(action: &str) -> bool {
    let verb = action.split(':').nth(1).unwrap_or_default();
    ["Get", "List", "Lookup", "Describe", "Generate", "AssumeRole"].iter().any(|read| verb.starts_with(read))
}

pub(super) fn user_of(call: &Call<'_>) -> UserKey {
    (call.account.to_owned(), call.param("UserName").unwrap_or_default().to_owned())
}

impl Watcher for Oracle {
    fn comes(&self, call: &Call<'_>) -> bool {
        if self.death.is_dead() {
            return false;
        }
        let burns = self.locked().burns();
        if let Some(fuse) = burns {
            if !fuse.carried_out {
                self.death.die();
                return false;
            }
            self.locked().fuse = Some(CallFuse { calls: 0, carried_out: true });
        }
        let Some(action) = change_of(call) else {
            if !is_read(call.action) {
                self.broken("P1", format!("{} was called", call.action));
            }
            return true;
        };
        self.read_journal();
        self.judge(call, action);
        true
    }

    fn ends(&self, call: &Call<'_>, outcome: &Outcome<'_>) -> bool {
        let mut inner = self.locked();
        inner.in_flight.remove(&call.number);
        if self.death.is_dead() {
            return false;
        }
        if inner.fuse.is_some_and(|fuse| fuse.carried_out && fuse.calls == 0) {
            inner.fuse = None;
            drop(inner);
            self.death.die();
            return false;
        }
        let now = self.time.now();
        let answer = match outcome {
            Outcome::Answered { status: 200, body } => std::str::from_utf8(body).ok(),
            Outcome::Answered { .. } | Outcome::Lost => None,
        };
        // An answer that is cut off, or no XML at all, is none.
        let answer = answer.filter(|text| text.trim_end().ends_with("Response>"));
        match call.action {
            "iam:ListAccessKeys" => {
                let most = inner.longest_span(now);
                let (life, awake) = (inner.life, self.time.awake());
                let keys = inner.seen.listed(user_of(call), now, call.param("Marker"), answer);
                for key in keys.into_iter().flatten() {
                    if key.status == "Active" {
                        inner.seen.active.insert(key.key.clone(), now);
                    }
                    let watched = inner.watched.entry(key.key).or_default();
                    if key.status == "Inactive" {
                        watched.inactive(awake, life, most);
                    } else {
                        watched.over(awake);
                    }
                }
            }
            "organizations:ListParents" => {
                let child = call.param("ChildId").unwrap_or_default().to_owned();
                inner.seen.got_parents(child, now, list_in(outcome, "Parents"));
            }
            "cloudtrail:LookupEvents" => {
                let key = call.body().and_then(|body| body.pointer("/LookupAttributes/0/AttributeValue"));
                let key = key.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
                inner.seen.looked(key, call.region().to_owned(), now, list_in(outcome, "Events"));
            }
            "iam:GetUser" => inner.seen.got_user(user_of(call), now, answer),
            "iam:GetAccessKeyLastUsed" => {
                let key = call.param("AccessKeyId").unwrap_or_default().to_owned();
                inner.seen.got_last_use(key, now, answer);
            }
            _ => {
                if let (Some(action), Some(key)) = (change_of(call), inner.changed_key(call.number)) {
                    let key = key.as_str();
                    let clear = matches!(outcome, Outcome::Answered { status, .. } if *status < 500);
                    let done = matches!(outcome, Outcome::Answered { status: 200, .. });
                    inner.answered.insert((key.to_owned(), action), clear);
                    inner.ended(call, key, action, clear, done, now);
                    let account = call.account.to_owned();
                    // An undo that is refused says nothing of changes.
                    if action == END_QUARANTINE {
                        return true;
                    }
                    if clear && !done {
                        // One that passes parks its account at the second in a row; it counts here only where no
                        // unclear one came between, of which nobody knows yet.
                        let passes = matches!(outcome, Outcome::Answered { body, .. }
                            if ["Throttling", "LimitExceeded"]
                                .iter()
                                .any(|code| String::from_utf8_lossy(body).contains(code)));
                        let row = inner.throttled.entry(account.clone()).or_default();
                        *row += u32::from(passes);
                        if !passes || *row > 1 {
                            inner.failed.insert(account, now);
                        }
                    } else {
                        inner.throttled.remove(&account);
                    }
                }
            }
        }
        true
    }
}
