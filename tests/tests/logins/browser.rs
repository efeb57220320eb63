//! As much of a browser as a login needs: cookies, redirects, and forms.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// No login takes as many requests.
const MAX_REQUESTS: usize = 20;

pub(crate) struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    /// By name: a browser visits one provider.
    cookies: BTreeMap<String, String>,
    /// Requests to this URL are not sent.
    redirect_url: String,
}

/// Where a browser arrived.
enum Arrival {
    Page {
        url: String,
        html: String,
    },
    /// At the redirect URL, with this query.
    Back(String),
}

/// What a person does with the login page.
#[derive(Clone, Copy)]
pub(crate) enum Act<'a> {
    LogIn(&'a str),
    Cancel,
}

impl Browser {
    pub(crate) fn new(redirect_url: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, cookies: BTreeMap::new(), redirect_url: redirect_url.to_owned() }
    }

    /// Goes to the provider and fills in its forms, until it sends the browser back. The query that it came back with.
    pub(crate) async fn visit(&mut self, url: &str, act: Act<'_>) -> String {
        let mut arrival = self.follow(Method::GET, url.to_owned(), String::new()).await;
        for _ in 0..MAX_REQUESTS {
            let (url, html) = match arrival {
                Arrival::Back(query) => return query,
                Arrival::Page { url, html } => (url, html),
            };
            arrival = match act {
                Act::Cancel => {
                    let link = attribute(&html, "href", |link| link.ends_with("/abort")).expect(&html);
                    self.follow(Method::GET, absolute(&url, &link), String::new()).await
                }
                Act::LogIn(name) => {
                    let (action, form) = filled(&html, name);
                    let target = action.map_or_else(|| url.clone(), |action| absolute(&url, &action));
                    self.follow(Method::POST, target, form).await
                }
            };
        }
        panic!("the provider shows pages without end");
    }

    async fn follow(&mut self, mut method: Method, mut url: String, mut form: String) -> Arrival {
        for _ in 0..MAX_REQUESTS {
            if let Some(query) = url.strip_prefix(&self.redirect_url).and_then(|rest| rest.strip_prefix('?'))
            {
                return Arrival::Back(query.to_owned());
            }
            let cookies: Vec<_> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = Request::builder()
                .method(&method)
                .uri(&url)
                .header(header::COOKIE, cookies.join("; "))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Full::from(form.clone()))
                .unwrap();
            let response = self.client.request(request).await.unwrap();
            for cookie in response.headers().get_all(header::SET_COOKIE) {
                let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
                let value = rest.split(';').next().unwrap();
                match value {
                    "" => self.cookies.remove(name),
                    _ => self.cookies.insert(name.to_owned(), value.to_owned()),
                };
            }
            let status = response.status();
            if let Some(location) = response.headers().get(header::LOCATION) {
                url = absolute(&url, location.to_str().unwrap());
                (method, form) = (Method::GET, String::new());
                continue;
            }
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let html = String::from_utf8_lossy(&body).into_owned();
            assert!(status.is_success(), "{url}: {status}: {html}");
            return Arrival::Page { url, html };
        }
        panic!("{url}: redirects without end");
    }
}

/// The first form of a page: where it goes, and its content with the fields that a person fills in.
fn filled(html: &str, name: &str) -> (Option<String>, String) {
    let (_, form) = html.split_once("<form").unwrap_or_else(|| panic!("no form: {html}"));
    let (head, rest) = form.split_once('>').unwrap();
    let (body, _) = rest.split_once("</form>").unwrap();
    let mut content = form_urlencoded::Serializer::new(String::new());
    for input in body.split("<input").skip(1) {
        let (input, _) = input.split_once('>').unwrap();
        let field = attribute(input, "name", |_| true).unwrap();
        let value = attribute(input, "value", |_| true);
        // The person types the name into every field that is empty, the password included.
        content.append_pair(&field, value.as_deref().unwrap_or(name));
    }
    (attribute(head, "action", |_| true), content.finish())
}

/// The first value of an attribute that is as wanted.
fn attribute(html: &str, name: &str, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
    let start = format!(" {name}=\"");
    let values = html.split(&start).skip(1).filter_map(|rest| rest.split('"').next());
    values.map(|value| value.replace("&amp;", "&")).find(|value| is_wanted(value))
}

fn absolute(base: &str, link: &str) -> String {
    if link.contains("://") {
        return link.to_owned();
    }
    let (scheme, rest) = base.split_once("://").unwrap();
    let host = rest.split('/').next().unwrap();
    format!("{scheme}://{host}{link}")
}
