//! Operations that show or gather evidence bundles.

use keysweep_api::{EvidenceDocument, GatherEvidence, Operation, Refusal, ShowEvidence};
use keysweep_core::ids::{AccessKeyId, BundleId};
use keysweep_core::lifecycle::event::{Note, Purpose};
use keysweep_core::lifecycle::{KeyEvent, State};
use keysweep_core::state::Body;
use keysweep_store::AppendError;

use super::show::unknown_key;
use super::{Act, Look};
use crate::access::{Need, Permit, Sight};
use crate::causes::in_words;
use crate::change::{GatherError, gather};
use crate::engine::Engine;
use crate::evidence::{FileError, Filed};

impl Look for ShowEvidence {
    fn need(&self) -> Need {
        Need::key(Self::ROLE, &self.key).or_owner()
    }

    async fn look(self, engine: &Engine, _: &Sight) -> Result<EvidenceDocument, Refusal> {
        let id = engine.newest_bundle(&self.key).await?;
        match engine.store().bundle(&id).await {
            Ok(Some(bytes)) => document(&id, bytes),
            Ok(None) => Err(Refusal::NotFound(format!(
                "evidence bundle {id} of {} is no longer in data_dir/evidence: look where old bundles were moved, or in a backup",
                self.key
            ))),
            Err(error) => Err(Refusal::Unavailable(in_words(&error))),
        }
    }
}

impl Act for GatherEvidence {
    fn need(&self) -> Need {
        Need::key(Self::ROLE, &self.key)
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<EvidenceDocument, Refusal> {
        let actor = permit.actor();
        let record = engine.store().read(|state| state.record(&self.key).cloned());
        let record = record.ok_or_else(|| unknown_key(&self.key))?;
        let aws = engine.aws().await.map_err(|error| Refusal::Unavailable(in_words(&error)))?;
        let config = engine.config();
        // Each makes dozens of calls.
        let _turn = engine.gathering.try_acquire().map_err(|_| {
            Refusal::Unavailable("evidence is being gathered for others; try again in a minute".into())
        })?;
        let gathered =
            engine.stopping().run_until_cancelled(gather(engine, &aws, &config, &record, actor)).await;
        let gathered = gathered.ok_or_else(|| Refusal::Unavailable("keysweep is stopping".into()))?;
        let Filed { id, bytes, .. } = gathered.map_err(|error| match &error {
            GatherError::Unseen(_) => Refusal::Aws(in_words(&error)),
            GatherError::File(FileError::Journal(AppendError::Illegal(_))) => {
                Refusal::Conflict(in_words(&error))
            }
            GatherError::File(_) => Refusal::Unavailable(in_words(&error)),
        })?;
        document(&id, bytes)
    }
}

impl Engine {
    /// The bundle that the journal names last.
    async fn newest_bundle(&self, key: &AccessKeyId) -> Result<BundleId, Refusal> {
        let told = self.store().told(key).await.map_err(|error| Refusal::Unavailable(in_words(&error)))?;
        if told.history.is_empty() {
            return Err(unknown_key(key));
        }
        // Of a deleted key, the one that its deletion rests on.
        let deleted = self.store().read(|state| {
            state
                .record(key)
                .is_some_and(|record| matches!(record.state, State::Deleted(_) | State::Deleting(_)))
        });
        let newest = told.history.into_iter().rev().find_map(|entry| match entry.body {
            Body::Key { event: KeyEvent::Record(Note::BundleWritten { bundle, purpose }), .. }
                if !deleted || purpose == Purpose::Deletion =>
            {
                Some(bundle)
            }
            _ => None,
        });
        newest.ok_or_else(|| {
            Refusal::NotFound(format!(
                "there is no evidence bundle of {key} yet: keysweep writes one before it deletes a key, and `keysweep \
                 evidence {key} --gather` writes one now"
            ))
        })
    }
}

fn document(id: &BundleId, bytes: Vec<u8>) -> Result<EvidenceDocument, Refusal> {
    let file = String::from_utf8(bytes).map_err(|error| Refusal::Internal(in_words(&error)))?;
    Ok(EvidenceDocument { sha256: id.to_string(), file })
}
