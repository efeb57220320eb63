//! The templates of a message, with those of the operator in the place of ours.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::value::{Rest as Arguments, Serde};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, escape_formatter};

use super::clean::slack;
use super::view::Context;

/// Names and built-in texts.
const BUILT_IN: [(&str, &str); 4] = [
    (SUBJECT, include_str!("templates/subject.txt")),
    (TEXT, include_str!("templates/mail.txt")),
    (HTML, include_str!("templates/mail.html")),
    (SLACK, include_str!("templates/slack.txt")),
];

pub(super) const SUBJECT: &str = "subject.txt";
pub(super) const TEXT: &str = "mail.txt";
pub(super) const HTML: &str = "mail.html";
pub(super) const SLACK: &str = "slack.txt";

/// What a template may cost: a message with 50 keys takes a hundredth of it.
const FUEL: u64 = 2_000_000;

/// The longest text that a template may make, in bytes.
const LONGEST: usize = 1 << 20;

/// The name of the escaping for Slack.
const MRKDWN: AutoEscape = AutoEscape::Custom(Cow::Borrowed("mrkdwn"));

/// Columns of plain text.
const COLUMNS: usize = 76;

/// The templates of messages.
#[derive(Debug)]
pub(super) struct Templates {
    environment: Environment<'static>,
    overrides: BTreeMap<String, String>,
}

impl Templates {
    /// The built-in templates, with these in the place of those of the same name.
    ///
    /// # Errors
    /// If a name is unknown, or a template is not valid; the text names template and line.
    pub(super) fn new(overrides: &BTreeMap<String, String>) -> Result<Self, String> {
        if let Some(name) = overrides.keys().find(|name| BUILT_IN.iter().all(|(known, _)| known != name)) {
            let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(format!("unknown template {name:?}: expected one of {}", known.join(", ")));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        let syntax = environment.syntax().to_builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| error.to_string())?);
        environment.set_auto_escape_callback(|name| match name {
            HTML => AutoEscape::Html,
            SLACK => MRKDWN,
            _ => AutoEscape::None,
        });
        environment.set_formatter(|out, state, value| match state.auto_escape() {
            AutoEscape::Custom(_) if value.is_undefined() => Err(Error::from(ErrorKind::UndefinedError)),
            AutoEscape::Custom(_) if value.is_safe() || value.is_none() => write_str(out, &value.to_string()),
            AutoEscape::Custom(_) => write_str(out, &slack(&value.to_string())),
            _ => escape_formatter(out, state, value),
        });
        environment.add_filter("wrap", |text: &str, indent: Arguments<usize>| {
            wrap(text, indent.first().copied().unwrap_or(0))
        });
        environment.add_filter("pad", |text: &str, width: usize| format!("{text:width$}"));
        environment
            .add_filter("underline", |text: &str| format!("{text}\n{}", "-".repeat(text.chars().count())));
        environment.add_filter("code", code);
        for (name, text) in BUILT_IN {
            let text = overrides.get(name).map_or(text, String::as_str);
            environment.add_template_owned(name, text.to_owned()).map_err(|error| explain(name, &error))?;
        }
        Ok(Self { environment, overrides: overrides.clone() })
    }

    /// Whether the operator overrides a template.
    pub(super) fn overrides(&self, name: &str) -> bool {
        self.overrides.contains_key(name)
    }

    /// The text that a template makes.
    ///
    /// # Errors
    /// If it fails; the text names template and line.
    pub(super) fn render(&self, name: &str, context: &Context<'_>) -> Result<String, String> {
        let rendered = self
            .environment
            .get_template(name)
            .and_then(|template| template.render(Value::from(Serde(context))));
        let text = rendered.map_err(|error| explain(name, &error))?;
        match text.len() {
            0..=LONGEST => Ok(text),
            length => Err(format!("template {name}: makes {length} bytes; the limit is {LONGEST}")),
        }
    }
}

fn write_str(out: &mut minijinja::Output<'_>, text: &str) -> Result<(), Error> {
    out.write_str(text).map_err(Error::from)
}

/// Where and why a template fails.
fn explain(name: &str, error: &Error) -> String {
    let place = error.line().map_or_else(String::new, |line| format!(", line {line}"));
    let why = match error.kind() {
        ErrorKind::OutOfFuel => "takes too many steps; does it loop?".to_owned(),
        kind => error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
    };
    format!("template {name}{place}: {why}")
}

/// Breaks a text at spaces into lines; all but the first begin with so many spaces.
fn wrap(text: &str, indent: usize) -> String {
    let width = COLUMNS.saturating_sub(indent).max(20);
    let (mut out, mut column) = (String::with_capacity(text.len()), 0_usize);
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column.saturating_add(1).saturating_add(length) > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column = column.saturating_add(1);
        }
        out.push_str(word);
        column = column.saturating_add(length);
    }
    out
}

/// HTML in which what stands between backticks is code.
fn code(text: &str) -> Value {
    let pieces = text.split('`').enumerate().map(|(n, piece)| {
        let piece = minijinja::HtmlEscape(piece).to_string();
        if n % 2 == 1 { format!("<code>{piece}</code>") } else { piece }
    });
    Value::from_safe_string(pieces.collect())
}
