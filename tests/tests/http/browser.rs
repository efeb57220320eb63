//! As much of a browser as these tests need: cookies, and the headers that browsers add.

use crate::http::stage::{Answer, Running, request};

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The name in `http.public_url`.
pub(crate) const PUBLIC: &str = "keysweep.example.com";

/// A browser, which visits a daemon by one name.
#[derive(Clone)]
pub(crate) struct Browser {
    /// `Host`.
    pub(crate) host: &'static str,
    /// Whole cookies, as `name=value`.
    pub(crate) cookies: Vec<String>,
}

impl Browser {
    /// A browser on the machine of the daemon.
    pub(crate) fn local() -> Self {
        Self { host: "localhost", cookies: Vec::new() }
    }

    /// A browser that comes through the proxy.
    pub(crate) fn public() -> Self {
        Self { host: PUBLIC, cookies: Vec::new() }
    }

    /// With this cookie.
    pub(crate) fn with(mut self, cookie: &str) -> Self {
        self.cookies.push(cookie.to_owned());
        self
    }

    fn addressed(&self, text: &str) -> String {
        text.replacen("host: localhost", &format!("host: {}", self.host), 1)
    }

    fn headers<'h>(&'h self, cookie: &'h str, more: &[(&'h str, &'h str)]) -> Vec<(&'h str, &'h str)> {
        let cookie = (!self.cookies.is_empty()).then_some(("cookie", cookie));
        cookie.into_iter().chain(more.iter().copied()).collect()
    }

    /// Follows a link.
    pub(crate) async fn get(&mut self, running: &Running, path: &str) -> Answer {
        self.get_with(running, path, &[("accept", "text/html"), ("sec-fetch-site", "none")]).await
    }

    pub(crate) async fn get_with(&mut self, running: &Running, path: &str, more: &[(&str, &str)]) -> Answer {
        let cookie = self.cookies.join("; ");
        let text = request("GET", path, &self.headers(&cookie, more));
        let answer = running.ask(&self.addressed(&text)).await;
        self.take(&answer);
        answer
    }

    /// Sends a form of a page of ours. Under our referrer policy, the origin is `null`.
    pub(crate) async fn post(&mut self, running: &Running, path: &str, body: &str) -> Answer {
        let more = [("content-type", FORM), ("origin", "null"), ("sec-fetch-site", "same-origin")];
        self.post_with(running, path, body, &more).await
    }

    pub(crate) async fn post_with(
        &mut self,
        running: &Running,
        path: &str,
        body: &str,
        more: &[(&str, &str)],
    ) -> Answer {
        let cookie = self.cookies.join("; ");
        let text = crate::http::stage::post_as(path, &self.headers(&cookie, more), body);
        let answer = running.ask(&self.addressed(&text)).await;
        self.take(&answer);
        answer
    }

    fn take(&mut self, answer: &Answer) {
        for set in answer.headers("set-cookie") {
            let pair = set.split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|known| known.split('=').next() != Some(name));
            if !value.is_empty() {
                self.cookies.push(pair.to_owned());
            }
        }
    }

    /// Logs in by a token.
    pub(crate) async fn log_in(&mut self, running: &Running, token: &str) {
        let answer = self.post(running, "/login", &format!("token={token}&next=%2Fkeys")).await;
        assert_eq!(answer.status(), 303, "{answer:?}");
        assert_eq!(answer.header("location").as_deref(), Some("/keys"));
    }

    /// What forms of its session must repeat.
    pub(crate) async fn csrf(&mut self, running: &Running) -> String {
        let page = self.get(running, "/").await;
        let (_, rest) =
            page.body().split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("{page:?}"));
        rest.split('"').next().unwrap().to_owned()
    }
}
