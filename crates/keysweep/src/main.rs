//! The keysweep program.

use std::process::ExitCode;

use keysweep::cli::{Cli, Exit};

/// A sweep allocates a lot and briefly: of the C library's allocator and others, this one has the least left over between
/// sweeps. `.cargo/config.toml` says how it is set up.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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
