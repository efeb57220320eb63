//! Answers that were cut off or garbled are no answers.
//!
//! The SDK's XML parser takes a body that ends in the middle for one whose missing elements are absent: a user
//! without tags, a list without its last keys, a change whose answer nobody read. HTTP's own framing catches a
//! connection that breaks, but not a proxy that answers with half a body. Nor does the parser compare the names of tags,
//! and where the text is no XML any more it takes what follows for absent, too.

use std::collections::HashSet;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use xmlparser::{ElementEnd, Token, Tokenizer};

/// Fails a successful answer of IAM or STS whose body is not one whole XML element, named after what was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WholeAnswer;

#[dyn_dispatch_hint]
impl Intercept for WholeAnswer {
    fn name(&self) -> &'static str {
        "WholeAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let operation = bag.load::<Metadata>().map(Metadata::name);
        let whole = response.body().bytes().is_some_and(|body| is_whole(body, operation));
        if response.status().is_success() && !whole {
            Err("answer was cut off or garbled".into())
        } else {
            Ok(())
        }
    }
}

/// The element that each list is in, which IAM sends even where the list is empty. Without it, whatever else is there,
/// an answer would pass for an empty list.
const LISTS: [(&str, &str); 4] = [
    ("ListAccessKeysResponse", "AccessKeyMetadata"),
    ("ListAttachedUserPoliciesResponse", "AttachedPolicies"),
    ("ListUsersResponse", "Users"),
    ("GetAccountAuthorizationDetailsResponse", "UserDetailList"),
];

/// Whether the text is well-formed XML of the answer to this operation, every element closed by its own name, that
/// holds a list where one was asked for. A page of a proxy may be well-formed, too.
fn is_whole(body: &[u8], operation: Option<&str>) -> bool {
    let Some(Outline { root, elements, .. }) = outline(body) else { return false };
    let expected = operation.is_none_or(|operation| root.strip_suffix("Response") == Some(operation));
    let list = LISTS.iter().find(|(answer, _)| *answer == root).map(|(_, list)| *list);
    expected
        && match list {
            Some(list) => elements.contains(list),
            // A list that this table does not know must still be more than "there is no more".
            None => !root.starts_with("List") || elements.iter().any(|name| !BESIDE_LISTS.contains(name)),
        }
}

/// What an answer with a list holds besides.
const BESIDE_LISTS: [&str; 4] = ["IsTruncated", "Marker", "RequestId", "ResponseMetadata"];

/// The header in which services that speak REST and JSON name an error (Smithy, "AWS restJson1 protocol").
pub(crate) const ERROR_TYPE: &str = "x-amzn-errortype";

/// Whether an answer is an error in the form of AWS, and of this code: `ErrorResponse` in XML, or JSON that names it in
/// `__type` or in the [header](ERROR_TYPE) that is given.
pub(crate) fn is_error_of_aws(error_type: Option<&str>, body: &[u8], code: &str) -> bool {
    if let Some(Outline { root, codes, .. }) = outline(body) {
        return root == "ErrorResponse" && codes == [code];
    }
    let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(body) else { return false };
    let told = members.get("__type").and_then(serde_json::Value::as_str).or(error_type);
    // `com.amazonaws.organizations#AccessDeniedException:http://...` is one form of it.
    let name = |told: &str| told.rsplit('#').next().and_then(|rest| rest.split(':').next()) == Some(code);
    told.is_some_and(name)
}

/// What a well-formed text holds.
struct Outline<'a> {
    root: &'a str,
    /// Names of the elements below the root and its `...Result`.
    elements: HashSet<&'a str>,
    /// Texts of `ErrorResponse/Error/Code`.
    codes: Vec<&'a str>,
}

/// The outline of well-formed XML; `None` of anything else.
fn outline(body: &[u8]) -> Option<Outline<'_>> {
    let text = std::str::from_utf8(body).ok()?;
    let (mut root, mut open) = (None, Vec::<(&str, &str)>::new());
    let (mut elements, mut codes) = (HashSet::new(), Vec::new());
    for token in Tokenizer::from(text.trim()) {
        match token.ok()? {
            Token::ElementStart { prefix, local, .. } => {
                // Nothing follows the root.
                if open.is_empty() && root.is_some() {
                    return None;
                }
                root.get_or_insert(local.as_str());
                let is_result = |name: &str| {
                    root.and_then(|root| root.strip_suffix("Response"))
                        .is_some_and(|of| name.strip_suffix("Result") == Some(of))
                };
                let directly = open.len() == 1
                    || (open.len() == 2 && open.last().is_some_and(|(_, name)| is_result(name)));
                if directly && !is_result(local.as_str()) {
                    elements.insert(local.as_str());
                }
                open.push((prefix.as_str(), local.as_str()));
            }
            Token::ElementEnd { end: ElementEnd::Close(prefix, local), .. } => {
                let opened = open.pop()?;
                if opened != (prefix.as_str(), local.as_str()) {
                    return None;
                }
            }
            Token::ElementEnd { end: ElementEnd::Empty, .. } => {
                open.pop();
                // Nothing at all was answered.
                if open.is_empty() {
                    return None;
                }
            }
            Token::Text { text } => {
                let path = open.iter().map(|(_, name)| *name);
                if path.eq(["ErrorResponse", "Error", "Code"]) {
                    codes.push(text.as_str().trim());
                }
            }
            _ => {}
        }
    }
    root.filter(|_| open.is_empty()).map(|root| Outline { root, elements, codes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_answer_is_not_a_whole_one() {
        let whole = r#"<?xml version="1.0"?>
            <GetUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><User/></GetUserResponse>
        "#;
        assert!(is_whole(whole.as_bytes(), None));
        assert!(is_whole(b"<A></A>", None));
        let end = whole.trim_end().len();
        for cut in 0..end {
            assert!(!is_whole(&whole.as_bytes()[..cut], None), "{:?}", &whole[..cut]);
        }
        for nonsense in ["", "<>", "</>", "ok", "<html><body>", "<A></B>", "<?xml?>", "<?xml"] {
            assert!(!is_whole(nonsense.as_bytes(), None), "{nonsense:?}");
        }
    }

    #[test]
    fn a_garbled_answer_is_not_a_whole_one() {
        assert!(is_whole(b"<A b=\"c\"><B/><C>d</C></A>", None));
        for nonsense in ["<A><B></C></A>", "<A></B></A>", "<A></A><A></A>", "<A></A>ok", "<A><B></A>", "<A/>"]
        {
            assert!(!is_whole(nonsense.as_bytes(), None), "{nonsense:?}");
        }
    }

    #[test]
    fn a_list_without_its_list_is_not_a_whole_one() {
        let of = |operation: &str, inside: &str| {
            let body = format!(
                "<{operation}Response><{operation}Result>{inside}</{operation}Result>\
                 <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{operation}Response>"
            );
            is_whole(body.as_bytes(), Some(operation))
        };
        for (operation, list) in [
            ("ListUsers", "Users"),
            ("ListAccessKeys", "AccessKeyMetadata"),
            ("ListAttachedUserPolicies", "AttachedPolicies"),
            ("ListSomethingElse", "Something"),
        ] {
            assert!(of(operation, &format!("<{list}/><IsTruncated>false</IsTruncated>")), "{operation}");
            assert!(of(operation, &format!("<{list}><member></member></{list}>")), "{operation}");
            for inside in [
                "",
                "<IsTruncated>false</IsTruncated>",
                "<IsTruncated>true</IsTruncated><Marker>m</Marker>",
                "<Marker>m</Marker>",
            ] {
                assert!(!of(operation, inside), "{operation} {inside}");
            }
            // The list of another answer, or deeper inside, is not this one.
            assert!(!of(operation, &format!("<IsTruncated><{list}/></IsTruncated>")), "{operation}");
        }
        assert!(!of("ListUsers", "<AccessKeyMetadata/>"));
    }

    #[test]
    fn an_answer_to_something_else_is_not_a_whole_one() {
        let page = b"<html><head></head><body>Welcome</body></html>";
        assert!(!is_whole(page, Some("UpdateAccessKey")));
        assert!(!is_whole(b"<GetUserResponse></GetUserResponse>", Some("UpdateAccessKey")));
        assert!(!is_whole(b"<UpdateAccessKey></UpdateAccessKey>", Some("UpdateAccessKey")));
        assert!(is_whole(b"<UpdateAccessKeyResponse></UpdateAccessKeyResponse>", Some("UpdateAccessKey")));
    }

    #[test]
    fn only_the_forms_of_aws_are_errors_of_aws() {
        for form in [
            "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
             <Code>NoSuchEntity</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>",
            "{\"__type\":\"NoSuchEntity\",\"message\":\"no\"}",
            "{\"__type\":\"com.amazonaws.x#NoSuchEntity\"}",
            "{\"__type\":\"NoSuchEntity:http://x/\"}",
        ] {
            assert!(is_error_of_aws(None, form.as_bytes(), "NoSuchEntity"), "{form}");
            assert!(!is_error_of_aws(None, form.as_bytes(), "AccessDenied"), "{form}");
            for cut in 0..form.len() {
                assert!(!is_error_of_aws(None, &form.as_bytes()[..cut], "NoSuchEntity"), "{}", &form[..cut]);
            }
        }
        for other in [
            "",
            "404",
            "NoSuchEntity",
            "<html><body>NoSuchEntity</body></html>",
            "<html><Error><Code>NoSuchEntity</Code></Error></html>",
            "<Error><Code>NoSuchEntity</Code></Error>",
            "<ErrorResponse><Code>NoSuchEntity</Code></ErrorResponse>",
            "<ErrorResponse><Error><Code>A</Code><Code>NoSuchEntity</Code></Error></ErrorResponse>",
            "<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse><p/>",
            "{\"code\":\"NoSuchEntity\"}",
            "{\"error\":{\"__type\":\"NoSuchEntity\"}}",
            "[\"NoSuchEntity\"]",
            "{\"__type\":404}",
        ] {
            assert!(!is_error_of_aws(None, other.as_bytes(), "NoSuchEntity"), "{other}");
        }
    }

    #[test]
    fn a_header_names_the_error_of_a_body_that_is_json_and_of_no_other() {
        let of = |header, body: &str| is_error_of_aws(Some(header), body.as_bytes(), "AccessDeniedException");
        for header in
            ["AccessDeniedException", "AccessDeniedException:http://x/", "a.b#AccessDeniedException"]
        {
            assert!(of(header, "{\"message\":\"no\"}") && of(header, "{}"), "{header}");
        }
        assert!(!of("NoSuchEntity", "{}"));
        assert!(!of("AccessDeniedException", "{\"__type\":\"NoSuchEntity\"}"));
        for page in ["", "[]", "{", "<html></html>"] {
            assert!(!of("AccessDeniedException", page), "{page}");
        }
    }
}
