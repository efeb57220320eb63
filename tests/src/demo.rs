//! `keysweep demo` as a process of its own, as a newcomer starts it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::conformance::keysweep_binary;

/// Time for the whole on a machine that does other things too.
pub const LIMIT: Duration = Duration::from_secs(150);

/// A demo that runs, with a directory for temporary files of its own.
#[derive(Debug)]
pub struct Demo {
    /// The program.
    pub process: Child,
    /// What it says.
    pub output: Lines<BufReader<ChildStdout>>,
    /// What it has said so far.
    pub seen: Vec<String>,
    /// Its temporary files.
    pub folder: TempDir,
}

impl Demo {
    /// Starts it with these arguments.
    ///
    /// # Panics
    /// If it cannot be built or does not start.
    pub async fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::with_prefix("demo-test-").unwrap();
        let mut process = Command::new(keysweep_binary().await.unwrap())
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, output, seen: Vec::new(), folder }
    }

    /// Reads on until a line holds this text.
    ///
    /// # Panics
    /// If there is no such line.
    pub async fn says(&mut self, text: &str) -> String {
        let reading = async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                self.seen.push(line.clone());
                if line.contains(text) {
                    return Some(line);
                }
            }
            None
        };
        let found = timeout(LIMIT, reading).await.unwrap_or_default();
        found.unwrap_or_else(|| panic!("the demo never said {text:?}:\n{}", self.seen.join("\n")))
    }

    /// What follows this text on the line that holds it.
    ///
    /// # Panics
    /// If there is no such line.
    pub async fn tells(&mut self, text: &str) -> String {
        self.says(text).await.split_once(text).unwrap().1.to_owned()
    }

    /// Reads on to the end, and waits for it.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn ends(&mut self) -> ExitStatus {
        let rest = async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                self.seen.push(line);
            }
            self.process.wait().await.unwrap()
        };
        timeout(LIMIT, rest).await.expect("the demo ends")
    }
}
