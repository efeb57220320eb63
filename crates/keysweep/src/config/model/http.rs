//! `[http]` with its certificate and its tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::token::Role;

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSection {
    /// Address and port. On other than a loopback address only metrics and health are served, unless there are TLS and
    /// tokens.
    pub listen: String,
    /// The certificate with which HTTP is served over TLS 1.2 and 1.3. Renewed files are taken up within a minute.
    pub tls: TlsSection,
    /// Who may ask for what is not open to everybody, with a token as `keysweep token new` makes one: the page on other
    /// than a loopback address, and a reload of the configuration. Over plain HTTP tokens are taken on a loopback
    /// address only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token: Vec<TokenSection>,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9853".to_owned(), tls: TlsSection::default(), token: Vec::new() }
    }
}

/// `[http.tls]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSection {
    /// File with the certificate and those of its issuers, in PEM; empty for plain HTTP.
    pub cert_file: String,
    /// File with the private key of the certificate, in PEM.
    pub key_file: String,
}

/// `[[http.token]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "role", "sha256"]))]
pub struct TokenSection {
    /// Whose token it is: what the log calls its owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do: "viewer" (look) or "operator" (also reload the configuration).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// SHA-256 of the token, in hexadecimal. The token itself stands nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}
