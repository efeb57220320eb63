//! What the tests of whole programs share.

pub mod company;
pub mod conformance;
pub mod crashes;
pub mod demo;
pub mod history;
pub mod letters;
pub mod load;
pub mod node;
pub mod provider;
pub mod site;
pub mod slack_stub;
