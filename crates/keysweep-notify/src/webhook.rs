//! JSON to a webhook, signed as [Standard Webhooks](https://www.standardwebhooks.com) describes.

use std::fmt;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::failure::Failure;
use crate::http::{Http, HttpOptions, shown};
use crate::signature::{SigningKey, signatures};

/// Where messages go, and how they are signed.
#[derive(Debug)]
pub struct WebhookOptions {
    /// Must be HTTPS; HTTP is allowed on loopback with `allow_private`. A secret: many receivers accept
    /// any request that knows the URL.
    pub url: SecretString,
    /// At least one, as `whsec_` and the base64 of 24 to 64 bytes. While a secret is rotated there are two, and each
    /// message has a signature by each.
    pub secrets: Vec<SecretString>,
    /// Allows addresses that are not public: loopback, private networks, link-local.
    pub allow_private: bool,
    /// From connecting to the status of the response.
    pub timeout: Duration,
    /// PEM certificates to trust in addition to those of the system.
    pub ca_pem: Option<Vec<u8>>,
}

/// A webhook. Redirects are not followed, and no proxy is used.
pub struct Webhook {
    http: Http,
    keys: Vec<SigningKey>,
}

impl Webhook {
    /// Checks the options; nothing is sent.
    ///
    /// # Errors
    /// The URL is invalid or not allowed, a secret has the wrong form, or a certificate cannot be used. The message
    /// repeats neither URL nor secrets.
    pub fn new(options: WebhookOptions) -> Result<Self, String> {
        let keys = options.secrets.iter().map(SigningKey::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err("a webhook needs at least one secret".to_owned());
        }
        let http = Http::new(&HttpOptions {
            url: options.url.expose_secret(),
            allow_private: options.allow_private,
            timeout: options.timeout,
            ca_pem: options.ca_pem.as_deref(),
        })?;
        Ok(Self { http, keys })
    }

    /// Sends a message, and returns the status of the response, such as `202 Accepted`.
    ///
    /// `at` is the time of this attempt. `id` is the same on each attempt, so that the receiver can ignore repeats.
    ///
    /// # Errors
    /// The receiver did not answer with a status of success.
    pub async fn post(&self, at: Timestamp, id: &str, body: &Value) -> Result<String, Failure> {
        let body = body.to_string().into_bytes();
        let headers = self.headers(at, id, &body).ok_or_else(|| {
            Failure::rejected(format!("{}: the message ID does not fit into a header", self.http.origin()))
        })?;
        Ok(shown(self.http.post(headers, body).await?))
    }

    fn headers(&self, at: Timestamp, id: &str, body: &[u8]) -> Option<HeaderMap> {
        let timestamp = at.as_second();
        let signature = signatures(&self.keys, id, timestamp, body);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static("webhook-id"), HeaderValue::from_str(id).ok()?);
        headers.insert(HeaderName::from_static("webhook-timestamp"), HeaderValue::from(timestamp));
        headers.insert(HeaderName::from_static("webhook-signature"), HeaderValue::from_str(&signature).ok()?);
        Some(headers)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("http", &self.http).finish_non_exhaustive()
    }
}
