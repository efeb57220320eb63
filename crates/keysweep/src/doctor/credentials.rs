//! What can be wrong with who we are.

use keysweep_aws::{ConnectError, Fault};

use super::document::{CheckName, Problem, Verdict};
use super::group::Raised;

/// There is no connection.
pub(super) fn no_connection(error: &ConnectError) -> Raised {
    let remedy = match error {
        ConnectError::EndpointOverride(_) => {
            "remove it, or set aws.allow_endpoint_override if that endpoint is intended"
        }
        ConnectError::SessionName(_) => "change role.session_name",
        ConnectError::CaBundle { .. } => {
            "name a PEM file with the certificates to trust, or unset AWS_CA_BUNDLE to trust those of the system"
        }
    };
    gap("AWS cannot be called".into(), error.to_string(), remedy.into())
}

/// There are no credentials.
pub(super) fn none(fault: &Fault) -> Raised {
    let remedy = "give keysweep credentials of the hub: environment variables, a profile, a web identity token, or the \
                  role of the container or instance that it runs in";
    gap("there are no credentials".into(), fault.cause().to_string(), remedy.into())
}

/// AWS does not say who we are, which needs no permission.
pub(super) fn not_accepted(fault: &Fault, region: &str) -> Raised {
    let remedy = format!(
        "if they expired or were deactivated, get others; if there was no answer, see that STS in {region} can be \
         reached from here (HTTPS_PROXY is honoured)"
    );
    gap("AWS does not tell whose the credentials are".into(), fault.cause().to_string(), remedy)
}

fn gap(what: String, reason: String, remedy: String) -> Raised {
    Raised::once(Problem {
        check: CheckName::Credentials,
        verdict: Verdict::Gap,
        what,
        actions: Vec::new(),
        statement: None,
        reason: Some(reason),
        remedy,
        accounts: Vec::new(),
    })
}
