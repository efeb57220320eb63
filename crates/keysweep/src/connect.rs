//! A connection to AWS from the configuration.

use std::sync::Arc;

use keysweep_aws::{Aws, ConnectError, Observer, Settings, SharedHttpClient, StaticCredentials, Wall};

use crate::clock::Clock;
use crate::config::Config;
use crate::people::Carrier;

/// The world outside, as far as it is given instead of found: by the demo and by tests.
#[derive(Clone, Default)]
pub struct Given {
    /// HTTP client.
    pub http: Option<SharedHttpClient>,
    /// Credentials of the hub.
    pub credentials: Option<StaticCredentials>,
    /// Endpoint of every service of AWS.
    pub endpoint: Option<String>,
    /// What carries messages to people, in place of the configured channels.
    pub carrier: Option<Arc<dyn Carrier>>,
    /// The folder in which the carrier of the demo leaves e-mail.
    pub mailbox: Option<std::path::PathBuf>,
    /// Where the carrier of the demo posts messages to Slack.
    #[cfg(feature = "demo")]
    pub wall: Option<Arc<crate::demo::Wall>>,
}

/// Connects. Nothing is sent except what the default credential chain asks for.
///
/// # Errors
/// If the environment redirects calls and the configuration does not allow it, or there are no credentials.
pub async fn connect(
    config: &Config,
    clock: &Clock,
    observer: Arc<dyn Observer>,
    given: Given,
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
