//! A network that answers one operation with what it is given, and leaves the rest to the simulator.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use keysweep_aws::SharedHttpClient;

/// An operation, as requests name it, and the status and body that it is answered with.
type Garbled = (String, u16, Vec<u8>);

/// Says what is answered; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Garbling(Arc<Mutex<Option<Garbled>>>);

impl Garbling {
    pub(crate) fn answer(&self, operation: &str, status: u16, body: Vec<u8>) {
        *self.0.lock().unwrap() = Some((operation.to_owned(), status, body));
    }

    /// A client on top of another.
    pub(crate) fn over(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Client { garbling: self.clone(), inner })
    }

    fn of(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let garbled = self.0.lock().unwrap();
        let (operation, status, body) = garbled.as_ref()?;
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let form = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        let asked = target.ends_with(&format!(".{operation}"))
            || form.split('&').any(|pair| pair == format!("Action={operation}"));
        asked.then(|| HttpResponse::new((*status).try_into().unwrap(), SdkBody::from(body.clone())))
    }
}

#[derive(Debug)]
struct Client {
    garbling: Garbling,
    inner: SharedHttpClient,
}

#[derive(Debug)]
struct Connector {
    garbling: Garbling,
    inner: SharedHttpConnector,
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { garbling: self.garbling.clone(), inner })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.garbling.of(&request) {
            Some(response) => HttpConnectorFuture::ready(Ok(response)),
            None => self.inner.call(request),
        }
    }
}
