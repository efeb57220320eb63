//! Why a login failed.

/// Why a login failed, in one line for the log of an operator. Contains no code, token, or secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The provider's configuration document could not be read, or is invalid.
    #[error("could not read the configuration of the OpenID Connect provider at {url}: {cause}")]
    Discovery {
        /// Address of the document.
        url: String,
        /// What happened.
        cause: String,
    },
    /// The provider's signing keys could not be read.
    #[error("could not read the signing keys of the OpenID Connect provider at {url}: {cause}")]
    Keys {
        /// Address of the keys, as the configuration document states it.
        url: String,
        /// What happened.
        cause: String,
    },
    /// The request that the browser brought to the redirect URL is not the answer to this login.
    #[error("invalid response from the authorization endpoint: {0}")]
    Answer(String),
    /// The person returned too long after the login began.
    #[error("the login expired: it began more than {} minutes ago", crate::PENDING_LIFETIME.as_mins())]
    TooLate,
    /// The provider refused the login, or the person canceled it (`access_denied`).
    #[error("the OpenID Connect provider refused the login: {error}{}", display_description(.description))]
    Refused {
        /// Error code, such as `access_denied` (RFC 6749, section 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6).
        error: String,
        /// What the provider says about it.
        description: Option<String>,
    },
    /// The code could not be exchanged for tokens.
    #[error("could not exchange the authorization code at {url}: {cause}")]
    Exchange {
        /// Address of the token endpoint.
        url: String,
        /// What happened.
        cause: String,
    },
    /// The ID token is not valid for this login.
    #[error("invalid ID token from {url}: {cause}")]
    IdToken {
        /// Address of the token endpoint, which returned the token.
        url: String,
        /// Which check failed.
        cause: String,
    },
    /// The userinfo endpoint did not return the claims of this person.
    #[error("could not read claims at {url}: {cause}")]
    UserInfo {
        /// Address of the userinfo endpoint.
        url: String,
        /// What happened.
        cause: String,
    },
    /// A claim cannot be used.
    #[error("unusable claim {claim}: {cause}")]
    Claim {
        /// Name of the claim.
        claim: String,
        /// Why it is unusable.
        cause: String,
    },
    /// The person is in more groups than the provider lists in a token, so that it names a place to look them up instead.
    ///
    /// Microsoft Entra ID: "Configure group claims for applications", groups overage claim.
    #[error(
        "the provider did not list the groups of this person: there are too many for claim {claim} (groups overage); \
         configure the provider to send only groups that are assigned to this application"
    )]
    GroupsOverage {
        /// Name of the claim.
        claim: String,
    },
}

fn display_description(description: &Option<String>) -> String {
    description.as_ref().map(|description| format!(": {description}")).unwrap_or_default()
}
