//! Entries of the journal in sentences: who did what, and through which channel.

mod body;
mod key;

use jiff::Timestamp;
use keysweep_core::evidence::TracedCall;
use keysweep_core::facts::LastUse;
use keysweep_core::state::{Actor, Body, Entry};
use keysweep_core::ticket::{Action, Planned};

use super::words::{When, capital, instant, when};

/// An entry, ready to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Number of the entry.
    pub(super) number: u64,
    /// Name of the event.
    pub(super) event: &'static str,
    /// Its time.
    pub(super) at: When,
    /// Whoever acted, where the sentence begins with them.
    pub(super) who: Option<String>,
    /// The sentence, or what follows `who`.
    pub(super) text: String,
    /// The way that the decision came; `None` for keysweep itself.
    pub(super) channel: Option<&'static str>,
}

/// A sentence about an entry.
enum Sentence {
    /// What the actor of the entry did: follows their name.
    By(String),
    /// What somebody else did: follows their name.
    ByOther(Actor, String),
    /// What happened.
    Plain(String),
}

/// The line of an entry.
pub(super) fn line(now: Timestamp, entry: &Entry) -> Line {
    let told = match &entry.body {
        Body::Key { event, .. } => key::sentence(event),
        other => body::sentence(other),
    };
    let (actor, text) = match told {
        Sentence::By(text) => (entry.actor.clone(), text),
        Sentence::ByOther(actor, text) => (actor, text),
        Sentence::Plain(text) => {
            // The name of the program has no capital.
            let text = if text.starts_with("keysweep ") { text } else { capital(&text) };
            return Line { text: ended(text), ..bare(now, entry, &entry.actor) };
        }
    };
    Line { who: Some(actor.to_string()), text: ended(text), ..bare(now, entry, &actor) }
}

fn bare(now: Timestamp, entry: &Entry, actor: &Actor) -> Line {
    Line {
        number: entry.seq,
        event: entry.body.name(),
        at: when(now, entry.at),
        who: None,
        text: String::new(),
        channel: channel(actor),
    }
}

/// The way that a decision came, in words.
fn channel(actor: &Actor) -> Option<&'static str> {
    match actor.channel() {
        "cli" => Some("on the command line"),
        "api" => Some("through the API"),
        "page" => Some("on the web page"),
        "slack" => Some("in Slack"),
        "link" => Some("through a signed link; anyone who had the link could use it"),
        _ => None,
    }
}

/// A sentence with its full stop.
fn ended(mut text: String) -> String {
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text
}

/// A reason in quotation marks.
fn quoted(reason: &str) -> String {
    format!("\u{201c}{reason}\u{201d}")
}

/// A change in words, after `to`.
fn doing(action: Action) -> &'static str {
    match action {
        Action::Quarantine => "quarantine the user",
        Action::EndQuarantine => "end the quarantine of the user",
        Action::Deactivate => "deactivate the key",
        Action::Reactivate => "reactivate the key",
        Action::Delete => "delete the key",
    }
}

/// A planned change as a noun.
fn change(planned: Planned) -> &'static str {
    match planned {
        Planned::Deactivate => "deactivation",
        Planned::Delete => "deletion",
    }
}

/// A call that CloudTrail shows.
pub(super) fn call(call: &TracedCall) -> String {
    let from = call.address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
    let with = call.user_agent.as_ref().map(|agent| format!(" with {agent}")).unwrap_or_default();
    format!("by {} on {}{from}{with}", call.by, instant(call.at))
}

/// A last use in words.
fn last_use(last_use: &LastUse) -> String {
    match last_use {
        LastUse::Never => "never used".to_owned(),
        LastUse::At { at, service: Some(service), .. } => {
            format!("last used {} with {service}", instant(*at))
        }
        LastUse::At { at, service: None, .. } => format!("last used {}", instant(*at)),
    }
}

#[cfg(test)]
mod tests;
