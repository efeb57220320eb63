//! keysweep's side of a login.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use keysweep_oidc::{Answer, LoginError, Person, Provider, Settings};

use crate::logins::browser::{Act, Browser};

pub(crate) const REDIRECT_URL: &str = "https://keysweep.example.com/login/done";
pub(crate) const SECRET: &str = "s3cret+of/the client";

pub(crate) fn settings(issuer: &str, client: &str) -> Settings {
    Settings {
        issuer: issuer.to_owned(),
        client_id: client.to_owned(),
        client_secret: Some(SECRET.into()),
        redirect_url: REDIRECT_URL.to_owned(),
        scopes: ["profile", "email", "groups"].map(ToOwned::to_owned).to_vec(),
        groups_claim: "groups".to_owned(),
        ca_pem: None,
        timeout: Duration::from_secs(60),
    }
}

/// A provider as keysweep sees it, with a clock that can be ahead of the provider's.
pub(crate) struct Stage {
    pub(crate) provider: Provider,
    ahead: Arc<AtomicI64>,
}

impl Stage {
    pub(crate) fn new(settings: Settings) -> Self {
        let ahead = Arc::new(AtomicI64::new(0));
        let offset = ahead.clone();
        let clock = move || now() + jiff::SignedDuration::from_secs(offset.load(Ordering::SeqCst));
        Self { provider: Provider::new(settings, Arc::new(clock)).unwrap(), ahead }
    }

    pub(crate) async fn log_in(&self, name: &str) -> Result<Person, LoginError> {
        self.log_in_with(name, ToOwned::to_owned, 0).await
    }

    /// A login whose URL somebody changes, and during which time passes that the provider does not notice.
    pub(crate) async fn log_in_with(
        &self,
        name: &str,
        change: impl Fn(&str) -> String,
        seconds: i64,
    ) -> Result<Person, LoginError> {
        let begun = self.provider.begin().await?;
        let query = visit(&change(&begun.authorize_url), Act::LogIn(name)).await;
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
        self.provider.finish(begun.pending, Answer::parse(&query).unwrap()).await
    }
}

pub(crate) async fn visit(url: &str, act: Act<'_>) -> String {
    Browser::new(REDIRECT_URL).visit(url, act).await
}

/// The URL with another value of a parameter.
pub(crate) fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let (endpoint, query) = url.split_once('?').unwrap();
    let pairs = form_urlencoded::parse(query.as_bytes());
    let pairs = pairs.map(|(key, old)| if key == name { (key, value.into()) } else { (key, old) });
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{endpoint}?{query}")
}

/// These providers have no other clock.
#[expect(clippy::disallowed_methods, reason = "the providers use the system's clock")]
fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap()
}
