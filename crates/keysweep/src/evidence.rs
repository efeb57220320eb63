//! Evidence bundles: what was known about a key, and what was not, as a file that nobody can alter unnoticed.
//!
//! ```text
//! facts, lookup, policy, record, history ──compose──> Bundle ──seal──> file, on disk ──> its hash in the journal
//! ```

mod check;
mod compose;
mod seal;

use std::io::ErrorKind;

use keysweep_core::facts::{AccountFacts, KeyFacts};
use keysweep_core::ids::BundleId;
use keysweep_core::lifecycle::event::{Note, Purpose};
use keysweep_core::lifecycle::{KeyEvent, Record, Sighting};
use keysweep_core::plan::Context;
use keysweep_core::state::{Actor, Body, Receipt};
use keysweep_core::ticket::Origin;
use keysweep_store::{AppendError, BundleError, ReadError};

pub use self::check::CheckError;
pub(crate) use self::check::{Checked, Witnessed, against_journal, against_key};
pub(crate) use self::compose::QUIET;
use self::seal::seal;
use crate::config::Config;
use crate::engine::{Engine, Room};
use crate::signing::{SigningError, signing_key};
use crate::terms::effective;

/// Whom a bundle is about, with all that was read of it.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) config: &'a Config,
    pub(crate) account: &'a AccountFacts,
    pub(crate) record: &'a Record,
    pub(crate) facts: &'a KeyFacts,
    pub(crate) sighting: &'a Sighting,
}

/// What a bundle is made for.
#[derive(Clone, Copy)]
pub(crate) enum Occasion<'a> {
    /// The deletion of the key.
    Deletion {
        /// Who wants it.
        origin: &'a Origin,
        /// Why, as the plan says.
        why: &'a str,
    },
    /// Someone asked for it.
    Request {
        /// Who.
        actor: &'a Actor,
    },
}

impl Occasion<'_> {
    fn purpose(self) -> Purpose {
        match self {
            Self::Deletion { .. } => Purpose::Deletion,
            Self::Request { .. } => Purpose::Request,
        }
    }

    /// Who made keysweep write the bundle.
    fn actor(self) -> Actor {
        match self {
            Self::Deletion { origin: Origin::Operator { actor, .. }, .. } | Self::Request { actor } => {
                actor.clone()
            }
            Self::Deletion { origin: Origin::Policy, .. } => Actor::Keysweep,
        }
    }
}

/// A bundle that is on disk and in the journal.
pub(crate) struct Filed {
    pub(crate) id: BundleId,
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// Proof of its entry in the journal.
    pub(crate) receipt: Option<Receipt>,
}

/// Why a bundle is not on disk or not in the journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The history of the key cannot be read.
    #[error("read the history of the key")]
    History(#[from] ReadError),
    /// The bundle cannot be written as JSON.
    #[error("encode the evidence bundle")]
    Encode(#[from] serde_json::Error),
    /// The bundle cannot be signed.
    #[error(transparent)]
    Sign(#[from] SigningError),
    /// It is not on disk.
    #[error(transparent)]
    Write(#[from] BundleError),
    /// The journal does not name it.
    #[error("write the journal")]
    Journal(#[from] AppendError),
}

/// Puts together what is known of a key, makes it durable, and then journals its hash.
///
/// # Errors
/// [`FileError`]: the journal names no bundle that is not on disk.
pub(crate) async fn file(
    engine: &Engine,
    occasion: Occasion<'_>,
    subject: Subject<'_>,
) -> Result<Filed, FileError> {
    let (identity, evidence) = (&subject.record.identity, &subject.config.evidence);
    let told = engine.store().told(&identity.key).await?;
    // As the journal has it by now, and not as it was before the lookup.
    let (record, creation) = engine.store().read(|state| {
        (state.record(&identity.key).cloned(), state.creation(identity.account, &identity.key).cloned())
    });
    let subject = Subject { record: record.as_ref().unwrap_or(subject.record), ..subject };
    let of_key = |context: &Context<'_>| effective(context, subject.account, subject.facts);
    let effective = engine.with_context(&subject.config.policy, of_key);
    let bundle =
        compose::compose(engine.clock().now(), occasion, subject, creation.as_ref(), told, effective)?;
    let bytes = seal(&bundle, evidence.signing_key.as_deref())?;
    let purpose = occasion.purpose();
    let id = engine.store().write_bundle(bytes.clone(), most_bytes(subject.config, purpose)).await?;
    let event = KeyEvent::Record(Note::BundleWritten { bundle: id.clone(), purpose });
    let body = Body::Key { account: identity.account, key: identity.key.clone(), event };
    match engine.ledger().record(&occasion.actor(), Room::Common, vec![body]).await {
        Ok(receipts) => {
            engine.metrics().lifecycle.bundle(purpose);
            Ok(Filed { id, bytes, receipt: receipts.into_iter().next() })
        }
        Err(error) => {
            if is_certainly_unwritten(&error) {
                engine.store().discard_bundle(&id).await;
            }
            Err(error.into())
        }
    }
}

/// Whether an entry is in no journal, whatever a restart finds: only then may what it names be removed.
fn is_certainly_unwritten(error: &AppendError) -> bool {
    match error {
        AppendError::Illegal(_) | AppendError::Encode { .. } | AppendError::Closed => true,
        AppendError::Io { source, .. } => source.kind() == ErrorKind::StorageFull,
        AppendError::Poisoned { .. } | AppendError::Interrupted => false,
    }
}

/// Whether the bundle of a deletion could be written now: what takes many calls to collect must have somewhere to go.
///
/// # Errors
/// [`FileError`] with what is missing.
pub(crate) async fn ready(engine: &Engine, config: &Config) -> Result<(), FileError> {
    if let Some(file) = &config.evidence.signing_key {
        signing_key(file)?;
    }
    Ok(engine.store().bundle_room(most_bytes(config, Purpose::Deletion)).await?)
}

/// What is asked for must not take the room of deletions.
fn most_bytes(config: &Config, purpose: Purpose) -> u64 {
    let most = config.evidence.most_bytes;
    match purpose {
        Purpose::Deletion => most,
        Purpose::Request => most / 10 * 9,
    }
}
