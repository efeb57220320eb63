//! POST over HTTPS to one server, to allowed addresses only.
//!
//! No redirects and no proxies: both would lead to an address that was not checked. No connection is kept, because the
//! next message is hours away.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url, retry};

use crate::failure::Failure;
use crate::plain::innermost;
use crate::target::{CheckedResolver, Forbidden, reach};
use crate::tls::{client_config, is_lasting, tls_error};

/// The longest wait that a server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// How a server is reached.
pub(crate) struct HttpOptions<'a> {
    pub(crate) url: &'a str,
    pub(crate) allow_private: bool,
    /// From connecting to the end of the response.
    pub(crate) timeout: Duration,
    pub(crate) ca_pem: Option<&'a [u8]>,
}

/// A client of one URL.
pub(crate) struct Http {
    client: Client,
    url: Url,
    /// Scheme, host and port: all of a URL that may be shown.
    origin: String,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Http {
    /// # Errors
    /// The URL is invalid or not allowed, or the certificates cannot be used. The message does not repeat the URL.
    pub(crate) fn new(options: &HttpOptions<'_>) -> Result<Self, String> {
        let url = Url::parse(options.url.trim()).map_err(|error| format!("the URL is invalid: {error}"))?;
        let reach = reach(&url, options.allow_private)?;
        let client = Client::builder()
            .user_agent(concat!("keysweep/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(client_config(options.ca_pem)?)
            .dns_resolver(Arc::new(CheckedResolver(reach)))
            .redirect(Policy::none())
            .no_proxy()
            .retry(retry::never())
            .referer(false)
            .http1_only()
            .pool_max_idle_per_host(0)
            .timeout(options.timeout)
            .build()
            .map_err(|error| format!("could not set up the HTTP client: {}", innermost(&error)))?;
        let origin = url.origin().ascii_serialization();
        Ok(Self { client, url, origin })
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Posts to the URL itself, and discards the response's body: a receiver may repeat the request in it, and with it
    /// links that work without a login.
    pub(crate) async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<StatusCode, Failure> {
        let response = self.send(self.url.clone(), headers, body).await?;
        self.check(&response)?;
        Ok(response.status())
    }

    /// Posts to a path below the URL.
    pub(crate) async fn call(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Response, Failure> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        self.send(url, headers, body).await
    }

    /// Reads a response's body of at most `max` bytes.
    pub(crate) async fn body(&self, mut response: Response, max: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > max {
                let origin = &self.origin;
                return Err(Failure::temporary(format!("{origin}: the response is larger than {max} bytes")));
            }
        }
        Ok(body)
    }

    /// Fails unless the status is one of success.
    pub(crate) fn check(&self, response: &Response) -> Result<(), Failure> {
        let status = response.status();
        let detail = format!("{}: {}", self.origin, shown(status));
        let failure = match status.as_u16() {
            200..=299 => return Ok(()),
            300..=399 => Failure::rejected(format!("{detail} (redirects are not followed)")),
            401 | 403 | 407 => Failure::misconfigured(detail),
            408 | 425 | 429 => Failure::temporary(detail),
            400..=499 => Failure::rejected(detail),
            _ => Failure::temporary(detail),
        };
        Err(failure.with_retry_after(retry_after(response.headers())))
    }

    async fn send(&self, url: Url, headers: HeaderMap, body: Vec<u8>) -> Result<Response, Failure> {
        let request = self.client.post(url).headers(headers).body(body);
        request.send().await.map_err(|error| self.failed(&error))
    }

    /// The error of the client names the URL, so that its own text is never shown.
    fn failed(&self, error: &reqwest::Error) -> Failure {
        let origin = &self.origin;
        if let Some(forbidden) = cause::<Forbidden>(error) {
            return Failure::misconfigured(format!("{origin}: {forbidden}"));
        }
        if let Some(tls) = tls_error(error) {
            let detail = format!("{origin}: tls: {tls}");
            return if is_lasting(tls) { Failure::misconfigured(detail) } else { Failure::temporary(detail) };
        }
        let what = match error {
            error if error.is_timeout() => "no response within the timeout".to_owned(),
            error if error.is_connect() => format!("could not connect: {}", innermost(error)),
            error => format!("the connection failed: {}", innermost(error)),
        };
        Failure::temporary(format!("{origin}: {what}"))
    }
}

/// A status as people know it, such as `503 Service Unavailable`.
pub(crate) fn shown(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_str()),
        None => status.as_str().to_owned(),
    }
}

/// How long the server asks to wait: in seconds, or until a time, which is compared with its own clock.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = headers.get(header::DATE)?.to_str().ok()?;
            let wait = http_date(value)?.duration_since(http_date(date)?);
            Duration::try_from(wait).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

fn http_date(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

fn cause<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_an_hour() {
        let date = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");
        let cases = [
            (vec![("retry-after", "30")], Some(30)),
            (vec![("retry-after", " 0 ")], Some(0)),
            (vec![("retry-after", "86400")], Some(3600)),
            (vec![("retry-after", "Wed, 21 Oct 2026 07:30:00 GMT"), date], Some(120)),
            (vec![("retry-after", "Wed, 21 Oct 2026 07:00:00 GMT"), date], Some(0)),
            (vec![("retry-after", "Thu, 22 Oct 2026 07:30:00 GMT"), date], Some(3600)),
            (vec![("retry-after", "Wed, 21 Oct 2026 07:30:00 GMT")], None),
            (vec![("retry-after", "soon"), date], None),
            (vec![("retry-after", "-1"), date], None),
            (vec![date], None),
        ];
        for (given, expected) in cases {
            let headers = given.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let headers: HeaderMap = headers.collect::<Vec<(header::HeaderName, _)>>().into_iter().collect();
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{given:?}");
        }
    }
}
