//! A network that edits what is sent: what would happen if a session were used for something else.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use keysweep_aws::SharedHttpClient;

/// Replaces one text by another in the body of every request. The simulator checks no signatures.
#[derive(Debug, Clone)]
pub(crate) struct Rewriting {
    inner: SharedHttpClient,
    from: &'static str,
    to: String,
}

pub(crate) fn mk_rewriting(inner: SharedHttpClient, from: &'static str, to: &str) -> SharedHttpClient {
    SharedHttpClient::new(Rewriting { inner, from, to: to.to_owned() })
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    from: &'static str,
    to: String,
}

impl HttpClient for Rewriting {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, from: self.from, to: self.to.clone() })
    }
}

impl HttpConnector for Connector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let body =
            request.body().bytes().map(|bytes| String::from_utf8_lossy(bytes).replace(self.from, &self.to));
        *request.body_mut() = SdkBody::from(body.unwrap_or_default());
        self.inner.call(request)
    }
}
