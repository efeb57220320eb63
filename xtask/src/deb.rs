//! `cargo xtask deb`: the Debian package, from a release build without the demo.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::command::{cargo, output, root, run, say, target_dir};
use crate::deploy::PACKAGED;
use crate::tools::{CARGO_DEB, require};

/// The folder of the crate that is packaged: its manifest says what goes where.
const CRATE: &str = "crates/keysweep";

/// Builds the package and says where it is.
pub(crate) fn build() -> anyhow::Result<()> {
    require(&[&CARGO_DEB])?;
    let target = target_dir()?;
    let mut building = cargo();
    building.args(PACKAGED.split(' ')).env("CARGO_TARGET_DIR", &target);
    // The program names the commit that it was made from, where nobody else says.
    if let Some(revision) = std::env::var("KEYSWEEP_REVISION").ok().or_else(revision) {
        building.env("KEYSWEEP_REVISION", revision);
    }
    run(&mut building)?;
    make(&target.join("release"))?;
    let packaging = ["deb", "--no-build", "--no-strip", "--locked", "--package", "keysweep"];
    let (path, _) = output(cargo().args(packaging).env("CARGO_TARGET_DIR", &target))?;
    say(&format!("the package is {}", path.trim()));
    Ok(())
}

/// Fails if the manifest names a file that is not there: nobody builds a package on each change.
pub(crate) fn assets_are_there() -> anyhow::Result<()> {
    let folder = root().join(CRATE);
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("read {}", manifest.display()))?;
    let manifest: toml::Table = text.parse().context("read the manifest")?;
    let mut deb: &toml::Value = manifest.get("package").context("no package in the manifest")?;
    for key in ["metadata", "deb"] {
        deb = deb.get(key).with_context(|| format!("no {key} in the manifest"))?;
    }
    let assets = deb.get("assets").and_then(toml::Value::as_array).context("no assets in the manifest")?;
    let sources = assets.iter().filter_map(|asset| asset.get(0)?.as_str());
    let folders = ["maintainer-scripts", "systemd-units.unit-scripts"].map(|path| {
        let found = path.split('.').try_fold(deb, |value, key| value.get(key));
        found.and_then(toml::Value::as_str).with_context(|| format!("no {path} in the manifest"))
    });
    let mut missing = Vec::new();
    let mut count = 0;
    for source in sources.map(anyhow::Ok).chain(folders) {
        let source = source?;
        count += 1;
        if !source.starts_with("target/release/") && !is_there(&folder.join(source))? {
            missing.push(source);
        }
    }
    ensure!(count > 10, "the check is blind: the manifest names {count} files");
    if missing.is_empty() {
        Ok(())
    } else {
        bail!("the manifest names what is not there: {}", missing.join(", "))
    }
}

/// Whether a path is there, or anything that `*.ext` in its last part stands for.
fn is_there(path: &Path) -> anyhow::Result<bool> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(suffix) = name.strip_prefix('*') else { return Ok(path.exists()) };
    let Some(folder) = path.parent().filter(|folder| folder.is_dir()) else { return Ok(false) };
    let names = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    Ok(names.filter_map(Result::ok).any(|entry| entry.file_name().to_string_lossy().ends_with(suffix)))
}

/// Makes what the program itself prints, and what Debian wants besides: the manifest calls it `target/release/deb/`.
fn make(release: &Path) -> anyhow::Result<()> {
    let (program, folder) = (release.join("keysweep"), release.join("deb"));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let pages = folder.join("man");
    output(Command::new(&program).args(["man", "--out"]).arg(&pages))?;
    for shell in ["bash", "zsh", "fish"] {
        let (script, _) = output(Command::new(&program).args(["completions", shell]))?;
        write(folder.join(format!("keysweep.{shell}")), &script)?;
    }
    let log = folder.join("changelog");
    write(log.clone(), &changelog()?)?;
    write(folder.join("crates.txt"), &linked_crates()?)?;
    // Debian wants these packed, and cargo-deb leaves what was built as it is.
    output(Command::new("gzip").args(["-9", "--no-name", "--recursive"]).args([pages, log]))?;
    Ok(())
}

/// The changelog of the packaging, in Debian's own form; what changed in keysweep is in CHANGELOG.md.
fn changelog() -> anyhow::Result<String> {
    let version = env!("CARGO_PKG_VERSION");
    let date = git(&["log", "-1", "--format=%cD"]).context("the changelog is dated by the commit")?;
    Ok(format!(
        "keysweep ({version}-1) unstable; urgency=medium\n\n  * See CHANGELOG.md beside this file.\n\n -- The keysweep \
         authors <keysweep@example.com>  {date}\n"
    ))
}

/// Name, version, licence and source of every crate in the program.
fn linked_crates() -> anyhow::Result<String> {
    let tree = ["tree", "--locked", "--package", "keysweep", "--no-default-features", "--edges", "normal"];
    let form = ["--prefix", "none", "--no-dedupe", "--format", "{p}\t{l}\t{r}"];
    let (crates, _) = output(cargo().args(tree).args(form))?;
    let crates: BTreeSet<&str> = crates.lines().collect();
    // Our own crates are told with their folder on this machine.
    let crates = crates.into_iter().filter(|line| !line.contains(root().to_string_lossy().as_ref()));
    Ok(crates.map(|line| format!("{}\n", line.trim_end())).collect())
}

fn revision() -> Option<String> {
    git(&["describe", "--always", "--dirty", "--abbrev=12"]).ok()
}

fn git(arguments: &[&str]) -> anyhow::Result<String> {
    let (answer, _) = output(Command::new("git").current_dir(root()).args(arguments))?;
    Ok(answer.trim().to_owned())
}

fn write(path: PathBuf, text: &str) -> anyhow::Result<()> {
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}
