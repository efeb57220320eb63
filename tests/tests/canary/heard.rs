//! Everything that was said, by where it was said.

use std::fs;
use std::path::Path;

use crate::canary::program::Ran;
use crate::canary::search::secrets_in;

#[derive(Default)]
pub(crate) struct Heard(Vec<(String, Vec<u8>)>);

impl Heard {
    pub(crate) fn note(&mut self, place: &str, said: impl Into<Vec<u8>>) {
        self.0.push((place.to_owned(), said.into()));
    }

    pub(crate) fn ran(&mut self, ran: Ran) {
        assert!(!ran.stdout.is_empty() || !ran.stderr.is_empty(), "{} said nothing", ran.command);
        self.note(&format!("data of {}", ran.command), ran.stdout);
        self.note(&format!("messages of {}", ran.command), ran.stderr);
    }

    /// Every file below a folder.
    pub(crate) fn files(&mut self, folder: &Path) {
        let before = self.0.len();
        for (path, bytes) in files_below(folder) {
            self.note(&path, bytes);
        }
        assert!(self.0.len() > before, "nothing is in {}", folder.display());
    }

    /// That the search looks at what it is meant to look at: each text was said somewhere.
    pub(crate) fn holds(&self, texts: &[&str]) {
        for text in texts {
            let said =
                |(_, bytes): &(String, Vec<u8>)| bytes.windows(text.len()).any(|w| w == text.as_bytes());
            assert!(self.0.iter().any(said), "{text:?} was said nowhere");
        }
    }

    pub(crate) fn assert_no_secret(&self) {
        let found: Vec<String> = self
            .0
            .iter()
            .flat_map(|(place, said)| {
                secrets_in(said).into_iter().map(move |what| format!("{place}: {what}"))
            })
            .collect();
        assert!(found.is_empty(), "{} places tell a secret:\n{}", found.len(), found.join("\n"));
    }
}

/// Path and content of every file below a folder. Sockets and files that vanish meanwhile are none.
pub(crate) fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(files_below(&path)),
            Ok(kind) if kind.is_file() => {
                files.extend(fs::read(&path).map(|bytes| (path.display().to_string(), bytes)));
            }
            _ => {}
        }
    }
    files
}
