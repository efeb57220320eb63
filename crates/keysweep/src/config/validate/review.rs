//! Gathers mistakes and warnings while a configuration is looked through.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;

use crate::config::layers::Layers;
use crate::config::mistake::{HIDDEN, Mistake, quoted};
use crate::config::path::KeyPath;
use crate::config::period::Period;

/// How systemd begins the names of what `LoadCredential=keysweep:/etc/keysweep/credentials`, a directory, hands in.
const CREDENTIAL_PREFIX: &str = "keysweep_";

/// No secret is as large.
const MAX_BYTES: u64 = 8 << 10;

/// What was found so far. Something already known to be wrong is not reported twice: a default stands in for it, and
/// what would be said of that is nobody's mistake.
pub(in crate::config) struct Review {
    pub(in crate::config) layers: Layers,
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
    wrong: BTreeSet<KeyPath>,
    credentials: Option<PathBuf>,
    serves: bool,
}

impl Review {
    /// `credentials` is where a service manager hands secrets in; `serves` is whether the process needs the channels.
    pub(in crate::config) fn new(
        layers: Layers,
        mistakes: Vec<Mistake>,
        credentials: Option<PathBuf>,
        serves: bool,
    ) -> Self {
        Self { layers, mistakes, warnings: Vec::new(), wrong: BTreeSet::new(), credentials, serves }
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

    /// Something that a channel needs cannot be used: a mistake for the daemon, and a warning for a command. An undo must
    /// not depend on a password of a mail server.
    pub(super) fn unusable(&mut self, path: &KeyPath, problem: String) {
        if self.serves {
            self.wrong(path, problem);
        } else {
            self.questionable(path, problem);
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

    /// The text of a file that contains one secret of a channel, without the line break at its end. `what` it is, in
    /// messages.
    pub(super) fn secret_text(&mut self, at: &KeyPath, file: &str, what: &str) -> Option<SecretString> {
        let text = self.channel_secret(at, file, what)?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() {
            self.unusable(at, format!("{file} is empty: expected the {what}"));
            return None;
        }
        if line.chars().any(char::is_control) {
            self.unusable(at, format!("{file} contains more than the {what}: expected one line of text"));
            return None;
        }
        Some(SecretString::from(line))
    }

    /// The lines of a file that contains several secrets of a channel, each with its number. Empty lines do not count.
    pub(super) fn secret_lines(
        &mut self,
        at: &KeyPath,
        file: &str,
        what: &str,
    ) -> Option<Vec<(usize, SecretString)>> {
        let text = self.channel_secret(at, file, what)?;
        let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
        let lines: Vec<_> = lines.map(|(line, number)| (number, SecretString::from(line))).collect();
        if lines.is_empty() {
            self.unusable(at, format!("{file} is empty: expected the {what}"));
            return None;
        }
        Some(lines)
    }

    fn channel_secret(&mut self, at: &KeyPath, file: &str, what: &str) -> Option<String> {
        // A path is shown wherever the configuration is; a secret in its place must not be.
        if is_itself_secret(file) {
            self.wrong(at, format!("found the {what} itself, expected the path of a file that contains it"));
            return None;
        }
        let bytes = match self.secret(file) {
            Ok(bytes) => bytes,
            Err(why) => {
                self.unusable(at, why);
                return None;
            }
        };
        if u64::try_from(bytes.len()).is_ok_and(|length| length >= MAX_BYTES) {
            self.unusable(at, format!("{file} has {MAX_BYTES} bytes or more: expected the {what} alone"));
            return None;
        }
        let text = String::from_utf8(bytes).ok();
        if text.is_none() {
            self.unusable(at, format!("{file} is not UTF-8 text: expected the {what}"));
        }
        text
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

/// Whether this is a secret of a channel and no path.
fn is_itself_secret(text: &str) -> bool {
    let text = text.trim_start().to_ascii_lowercase();
    ["xox", "whsec_", "https:", "http:"].iter().any(|prefix| text.starts_with(prefix)) || text.contains('\n')
}

/// More than a few kilobytes are no secret, and are not read to the end.
fn read_small_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
