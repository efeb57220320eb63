//! The keysweep program.
fn main() {}
