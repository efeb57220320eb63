//! What a dead process left, and whether it is as it must be.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use jiff::SignedDuration;
use keysweep::clock::Clock;
use keysweep_core::state::State;
use keysweep_sim::Who;
use keysweep_store::{OpenOptions, Store, rebuild};
use serde_json::Value;

use super::journal::{Journal, text};
use super::moment::Moment;
use super::wire::{How, Trigger};
use super::world::{POLICY, User, World};
use crate::site::copy_dir;

/// How long after the deadline of a call AWS may still show its effect.
const LATE: SignedDuration = SignedDuration::from_mins(15);

impl World {
    /// Looks at what a dead process left.
    pub(super) async fn look(
        &mut self,
        log: &[String],
        moment: Moment,
        killed_at: Option<&'static str>,
    ) -> Result<(), String> {
        if let Some(breach) = self.wire.breaches().first() {
            return Err(breach.clone());
        }
        let journal = Journal::read(&self.site.data_dir())?;
        if !journal.bytes.starts_with(&self.before.bytes) {
            return Err("P4: lines that were in the journal are lost or altered".into());
        }
        self.verified().await?;
        journal.is_in_order()?;
        if let Some(lost) = self.acknowledged.iter().find(|told| !told.is_in(&journal)) {
            return Err(format!(
                "an operator was told that it is done, and it is not in the journal: {lost:?}"
            ));
        }
        announced(log, &self.before, &journal)?;
        self.rebuilt(&journal).await?;

        let open = journal.open_intents();
        if !open.is_empty() {
            self.tally.add("killed while an intent was open");
        }
        for (key, action) in &open {
            self.without_effect(key, action);
        }
        if let Some(action) = killed_at {
            self.tally.add(&format!("killed at {action}"));
        }
        let lost = matches!(moment, Moment::Call(Trigger { how: How::Lost, .. }));
        self.reads_for_a_minute = lost && killed_at.is_some();
        if self.setting.tell {
            let (life, entries, open) = (self.life, journal.len(), open.len());
            // Nothing is left to be done about a stderr that is gone.
            let _ = writeln!(
                std::io::stderr(),
                "life {life}: {moment} ({moment:?}), {entries} entries, {open} open"
            );
        }
        self.before = journal;
        Ok(())
    }

    async fn verified(&self) -> Result<(), String> {
        if !self.site.data_dir().join("journal").exists() {
            // Killed before it could make anything.
            return Ok(());
        }
        let (code, _, messages) = self.site.run(&["journal", "verify"]).await;
        if code == 0 || messages.contains("no journal in") { Ok(()) } else { Err(messages) }
    }

    /// What the records and the journal give together is what the journal gives alone.
    async fn rebuilt(&mut self, journal: &Journal) -> Result<(), String> {
        if journal.len() == 0 {
            return Ok(());
        }
        let left = copied(&self.site.data_dir())?;
        let (with_records, behind) = opened(left.path()).await?;
        self.tally.add(match behind {
            None => "records as they were left were rebuilt",
            Some(0) => "records as they were left were up to date",
            Some(_) => "records as they were left were behind",
        });
        let anew = copied(&self.site.data_dir())?;
        rebuild(anew.path()).map_err(in_words)?;
        let (from_journal, _) = opened(anew.path()).await?;
        if with_records == from_journal {
            Ok(())
        } else {
            Err("the records and the journal together give another state than the journal alone".into())
        }
    }

    /// Counts an intent that took no effect, and has somebody do it by hand where nobody is to wait.
    fn without_effect(&mut self, key: &str, action: &str) {
        if self.shows(key, action) {
            return;
        }
        self.tally.add("open intents without effect");
        match wanted(action) {
            _ if self.setting.leave_open => {}
            Wanted::Status(status) => self.site.sim.set_key_status(key, status),
            Wanted::Gone => self.site.sim.delete_key(key),
            Wanted::Attached(attached) => {
                let Some(User { account, name }) = self.users.get(key) else { return };
                match attached {
                    true => self.site.sim.attach_policy(account, name, &policy_in(account)),
                    false => self.site.sim.detach_policy(account, name, &policy_in(account)),
                }
            }
        }
    }

    /// Whether AWS shows the effect of an action.
    fn shows(&self, key: &str, action: &str) -> bool {
        match wanted(action) {
            Wanted::Status(status) => self.site.sim.key_status(key).as_deref() == Some(status),
            Wanted::Gone => !self.site.sim.key_exists(key),
            Wanted::Attached(attached) => self.is_quarantined(key) == attached,
        }
    }

    fn is_quarantined(&self, key: &str) -> bool {
        let user = self.users.get(key);
        user.is_some_and(|User { account, name }| !self.site.sim.attached(account, name).is_empty())
    }

    /// Whether an intent may still be open: its call shows no effect, and may yet take it.
    pub(super) fn may_stay_open(&self, key: &str, action: &str) -> bool {
        let settled_from = self.before.deadline(key).map(|deadline| deadline + LATE);
        let in_time = settled_from.is_some_and(|from| Clock::system().operational() < from);
        self.setting.leave_open && in_time && !self.shows(key, action)
    }

    /// What is believed at the end, against what is true.
    pub(super) fn compare(&self, state: &State) -> Result<(), String> {
        let open = self.before.open_intents();
        for key in self.keys.iter().filter(|key| !open.contains_key(key.as_str())) {
            let parsed = key.parse().map_err(in_words)?;
            let believed = state.record(&parsed).map_or("active", |record| record.state.as_str());
            let truth = self.site.sim.key_status(key);
            let agrees = match truth.as_deref() {
                None => believed == "deleted",
                Some("Inactive") => believed == "deactivated",
                Some(_) => matches!(believed, "active" | "flagged"),
            };
            if !agrees {
                return Err(format!("{key} is {truth:?} and believed to be {believed}"));
            }
        }
        for key in self.keys.iter().filter(|key| !open.contains_key(key.as_str())) {
            let parsed = key.parse().map_err(in_words)?;
            let believed = state.record(&parsed).and_then(|record| record.quarantine.as_ref());
            match (self.is_quarantined(key), believed) {
                (true, None) => {
                    return Err(format!("P7: the user of {key} is in quarantine, and nobody knows"));
                }
                (false, Some(quarantine)) if quarantine.attached.is_some() => {
                    return Err(format!("the user of {key} is believed to be in quarantine, and is not"));
                }
                (true, Some(_)) | (false, _) => {}
            }
        }
        // P5: what took effect was meant to, each time anew.
        let mut applied: BTreeMap<(String, &str), usize> = BTreeMap::new();
        for change in self.by_keysweep() {
            *applied.entry(change).or_default() += 1;
        }
        for ((key, action), times) in applied {
            let intents = self.before.intents(&key, action);
            if times > intents {
                return Err(format!("P5: {action} of {key} took effect {times} times for {intents} intents"));
            }
        }
        Ok(())
    }

    /// Changes that took effect, as key and action.
    pub(super) fn by_keysweep(&self) -> impl Iterator<Item = (String, &'static str)> + use<'_> {
        let ours = |change: &keysweep_sim::Change| change.applied && !matches!(change.who, Who::Script(_));
        let of_user = |name: Option<&str>| {
            let user = self.users.iter().find(|(_, user)| Some(user.name.as_str()) == name);
            user.map(|(key, _)| key.clone()).unwrap_or_default()
        };
        self.site.sim.changes().into_iter().filter(ours).map(move |change| {
            let action = match (change.action.as_str(), change.new.as_deref()) {
                ("iam:AttachUserPolicy", _) => "quarantine",
                ("iam:DetachUserPolicy", _) => "end_quarantine",
                ("iam:UpdateAccessKey", Some("Active")) => "reactivate",
                ("iam:UpdateAccessKey", _) => "deactivate",
                _ => "delete",
            };
            let key = change.key_id.unwrap_or_else(|| of_user(change.user_name.as_deref()));
            (key, action)
        })
    }
}

/// What AWS shows after an action.
enum Wanted {
    /// This status of the key.
    Status(&'static str),
    /// No such key.
    Gone,
    /// Whether the policy is attached to its user.
    Attached(bool),
}

fn wanted(action: &str) -> Wanted {
    match action {
        "deactivate" => Wanted::Status("Inactive"),
        "reactivate" => Wanted::Status("Active"),
        "quarantine" => Wanted::Attached(true),
        "end_quarantine" => Wanted::Attached(false),
        _ => Wanted::Gone,
    }
}

fn policy_in(account: &str) -> String {
    format!("arn:aws:iam::{account}:policy/{POLICY}")
}

/// What a process said that it has done is in the journal.
fn announced(log: &[String], before: &Journal, journal: &Journal) -> Result<(), String> {
    let mut said: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for line in log {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        if text(&line, "message") != "changed" {
            continue;
        }
        let event = match text(&line, "action") {
            "deactivate" => "deactivated",
            "reactivate" => "undone",
            "quarantine" => "quarantined",
            "end_quarantine" => "quarantine_ended",
            _ => "deleted",
        };
        *said.entry((text(&line, "key").to_owned(), event)).or_default() += 1;
    }
    for ((key, event), times) in said {
        if journal.times(&key, event) < before.times(&key, event) + times {
            return Err(format!("P4: {key} was {event} as the log says, and the journal does not know it"));
        }
    }
    Ok(())
}

/// A copy of a data_dir, as a dead process left it.
pub(super) fn copied(data_dir: &Path) -> Result<tempfile::TempDir, String> {
    let copy = tempfile::tempdir().map_err(in_words)?;
    copy_dir(data_dir, copy.path());
    Ok(copy)
}

/// The state that opening gives, and by how many entries the records were behind; `None` where they were rebuilt.
pub(super) async fn opened(data_dir: &Path) -> Result<(State, Option<u64>), String> {
    let (store, opened) = Store::open(data_dir, OpenOptions::default()).await.map_err(in_words)?;
    let state = store.read(State::clone);
    store.close().await.map_err(in_words)?;
    Ok((state, opened.rebuilt.is_none().then_some(opened.caught_up)))
}

/// An error with its causes.
pub(super) fn in_words(error: impl std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
