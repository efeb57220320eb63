//! A disk of a few hundred kilobytes under data_dir, in a mount namespace of its own: nobody else sees it, and it goes
//! with the process that holds it.

use std::process::Stdio;

use keysweep_tests::site::{Daemon, finished};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::stage::Stage;

/// The namespace, as long as this lives.
pub(crate) struct SmallDisk<'a> {
    stage: &'a Stage,
    holder: Child,
}

/// Moves the site's data_dir to a disk of its own. From here on only what runs through the disk sees it.
pub(crate) async fn mk_small_disk(stage: &Stage, kilobytes: u32) -> SmallDisk<'_> {
    let data = stage.data().display().to_string();
    let backup = stage.backup();
    // Ends when its stdin does, which is with this process at the latest.
    let script = "mount -t tmpfs -o size=\"$2\"k,mode=700 tmpfs \"$1\" && cp -a \"$3\"/. \"$1\" && echo mounted && \
                  exec cat";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", &data]);
    command.arg(kilobytes.to_string()).arg(backup.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let why =
        "the tests of disks need unshare and nsenter of util-linux, and leave to make a mount namespace";
    let mut holder = command.spawn().expect(why);
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    assert_eq!(line, "mounted\n", "{why}");
    SmallDisk { stage, holder }
}

impl SmallDisk<'_> {
    /// What a program has to be run behind to see the disk.
    fn inside(&self) -> Vec<String> {
        let holder = self.holder.id().unwrap().to_string();
        ["nsenter", "--preserve-credentials", "--user", "--mount", "--target", &holder]
            .map(String::from)
            .to_vec()
    }

    /// Runs a command of ours on the disk.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let inside = self.inside();
        let inside: Vec<&str> = inside.iter().map(String::as_str).collect();
        finished(self.stage.site.command_behind(&inside, arguments)).await
    }

    /// Starts the daemon on the disk.
    pub(crate) fn daemon(&self) -> Daemon {
        let inside = self.inside();
        let inside: Vec<&str> = inside.iter().map(String::as_str).collect();
        Daemon::start(self.stage.site.command_behind(&inside, &["run"]))
    }

    /// Runs a line of shell on the disk, with `$1` for its folder.
    pub(crate) async fn shell(&self, line: &str) {
        let inside = self.inside();
        let mut command = Command::new(&inside[0]);
        command.args(&inside[1..]).args(["sh", "-c", line, "sh"]).arg(self.stage.data());
        let (code, _, messages) = finished(command).await;
        assert_eq!(code, 0, "{line}: {messages}");
    }

    /// Leaves not a byte.
    pub(crate) async fn fill(&self) {
        self.shell("cat /dev/zero > \"$1\"/filler 2> /dev/null; test -s \"$1\"/filler").await;
    }

    /// Makes room again.
    pub(crate) async fn free(&self) {
        self.shell("rm \"$1\"/filler").await;
    }
}
