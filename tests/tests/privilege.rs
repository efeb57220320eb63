//! The policies that `keysweep iam` prints are enough, and not more: the simulator judges every call by them.

mod attacks;
mod enough;
mod lives;
mod policies;
mod wire;
