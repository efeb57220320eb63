//! Answers that were cut off are no answers.
//!
//! The SDK's XML parser takes a body that ends in the middle for one whose missing elements are absent: a user
//! without tags, a list without its last keys, a change whose answer nobody read. HTTP's own framing catches a
//! connection that breaks, but not a proxy that answers with half a body.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

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
        if response.status().is_success() && !whole { Err("answer was cut off".into()) } else { Ok(()) }
    }
}

/// Whether the text is one element that is closed at its end, an XML declaration in front of it aside.
fn is_whole(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let element = match body.strip_prefix(b"<?") {
        Some(rest) => rest.splitn(2, |byte| *byte == b'>').nth(1).unwrap_or_default().trim_ascii(),
        None => body,
    };
    let name = element.strip_prefix(b"<").unwrap_or_default();
    let name = name.split(|byte| matches!(byte, b' ' | b'>' | b'/') || byte.is_ascii_whitespace()).next();
    let before = element.strip_suffix(b">").and_then(|rest| rest.strip_suffix(name.unwrap_or_default()));
    name.is_some_and(|name| !name.is_empty()) && before.is_some_and(|rest| rest.ends_with(b"</"))
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
}
