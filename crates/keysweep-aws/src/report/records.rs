//! Records of a CSV text that is in memory.
//!
//! This is `csv-core` and not `csv`, because a parser of theirs fills its tables when it is made, which costs as much
//! as reading a hundred rows of a report with it. Here the tables are made once and copied.

use std::sync::LazyLock;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

static PARSER: LazyLock<Reader> = LazyLock::new(|| ReaderBuilder::new().build());

/// A cursor over the records of a text.
pub(super) struct Records<'a> {
    parser: Reader,
    rest: &'a [u8],
    record: Record,
}

/// The fields of one record, unescaped.
#[derive(Default)]
pub(super) struct Record {
    bytes: Vec<u8>,
    /// Where each field ends; room for more than there are.
    ends: Vec<usize>,
    len: usize,
}

impl<'a> Records<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        // No field is longer than the text, and what a row of a report needs is known well enough to begin with.
        let record = Record { bytes: vec![0; 1024], ends: vec![0; 32], len: 0 };
        Self { parser: PARSER.clone(), rest: text, record }
    }

    /// The next record, until the one after it is asked for. Empty lines are left out; text in memory always reads.
    pub(super) fn next(&mut self) -> Option<&Record> {
        let Record { bytes, ends, len } = &mut self.record;
        let (mut written, mut ended) = (0, 0);
        loop {
            let room = bytes.get_mut(written..).unwrap_or_default();
            let end_room = ends.get_mut(ended..).unwrap_or_default();
            let (result, read, wrote, fields) = self.parser.read_record(self.rest, room, end_room);
            self.rest = self.rest.get(read..).unwrap_or_default();
            written += wrote;
            ended += fields;
            match result {
                // Asked again with nothing left, the parser tells what the last line was.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => bytes.resize(bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => ends.resize(ends.len() * 2, 0),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return None,
            }
        }
        *len = ended;
        Some(&self.record)
    }
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, position: usize) -> Option<&[u8]> {
        let ends = self.ends.get(..self.len)?;
        let end = *ends.get(position)?;
        let start = position.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default();
        self.bytes.get(start..end)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len).filter_map(|position| self.get(position))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let (mut records, mut all) = (Records::of(text), Vec::new());
        while let Some(record) = records.next() {
            assert_eq!(record.get(record.len()), None);
            all.push(record.iter().map(<[u8]>::to_vec).collect());
        }
        all
    }

    fn expected(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text);
        let fields = |record: csv::ByteRecord| record.iter().map(<[u8]>::to_vec).collect();
        reader.into_byte_records().map(|record| fields(record.unwrap())).collect()
    }

    #[test]
    fn records_of_any_length_are_read_whole() {
        let text = format!("a,\"b,\"\"c\"\"\"\r\n\n{}\n{}", "x".repeat(5000), "y,".repeat(100));
        assert_eq!(read(text.as_bytes()), expected(text.as_bytes()));
        assert_eq!(read(b"a,\"b,\"\"c\"\"\""), [[b"a".to_vec(), b"b,\"c\"".to_vec()]]);
        assert_eq!(read(b""), Vec::<Vec<Vec<u8>>>::new());
    }

    proptest! {
        #[test]
        fn whatever_the_text_it_is_read_as_csv_reads_it(text in "([a,\"\r\n\u{feff}é]|[a-z]{40}){0,60}") {
            prop_assert_eq!(read(text.as_bytes()), expected(text.as_bytes()));
        }
    }
}
