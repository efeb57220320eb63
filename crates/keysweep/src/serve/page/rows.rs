//! Keys as rows of a table.

use keysweep_core::facts::Source;
use keysweep_core::render::FindingRow;

use super::frame::{Chip, Frame, chip};
use super::query::{key_path, keys_with};
use super::words::{When, spaced};

/// One finding, or one key in the lifecycle.
pub(super) struct Row<'a> {
    pub(super) row: &'a FindingRow,
    /// Link to the key; `None` for a key of the root user, which has no page.
    pub(super) key: Option<(String, &'a str)>,
    pub(super) account: String,
    pub(super) finding: String,
    pub(super) severity: Option<Chip>,
    pub(super) state: String,
    pub(super) overlays: Vec<Chip>,
    pub(super) last_used: Option<When>,
    pub(super) used_with: Option<String>,
    pub(super) never_used: bool,
    pub(super) next: &'static str,
    pub(super) next_at: Option<When>,
    pub(super) due: bool,
    pub(super) owner: Option<Owner<'a>>,
}

/// Whose key it is, and how sure that is.
pub(super) struct Owner<'a> {
    pub(super) name: &'a str,
    pub(super) source: String,
    pub(super) left: Option<&'a str>,
}

/// Rows of keys.
pub(super) fn rows<'a>(frame: &Frame, rows: &'a [FindingRow]) -> Vec<Row<'a>> {
    rows.iter().map(|row| of(frame, row)).collect()
}

/// One row.
pub(super) fn of<'a>(frame: &Frame, row: &'a FindingRow) -> Row<'a> {
    let unknown_use = row.unknown.iter().any(|fact| fact.contains("last use"));
    let with = [row.last_used_service.as_deref(), row.last_used_region.as_deref()];
    let with: Vec<&str> = with.into_iter().flatten().collect();
    Row {
        row,
        key: row.access_key_id.as_deref().map(|key| (key_path(key), key)),
        account: keys_with("account", &row.account_id),
        finding: row.finding.map(|kind| spaced(kind.as_str())).unwrap_or_default(),
        severity: row.severity.map(|severity| chip(severity.as_str())),
        state: spaced(&row.state),
        overlays: row.overlays.iter().map(|overlay| chip(overlay)).collect(),
        last_used: frame.maybe(row.last_used_at),
        used_with: (!with.is_empty()).then(|| with.join(", ")),
        never_used: row.last_used_at.is_none() && !unknown_use && row.access_key_id.is_some(),
        next: row.next_action.as_str(),
        next_at: frame.maybe(row.next_action_at),
        due: row.next_action_at.is_some_and(|at| at <= frame.now),
        owner: row.owner.as_deref().map(|name| Owner {
            name,
            source: source(row),
            left: row.owner_left.as_deref(),
        }),
    }
}

fn source(row: &FindingRow) -> String {
    let source = row.owner_source.map_or("unknown source", |source| source.in_words());
    match row.owner_confidence {
        Some(confidence) => format!("from {source}; confidence: {}", confidence.as_str()),
        None => format!("from {source}"),
    }
}

/// Where a last use comes from, in words.
pub(super) fn source_in_words(source: Source) -> &'static str {
    match source {
        Source::Report => "credential report",
        Source::Live => "GetAccessKeyLastUsed",
        Source::Cloudtrail => "CloudTrail, which shows a later use than IAM",
        Source::AccessAnalyzer => "IAM Access Analyzer, which shows a later use than IAM",
    }
}
