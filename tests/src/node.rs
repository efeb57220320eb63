//! Packages for Node.js, installed once from a lock file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Written last: a folder without it was left half made.
const STAMP: &str = "complete";

/// The folder `<target_dir>/<name>` with the packages that `package.json` and `package-lock.json` in `lock` name,
/// installed if they are missing or others. Safe to call from several processes at once.
///
/// # Errors
/// If Node.js 18 or newer or npm is missing, or a package cannot be installed; the message says what to do.
pub fn ensure_packages(target_dir: &Path, name: &str, lock: &Path) -> Result<PathBuf, String> {
    let folder = target_dir.join(name);
    let failed = |what: &str, error: std::io::Error| format!("{what} {}: {error}", folder.display());
    fs::create_dir_all(target_dir).map_err(|error| failed("make the folder of", error))?;
    let guard = File::create(target_dir.join(format!("{name}.lock")));
    let guard = guard.map_err(|error| failed("open the lock of", error))?;
    guard.lock().map_err(|error| failed("take the lock of", error))?;

    let version = run(Command::new("node").arg("--version"))
        .map_err(|why| format!("these tests need Node.js 18 or newer as `node` (Debian: nodejs): {why}"))?;
    let mut stamp = version;
    for file in ["package.json", "package-lock.json"] {
        let path = lock.join(file);
        stamp += &fs::read_to_string(&path).map_err(|error| format!("read {}: {error}", path.display()))?;
    }
    if fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == stamp) {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| failed("remove the outdated", error))?;
    }
    fs::create_dir_all(&folder).map_err(|error| failed("make", error))?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(lock.join(file), folder.join(file)).map_err(|error| failed("copy into", error))?;
    }
    // Scripts of packages have nothing to do here.
    run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder))
        .map_err(|why| {
            format!("these tests need npm (Debian: npm) and what {} names: {why}", lock.display())
        })?;
    fs::write(folder.join(STAMP), stamp).map_err(|error| failed("mark as complete", error))?;
    Ok(folder)
}

fn run(command: &mut Command) -> Result<String, String> {
    let shown = format!("`{}`", command.get_program().to_string_lossy());
    let output = command.output().map_err(|error| format!("{shown} did not start: {error}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(format!(
            "{shown} ended with {}:\n{}",
            output.status,
            String::from_utf8_lossy(&said).trim()
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
