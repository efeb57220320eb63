//! The simulator's side: counts calls, kills at one of them, and looks at the journal whenever a change is sent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keysweep_sim::Watcher;
use keysweep_sim::watch::{Call, Outcome};
use rustix::process::{Pid, Signal, kill_process};

use super::journal::Journal;

/// Where a call is when the process dies that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// On its way, and never arrives.
    Lost,
    /// On its way, and arrives.
    Arriving,
    /// Carried out; the simulator still holds the answer.
    AnswerHeld,
}

/// Kill at the n-th call from now on, or at the n-th change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trigger {
    pub(super) changes_only: bool,
    pub(super) nth: u64,
    pub(super) how: How,
}

/// Watches the wire.
#[derive(Debug)]
pub(super) struct Wire {
    data_dir: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    armed: Option<(Trigger, Pid)>,
    /// Calls that the trigger has counted.
    counted: u64,
    /// The call whose answer is being held back.
    held: Option<u64>,
    /// The call at which the process was killed: its action.
    killed_at: Option<&'static str>,
    /// The one key of each user, by its name.
    keys: BTreeMap<String, String>,
    /// Changes that were sent, by key and action.
    sent: BTreeMap<(String, &'static str), usize>,
    breaches: Vec<String>,
}

impl Wire {
    pub(super) fn new(data_dir: PathBuf) -> Self {
        Self { data_dir, inner: Mutex::default() }
    }

    /// Tells the one key of a user: calls about a quarantine name the user alone.
    pub(super) fn knows(&self, user: &str, key: &str) {
        self.inner().keys.insert(user.to_owned(), key.to_owned());
    }

    /// Kills this process at a call.
    pub(super) fn arm(&self, trigger: Trigger, pid: Pid) {
        let mut inner = self.inner();
        (inner.armed, inner.counted, inner.held) = (Some((trigger, pid)), 0, None);
    }

    /// Kills nobody any more; the action of the call at which somebody was.
    pub(super) fn disarm(&self) -> Option<&'static str> {
        let mut inner = self.inner();
        (inner.armed, inner.held) = (None, None);
        inner.killed_at.take()
    }

    /// How many changes were sent.
    pub(super) fn changes(&self) -> usize {
        self.inner().sent.values().sum()
    }

    /// What was seen that must not be.
    pub(super) fn breaches(&self) -> Vec<String> {
        self.inner().breaches.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// P4 and P5: each change has an intent of its own, which is in the file before the call is here.
    fn account_for(&self, inner: &mut Inner, key: &str, action: &'static str) {
        let sent = inner.sent.entry((key.to_owned(), action)).or_default();
        *sent += 1;
        let sent = *sent;
        match Journal::read(&self.data_dir) {
            Ok(journal) => {
                let intents = journal.intents(key, action);
                if intents < sent {
                    inner.breaches.push(format!(
                        "P4, P5: {action} of {key} was sent {sent} times, the journal has {intents} intents"
                    ));
                }
            }
            Err(why) => inner.breaches.push(why),
        }
    }
}

impl Watcher for Wire {
    fn comes(&self, call: &Call<'_>) -> bool {
        let change = change(call);
        let mut inner = self.inner();
        let of_user = || inner.keys.get(call.param("UserName")?).cloned();
        let key = call.param("AccessKeyId").map(str::to_owned).or_else(of_user);
        if let (Some(action), Some(key)) = (change, key) {
            self.account_for(&mut inner, &key, action);
        }
        let Some((trigger, pid)) = inner.armed else { return true };
        if trigger.changes_only && change.is_none() {
            return true;
        }
        inner.counted += 1;
        if inner.counted != trigger.nth {
            return true;
        }
        match trigger.how {
            How::AnswerHeld => {
                inner.held = Some(call.number);
                true
            }
            How::Lost | How::Arriving => {
                kill(&mut inner, pid, call.action);
                trigger.how == How::Arriving
            }
        }
    }

    fn ends(&self, call: &Call<'_>, _: &Outcome<'_>) -> bool {
        let mut inner = self.inner();
        match inner.armed {
            Some((_, pid)) if inner.held == Some(call.number) => {
                kill(&mut inner, pid, call.action);
                false
            }
            Some(_) | None => true,
        }
    }
}

fn kill(inner: &mut Inner, pid: Pid, action: &'static str) {
    // Nobody waits for the process before the wire is disarmed, so that this number is nobody else's.
    if let Err(error) = kill_process(pid, Signal::KILL) {
        inner.breaches.push(format!("kill: {error}"));
    }
    (inner.armed, inner.killed_at) = (None, Some(action));
}

/// What a call changes, in the journal's words.
fn change(call: &Call<'_>) -> Option<&'static str> {
    match (call.action, call.param("Status")) {
        ("iam:UpdateAccessKey", Some("Inactive")) => Some("deactivate"),
        ("iam:UpdateAccessKey", Some("Active")) => Some("reactivate"),
        ("iam:DeleteAccessKey", _) => Some("delete"),
        ("iam:AttachUserPolicy", _) => Some("quarantine"),
        ("iam:DetachUserPolicy", _) => Some("end_quarantine"),
        _ => None,
    }
}
