//! `cargo xtask hunt`: makes one mistake of a programmer after another, and runs histories until one breaks a promise.
//!
//! The mistakes are the mutants of `tests/mutants.toml`: which text of which file to replace with what. Each is made in
//! a scratch copy of the checkout, never in the checkout itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::command::{cargo, output, root, say, target_dir};

/// Where the mutants are.
const TABLE: &str = "tests/mutants.toml";
/// Those that `cargo xtask test` tries: each breaks soon, and each is in another crate.
const SAMPLE: [&str; 3] = ["cap-off-by-one", "sync-forgotten", "unread-is-gone"];
/// Histories in which each of the sample must break.
const SEEDS_OF_SAMPLE: u64 = 12;
/// Days of a history, unless another number is asked for.
const DAYS: u32 = 60;
/// The program of the histories, and its name in the scratch copy: there it must not take the place of the real one.
const SOAK: &str = "tests/src/bin/soak.rs";
const SCRATCH_SOAK: &str = "tests/src/bin/hunted.rs";
/// How `soak --until-broken` ends when a promise broke.
const BROKEN: i32 = 3;
/// How a program ends that panicked.
const PANICKED: i32 = 101;

/// Which mistakes, and how hard to look for each.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Mutants to try, by name; all of the table when none is given
    names: Vec<String>,
    /// Try the three mutants of `cargo xtask test`, without optimization
    #[arg(long, conflicts_with_all = ["names", "seeds", "days"])]
    sample: bool,
    /// Histories to run before a mutant counts as not caught
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// Days of each history
    #[arg(long, default_value_t = DAYS)]
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
    /// The promise that it breaks, `P1` to `P14`, or `lifecycle` or `access`.
    promise: String,
    /// What the programmer does or forgets.
    mistake: String,
    /// Days of a history that are needed at least.
    #[serde(default)]
    days: u32,
    file: PathBuf,
    text: String,
    replacement: String,
    /// More replacements, for a mistake that cannot be made in one place.
    #[serde(default)]
    also: Vec<Edit>,
}

/// One replacement.
#[derive(Debug, Deserialize)]
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
    if options.sample {
        return hunt_sample();
    }
    let all = read_table(root())?;
    let chosen = choose(&all, &options.names)?;
    let scratch = Scratch::new(Build::Optimized)?;
    scratch.live_unharmed(options.days)?;
    scratch.try_each(&chosen, options.seeds, options.days)
}

/// Tries three mutants with what `cargo xtask test` has built; fails if one is not caught.
pub(crate) fn hunt_sample() -> anyhow::Result<()> {
    let all = read_table(root())?;
    let chosen = choose(&all, &SAMPLE.map(str::to_owned))?;
    Scratch::new(Build::Tests)?.try_each(&chosen, SEEDS_OF_SAMPLE, DAYS)
}

/// Those of the table with these names, or all of it.
fn choose<'a>(all: &'a [Mutant], names: &[String]) -> anyhow::Result<Vec<&'a Mutant>> {
    if names.is_empty() {
        return Ok(all.iter().collect());
    }
    let find = |name: &String| {
        let found = all.iter().find(|mutant| mutant.name == *name);
        found.with_context(|| format!("no mutant in {TABLE} is named {name}"))
    };
    names.iter().map(find).collect()
}

fn read_table(root: &Path) -> anyhow::Result<Vec<Mutant>> {
    let text = fs::read_to_string(root.join(TABLE)).with_context(|| format!("read {TABLE}"))?;
    let table: Table = toml::from_str(&text).with_context(|| format!("parse {TABLE}"))?;
    Ok(table.mutant)
}

impl Mutant {
    /// The files that it changes, with the mistake in them.
    fn apply(&self, root: &Path) -> anyhow::Result<BTreeMap<PathBuf, String>> {
        let Self { file, text, replacement, .. } = self;
        let first = Edit { file: file.clone(), text: text.clone(), replacement: replacement.clone() };
        let mut changed = BTreeMap::new();
        for edit in std::iter::once(&first).chain(&self.also) {
            let good = match changed.remove(&edit.file) {
                Some(changed) => changed,
                None => fs::read_to_string(root.join(&edit.file))
                    .with_context(|| format!("read {}", edit.file.display()))?,
            };
            changed.insert(edit.file.clone(), edit.apply(&good)?);
        }
        Ok(changed)
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

/// How the copy is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Build {
    /// As `cargo xtask test` builds, so that only the crates of the workspace have to be compiled.
    Tests,
    /// As `cargo xtask soak` builds.
    Optimized,
}

impl Build {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Tests => &["--workspace", "--all-features"],
            Self::Optimized => &["--profile", "soak", "--package", "keysweep-tests"],
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Tests => "debug",
            Self::Optimized => "soak",
        }
    }
}

/// A copy of the checkout. It is built into the same target directory, so that dependencies are compiled once.
struct Scratch {
    tree: PathBuf,
    target: PathBuf,
    build: Build,
}

impl Scratch {
    fn new(build: Build) -> anyhow::Result<Self> {
        let target = target_dir()?;
        let scratch = Self { tree: target.join("hunt").join(build.folder()), target, build };
        let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let (files, _) = output(Command::new("git").current_dir(root()).args(list))?;
        let mut kept = BTreeSet::new();
        for file in files.split('\0').filter(|file| !file.is_empty()) {
            let from = root().join(file);
            // A file that is deleted and not committed yet is still listed.
            if from.is_file() {
                let to = Path::new(if file == SOAK { SCRATCH_SOAK } else { file });
                scratch.write(to, &fs::read(&from).with_context(|| format!("read {file}"))?)?;
                kept.insert(scratch.tree.join(to));
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

    /// A few histories without a mistake: where they break, breaking proves nothing.
    fn live_unharmed(&self, days: u32) -> anyhow::Result<()> {
        self.compile().context("build without a mistake")?;
        let broken = self.live(SEEDS_OF_SAMPLE, days)?;
        match broken {
            None => Ok(()),
            Some(Caught { promise, what, .. }) => bail!("broken without any mistake: {promise}: {what}"),
        }
    }

    fn try_each(&self, mutants: &[&Mutant], seeds: u64, days: u32) -> anyhow::Result<()> {
        say("| mutant | promise | caught by | histories | how |\n|---|---|---|--:|---|");
        let mut missed = Vec::new();
        for mutant in mutants {
            let Mutant { name, promise, mistake, .. } = mutant;
            let row = match self.try_out(mutant, seeds, days) {
                Ok(Some(caught)) => format!("{} | {} | {}", caught.promise, caught.histories, caught.what),
                Ok(None) => {
                    missed.push(name.as_str());
                    format!("**not caught** | {seeds} | {mistake}")
                }
                // One that does not compile any more must not keep the others from being tried.
                Err(error) => {
                    say(&format!("{error:#}"));
                    missed.push(name.as_str());
                    format!("**not tried** | 0 | {mistake}")
                }
            };
            say(&format!("| {name} | {promise} | {row} |"));
        }
        say(&format!("\n{} of {} mutants caught", mutants.len() - missed.len(), mutants.len()));
        ensure!(missed.is_empty(), "not caught: {}", missed.join(", "));
        Ok(())
    }

    fn try_out(&self, mutant: &Mutant, seeds: u64, days: u32) -> anyhow::Result<Option<Caught>> {
        let changed = mutant.apply(root())?;
        for (file, text) in &changed {
            self.write(file, text.as_bytes())?;
        }
        let caught = self.compile().and_then(|()| self.live(seeds, days.max(mutant.days)));
        for file in changed.keys() {
            self.write(file, &fs::read(root().join(file))?)?;
        }
        caught
    }

    fn compile(&self) -> anyhow::Result<()> {
        let soak = ["--locked", "--bin", "hunted"];
        let mut build = cargo();
        build
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            // What is compiled through a wrapper has names of its own: without one, cargo takes the crates of the copy
            // for those of the checkout.
            .env("RUSTC_WORKSPACE_WRAPPER", "env")
            // From one mutant to the next little changes.
            .env("CARGO_INCREMENTAL", "1")
            .args(["build", "--quiet"])
            .args(self.build.arguments())
            .args(soak);
        output(&mut build).map(drop)
    }

    /// Runs histories until one breaks.
    fn live(&self, seeds: u64, days: u32) -> anyhow::Result<Option<Caught>> {
        let run = Command::new(self.target.join(self.build.folder()).join("hunted"))
            .args(["--until-broken", "--seeds", &seeds.to_string(), "--days", &days.to_string()])
            .output()
            .context("start the histories")?;
        judge(&run)
    }
}

/// What `soak --until-broken` found.
fn judge(run: &Output) -> anyhow::Result<Option<Caught>> {
    let [stdout, stderr] = [&run.stdout, &run.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    match run.status.code() {
        Some(0) => Ok(None),
        Some(BROKEN) => {
            let mut cells = stdout.trim_end().splitn(3, '\t').map(str::to_owned);
            match (cells.next(), cells.next(), cells.next()) {
                (Some(promise), Some(histories), Some(what)) => Ok(Some(Caught { promise, histories, what })),
                _ => bail!("the histories ended with {}, and said {stdout:?}", run.status),
            }
        }
        Some(PANICKED) => {
            let what = stderr.lines().skip_while(|line| !line.contains("panicked")).take(2);
            let what = what.collect::<Vec<_>>().join(" ");
            Ok(Some(Caught { promise: "panic".into(), histories: "?".into(), what }))
        }
        _ => bail!("the histories ended with {}:\n{stdout}{stderr}", run.status),
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
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn each_mutant_has_one_place_in_the_code() {
        for mutant in read_table(root()).unwrap() {
            let changed = mutant.apply(root());
            assert!(changed.is_ok(), "{}: {changed:?}", mutant.name);
        }
    }

    #[test]
    fn each_mutant_has_a_name_a_promise_and_a_sentence() {
        let mutants = read_table(root()).unwrap();
        let names: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
        assert_eq!(names.len(), mutants.len(), "a name is used twice");
        for Mutant { name, promise, mistake, .. } in &mutants {
            let number = promise.strip_prefix('P').and_then(|number| number.parse().ok());
            let known = ["lifecycle", "access"].contains(&promise.as_str())
                || number.is_some_and(|number| (1..=14).contains(&number));
            assert!(known, "{name}: {promise} is no promise");
            assert!(mistake.ends_with('.'), "{name}: {mistake:?} is no sentence");
        }
    }

    #[test]
    fn the_sample_is_in_the_table_and_each_of_it_in_another_crate() {
        let mutants = read_table(root()).unwrap();
        let chosen = choose(&mutants, &SAMPLE.map(str::to_owned)).unwrap();
        let crates: BTreeSet<_> = chosen.iter().map(|mutant| mutant.file.components().nth(1)).collect();
        assert_eq!(crates.len(), SAMPLE.len());
        assert!(choose(&mutants, &["nobody".to_owned()]).is_err());
        assert_eq!(choose(&mutants, &[]).unwrap().len(), mutants.len());
    }

    #[test]
    fn a_text_that_is_missing_or_doubled_is_refused() {
        let edit = Edit { file: "f".into(), text: "a > b".into(), replacement: "a >= b".into() };
        assert_eq!(edit.apply("if a > b {").unwrap(), "if a >= b {");
        assert!(edit.apply("if a < b {").is_err());
        assert!(edit.apply("a > b || a > b").is_err());
        let same = Edit { replacement: "a > b".into(), ..edit };
        assert!(same.apply("if a > b {").is_err());
    }

    #[test]
    fn only_a_broken_promise_and_a_panic_count_as_caught() {
        let ended = |code: i32, stdout: &str, stderr: &str| {
            let status = ExitStatus::from_raw(code << 8);
            let run = Output { status, stdout: stdout.into(), stderr: stderr.into() };
            judge(&run).map(|caught| caught.map(|caught| (caught.promise, caught.histories, caught.what)))
        };
        let cells = |promise: &str, histories: &str, what: &str| {
            Some((promise.to_owned(), histories.to_owned(), what.to_owned()))
        };
        assert_eq!(ended(0, "", "").unwrap(), None);
        assert_eq!(ended(BROKEN, "P8\t2\tone too many\n", "").unwrap(), cells("P8", "2", "one too many"));
        let panicked = ended(PANICKED, "", "a word\nthread 'a' panicked at b.rs:\nc\nd\n").unwrap();
        assert_eq!(panicked, cells("panic", "?", "thread 'a' panicked at b.rs: c"));
        assert!(ended(BROKEN, "", "").is_err());
        assert!(ended(2, "", "unknown argument").is_err());
        let killed = Output { status: ExitStatus::from_raw(9), stdout: Vec::new(), stderr: Vec::new() };
        assert!(judge(&killed).is_err());
    }
}
