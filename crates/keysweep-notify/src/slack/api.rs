//! Calls of the Web API, and what its error codes mean.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::Slack;
use crate::failure::{Failure, FailureKind};
use crate::http::{retry_after, shown};
use crate::plain::excerpt;

pub(super) const VIEWS_OPEN: &str = "views.open";

/// An answer repeats the message that was posted, which has at most 40,000 characters and its blocks.
const MAX_ANSWER: usize = 1 << 20;

/// Codes that say that the token or the app is the problem.
const MISCONFIGURED: [&str; 17] = [
    "access_denied",
    "account_inactive",
    "deprecated_endpoint",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "forbidden_team",
    "invalid_auth",
    "method_deprecated",
    "missing_scope",
    "no_permission",
    "not_allowed_token_type",
    "not_authed",
    "org_login_required",
    "team_access_not_granted",
    "token_expired",
    "token_revoked",
    "two_factor_setup_required",
];

/// Codes that say that this conversation, message, or modal will not be accepted.
const REJECTED: [&str; 33] = [
    "as_user_not_supported",
    "cannot_dm_bot",
    "cant_update_message",
    "channel_is_limited_access",
    "channel_not_found",
    "edit_window_closed",
    "exchanged_trigger_id",
    "expired_trigger_id",
    "invalid_arguments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_trigger_id",
    "is_archived",
    "is_inactive",
    "message_not_found",
    "messages_tab_disabled",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "not_in_channel",
    "restricted_action",
    "restricted_action_non_threadable_channel",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "restricted_action_thread_only_channel",
    "slack_connect_canvas_sharing_blocked",
    "thread_not_found",
    "too_many_attachments",
    "user_disabled",
    "user_not_found",
    "user_not_in_channel",
    "users_not_found",
    "view_too_large",
];

/// An error that Slack itself answered with.
pub(super) struct Refusal {
    code: String,
    failure: Failure,
}

impl Refusal {
    pub(super) fn is(&self, code: &str) -> bool {
        self.code == code
    }
}

/// Why a call has no answer to use.
pub(super) enum Refused {
    Slack(Refusal),
    Failed(Failure),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Slack(refusal) => refusal.failure,
            Refused::Failed(failure) => failure,
        }
    }
}

impl Slack {
    /// Calls a method that takes JSON.
    pub(super) async fn json(&self, method: &str, body: &Value) -> Result<Value, Refused> {
        self.call(method, "application/json; charset=utf-8", body.to_string()).await
    }

    /// Calls a method that takes a form only. The body keeps addresses out of URLs, and so out of logs on the way.
    pub(super) async fn form(&self, method: &str, fields: &[(&str, &str)]) -> Result<Value, Refused> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.call(method, "application/x-www-form-urlencoded", body).await
    }

    async fn call(&self, method: &str, content_type: &'static str, body: String) -> Result<Value, Refused> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(AUTHORIZATION, self.authorization.clone());
        let response = self.http.call(method, headers, body.into_bytes()).await.map_err(Refused::Failed)?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let checked = self.http.check(&response);
        let body = self.http.body(response, MAX_ANSWER).await;
        let answer = body.as_deref().ok().and_then(|body| serde_json::from_slice::<Value>(body).ok());
        let code = answer.as_ref().and_then(|answer| answer.get("error")?.as_str());
        match (answer.as_ref().and_then(|answer| answer.get("ok")?.as_bool()), code) {
            (Some(true), _) if status.is_success() => Ok(answer.unwrap_or_default()),
            (Some(false), Some(code)) => {
                let failure = self.failure(method, code, answer.as_ref());
                let failure = failure.with_retry_after(retry_after);
                Err(Refused::Slack(Refusal { code: code.to_owned(), failure }))
            }
            _ => {
                checked.map_err(|failure| Refused::Failed(of_channel(failure)))?;
                body.map_err(Refused::Failed)?;
                Err(Refused::Failed(self.not_slack(&format!("{method}: {}", shown(status)))))
            }
        }
    }

    /// A text of an answer.
    pub(super) fn text(&self, answer: &Value, pointer: &str) -> Result<String, Failure> {
        let text = answer.pointer(pointer).and_then(Value::as_str).map(|text| excerpt(text, 200));
        text.filter(|text| !text.is_empty()).ok_or_else(|| self.not_slack(&format!("no {pointer}")))
    }

    fn not_slack(&self, what: &str) -> Failure {
        Failure::temporary(format!(
            "{}: {what}: the response did not come from Slack (proxy?)",
            self.http.origin()
        ))
    }

    fn failure(&self, method: &str, code: &str, answer: Option<&Value>) -> Failure {
        let kind = match code {
            code if MISCONFIGURED.contains(&code) => FailureKind::Misconfigured,
            code if REJECTED.contains(&code) => FailureKind::Rejected,
            _ => FailureKind::Temporary,
        };
        let mut detail = format!("slack {method}: {}", word(code));
        if let Some(needed) = answer.and_then(|answer| answer.get("needed")?.as_str()) {
            detail.push_str(&format!(" (needs {})", word(needed)));
        }
        if let Some(block) = answer.and_then(faulty_block) {
            detail.push_str(&format!(" (at {block})"));
        }
        Failure::new(kind, detail)
    }
}

/// What HTTP alone refuses is not about a recipient: Slack says that with a code, and status 200.
fn of_channel(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Rejected => Failure { kind: FailureKind::Misconfigured, ..failure },
        FailureKind::Temporary | FailureKind::Misconfigured => failure,
    }
}

/// A code or a list of scopes, if it looks like one. A token has hyphens.
fn word(text: &str) -> &str {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.:,".contains(c);
    if text.len() <= 200 && text.chars().all(plain) { text } else { "(an unknown code)" }
}

/// Where Slack found the block invalid, such as `/blocks/0/text`. The rest of its message may repeat ours.
fn faulty_block(answer: &Value) -> Option<String> {
    let messages = answer.pointer("/response_metadata/messages")?.as_array()?;
    let pointers = messages.iter().filter_map(|message| {
        message.as_str()?.split_once("[json-pointer:/blocks/")?.1.split_once(']').map(|(pointer, _)| pointer)
    });
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_/".contains(c);
    let pointer = pointers.into_iter().find(|pointer| pointer.len() < 100 && pointer.chars().all(plain))?;
    Some(format!("/blocks/{pointer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_in_one_list_only() {
        assert!(MISCONFIGURED.is_sorted() && REJECTED.is_sorted());
        assert!(!MISCONFIGURED.iter().any(|code| REJECTED.contains(code)));
    }
}
