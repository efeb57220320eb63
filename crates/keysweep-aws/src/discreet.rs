//! Messages of others, without what they repeat of our requests.
//!
//! STS and IAM explain a refused signature by repeating what was signed, the session token among it; a gateway on the
//! way may repeat whatever it pleases. Messages end up in logs, in the journal and on the page.

use std::borrow::Cow;

use crate::fault::short;

/// What stands beside a secret where a request is repeated; compared in lower case.
const BESIDE_SECRETS: [&str; 6] =
    ["security-token", "securitytoken", "sessiontoken", "secretaccesskey", "aws4-hmac", "externalid"];

/// From this length on, what could be base64 or hex is taken for a secret: a secret key has 40 characters, and tokens
/// and signatures are longer.
const LONG: usize = 40;

/// What stands for a secret.
const HIDDEN: &str = "(hidden)";

/// The message of an error answer, fit for a log: its first line, unless it repeats the request.
pub(crate) fn message_of(code: &str, message: &str, sent: Option<&str>) -> String {
    if code.contains("Signature") || code == "InvalidClientTokenId" {
        return "the signature or the credentials were not accepted".to_owned();
    }
    short(&discreet(message.lines().next().unwrap_or_default(), sent))
}

/// A text of somebody else without what could be a secret of ours.
pub(crate) fn discreet<'a>(text: &'a str, sent: Option<&str>) -> Cow<'a, str> {
    let lower = text.to_ascii_lowercase();
    if BESIDE_SECRETS.iter().any(|beside| lower.contains(beside)) {
        return "(not shown: it repeats the request)".into();
    }
    let text = match sent.filter(|sent| !sent.is_empty() && text.contains(sent)) {
        Some(sent) => Cow::Owned(text.replace(sent, HIDDEN)),
        None => Cow::Borrowed(text),
    };
    if text.split(ends_a_run).any(is_like_a_secret) { without_runs(&text).into() } else { text }
}

/// Whether a character is of no alphabet that secrets are written in.
fn ends_a_run(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || "+/=".contains(c))
}

/// A path of a user may be as long, but random text has digits.
fn is_like_a_secret(run: &str) -> bool {
    run.len() >= LONG && run.bytes().any(|b| b.is_ascii_digit())
}

fn without_runs(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends_a_run) {
        let run = piece.trim_end_matches(ends_a_run);
        let end = piece.get(run.len()..).unwrap_or_default();
        kept.push_str(if is_like_a_secret(run) { HIDDEN } else { run });
        kept.push_str(end);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_is_never_repeated() {
        let told =
            "The request signature we calculated does not match.\n\nx-amz-security-token:IQoJb3JpZ2luX2Vj";
        assert!(!message_of("SignatureDoesNotMatch", told, None).contains("IQoJ"));
        assert!(!message_of("SomethingElse", told, None).contains("IQoJ"));
        for told in [
            "bad header X-Amz-Security-Token: IQoJ",
            "body was <SessionToken>IQoJ</SessionToken>",
            "ExternalId=IQoJ&Action=AssumeRole",
            "Authorization: AWS4-HMAC-SHA256 Credential=IQoJ",
        ] {
            let shown = message_of("InternalFailure", told, None);
            assert!(!shown.contains("IQoJ"), "{shown}");
        }
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_stands() {
        let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        for (told, shown) in [
            (format!("upstream said {key}."), "upstream said (hidden)."),
            (key.to_owned(), "(hidden)"),
            (format!("a {key} b=\"{key}{key}\" c"), "a (hidden) b=\"(hidden)\" c"),
        ] {
            assert_eq!(message_of("InternalFailure", &told, None), shown);
        }
        let told = "Value 'open-sesame' failed to satisfy constraint";
        let shown = message_of("ValidationError", told, Some("open-sesame"));
        assert_eq!(shown, "Value '(hidden)' failed to satisfy constraint");
    }

    #[test]
    fn what_aws_usually_says_stays_as_it_is() {
        for told in [
            "User: arn:aws:sts::111122223333:assumed-role/KeysweepEnforce/keysweep is not authorized to perform: \
             iam:DeleteAccessKey on resource: arn:aws:iam::111122223333:user/ci/svc with an explicit deny",
            "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found.",
            "The security token included in the request is expired",
            "User: arn:aws:iam::1:user/division/department/subdivision/team/Richard is not authorized",
            "Rate exceeded",
            "",
        ] {
            assert_eq!(message_of("AccessDenied", told, None), told);
        }
    }
}
