//! The command's side.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::user_name;

/// Why there is no connection to the daemon. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The socket cannot be opened.
    #[error("connect to the daemon at {}", path.display())]
    Open {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The socket belongs to another user.
    #[error(
        "the daemon at {} runs as another user: run this command as that user or as root",
        path.display()
    )]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// What listens may not be the daemon.
    #[error(
        "could not trust the daemon at {}: it runs as {user}, which does not own the directory of the socket; nothing was sent. Stop that \
         process, then remove the socket",
        path.display()
    )]
    Stranger {
        /// The socket.
        path: PathBuf,
        /// The user that it runs as.
        user: String,
    },
}

/// Connects to the daemon that listens at `path`; `None` if none does.
///
/// # Errors
/// If something listens there that cannot be talked to, or that may not be the daemon.
pub async fn connect(path: &Path) -> Result<Option<UnixStream>, ConnectError> {
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
                io::ErrorKind::PermissionDenied => Err(ConnectError::Denied { path: path.into() }),
                _ => Err(ConnectError::Open { path: path.into(), source: error }),
            };
        }
    };
    let peer = stream.peer_cred().map_err(|source| ConnectError::Open { path: path.into(), source })?.uid();
    if !may_answer(peer, path) {
        return Err(ConnectError::Stranger { path: path.into(), user: user_name(peer) });
    }
    Ok(Some(stream))
}

/// Whether this user may be the daemon's: it is ours, root, or the owner of the socket's directory, such as data_dir. Anybody else has put a socket
/// there, and would learn what is asked and answer what he likes.
fn may_answer(user: u32, socket: &Path) -> bool {
    let owner =
        socket.parent().and_then(|data_dir| std::fs::metadata(data_dir).ok()).map(|found| found.uid());
    is_trusted(user, rustix::process::geteuid().as_raw(), owner)
}

fn is_trusted(user: u32, own: u32, owner: Option<u32>) -> bool {
    user == 0 || user == own || owner == Some(user)
}

#[cfg(test)]
mod tests {
    use super::is_trusted;

    #[test]
    fn only_the_owner_of_the_directory_and_root_are_asked() {
        for (peer, own, owner, trusted) in [
            (1000, 1000, Some(1000), true),
            (0, 1000, Some(1000), true),
            (998, 0, Some(998), true),
            (1001, 0, Some(998), false),
            (1001, 998, Some(998), false),
            (1001, 998, None, false),
            (998, 998, None, true),
        ] {
            assert_eq!(is_trusted(peer, own, owner), trusted, "{peer} {own} {owner:?}");
        }
    }
}
