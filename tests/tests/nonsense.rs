//! Nonsense: whatever comes in from outside, cut, flipped, doubled or made up, is an error or what it really says.
//!
//! Each kind of input is damaged from the files of `testdata/corpus/<kind>/`, every one of which is also tried as it
//! is. `PROPTEST_CASES` raises the number of cases; the seeds are fixed, so that a failure comes again.

mod answers;
mod configuration;
mod damage;
mod garbling;
mod http;
mod journal;
mod names;

mod records;
mod report;
mod stage;
