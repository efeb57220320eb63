//! Change: carry out tickets one at a time per key, each read and decided again, journaled before its call, and read
//! back after it.

mod account;
mod act;
mod gaps;
mod in_flight;
mod outcome;
mod reread;
mod settle;

pub(crate) use self::act::{Acted, GatherError, act, all, gather};
pub(crate) use self::gaps::Gaps;
pub(crate) use self::in_flight::Changes;
pub(crate) use self::settle::{of_key as settle_key, open_intents as settle_open_intents};
