//! Conformance: keysweep's program against an AWS that we did not write, and AWS clients that we did not write against
//! our simulator.
//!
//! The other side is Python (`tests/conformance/`), in a virtual environment that [`ensure_venv`] makes once. A machine
//! that cannot make it fails these tests with a message; it never skips them.

mod moto;
mod orders;
mod probes;
mod program;
mod twin;
mod venv;

use std::path::{Path, PathBuf};

pub use moto::{Account, Call, ExpectedAccounts, Key, KeyStatus, Organization, Session, Truth, User};
pub use probes::{Answers, Side, ask_everything};
pub use program::{Daemon, Finished, Keysweep, keysweep_binary};
pub use twin::twin;
pub use venv::{ensure_venv, python, tool};

/// The folder of the Python side.
#[must_use]
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// Cargo's target directory.
///
/// # Errors
/// If the running program was not built by cargo.
pub fn target_dir() -> Result<PathBuf, String> {
    Ok(built_in()?.0)
}

/// Cargo's target directory and the folder of the profile in it, told from where the running program lies:
/// `<target>/<profile>/deps/<test>`, or `<target>/<profile>/<program>`.
fn built_in() -> Result<(PathBuf, String), String> {
    let running = std::env::current_exe().map_err(|error| format!("find the running program: {error}"))?;
    let folder = running.ancestors().skip(1).find(|folder| folder.join("deps").is_dir());
    let name = folder.and_then(|folder| folder.file_name()?.to_str());
    match (folder.and_then(Path::parent), name) {
        (Some(target), Some(name)) => Ok((target.to_owned(), name.to_owned())),
        _ => Err(format!("find the target directory: {} was not built by cargo", running.display())),
    }
}
