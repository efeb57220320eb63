//! promtool.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs promtool in a folder: whether it was content, and all that it said.
pub(crate) fn promtool(folder: &Path, arguments: &[&str], input: &str) -> (bool, String) {
    let mut promtool = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs: it comes with prometheus, on Debian `apt-get install prometheus`");
    promtool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
