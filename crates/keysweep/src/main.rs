//! The keysweep program.

use std::process::ExitCode;

use keysweep::cli::{Cli, Exit};

/// A scan allocates a lot and briefly: with the C library's allocator a quarter of its processor time goes there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::of_process() {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    let exit = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli.run()),
        Err(error) => Exit::of_start(&error),
    };
    exit.into()
}
