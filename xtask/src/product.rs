//! What needs keysweep itself and the simulator.

mod bare;
mod chart;
mod gates;
mod generate;
mod mail;
mod measure;
mod organization;
mod people;
mod server;
mod table;
mod values;
mod visits;

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
    /// Measure a daemon with people
    People(people::Options),
    /// Serve an organization for one scan
    Serve(server::Options),
}

pub(crate) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Generate => generate::generate()?,
        Command::Bare(options) => bare::call(options)?,
        Command::Measure(options) => return measure::measure(options),
        Command::People(options) => return people::measure(options),
        Command::Serve(options) => server::serve(options)?,
    }
    Ok(ExitCode::SUCCESS)
}
