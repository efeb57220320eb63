//! `iam`: the policies that the configuration needs.

use super::Exit;
use super::args::{Global, IamCommand, TrustArgs};
use super::config::read_or_defaults;
use super::console::Console;
use super::error::CliError;
use super::export;
use crate::clock::Clock;
use crate::config::Config;
use crate::iam::{self, Deletion, Document, IamError};

/// `iam ...`
pub(super) fn iam(global: &Global, command: &IamCommand, console: &Console) -> Result<Exit, CliError> {
    let config = read_or_defaults(global, console)?;
    let now = Clock::system().now();
    let document = match command {
        IamCommand::Hub => iam::hub(&config),
        IamCommand::Quarantine => Ok(iam::quarantine()),
        IamCommand::Scan(args) => trust(&config, args).unwrap_or_else(|| iam::scan(&config)),
        IamCommand::Enforce { no_delete, trust: args } => trust(&config, args).unwrap_or_else(|| {
            let deletion = if *no_delete { Deletion::Never } else { Deletion::Allowed };
            iam::enforce(&config, now, deletion)
        }),
    }?;
    console.print_until_closed(|out| export::json(out, &document))?;
    Ok(Exit::Done)
}

/// The trust policy, if that is what is wanted.
fn trust(config: &Config, args: &TrustArgs) -> Option<Result<Document, IamError>> {
    args.trust.as_ref().map(|hub| iam::trust(config, hub, args.organization.as_ref()))
}
