//! Running other programs, and where things are.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// The top of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Cargo's target directory, told from where this program lies: `<target>/<profile>/xtask`.
pub(crate) fn target_dir() -> anyhow::Result<PathBuf> {
    let running = std::env::current_exe().context("find the running program")?;
    let target = running.ancestors().nth(2).context("find the target directory")?;
    Ok(target.to_owned())
}

/// The cargo that runs us, at the top of the repository.
///
/// What cargo told us about our own package is kept from it: build scripts that look there would run anew whenever
/// cargo was started by us and by hand in turn, and half of the product would be compiled after them.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program whose output is for whoever looks on.
///
/// # Errors
/// If it does not start or fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    say(&format!("$ {shown}"));
    let status = command.status().with_context(|| format!("start `{shown}`"))?;
    if status.success() { Ok(()) } else { bail!("`{shown}` failed: {status}") }
}

/// Runs a program for what it prints on stdout and on stderr.
///
/// # Errors
/// If it does not start or fails; the message holds what it printed.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<(String, String)> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("start `{shown}`"))?;
    let [stdout, stderr] = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    if output.status.success() {
        return Ok((stdout, stderr));
    }
    bail!("`{shown}` failed: {}\n{stdout}{stderr}", output.status)
}

/// Tells whoever looks on what is going on.
pub(crate) fn say(text: &str) {
    // A chore whose onlooker has gone goes on.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn shown(command: &Command) -> String {
    let words: Vec<&OsStr> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    words.join(OsStr::new(" ")).to_string_lossy().into_owned()
}
