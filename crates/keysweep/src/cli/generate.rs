//! `completions` and `man`.

use std::path::Path;

use clap_complete::Shell;

use super::console::Console;
use super::error::CliError;
use super::{Cli, Exit};

/// `completions`.
pub(super) fn completions(shell: Shell, console: &Console) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::definition(), "keysweep", &mut script);
    console.print_until_closed(|out| out.write_all(&script).map_err(|source| CliError::Output { source }))?;
    Ok(Exit::Done)
}

/// `man`: the page of the program, or one per command into a directory.
pub(super) fn man(dir: Option<&Path>, console: &Console) -> Result<Exit, CliError> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(Cli::definition()).render(&mut page);
        rendered.map_err(|source| CliError::Output { source })?;
        console
            .print_until_closed(|out| out.write_all(&page).map_err(|source| CliError::Output { source }))?;
        return Ok(Exit::Done);
    };
    let written =
        std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::definition(), dir));
    written.map_err(|source| CliError::File { path: dir.into(), source })?;
    console.explain(&format!("man pages are in {}", dir.display()));
    Ok(Exit::Done)
}
