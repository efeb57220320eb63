//! `[http]` with its certificate, its tokens, the login, and its sessions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ScopeSection;
use crate::config::period::Period;
use crate::token::Role;

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSection {
    /// Address and port. On a non-loopback address, keysweep serves only metrics and health unless TLS is configured, or the
    /// request comes from a trusted proxy.
    pub listen: String,
    /// A Unix socket for other users of this machine, such as "/run/keysweep/operators.sock", in a directory that the daemon's
    /// user owns. `[[access]]` gives them their roles; the kernel says who asks. They use it with `keysweep --socket PATH`.
    /// Empty: only root and the daemon's own user can use the command line.
    pub socket: String,
    /// Certificate for TLS 1.2 and 1.3. keysweep loads renewed files within a minute.
    pub tls: TlsSection,
    /// The https URL at which a reverse proxy serves the page and the API, such as `https://keysweep.example.com`. It is also
    /// the base of links in notices and of the redirect URL of the login. On a loopback address, keysweep then accepts this
    /// name besides local names, and requires a login or a token for every request but metrics and health, because a request
    /// through a proxy can look like any other. Empty: it refuses requests whose headers say that they came through a proxy;
    /// set it before you put a proxy in front.
    pub public_url: String,
    /// Addresses of reverse proxies, such as ["10.42.0.0/16"]. From these, keysweep accepts requests for public_url over plain
    /// HTTP also on a non-loopback address, and takes the address of the client from X-Forwarded-For. Anyone who can read or
    /// change traffic between the proxy and keysweep can act as its users: list only a network that you trust.
    pub trusted_proxies: Vec<String>,
    /// Login through an OpenID Connect provider.
    pub oidc: OidcSection,
    /// Sessions of people who have logged in.
    pub session: SessionSection,
    /// Tokens for scripts, and for login without an identity provider. `keysweep token new` creates a token. Over plain HTTP,
    /// keysweep accepts tokens on a loopback address only. Once there is a viewer's token or one
    /// with a scope, page and API require a login or a token on a loopback address, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token: Vec<TokenSection>,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9853".to_owned(),
            socket: String::new(),
            tls: TlsSection::default(),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            oidc: OidcSection::default(),
            session: SessionSection::default(),
            token: Vec::new(),
        }
    }
}

/// `[http.oidc]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OidcSection {
    /// The issuer, such as `https://login.example.com`. Empty: no login through a provider. `http.public_url` is required; the
    /// redirect URL to register with the provider is `http.public_url` followed by /login/callback.
    pub issuer: String,
    /// The client ID that the provider has given to keysweep.
    pub client_id: String,
    /// File with the client secret. Empty: a public client.
    pub client_secret_file: String,
    /// Scopes to request besides openid.
    pub scopes: Vec<String>,
    /// The claim with the groups of a person, for oidc_group in `[[access]]`.
    pub groups_claim: String,
    /// PEM file with further root certificates for the provider. Empty: those of the system only.
    pub ca_file: String,
}

impl Default for OidcSection {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            client_id: String::new(),
            client_secret_file: String::new(),
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            groups_claim: "groups".to_owned(),
            ca_file: String::new(),
        }
    }
}

/// `[http.session]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionSection {
    /// A session ends when it has not been used for this long.
    pub idle: Period,
    /// A session ends this long after the login. Changes in the groups of a person take effect at the next login.
    pub lifetime: Period,
}

impl Default for SessionSection {
    fn default() -> Self {
        Self { idle: Period::from_secs(3_600), lifetime: Period::from_secs(12 * 3_600) }
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
    /// Role: "viewer" (read-only), "approver" (can also decide on requests for approval, hold, release, and undo), or
    /// "operator" (everything, including pause, orders by name, and reloads of the configuration).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// SHA-256 of the token, in hexadecimal. The token itself is not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The accounts in which the token has its role. Without this, it has its role in the whole organization.
    #[serde(rename = "match", skip_serializing_if = "ScopeSection::is_empty")]
    pub scope: ScopeSection,
}
