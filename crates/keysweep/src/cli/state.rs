//! `state`: the records made anew, the journal as one file, and the way back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use keysweep_api::{ClientError, JournalBytes, ViewJournal};
use keysweep_store::{Backup, Disk, JournalView, NewBackup, Restoration, Restored, back_up, backup_name};

use super::Exit;
use super::args::Global;
use super::config::{data_dir, read};
use super::console::Console;
use super::error::CliError;
use super::operator::{ask_daemon, is_ours};
use super::text::count;
use crate::clock::Clock;
use crate::socket::{SocketError, own_actor};

/// `state rebuild`.
pub(super) fn rebuild(global: &Global, console: &Console) -> Result<Exit, CliError> {
    let data_dir: PathBuf = read(global)?.data_dir;
    if !is_ours(&data_dir)? {
        return Err(CliError::NoDataDir { path: data_dir });
    }
    let rebuilt = keysweep_store::rebuild(&data_dir).map_err(|source| CliError::Rebuild { source })?;
    console.say(&format!(
        "rebuilt {} from {} of the journal",
        count(rebuilt.records, "record", "records"),
        count(rebuilt.entries, "entry", "entries"),
    ));
    Ok(Exit::Done)
}

/// `state backup`. The daemon is asked only where the journal ends: the file is made here, so that it belongs to who
/// asked for it, and stands where he means.
pub(super) async fn backup(global: &Global, to: &Path, console: &Console) -> Result<Exit, CliError> {
    let data_dir = data_dir(global, console)?;
    let view = view(&data_dir, console).await?;
    let now = Clock::system().operational();
    let file = absolute(if to.is_dir() { to.join(backup_name(now)) } else { to.into() })?;
    let made = tokio::task::spawn_blocking(move || {
        let writer = format!("unfinished-{}", std::process::id());
        back_up(&NewBackup {
            data_dir: &data_dir,
            view,
            file: &file,
            writer: &writer,
            created_at: now,
            version: env!("CARGO_PKG_VERSION"),
            stop: &|| false,
            files: &Disk,
        })
    });
    let Backup { path, manifest, sha256, bytes } = made.await.map_err(|_| CliError::Interrupted)??;
    console.say(&format!(
        "backed up {} ({} to {}) to {}: {bytes} bytes, read back and whole\nSHA-256 {sha256}\nlast line of the \
         journal: {}\nkeep it on another machine; `keysweep state restore FILE` puts it back",
        count(manifest.entries, "entry", "entries"),
        manifest.first_seq,
        manifest.last_seq,
        path.display(),
        manifest.head_hash(),
    ));
    if manifest.first_seq > 1 {
        console.warn(&format!(
            "entries before {} are not in it: they were archived, and are not in data_dir",
            manifest.first_seq
        ));
    }
    Ok(Exit::Done)
}

/// Where the journal ends, as a daemon says that writes it; `None` where none does.
async fn view(data_dir: &Path, console: &Console) -> Result<Option<JournalView>, CliError> {
    match ask_daemon(data_dir, &ViewJournal {}, console).await?.transpose()? {
        Some(JournalBytes { view }) => serde_json::from_value(view)
            .map(Some)
            .map_err(|source| CliError::Socket(SocketError::Call(ClientError::Decode { source }))),
        None if data_dir.exists() => Ok(None),
        None => Err(CliError::NoDataDir { path: data_dir.into() }),
    }
}

/// `state restore`.
pub(super) async fn restore(
    global: &Global,
    file: &Path,
    force: bool,
    console: &Console,
) -> Result<Exit, CliError> {
    let data_dir = read(global)?.data_dir;
    let existed = is_ours(&data_dir)?;
    let file = absolute(file.into())?;
    let (dir, at, actor) = (data_dir.clone(), Clock::system().now(), own_actor());
    let restored = tokio::task::spawn_blocking(move || {
        let files = Arc::new(Disk);
        let order = Restoration { data_dir: &dir, file: &file, replace: force, at, actor: &actor, files };
        keysweep_store::restore(&order)
    });
    let Restored { backup, records, aside } = restored.await.map_err(|_| CliError::Interrupted)??;
    let Backup { path, manifest, .. } = backup;
    console.say(&format!(
        "restored {} ({} to {}) and {} to {} from {}, made at {} by keysweep {}",
        count(manifest.entries, "entry", "entries"),
        manifest.first_seq,
        manifest.last_seq,
        count(records, "record", "records"),
        data_dir.display(),
        path.display(),
        manifest.created_at,
        manifest.version,
    ));
    if !existed && rustix::process::geteuid().is_root() {
        console.warn(&format!(
            "{} belongs to root now: if keysweep runs as another user, give it to that one (chown -R)",
            data_dir.display()
        ));
    }
    for path in aside {
        console.say(&format!("what was there is kept as {}", path.display()));
    }
    console.say(
        "keysweep no longer knows holds, denials, and changes made after the backup. keysweep is paused, grace periods \
         and notices start over, and no change within a cap is possible for a day; undo works\n\
         next: start the daemon, review `keysweep plan`, repeat the holds (`keysweep keys hold KEY --reason TEXT`), \
         then run `keysweep resume --reason TEXT`",
    );
    Ok(Exit::Done)
}

/// A message names a file so that it can be found from anywhere.
fn absolute(path: PathBuf) -> Result<PathBuf, CliError> {
    std::path::absolute(&path).map_err(|source| CliError::File { path, source })
}
