//! A connection to AWS from the configuration.

use std::sync::Arc;

use keysweep_aws::{Aws, ConnectError, Observer, Settings, SharedHttpClient, StaticCredentials, Wall};

use crate::clock::Clock;
use crate::config::Config;

/// An AWS that is given instead of found: by the demo and by tests.
#[derive(Clone, Default)]
pub struct GivenAws {
    /// HTTP client.
    pub http: Option<SharedHttpClient>,
    /// Credentials of the hub.
    pub credentials: Option<StaticCredentials>,
    /// Endpoint of every service.
    pub endpoint: Option<String>,
}

/// Connects. Nothing is sent except what the default credential chain asks for.
///
/// # Errors
/// If the environment redirects calls and the configuration does not allow it, or there are no credentials.
pub async fn connect(
    config: &Config,
    clock: &Clock,
    observer: Arc<dyn Observer>,
    given: GivenAws,
) -> Result<Aws, ConnectError> {
    let clock = clock.clone();
    let wall: Wall = Arc::new(move || clock.operational());
    Aws::connect(Settings {
        region: config.aws.region.clone(),
        attempt_timeout: config.aws.attempt_timeout,
        operation_timeout: config.aws.operation_timeout,
        allow_endpoint_override: config.aws.allow_endpoint_override,
        external_id: config.role.external_id.clone(),
        session_name: config.role.session_name.clone(),
        session_duration: config.role.duration,
        scan_role: config.role.scan.clone(),
        enforce_role: config.role.enforce.clone(),
        observer,
        http: given.http,
        credentials: given.credentials,
        endpoint: given.endpoint,
        ..Settings::new(wall)
    })
    .await
}
