//! What `keysweep doctor` finds in an organization, and that it changes nothing there.

mod analyzer;
mod company;
mod machine;
mod organization;
mod program;
mod roles;
