//! Forms of the page: only its own page can send one, and only for the person who has logged in.

use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use keysweep_api::Role;

use crate::access::{Caller, Live};
use crate::serve::app::App;
use crate::serve::auth::{By, Refused, ask, same_site};
use crate::serve::router::{BODY_BYTES, told};

/// The fields of a form, in order.
#[derive(Debug, Default)]
pub(in crate::serve) struct Fields(Vec<(String, String)>);

/// A form of someone who has logged in.
#[derive(Debug)]
pub(in crate::serve) struct Form {
    pub(super) caller: Caller,
    pub(super) live: Live,
    pub(super) fields: Fields,
}

impl Fields {
    pub(super) fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The first value of a field; empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// Every value of a field.
    pub(super) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The value of a field; `None` if it is empty.
    pub(super) fn filled(&self, name: &str) -> Option<String> {
        Some(self.get(name).trim()).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// The page to return to.
    pub(super) fn next(&self) -> String {
        local_path(self.get("next")).to_owned()
    }
}

impl FromRequest<Arc<App>> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        same_site(&parts, app).map_err(IntoResponse::into_response)?;
        let asker = ask(&parts, app, By::TokenOrSession, Role::Viewer);
        let is_form = is_form(&parts.headers);
        let body: Bytes = to_bytes(body, BODY_BYTES)
            .await
            .map_err(|_| told(StatusCode::PAYLOAD_TOO_LARGE, "The form is too long.\n").into_response())?;
        if !is_form {
            let text = "Expected the header Content-Type: application/x-www-form-urlencoded.\n";
            return Err(told(StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response());
        }
        let fields = Fields::parse(&body);
        let to_login = || see_other(&login_path(&fields.next()));
        let asker = match asker {
            Ok(asker) => asker,
            // The session has ended since the page was made.
            Err(Refused::Missing) if shows_html(&parts.headers) => return Err(to_login()),
            Err(refused) => return Err(refused.into_response()),
        };
        // Without a session, it was no form of ours: scripts use the API.
        let Some(live) = asker.live else { return Err(to_login()) };
        if !live.accepts(fields.get("csrf")) {
            let text = "This form belongs to another session. Reload the page, and try again.\n";
            return Err(told(StatusCode::FORBIDDEN, text).into_response());
        }
        Ok(Self { caller: asker.caller, live, fields })
    }
}

/// Browsers ask for HTML when a person follows a link or sends a form.
pub(super) fn shows_html(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.into_iter().any(|value| value.contains("text/html"))
}

fn is_form(headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// A path on this host, or `/`: a form or a link must not lead elsewhere.
pub(super) fn local_path(text: &str) -> &str {
    let mut bytes = text.bytes();
    let rooted = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    // Browsers drop tabs and line breaks from URLs.
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if rooted && plain && text.len() <= 2_048 { text } else { "/" }
}

/// The login page, from which someone returns to `next`.
pub(super) fn login_path(next: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", local_path(next));
    format!("/login?{}", query.finish())
}

/// Leads to another page of ours.
pub(super) fn see_other(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_this_host_only() {
        for path in ["/", "/keys?q=a%2Fb&sort=idle", "/keys/AKIAIOSFODNN7EXAMPLE"] {
            assert_eq!(local_path(path), path);
        }
        for path in [
            "",
            "keys",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/keys\r\nSet-Cookie: a=b",
            "https://evil.example/",
            "javascript:alert(1)",
            "/é",
            " /keys",
        ] {
            assert_eq!(local_path(path), "/", "{path:?}");
        }
        assert_eq!(local_path(&format!("/{}", "a".repeat(3_000))), "/");
        assert_eq!(login_path("//evil.example"), "/login?next=%2F");
        assert_eq!(login_path("/keys?q=a&b"), "/login?next=%2Fkeys%3Fq%3Da%26b");
    }

    #[test]
    fn fields_can_repeat() {
        let fields = Fields::parse(b"request=1-a&request=2-b&reason=a+b%26c&empty=++");
        assert_eq!(fields.all("request").collect::<Vec<_>>(), ["1-a", "2-b"]);
        assert_eq!(fields.get("reason"), "a b&c");
        assert_eq!((fields.filled("empty"), fields.filled("none")), (None, None));
    }
}
