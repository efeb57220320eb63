//! Adaptive Cards to Microsoft Teams, through a workflow that starts "When a Teams webhook request is received".

use std::fmt;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::http::{Http, HttpOptions, shown};

/// Teams refuses messages of more than 28 KB.
const MAX_BYTES: usize = 28 * 1024;

/// Where cards go.
#[derive(Debug)]
pub struct TeamsOptions {
    /// The workflow's URL. It is a secret: its query holds the signature that lets requests in.
    pub url: SecretString,
    /// Allows addresses that are not public, and HTTP on loopback.
    pub allow_private: bool,
    /// From connecting to the status of the response.
    pub timeout: Duration,
    /// PEM certificates to trust in addition to those of the system.
    pub ca_pem: Option<Vec<u8>>,
}

/// A Teams workflow. Redirects are not followed, and no proxy is used.
pub struct Teams {
    http: Http,
}

impl Teams {
    /// Checks the options; nothing is sent.
    ///
    /// # Errors
    /// The URL is invalid or not allowed, or a certificate cannot be used. The message does not repeat the URL.
    pub fn new(options: TeamsOptions) -> Result<Self, String> {
        let http = Http::new(&HttpOptions {
            url: options.url.expose_secret(),
            allow_private: options.allow_private,
            timeout: options.timeout,
            ca_pem: options.ca_pem.as_deref(),
        })?;
        Ok(Self { http })
    }

    /// Sends an Adaptive Card, and returns the status of the response, such as `202 Accepted`. The workflow posts the
    /// card later: its own failures show in its run history, not here.
    ///
    /// # Errors
    /// The message is larger than 28 KB, or the workflow did not answer with a status of success.
    pub async fn post(&self, card: &Value) -> Result<String, Failure> {
        let message = json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": card,
            }],
        });
        let body = message.to_string().into_bytes();
        if body.len() > MAX_BYTES {
            let (origin, bytes) = (self.http.origin(), body.len());
            return Err(Failure::rejected(format!(
                "{origin}: the card has {bytes} bytes, and Teams accepts at most {MAX_BYTES}"
            )));
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(shown(self.http.post(headers, body).await?))
    }
}

impl fmt::Debug for Teams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teams").field("http", &self.http).finish_non_exhaustive()
    }
}
