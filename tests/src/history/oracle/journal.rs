//! The durable lines of the journal, read as a stranger reads them.

use jiff::{SignedDuration, Timestamp};
use keysweep_sim::Sim;
use serde_json::Value;

use super::{DEACTIVATE, DELETE, Inner, REACTIVATE};

/// A notice on record.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    pub(super) at: Timestamp,
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
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(line) = serde_json::from_slice::<Value>(line) else { continue };
            let written = text(&line, "at").parse().unwrap_or(Timestamp::MAX);
            self.remember(written, &line);
        }
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
    fn remember(&mut self, at: Timestamp, line: &Value) {
        if text(line, "kind") != "key" {
            return;
        }
        let key = text(line, "access_key_id").to_owned();
        let action = match text(line, "action") {
            "deactivate" => DEACTIVATE,
            "reactivate" => REACTIVATE,
            "delete" => DELETE,
            _ => "",
        };
        match text(line, "event") {
            "intent" => *self.intents.entry((key, action)).or_default() += 1,
            "noticed" => {
                let seq = line.get("seq").and_then(Value::as_u64).unwrap_or_default();
                // The clock that wrote the line may have been wrong; when it was first seen is known.
                let at = *self.notice_times.entry(seq).or_insert(at);
                self.noticed.insert(key, Notice { at });
            }
            "flagged" => {
                let last_use =
                    line.get("last_use").and_then(|use_| use_.pointer("/at/at")).and_then(Value::as_str);
                self.flagged.insert(key, last_use.and_then(|at| at.parse().ok()));
            }
            "cleared" | "notice_voided" | "reactivated" | "undone" => {
                self.noticed.remove(&key);
            }
            _ => {}
        }
    }

    /// What the promises say of a line just written.
    fn news(&mut self, sim: &Sim, now: Timestamp, line: &Value) {
        let key = text(line, "access_key_id");
        match text(line, "event") {
            "cleared" => self.cleared(sim, now, key),
            "absent" => self.absent(sim, key),
            "last_use_moved" => {
                let why = "its last use moved after its deactivation";
                let held = super::Held { until: None, promise: "P3", why };
                self.held.entry(key.to_owned()).or_default().push(held);
            }
            _ => {}
        }
    }

    /// P11: gone is said of what is gone.
    fn absent(&mut self, sim: &Sim, key: &str) {
        if sim.key_exists(key) {
            self.broken("P11", format!("{key} was recorded as gone, and it is there"));
        }
    }

    /// P9: nothing clears a key but use, or rules that cover it no more.
    fn cleared(&mut self, sim: &Sim, now: Timestamp, key: &str) {
        let Some(truth) = sim.key(key) else { return };
        let used = truth.last_use.as_ref().map(|used| used.at);
        let idle = now.duration_since(used.map_or(truth.created, |at| at.max(truth.created)));
        let rules = &self.rules;
        let two_days = SignedDuration::from_hours(48);
        let covered = idle > rules.threshold(&truth.user_name, used.is_some()) + two_days;
        // Used since it was flagged, and then idle again for as long: it begins anew.
        let moved = self.flagged.get(key).is_none_or(|then| *then != used);
        if covered && !moved && truth.status == "Active" && self.before.is_none() {
            self.broken("P9", format!("{key} was cleared, and it is idle for {idle:#}"));
        }
    }
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line.get(name).and_then(Value::as_str).unwrap_or_default()
}
