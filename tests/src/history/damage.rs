//! A data_dir that somebody has meddled with: it must not open, and the copy that is meddled with is thrown away.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keysweep::clock::Clock;
use keysweep::engine::Engine;
use keysweep::metrics::Metrics;
use keysweep_store::OpenOptions;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Shared, copy_all};

impl Shared {
    /// Tries to open a copy that was altered.
    pub(super) fn damage(&self, rng: &mut ChaCha8Rng) {
        if !rng.random_bool(0.3) {
            return;
        }
        let Ok(copy) = tempfile::tempdir_in(self.folder.path()) else { return };
        if copy_all(&self.data_dir(), copy.path()).is_err() {
            return;
        }
        let ahead = rng.random_bool(0.5);
        let done = if ahead { forget_the_end(copy.path()) } else { alter_a_line(copy.path(), rng) };
        if done.is_none() {
            return;
        }
        let what = if ahead { "records ahead of the journal" } else { "an altered line" };
        self.oracle.count(what);
        if self.opens(copy.path()) {
            self.oracle.broken("P10", format!("data_dir opens with {what}"));
        }
    }

    fn opens(&self, data_dir: &Path) -> bool {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime is made");
        let mut config = self.configuration(&self.oracle.rules());
        config.data_dir = data_dir.into();
        let now = self.time.wall();
        let clock = Clock::told(u64::MAX, move || now);
        let (config, given) = (Arc::new(config), self.given());
        runtime.block_on(async {
            match Engine::open(config, clock, Metrics::new(), given, OpenOptions::default()).await {
                Ok((engine, _)) => {
                    let _ = engine.close().await;
                    true
                }
                Err(_) => false,
            }
        })
    }
}

fn segments(data_dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data_dir.join("journal")).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    paths
}

/// Takes the last line of the journal away, which the records know of. `None` if there is no such line.
fn forget_the_end(data_dir: &Path) -> Option<()> {
    let path = segments(data_dir).pop()?;
    let text = fs::read_to_string(&path).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    // Records follow each group of entries; entries that change nothing leave no trace in them.
    let keep = lines.len().checked_sub(8).filter(|keep| *keep > 1)?;
    let changed = lines.get(keep..)?.iter().any(|line| line.contains("\"kind\":\"key\""));
    let kept = lines.get(..keep)?.iter().map(|line| format!("{line}\n")).collect::<String>();
    (changed && data_dir.join("records").is_dir()).then_some(())?;
    fs::write(path, kept).ok()
}

/// Alters a line in the middle so that it still reads as one. `None` if there is none.
fn alter_a_line(data_dir: &Path, rng: &mut ChaCha8Rng) -> Option<()> {
    let segments = segments(data_dir);
    let path = segments.get(rng.random_range(0..segments.len().max(1)))?;
    let text = fs::read_to_string(path).ok()?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let candidates: Vec<usize> = (0..lines.len().saturating_sub(1))
        .filter(|n| lines.get(*n).is_some_and(|line| line.contains("\"actor\":\"keysweep\"")))
        .collect();
    let chosen = *candidates.get(rng.random_range(0..candidates.len().max(1)))?;
    let line = lines.get_mut(chosen)?;
    *line = line.replacen("\"actor\":\"keysweep\"", "\"actor\":\"keysweeq\"", 1);
    fs::write(path, lines.join("\n") + "\n").ok()
}
