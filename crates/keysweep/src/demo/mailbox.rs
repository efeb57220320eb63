//! The mail server of the demo: each message becomes two files that anyone can open.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use keysweep_core::notice::Address;
use keysweep_notify::{Failure, FailureKind};

use super::stage::TEAM;
use crate::people::{Carrier, Outgoing};

/// A folder of messages.
#[derive(Debug)]
pub(super) struct Mailbox {
    folder: PathBuf,
    count: AtomicU32,
    /// The first recipient but the team: the server has no such mailbox, so that a newcomer sees what keysweep does then.
    unknown: Mutex<Option<String>>,
}

impl Mailbox {
    /// A mailbox in a folder, which is made.
    pub(super) fn new(folder: &Path) -> std::io::Result<Self> {
        fs::create_dir(folder)?;
        Ok(Self { folder: folder.to_owned(), count: AtomicU32::new(0), unknown: Mutex::default() })
    }

    fn take(&self, to: &Address, message: &Outgoing) -> Result<(), Failure> {
        let failure = |kind, detail: String| Failure { kind, detail, retry_after: None };
        if self.is_unknown(&to.to_string()) {
            let detail = "550 5.1.1 the server has no such mailbox".to_owned();
            return Err(failure(FailureKind::Rejected, detail));
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("{number:03}");
        let text = format!("To: {to}\nSubject: {}\n\n{}", message.letter.subject, message.letter.text);
        let written = fs::write(self.folder.join(format!("{name}.txt")), text)
            .and_then(|()| fs::write(self.folder.join(format!("{name}.html")), &message.letter.html));
        written.map_err(|error| failure(FailureKind::Temporary, error.to_string()))
    }

    fn is_unknown(&self, address: &str) -> bool {
        let mut unknown = self.unknown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if unknown.is_none() && address != TEAM {
            *unknown = Some(address.to_owned());
        }
        unknown.as_deref() == Some(address)
    }
}

impl Carrier for Mailbox {
    fn carry<'a>(&'a self, to: &'a Address, message: &'a Outgoing) -> BoxFuture<'a, Result<(), Failure>> {
        ready(self.take(to, message)).boxed()
    }
}
