//! The folder of the Helm chart, whole. Its tests take this file as it is.

use std::path::Path;
use std::{fs, io};

/// The chart, without what a chart cannot read from elsewhere.
const SOURCE: &str = "deploy/helm/keysweep";
/// What it takes along: a folder, how names of its files end, and the folder of the chart.
const TAKEN_ALONG: [(&str, &str, &str); 2] =
    [("deploy/prometheus", ".rules.yml", "files/prometheus"), ("deploy/grafana", ".json", "files/grafana")];

/// Writes the chart with its rules and dashboards, in place of what the folder holds.
///
/// # Errors
/// If a file cannot be read or written, or there is nothing to take along; the message names the path.
pub(crate) fn write(root: &Path, chart: &Path) -> io::Result<()> {
    match fs::remove_dir_all(chart) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(chart, &error)),
        Ok(()) | Err(_) => {}
    }
    copy(&root.join(SOURCE), chart, "")?;
    for (from, ending, to) in TAKEN_ALONG {
        let (from, to) = (root.join(from), chart.join(to));
        if copy(&from, &to, ending)? == 0 {
            return Err(io::Error::other(format!("{}: no file whose name ends in {ending}", from.display())));
        }
    }
    Ok(())
}

/// Copies files whose names end so, or the whole folder where that is nothing; says how many.
fn copy(from: &Path, to: &Path, ending: &str) -> io::Result<u32> {
    let mut copied = 0;
    fs::create_dir_all(to).map_err(|error| at(to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| at(from, &error))? {
        let path = entry.map_err(|error| at(from, &error))?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            if ending.is_empty() {
                copied += copy(&path, &to.join(name), ending)?;
            }
        } else if name.to_string_lossy().ends_with(ending) {
            fs::copy(&path, to.join(name)).map_err(|error| at(&path, &error))?;
            copied += 1;
        }
    }
    Ok(copied)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
