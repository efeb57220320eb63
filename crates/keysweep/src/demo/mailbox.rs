//! The mail server of the demo: each message becomes two files that anyone can open.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use keysweep_notify::{Failure, FailureKind};

use super::stage::TEAM;
use crate::people::Letter;

/// A folder of messages.
#[derive(Debug)]
pub(super) struct Mailbox {
    folder: PathBuf,
    count: AtomicU32,
    /// Recipients but the team, as they first appeared.
    seen: Mutex<Vec<String>>,
}

/// What the server makes of a message, so that a newcomer sees what keysweep does then.
enum Fate {
    Accepted,
    /// There is no such mailbox: the first recipient.
    Unknown,
    /// It asks to try again later: the second recipient, once.
    Greylisted,
}

impl Mailbox {
    /// A mailbox in a folder, which is made.
    pub(super) fn new(folder: &Path) -> std::io::Result<Self> {
        fs::create_dir(folder)?;
        Ok(Self { folder: folder.to_owned(), count: AtomicU32::new(0), seen: Mutex::default() })
    }

    /// Takes a message, or refuses it as mail servers do.
    pub(super) fn take(&self, to: &str, letter: &Letter) -> Result<(), Failure> {
        let failure = |kind, detail: String| Failure { kind, detail, retry_after: None };
        match self.fate(to) {
            Fate::Accepted => {}
            Fate::Unknown => {
                let detail = "550 5.1.1 the server has no such mailbox".to_owned();
                return Err(failure(FailureKind::Rejected, detail));
            }
            Fate::Greylisted => {
                let detail = "451 4.7.1 greylisted; try again later".to_owned();
                return Err(failure(FailureKind::Temporary, detail));
            }
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("{number:03}");
        let text = format!("To: {to}\nSubject: {}\n\n{}", letter.subject, letter.text);
        let written = fs::write(self.folder.join(format!("{name}.txt")), text)
            .and_then(|()| fs::write(self.folder.join(format!("{name}.html")), &letter.html));
        written.map_err(|error| failure(FailureKind::Temporary, error.to_string()))
    }

    fn fate(&self, address: &str) -> Fate {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = seen.iter().position(|before| before == address);
        if known.is_none() && address != TEAM {
            seen.push(address.to_owned());
        }
        match (known, seen.len()) {
            (Some(0), _) => Fate::Unknown,
            (None, 1) if address != TEAM => Fate::Unknown,
            (None, 2) if address != TEAM => Fate::Greylisted,
            (_, _) => Fate::Accepted,
        }
    }
}
