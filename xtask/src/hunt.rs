//! `cargo xtask hunt`: plants one mistake of a programmer after another and runs the histories until one breaks.
//!
//! The mistakes are lines of `tests/mutants.toml`: which text of which file to replace with what. Each is applied to a
//! scratch copy of the checkout, never to the checkout itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::command::{cargo, output, root, say, target_dir};

/// Where the mistakes are.
const TABLE: &str = "tests/mutants.toml";
/// Mutants that `.ci/run` tries: each breaks soon, and each is in another crate.
const SAMPLE: [&str; 3] = ["cap-off-by-one", "sync-forgotten", "unread-is-gone"];
/// How `soak --until-broken` ends when a promise broke.
const BROKEN: i32 = 3;

/// Which mistakes, and how hard to look for each.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Mutants to try, by name; all of the table when none is given
    names: Vec<String>,
    /// Try the three mutants of the gate, without optimization
    #[arg(long, conflicts_with = "names")]
    sample: bool,
    /// Histories to run before a mutant counts as not caught
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// Days of each history
    #[arg(long, default_value_t = 60)]
    days: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    mutant: Vec<Mutant>,
}

/// One mistake.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    /// Its name in reports and on the command line.
    name: String,
    /// The promise that it breaks, `P1` to `P12`, or `lifecycle`.
    promise: String,
    /// What the programmer did or forgot.
    mistake: String,
    /// File, relative to the repository.
    file: PathBuf,
    /// Text that occurs exactly once in it.
    text: String,
    /// What replaces it.
    replacement: String,
    /// More replacements, for a mistake that cannot be made in one place.
    #[serde(default)]
    also: Vec<Edit>,
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// File, relative to the repository.
    file: PathBuf,
    /// Text that occurs exactly once in it.
    text: String,
    /// What replaces it.
    replacement: String,
}

/// Tries each mutant; fails if one is not caught.
pub(crate) fn hunt(options: &Options) -> anyhow::Result<()> {
    let all = read_table(root())?;
    let wanted: BTreeSet<&str> = if options.sample {
        SAMPLE.into_iter().collect()
    } else {
        options.names.iter().map(String::as_str).collect()
    };
    if let Some(unknown) = wanted.iter().find(|name| all.iter().all(|mutant| mutant.name != **name)) {
        bail!("no mutant in {TABLE} is named {unknown}");
    }
    let chosen: Vec<&Mutant> =
        all.iter().filter(|mutant| wanted.is_empty() || wanted.contains(mutant.name.as_str())).collect();
    let scratch = Scratch::new(if options.sample { "dev" } else { "soak" })?;
    say("| mutant | promise | caught by | histories | how |\n|---|---|---|--:|---|");
    let mut missed = Vec::new();
    for mutant in &chosen {
        let caught = scratch.try_out(mutant, options)?;
        match caught {
            Some(Caught { promise, histories, what }) => {
                say(&format!("| {} | {} | {promise} | {histories} | {what} |", mutant.name, mutant.promise));
            }
            None => {
                say(&format!(
                    "| {} | {} | **not caught** | {} | {} |",
                    mutant.name, mutant.promise, options.seeds, mutant.mistake
                ));
                missed.push(mutant.name.as_str());
            }
        }
    }
    say(&format!("\n{} of {} mutants caught", chosen.len() - missed.len(), chosen.len()));
    ensure!(missed.is_empty(), "not caught: {}", missed.join(", "));
    Ok(())
}

fn read_table(root: &Path) -> anyhow::Result<Vec<Mutant>> {
    let text = fs::read_to_string(root.join(TABLE)).with_context(|| format!("read {TABLE}"))?;
    let table: Table = toml::from_str(&text).with_context(|| format!("parse {TABLE}"))?;
    Ok(table.mutant)
}

impl Mutant {
    /// Each of its replacements.
    fn edits(&self) -> Vec<Edit> {
        let Self { file, text, replacement, .. } = self;
        let first = Edit { file: file.clone(), text: text.clone(), replacement: replacement.clone() };
        std::iter::once(first).chain(self.also.iter().cloned()).collect()
    }
}

impl Edit {
    /// The file with the mistake in it.
    fn apply(&self, good: &str) -> anyhow::Result<String> {
        let found = good.matches(&self.text).count();
        let (file, text) = (self.file.display(), &self.text);
        ensure!(found == 1, "expected once in {file}, found {found} times: {text}");
        ensure!(self.text != self.replacement, "replaced with itself in {file}: {text}");
        Ok(good.replacen(&self.text, &self.replacement, 1))
    }
}

/// How a mutant was caught.
struct Caught {
    promise: String,
    histories: String,
    what: String,
}

/// A copy of the checkout with a target directory that the mutants share.
struct Scratch {
    tree: PathBuf,
    target: PathBuf,
    profile: &'static str,
}

impl Scratch {
    fn new(profile: &'static str) -> anyhow::Result<Self> {
        let place = target_dir()?.join("hunt");
        let scratch = Self { tree: place.join("tree"), target: place.join("target"), profile };
        let (files, _) = output(Command::new("git").current_dir(root()).args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ]))?;
        let mut kept = BTreeSet::new();
        for file in files.split('\0').filter(|file| !file.is_empty()) {
            let from = root().join(file);
            // A file that is deleted and not committed yet is still listed.
            if from.is_file() {
                scratch.write(Path::new(file), &fs::read(&from).with_context(|| format!("read {file}"))?)?;
                kept.insert(scratch.tree.join(file));
            }
        }
        remove_others(&scratch.tree, &kept)?;
        Ok(scratch)
    }

    /// Writes a file, and leaves one alone that is the same already, so that nothing is built for it.
    fn write(&self, file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let to = self.tree.join(file);
        if fs::read(&to).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        fs::write(&to, bytes).with_context(|| format!("write {}", to.display()))
    }

    fn try_out(&self, mutant: &Mutant, options: &Options) -> anyhow::Result<Option<Caught>> {
        let mut good = Vec::new();
        for edit in mutant.edits() {
            let text = fs::read_to_string(root().join(&edit.file))
                .with_context(|| format!("read {}", edit.file.display()))?;
            let bad = edit.apply(&text).with_context(|| format!("mutant {}", mutant.name))?;
            self.write(&edit.file, bad.as_bytes())?;
            good.push((edit.file, text));
        }
        let caught = self.run(mutant, options);
        for (file, text) in &good {
            self.write(file, text.as_bytes())?;
        }
        caught
    }

    fn run(&self, mutant: &Mutant, options: &Options) -> anyhow::Result<Option<Caught>> {
        let soak = ["--locked", "--package", "keysweep-tests", "--bin", "soak"];
        let build = cargo()
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            // A mistake may leave something unused.
            .env("RUSTFLAGS", "-Awarnings")
            .args(["build", "--quiet", "--profile", self.profile])
            .args(soak)
            .stderr(Stdio::piped())
            .output()
            .context("start cargo")?;
        ensure!(
            build.status.success(),
            "mutant {} does not compile:\n{}",
            mutant.name,
            String::from_utf8_lossy(&build.stderr)
        );
        let folder = if self.profile == "dev" { "debug" } else { self.profile };
        let run = Command::new(self.target.join(folder).join("soak"))
            .args([
                "--until-broken",
                "--seeds",
                &options.seeds.to_string(),
                "--days",
                &options.days.to_string(),
            ])
            .stderr(Stdio::null())
            .output()
            .context("start the histories")?;
        let said = String::from_utf8_lossy(&run.stdout);
        let last = said.trim_end().lines().last().unwrap_or_default();
        match run.status.code() {
            Some(0) => Ok(None),
            Some(BROKEN) => {
                let mut cells = last.splitn(3, '\t');
                let mut cell = || cells.next().unwrap_or_default().to_owned();
                Ok(Some(Caught { promise: cell(), histories: cell(), what: cell() }))
            }
            // A panic is noticed, too.
            _ => Ok(Some(Caught { promise: "panic".into(), histories: "?".into(), what: last.to_owned() })),
        }
    }
}

/// Removes what an earlier checkout left in the scratch copy.
fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_mutant_has_one_place_in_the_code() {
        for mutant in read_table(root()).unwrap() {
            for edit in mutant.edits() {
                let good = fs::read_to_string(root().join(&edit.file)).unwrap();
                let bad = edit.apply(&good);
                assert!(bad.is_ok(), "{}: {bad:?}", mutant.name);
            }
        }
    }

    #[test]
    fn each_mutant_has_a_name_a_promise_and_a_sentence() {
        let mutants = read_table(root()).unwrap();
        let names: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
        assert_eq!(names.len(), mutants.len(), "a name is used twice");
        for Mutant { name, promise, mistake, .. } in &mutants {
            let number = promise.strip_prefix('P').and_then(|number| number.parse().ok());
            let known = promise == "lifecycle" || number.is_some_and(|number| (1..=12).contains(&number));
            assert!(known, "{name}: {promise} is no promise");
            assert!(mistake.ends_with('.'), "{name}: {mistake:?} is no sentence");
        }
        assert!(SAMPLE.iter().all(|name| names.contains(name)), "the sample is not in the table");
    }

    #[test]
    fn a_text_that_is_missing_or_doubled_is_refused() {
        let edit = Edit { file: "f".into(), text: "a > b".into(), replacement: "a >= b".into() };
        assert_eq!(edit.apply("if a > b {").unwrap(), "if a >= b {");
        assert!(edit.apply("if a < b {").is_err());
        assert!(edit.apply("a > b || a > b").is_err());
        let same = Edit { replacement: edit.text.clone(), ..edit };
        assert!(same.apply("if a > b {").is_err());
    }
}
