//! How a provider is reached, and who keysweep is there.

use std::time::Duration;

use openidconnect::{ClientId, IssuerUrl, RedirectUrl, Scope};
use reqwest::Url;
use secrecy::SecretString;

use crate::http::Http;
use crate::url_rule;

/// A suitable timeout for [`Settings::timeout`].
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a provider is reached, and who keysweep is there.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Issuer identifier, exactly as the provider states it, such as `https://login.example.com/realms/staff`. Must be
    /// HTTPS; HTTP is allowed on this machine only, for development.
    pub issuer: String,
    /// Client ID that the provider assigned.
    pub client_id: String,
    /// Client secret; none for a public client.
    pub client_secret: Option<SecretString>,
    /// Where the provider sends the browser back to, exactly as registered there.
    pub redirect_url: String,
    /// Scopes to ask for besides `openid`, such as `profile`, `email`, and `groups`.
    pub scopes: Vec<String>,
    /// Claim that holds the groups of a person, such as `groups` or `cognito:groups`.
    pub groups_claim: String,
    /// Root certificates in PEM to trust besides the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// Time for one request, from connecting to the end of the response.
    pub timeout: Duration,
}

/// Why [`Settings`] cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The issuer is not a URL that can identify a provider.
    #[error("invalid issuer {url}: {cause}")]
    Issuer {
        /// The issuer as given.
        url: String,
        /// What is wrong.
        cause: String,
    },
    /// The redirect URL is not one that a provider can send a browser to.
    #[error("invalid redirect URL {url}: {cause}")]
    RedirectUrl {
        /// The URL as given.
        url: String,
        /// What is wrong.
        cause: String,
    },
    /// The client ID is empty or has characters that RFC 6749, appendix A.1, does not allow.
    #[error("invalid client ID: must be printable ASCII and not empty")]
    ClientId,
    /// A scope has characters that RFC 6749, section 3.3, does not allow.
    #[error("invalid scope {0:?}")]
    Scope(String),
    /// The claim of the groups has no name, or that of a standard claim.
    #[error("invalid groups claim {0:?}: must be the name of a claim that OpenID Connect does not define")]
    GroupsClaim(String),
    /// The client of HTTP cannot be set up, for example because of `ca_pem`.
    #[error("{0}")]
    Client(String),
}

/// Checked settings.
pub(crate) struct Checked {
    pub(crate) issuer: IssuerUrl,
    pub(crate) client_id: ClientId,
    pub(crate) client_secret: Option<SecretString>,
    pub(crate) redirect_url: RedirectUrl,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) groups_claim: String,
}

/// Claims with a meaning of their own: OpenID Connect Core 1.0, sections 2 and 5.1.
const STANDARD_CLAIMS: [&str; 31] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
];

impl Settings {
    pub(crate) fn check(self) -> Result<(Checked, Http), SettingsError> {
        let (issuer, url) = self.issuer()?;
        let plain = url_rule::is_plain_loopback(&url);
        let redirect_url = self.redirect_url()?;
        let is_visible = |text: &str| !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b));
        if !is_visible(&self.client_id) {
            return Err(SettingsError::ClientId);
        }
        // openidconnect asks for `openid` itself.
        let scopes = self.scopes.into_iter().filter(|scope| scope != "openid");
        let scopes = scopes.map(|scope| match is_scope(&scope) {
            true => Ok(Scope::new(scope)),
            false => Err(SettingsError::Scope(scope)),
        });
        let scopes = scopes.collect::<Result<_, _>>()?;
        if self.groups_claim.is_empty() || STANDARD_CLAIMS.contains(&&*self.groups_claim) {
            return Err(SettingsError::GroupsClaim(self.groups_claim));
        }
        let http = Http::new(self.ca_pem.as_deref(), plain, self.timeout).map_err(SettingsError::Client)?;
        let checked = Checked {
            issuer,
            client_id: ClientId::new(self.client_id),
            client_secret: self.client_secret,
            redirect_url,
            scopes,
            groups_claim: self.groups_claim,
        };
        Ok((checked, http))
    }

    fn issuer(&self) -> Result<(IssuerUrl, Url), SettingsError> {
        let invalid = |cause: String| SettingsError::Issuer { url: self.issuer.clone(), cause };
        let url = Url::parse(&self.issuer).map_err(|error| invalid(error.to_string()))?;
        url_rule::check(&url, true).map_err(invalid)?;
        // OpenID Connect Discovery 1.0, section 2: no query or fragment.
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("the URL must not contain a query or fragment".to_owned()));
        }
        let issuer = IssuerUrl::new(self.issuer.clone()).map_err(|error| invalid(error.to_string()))?;
        Ok((issuer, url))
    }

    fn redirect_url(&self) -> Result<RedirectUrl, SettingsError> {
        let invalid = |cause: String| SettingsError::RedirectUrl { url: self.redirect_url.clone(), cause };
        let url = Url::parse(&self.redirect_url).map_err(|error| invalid(error.to_string()))?;
        url_rule::check(&url, true).map_err(invalid)?;
        // RFC 6749, section 3.1.2: no fragment.
        if url.fragment().is_some() {
            return Err(invalid("the URL must not contain a fragment".to_owned()));
        }
        RedirectUrl::new(self.redirect_url.clone()).map_err(|error| invalid(error.to_string()))
    }
}

fn is_scope(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            issuer: "https://login.example.com/realms/staff".to_owned(),
            client_id: "keysweep".to_owned(),
            client_secret: Some("hidden".into()),
            redirect_url: "https://keysweep.example.com/login/done".to_owned(),
            scopes: vec!["openid".to_owned(), "profile".to_owned()],
            groups_claim: "groups".to_owned(),
            ca_pem: None,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    fn fault(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = settings();
        change(&mut settings);
        settings.check().map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn good_settings_are_accepted() {
        let (checked, _) = settings().check().unwrap();
        assert_eq!(checked.scopes, [Scope::new("profile".to_owned())]);
        assert!(!format!("{:?}", settings()).contains("hidden"));
    }

    #[test]
    fn urls_must_be_https_or_on_this_machine() {
        for url in [
            "http://login.example.com",
            "login.example.com",
            "https://user:password@login.example.com",
            "ldap://localhost",
            "https://login.example.com/#a",
        ] {
            assert!(fault(|settings| settings.issuer = url.to_owned()).contains("invalid issuer"), "{url}");
            let fault = fault(|settings| settings.redirect_url = url.to_owned());
            assert!(fault.contains("invalid redirect URL"), "{url}");
        }
        assert!(fault(|settings| settings.issuer.push_str("?a=b")).contains("query"));
    }

    #[test]
    fn unusable_names_are_refused() {
        assert!(fault(|settings| settings.client_id.clear()).contains("client ID"));
        assert!(fault(|settings| settings.client_id.push('\n')).contains("client ID"));
        assert!(fault(|settings| settings.scopes.push("a b".to_owned())).contains("invalid scope"));
        assert!(fault(|settings| settings.groups_claim = "email".to_owned()).contains("groups claim"));
        assert!(fault(|settings| settings.groups_claim.clear()).contains("groups claim"));
    }

    #[test]
    fn unusable_certificates_are_refused() {
        assert!(fault(|settings| settings.ca_pem = Some(Vec::new())).contains("no certificate"));
        let broken = b"-----BEGIN CERTIFICATE-----\nhidden\n".to_vec();
        let fault = fault(|settings| settings.ca_pem = Some(broken));
        assert!(fault.contains("not valid PEM") && !fault.contains("hidden"), "{fault}");
    }
}
