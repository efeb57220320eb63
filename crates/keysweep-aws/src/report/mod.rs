//! The credential report: every user of an account and its first two keys, without their IDs.
//!
//! It finds candidates; it never names a key to act on. Its bytes are kept as they came and parsed row by row, so
//! that memory grows with what the caller keeps and not with the number of users.

mod fetch;
mod join;
mod row;
mod table;
#[cfg(test)]
mod tests;

pub use self::fetch::{ReportFault, ReportState};
pub use self::join::join;
pub use self::row::{Row, RowError, Slot};
pub use self::table::{Report, ReportError};
