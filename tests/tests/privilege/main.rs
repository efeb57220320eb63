//! The policies that `keysweep iam` prints are enough, and not more: the simulator judges every call by them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod attacks;
mod enough;
mod lives;
mod policies;
mod wire;
