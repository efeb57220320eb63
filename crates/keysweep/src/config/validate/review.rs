//! Gathers mistakes and warnings while a configuration is looked through.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::config::layers::Layers;
use crate::config::mistake::{HIDDEN, Mistake, quoted};
use crate::config::path::KeyPath;
use crate::config::period::Period;

/// How systemd begins the names of what `LoadCredential=keysweep:/etc/keysweep/credentials`, a directory, hands in.
const CREDENTIAL_PREFIX: &str = "keysweep_";

/// What was found so far. Something already known to be wrong is not reported twice: a default stands in for it, and
/// what would be said of that is nobody's mistake.
pub(in crate::config) struct Review {
    pub(in crate::config) layers: Layers,
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
    wrong: BTreeSet<KeyPath>,
    credentials: Option<PathBuf>,
}

impl Review {
    /// `credentials` is where a service manager hands secrets in.
    pub(in crate::config) fn new(
        layers: Layers,
        mistakes: Vec<Mistake>,
        credentials: Option<PathBuf>,
    ) -> Self {
        Self { layers, mistakes, warnings: Vec::new(), wrong: BTreeSet::new(), credentials }
    }

    /// Mistakes and warnings.
    pub(in crate::config) fn into_parts(self) -> (Vec<Mistake>, Vec<Mistake>) {
        (self.mistakes, self.warnings)
    }

    pub(in crate::config) fn wrong(&mut self, path: &KeyPath, problem: String) {
        if self.is_wrong(path) {
            return;
        }
        self.mistakes.push(self.mistake(path, problem));
        self.wrong.insert(path.clone());
    }

    /// A value that is not what was expected.
    pub(super) fn unexpected(&mut self, path: &KeyPath, found: &(impl Display + ?Sized), expected: &str) {
        let found = if path.is_secret() { HIDDEN.to_owned() } else { quoted(&found.to_string()) };
        self.wrong(path, format!("found {found}, expected {expected}"));
    }

    /// A value that is wrong because of another; nothing if that other is wrong by itself.
    pub(super) fn contradiction(&mut self, path: &KeyPath, other: &KeyPath, problem: String) {
        if !self.is_wrong(other) {
            self.wrong(path, problem);
        }
    }

    pub(super) fn questionable(&mut self, path: &KeyPath, problem: String) {
        if !self.is_wrong(path) {
            self.warnings.push(self.mistake(path, problem));
        }
    }

    pub(super) fn is_wrong(&self, path: &KeyPath) -> bool {
        path.and_above().any(|above| self.wrong.contains(&above))
    }

    /// Whether something at or below a path is known to be wrong.
    pub(super) fn has_mistakes_below(&self, path: &KeyPath) -> bool {
        // Whatever is below a path comes right after it.
        self.is_wrong(path) || self.wrong.range(path..).next().is_some_and(|wrong| path.covers(wrong))
    }

    pub(super) fn parse<T: FromStr>(&mut self, path: &KeyPath, text: &str, expected: &str) -> Option<T> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.unexpected(path, text, expected);
        }
        parsed
    }

    /// A list of names, none of which may stand in it twice: an account listed twice would be scanned twice.
    pub(super) fn ids<T: PartialEq>(
        &mut self,
        at: &KeyPath,
        texts: &[String],
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Vec<T> {
        let mut ids = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let path = at.index(index);
            match parse(text) {
                Ok(id) if ids.contains(&id) => self.wrong(&path, format!("{text} is listed twice")),
                Ok(id) => ids.push(id),
                Err(expected) => self.unexpected(&path, text, expected),
            }
        }
        ids
    }

    /// The content of a file that holds one secret, or why it cannot be had. Where a service manager hands secrets in,
    /// the one with the file's name stands in for the file, which a service may not be able to read.
    pub(super) fn secret(&self, file: &str) -> Result<Vec<u8>, String> {
        let path = Path::new(file);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(directory) = &self.credentials else {
            return read_small_file(path).map_err(|error| format!("read {file}: {error}"));
        };
        for credential in [name.to_string(), format!("{CREDENTIAL_PREFIX}{name}")] {
            let credential = directory.join(credential);
            match read_small_file(&credential) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                read => return read.map_err(|error| format!("read {}: {error}", credential.display())),
            }
        }
        read_small_file(path).map_err(|error| {
            format!(
                "read {file}: {error}; nor is there a credential {name}: under systemd, put it into \
                 /etc/keysweep/credentials/ and restart keysweep"
            )
        })
    }

    /// Where the content of such a file is, for what is read each time that it is needed.
    pub(super) fn secret_path(&self, file: &str) -> PathBuf {
        let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
        let handed_in = self.credentials.iter().flat_map(|directory| {
            [name.to_string(), format!("{CREDENTIAL_PREFIX}{name}")]
                .map(|credential| directory.join(credential))
        });
        handed_in.into_iter().find(|path| path.exists()).unwrap_or_else(|| file.into())
    }

    pub(super) fn positive(&mut self, path: &KeyPath, period: Period) {
        if period.get().is_zero() {
            self.unexpected(path, &period, "more than zero");
        }
    }

    pub(super) fn ratio(&mut self, path: &KeyPath, value: f64) {
        if !(0.0..=1.0).contains(&value) {
            self.wrong(path, format!("found {value}, expected a share from 0.0 to 1.0"));
        }
    }

    fn mistake(&self, path: &KeyPath, problem: String) -> Mistake {
        Mistake { origin: self.layers.origin(path), key: path.to_string(), problem }
    }
}

/// More than a few kilobytes are no secret, and are not read to the end.
fn read_small_file(path: &Path) -> std::io::Result<Vec<u8>> {
    const MAX_BYTES: u64 = 8 << 10;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
