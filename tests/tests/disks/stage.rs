//! A site whose data_dir has a key in it, on hold, and what it takes to break and to mend it.

use std::fs;
use std::path::{Path, PathBuf};

use keysweep_tests::site::{Site, copy_dir};
use rustix::process::Signal;

pub(crate) const ACCOUNT: &str = "111122223333";

/// The reason of the hold: whoever knows it has lost nothing.
const REASON: &str = "asked for by the auditors";

pub(crate) struct Stage {
    pub(crate) site: Site,
    pub(crate) key: String,
}

/// A site whose daemon has run, flagged a key and ended; an operator holds the key.
pub(crate) async fn mk_stage(toml: &str) -> Stage {
    let site = Site::new(toml).await;
    site.account(ACCOUNT);
    let key = site.stale_key(ACCOUNT, "svc-old");
    site.sim.make_reports();
    let stage = Stage { site, key };
    stage.starts().await;
    let hold = ["keys", "hold", &stage.key, "--reason", REASON];
    let (code, _, messages) = stage.site.run(&hold).await;
    assert_eq!(code, 0, "{messages}");
    stage
}

impl Stage {
    pub(crate) fn data(&self) -> PathBuf {
        self.site.data_dir()
    }

    /// The one segment of the journal.
    pub(crate) fn segment(&self) -> PathBuf {
        self.data().join("journal/00000000000000000001.jsonl")
    }

    /// The daemon starts, sweeps and ends in order; what it said.
    pub(crate) async fn starts(&self) -> String {
        let mut daemon = self.site.daemon();
        daemon.says("sweep finished").await;
        daemon.signal(Signal::TERM);
        let (status, log) = daemon.ends().await;
        assert!(status.success(), "{status}\n{}", log.join("\n"));
        log.join("\n")
    }

    /// The daemon does not start; what it says.
    pub(crate) async fn refuses(&self) -> String {
        let (status, log) = self.site.daemon().ends().await;
        assert_eq!(status.code(), Some(1), "{}", log.join("\n"));
        log.join("\n")
    }

    /// Fails unless a command knows the key and why it is on hold.
    pub(crate) async fn knows_its_key(&self) {
        self.is_known(self.site.run(&["keys", "show", &self.key]).await);
    }

    /// The same of what `keys show` answered.
    pub(crate) fn is_known(&self, (code, data, messages): (i32, String, String)) {
        assert_eq!(code, 0, "{messages}");
        assert!(data.contains(&format!("until released: {REASON}")), "{data}");
        assert!(!messages.contains("panicked"), "{messages}");
    }

    /// Runs the command that a message names, word for word, which must succeed.
    pub(crate) async fn repairs(&self, message: &str) {
        let (code, _, messages) = self.site.run(&named_command(message)).await;
        assert_eq!(code, 0, "{messages}");
    }

    /// A copy of data_dir, as a backup has it.
    pub(crate) fn backup(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(&self.data(), copy.path());
        copy
    }

    /// Puts data_dir back as it was.
    pub(crate) fn put_back(&self, backup: &Path) {
        fs::remove_dir_all(self.data()).unwrap();
        copy_dir(backup, &self.data());
    }
}

/// The command of ours that a message names between backticks, without `keysweep`.
pub(crate) fn named_command(message: &str) -> Vec<&str> {
    let quoted = message.split('`').skip(1).step_by(2);
    let command = quoted.filter_map(|quoted| quoted.strip_prefix("keysweep ")).next();
    command.unwrap_or_else(|| panic!("no command is named: {message}")).split(' ').collect()
}

/// Fails unless a message names this file.
pub(crate) fn names(message: &str, file: &Path) {
    assert!(message.contains(&file.display().to_string()), "{} is not named: {message}", file.display());
}
