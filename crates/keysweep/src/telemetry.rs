//! Traces: what a sweep spends its time on, sent to an OpenTelemetry collector over OTLP/HTTP.
//!
//! Built with the feature `otel`. Settings are those that the OpenTelemetry specification names: without
//! `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` nothing is sent, and `OTEL_SDK_DISABLED=true`
//! switches it off. Spans are `sweep`, in it a `scan` for each account and a `change` for each key, and in those every
//! call to AWS by its name. They carry account and key IDs, and no secret: what libraries say of themselves is left
//! out.

#[cfg(not(feature = "otel"))]
pub use self::absent::Telemetry;
#[cfg(feature = "otel")]
pub use self::present::Telemetry;

/// A collector that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("OpenTelemetry: {0}")]
pub struct TelemetryError(String);

#[cfg(feature = "otel")]
mod present {
    use std::env;
    use std::time::Duration;

    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_otlp::SpanExporter;
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::Level;
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::filter::filter_fn;

    use super::TelemetryError;
    use crate::logging::Traces;

    const NAME: &str = "keysweep";
    const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

    /// For the last spans, when the daemon has stopped: within what a service manager waits for it.
    const WITHIN: Duration = Duration::from_secs(5);

    /// Sends spans to a collector, if there is one.
    #[derive(Debug)]
    pub struct Telemetry(Option<SdkTracerProvider>);

    impl Telemetry {
        /// As the environment says.
        ///
        /// # Errors
        /// If what it says cannot be used, such as an address that is none.
        pub fn from_environment() -> Result<Self, TelemetryError> {
            let given = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
            let disabled =
                env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
            if disabled || !ENDPOINTS.iter().any(given) {
                return Ok(Self(None));
            }
            // The exporter's HTTP client takes the provider of the process, even for plain HTTP. An earlier one stays.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let exporter = SpanExporter::builder().with_http().build();
            let exporter = exporter.map_err(|error| TelemetryError(error.to_string()))?;
            let mut resource = Resource::builder();
            // A name of the environment's own goes first.
            if env::var_os("OTEL_SERVICE_NAME").is_none() {
                resource = resource.with_service_name(NAME);
            }
            Ok(Self(Some(
                SdkTracerProvider::builder()
                    .with_batch_exporter(exporter)
                    .with_resource(resource.build())
                    .build(),
            )))
        }

        /// What has to be told of spans.
        #[must_use]
        pub fn layer(&self) -> Option<Traces> {
            let provider = self.0.as_ref()?;
            let layer = tracing_opentelemetry::layer()
                .with_tracer(provider.tracer(NAME))
                .with_location(false)
                .with_threads(false);
            let ours = filter_fn(|metadata| {
                let ours = metadata.target().split("::").next().is_some_and(|name| name.starts_with(NAME));
                ours && metadata.is_span() && *metadata.level() <= Level::DEBUG
            });
            Some(layer.with_filter(ours).boxed())
        }

        /// Sends what is left.
        pub async fn end(self) {
            let Some(provider) = self.0 else { return };
            let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(WITHIN)).await;
            if let Ok(Err(error)) = ended {
                tracing::warn!(%error, "the last spans were not sent to the collector");
            }
        }
    }
}

#[cfg(not(feature = "otel"))]
mod absent {
    use super::TelemetryError;
    use crate::logging::Traces;

    /// Nothing: this program was built without the feature `otel`.
    #[derive(Debug)]
    pub struct Telemetry(());

    impl Telemetry {
        /// Always succeeds.
        ///
        /// # Errors
        /// Never.
        pub fn from_environment() -> Result<Self, TelemetryError> {
            Ok(Self(()))
        }

        /// Nobody.
        #[must_use]
        pub fn layer(&self) -> Option<Traces> {
            None
        }

        /// There is nothing left to send.
        pub async fn end(self) {}
    }
}
