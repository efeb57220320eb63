//! Documents as tables, one form of text for terminal and tests.

mod bundle;
mod doctor;
mod finding;
mod journal;
mod key;
mod notices;
mod people;
mod rules;
mod status;

pub use self::bundle::HtmlError;
pub(super) use self::bundle::bundle_page;
pub use self::doctor::{doctor_summary, doctor_text};
pub(super) use self::finding::is_exempt;
pub use self::finding::{plan_summary, plan_table, scan_summary, scan_table};
pub(super) use self::journal::details;
pub use self::journal::entries_table;
pub use self::key::{approval_text, breaker_text, key_text, keys_table};
pub use self::notices::{notices_summary, notices_table};
pub use self::people::{approvals_table, exemptions_table, holds_table, sessions_table};
pub use self::rules::rules_text;
pub use self::status::status_text;
pub use super::console::{Screen, Width};
use super::table::Tone;
use keysweep_core::finding::Severity;

fn tone(severity: Option<Severity>) -> Tone {
    match severity {
        Some(Severity::Critical | Severity::High) => Tone::Bad,
        Some(Severity::Medium) => Tone::Worth,
        Some(Severity::Low) | None => Tone::Plain,
    }
}

/// An account by ID, and name where there is one.
fn account(id: &str, name: Option<&str>) -> String {
    name.map_or_else(|| id.to_owned(), |name| format!("{id} {name}"))
}
