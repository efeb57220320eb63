//! The provider's configuration document and signing keys, cached.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use openidconnect::IssuerUrl;
use openidconnect::core::CoreJsonWebKeySet;
use reqwest::Url;
use tokio::sync::Mutex;

use crate::LoginError;
use crate::http::Http;
use crate::types::Metadata;
use crate::url_rule::shown;

/// How long the document is used before it is read again, with the keys: endpoints change rarely, and a key that the
/// provider withdraws must not stay valid for days.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(4);
/// How often keys are read again because a token names an unknown one. Anybody who can log in can cause that.
const KEYS_INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// How long a failure answers the logins that waited for the same request, so that they do not wait one after another.
const FAILURE_LIFETIME: SignedDuration = SignedDuration::from_secs(5);

/// OpenID Connect Discovery 1.0, section 4.
const WELL_KNOWN: &str = ".well-known/openid-configuration";

/// What is known of a provider.
pub(crate) struct Known {
    /// With the keys.
    pub(crate) metadata: Metadata,
    pub(crate) token_url: Url,
    read_at: Timestamp,
}

#[derive(Default)]
struct State {
    known: Option<Arc<Known>>,
    failed: Option<(Timestamp, LoginError)>,
    keys_read_again: Option<Timestamp>,
}

/// What is known of a provider, read when first needed. One request at a time: logins that need the same wait for it.
#[derive(Default)]
pub(crate) struct Cache {
    state: Mutex<State>,
}

impl Cache {
    pub(crate) async fn get(
        &self,
        http: &Http,
        issuer: &IssuerUrl,
        now: impl Fn() -> Timestamp,
    ) -> Result<Arc<Known>, LoginError> {
        let mut state = self.state.lock().await;
        if let Some(known) = state.known.as_ref().filter(|known| is_within(known.read_at, now(), MAX_AGE)) {
            return Ok(known.clone());
        }
        if let Some((at, error)) = &state.failed
            && is_within(*at, now(), FAILURE_LIFETIME)
        {
            return Err(error.clone());
        }
        match read(http, issuer, now()).await {
            Ok(known) => {
                let known = Arc::new(known);
                *state = State { known: Some(known.clone()), ..State::default() };
                Ok(known)
            }
            Err(error) => {
                state.failed = Some((now(), error.clone()));
                Err(error)
            }
        }
    }

    /// What is known with newer keys than `seen` has, or nothing if the keys were read again too recently.
    pub(crate) async fn with_newer_keys(
        &self,
        http: &Http,
        seen: &Arc<Known>,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, LoginError> {
        let mut state = self.state.lock().await;
        if let Some(known) = state.known.as_ref().filter(|known| !Arc::ptr_eq(known, seen)) {
            return Ok(Some(known.clone()));
        }
        if state.keys_read_again.is_some_and(|at| is_within(at, now, KEYS_INTERVAL)) {
            return Ok(None);
        }
        // Before the request, so that a request that fails or is abandoned counts too.
        state.keys_read_again = Some(now);
        let metadata = seen.metadata.clone().set_jwks(keys(http, &seen.metadata).await?);
        let known = Arc::new(Known { metadata, token_url: seen.token_url.clone(), read_at: seen.read_at });
        state.known = Some(known.clone());
        Ok(Some(known))
    }
}

/// A time in the future is not within: the clock was set back.
fn is_within(at: Timestamp, now: Timestamp, span: SignedDuration) -> bool {
    let age = now.duration_since(at);
    !age.is_negative() && age < span
}

async fn read(http: &Http, issuer: &IssuerUrl, now: Timestamp) -> Result<Known, LoginError> {
    let failed = |url: String, cause: String| LoginError::Discovery { url, cause };
    let url = issuer.join(WELL_KNOWN).map_err(|error| failed(issuer.to_string(), error.to_string()))?;
    let failed = |cause: String| failed(shown(&url), cause);
    let metadata: Metadata = http.document(&url).await.map_err(failed)?;
    // OpenID Connect Discovery 1.0, section 4.3: exactly the issuer that the URL was made of.
    if metadata.issuer() != issuer {
        let stated = crate::text::excerpt(metadata.issuer(), 200);
        return Err(failed(format!("the document is of issuer {stated}, not {}", issuer.as_str())));
    }
    let Some(token_url) = metadata.token_endpoint().map(|endpoint| endpoint.url().clone()) else {
        return Err(failed("the document has no token_endpoint".to_owned()));
    };
    let endpoints = [
        ("authorization_endpoint", Some(metadata.authorization_endpoint().url())),
        ("token_endpoint", Some(&token_url)),
        ("userinfo_endpoint", metadata.userinfo_endpoint().map(|endpoint| endpoint.url())),
        ("jwks_uri", Some(metadata.jwks_uri().url())),
    ];
    for (name, endpoint) in endpoints {
        if let Some(endpoint) = endpoint {
            http.check(endpoint).map_err(|cause| failed(format!("{name} {}: {cause}", shown(endpoint))))?;
        }
    }
    let keys = keys(http, &metadata).await?;
    Ok(Known { metadata: metadata.set_jwks(keys), token_url, read_at: now })
}

async fn keys(http: &Http, metadata: &Metadata) -> Result<CoreJsonWebKeySet, LoginError> {
    let url = metadata.jwks_uri().url();
    http.document(url).await.map_err(|cause| LoginError::Keys { url: shown(url), cause })
}
