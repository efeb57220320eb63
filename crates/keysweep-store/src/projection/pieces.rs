//! Values in pieces of at most 4 KB, each with a checksum.
//!
//! sled keeps larger values in files of their own that it never syncs. A piece is `crc32 | count | bytes`; its key is
//! `name | 0 | index`, and the checksum covers key, count and bytes, so that a piece in the wrong place is found, too.

use sled::{Batch, IVec, Tree};

use super::Damage;

/// Largest value that is handed to sled.
pub(super) const LARGEST: usize = 4096;

/// Checksum and count.
const HEADER: usize = 4 + 2;

/// Separator and index.
const SUFFIX: usize = 1 + 2;

/// Writes to one tree, gathered.
pub(super) struct Pieces<'a> {
    tree: &'a Tree,
    name: &'static str,
    batch: Batch,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(tree: &'a Tree, name: &'static str) -> Self {
        Self { tree, name, batch: Batch::default() }
    }

    /// Puts a value, whatever its size, in place of what stood under its name.
    pub(super) fn put(&mut self, name: &[u8], value: &[u8]) -> Result<(), Damage> {
        let too_large = |_| Damage::Value { tree: self.name, problem: "too large" };
        // An empty value still is one piece.
        let chunks = value.len().div_ceil(LARGEST - HEADER).max(1);
        let count = u16::try_from(chunks).map_err(too_large)?;
        self.drop_from(name, count)?;
        for index in 0..count {
            let from = usize::from(index) * (LARGEST - HEADER);
            let to = value.len().min(from + LARGEST - HEADER);
            let key = piece_key(name, index);
            let body = value.get(from..to).unwrap_or_default();
            let mut piece = Vec::with_capacity(HEADER + body.len());
            piece.extend_from_slice(&checksum(&key, count, body).to_le_bytes());
            piece.extend_from_slice(&count.to_le_bytes());
            piece.extend_from_slice(body);
            self.batch.insert(key, piece);
        }
        Ok(())
    }

    /// Removes a value.
    pub(super) fn remove(&mut self, name: &[u8]) -> Result<(), Damage> {
        self.drop_from(name, 0)
    }

    /// Puts bytes as they are.
    pub(super) fn raw(&mut self, key: &[u8], value: &[u8]) {
        self.batch.insert(key, value);
    }

    pub(super) fn into_batch(self) -> Batch {
        self.batch
    }

    /// Removes pieces of an earlier value from an index on.
    fn drop_from(&mut self, name: &[u8], keep: u16) -> Result<(), Damage> {
        let Some(first) = self.tree.get(piece_key(name, 0))? else { return Ok(()) };
        let count = split(&first).map_or(0, |(_, count, _)| count);
        for index in keep..count {
            self.batch.remove(piece_key(name, index));
        }
        Ok(())
    }
}

/// A value with its name.
pub(super) type Named = (Vec<u8>, Vec<u8>);

/// Puts values together from pieces that come in the order of their keys.
pub(super) struct Join {
    tree: &'static str,
    name: Vec<u8>,
    value: Vec<u8>,
    /// Pieces seen and pieces there are.
    seen: u16,
    count: u16,
}

impl Join {
    pub(super) fn new(tree: &'static str) -> Self {
        Self { tree, name: Vec::new(), value: Vec::new(), seen: 0, count: 0 }
    }

    /// Takes the next piece; gives name and value when it was the last of its value.
    pub(super) fn push(&mut self, key: &IVec, piece: &IVec) -> Result<Option<Named>, Damage> {
        let wrong = |problem| Damage::Value { tree: self.tree, problem };
        let (crc, count, body) = split(piece).ok_or_else(|| wrong("too short"))?;
        if crc != checksum(key, count, body) {
            return Err(wrong("checksum differs"));
        }
        let (name, index) = name_and_index(key).ok_or_else(|| wrong("its key is no key of ours"))?;
        if index == 0 && self.seen == self.count {
            (self.name, self.value) = (name.to_vec(), Vec::new());
            (self.seen, self.count) = (0, count);
        }
        if index != self.seen || count != self.count || name != self.name {
            return Err(wrong("a piece is missing"));
        }
        self.value.extend_from_slice(body);
        self.seen += 1;
        let whole = self.seen == self.count;
        Ok(whole.then(|| (std::mem::take(&mut self.name), std::mem::take(&mut self.value))))
    }

    /// Checks that nothing is left over.
    pub(super) fn finish(self) -> Result<(), Damage> {
        if self.seen == self.count {
            Ok(())
        } else {
            Err(Damage::Value { tree: self.tree, problem: "a piece is missing" })
        }
    }
}

fn piece_key(name: &[u8], index: u16) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + SUFFIX);
    key.extend_from_slice(name);
    key.push(0);
    key.extend_from_slice(&index.to_be_bytes());
    key
}

fn name_and_index(key: &[u8]) -> Option<(&[u8], u16)> {
    let (name, suffix) = key.split_at_checked(key.len().checked_sub(SUFFIX)?)?;
    let &[0, high, low] = suffix else { return None };
    Some((name, u16::from_be_bytes([high, low])))
}

fn split(piece: &[u8]) -> Option<(u32, u16, &[u8])> {
    let (crc, rest) = piece.split_first_chunk::<4>()?;
    let (count, body) = rest.split_first_chunk::<2>()?;
    Some((u32::from_le_bytes(*crc), u16::from_le_bytes(*count), body))
}

fn checksum(key: &[u8], count: u16, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&count.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}
