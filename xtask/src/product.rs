//! What needs keysweep itself and the simulator.

mod bare;
mod chart;
mod gates;
mod generate;
mod measure;
mod server;
mod table;
mod values;

use std::process::ExitCode;

use clap::Subcommand;

/// The hidden commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write what is generated from the code
    Generate,
    /// Call STS with the SDK alone
    Bare(bare::Options),
    /// Measure scans
    Measure(measure::Options),
    /// Serve an organization for one scan
    Serve(server::Options),
}

pub(crate) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Generate => generate::generate()?,
        Command::Bare(options) => bare::call(options)?,
        Command::Measure(options) => return measure::measure(options),
        Command::Serve(options) => server::serve(options)?,
    }
    Ok(ExitCode::SUCCESS)
}
