//! The project's own chores: the only entry points besides cargo itself.
//!
//! Run as `cargo xtask COMMAND` from anywhere in the repository.

mod bench;
mod chart;
mod command;
mod deb;
mod deploy;
mod generate;
mod hunt;
#[cfg(feature = "product")]
mod product;
mod soak;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's own chores")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that the tools of the tests are there, then run every test
    Test,
    /// Measure scans of large organizations against the simulator; fails if a gate of docs/PERFORMANCE.md does
    Bench(bench::Options),
    /// Live through months of simulated time, with faults and crashes, and hold keysweep to its promises
    Soak(soak::Options),
    /// Make each mistake of tests/mutants.toml in a scratch copy, and run histories until a promise breaks
    Hunt(hunt::Options),
    /// Write config/keysweep.toml, docs/schemas/, docs/openapi.json, the policies in deploy/iam/ and the chart's schema from the code
    GenConfig,
    /// Check the systemd unit, the Dockerfile, the scripts, and that packages hold no simulator
    CheckDeploy,
    /// Write the Helm chart with its rules and dashboards, as it is installed; prints where it is
    Chart,
    /// Build the Debian package; prints where it is
    Deb,
    /// What the others run once the product is built
    #[cfg(feature = "product")]
    #[command(subcommand, hide = true)]
    Product(product::Command),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            command::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Test => test::run_tests()?,
        Command::Bench(options) => return bench::bench(&options),
        Command::Soak(options) => soak::soak(&options)?,
        Command::Hunt(options) => hunt::hunt(&options)?,
        Command::GenConfig => generate::generate()?,
        Command::CheckDeploy => deploy::check()?,
        Command::Chart => chart::write()?,
        Command::Deb => deb::build()?,
        #[cfg(feature = "product")]
        Command::Product(command) => return product::run(&command),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
