//! Where in the configuration something stands.

use std::fmt;

/// One step from a table or list to what it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Into a table.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// The way from the top of the configuration to a value: `policy.override[2].grace`. Rules are counted from 1, as in
/// plans and histories.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyPath(Vec<Step>);

impl KeyPath {
    /// A path of keys separated by dots.
    pub(super) fn of(dotted: &str) -> Self {
        Self(dotted.split('.').map(|key| Step::Key(key.to_owned())).collect())
    }

    pub(super) fn key(&self, key: &str) -> Self {
        let mut path = self.clone();
        path.0.push(Step::Key(key.to_owned()));
        path
    }

    pub(super) fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.0.push(Step::Index(index));
        path
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path without its last step.
    pub(super) fn parent(&self) -> Self {
        let kept = self.0.len().saturating_sub(1);
        Self(self.0.iter().take(kept).cloned().collect())
    }

    /// The path, and each above it up to the top.
    pub(super) fn and_above(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self.clone()), |path| (!path.0.is_empty()).then(|| path.parent()))
    }

    /// The last key, for what depends on the name alone.
    pub(super) fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }

    /// Whether this is `other` or above it.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// Whether the value is one that must never be shown. Secrets come from files, so this is a second line: what
    /// an operator put into a key of such a name by mistake is not echoed.
    pub(super) fn is_secret(&self) -> bool {
        // Of `[[http.token]]` the digest is hidden, which may be of something short enough to be guessed, and not whose
        // it is.
        let http_token = Self::of("http.token").covers(self);
        if http_token && self.0.len() == 4 && matches!(self.last_key(), Some("name" | "role")) {
            return false;
        }
        // Names of decoys, and no tokens.
        if Self::of("protect.honeytokens").covers(self) {
            return false;
        }
        self.0.iter().any(|step| match step {
            Step::Key(key) => {
                let key = key.to_ascii_lowercase();
                let names_one = ["secret", "token", "password"].iter().any(|word| key.contains(word));
                names_one && !key.ends_with("_file")
            }
            Step::Index(_) => false,
        })
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{}]", index + 1)?,
                Step::Key(key) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    let bare = !key.is_empty()
                        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                    if bare { f.write_str(key)? } else { write!(f, "{key:?}")? }
                }
            }
        }
        Ok(())
    }
}
