//! A conversation with a mail server, one step after another, so that a failure is known by its step.

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Noop, Quit, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;

use super::Mailer;
use super::envelope::Party;
use super::login::Login;
use crate::failure::{Failure, FailureKind};
use crate::plain::{excerpt, innermost, root};

/// What a refusal for good means in a step.
#[derive(Clone, Copy)]
enum Step {
    /// It is about the connection, the account or the sender.
    Own,
    /// It is about the recipient or the letter.
    Letter,
}

pub(super) struct Session<'a> {
    mailer: &'a Mailer,
    connection: AsyncSmtpConnection,
}

impl<'a> Session<'a> {
    /// Connects and authenticates.
    pub(super) async fn open(mailer: &'a Mailer) -> Result<Self, Failure> {
        let stream = Box::new(mailer.open().await?);
        let connection = AsyncSmtpConnection::connect_with_transport(stream, &mailer.hello)
            .await
            .map_err(|error| failure(mailer, Step::Own, &error))?;
        let mut session = Self { mailer, connection };
        if let Some(login) = &mailer.login {
            session.authenticate(login).await?;
        }
        Ok(session)
    }

    async fn authenticate(&mut self, login: &Login) -> Result<(), Failure> {
        const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
        if self.connection.server_info().get_auth_mechanism(&MECHANISMS).is_none() {
            let what = "the server offers no authentication by password (PLAIN or LOGIN)";
            return Err(Failure::misconfigured(self.mailer.detail(what)));
        }
        let outcome = self.connection.auth(&MECHANISMS, &login.credentials()).await;
        outcome.map(drop).map_err(|error| failure(self.mailer, Step::Own, &error))
    }

    /// Hands over a letter, and returns the last response.
    pub(super) async fn send(&mut self, from: &Party, to: &Party, letter: &[u8]) -> Result<String, Failure> {
        let parameters = self.parameters(from, to, letter)?;
        self.step(Step::Own, Mail::new(Some(from.address().clone()), parameters)).await?;
        self.step(Step::Letter, Rcpt::new(to.address().clone(), Vec::new())).await?;
        self.step(Step::Letter, Data).await?;
        let response = self.connection.message(letter).await;
        let response = response.map_err(|error| failure(self.mailer, Step::Letter, &error))?;
        Ok(shown(&response))
    }

    pub(super) async fn noop(&mut self) -> Result<(), Failure> {
        self.step(Step::Own, Noop).await
    }

    pub(super) async fn quit(mut self) -> Result<(), Failure> {
        self.step(Step::Own, Quit).await
    }

    /// What the server has to know before the letter, if that is not all ASCII.
    fn parameters(&self, from: &Party, to: &Party, letter: &[u8]) -> Result<Vec<MailParameter>, Failure> {
        let server = self.connection.server_info();
        let mut parameters = Vec::new();
        if from.is_beyond_ascii() || to.is_beyond_ascii() {
            if !server.supports_feature(Extension::SmtpUtfEight) {
                let what = "the server does not accept addresses beyond ASCII (SMTPUTF8)";
                return Err(Failure::rejected(self.mailer.detail(what)));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !letter.is_ascii() && server.supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    async fn step(&mut self, step: Step, command: impl std::fmt::Display) -> Result<(), Failure> {
        let outcome = self.connection.command(command).await;
        outcome.map(drop).map_err(|error| failure(self.mailer, step, &error))
    }
}

/// A response in one line.
fn shown(response: &Response) -> String {
    let text = response.message().last().unwrap_or_default();
    excerpt(&format!("{} {text}", response.code()), 200)
}

fn failure(mailer: &Mailer, step: Step, error: &Error) -> Failure {
    let Some(code) = error.status() else {
        let what = format!("the connection failed: {}", innermost(error));
        return Failure::temporary(mailer.detail(&what));
    };
    let kind = match (u16::from(code), step) {
        // Authentication is required, too weak, or failed: in whatever step.
        (530 | 534 | 535 | 538, _) => FailureKind::Misconfigured,
        (500..=599, Step::Own) => FailureKind::Misconfigured,
        (500..=599, Step::Letter) => FailureKind::Rejected,
        _ => FailureKind::Temporary,
    };
    let text = root(error).to_string();
    let text = match &mailer.login {
        Some(login) => login.hide_in(text),
        None => text,
    };
    Failure::new(kind, mailer.detail(&format!("{code} {}", excerpt(&text, 200))))
}
