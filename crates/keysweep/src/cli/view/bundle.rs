//! A bundle as a page for people who read reports. It holds no script and asks for nothing else.

use askama::Template;
use keysweep_api::{Bundle, Signature};
use keysweep_core::lifecycle::event::Purpose;
use serde_json::Value;

use super::journal::all_details;
use crate::evidence::{CheckError, Checked};
use crate::safe::safe_lines;

const STYLE: &str = include_str!("../../../templates/evidence.css");

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// The file is no bundle.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The template cannot be written out.
    #[error("write the page")]
    Template(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "evidence.html")]
struct Page<'a> {
    style: &'static str,
    sha256: &'a str,
    bundle: &'a Bundle,
    signature: Option<&'a Signature>,
    purpose: &'static str,
    watched: Option<String>,
    entries: Vec<Entry>,
}

/// An entry of the history.
struct Entry {
    seq: String,
    at: String,
    actor: String,
    what: String,
}

impl Entry {
    /// One that a later version wrote is shown as it is.
    fn of(value: &Value) -> Self {
        match serde_json::from_value::<keysweep_core::state::Entry>(value.clone()) {
            Ok(entry) => Self {
                seq: entry.seq.to_string(),
                at: entry.at.to_string(),
                actor: entry.actor.to_string(),
                what: format!("{} {}", entry.body.name(), all_details(&entry)),
            },
            Err(_) => {
                Self { seq: String::new(), at: String::new(), actor: String::new(), what: value.to_string() }
            }
        }
    }
}

/// The page of a bundle's file.
///
/// # Errors
/// If the file is no bundle.
pub(in crate::cli) fn bundle_page(file: &[u8]) -> Result<String, HtmlError> {
    let checked = Checked::of_bytes(file)?;
    let bundle = &checked.bundle;
    let page = Page {
        style: STYLE,
        sha256: checked.id.as_str(),
        bundle,
        signature: checked.signature(),
        purpose: match bundle.purpose {
            Purpose::Deletion => "for the deletion of the key",
            Purpose::Request => "on request",
        },
        watched: bundle
            .lifecycle
            .watched_seconds
            .map(|seconds| format!("{} days {} hours", seconds / 86_400, seconds % 86_400 / 3_600)),
        entries: bundle.history.iter().map(Entry::of).collect(),
    };
    // A name that turns the order of what is read would do so here as well.
    Ok(safe_lines(&page.render()?).into_owned())
}
