//! What the tests of the command line share.
#![allow(clippy::unwrap_used, clippy::panic, reason = "clippy knows no helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A run of the program.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program without anything of this machine's environment.
pub(crate) fn keysweep(args: &[&str]) -> Ran {
    ran(&mut command(args))
}

/// The program, to be run without anything of this machine's environment.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keysweep"));
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

/// Compares with `tests/golden/cli/<name>`; with `UPDATE_GOLDEN=1` writes it.
pub(crate) fn assert_golden(name: &str, actual: &str) {
    assert_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cli").join(name), actual);
}

/// Compares with a file; with `UPDATE_GOLDEN=1` writes it.
pub(crate) fn assert_file(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; UPDATE_GOLDEN=1 writes it anew:\n--- expected\n{expected}\n--- actual\n{actual}",
        path.display()
    );
}

/// A configuration file in `dir` whose data_dir is `dir/data`.
pub(crate) fn mk_config(dir: &Path) -> PathBuf {
    let path = dir.join("keysweep.toml");
    std::fs::write(&path, format!("data_dir = {:?}\n", dir.join("data"))).unwrap();
    path
}
