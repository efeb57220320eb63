//! Log messages, on stderr.
//!
//! No secret reaches a log (promise P12): of the modules of others hardly any is shown, because what HTTP clients and the
//! AWS SDK say holds headers and answers, and those hold session tokens.

mod graded;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{EnvFilter, Layer, Registry};

pub use self::graded::{Graded, Prefixed, priority};
use crate::safe::{safe, safe_colours, safe_json};

/// Text or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text for people, with colours or without.
    Text {
        /// Whether there are colours.
        colour: bool,
    },
    /// JSON, one object a line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is none.
    #[error("log level {level:?}")]
    Level {
        /// What it is.
        level: String,
        /// Why it is none.
        source: ParseError,
    },
    /// There is a log already.
    #[error("set up the log")]
    Taken {
        /// Why.
        source: tracing::subscriber::SetGlobalDefaultError,
    },
}

/// Is told of every message that is logged, by its level.
pub type Count = Arc<dyn Fn(Level) + Send + Sync>;

/// Whoever else is told of spans, besides the log.
pub type Traces = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends the messages of this process to `writer` from now on.
///
/// `level` is a level, or a list of them by module as in `info,keysweep_aws=debug`.
///
/// # Errors
/// The level is none, or this was called before.
pub fn init<W>(
    level: &str,
    form: Form,
    writer: W,
    count: Count,
    traces: Option<Traces>,
) -> Result<(), LoggingError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let subscriber = subscriber(level, form, writer, count, traces)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|source| LoggingError::Taken { source })
}

fn subscriber<W>(
    level: &str,
    form: Form,
    writer: W,
    count: Count,
    traces: Option<Traces>,
) -> Result<impl Subscriber + Send + Sync, LoggingError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let wanted = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(level)
        .map_err(|source| LoggingError::Level { level: level.into(), source })?;
    let layer = tracing_subscriber::fmt::layer().with_writer(OneLine { writer, form });
    let layer: Traces = match form {
        Form::Text { colour } => layer.with_ansi(colour).with_target(false).boxed(),
        Form::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
    };
    let counted = layer.and_then(Counter(count)).with_filter(wanted).with_filter(filter_fn(may_be_shown));
    let layers: Vec<Traces> = std::iter::once(counted.boxed()).chain(traces).collect();
    Ok(Registry::default().with(layers))
}

/// Keeps each message on its line: names and reasons of others end none, begin none and move no cursor.
struct OneLine<W> {
    writer: W,
    form: Form,
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for OneLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        OneLine { writer: self.writer.make_writer(), form: self.form }
    }

    fn make_writer_for(&'w self, message: &Metadata<'_>) -> Self::Writer {
        OneLine { writer: self.writer.make_writer_for(message), form: self.form }
    }
}

impl<W: Write> Write for OneLine<W> {
    /// Takes one message with the line break at its end, as the layer hands it over.
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(message);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = match self.form {
            // Of the escape sequences of others the layer writes out only those in the message itself.
            Form::Text { colour: true } => safe_colours(line),
            Form::Text { colour: false } => safe(line),
            Form::Json => safe_json(line),
        };
        self.writer.write_all(format!("{line}\n").as_bytes())?;
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Modules of others whose warnings are shown: they hold no credentials. Those of the AWS SDK do: what goes wrong while
/// the hub's credentials are fetched is told with the whole answer, session token and all. A `Fault` says the same
/// without it.
const OTHERS: [&str; 2] = ["opentelemetry", "sled"];

/// Whether messages like this one can hold no secret, and are worth showing.
fn may_be_shown(metadata: &Metadata<'_>) -> bool {
    let module = metadata.target().split("::").next().unwrap_or_default();
    module.starts_with("keysweep")
        || (*metadata.level() <= Level::WARN && OTHERS.iter().any(|other| module.starts_with(other)))
}

struct Counter(Count);

impl<S: Subscriber> Layer<S> for Counter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        (self.0)(*event.metadata().level());
    }
}

/// Stderr beside a progress bar: the bar steps aside for each message.
#[derive(Clone)]
pub struct Beside(indicatif::ProgressBar);

impl Beside {
    /// Stderr beside this bar.
    #[must_use]
    pub fn new(bar: indicatif::ProgressBar) -> Self {
        Self(bar)
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beside")
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Beside {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// What is logged by `work`, and how many messages were counted.
    fn log(level: &str, form: Form, work: impl FnOnce()) -> (String, Vec<Level>) {
        let (log, levels) = (Log::default(), Arc::new(Mutex::new(Vec::new())));
        let (writer, counted) = (log.clone(), Arc::clone(&levels));
        let count: Count = Arc::new(move |level| counted.lock().unwrap().push(level));
        let subscriber = subscriber(level, form, move || writer.clone(), count, None).unwrap();
        tracing::subscriber::with_default(subscriber, work);
        let levels = levels.lock().unwrap().clone();
        (log.text(), levels)
    }

    #[test]
    fn each_message_that_is_shown_is_counted_by_its_level() {
        let (text, levels) = log("info", Form::Text { colour: false }, || {
            tracing::debug!("unseen");
            tracing::info!("swept");
            tracing::warn!("strange");
        });
        assert_eq!(levels, [Level::INFO, Level::WARN]);
        assert!(text.contains("swept") && text.contains("strange") && !text.contains("unseen"), "{text}");
    }

    #[test]
    fn json_has_one_object_a_line_with_the_fields_at_the_top() {
        let (text, _) = log("info", Form::Json, || tracing::info!(account = "111122223333", "scanned"));
        let value: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(value["message"], "scanned");
        assert_eq!(value["account"], "111122223333");
        assert_eq!(value["level"], "INFO");
    }

    #[test]
    fn a_message_stays_on_its_line_whatever_it_is_about() {
        let name = "a\n2026-01-01T00:00:00Z ERROR forged\u{1b}[2J\u{9b}2J\u{202e}\u{2028}\r";
        for form in [Form::Text { colour: false }, Form::Text { colour: true }, Form::Json] {
            let (text, _) = log("info", form, || tracing::info!(user = %name, why = name, "{name}"));
            let line = text.strip_suffix('\n').unwrap();
            assert!(!line.contains(['\n', '\r', '\u{9b}', '\u{202e}', '\u{2028}']), "{line:?}");
            assert!(!line.contains("\u{1b}[2J"), "{line:?}");
            if form == Form::Json {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!((value["why"].as_str(), value["user"].as_str()), (Some(name), Some(name)));
            }
        }
    }

    #[test]
    fn what_clients_and_the_sdk_say_is_never_shown() {
        let (text, levels) = log("trace", Form::Text { colour: false }, || {
            tracing::debug!(target: "hyper_util::client", "x-amz-security-token: IQoJ");
            tracing::trace!(target: "aws_smithy_runtime", "authorization: AWS4");
            tracing::warn!(target: "aws_config::meta::credentials::chain", "provider failed: <SessionToken>IQoJ");
            tracing::error!(target: "aws_runtime::env_config", "AWS4");
            tracing::warn!(target: "opentelemetry_sdk", "not exported");
            tracing::debug!("ours");
        });
        assert_eq!(levels, [Level::WARN, Level::DEBUG]);
        assert!(text.contains("ours") && text.contains("not exported"), "{text}");
        assert!(!text.contains("IQoJ") && !text.contains("AWS4"), "{text}");
    }

    #[test]
    fn a_level_can_be_set_by_module() {
        let (text, _) = log("warn,keysweep_aws=debug", Form::Text { colour: false }, || {
            tracing::info!("unseen");
            tracing::debug!(target: "keysweep_aws::session", "seen");
        });
        assert!(text.contains("seen") && !text.contains("unseen"), "{text}");
    }

    #[test]
    fn a_level_that_is_none_is_an_error() {
        assert!(init("keysweep=loud", Form::Json, io::sink, Arc::new(|_| ()), None).is_err());
    }
}
