//! The Unix socket in data_dir, by which commands talk to the daemon that has data_dir open, and the one of `http.socket`.
//!
//! Who may ask is what the file system says: the socket in data_dir has mode 0600, so that it is the daemon's own user, and
//! root. `http.socket` is open to every user of the machine, and `[[access]]` says what each may do. Who asked is what the
//! kernel says of the peer, and stands in the journal.

mod bind;
mod connect;
mod people;

use std::path::{Path, PathBuf};

use keysweep_api::{ClientError, Operation, Refusal};

pub use self::bind::{bind, bind_shared};
pub use self::connect::{ConnectError, connect};
pub use self::people::{own_actor, own_name, peer_actor, user_name};

/// Name of the socket in data_dir.
const NAME: &str = "keysweep.sock";

/// The socket of the daemon that has `data_dir` open.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// Why a daemon did not answer.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// There is no connection, and nothing was sent.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Something was sent.
    #[error(transparent)]
    Call(#[from] ClientError),
}

/// Asks the daemon that listens at `path`, and gives its reply or its refusal; `None` if none listens.
///
/// # Errors
/// A daemon listens, but its answer did not come or makes no sense.
pub async fn ask<O: Operation>(
    path: &Path,
    asked: &O,
) -> Result<Option<Result<O::Reply, Refusal>>, SocketError> {
    let Some(stream) = connect(path).await? else { return Ok(None) };
    Ok(Some(keysweep_api::call(stream, asked).await?))
}

#[cfg(test)]
mod tests;
