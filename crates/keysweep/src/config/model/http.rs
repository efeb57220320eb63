//! `[http]` with its certificate and its tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::token::Role;

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSection {
    /// Address and port. On a non-loopback address, keysweep serves only metrics and health unless TLS and tokens are
    /// configured.
    pub listen: String,
    /// Certificate for TLS 1.2 and 1.3. keysweep loads renewed files within a minute.
    pub tls: TlsSection,
    /// The https URL at which a reverse proxy serves the status page and the API, such as
    /// `https://keysweep.example.com`. On a loopback address, keysweep then accepts this name besides local names, and
    /// requires a token for every request but metrics and health, because a request through a proxy can look like any
    /// other. Empty: it refuses requests whose headers say
    /// that they came through a proxy; set it before you put a proxy in front.
    pub public_url: String,
    /// Tokens for protected requests: decisions and reloads everywhere, and the status page and the API on a non-loopback
    /// address.
    /// `keysweep token new` creates a token. Over plain HTTP, keysweep accepts tokens on a loopback address only. Once
    /// there is a viewer's token, page and API require a token on a loopback address, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token: Vec<TokenSection>,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9853".to_owned(),
            tls: TlsSection::default(),
            public_url: String::new(),
            token: Vec::new(),
        }
    }
}

/// `[http.tls]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSection {
    /// PEM file with the certificate and the certificates of its issuers. Empty: plain HTTP.
    pub cert_file: String,
    /// PEM file with the private key of the certificate.
    pub key_file: String,
}

/// `[[http.token]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "role", "sha256"]))]
pub struct TokenSection {
    /// Name of the token's owner, shown in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Role: "viewer" (read-only) or "operator" (can also decide, and reload the configuration).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// SHA-256 of the token, in hexadecimal. The token itself is not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}
