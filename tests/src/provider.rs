//! OpenID Connect providers that we did not write, in Python and JavaScript.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up fails"
)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::conformance::{ensure_venv, python, target_dir};
use crate::node::ensure_packages;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Python with all its packages needs a second to start, and more on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("logins")
}

/// A provider that runs until it is dropped.
#[derive(Debug)]
pub struct Program {
    /// Its issuer, on loopback.
    pub issuer: String,
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// A provider in Python.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn python(script: &str) -> Self {
        let venv = tokio::task::spawn_blocking(|| ensure_venv(&target_dir()?)).await.unwrap().unwrap();
        let mut command = Command::new(python(&venv));
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(scripts().join(script));
        Self::start(&mut command).await
    }

    /// A provider in JavaScript. The first argument of the script is the folder with the packages.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn node(script: &str, arguments: &[&str]) -> Self {
        let installed =
            tokio::task::spawn_blocking(|| ensure_packages(&target_dir()?, "logins-node", &scripts()));
        let mut command = Command::new("node");
        command.arg(scripts().join(script)).arg(installed.await.unwrap().unwrap()).args(arguments);
        Self::start(&mut command).await
    }

    async fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut program = Self { issuer: String::new(), _child: child, input, output };
        program.issuer = program.json().await["issuer"].as_str().unwrap().to_owned();
        program
    }

    /// Says something and waits for the response.
    ///
    /// # Panics
    /// If the provider has ended, or says nothing for too long.
    pub async fn ask(&mut self, value: &Value) -> Value {
        self.input.write_all(format!("{value}\n").as_bytes()).await.unwrap();
        self.json().await
    }

    async fn json(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("the provider said nothing within {PATIENCE:?}"));
        let line = line.unwrap().expect("the provider ended; see its errors above");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}
