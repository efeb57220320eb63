//! `run`: the daemon, and `demo`: the daemon on an organization in a box.

use std::io;

use keysweep_store::OpenOptions;

use super::Exit;
use super::args::Global;
use super::config::{daemon_form, log, quiet_level, read_to_serve, sources};
use super::console::Console;
use super::error::CliError;
use crate::clock::Clock;
use crate::connect::Given;
use crate::daemon::{self, Parts};
use crate::logging::Graded;
use crate::metrics::Metrics;
use crate::telemetry::Telemetry;

/// `run`.
pub(super) async fn run(global: &Global, console: &Console) -> Result<Exit, CliError> {
    let metrics = Metrics::new();
    let config = read_to_serve(global)?;
    let level = if console.verbose == 0 { config.log.level.clone() } else { quiet_level(console).into() };
    let telemetry = Telemetry::from_environment()?;
    let (form, traces) = (daemon_form(&config, console), telemetry.layer());
    if Graded::is_asked_for() {
        log(&level, form, &metrics, Graded, traces)?;
    } else {
        log(&level, form, &metrics, io::stderr, traces)?;
    }
    let ended = daemon::run(Parts {
        config,
        sources: sources(global),
        clock: Clock::system(),
        metrics,
        given: Given::default(),
        open: OpenOptions::default(),
    });
    let ended = ended.await;
    telemetry.end().await;
    ended?;
    Ok(Exit::Done)
}

/// `demo`.
#[cfg(feature = "demo")]
pub(super) async fn demo(options: crate::demo::DemoOptions) -> Result<Exit, CliError> {
    crate::demo::run(options).await?;
    Ok(Exit::Done)
}
