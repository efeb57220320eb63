//! Backups that the configuration asks for: made in operational time, beside the sweeps and in nobody's way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keysweep_store::{Backup, BackupError, Disk, NewBackup, ReadError, Shelf, back_up, backup_name};
use tokio::time::sleep;

use crate::causes::in_words;
use crate::config;
use crate::engine::Engine;
use crate::metrics::LastBackup;

/// How soon one that failed is tried again.
const RETRY: Duration = Duration::from_secs(600);

/// The longest time in which the clock of the machine is not looked at: it may have been set.
const LOOK: Duration = Duration::from_secs(3_600);

/// Marks files that a daemon has not finished. It is the only one for its directory.
const WRITER: &str = "unfinished";

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the work was cut off")]
    Interrupted,
}

/// Makes backups when they are due, until the engine stops. One at a time for each engine.
pub async fn work(engine: &Arc<Engine>) {
    let stop = engine.stopping();
    let mut keeper = Keeper::default();
    while !stop.is_cancelled() {
        let pause = keeper.round(engine).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(pause) => {}
            () = engine.config_replaced() => {}
        }
    }
}

/// What is known of the backups of one directory.
#[derive(Debug, Default)]
struct Keeper {
    /// The directory that was looked into.
    directory: Option<PathBuf>,
    last: Option<Timestamp>,
}

impl Keeper {
    /// Does what is due; says how long there is nothing to do.
    async fn round(&mut self, engine: &Arc<Engine>) -> Duration {
        let config = engine.config();
        let Some(wanted) = &config.backup else {
            *self = Self::default();
            engine.metrics().backups.set(None);
            return LOOK;
        };
        let done = self.keep_up(engine, wanted).await;
        engine.metrics().backups.set(Some(self.last.map_or(LastBackup::Never, LastBackup::At)));
        match done {
            Ok(pause) => pause.min(LOOK),
            Err(Failure::Backup(BackupError::Stopped)) => Duration::ZERO,
            Err(failure) => {
                let directory = wanted.directory.display();
                tracing::error!(why = %in_words(&failure), %directory, "backup failed; will retry");
                let interval = engine.clock().operational_span(config.scan.interval);
                RETRY.min(wanted.every).min(interval)
            }
        }
    }

    async fn keep_up(&mut self, engine: &Arc<Engine>, wanted: &config::Backup) -> Result<Duration, Failure> {
        let now = engine.clock().operational();
        if self.directory.as_ref() != Some(&wanted.directory) {
            *self = Self::default();
            self.last = newest(engine, wanted.directory.clone(), now).await?;
            self.directory = Some(wanted.directory.clone());
        }
        if let Some(rest) = self.last.and_then(|last| rest(last, now, wanted.every)) {
            return Ok(rest);
        }
        let backup = make(engine, wanted.clone(), now).await?;
        self.last = Some(backup.manifest.created_at);
        let (entries, path) = (backup.manifest.entries, backup.path.display());
        tracing::info!(%path, entries, bytes = backup.bytes, "backed up the journal");
        Ok(wanted.every)
    }
}

/// How long there is no need of another backup; `None` where there is. One of a time to come tells nothing.
fn rest(last: Timestamp, now: Timestamp, every: Duration) -> Option<Duration> {
    let age = Duration::try_from(now.duration_since(last)).ok()?;
    every.checked_sub(age).filter(|rest| !rest.is_zero())
}

/// When the newest backup in a directory was made that can be relied on.
async fn newest(engine: &Engine, directory: PathBuf, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let stop = engine.stopping();
    let looking =
        tokio::task::spawn_blocking(move || Shelf { dir: &directory }.newest(now, &|| stop.is_cancelled()));
    let newest = looking.await.map_err(|_| Failure::Interrupted)??;
    Ok(newest.map(|backup| backup.manifest.created_at))
}

async fn make(engine: &Engine, wanted: config::Backup, now: Timestamp) -> Result<Backup, Failure> {
    let (store, stop, config) = (engine.store().clone(), engine.stopping(), engine.config());
    let making = tokio::task::spawn_blocking(move || {
        let shelf = Shelf { dir: &wanted.directory };
        shelf.sweep_up(WRITER)?;
        let backup = back_up(&NewBackup {
            data_dir: &config.data_dir,
            view: Some(store.view()?),
            file: &wanted.directory.join(backup_name(now)),
            writer: WRITER,
            created_at: now,
            version: env!("CARGO_PKG_VERSION"),
            stop: &|| stop.is_cancelled(),
            files: &Disk,
        })?;
        match shelf.prune(&backup.path, wanted.keep) {
            Ok(removed) => {
                for path in removed {
                    tracing::info!(path = %path.display(), "removed an old backup");
                }
            }
            Err(error) => tracing::error!(why = %in_words(&error), "old backups were not removed"),
        }
        Ok(backup)
    });
    making.await.map_err(|_| Failure::Interrupted)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_due_when_its_time_is_over_or_its_clock_was_ahead() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let day = Duration::from_secs(86_400);
        let hours = |n: i64| now - jiff::SignedDuration::from_hours(n);
        assert_eq!(rest(hours(20), now, day), Some(Duration::from_secs(4 * 3_600)));
        assert_eq!(rest(hours(24), now, day), None);
        assert_eq!(rest(hours(200), now, day), None);
        assert_eq!(rest(hours(-1), now, day), None, "it says nothing of the time until then");
    }
}
