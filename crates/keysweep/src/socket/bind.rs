//! The daemon's side.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};

/// Listens at `path`, for the daemon's own user and root. A socket that a dead daemon left behind is replaced.
///
/// # Errors
/// A live daemon listens at `path`, `path` is something else than a socket, or it cannot be bound.
pub async fn bind(path: &Path) -> io::Result<UnixListener> {
    bind_with(path, 0o600).await
}

/// Listens at `path`, for every user of this machine.
///
/// # Errors
/// As [`bind`].
pub async fn bind_shared(path: &Path) -> io::Result<UnixListener> {
    bind_with(path, 0o666).await
}

/// Binds under another name and moves into place, so that the socket is never there with wider permissions, and a
/// dead one is replaced in one step.
async fn bind_with(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let message = format!("{} is in the way and no socket", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        Ok(_) if UnixStream::connect(path).await.is_ok() => {
            let message = format!("another daemon listens at {}", path.display());
            return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, Permissions::from_mode(mode))?;
    std::fs::rename(&new, path)?;
    Ok(listener)
}
