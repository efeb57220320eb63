//! Programs in Python and JavaScript that speak JSON, a line each.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use keysweep_tests::conformance::{ensure_venv, python, target_dir};
use keysweep_tests::node::ensure_packages;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Python with all its packages needs a second to start, and more on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("channels")
}

/// A program that runs until it is dropped.
pub(crate) struct Program {
    name: String,
    _child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Program {
    pub(crate) async fn python(script: &str, arguments: &[&str]) -> Self {
        let venv = tokio::task::spawn_blocking(|| ensure_venv(&target_dir()?)).await.unwrap().unwrap();
        let mut command = Command::new(python(&venv));
        // A proxy of the environment would stand between a client and loopback.
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "*").arg(scripts().join(script));
        Self::start(script, command.args(arguments))
    }

    /// The first argument is the folder with the packages.
    pub(crate) async fn node(script: &str, arguments: &[&str]) -> Self {
        let installed =
            tokio::task::spawn_blocking(|| ensure_packages(&target_dir()?, "channels-node", &scripts()));
        let mut command = Command::new("node");
        command.env("NO_PROXY", "*").arg(scripts().join(script)).arg(installed.await.unwrap().unwrap());
        Self::start(script, command.args(arguments))
    }

    fn start(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("start {name}: {error}"));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { name: name.to_owned(), _child: child, input, output }
    }

    pub(crate) async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{} said nothing within {PATIENCE:?}", self.name));
        line.unwrap().unwrap_or_else(|| panic!("{} ended; see its errors above", self.name))
    }

    pub(crate) async fn json(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{}: {error}: {line}", self.name))
    }

    pub(crate) async fn say(&mut self, value: &Value) {
        self.input.as_mut().unwrap().write_all(format!("{value}\n").as_bytes()).await.unwrap();
    }

    /// Nothing more to say.
    pub(crate) fn close(&mut self) {
        self.input = None;
    }
}
