//! The simulator in a process of its own, seen from the outside.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use serde_json::Value;

/// The simulator's process.
pub(super) struct Organization {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// How to reach it.
    pub(super) hub: Value,
}

impl Organization {
    /// Starts it with these arguments, and waits until it answers.
    pub(super) fn start(arguments: &[String]) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe().context("find the running program")?)
            .args(["product", "serve"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the simulator")?;
        let stdin = process.stdin.take().context("no stdin of the simulator")?;
        let mut stdout = BufReader::new(process.stdout.take().context("no stdout of the simulator")?);
        let hub = read(&mut stdout)?;
        Ok(Self { process, stdin, stdout, hub })
    }

    /// Tells a program where AWS is and who it is there, and nothing else.
    pub(super) fn give_to(&self, command: &mut Command) -> anyhow::Result<()> {
        let given = [
            ("AWS_ENDPOINT_URL", "endpoint"),
            ("AWS_ACCESS_KEY_ID", "access_key_id"),
            ("AWS_SECRET_ACCESS_KEY", "secret_access_key"),
        ];
        for (variable, name) in given {
            command.env(variable, text(&self.hub, name)?);
        }
        if let Ok(token) = text(&self.hub, "session_token") {
            command.env("AWS_SESSION_TOKEN", token);
        }
        Ok(())
    }

    /// Calls so far, by action.
    pub(super) fn calls(&mut self) -> anyhow::Result<BTreeMap<String, u64>> {
        self.stdin.write_all(b"calls\n").context("ask the simulator")?;
        let answer = read(&mut self.stdout)?;
        let calls = answer.get("calls").cloned().context("no calls in the simulator's answer")?;
        serde_json::from_value(calls).context("parse the simulator's answer")
    }

    /// It ends with its stdin.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        let Self { mut process, stdin, .. } = self;
        drop(stdin);
        process.wait().context("wait for the simulator")?;
        Ok(())
    }
}

fn read(from: &mut BufReader<ChildStdout>) -> anyhow::Result<Value> {
    let mut line = String::new();
    from.read_line(&mut line).context("read from the simulator")?;
    serde_json::from_str(&line).context("the simulator ended before it answered")
}

/// What the simulator told about itself.
pub(super) fn text<'a>(hub: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    hub.get(name).and_then(Value::as_str).with_context(|| format!("the simulator did not tell its {name}"))
}

#[allow(clippy::disallowed_methods, reason = "this clock measures and decides nothing")]
pub(super) fn now() -> Instant {
    Instant::now()
}
