//! Conformance: keysweep's program against an AWS that we did not write, and AWS clients that we did not write against
//! our simulator.
//!
//! The other side is Python (`tests/conformance/`), in a virtual environment that [`ensure_venv`] makes once. A machine
//! that cannot make it fails these tests with a message; it never skips them.

mod moto;
mod program;
mod venv;

use std::path::{Path, PathBuf};

pub use moto::{Account, Call, ExpectedAccounts, Key, KeyStatus, Organization, Truth, User};
pub use program::{Daemon, Finished, Keysweep, keysweep_binary};
pub use venv::{ensure_venv, python, tool};

/// The folder of the Python side.
#[must_use]
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// Cargo's target directory, told from where the running test lies: `<target>/<profile>/deps/<test>`.
///
/// # Errors
/// If the running program lies elsewhere.
pub fn target_dir() -> Result<PathBuf, String> {
    let running = std::env::current_exe().map_err(|error| format!("find the running test: {error}"))?;
    match running.ancestors().nth(3) {
        Some(target) if running.parent().is_some_and(|deps| deps.ends_with("deps")) => Ok(target.to_owned()),
        _ => Err(format!("find the target directory: {} is no test built by cargo", running.display())),
    }
}
