//! How commands talk to the daemon that has data_dir open: HTTP/1.1 with JSON over a Unix socket in it.
//!
//! Who may ask is what the file system says: the socket has mode 0600, so that it is the daemon's own user, and
//! root. Who asked is what the kernel says of the peer, and stands in the journal.

mod client;
mod people;
mod server;

use std::path::{Path, PathBuf};

pub use self::client::{SocketError, ask};
pub use self::people::{own_actor, own_name, peer_actor, user_name};
pub use self::server::{Answer, serve};

/// Name of the socket in data_dir.
const NAME: &str = "keysweep.sock";

/// Where requests are posted.
const ROUTE: &str = "/request";

/// The socket of the daemon that has `data_dir` open.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

#[cfg(test)]
mod tests;
