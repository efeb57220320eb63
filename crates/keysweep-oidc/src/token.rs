//! Checks of the ID token: OpenID Connect Core 1.0, section 3.1.3.7.

use chrono::DateTime;
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{CoreIdTokenVerifier, CoreJwsSigningAlgorithm};
use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, ClientId, SignatureVerificationError,
};

use crate::Pending;
use crate::text::excerpt;
use crate::types::{IdToken, IdTokenClaims, Metadata};

/// How far the clocks of provider and keysweep may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Signatures with a private key that only the provider has. HMAC would use the client secret, which is no key, and
/// `none` is no signature.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Why a token was refused.
pub(crate) enum Fault {
    /// None of the keys signed it; newer ones may have.
    UnknownKey,
    Invalid(String),
}

/// The claims of a valid token.
pub(crate) fn verify<'t>(
    token: &'t IdToken,
    access_token: &AccessToken,
    metadata: &Metadata,
    client_id: &ClientId,
    pending: &Pending,
    now: Timestamp,
) -> Result<&'t IdTokenClaims, Fault> {
    let expired_before = chrono(now.saturating_sub(SKEW).unwrap_or(Timestamp::MIN))?;
    let issued_after = chrono(pending.started.saturating_sub(SKEW).unwrap_or(Timestamp::MIN))?;
    let issued_before = chrono(now.saturating_add(SKEW).unwrap_or(Timestamp::MAX))?;
    // The verifier of a public client never takes the client secret for a key.
    let verifier = CoreIdTokenVerifier::new_public_client(
        client_id.clone(),
        metadata.issuer().clone(),
        metadata.jwks().clone(),
    )
    .set_allowed_algs(ALGORITHMS)
    // Some providers list all clients of a project. `azp` then says for which one the token is; see below.
    .set_other_audience_verifier_fn(|_| true)
    .set_time_fn(move || expired_before)
    .set_issue_time_verifier_fn(move |issued| {
        if issued > issued_before {
            return Err(format!("issued in the future, at {issued}"));
        }
        if issued < issued_after {
            return Err(format!("issued at {issued}, before the login began"));
        }
        Ok(())
    });
    let claims = token.claims(&verifier, &pending.nonce).map_err(fault)?;
    match claims.authorized_party() {
        Some(party) if party != client_id => {
            let party = excerpt(party, 100);
            return Err(Fault::Invalid(format!("issued to another client: azp is {party}")));
        }
        None if claims.audiences().len() != 1 => {
            return Err(Fault::Invalid("several audiences and no azp".to_owned()));
        }
        _ => {}
    }
    check_access_token(token, claims, access_token, &verifier)?;
    Ok(claims)
}

/// OpenID Connect Core 1.0, section 3.1.3.8: the access token belongs to the ID token, if this states its hash.
fn check_access_token(
    token: &IdToken,
    claims: &IdTokenClaims,
    access_token: &AccessToken,
    verifier: &CoreIdTokenVerifier<'_>,
) -> Result<(), Fault> {
    let Some(stated) = claims.access_token_hash() else { return Ok(()) };
    let invalid = |error: &dyn std::error::Error| Fault::Invalid(excerpt(&error.to_string(), 200));
    let algorithm = token.signing_alg().map_err(|error| invalid(&error))?;
    let key = token.signing_key(verifier).map_err(|error| invalid(&error))?;
    let actual =
        AccessTokenHash::from_token(access_token, algorithm, key).map_err(|error| invalid(&error))?;
    if actual == *stated {
        Ok(())
    } else {
        Err(Fault::Invalid("at_hash does not match the access token".to_owned()))
    }
}

fn fault(error: ClaimsVerificationError) -> Fault {
    let cause = match error {
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            return Fault::UnknownKey;
        }
        ClaimsVerificationError::SignatureVerification(cause) => format!("signature: {cause}"),
        other => other.to_string(),
    };
    Fault::Invalid(excerpt(&cause, 300))
}

fn chrono(time: Timestamp) -> Result<DateTime<chrono::Utc>, Fault> {
    DateTime::from_timestamp(time.as_second(), 0)
        .ok_or_else(|| Fault::Invalid(format!("{time} is outside the range of times")))
}
