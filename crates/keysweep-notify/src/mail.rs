//! Letters to a mail server, by SMTP.

mod envelope;
mod letter;
mod login;
mod opening;
mod session;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lettre::transport::smtp::extension::ClientId;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use secrecy::SecretString;

use crate::failure::Failure;
use crate::mail::envelope::{Party, hello};
use crate::mail::login::Login;
use crate::mail::session::Session;
use crate::tls::client_config;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte; usually port 465.
    Tls,
    /// TLS by `STARTTLS`, usually port 587. If the server does not offer it, nothing is sent.
    StartTls,
    /// No TLS: letters and passwords are readable on the way. For a server on the same machine.
    None,
}

/// Which server, and as whom.
#[derive(Debug)]
pub struct MailOptions {
    /// Name or address of the server; its certificate must be for it.
    pub host: String,
    /// TCP port, usually 465 or 587.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// User name for authentication. Set together with the password, or not at all.
    pub username: Option<String>,
    /// Password for authentication; a newline at its end is ignored.
    pub password: Option<SecretString>,
    /// Sender, such as `keysweep <keysweep@example.com>` or the address alone.
    pub from: String,
    /// Where replies go, in the same form.
    pub reply_to: Option<String>,
    /// From connecting to the server's last response.
    pub timeout: Duration,
    /// PEM certificates to trust in addition to those of the system.
    pub ca_pem: Option<Vec<u8>>,
    /// Name in the greeting (`EHLO`): by default the domain of the sender.
    pub helo: Option<String>,
}

/// A letter to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Becomes the Message-ID, `<id@domain of the sender>`. The same on each attempt, so that mail programs show one.
    pub id: String,
    /// Subject. Control characters become spaces, and more than 200 characters are cut.
    pub subject: String,
    /// The letter as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// The `id` of the first letter of the thread.
    pub thread: Option<String>,
    /// Identifies such letters for filters (List-Id), such as `notices.keysweep.example.com`.
    pub list_id: String,
}

/// Sends letters through one server, each in a connection of its own.
pub struct Mailer {
    host: String,
    port: u16,
    security: Security,
    login: Option<Login>,
    from: Party,
    reply_to: Option<Party>,
    timeout: Duration,
    hello: ClientId,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Mailer {
    /// Checks the options; nothing is sent.
    ///
    /// # Errors
    /// An address, the host or the name of the greeting is invalid, only one of user name and password is set, or a
    /// certificate cannot be used.
    pub fn new(options: MailOptions) -> Result<Self, String> {
        let MailOptions { host, port, security, timeout, .. } = options;
        let name = ServerName::try_from(host.clone())
            .map_err(|_| format!("mail server {host:?}: expected a host name or an IP address"))?;
        let login = match (options.username, options.password) {
            (Some(user), Some(password)) => Some(Login::new(user, &password)),
            (None, None) => None,
            (Some(_), None) => return Err("the mail server has a user name and no password".to_owned()),
            (None, Some(_)) => return Err("the mail server has a password and no user name".to_owned()),
        };
        let from = Party::parse(&options.from).map_err(|why| format!("sender: {why}"))?;
        let reply_to = options.reply_to.as_deref().map(Party::parse).transpose();
        let hello = hello(options.helo.as_deref().unwrap_or(from.domain()))?;
        let tls = Arc::new(client_config(options.ca_pem.as_deref())?);
        let reply_to = reply_to.map_err(|why| format!("reply-to: {why}"))?;
        Ok(Self { host, port, security, login, from, reply_to, timeout, hello, tls, name })
    }

    /// Sends a letter, and returns the server's last response, such as `250 2.0.0 Ok: queued as 4F2A`.
    ///
    /// `at` is the time of this attempt: the letter's date. `to` has the form of [`MailOptions::from`]. Success
    /// means that the server took responsibility for the letter, not that it arrived.
    ///
    /// # Errors
    /// The server could not be reached or refused the letter.
    pub async fn send(&self, at: Timestamp, to: &str, letter: &Letter) -> Result<String, Failure> {
        let to = Party::parse(to).map_err(|why| Failure::rejected(format!("recipient: {why}")))?;
        let message = letter::message(&self.from, self.reply_to.as_ref(), &to, at, letter)
            .map_err(|why| Failure::rejected(format!("the letter could not be written: {why}")))?;
        let response = self.within(async {
            let mut session = Session::open(self).await?;
            let response = session.send(&self.from, &to, &message).await?;
            Ok((session, response))
        });
        let (session, response) = response.await?;
        // The letter is accepted; how the connection ends changes nothing.
        let _ = self.within(session.quit()).await;
        Ok(response)
    }

    /// Connects, authenticates and leaves again, to see whether the options work. Sends no letter.
    ///
    /// # Errors
    /// What a letter would have failed with.
    pub async fn check(&self) -> Result<(), Failure> {
        let checked = self.within(async {
            let mut session = Session::open(self).await?;
            session.noop().await?;
            Ok(session)
        });
        let session = checked.await?;
        let _ = self.within(session.quit()).await;
        Ok(())
    }

    async fn within<T>(&self, attempt: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::temporary(self.detail("no response within the timeout"))),
        }
    }

    fn detail(&self, what: &str) -> String {
        format!("mail server {}:{}: {what}", self.host, self.port)
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}
