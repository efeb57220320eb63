//! Where the daemon keeps its state, looked at without writing there.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use keysweep_store::{JournalError, Verified};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::document::{CheckName, DataDirSeen, JournalSeen, Problem, Verdict};
use super::group::Raised;
use crate::causes::in_words;
use crate::socket::{self, user_name};

/// Looks at `path`. Blocks for as long as the journal takes to be read.
pub(super) fn look(path: &Path) -> (DataDirSeen, Vec<Raised>) {
    let mut looking = Looking {
        path,
        seen: DataDirSeen { path: path.display().to_string(), ..DataDirSeen::default() },
        raised: Vec::new(),
    };
    if looking.is_there() {
        looking.writable();
        looking.exposed();
        looking.lock();
        looking.restoration();
        looking.journal();
    }
    (looking.seen, looking.raised)
}

struct Looking<'a> {
    path: &'a Path,
    seen: DataDirSeen,
    raised: Vec<Raised>,
}

impl Looking<'_> {
    fn is_there(&mut self) -> bool {
        let found = match std::fs::metadata(self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let remedy = "nothing: `keysweep run` makes it; a scan needs none. If there was one, see data_dir in the \
                              configuration";
                self.raise(Verdict::Note, "there is no data_dir".into(), None, remedy);
                return false;
            }
            Err(error) => {
                let (verdict, remedy) = match error.kind() {
                    ErrorKind::PermissionDenied => {
                        (Verdict::CannotTell, "run doctor as the user that keysweep runs as")
                    }
                    _ => (Verdict::Gap, "see data_dir in the configuration"),
                };
                self.raise(verdict, "data_dir cannot be looked at".into(), Some(error.to_string()), remedy);
                return false;
            }
        };
        self.seen.exists = true;
        let owner = user_name(found.uid());
        self.seen.owner = Some(owner.clone());
        if !found.is_dir() {
            let remedy = "name a directory as data_dir in the configuration";
            self.raise(Verdict::Gap, "data_dir is not a directory".into(), None, remedy);
            return false;
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            let what = format!("data_dir belongs to {owner}, and doctor runs as {}", socket::own_name());
            let remedy = "run doctor as that user, to see whether data_dir is well for it";
            self.raise(Verdict::CannotTell, what, None, remedy);
        }
        true
    }

    /// Asks the system instead of trying: nothing is written.
    fn writable(&mut self) {
        let wanted = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        match accessat(CWD, self.path, wanted, AtFlags::EACCESS) {
            Ok(()) => self.seen.writable = Some(true),
            Err(error) => {
                let others = self.seen.owner != Some(socket::own_name());
                self.seen.writable = Some(false);
                // Whether its owner could write is another question, and only he can ask it.
                let verdict = if others && error == rustix::io::Errno::ACCESS {
                    Verdict::CannotTell
                } else {
                    Verdict::Gap
                };
                let remedy = "data_dir must be readable and writable for the user that keysweep runs as";
                self.raise(verdict, "data_dir cannot be written to".into(), Some(error.to_string()), remedy);
            }
        }
    }

    /// What would keep the daemon from starting.
    fn exposed(&mut self) {
        // Whether the daemon's own user may write is not asked on behalf of another.
        if self.seen.owner != Some(socket::own_name()) && self.seen.owner.as_deref() != Some("root") {
            return;
        }
        match keysweep_store::exposed(self.path) {
            Ok(None) => {}
            Ok(Some(exposed)) => {
                let what =
                    format!("others could write to data_dir: {} {}", exposed.path.display(), exposed.problem);
                let what = what.trim_end_matches("; run").to_owned();
                let remedy = format!("run `{}`; until then no daemon starts here", exposed.command);
                self.raise(Verdict::Gap, what, None, &remedy);
            }
            Err(error) => {
                let remedy = "run doctor as the user that keysweep runs as";
                let what = "whether others could write to data_dir".into();
                self.raise(Verdict::CannotTell, what, Some(error.to_string()), remedy);
            }
        }
    }

    fn lock(&mut self) {
        self.seen.daemon = UnixStream::connect(socket::path(self.path)).is_ok();
        match keysweep_store::holder(self.path) {
            Ok(holder) => self.seen.held_by = holder,
            Err(error) => {
                let remedy = "run doctor as the user that keysweep runs as";
                let what = "whether data_dir is open".into();
                self.raise(Verdict::CannotTell, what, Some(error.to_string()), remedy);
            }
        }
        if let Some(holder) = self.seen.held_by.clone().filter(|_| !self.seen.daemon) {
            let what = format!("data_dir is open in {holder}, and no daemon answers on its socket");
            let remedy = "nothing, if a daemon is just starting or stopping, or a command has it open; else end that \
                          process";
            self.raise(Verdict::Note, what, None, remedy);
        }
    }

    fn restoration(&mut self) {
        if let Some(backup) = keysweep_store::unfinished_restoration(self.path) {
            let what = "a backup was being restored, and that was cut off or still goes on".into();
            let remedy =
                format!("run `keysweep state restore {backup}` again; until then no daemon starts here");
            self.raise(Verdict::Gap, what, None, &remedy);
        }
    }

    fn journal(&mut self) {
        let verified = match keysweep_store::verify(self.path) {
            Ok(verified) => verified,
            Err(JournalError::Missing { .. }) => {
                let remedy =
                    "nothing, if it is new; keysweep starts empty, and paused if its mode permits changes";
                self.raise(Verdict::Note, "data_dir has no journal".into(), None, remedy);
                return;
            }
            Err(error) => {
                self.raised.push(unreadable(&error));
                return;
            }
        };
        let Verified { entries, last_seq, torn_bytes, written_by, .. } = verified;
        if torn_bytes > 0 && self.seen.held_by.is_none() {
            let what = format!("the last {torn_bytes} bytes of the journal were torn by a crash");
            let remedy = "nothing: nobody was told of what was in them, and the next start cuts them off";
            self.raise(Verdict::Note, what, None, remedy);
        }
        if let Some(version) = written_by.as_ref().filter(|version| *version != env!("CARGO_PKG_VERSION")) {
            let what = format!(
                "data_dir was last opened by keysweep {version}, and this is {}",
                env!("CARGO_PKG_VERSION")
            );
            self.raise(Verdict::Note, what, None, "nothing, if one of them is about to replace the other");
        }
        self.seen.journal = Some(JournalSeen { entries, last_seq, torn_bytes, written_by });
    }

    fn raise(&mut self, verdict: Verdict, what: String, reason: Option<String>, remedy: &str) {
        self.raised.push(mk_raised(verdict, what, reason, remedy.to_owned()));
    }
}

/// What is wrong with the journal says itself what to do, where it is the journal.
fn unreadable(error: &JournalError) -> Raised {
    let denied = |source: &std::io::Error| source.kind() == ErrorKind::PermissionDenied;
    let (verdict, remedy) = match error {
        JournalError::List { source, .. } | JournalError::Read { source, .. } if denied(source) => {
            (Verdict::CannotTell, "run doctor as the user that keysweep runs as")
        }
        JournalError::List { .. } | JournalError::Read { .. } => (Verdict::Gap, "see that its disk is well"),
        JournalError::Missing { .. }
        | JournalError::Broken { .. }
        | JournalError::NewerFormat { .. }
        | JournalError::Decode { .. }
        | JournalError::Replay { .. }
        | JournalError::Write { .. } => {
            (Verdict::Gap, "do what the message says; until then no daemon starts here")
        }
    };
    mk_raised(verdict, "the journal cannot be verified".into(), Some(in_words(error)), remedy.into())
}

fn mk_raised(verdict: Verdict, what: String, reason: Option<String>, remedy: String) -> Raised {
    Raised::once(Problem {
        check: CheckName::DataDir,
        verdict,
        what,
        actions: Vec::new(),
        statement: None,
        reason,
        remedy,
        accounts: Vec::new(),
    })
}
