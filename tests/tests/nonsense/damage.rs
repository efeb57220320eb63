//! What is done to inputs, and how often.

use std::fmt::Debug;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// Texts that parsers trip over.
const NASTY: [&[u8]; 18] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"'",
    b",",
    b"<",
    b"</",
    b"]]>",
    b"&",
    b"&#0;",
    b"{",
    b"}",
    b"[[",
    b"\\u0000",
    b"\xff\xfe",
    b"\x1b[2J",
    "\u{202e}".as_bytes(),
];

/// Damage to a sequence of bytes.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    /// Some bytes are others.
    Flipped(Vec<(Index, u8)>),
    /// The end is missing.
    Cut(Index),
    /// Something stands in between.
    Inserted(Index, Vec<u8>),
    /// A stretch is missing.
    Removed(Index, Index),
    /// A stretch is there twice.
    Doubled(Index, Index),
    /// Two lines have changed places.
    Swapped(Index, Index),
}

impl Damage {
    /// Whether no more than single bytes changed, or the end is missing: whoever reads carefully finds out.
    pub(crate) fn is_slight(&self) -> bool {
        match self {
            Self::Flipped(_) | Self::Cut(_) => true,
            Self::Inserted(..) | Self::Removed(..) | Self::Doubled(..) | Self::Swapped(..) => false,
        }
    }

    pub(crate) fn done_to(&self, whole: &[u8]) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        let stretch = |a: &Index, b: &Index| {
            let (a, b) = (a.index(whole.len() + 1), b.index(whole.len() + 1));
            a.min(b)..a.max(b)
        };
        match self {
            Self::Flipped(flips) => {
                for (at, with) in flips.iter().filter(|_| !whole.is_empty()) {
                    bytes[at.index(whole.len())] ^= with;
                }
            }
            Self::Cut(at) => bytes.truncate(at.index(whole.len() + 1)),
            Self::Inserted(at, what) => {
                let at = at.index(whole.len() + 1);
                bytes.splice(at..at, what.iter().copied());
            }
            Self::Removed(from, to) => {
                bytes.drain(stretch(from, to));
            }
            Self::Doubled(from, to) => {
                let range = stretch(from, to);
                bytes.splice(range.end..range.end, whole[range].to_vec());
            }
            Self::Swapped(one, other) => {
                let mut lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
                if !lines.is_empty() {
                    let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                    lines.swap(one, other);
                }
                bytes = lines.concat();
            }
        }
        bytes
    }
}

/// Any damage.
pub(crate) fn mk_damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    let nasty = prop_oneof![
        4 => prop::sample::select(NASTY.map(<[u8]>::to_vec).to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..64),
        1 => (any::<u8>(), 1_usize..200_000).prop_map(|(byte, length)| vec![byte; length]),
    ];
    prop_oneof![
        4 => prop::collection::vec((at(), 1..=u8::MAX), 1..4).prop_map(Damage::Flipped),
        2 => at().prop_map(Damage::Cut),
        3 => (at(), nasty).prop_map(|(at, what)| Damage::Inserted(at, what)),
        1 => (at(), at()).prop_map(|(from, to)| Damage::Removed(from, to)),
        1 => (at(), at()).prop_map(|(from, to)| Damage::Doubled(from, to)),
        1 => (at(), at()).prop_map(|(one, other)| Damage::Swapped(one, other)),
    ]
}

/// The files of a kind, by name, in the order of their names.
pub(crate) fn corpus(kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/corpus").join(kind);
    files_of(&folder)
}

/// The files of a folder, by name, in the order of their names.
pub(crate) fn files_of(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut files: Vec<(String, Vec<u8>)> = paths
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// Tries so many cases, or as many as `PROPTEST_CASES` says, of the same seed every time.
pub(crate) fn check<S: Strategy>(cases: u32, inputs: &S, test: impl Fn(S::Value))
where
    S::Value: Debug,
{
    let mut config =
        ProptestConfig { failure_persistence: None, max_shrink_iters: 256, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let tried = TestRunner::new_with_rng(config, rng).run(inputs, |input| {
        test(input);
        Ok(())
    });
    tried.unwrap_or_else(|failed| panic!("{failed}"));
}
