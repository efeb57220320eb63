//! Which credentials the hub runs under, and where they came from.

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::ProvideCredentials as _;
use jiff::Timestamp;

use crate::aws::Aws;
use crate::connect::profile_name;
use crate::fault::{Cause, Fault, FaultKind, kind_without, short, words_without};

/// The credentials of the hub, without what is secret in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubCredentials {
    /// Their public part: `AKIA...` for those of a user, `ASIA...` for temporary ones.
    pub access_key_id: String,
    /// Where they came from.
    pub origin: CredentialOrigin,
    /// When they end; absent for those of a user, and where nobody says.
    pub expires: Option<Timestamp>,
}

/// Where credentials came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialOrigin {
    /// The settings of this connection.
    Given,
    /// `AWS_ACCESS_KEY_ID` and its kind.
    Environment,
    /// A profile of the shared AWS files, by name; a role that it names may have been assumed.
    Profile(String),
    /// A token of an OpenID provider, as Kubernetes gives it.
    WebIdentity,
    /// IAM Identity Center.
    Sso,
    /// A program that a profile names.
    Process,
    /// The endpoint of a container.
    Container,
    /// The metadata of the instance.
    Instance,
    /// Somewhere that this version does not know.
    Unknown,
}

impl std::fmt::Display for CredentialOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Given => "the settings of this connection",
            Self::Environment => "the environment (AWS_ACCESS_KEY_ID)",
            Self::Profile(name) => return write!(f, "profile {name} of the shared AWS files"),
            Self::WebIdentity => "a web identity token",
            Self::Sso => "IAM Identity Center",
            Self::Process => "the program that a profile names (credential_process)",
            Self::Container => "the container's credentials endpoint",
            Self::Instance => "the metadata of this instance",
            Self::Unknown => "a source that the AWS SDK does not name",
        })
    }
}

impl Aws {
    /// Which credentials the hub runs under, looked for anew. AWS is not asked, unless that is how they are found.
    ///
    /// # Errors
    /// If there are none.
    pub async fn credentials(&self) -> Result<HubCredentials, Fault> {
        let failed =
            |kind, cause| Fault::without_call("find credentials of the hub".to_owned(), (kind, cause));
        let Some(provider) = &self.hub.credentials else {
            return Err(failed(
                FaultKind::Denied,
                Cause::NotSent("there is no credential provider".to_owned()),
            ));
        };
        let limit = self.hub.settings.operation_timeout;
        let found = tokio::time::timeout(limit, provider.provide_credentials()).await;
        let found = found.map_err(|_| failed(FaultKind::Transient, Cause::Timeout))?;
        let credentials = found.map_err(|error| {
            let words = words_without(&error, self.hub.external_id());
            failed(kind_without(&error), Cause::NotSent(words))
        })?;
        let given = self.hub.settings.credentials.is_some();
        Ok(HubCredentials {
            access_key_id: short(credentials.access_key_id()),
            origin: if given { CredentialOrigin::Given } else { origin(&credentials) },
            expires: credentials.expiry().and_then(|at| at.try_into().ok()),
        })
    }
}

fn origin(credentials: &Credentials) -> CredentialOrigin {
    use AwsCredentialFeature as Feature;
    let features = credentials.get_property::<Vec<Feature>>().map(Vec::as_slice).unwrap_or_default();
    // What supplied the first of a chain of credentials counts; a role that was assumed with them is in the caller.
    features.iter().find_map(of_feature).unwrap_or(CredentialOrigin::Unknown)
}

fn of_feature(feature: &AwsCredentialFeature) -> Option<CredentialOrigin> {
    use AwsCredentialFeature as Feature;
    Some(match feature {
        Feature::CredentialsCode => CredentialOrigin::Given,
        Feature::CredentialsEnvVars => CredentialOrigin::Environment,
        Feature::CredentialsEnvVarsStsWebIdToken
        | Feature::CredentialsStsAssumeRoleWebId
        | Feature::CredentialsProfileStsWebIdToken => CredentialOrigin::WebIdentity,
        Feature::CredentialsProfile
        | Feature::CredentialsProfileSourceProfile
        | Feature::CredentialsProfileNamedProvider
        | Feature::CredentialsProfileLogin => CredentialOrigin::Profile(profile_name()),
        Feature::CredentialsProfileSso | Feature::CredentialsSso => CredentialOrigin::Sso,
        Feature::CredentialsProfileProcess | Feature::CredentialsProcess => CredentialOrigin::Process,
        Feature::CredentialsHttp => CredentialOrigin::Container,
        Feature::CredentialsImds => CredentialOrigin::Instance,
        // The SDK's enum is open.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_credentials(features: &[AwsCredentialFeature]) -> Credentials {
        let mut credentials = Credentials::new("AKIAX", "secret", None, None, "test");
        credentials
            .get_property_mut_or_default::<Vec<AwsCredentialFeature>>()
            .extend(features.iter().cloned());
        credentials
    }

    #[test]
    fn the_first_source_that_is_known_is_the_origin() {
        use AwsCredentialFeature as Feature;
        let of = |features: &[Feature]| origin(&mk_credentials(features));
        assert_eq!(of(&[Feature::CredentialsEnvVars]), CredentialOrigin::Environment);
        assert_eq!(
            of(&[Feature::CredentialsStsAssumeRole, Feature::CredentialsImds]),
            CredentialOrigin::Instance
        );
        assert_eq!(of(&[Feature::ResolvedAccountId]), CredentialOrigin::Unknown);
        assert_eq!(of(&[]), CredentialOrigin::Unknown);
    }
}
