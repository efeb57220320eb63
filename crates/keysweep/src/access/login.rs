//! Logins through an identity provider that are under way.
//!
//! What a login needs at its end is kept in memory, and the browser gets a cookie that names it: an answer of the provider
//! counts only in the browser in which the login began, and only once.

mod places;

use std::sync::{Arc, Mutex, PoisonError};

use keysweep_oidc::{
    Answer, Begun, DEFAULT_TIMEOUT, LoginError, Pending, Person, Provider, Settings, SettingsError,
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

pub use self::places::Client;
use self::places::Places;
use crate::clock::Clock;
use crate::config::Oidc;

/// The path to which the provider sends people back, beneath `http.public_url`.
pub const CALLBACK: &str = "/login/callback";

/// Logins that are under way at the same time.
const MOST: usize = 1_000;

/// How many of them one client can have, so that no client keeps others from logging in.
const SHARE: usize = 50;

/// Random bytes in the cookie.
const BYTES: usize = 32;

/// Why a login did not come about.
#[derive(Debug, thiserror::Error)]
pub enum LoginFault {
    /// No provider is configured.
    #[error("no identity provider is configured")]
    NoProvider,
    /// The configuration of the provider is not usable.
    #[error("the identity provider is not usable")]
    Settings(#[from] SettingsError),
    /// This browser began no login, or it was too long ago.
    #[error("this browser has no login under way: begin again")]
    Unknown,
    /// The provider, or the way to it.
    #[error("login failed")]
    Login(#[from] LoginError),
    /// The system has no random numbers to give.
    #[error("no random numbers")]
    Random(#[source] getrandom::Error),
}

/// A login that has begun.
#[derive(Debug)]
pub struct Started {
    /// Where the browser goes.
    pub url: String,
    /// The cookie that it takes along.
    pub cookie: SecretString,
}

/// Logins that are under way.
#[derive(Debug)]
pub struct Logins {
    clock: Clock,
    /// The last one that was used, with what it was made from.
    provider: Mutex<Option<(Oidc, String, Provider)>>,
    /// By the SHA-256 of the cookie, with the page to return to.
    pending: Mutex<Places<(Pending, String)>>,
}

impl Logins {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, provider: Mutex::default(), pending: Mutex::new(Places::new(MOST, SHARE)) }
    }

    /// Begins a login for a client, after which the browser returns to `next`. `public` is the authority of
    /// `http.public_url`.
    ///
    /// # Errors
    /// [`LoginFault`] if the provider cannot be reached, or is not configured.
    pub async fn begin(
        &self,
        oidc: Option<&Oidc>,
        public: Option<&str>,
        client: Client,
        next: &str,
    ) -> Result<Started, LoginFault> {
        let provider = self.provider(oidc, public)?;
        let Begun { authorize_url, pending } = provider.begin().await?;
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(LoginFault::Random)?;
        let cookie = SecretString::from(hex::encode(bytes));
        let mut waiting = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.operational();
        waiting.retain(|(pending, _)| !pending.is_over(now));
        waiting.insert(id_of(cookie.expose_secret()), client, (pending, next.to_owned()));
        Ok(Started { url: authorize_url, cookie })
    }

    /// Ends a login with the answer of the provider: its issuer, who it is, and where the browser returns to.
    ///
    /// # Errors
    /// [`LoginFault`] if the answer is not accepted. The login is over then, too.
    pub async fn finish(
        &self,
        oidc: Option<&Oidc>,
        public: Option<&str>,
        cookies: impl Iterator<Item = &str>,
        query: &str,
    ) -> Result<(String, Person, String), LoginFault> {
        let (pending, next) = {
            let mut waiting = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            let mut found = cookies.filter_map(|cookie| waiting.remove(&id_of(cookie)));
            found.next().ok_or(LoginFault::Unknown)?
        };
        let provider = self.provider(oidc, public)?;
        let person = provider.finish(pending, Answer::parse(query)?).await?;
        let issuer = oidc.map(|oidc| oidc.issuer.clone()).unwrap_or_default();
        Ok((issuer, person, next))
    }

    /// The provider of the configuration in force.
    fn provider(&self, oidc: Option<&Oidc>, public: Option<&str>) -> Result<Provider, LoginFault> {
        let (oidc, public) = oidc.zip(public).ok_or(LoginFault::NoProvider)?;
        let mut current = self.provider.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., provider)) = current.as_ref().filter(|(of, at, _)| of == oidc && at == public) {
            return Ok(provider.clone());
        }
        let clock = self.clock.clone();
        let provider = Provider::new(settings(oidc, public), Arc::new(move || clock.operational()))?;
        *current = Some((oidc.clone(), public.to_owned(), provider.clone()));
        Ok(provider)
    }
}

fn settings(oidc: &Oidc, public: &str) -> Settings {
    let Oidc { issuer, client_id, client_secret, scopes, groups_claim, roots } = oidc.clone();
    Settings {
        issuer,
        client_id,
        client_secret,
        redirect_url: format!("https://{public}{CALLBACK}"),
        scopes,
        groups_claim,
        ca_pem: roots.map(String::into_bytes),
        timeout: DEFAULT_TIMEOUT,
    }
}

fn id_of(cookie: &str) -> String {
    hex::encode(Sha256::digest(cookie))
}
