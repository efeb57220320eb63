//! What the tests of whole programs share.

pub mod company;
pub mod conformance;
pub mod history;
pub mod load;
