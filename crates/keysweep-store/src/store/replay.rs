//! From the journal to state and projection: catching up, or all of it.

use std::path::Path;

use keysweep_core::state::State;

use crate::error::{JournalError, OpenError, Problem};
use crate::hash::Hash;
use crate::journal::{Visit, parse_entry};
use crate::projection::{Applied, BATCH, Damage, Projection, Update};

/// Takes what a scan of the journal visits.
pub(super) struct Replay {
    pub(super) state: State,
    /// The entry as of which the projection stood; `None` in a rebuild.
    known: Option<Applied>,
    /// Entries before this one lead to a state that is known already: from the projection, or from the snapshot.
    replay_from: u64,
    projection: Option<Projection>,
    pending: Update,
    /// Entries replayed.
    pub(super) replayed: u64,
    /// Why the projection does not get what is replayed, if it failed.
    pub(super) failed: Option<String>,
}

impl Replay {
    /// Goes on from where the projection stands.
    pub(super) fn catch_up(state: State, known: Applied, projection: Projection) -> Self {
        let replay_from = known.seq.saturating_add(1);
        Self { known: Some(known), replay_from, ..Self::rebuild(state, replay_from, Some(projection)) }
    }

    /// Replays nothing, and checks that the journal has the entry as of which a projection stands.
    pub(super) fn check_only(known: Applied) -> Self {
        Self { known: Some(known), ..Self::rebuild(State::default(), u64::MAX, None) }
    }

    /// Begins with what the last segment begins with. Without a projection, only the state is built.
    pub(super) fn rebuild(state: State, replay_from: u64, projection: Option<Projection>) -> Self {
        Self {
            state,
            known: None,
            replay_from,
            projection,
            pending: Update::default(),
            replayed: 0,
            failed: None,
        }
    }

    pub(super) fn visit(&mut self, visit: Visit<'_>) -> Result<(), OpenError> {
        match visit {
            Visit::Segment { first_seq, last_entry, path } => {
                self.check(first_seq.saturating_sub(1), last_entry, path)
            }
            Visit::Snapshot(state) => {
                if self.known.is_none() {
                    self.state = *state;
                }
                Ok(())
            }
            Visit::Entry { seq, kind, line, hash, place } => {
                self.check(seq, hash, place.path)?;
                let replayed = seq >= self.replay_from;
                // Older ones are in the projection, or wanted for histories only: the most common kind is in none.
                if !replayed && (self.known.is_some() || kind == "account_scanned") {
                    return Ok(());
                }
                let entry = parse_entry(line)
                    .map_err(|error| place.broken(Problem::Unreadable(error.to_string())))?;
                if replayed {
                    let delta = self.state.replay(&entry).map_err(|source| {
                        let (path, line) = (place.path.into(), place.line);
                        JournalError::Replay { path, line, seq, source }
                    })?;
                    self.replayed += 1;
                    if self.known.is_some() {
                        self.pending.extend(Update { delta, ..Update::default() });
                        self.pending.applied = Some(Applied { seq, hash });
                    }
                }
                if self.projection.is_some() {
                    let remembered = self.pending.remember(&entry);
                    remembered.map_err(|error| place.broken(Problem::Unreadable(error.to_string())))?;
                }
                if self.pending.len() >= BATCH {
                    self.flush();
                }
                Ok(())
            }
        }
    }

    /// Stores what is left and returns the projection, or why there is none.
    pub(super) fn finish(mut self, last: Applied) -> (State, Result<Projection, String>) {
        if self.known.is_none() && self.projection.is_some() {
            self.store_state();
        }
        self.pending.applied = Some(last);
        self.flush();
        if let Some(projection) = &self.projection
            && let Err(damage) = projection.sync()
        {
            self.fail(&damage);
        }
        let reason = self.failed.unwrap_or_else(|| "not opened".into());
        (self.state, self.projection.ok_or(reason))
    }

    /// After a rebuild: the whole state, in transactions of moderate size.
    fn store_state(&mut self) {
        let records: Vec<_> = self.state.shared_records().collect();
        for record in records {
            self.pending.delta.records.insert(record.identity.key.clone(), Some(record));
            if self.pending.len() >= BATCH {
                self.flush();
            }
        }
        let accounts: Vec<_> = self.state.shared_accounts().collect();
        for (id, account) in accounts {
            self.pending.delta.accounts.insert(id, Some(account));
            if self.pending.len() >= BATCH {
                self.flush();
            }
        }
        let creations: Vec<_> =
            self.state.creations().map(|(id, key, of)| (id, key.clone(), of.clone())).collect();
        for (account, key, creation) in creations {
            self.pending.delta.creations.insert((account, key), Some(creation));
            if self.pending.len() >= BATCH {
                self.flush();
            }
        }
        let parcels: Vec<_> = self.state.outbox().parcels().collect();
        for parcel in parcels {
            self.pending.delta.outbox.insert(parcel.id(), Some(parcel));
            if self.pending.len() >= BATCH {
                self.flush();
            }
        }
        self.pending.delta.control = Some(self.state.control().clone());
    }

    /// The projection must know the same entry under its number as the journal does.
    fn check(&self, seq: u64, hash: Hash, path: &Path) -> Result<(), OpenError> {
        match self.known {
            Some(known) if known.seq == seq && known.hash != hash => {
                Err(OpenError::Diverged { path: path.into(), seq })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn flush(&mut self) {
        let update = std::mem::take(&mut self.pending);
        if let Some(projection) = &self.projection
            && let Err(damage) = projection.apply(&update)
        {
            self.fail(&damage);
        }
    }

    fn fail(&mut self, damage: &Damage) {
        tracing::error!(error = %damage, "records not stored: going on from memory, the next start rebuilds them");
        self.failed = Some(damage.to_string());
        self.projection = None;
    }
}
