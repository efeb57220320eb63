//! One provider, and the two steps of a login.

use std::sync::Arc;

use jiff::Timestamp;
use openidconnect::core::{CoreClientAuthMethod, CoreErrorResponseType, CoreResponseType};
use openidconnect::{
    AccessToken, AuthType, AuthenticationFlow, AuthorizationCode, ClientSecret, CsrfToken, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RequestTokenError, StandardErrorResponse,
    SubjectIdentifier, TokenResponse as _, UserInfoError,
};
use secrecy::ExposeSecret as _;

use crate::answer::{Answer, Outcome};
use crate::claims::{Claims, Person, person};
use crate::discovery::{Cache, Known};
use crate::error::LoginError;
use crate::http::{Http, HttpError, status};
use crate::pending::{Begun, Pending};
use crate::settings::{Checked, Settings, SettingsError};
use crate::text::{excerpt, without};
use crate::token::{Fault, verify};
use crate::types::{IdToken, IdTokenClaims, OidcClient, TokenResponse, UserInfoClaims};
use crate::url_rule::shown;

/// The current time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The longest access token that is sent to the userinfo endpoint.
const MAX_ACCESS_TOKEN: usize = 16 << 10;

/// One OpenID Connect provider. Clones share what is known of it.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    settings: Checked,
    http: Http,
    clock: Clock,
    cache: Cache,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.0.settings.issuer.as_str()).finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider. Nothing is requested from it until a login begins.
    ///
    /// # Errors
    /// A setting is invalid.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, SettingsError> {
        let (settings, http) = settings.check()?;
        Ok(Self(Arc::new(Inner { settings, http, clock, cache: Cache::default() })))
    }

    /// Begins a login.
    ///
    /// # Errors
    /// [`LoginError::Discovery`] or [`LoginError::Keys`]: the provider's configuration could not be read.
    pub async fn begin(&self) -> Result<Begun, LoginError> {
        let inner = &*self.0;
        let known = inner.known().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = inner
            .client(&known)
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(inner.settings.scopes.iter().cloned())
            .set_pkce_challenge(challenge)
            .url();
        let pending = Pending { state, nonce, verifier, started: (inner.clock)() };
        Ok(Begun { authorize_url: url.into(), pending })
    }

    /// Finishes a login with what the browser brought back.
    ///
    /// # Errors
    /// The login failed; see [`LoginError`].
    pub async fn finish(&self, pending: Pending, answer: Answer) -> Result<Person, LoginError> {
        let inner = &*self.0;
        if !pending.has_state(&answer.state) {
            return Err(LoginError::Answer("the state is not that of this login".to_owned()));
        }
        if pending.is_over((inner.clock)()) {
            return Err(LoginError::TooLate);
        }
        let known = inner.known().await?;
        inner.check_issuer(&known, answer.iss.as_deref())?;
        let code = match answer.outcome {
            Outcome::Code(code) => code,
            Outcome::Refused { error, description } => {
                return Err(LoginError::Refused { error, description });
            }
        };
        let response = inner.exchange(&known, code, &pending).await?;
        inner.person(known, &response, &pending).await
    }
}

impl Inner {
    async fn known(&self) -> Result<Arc<Known>, LoginError> {
        self.cache.get(&self.http, &self.settings.issuer, &*self.clock).await
    }

    fn client(&self, known: &Known) -> OidcClient {
        let settings = &self.settings;
        let secret = settings.client_secret.as_ref().map(|s| ClientSecret::new(s.expose_secret().to_owned()));
        // OpenID Connect Discovery 1.0, section 3: without a list, it is client_secret_basic.
        let methods = known.metadata.token_endpoint_auth_methods_supported();
        let wants_post = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        OidcClient::from_provider_metadata(known.metadata.clone(), settings.client_id.clone(), secret)
            .set_auth_type(if wants_post { AuthType::RequestBody } else { AuthType::BasicAuth })
            .set_redirect_uri(settings.redirect_url.clone())
    }

    /// RFC 9207, section 2.4. A response that states its issuer is checked even if the provider does not announce that it
    /// would.
    fn check_issuer(&self, known: &Known, stated: Option<&str>) -> Result<(), LoginError> {
        let announced = known.metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match stated {
            Some(stated) if stated == self.settings.issuer.as_str() => Ok(()),
            Some(stated) => {
                let stated = excerpt(stated, 200);
                Err(LoginError::Answer(format!(
                    "it is of issuer {stated}, not {}",
                    self.settings.issuer.as_str()
                )))
            }
            None if announced => Err(LoginError::Answer(
                "it does not state its issuer, which the provider announces".to_owned(),
            )),
            None => Ok(()),
        }
    }

    async fn exchange(
        &self,
        known: &Known,
        code: AuthorizationCode,
        pending: &Pending,
    ) -> Result<TokenResponse, LoginError> {
        let failed = |cause: String| LoginError::Exchange { url: shown(&known.token_url), cause };
        let client = self.client(known);
        // The provider may repeat any of them in an error.
        let spoken = code.secret().clone();
        let verifier = PkceCodeVerifier::new(pending.verifier.secret().clone());
        let request = client.exchange_code(code).map_err(|error| failed(error.to_string()))?;
        let response = request.set_pkce_verifier(verifier).request_async(&self.http).await;
        response.map_err(|error| {
            let secret = self.settings.client_secret.as_ref().map(|secret| secret.expose_secret());
            let secrets = [spoken.as_str(), pending.verifier.secret(), secret.unwrap_or_default()];
            failed(excerpt(&without(&exchange_fault(error), &secrets), 500))
        })
    }

    async fn person(
        &self,
        mut known: Arc<Known>,
        response: &TokenResponse,
        pending: &Pending,
    ) -> Result<Person, LoginError> {
        let url = shown(&known.token_url);
        let failed = |cause: String| LoginError::IdToken { url: url.clone(), cause };
        let Some(token) = response.id_token() else {
            return Err(failed("the response has no ID token".to_owned()));
        };
        let access_token = response.access_token();
        let mut verified = self.verify(&known, token, access_token, pending);
        if let Err(Fault::UnknownKey) = verified
            && let Some(newer) = self.cache.with_newer_keys(&self.http, &known, (self.clock)()).await?
        {
            known = newer;
            verified = self.verify(&known, token, access_token, pending);
        }
        let claims = verified.map_err(|fault| match fault {
            Fault::UnknownKey => failed("signature: the provider publishes no key that matches".to_owned()),
            Fault::Invalid(cause) => failed(cause),
        })?;
        let claims_of_token = Claims::from(claims);
        let groups_claim = &self.settings.groups_claim;
        let info = if claims_of_token.suffice(groups_claim) {
            None
        } else {
            self.user_info(&known, access_token, claims.subject()).await?
        };
        person(&claims_of_token, info.as_ref().map(Claims::from).as_ref(), groups_claim)
    }

    fn verify<'t>(
        &self,
        known: &Known,
        token: &'t IdToken,
        access_token: &AccessToken,
        pending: &Pending,
    ) -> Result<&'t IdTokenClaims, Fault> {
        verify(token, access_token, &known.metadata, &self.settings.client_id, pending, (self.clock)())
    }

    /// The claims of the userinfo endpoint, if there is one.
    async fn user_info(
        &self,
        known: &Known,
        access_token: &AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<Option<UserInfoClaims>, LoginError> {
        let Some(url) = known.metadata.userinfo_endpoint().map(|endpoint| shown(endpoint.url())) else {
            return Ok(None);
        };
        let failed = |cause: String| LoginError::UserInfo { url: url.clone(), cause };
        // openidconnect panics if it cannot write the token into a header.
        let token = access_token.secret();
        if token.len() > MAX_ACCESS_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(failed("the access token is too long or contains invalid characters".to_owned()));
        }
        let client = self.client(known);
        let request = client.user_info(access_token.clone(), Some(subject.clone()));
        let request = request.map_err(|error| failed(error.to_string()))?;
        let claims = request.request_async(&self.http).await;
        claims.map(Some).map_err(|error| failed(excerpt(&without(&user_info_fault(error), &[token]), 300)))
    }
}

/// What a parser could not read. Of its message only the name of a missing field is shown: the rest quotes values.
fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let message = error.inner().to_string();
    let part = if message.contains("parse payload JSON") {
        "the claims of the ID token are invalid"
    } else if message.contains("parse header JSON") || message.contains("Invalid JSON web token") {
        "the ID token is malformed"
    } else {
        "the response is invalid"
    };
    let field = message.split_once("missing field `").and_then(|(_, rest)| rest.split_once('`'));
    match field {
        Some((field, _)) => format!("{part}: missing field {field}"),
        None => part.to_owned(),
    }
}

fn exchange_fault(
    error: RequestTokenError<HttpError, StandardErrorResponse<CoreErrorResponseType>>,
) -> String {
    match error {
        RequestTokenError::ServerResponse(response) => response.to_string(),
        RequestTokenError::Request(error) => error.to_string(),
        RequestTokenError::Parse(error, _) => unreadable(&error),
        RequestTokenError::Other(cause) => cause,
    }
}

fn user_info_fault(error: UserInfoError<HttpError>) -> String {
    match error {
        UserInfoError::ClaimsVerification(error) => error.to_string(),
        UserInfoError::Parse(error) => unreadable(&error),
        UserInfoError::Request(error) => error.to_string(),
        UserInfoError::Response(code, _, cause) => format!("{}: {cause}", status(code)),
        UserInfoError::Other(cause) => cause,
        _ => "the response is invalid".to_owned(),
    }
}
