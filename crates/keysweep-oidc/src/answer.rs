//! What the browser brings back from the provider.

use std::fmt;

use openidconnect::AuthorizationCode;

use crate::LoginError;
use crate::text::excerpt;

/// The longest query. Codes of some providers have two thousand characters.
const MAX_QUERY: usize = 16 << 10;

/// The parameters of the authorization response (RFC 6749, section 4.1.2).
pub struct Answer {
    pub(crate) state: String,
    /// The issuer (RFC 9207).
    pub(crate) iss: Option<String>,
    pub(crate) outcome: Outcome,
}

pub(crate) enum Outcome {
    Code(AuthorizationCode),
    Refused { error: String, description: Option<String> },
}

impl Answer {
    /// Reads the query of the request to the redirect URL, without its `?`. Unknown parameters are ignored.
    ///
    /// # Errors
    /// [`LoginError::Answer`]: a parameter is missing or occurs twice, or the query is too long.
    pub fn parse(query: &str) -> Result<Self, LoginError> {
        let invalid = |cause: &str| LoginError::Answer(cause.to_owned());
        if query.len() > MAX_QUERY {
            return Err(invalid("the query is too long"));
        }
        let (mut state, mut code, mut iss, mut error, mut description) = (None, None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let parameter = match &*name {
                "state" => &mut state,
                "code" => &mut code,
                "iss" => &mut iss,
                "error" => &mut error,
                "error_description" => &mut description,
                _ => continue,
            };
            // RFC 6749, section 3.1: parameters must not be included more than once.
            if parameter.replace(value.into_owned()).is_some() {
                return Err(LoginError::Answer(format!("parameter {name} occurs more than once")));
            }
        }
        let outcome = match (code, error) {
            (Some(code), None) if !code.is_empty() => Outcome::Code(AuthorizationCode::new(code)),
            (None, Some(error)) => Outcome::Refused {
                error: excerpt(&error, 100),
                description: description.map(|text| excerpt(&text, 300)).filter(|text| !text.is_empty()),
            },
            (Some(_), Some(_)) => return Err(invalid("it has a code and an error")),
            (_, None) => return Err(invalid("it has no code and no error")),
        };
        let state = state.ok_or_else(|| invalid("it has no state"))?;
        Ok(Self { state, iss, outcome })
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match &self.outcome {
            Outcome::Code(_) => "code",
            Outcome::Refused { error, .. } => error,
        };
        f.debug_struct("Answer").field("outcome", &outcome).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(query: &str) -> String {
        Answer::parse(query).unwrap_err().to_string()
    }

    #[test]
    fn unknown_parameters_are_ignored() {
        let answer =
            Answer::parse("session_state=1&code=a%2Bb&state=s&session_state=2&scope=openid").unwrap();
        assert_eq!(answer.state, "s");
        assert!(matches!(answer.outcome, Outcome::Code(code) if code.secret() == "a+b"));
    }

    #[test]
    fn duplicate_parameters_are_refused() {
        for name in ["code", "state", "iss", "error", "error_description"] {
            let query = format!("code=a&state=s&{name}=x&{name}=x");
            assert!(fault(&query).contains("more than once"), "{query}");
        }
    }

    #[test]
    fn a_response_has_a_state_and_either_a_code_or_an_error() {
        assert!(fault("code=a").contains("no state"));
        assert!(fault("error=access_denied").contains("no state"));
        assert!(fault("state=s").contains("no code"));
        assert!(fault("state=s&code=").contains("no code"));
        assert!(fault("code=a&error=b&state=s").contains("a code and an error"));
        assert!(fault(&format!("state=s&code={}", "a".repeat(MAX_QUERY))).contains("too long"));
    }

    #[test]
    fn debug_output_shows_no_code_or_state() {
        let shown = format!("{:?}", Answer::parse("code=hidden&state=secret&iss=x").unwrap());
        assert!(!shown.contains("hidden") && !shown.contains("secret"), "{shown}");
    }
}
