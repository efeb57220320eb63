//! `config init`: a new configuration file.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::Exit;
use super::args::Global;
use super::config::{form, log, quiet_level, sources};
use super::console::Console;
use super::credentials::without_answer;
use super::error::CliError;
use crate::clock::Clock;
use crate::config::{self, DEFAULT_FILE, Sources, Starter, starter_toml};
use crate::connect::{Given, connect};
use crate::metrics::Metrics;

/// `config init`. A file that exists is left alone.
pub(super) async fn init(global: &Global, here: bool, console: &Console) -> Result<Exit, CliError> {
    let sources = sources(global);
    let path = sources.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let what = if here { here_of(sources, console).await? } else { Starter::Organization };
    let refused = |source| CliError::NewConfig { path: path.clone(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(refused)?;
    file.write_all(starter_toml(what).as_bytes()).map_err(refused)?;
    let named = if global.config.is_some() { format!("--config {} ", path.display()) } else { String::new() };
    let next = match what {
        Starter::Here(_) => {
            format!("`keysweep {named}scan` shows findings, `keysweep {named}run` starts the daemon")
        }
        Starter::Organization => format!("edit it, then run `keysweep {named}doctor`"),
    };
    console.print_until_closed(|out| {
        writeln!(out, "Created {}. Next: {next}.", path.display())
            .map_err(|source| CliError::Output { source })
    })?;
    Ok(Exit::Done)
}

/// The account of our credentials, by the defaults, the environment, and flags: there is no file yet.
async fn here_of(sources: Sources, console: &Console) -> Result<Starter, CliError> {
    let (clock, metrics) = (Clock::system(), Metrics::new());
    let config = config::load(&Sources { file: None, ..sources }, clock.now())?;
    log(quiet_level(console), form(&config, console), &metrics, std::io::stderr, None)?;
    let aws = connect(&config, &clock, metrics, Given::default()).await?;
    let caller = aws.caller().await.map_err(|fault| without_answer(fault, CliError::Caller))?;
    Ok(Starter::Here(caller.account))
}
