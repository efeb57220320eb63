//! From settings to clients: the only place that reads the environment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_iam::config::StalledStreamProtectionConfig;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, Connector, tls};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::ExposeSecret;

use crate::settings::{Settings, Wall};

/// AWS cannot be talked to with these settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Something redirects calls away from AWS, and nobody allowed it.
    #[error("{0} redirects AWS calls, which aws.allow_endpoint_override = false refuses")]
    EndpointOverride(String),
    /// STS would refuse the session name in every account.
    #[error("session name {0:?}: expected 2 to 64 letters, digits or +=,.@_-")]
    SessionName(String),
    /// The certificates that `AWS_CA_BUNDLE` names cannot be used: nothing is trusted in their place.
    #[error("could not use the certificates of AWS_CA_BUNDLE={path}: {why}")]
    CaBundle {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Variables by which the SDK lets the environment redirect the services we call.
const ENDPOINT_VARIABLES: [(&str, &str); 5] = [
    ("Account", "AWS_ENDPOINT_URL_ACCOUNT"),
    ("CloudTrail", "AWS_ENDPOINT_URL_CLOUDTRAIL"),
    ("IAM", "AWS_ENDPOINT_URL_IAM"),
    ("Organizations", "AWS_ENDPOINT_URL_ORGANIZATIONS"),
    ("STS", "AWS_ENDPOINT_URL_STS"),
];
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL";

/// Attempts of a read, the first included. Pinned, because the SDK would take it from `AWS_MAX_ATTEMPTS`.
const ATTEMPTS: u32 = 3;

/// Our clock, as the SDK wants it.
struct WallSource(Wall);

impl std::fmt::Debug for WallSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WallSource")
    }
}

impl TimeSource for WallSource {
    fn now(&self) -> std::time::SystemTime {
        (self.0)().into()
    }
}

/// Loads the configuration that every client shares.
pub(crate) async fn load(settings: &Settings) -> Result<SdkConfig, ConnectError> {
    check_session_name(&settings.session_name)?;
    // One client, and with it one pool of connections, for every service and account. The pool is kept apart by
    // timeouts, so these are the same everywhere.
    let http = match &settings.http {
        Some(http) => http.clone(),
        None => http_client(settings.endpoint.is_none(), ca_bundle()?)?,
    };
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.attempt_timeout)
        .read_timeout(settings.attempt_timeout)
        .operation_attempt_timeout(settings.attempt_timeout)
        .operation_timeout(settings.operation_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .http_client(http)
        .time_source(SharedTimeSource::new(WallSource(Arc::clone(&settings.wall))))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts)
        // Bodies are small and the attempt's limit covers them.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Ok(name) = AppName::new("keysweep") {
        // Shows in the user agent of every event in the accounts' CloudTrail.
        loader = loader.app_name(name);
    }
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(given) = &settings.credentials {
        loader = loader.credentials_provider(Credentials::new(
            &given.access_key_id,
            given.secret_access_key.expose_secret(),
            given.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
            None,
            "keysweep",
        ));
    }
    let sdk = loader.load().await;
    if settings.endpoint.is_none() && !settings.allow_endpoint_override {
        refuse_endpoint_override(&sdk)?;
    }
    Ok(sdk)
}

/// The profile that the SDK reads.
pub(crate) fn profile_name() -> String {
    let named = std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
    named.unwrap_or_else(|| "default".to_owned())
}

/// Variables by which the environment names files that the SDK reads credentials with.
const FILE_VARIABLES: [&str; 4] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
];
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// Which of the files that the environment names cannot be read, in words. The SDK names neither variable nor file, and
/// passes over two of them in silence.
pub(crate) fn unreadable_files() -> Vec<String> {
    FILE_VARIABLES.iter().filter_map(|variable| unreadable(variable, &named_by(variable)?)).collect()
}

fn named_by(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn unreadable(variable: &str, path: &Path) -> Option<String> {
    let why = match std::fs::File::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_dir() => "it is a directory".to_owned(),
        Ok(_) => return None,
        Err(error) => error.to_string(),
    };
    Some(format!("could not read the file of {variable}={}: {why}", path.display()))
}

/// The certificates of `AWS_CA_BUNDLE`, if it is set: as for AWS's own tools, these are trusted and no others.
fn ca_bundle() -> Result<Option<Vec<u8>>, ConnectError> {
    let Some(path) = named_by(CA_BUNDLE) else { return Ok(None) };
    let unusable = |why: String| ConnectError::CaBundle { path: path.display().to_string(), why };
    let pem = std::fs::read(&path).map_err(|error| unusable(error.to_string()))?;
    check_certificates(&pem).map_err(unusable)?;
    Ok(Some(pem))
}

/// The connector panics where a certificate cannot be used, so each is tried before.
fn check_certificates(pem: &[u8]) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("it is not PEM: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("it has a certificate that cannot be used: {error}"))?;
    }
    if roots.is_empty() { Err("it has no certificate".to_owned()) } else { Ok(()) }
}

/// A stray variable must not redirect a daemon that deletes keys.
fn refuse_endpoint_override(sdk: &SdkConfig) -> Result<(), ConnectError> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let services = ENDPOINT_VARIABLES.iter().map(|(_, variable)| *variable);
    if let Some(name) = std::iter::once(ENDPOINT_VARIABLE).chain(services).find(|name| set(name)) {
        return Err(ConnectError::EndpointOverride(name.to_owned()));
    }
    // What is left comes from the shared configuration file.
    if sdk.endpoint_url().is_some() {
        return Err(ConnectError::EndpointOverride("endpoint_url of the AWS profile".to_owned()));
    }
    for (service, _) in ENDPOINT_VARIABLES {
        let key = ServiceConfigKey::builder()
            .service_id(service)
            .env(ENDPOINT_VARIABLE)
            .profile("endpoint_url")
            .build();
        let found = key.ok().and_then(|key| sdk.service_config()?.load_config(key));
        if found.is_some() {
            let what = format!("endpoint_url of {service} in the AWS profile");
            return Err(ConnectError::EndpointOverride(what));
        }
    }
    Ok(())
}

/// STS API reference: `roleSessionNameType` and `sourceIdentityType` are 2 to 64 of `\w+=,.@-`.
fn check_session_name(name: &str) -> Result<(), ConnectError> {
    let valid = (2..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
    if valid { Ok(()) } else { Err(ConnectError::SessionName(name.chars().take(80).collect())) }
}

/// An HTTPS client that honours `HTTPS_PROXY` and `NO_PROXY` when it talks to AWS, and nothing when it is given an
/// endpoint of its own. It trusts the certificates of the system, which `SSL_CERT_FILE` may replace, or those given.
fn http_client(
    proxy_from_environment: bool,
    certificates: Option<Vec<u8>>,
) -> Result<SharedHttpClient, ConnectError> {
    let trust = match certificates {
        Some(pem) => tls::TrustStore::empty().with_pem_certificate(pem),
        None => tls::TrustStore::default(),
    };
    let context = tls::TlsContext::builder().with_trust_store(trust).build().map_err(|error| {
        ConnectError::CaBundle { path: std::env::var(CA_BUNDLE).unwrap_or_default(), why: error.to_string() }
    })?;
    // Without a proxy the builder's own way is the same, but it offers no place to put one.
    let proxy = if proxy_from_environment { ProxyConfig::from_env() } else { ProxyConfig::disabled() };
    let http = Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .tls_context(context.clone())
            .build()
    });
    Ok(SharedHttpClient::new(Unchecked(http)))
}

/// A client that does not check itself whenever a service's client is made with it: the check reads every root
/// certificate of the system, and there is a service's client per account.
#[derive(Debug)]
struct Unchecked(SharedHttpClient);

impl HttpClient for Unchecked {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_name_that_sts_refuses_is_refused_at_start() {
        assert!(check_session_name("keysweep").is_ok());
        for name in ["", "x", "key sweep", "a:b", &"x".repeat(65)] {
            assert!(check_session_name(name).is_err(), "{name:?}");
        }
    }
}
