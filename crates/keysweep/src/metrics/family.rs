//! Gauges that are made for one scrape and forgotten after it.

use std::fmt::{self, Write as _};

use jiff::Timestamp;

/// A gauge family under construction. Without a series it is left out.
///
/// Its series are text from the beginning: an organization has a hundred thousand of them.
#[derive(Debug)]
pub struct Gauges {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// One line per series, the same in every format.
    pub(super) samples: String,
}

impl Gauges {
    pub(super) fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, samples: String::new() }
    }

    /// A family of one series without labels.
    pub(super) fn single(name: &'static str, help: &'static str, value: impl Value) -> Self {
        let mut family = Self::new(name, help);
        family.push(&[], value);
        family
    }

    /// Adds a series. Labels are given in the order in which they are to appear.
    pub(super) fn push(&mut self, labels: &[(&str, &str)], value: impl Value) {
        let (name, value, labels) = (self.name, value.value(), Labels(labels));
        // Text takes whatever is written.
        writeln!(self.samples, "{name}{labels} {value}").unwrap_or_default();
    }
}

/// Labels of a sample, in braces.
struct Labels<'a>(&'a [(&'a str, &'a str)]);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            write!(f, "{before}{name}=\"{}\"", Escaped(value))?;
        }
        if self.0.is_empty() { Ok(()) } else { f.write_char('}') }
    }
}

/// A text within quotation marks.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            other => f.write_char(other),
        })
    }
}

/// What a gauge can show.
pub(super) trait Value {
    fn value(&self) -> f64;
}

impl Value for bool {
    fn value(&self) -> f64 {
        f64::from(u8::from(*self))
    }
}

impl Value for u64 {
    /// Exact up to 2^53: nothing here counts further.
    fn value(&self) -> f64 {
        *self as f64
    }
}

impl Value for f64 {
    fn value(&self) -> f64 {
        *self
    }
}

impl Value for Timestamp {
    fn value(&self) -> f64 {
        seconds(*self)
    }
}

/// Unix time in seconds, to the millisecond.
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
