//! Group commit: requests queue up, one job at a time writes all that have come.
//!
//! The job runs on a blocking thread (see [`Jobs`](super::Jobs)) and owns what it works on, so that a caller that goes away changes nothing.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use keysweep_core::state::{Actor, Body, Delta, Draft, Entry, Receipt, State, Unwritten};
use tokio::sync::oneshot;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Inner, lock, project};
use crate::error::AppendError;
use crate::journal::{Group, Journal};
use crate::projection::{Applied, Update};

/// A group is closed at this size, so that memory stays bounded whatever comes in.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// The projection takes a larger request in several updates: sled holds all of a transaction in memory, several times.
const ENTRIES_OF_AN_UPDATE: usize = 200;

/// Entries that somebody waits for.
pub(super) struct Request {
    pub(super) at: Timestamp,
    pub(super) actor: Actor,
    pub(super) bodies: Vec<Body>,
    /// An undo needs it: a poisoned journal is repaired for it, and a full disk has the reserve.
    pub(super) urgent: bool,
    /// The last entry when this was decided; none for a record, which needs no decision.
    pub(super) after: Option<u64>,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// The receipts of a request; none if other entries came after the state on which it was decided, and nothing was
/// written.
pub(super) type Answer = Result<Option<Vec<Receipt>>, AppendError>;

/// Requests that no group took yet.
#[derive(Default)]
pub(super) struct Queue {
    requests: VecDeque<Request>,
    /// Whether a job runs that will look here before it ends.
    running: bool,
    closed: bool,
}

impl Queue {
    /// No request is taken from now on.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// The next request; where there is none, the job that asks is over.
    fn next(&mut self) -> Option<Request> {
        let next = self.requests.pop_front();
        self.running = next.is_some();
        next
    }

    /// The next request that may share a group. An urgent one is written by itself, so that nothing else uses what
    /// is kept for it. A decision begins a group: where it was overtaken, it is told so only once there is another
    /// state to decide on.
    fn next_to_share(&mut self) -> Option<Request> {
        self.requests.pop_front_if(|next| !next.urgent && next.after.is_none())
    }
}

/// Puts a request in the queue and sees to it that a job takes it.
pub(super) fn enqueue(inner: &Arc<Inner>, request: Request) -> Result<(), AppendError> {
    let job = {
        let mut queue = lock(&inner.queue);
        if queue.closed {
            return Err(AppendError::Closed);
        }
        queue.requests.push_back(request);
        let idle = !std::mem::replace(&mut queue.running, true);
        // The token under the queue's lock, so that `close` cannot miss it.
        idle.then(|| Job { inner: Arc::clone(inner), done: false, _token: inner.jobs.token() })
    };
    // Not under the lock: where the runtime ends, the job is dropped here and now, and wants it.
    if let Some(job) = job {
        let jobs = inner.run_jobs;
        jobs.run(move || job.run());
    }
    Ok(())
}

/// The right to write. If it is lost, by a panic or because the runtime ends before it runs, the next request makes
/// another one.
struct Job {
    inner: Arc<Inner>,
    done: bool,
    /// Keeps `close` waiting.
    _token: TaskTrackerToken,
}

impl Job {
    fn run(mut self) {
        loop {
            // The journal is held from before a request is taken, so that requests are written in their order.
            let mut journal = lock(&self.inner.journal);
            let Some(first) = lock(&self.inner.queue).next() else { break };
            write_group(&self.inner, &mut journal, first);
            drop(journal);
            project::make_room(&self.inner);
        }
        self.done = true;
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.done {
            tracing::error!("appending to the journal was cut off");
            let mut queue = lock(&self.inner.queue);
            queue.running = false;
            // Nobody would come for them.
            queue.requests.clear();
        }
    }
}

/// A request that is written with its group.
struct Accepted {
    entries: Vec<Unwritten>,
    reply: oneshot::Sender<Answer>,
}

impl Accepted {
    /// Answers with the receipts: the group is on disk.
    #[expect(clippy::disallowed_methods, reason = "the only place that may give receipts")]
    fn written(self) {
        let receipts = self.entries.into_iter().map(Unwritten::written).collect();
        answer(self.reply, Ok(Some(receipts)));
    }
}

fn write_group(inner: &Arc<Inner>, journal: &mut Journal, first: Request) {
    let urgent = first.urgent;
    let mut reserve = lock(&inner.reserve);
    if !urgent && !reserve.admits_others() {
        return answer(first.reply, Err(journal.full()));
    }
    if !urgent {
        // A new segment must not use up what is kept for undos either.
        journal.rotate_if_full(&inner.state.read().unwrap_or_else(PoisonError::into_inner));
    }
    let mut group = match if urgent { journal.urgent_group() } else { journal.group() } {
        Ok(group) => group,
        Err(error) => return answer(first.reply, Err(error)),
    };
    let mut pending = Pending::default();
    let mut accepted = Vec::new();
    let mut next = Some(first);
    while let Some(Request { at, actor, bodies, urgent: _, after, reply }) = next {
        if after.is_some_and(|seen| seen.saturating_add(1) != group.next_seq()) {
            answer(reply, Ok(None));
        } else {
            match prepare(inner, &mut group, &mut pending, at, &actor, bodies) {
                Ok(entries) => accepted.push(Accepted { entries, reply }),
                Err(error) => answer(reply, Err(error)),
            }
        }
        let share = !urgent && group.len() < GROUP_BYTES;
        next = if share { lock(&inner.queue).next_to_share() } else { None };
    }
    if group.is_empty() {
        return;
    }
    let last = group.next_seq() - 1;
    let Pending { delta, updates } = pending;
    let mut delta = Some(delta);
    // Both under one lock, so that a reader of the state knows its last entry.
    let mut publish = || {
        let mut state = inner.state.write().unwrap_or_else(PoisonError::into_inner);
        state.commit(delta.take().unwrap_or_default());
        inner.head.store(last, Ordering::Release);
    };
    let written = match journal.write(&group, &mut publish) {
        Err(error) if urgent && error.is_full() && reserve.release() => {
            // Where the failed write could not be cut off, that is tried again first.
            journal.urgent_group().and_then(|_| journal.write(&group, publish))
        }
        written => written,
    };
    if !urgent && written.is_ok() {
        reserve.restore();
    }
    drop(reserve);
    match written {
        Ok(()) => {
            project::enqueue(inner, updates);
            accepted.into_iter().for_each(Accepted::written);
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                entries = accepted.len(),
                "append failed"
            );
            for Accepted { reply, .. } in accepted {
                answer(reply, Err(error.clone()));
            }
        }
    }
}

/// What a group changes.
#[derive(Default)]
struct Pending {
    /// All of it.
    delta: Delta,
    /// The same for the projection, in the order of the entries.
    updates: Vec<Update>,
}

/// Tries the entries of one request on top of the state and of the group so far, and adds them, all or none.
fn prepare(
    inner: &Inner,
    group: &mut Group,
    pending: &mut Pending,
    at: Timestamp,
    actor: &Actor,
    bodies: Vec<Body>,
) -> Result<Vec<Unwritten>, AppendError> {
    let encode = |source| AppendError::Encode { source: Arc::new(source) };
    let numbered = (group.next_seq()..).zip(bodies);
    let entries: Vec<Entry> =
        numbered.map(|(seq, body)| Entry { seq, at, actor: actor.clone(), body }).collect();
    let (unwritten, deltas) = {
        let state = inner.state.read().unwrap_or_else(PoisonError::into_inner);
        try_all(&state, &pending.delta, &entries)?
    };
    let mut updates = Vec::with_capacity(deltas.len());
    for (entries, delta) in entries.chunks(ENTRIES_OF_AN_UPDATE).zip(deltas) {
        let mut update = Update { delta, ..Update::default() };
        for entry in entries {
            update.remember(entry).map_err(encode)?;
        }
        updates.push(update);
    }
    let hashes = group.push(&entries).map_err(encode)?;
    let ends = entries.chunks(ENTRIES_OF_AN_UPDATE).zip(hashes.chunks(ENTRIES_OF_AN_UPDATE));
    for (update, (entries, hashes)) in updates.iter_mut().zip(ends) {
        let last = entries.last().zip(hashes.last());
        update.applied = last.map(|(entry, hash)| Applied { seq: entry.seq, hash: *hash });
        pending.delta.extend(update.delta.clone());
    }
    pending.updates.append(&mut updates);
    Ok(unwritten)
}

/// What the entries of a request change, for each update of the projection.
fn try_all(
    state: &State,
    earlier: &Delta,
    entries: &[Entry],
) -> Result<(Vec<Unwritten>, Vec<Delta>), AppendError> {
    let mut earlier = Cow::Borrowed(earlier);
    let (mut unwritten, mut deltas) = (Vec::with_capacity(entries.len()), Vec::<Delta>::new());
    for entries in entries.chunks(ENTRIES_OF_AN_UPDATE) {
        if let Some(last) = deltas.last() {
            earlier.to_mut().extend(last.clone());
        }
        let mut draft = Draft::new(state, &earlier);
        for entry in entries {
            unwritten.push(draft.apply(entry)?);
        }
        deltas.push(draft.into_delta());
    }
    Ok((unwritten, deltas))
}

/// Answers; a caller that went away does not want to know.
fn answer(reply: oneshot::Sender<Answer>, result: Answer) {
    drop(reply.send(result));
}

#[cfg(test)]
mod tests {
    use keysweep_core::facts::LastUse;
    use keysweep_core::finding::FindingKind;
    use keysweep_core::lifecycle::KeyEvent;
    use keysweep_core::lifecycle::event::{Named, Overlay, Seen};

    use super::*;

    /// Seven keys with many entries each: a value must not be ahead of its update.
    fn mk_entries(count: u64) -> Vec<Entry> {
        let (at, account) = (Timestamp::UNIX_EPOCH, "111122223333".parse().unwrap());
        let event = |seq: u64| match seq {
            0..=7 => KeyEvent::Seen(Seen::Flagged {
                finding: FindingKind::NeverUsed,
                named: Named {
                    user_id: format!("AIDAEXAMPLE{:09}", seq % 7).parse().unwrap(),
                    user_name: "ci".parse().unwrap(),
                    created: at,
                },
                last_use: LastUse::Never,
            }),
            _ => KeyEvent::Overlay(Overlay::HoldPlaced { reason: format!("hold {seq}"), until: None }),
        };
        let entry = |seq: u64| {
            let key = format!("AKIAEXAMPLE{:09}", seq % 7).parse().unwrap();
            Entry { seq, at, actor: Actor::Keysweep, body: Body::Key { account, key, event: event(seq) } }
        };
        (1..=count).map(entry).collect()
    }

    #[test]
    fn each_update_is_what_its_entries_lead_to() {
        let entries = mk_entries(3 * u64::try_from(ENTRIES_OF_AN_UPDATE).unwrap() + 5);
        let (_, deltas) = try_all(&State::default(), &Delta::default(), &entries).unwrap();
        assert_eq!(deltas.len(), 4);
        let (mut stored, mut replayed) = (State::default(), State::default());
        for (delta, entries) in deltas.into_iter().zip(entries.chunks(ENTRIES_OF_AN_UPDATE)) {
            stored.commit(delta);
            for entry in entries {
                replayed.replay(entry).unwrap();
            }
            assert_eq!(stored, replayed);
        }
    }
}
