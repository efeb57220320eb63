//! Who a person is, from the claims about them.

use std::collections::BTreeSet;

use openidconnect::core::CoreGenderClaim;
use openidconnect::{EndUserEmail, EndUserName, EndUserUsername, LocalizedClaim, SubjectIdentifier};
use serde_json::{Map, Value};

use crate::LoginError;
use crate::text::{excerpt, is_harmful};
use crate::types::{IdTokenClaims, UserInfoClaims};

/// The most groups of a person. Microsoft Entra ID lists at most 200 in a token.
pub const MAX_GROUPS: usize = 500;
/// OpenID Connect Core 1.0, section 2.
const MAX_SUBJECT: usize = 255;
const MAX_NAME: usize = 100;
const MAX_GROUP: usize = 256;
/// RFC 5321, section 4.5.3.1.3: 256 with the angle brackets.
const MAX_EMAIL: usize = 254;

/// A person who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The only stable name, unique at its issuer (claim `sub`). At most 255 characters.
    pub subject: String,
    /// A name to show: the first that exists of `preferred_username`, `name`, the verified `email`, and `sub`. Not unique,
    /// and the person may be able to choose it (OpenID Connect Core 1.0, section 5.7). One line of at most 103 characters.
    pub name: String,
    /// Address that the provider has verified (`email_verified`).
    pub email: Option<String>,
    /// Groups, exactly as the provider names them. At most [`MAX_GROUPS`].
    pub groups: BTreeSet<String>,
}

/// The claims of one source that matter.
pub(crate) struct Claims<'a> {
    subject: &'a SubjectIdentifier,
    username: Option<&'a EndUserUsername>,
    name: Option<&'a LocalizedClaim<EndUserName>>,
    email: Option<&'a EndUserEmail>,
    email_verified: Option<bool>,
    others: &'a Map<String, Value>,
}

impl<'a> From<&'a IdTokenClaims> for Claims<'a> {
    fn from(claims: &'a IdTokenClaims) -> Self {
        Self {
            subject: claims.subject(),
            username: claims.preferred_username(),
            name: claims.name(),
            email: claims.email(),
            email_verified: claims.email_verified(),
            others: &claims.additional_claims().0,
        }
    }
}

impl<'a> From<&'a UserInfoClaims> for Claims<'a> {
    fn from(claims: &'a UserInfoClaims) -> Self {
        let standard: &openidconnect::StandardClaims<CoreGenderClaim> = claims.standard_claims();
        Self {
            subject: standard.subject(),
            username: standard.preferred_username(),
            name: standard.name(),
            email: standard.email(),
            email_verified: standard.email_verified(),
            others: &claims.additional_claims().0,
        }
    }
}

impl Claims<'_> {
    /// Whether this source says all that a [`Person`] is made of, so that no other needs to be asked.
    pub(crate) fn suffice(&self, groups_claim: &str) -> bool {
        (self.states(groups_claim) || self.has_overage(groups_claim)) && self.display_name().is_some()
    }

    fn states(&self, claim: &str) -> bool {
        self.others.get(claim).is_some_and(|value| !value.is_null())
    }

    /// Whether the provider names a place to look the groups up, because they are too many for a token: aggregated and
    /// distributed claims (OpenID Connect Core 1.0, section 5.6.2), and `hasgroups` of Microsoft Entra ID.
    fn has_overage(&self, groups_claim: &str) -> bool {
        let elsewhere = self.others.get("_claim_names").and_then(Value::as_object);
        elsewhere.is_some_and(|names| names.contains_key(groups_claim))
            || self.others.get("hasgroups").is_some_and(|value| *value == true || *value == "true")
    }

    fn groups(&self, claim: &str) -> Result<Option<BTreeSet<String>>, LoginError> {
        let unusable = |cause: String| LoginError::Claim { claim: claim.to_owned(), cause };
        if self.has_overage(claim) {
            return Err(LoginError::GroupsOverage { claim: claim.to_owned() });
        }
        let groups = match self.others.get(claim) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(group)) => vec![group.as_str()],
            Some(Value::Array(groups)) if groups.len() > MAX_GROUPS => {
                return Err(unusable(format!("{} groups; at most {MAX_GROUPS} are supported", groups.len())));
            }
            Some(Value::Array(groups)) => {
                let groups = groups.iter().map(Value::as_str).collect::<Option<_>>();
                groups.ok_or_else(|| unusable("not all groups are strings".to_owned()))?
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                return Err(unusable("it is neither a string nor an array of strings".to_owned()));
            }
        };
        for group in &groups {
            check_name(group, MAX_GROUP).map_err(|cause| unusable(format!("a group {cause}")))?;
        }
        Ok(Some(groups.into_iter().map(ToOwned::to_owned).collect()))
    }

    fn email(&self) -> Option<String> {
        let email = self.email.filter(|_| self.email_verified == Some(true))?.as_str();
        let is_plain = !email.chars().any(|c| c.is_whitespace() || is_harmful(c));
        (is_plain && email.len() <= MAX_EMAIL && email.contains('@')).then(|| email.to_owned())
    }

    fn display_name(&self) -> Option<String> {
        let name = self.name.and_then(|name| name.get(None));
        let candidates = [self.username.map(|name| name.as_str()), name.map(|name| name.as_str())];
        let names = candidates.into_iter().flatten().map(|name| excerpt(name, MAX_NAME));
        names.chain(self.email().map(|email| excerpt(&email, MAX_NAME))).find(|name| !name.is_empty())
    }
}

/// Puts a person together from the ID token and, where this says nothing, from userinfo.
pub(crate) fn person(
    token: &Claims<'_>,
    info: Option<&Claims<'_>>,
    groups_claim: &str,
) -> Result<Person, LoginError> {
    let subject = token.subject.as_str();
    check_name(subject, MAX_SUBJECT)
        .map_err(|cause| LoginError::Claim { claim: "sub".to_owned(), cause: format!("it {cause}") })?;
    let groups = match token.groups(groups_claim)? {
        Some(groups) => groups,
        None => info.map(|info| info.groups(groups_claim)).transpose()?.flatten().unwrap_or_default(),
    };
    let name = token.display_name().or_else(|| info.and_then(Claims::display_name));
    Ok(Person {
        subject: subject.to_owned(),
        name: name.unwrap_or_else(|| excerpt(subject, MAX_NAME)),
        email: token.email().or_else(|| info.and_then(Claims::email)),
        groups,
    })
}

/// Names that decide what a person may do are refused and never repaired: two could become one.
fn check_name(name: &str, max: usize) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty".to_owned());
    }
    if name.chars().count() > max {
        return Err(format!("has more than {max} characters"));
    }
    if name.chars().any(is_harmful) {
        return Err("contains control characters".to_owned());
    }
    Ok(())
}
