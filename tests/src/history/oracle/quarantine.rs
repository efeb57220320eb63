//! Quarantines: what is attached to users, by what the journal says, by what AWS saw, and why.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use keysweep_sim::{Sim, Who};
use serde_json::Value;

use super::{DEACTIVATE, END_QUARANTINE, Inner, QUARANTINE};
use crate::history::organization::QUARANTINE_POLICY;

/// Sweeps that see the account in which a quarantine that is to end need not have ended.
const ENDED_WITHIN: u32 = 5;

/// A call that was to attach the policy takes no effect any more so long after its intent.
const SETTLED: SignedDuration = SignedDuration::from_mins(18);

/// Part of the name of every policy that AWS attaches to a user whose key it considers compromised.
const INCIDENT: &str = "AWSCompromisedKeyQuarantine";

/// A quarantine that the journal tells of.
#[derive(Debug, Clone)]
pub(super) struct Quarantined {
    account: String,
    intended: Timestamp,
    /// When AWS was said to show it.
    attached: Option<Timestamp>,
    /// The call under way.
    open: Option<&'static str>,
    /// Whether the key is on its way to deactivation no more.
    over: bool,
    /// Whether AWS considers the key compromised: then it is left to people.
    incident: bool,
    /// Whether its span passed without any use, so that keysweep went on to deactivate the key.
    completed: bool,
    /// Scans of its account since, without an attempt to detach it.
    scanned: u32,
}

/// How long a quarantine that is over says that there is no client.
const STILL_SAYS: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Inner {
    /// What is to be remembered of a line about a key.
    pub(super) fn remember_quarantine(&mut self, at: Timestamp, key: &str, line: &Value) {
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        self.remember_end_of_quarantine(at, key, line);
        let quarantined = self.quarantined.get_mut(key);
        match (text("event"), text("action"), quarantined) {
            ("intent", QUARANTINE, _) => {
                let account = text("account_id").to_owned();
                let open = Some(QUARANTINE);
                let quarantined = Quarantined {
                    account,
                    intended: at,
                    attached: None,
                    open,
                    over: false,
                    incident: false,
                    completed: false,
                    scanned: 0,
                };
                self.quarantined.insert(key.to_owned(), quarantined);
            }
            ("intent", END_QUARANTINE, Some(quarantined)) => quarantined.open = Some(END_QUARANTINE),
            ("refused", QUARANTINE, _) | ("quarantine_removed" | "forgotten", ..) => {
                self.quarantined.remove(key);
            }
            ("unclear", QUARANTINE, Some(quarantined)) => (quarantined.open, quarantined.over) = (None, true),
            ("refused" | "unclear", END_QUARANTINE, Some(quarantined)) => quarantined.open = None,
            ("quarantined", _, Some(quarantined)) => {
                (quarantined.attached, quarantined.open) = (Some(at), None)
            }
            ("quarantine_ended", _, Some(quarantined)) => {
                // What can still be attached is detached again.
                if quarantined.attached.is_none() && at < quarantined.intended + SETTLED {
                    (quarantined.open, quarantined.over) = (None, true);
                } else {
                    self.quarantined.remove(key);
                }
            }
            (
                "cleared"
                | "used_in_quarantine"
                | "deactivated"
                | "adopted"
                | "absent"
                | "hold_placed"
                | "denied"
                | "exempt_began"
                | "quarantine_interrupted"
                | "not_due"
                | "notice_voided",
                _,
                Some(quarantined),
            ) => quarantined.over = true,
            ("became_due", _, Some(quarantined)) => (quarantined.over, quarantined.scanned) = (false, 0),
            ("incident_began", _, Some(quarantined)) => quarantined.incident = true,
            ("incident_ended", _, Some(quarantined)) => {
                (quarantined.incident, quarantined.over, quarantined.scanned) = (false, true, 0)
            }
            _ => {}
        }
    }

    /// The key whose quarantine a call begins or ends: at most one of a user at a time.
    pub(super) fn key_in_quarantine(
        &self,
        sim: &Sim,
        account: &str,
        user: &str,
        action: &'static str,
    ) -> Option<String> {
        let user_id = sim.user_id(account, user)?;
        let of_user = |key: &str| self.named.get(key).is_some_and(|(id, _)| *id == user_id);
        let quarantined = self.quarantined.iter().find(|(key, quarantined)| {
            quarantined.account == account && quarantined.open == Some(action) && of_user(key)
        });
        quarantined.map(|(key, _)| key.clone())
    }

    /// What is to be remembered of a quarantine that ends: one that was quiet need not be repeated at once.
    fn remember_end_of_quarantine(&mut self, at: Timestamp, key: &str, line: &Value) {
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        match text("event") {
            "quarantine_interrupted" | "used_in_quarantine" => {
                if let Some(quarantined) = self.quarantined.get_mut(key) {
                    quarantined.completed = false;
                }
            }
            "intent" if text("action") == DEACTIVATE && text("origin") == "policy" => {
                if let Some(quarantined) = self.quarantined.get_mut(key) {
                    quarantined.completed = true;
                }
            }
            "quarantine_ended" if line.get("hold_until").is_none_or(Value::is_null) => {
                let quiet = self.quarantined.get(key).filter(|quarantined| quarantined.completed);
                if let Some(attached) = quiet.and_then(|quarantined| quarantined.attached) {
                    self.quiet.insert(key.to_owned(), (attached, at));
                }
            }
            "flagged" | "cleared" | "quarantined" | "forgotten" => {
                self.quiet.remove(key);
            }
            _ => {}
        }
    }

    /// How long the user of a key has been in quarantine, or was until lately, as the journal says.
    pub(super) fn time_in_quarantine(&self, key: &str, now: Timestamp) -> Option<SignedDuration> {
        let attached = self.quarantined.get(key).and_then(|quarantined| quarantined.attached);
        let over = self.quiet.get(key).filter(|(_, until)| now.duration_since(*until) <= STILL_SAYS);
        attached
            .map(|attached| now.duration_since(attached))
            .or_else(|| over.map(|(attached, until)| until.duration_since(*attached)))
    }

    /// P7: an account was scanned, and what is to be detached there was not.
    pub(super) fn scanned_beside(&mut self, sim: &Sim, account: &str) {
        // AWS may mark the user when the key is gone, and no incident of the key is recorded any more.
        let marked = |key: &str| {
            let user = self.named.get(key).and_then(|(id, _)| sim.user_name(account, id));
            user.is_some_and(|name| sim.attached(account, &name).iter().any(|arn| arn.contains(INCIDENT)))
        };
        let over = self.quarantined.iter_mut().filter(|(key, quarantined)| {
            quarantined.account == account
                && quarantined.over
                && quarantined.open.is_none()
                && !quarantined.incident
                && !marked(key)
        });
        let mut left = None;
        for (key, quarantined) in over {
            quarantined.scanned += 1;
            if quarantined.scanned > ENDED_WITHIN {
                left = Some(key.clone());
            }
        }
        if let Some(key) = left {
            self.broken("P7", format!("the user of {key} stays in quarantine, and nobody tries to end that"));
        }
    }

    /// Somebody tries to detach it, or could not.
    pub(super) fn tried_to_end(&mut self, key: &str) {
        if let Some(quarantined) = self.quarantined.get_mut(key) {
            quarantined.scanned = 0;
        }
    }

    /// P7: what is attached to a user is known to the journal, or was attached before its memory was lost.
    pub(super) fn nothing_left_behind(&mut self, sim: &Sim, now: Timestamp) {
        let mut attached: BTreeMap<(String, String), Timestamp> = BTreeMap::new();
        for change in sim.changes().into_iter().filter(|change| change.applied) {
            let ours = !matches!(change.who, Who::Script(_)) && change.action == "iam:AttachUserPolicy";
            if let Some(id) = change.user_id.clone().filter(|_| ours) {
                attached.insert((change.account.clone(), id), change.at);
            }
        }
        for ((account, user_id), at) in attached {
            let Some(name) = sim.user_name(&account, &user_id) else { continue };
            let has_policy = sim.attached(&account, &name).iter().any(|arn| arn.ends_with(QUARANTINE_POLICY));
            let of_user = |key: &String| self.named.get(key).is_some_and(|(id, _)| *id == user_id);
            let known = self.quarantined.keys().any(of_user);
            let forgotten = self.forgotten_until.is_some_and(|lost| at <= lost);
            if has_policy && !known && !forgotten && now.duration_since(at) > SignedDuration::from_mins(5) {
                self.broken(
                    "P7",
                    format!("the policy of {at} is attached to {name} in {account}, and forgotten"),
                );
            }
        }
    }
}
