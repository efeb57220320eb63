//! The durable lines of the journal, read as a stranger reads them.

use jiff::{SignedDuration, Timestamp};
use keysweep_sim::Sim;
use serde_json::Value;

use super::{DEACTIVATE, DELETE, END_QUARANTINE, Inner, QUARANTINE, REACTIVATE};

/// What an account's scan reads may be there while what a settlement reads is not; not for so many sweeps.
const SETTLED_AFTER: u32 = 4;

/// A notice on record.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    pub(super) at: Timestamp,
}

/// A change that is intended and not settled.
#[derive(Debug, Clone)]
pub(super) struct Unsettled {
    account: String,
    /// The life that intended it.
    life: u64,
    /// How often its account was scanned in a later life.
    scanned: u32,
}

impl Inner {
    /// Lines that became durable just now.
    pub(super) fn journal(&mut self, sim: &Sim, now: Timestamp, lines: &[u8]) {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Value>(line) {
                Ok(line) => {
                    self.count(&line);
                    self.news(sim, now, &line);
                    self.remember(now, &line);
                }
                Err(error) => self.broken("P4", format!("a durable line is no JSON: {error}")),
            }
        }
    }

    /// The whole journal, as a new process finds it: what an old one wrote and never synced is there if it survived.
    pub(super) fn whole_journal(&mut self, lines: &[u8]) {
        self.intents.clear();
        self.noticed.clear();
        self.told.clear();
        self.delivered.clear();
        self.unsettled.clear();
        self.bundles.clear();
        self.requests.clear();
        self.owner_of.clear();
        self.by_name.clear();
        self.marked.clear();
        self.woken.clear();
        self.quarantined.clear();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(line) = serde_json::from_slice::<Value>(line) else { continue };
            let written = text(&line, "at").parse().unwrap_or(Timestamp::MAX);
            self.deleted_with_bundle(&line);
            self.remember(written, &line);
        }
        self.unsettled.values_mut().for_each(|open| open.life = 0);
        if std::mem::take(&mut self.memory_lost) {
            self.sent = self.intents.clone();
        }
    }

    fn count(&mut self, line: &Value) {
        match text(line, "kind") {
            "key" => self.tally.add(&format!("event {}", text(line, "event"))),
            kind => self.tally.add(&format!("entry {kind}")),
        }
    }

    /// What is to be remembered of a line, seen at `at`.
    fn remember(&mut self, written: Timestamp, line: &Value) {
        if text(line, "kind") == "message_delivered" {
            self.delivered.extend(line.get("message").and_then(Value::as_u64));
        }
        self.remember_people(line);
        if text(line, "kind") != "key" {
            return;
        }
        self.remember_request(text(line, "access_key_id"), line);
        // The clock that wrote the line may have been wrong; when it was first seen is known.
        let seq = line.get("seq").and_then(Value::as_u64).unwrap_or_default();
        let at = *self.first_seen.entry(seq).or_insert(written);
        let key = text(line, "access_key_id").to_owned();
        let action = match text(line, "action") {
            "deactivate" => DEACTIVATE,
            "reactivate" => REACTIVATE,
            "delete" => DELETE,
            "quarantine" => QUARANTINE,
            "end_quarantine" => END_QUARANTINE,
            _ => "",
        };
        self.remember_quarantine(at, &key, line);
        match text(line, "event") {
            "bundle_written" if text(line, "purpose") == "deletion" => {
                self.bundles.insert(key, text(line, "bundle").to_owned());
            }
            "intent" => {
                let account = text(line, "account_id").to_owned();
                let life = self.life;
                self.unsettled.insert(key.clone(), Unsettled { account, life, scanned: 0 });
                *self.intents.entry((key, action)).or_default() += 1;
            }
            "deactivated" => {
                self.unsettled.remove(&key);
                self.deactivated_at.insert(key, at);
            }
            "deleted" | "refused" | "unclear" | "absent" | "quarantined" | "quarantine_ended" => {
                self.unsettled.remove(&key);
            }
            "noticed" => {
                let owner = line.get("owner").and_then(Value::as_str).map(str::to_owned);
                self.told.insert(key.clone(), owner);
                self.noticed.insert(key, Notice { at });
            }
            "flagged" => {
                let named =
                    |name: &str| line.pointer(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let (user_id, created) = (named("/named/user_id"), named("/named/created"));
                self.named.insert(key.clone(), (user_id, created.parse().ok()));
                let last_use =
                    line.get("last_use").and_then(|use_| use_.pointer("/at/at")).and_then(Value::as_str);
                self.flagged.insert(key, last_use.and_then(|at| at.parse().ok()));
            }
            "reactivations_cleared" => {
                self.woken.remove(&key);
            }
            "reactivated" | "undone" | "forgotten" => {
                match text(line, "event") {
                    "forgotten" => self.woken.remove(&key),
                    _ => self.woken.insert(key.clone()),
                };
                self.deactivated_at.remove(&key);
                self.unsettled.remove(&key);
                self.noticed.remove(&key);
            }
            "hold_released" => {
                // Uses before it are forgiven.
                self.deactivated_at.entry(key.clone()).and_modify(|since| *since = at);
                self.noticed.remove(&key);
            }
            "cleared" | "used_in_quarantine" | "quarantine_removed" | "notice_voided" | "hold_placed"
            | "hold_expired" | "denied" | "exempt_began" | "exempt_ended" | "incident_began"
            | "incident_ended" => {
                self.noticed.remove(&key);
            }
            _ => {}
        }
    }

    /// What the promises say of a line just written.
    fn news(&mut self, sim: &Sim, now: Timestamp, line: &Value) {
        self.by_link(line);
        self.by_person(line);
        let key = text(line, "access_key_id");
        match text(line, "kind") {
            "account_left" => self.account_left(sim, text(line, "account_id")),
            "account_scanned" => {
                let account = text(line, "account_id");
                let life = self.life;
                // Where keys could not be listed, nobody could look at this one either.
                let whole = line.get("unknown_keys").and_then(Value::as_u64) == Some(0);
                let older = self
                    .unsettled
                    .values_mut()
                    .filter(|open| whole && open.account == account && open.life < life);
                older.for_each(|open| open.scanned += 1);
                if whole {
                    self.scanned_beside(sim, account);
                }
            }
            "breaker_tripped" => {
                self.tripped = true;
            }
            "breaker_reset" => {
                self.tripped = false;
            }
            "account_unparked" => {
                self.failed.remove(text(line, "account_id"));
                self.throttled.remove(text(line, "account_id"));
            }
            "change_failed" if text(line, "action") == END_QUARANTINE => self.tried_to_end(key),
            "sweep_finished" => {
                self.last_sweep = Some(now);
                self.sweep_finished(sim, line);
                self.nothing_left_behind(sim, now);
            }
            _ => {}
        }
        self.unclear.remove(key);
        if text(line, "event") == "unclear" && text(line, "action") == DEACTIVATE {
            self.unclear.insert(key.to_owned());
        }
        match text(line, "event") {
            "became_due" => self.newly_due += 1,
            "approved" => self.approved_rightly(line),
            "flagged" => self.flagged_rightly(now, line),
            "deactivated" => self.deactivated_indeed(sim, now, key),
            "refused" => self.refused_indeed(key, text(line, "action")),
            // Whom AWS showed Inactive may be Active again by now.
            "cleared" if text(line, "why") != "inactive_elsewhere" => self.cleared(sim, now, key),
            "absent" => self.absent(sim, key),
            "last_use_moved" => {
                let why = "its last use moved after its deactivation";
                let held = super::Held { since: now, until: None, promise: "P3", why };
                self.held.entry(key.to_owned()).or_default().push(held);
            }
            _ => {}
        }
    }

    /// P11: every account is scanned, failed or skipped. P8: a surge trips the breaker. P4: what a crash left open is
    /// settled by a sweep that sees the account.
    fn sweep_finished(&mut self, sim: &Sim, line: &Value) {
        let number = |name: &str| line.get(name).and_then(Value::as_u64).unwrap_or_default();
        let (covered, accounts) =
            (number("scanned") + number("failed") + number("skipped"), sim.account_ids().len());
        if usize::try_from(covered).ok() != Some(accounts) {
            self.broken("P11", format!("a sweep covers {covered} of {accounts} accounts"));
        }
        let active = sim.keys().iter().filter(|key| key.status == "Active").count();
        // Twice the limit: which keys count as active is for keysweep to say.
        let limit = 2 * self.rules.surge_keys.max(active / 5 + 1);
        let newly_due = std::mem::take(&mut self.newly_due);
        if newly_due > limit && !self.tripped {
            self.broken("P8", format!("{newly_due} keys became due in one sweep"));
        }
        if let Some((key, _)) = self.unsettled.iter().find(|(_, open)| open.scanned >= SETTLED_AFTER) {
            let what = format!("the change of {key} is still open after sweeps of its account");
            self.broken("P4", what);
        }
    }

    /// P11: an account has left when it is in the organization no more.
    fn account_left(&mut self, sim: &Sim, account: &str) {
        if sim.account_ids().iter().any(|id| id == account) {
            self.broken("P11", format!("account {account} was recorded as gone, and it is there"));
        }
    }

    /// Flagged is what is stale, by what the entry says itself.
    fn flagged_rightly(&mut self, now: Timestamp, line: &Value) {
        let date = |name: &str| {
            line.pointer(name).and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok())
        };
        let (created, used) = (date("/named/created"), date("/last_use/at/at"));
        let user = line.pointer("/named/user_name").and_then(Value::as_str).unwrap_or_default();
        let Some(idle_since) = created.max(used) else { return };
        let idle = now.duration_since(idle_since);
        let short = |rules: &crate::history::rules::Rules| idle < rules.threshold(user, used.is_some());
        if short(&self.rules)
            && self.before_within(now, SignedDuration::from_hours(24)).all(short)
            && self.clock_is_right
        {
            self.broken("P2", format!("{} was flagged, idle for {idle:#}", text(line, "access_key_id")));
        }
    }

    /// P5: deactivated is said of what reads Inactive.
    fn deactivated_indeed(&mut self, sim: &Sim, now: Timestamp, key: &str) {
        let lately = |at: Timestamp| now.duration_since(at) < SignedDuration::from_mins(10);
        let by_people = |change: &keysweep_sim::Change| matches!(change.who, keysweep_sim::Who::Script(_));
        let touched = sim
            .changes()
            .iter()
            .any(|change| change.key_id.as_deref() == Some(key) && by_people(change) && lately(change.at));
        if sim.key_status(key).as_deref() == Some("Active") && !touched {
            self.broken("P5", format!("{key} was recorded as deactivated, and it is Active"));
        }
    }

    /// P5: refused is said of what AWS said no to.
    fn refused_indeed(&mut self, key: &str, action: &str) {
        let unclear = self.answered.iter().any(|((of, sent), clear)| of == key && *sent == action && !clear);
        if unclear {
            self.broken("P5", format!("{action} of {key} was recorded as refused, and nobody said so"));
        }
    }

    /// P11: gone is said of what is gone.
    fn absent(&mut self, sim: &Sim, key: &str) {
        // One of the same ID that another user bears, or that was made at another time, is another key.
        let same = |truth: &keysweep_sim::KeyTruth| {
            self.named.get(key).is_none_or(|(user_id, created)| {
                *user_id == truth.user_id && created.is_none_or(|created| created == truth.created)
            })
        };
        if sim.key(key).as_ref().is_some_and(same) {
            self.broken("P11", format!("{key} was recorded as gone, and it is there"));
        }
    }

    /// P9: nothing clears a key but use, or rules that cover it no more.
    fn cleared(&mut self, sim: &Sim, now: Timestamp, key: &str) {
        let Some(truth) = sim.key(key) else { return };
        let logged = self.logged.get(key).into_iter().flatten().max().copied();
        let used = truth.last_use.as_ref().map(|used| used.at).max(logged);
        let idle = now.duration_since(used.map_or(truth.created, |at| at.max(truth.created)));
        let rules = &self.rules;
        let two_days = SignedDuration::from_hours(48);
        let covered = idle > rules.threshold(&truth.user_name, used.is_some()) + two_days;
        // Used since it was flagged, and then idle again for as long: it begins anew.
        let moved = self.flagged.get(key).is_none_or(|then| *then != used);
        if covered && !moved && truth.status == "Active" && self.before.is_empty() {
            self.broken("P9", format!("{key} was cleared, and it is idle for {idle:#}"));
        }
    }
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line.get(name).and_then(Value::as_str).unwrap_or_default()
}
