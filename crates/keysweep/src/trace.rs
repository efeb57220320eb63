//! What CloudTrail tells of calls about users and keys. It explains, and leads to no change: nothing waits for it.

mod idle;
mod reactivations;

pub use self::idle::Idle;
pub(crate) use self::reactivations::trace_reactivations;
