//! The HTTP client: no redirects, no proxies, bounded responses.
//!
//! A redirect would carry a code or a token to an address that the provider's configuration document does not name.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url, retry};
use serde::de::DeserializeOwned;

use crate::text::{excerpt, innermost};
use crate::tls::{client_config, tls_error};
use crate::url_rule;

/// The largest response body. Configuration documents, key sets, and tokens are a few kilobytes.
const MAX_BODY: usize = 1 << 20;

/// Why there is no response that can be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct HttpError(String);

/// The client of one provider.
pub(crate) struct Http {
    client: Client,
    plain: bool,
}

impl Http {
    /// A client that uses HTTP on this machine too, if `plain`.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub(crate) fn new(ca_pem: Option<&[u8]>, plain: bool, timeout: Duration) -> Result<Self, String> {
        let mut builder = Client::builder()
            .user_agent(concat!("keysweep/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(client_config(ca_pem)?)
            .redirect(Policy::none())
            .no_proxy()
            .retry(retry::never())
            .referer(false)
            .http1_only()
            .pool_max_idle_per_host(0)
            .timeout(timeout);
        if plain {
            builder = builder.dns_resolver(Arc::new(LoopbackResolver));
        }
        let client = builder
            .build()
            .map_err(|error| format!("could not set up the HTTP client: {}", innermost(&error)))?;
        Ok(Self { client, plain })
    }

    /// Checks that a URL is one that requests may go to.
    pub(crate) fn check(&self, url: &Url) -> Result<(), String> {
        url_rule::check(url, self.plain)
    }

    /// Reads a JSON document.
    pub(crate) async fn document<T: DeserializeOwned>(&self, url: &Url) -> Result<T, String> {
        let request = openidconnect::http::Request::get(url.as_str())
            .header(openidconnect::http::header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|error| format!("could not make the request: {error}"))?;
        let response = self.exchange(request).await.map_err(|error| error.to_string())?;
        if response.status() != StatusCode::OK {
            return Err(status(response.status()));
        }
        serde_json::from_slice(response.body())
            .map_err(|error| format!("invalid document: {}", excerpt(&error.to_string(), 200)))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = reqwest::Request::try_from(request).map_err(|error| failure(&error))?;
        self.check(request.url()).map_err(HttpError)?;
        let mut response = self.client.execute(request).await.map_err(|error| failure(&error))?;
        if response.status().is_redirection() {
            return Err(HttpError(format!("{} (redirects are not followed)", status(response.status()))));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(HttpError(format!("the response is larger than {MAX_BODY} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        Ok(answer)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}

/// A status as people know it, such as `503 Service Unavailable`.
pub(crate) fn status(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_str()),
        None => status.as_str().to_owned(),
    }
}

/// The error of the client names the URL with its query, so that its own text is never shown.
fn failure(error: &reqwest::Error) -> HttpError {
    if let Some(tls) = tls_error(error) {
        return HttpError(format!("tls: {tls}"));
    }
    HttpError(match error {
        error if error.is_timeout() => "no response within the timeout".to_owned(),
        error if error.is_connect() => format!("could not connect: {}", innermost(error)),
        error => format!("the connection failed: {}", innermost(error)),
    })
}

/// The system's resolver, for names that must lead to this machine.
struct LoopbackResolver;

impl Resolve for LoopbackResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses = loopback_only(found)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Only `localhost` is looked up for HTTP, but an HTTPS endpoint of a provider on this machine may be anywhere: it is
/// refused as well, because a provider for development has none.
fn loopback_only(addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, HttpError> {
    match addresses.iter().find(|address| !address.ip().is_loopback()) {
        Some(address) => Err(HttpError(format!("{} is not an address of this machine", address.ip()))),
        None => Ok(addresses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_one_address_elsewhere_is_refused() {
        let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let elsewhere = "10.0.0.1:0".parse().unwrap();
        assert_eq!(loopback_only(vec![here]).unwrap(), [here]);
        assert!(loopback_only(vec![here, elsewhere]).is_err());
    }
}
