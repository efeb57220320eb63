//! `token new`: a token for asking over HTTP.

use secrecy::ExposeSecret as _;

use super::Exit;
use super::args::{NewTokenArgs, TokenCommand};
use super::console::Console;
use super::error::CliError;
use crate::socket::own_name;
use crate::token::{self, Digest, Role};

/// `token ...`
pub(super) fn token(command: TokenCommand, console: &Console) -> Result<Exit, CliError> {
    match command {
        TokenCommand::New(args) => new(&args, console),
    }
}

/// Prints the token to stdout, this once, and what the configuration knows of it to stderr: so that either can go into
/// a file without the other.
fn new(args: &NewTokenArgs, console: &Console) -> Result<Exit, CliError> {
    let name = args.name.clone().or_else(|| token::is_name(&own_name()).then(own_name));
    let Some(name) = name else {
        return Err(CliError::Usage("say whose token it is: --name NAME".into()));
    };
    let made = token::make().map_err(|source| CliError::Random { source })?;
    let digest = Digest::of(made.expose_secret()).to_hex();
    console.print(|out| {
        writeln!(out, "{}", made.expose_secret()).map_err(|source| CliError::Output { source })
    })?;
    console.say(&format!(
        "\nThis is the only time that the token is shown. Put this into the configuration, and load it again \
         (systemctl reload keysweep, or SIGHUP):\n\n[[http.token]]\nname = \"{name}\"\nrole = \"{}\"\nsha256 = \
         \"{digest}\"\n",
        Role::from(args.role)
    ));
    Ok(Exit::Done)
}
