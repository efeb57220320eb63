//! The SDK's HTTP seam, answered in process: real clients, real signing, no socket.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::sim::{ConnectionLost, Sim};
use crate::wire::{Answer, Head, Incoming};

/// Hands every request to a [`Sim`].
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    sim: Sim,
    /// Connecting takes no time here; waiting for an answer may, and is the connector's to limit.
    read_timeout: Option<Duration>,
}

impl Connector {
    pub(crate) fn new(sim: Sim) -> Self {
        Self { sim, read_timeout: None }
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let read_timeout = settings.read_timeout();
        SharedHttpConnector::new(Self { sim: self.sim.clone(), read_timeout })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(body) = request.body().bytes() else {
            let error = ConnectorError::user("the simulator takes bodies in memory only".into());
            return HttpConnectorFuture::ready(Err(error));
        };
        let headers = request.headers();
        let rest = request.uri().split_once("://").map(|(_, rest)| rest);
        let host = rest.and_then(|rest| rest.split(['/', ':']).next());
        let path = rest.and_then(|rest| rest.find('/').and_then(|start| rest.get(start..)));
        let head = Head {
            authorization: headers.get("authorization"),
            token: headers.get("x-amz-security-token"),
            target: headers.get("x-amz-target"),
            host,
            path,
            user_agent: headers.get("user-agent"),
        };
        let incoming = Incoming::new(head, body);
        let sim = self.sim.clone();
        let read_timeout = self.read_timeout;
        HttpConnectorFuture::new(async move {
            let outcome = match read_timeout {
                None => sim.call(incoming).await,
                Some(limit) => match tokio::time::timeout(limit, sim.call(incoming)).await {
                    Ok(outcome) => outcome,
                    Err(elapsed) => return Err(ConnectorError::timeout(elapsed.into())),
                },
            };
            match outcome {
                Ok(answer) => response(answer),
                Err(lost @ ConnectionLost) => Err(ConnectorError::io(lost.into())),
            }
        })
    }
}

fn response(answer: Answer) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(answer.status).map_err(|error| ConnectorError::user(error.into()))?;
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
    let headers = response.headers_mut();
    headers.insert("content-type", answer.content_type);
    headers.insert("x-amzn-requestid", answer.request_id);
    headers.insert("date", answer.date);
    if let Some(error_type) = answer.error_type {
        headers.insert("x-amzn-errortype", error_type);
    }
    Ok(response)
}
