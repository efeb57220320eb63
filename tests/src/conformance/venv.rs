//! The Python environment with moto, boto3, the AWS CLI, and the judges of what is deployed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = include_str!("../../conformance/requirements.txt");
/// Written last: an environment without it was left half made.
const STAMP: &str = "complete";

/// The virtual environment at `<target_dir>/conformance-venv` with everything that `requirements.txt` names, made if it
/// is missing or made from other requirements or by another Python. Safe to call from several processes at once: one
/// makes it and the others wait.
///
/// # Errors
/// If Python 3 with `venv` is missing, or a package cannot be installed; the message says which and what to do.
pub fn ensure_venv(target_dir: &Path) -> Result<PathBuf, String> {
    let venv = target_dir.join("conformance-venv");
    let told = |what: &str, error: std::io::Error| format!("{what} {}: {error}", venv.display());
    fs::create_dir_all(target_dir).map_err(|error| told("make the folder of", error))?;
    let lock = File::create(target_dir.join("conformance-venv.lock"))
        .map_err(|error| told("open the lock of", error))?;
    // Held until this function returns; the system lets go of it when a process dies.
    lock.lock().map_err(|error| told("take the lock of", error))?;

    let version = run(Command::new("python3").arg("--version")).map_err(|why| {
        format!("the conformance tests need Python 3.10 or newer as `python3` (Debian: python3): {why}")
    })?;
    let stamp = format!("{version}{REQUIREMENTS}");
    if fs::read_to_string(venv.join(STAMP)).is_ok_and(|found| found == stamp)
        && run(Command::new(python(&venv)).arg("--version")).is_ok()
    {
        return Ok(venv);
    }
    if venv.exists() {
        fs::remove_dir_all(&venv).map_err(|error| told("remove the outdated", error))?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv)).map_err(|why| {
        format!("the conformance tests need Python's `venv` and `pip` (Debian: python3-venv): {why}")
    })?;
    run(Command::new(python(&venv))
        // Every wait on the network ends, so that a machine without one fails instead of hanging.
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
        .args(["--timeout", "30", "--retries", "3", "--requirement"])
        .arg(super::scripts().join("requirements.txt")))
    .map_err(|why| {
        format!(
            "the conformance tests need what tests/conformance/requirements.txt names, and pip failed: {why}"
        )
    })?;
    fs::write(venv.join(STAMP), stamp).map_err(|error| told("mark as complete", error))?;
    Ok(venv)
}

/// The environment's Python.
#[must_use]
pub fn python(venv: &Path) -> PathBuf {
    tool(venv, "python")
}

/// A program of the environment, such as `aws`.
#[must_use]
pub fn tool(venv: &Path, name: &str) -> PathBuf {
    venv.join("bin").join(name)
}

/// Runs a command to its end and gives what it printed.
fn run(command: &mut Command) -> Result<String, String> {
    // The caller's Python settings would lead pip and venv into another environment.
    for variable in ["PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_TARGET", "PIP_USER"] {
        command.env_remove(variable);
    }
    let shown = command.get_program().to_string_lossy().into_owned();
    let arguments = command.get_args().collect::<Vec<_>>().join(OsStr::new(" "));
    let shown = format!("`{shown} {}`", arguments.to_string_lossy());
    let output = command.output().map_err(|error| format!("{shown} did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("{shown} ended with {}:\n{}", output.status, said(&output)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn said(output: &std::process::Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).trim().to_owned()
}
