//! What `keysweep doctor` finds in an organization, and that it changes nothing there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod analyzer;
mod company;
mod machine;
mod organization;
mod program;
mod roles;
