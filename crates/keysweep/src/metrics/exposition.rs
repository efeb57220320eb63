//! How families are written for Prometheus: the text format 0.0.4, and OpenMetrics 1.0 where a scraper asks for it.
//!
//! The registry's library writes the first only.

use std::fmt::{self, Write as _};

use prometheus::TextEncoder;
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::family::{Escaped, Gauges};

/// A format in which a scraper takes metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Its content type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format for an `Accept` header (RFC 9110, section 12.5.1): OpenMetrics where it is named, in version 1.0.0 or none,
    /// and text is not preferred to it.
    #[must_use]
    pub fn accepted(header: &str) -> Self {
        let (mut text, mut open) = (0.0, 0.0);
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut quality, mut version) = (1.0, None);
            for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => quality = value.trim().parse().unwrap_or(0.0),
                    "version" => version = Some(value.trim().trim_matches('"')),
                    _ => {}
                }
            }
            let best: &mut f64 = match media.as_str() {
                "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => {
                    &mut open
                }
                "text/plain" if version.is_none_or(|version| version == "0.0.4") => &mut text,
                _ => continue,
            };
            *best = best.max(quality);
        }
        if open > 0.0 && open >= text { Self::OpenMetrics } else { Self::Text }
    }
}

/// A family with its series.
#[derive(Debug)]
pub enum Family {
    /// From the registry.
    Registered(MetricFamily),
    /// Made for this scrape.
    Gauges(Gauges),
    /// Made when its turn comes: an organization has megabytes of them.
    Later(Later),
}

/// A family of gauges that is made when it is written.
pub struct Later {
    name: &'static str,
    make: Box<dyn FnOnce() -> Gauges + Send>,
}

impl Later {
    pub(super) fn new(name: &'static str, make: impl FnOnce() -> Gauges + Send + 'static) -> Self {
        Self { name, make: Box::new(make) }
    }
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Later").field(&self.name).finish()
    }
}

impl Family {
    fn name(&self) -> &str {
        match self {
            Self::Registered(family) => family.name(),
            Self::Gauges(gauges) => gauges.name,
            Self::Later(later) => later.name,
        }
    }

    fn text(self, format: Format) -> Result<Text, prometheus::Error> {
        let text = match (self, format) {
            (Self::Later(later), _) => return Ok(Text::Later(later)),
            (Self::Registered(family), _) if family.get_metric().is_empty() => String::new(),
            (Self::Registered(family), Format::Text) => TextEncoder::new().encode_to_string(&[family])?,
            (Self::Registered(family), Format::OpenMetrics) => open_metrics(&family),
            (Self::Gauges(gauges), format) => gauges_text(gauges, format),
        };
        Ok(Text::Ready(text))
    }
}

/// The text of a family; empty if it has no series.
enum Text {
    Ready(String),
    Later(Later),
}

fn gauges_text(Gauges { name, help, mut samples }: Gauges, format: Format) -> String {
    if !samples.is_empty() {
        samples.insert_str(0, &head(name, "gauge", help, format));
    }
    samples
}

impl From<MetricFamily> for Family {
    fn from(family: MetricFamily) -> Self {
        Self::Registered(family)
    }
}

impl From<Later> for Family {
    fn from(later: Later) -> Self {
        Self::Later(later)
    }
}

impl From<Gauges> for Family {
    fn from(gauges: Gauges) -> Self {
        Self::Gauges(gauges)
    }
}

/// Families by name, each a text of its own, made when it is asked for. Those without a series are left out.
///
/// # Errors
/// A family without a name: one of ours has a bug.
pub fn write(
    mut families: Vec<Family>,
    format: Format,
) -> Result<impl Iterator<Item = String> + Send + use<>, prometheus::Error> {
    families.sort_by(|a, b| a.name().cmp(b.name()));
    let texts: Vec<Text> =
        families.into_iter().map(|family| family.text(format)).collect::<Result<_, _>>()?;
    let texts = texts.into_iter().map(move |text| match text {
        Text::Ready(text) => text,
        Text::Later(later) => gauges_text((later.make)(), format),
    });
    let end = match format {
        Format::Text => None,
        Format::OpenMetrics => Some("# EOF\n".to_owned()),
    };
    Ok(texts.filter(|text| !text.is_empty()).chain(end))
}

fn head(name: &str, kind: &str, help: &str, format: Format) -> String {
    let help = match format {
        Format::Text => help.replace('\\', "\\\\").replace('\n', "\\n"),
        Format::OpenMetrics => Escaped(help).to_string(),
    };
    format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")
}

/// Counters are named without `_total`, their samples with it; limits of buckets are floats.
fn open_metrics(family: &MetricFamily) -> String {
    let name = family.name();
    let (kind, base) = match family.get_field_type() {
        MetricType::COUNTER => ("counter", name.strip_suffix("_total").unwrap_or(name)),
        MetricType::GAUGE => ("gauge", name),
        MetricType::HISTOGRAM => ("histogram", name),
        MetricType::SUMMARY => ("summary", name),
        MetricType::UNTYPED => ("unknown", name),
    };
    let mut text = head(base, kind, family.help(), Format::OpenMetrics);
    for metric in family.get_metric() {
        let mut sample = |suffix: &str, more: Option<(&str, &str)>, value: f64| {
            let labels = labels(metric, more);
            writeln!(text, "{base}{suffix}{labels} {value}").unwrap_or_default();
        };
        match family.get_field_type() {
            MetricType::COUNTER => sample("_total", None, metric.get_counter().get_value()),
            MetricType::GAUGE | MetricType::UNTYPED => sample("", None, metric.get_gauge().get_value()),
            MetricType::HISTOGRAM => {
                let histogram = metric.get_histogram();
                for bucket in histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite())
                {
                    let le = format!("{:?}", bucket.upper_bound());
                    sample("_bucket", Some(("le", &le)), bucket.cumulative_count() as f64);
                }
                sample("_bucket", Some(("le", "+Inf")), histogram.get_sample_count() as f64);
                sample("_count", None, histogram.get_sample_count() as f64);
                sample("_sum", None, histogram.get_sample_sum());
            }
            MetricType::SUMMARY => {
                let summary = metric.get_summary();
                sample("_count", None, summary.sample_count() as f64);
                sample("_sum", None, summary.sample_sum());
            }
        }
    }
    text
}

fn labels(metric: &Metric, more: Option<(&str, &str)>) -> String {
    let own = metric.get_label().iter().map(|label: &LabelPair| (label.name(), label.value()));
    let pairs: Vec<String> =
        own.chain(more).map(|(name, value)| format!("{name}=\"{}\"", Escaped(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

    use super::*;

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,\
                          text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (header, format) in [
            (prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"", Format::OpenMetrics),
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text; version=2.0.0", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=nonsense", Format::Text),
            ("application/openmetrics-text;q=0.5,text/plain;q=0.9", Format::Text),
        ] {
            assert_eq!(Format::accepted(header), format, "{header}");
        }
    }

    fn mk_families() -> Vec<Family> {
        let registry = Registry::new();
        let calls =
            IntCounterVec::new(Opts::new("calls_total", "Calls: \"all\" of\nthem."), &["api"]).unwrap();
        let took =
            HistogramVec::new(HistogramOpts::new("took_seconds", "T.").buckets(vec![0.5, 1.0]), &["api"]);
        let took = took.unwrap();
        registry.register(Box::new(calls.clone())).unwrap();
        registry.register(Box::new(took.clone())).unwrap();
        calls.with_label_values(&["a\\b\"c\nd"]).inc_by(3);
        took.with_label_values(&["x"]).observe(0.75);
        let mut keys = Gauges::new("keys", "Keys.");
        keys.push(&[("account_id", "111122223333"), ("name", "a\\b\"c\nd")], 7_u64);
        let mut families: Vec<Family> = registry.gather().into_iter().map(Family::from).collect();
        families.extend([
            keys.into(),
            Gauges::single("up", "Up.", 0.5).into(),
            Gauges::new("none", "None.").into(),
            Later::new("later_none", || Gauges::new("later_none", "None.")).into(),
            Later::new("later", || Gauges::single("later", "Later.", 1_u64)).into(),
        ]);
        families
    }

    #[test]
    fn text_is_as_the_format_says() {
        let text = write(mk_families(), Format::Text).unwrap().collect::<String>();
        assert_eq!(
            text,
            r#"# HELP calls_total Calls: "all" of\nthem.
# TYPE calls_total counter
calls_total{api="a\\b\"c\nd"} 3
# HELP keys Keys.
# TYPE keys gauge
keys{account_id="111122223333",name="a\\b\"c\nd"} 7
# HELP later Later.
# TYPE later gauge
later 1
# HELP took_seconds T.
# TYPE took_seconds histogram
took_seconds_bucket{api="x",le="0.5"} 0
took_seconds_bucket{api="x",le="1"} 1
took_seconds_bucket{api="x",le="+Inf"} 1
took_seconds_sum{api="x"} 0.75
took_seconds_count{api="x"} 1
# HELP up Up.
# TYPE up gauge
up 0.5
"#
        );
    }

    #[test]
    fn open_metrics_is_as_its_specification_says() {
        let text = write(mk_families(), Format::OpenMetrics).unwrap().collect::<String>();
        assert_eq!(
            text,
            r#"# HELP calls Calls: \"all\" of\nthem.
# TYPE calls counter
calls_total{api="a\\b\"c\nd"} 3
# HELP keys Keys.
# TYPE keys gauge
keys{account_id="111122223333",name="a\\b\"c\nd"} 7
# HELP later Later.
# TYPE later gauge
later 1
# HELP took_seconds T.
# TYPE took_seconds histogram
took_seconds_bucket{api="x",le="0.5"} 0
took_seconds_bucket{api="x",le="1.0"} 1
took_seconds_bucket{api="x",le="+Inf"} 1
took_seconds_count{api="x"} 1
took_seconds_sum{api="x"} 0.75
# HELP up Up.
# TYPE up gauge
up 0.5
# EOF
"#
        );
    }
}
