//! Answers that were cut off or garbled are no answers.
//!
//! The SDK's XML parser takes a body that ends in the middle for one whose missing elements are absent: a user
//! without tags, a list without its last keys, a change whose answer nobody read. HTTP's own framing catches a
//! connection that breaks, but not a proxy that answers with half a body. Nor does the parser compare the names of tags,
//! and where the text is no XML any more it takes what follows for absent, too.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use xmlparser::{ElementEnd, Token, Tokenizer};

/// Fails a successful answer of IAM or STS whose body is not one whole XML element.
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
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let whole = response.body().bytes().is_some_and(is_whole);
        if response.status().is_success() && !whole {
            Err("answer was cut off or garbled".into())
        } else {
            Ok(())
        }
    }
}

/// What says that there is a list, though it be empty: whether it goes on, which IAM always tells and moto does not, or
/// one of the lists that are read.
const IN_LISTS: [&str; 4] = ["IsTruncated", "AccessKeyMetadata", "Users", "AttachedPolicies"];

/// Whether the text is well-formed XML, every element closed by its own name, that holds a list where one was asked for:
/// without it the answer would pass for an empty list.
fn is_whole(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let (mut root, mut open, mut holds_a_list) = (None, Vec::new(), false);
    for token in Tokenizer::from(text.trim()) {
        match token {
            Ok(Token::ElementStart { prefix, local, .. }) => {
                root.get_or_insert(local.as_str());
                holds_a_list |= IN_LISTS.contains(&local.as_str());
                open.push((prefix.as_str(), local.as_str()));
            }
            Ok(Token::ElementEnd { end: ElementEnd::Close(prefix, local), .. }) => {
                if open.pop() != Some((prefix.as_str(), local.as_str())) {
                    return false;
                }
            }
            Ok(Token::ElementEnd { end: ElementEnd::Empty, .. }) => {
                open.pop();
                // Nothing at all was answered.
                if open.is_empty() {
                    return false;
                }
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    let is_list = root.is_some_and(|name| name.starts_with("List"));
    root.is_some() && open.is_empty() && (holds_a_list || !is_list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_answer_is_not_a_whole_one() {
        let whole = r#"<?xml version="1.0"?>
            <GetUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><User/></GetUserResponse>
        "#;
        assert!(is_whole(whole.as_bytes()));
        assert!(is_whole(b"<A></A>"));
        let end = whole.trim_end().len();
        for cut in 0..end {
            assert!(!is_whole(&whole.as_bytes()[..cut]), "{:?}", &whole[..cut]);
        }
        for nonsense in ["", "<>", "</>", "ok", "<html><body>", "<A></B>", "<?xml?>", "<?xml"] {
            assert!(!is_whole(nonsense.as_bytes()), "{nonsense:?}");
        }
    }

    #[test]
    fn a_garbled_answer_is_not_a_whole_one() {
        assert!(is_whole(b"<A b=\"c\"><B/><C>d</C></A>"));
        for nonsense in ["<A><B></C></A>", "<A></B></A>", "<A></A><A></A>", "<A></A>ok", "<A><B></A>", "<A/>"]
        {
            assert!(!is_whole(nonsense.as_bytes()), "{nonsense:?}");
        }
    }

    #[test]
    fn a_list_without_its_list_is_not_a_whole_one() {
        let list = |inside: &str| format!("<ListUsersResponse>{inside}</ListUsersResponse>");
        assert!(is_whole(list("<IsTruncated>false</IsTruncated>").as_bytes()));
        assert!(is_whole(list("<Users/>").as_bytes()));
        assert!(!is_whole(list("<ListUsersResult></ListUsersResult>").as_bytes()));
    }
}
