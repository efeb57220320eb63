//! Data for programs: JSON, JSON lines and CSV.

use std::borrow::Cow;
use std::io::{self, Write};

use jiff::Timestamp;
use keysweep_core::finding::Severity;
use keysweep_core::owner::{Confidence, OwnerSource};
use keysweep_core::render::FindingRow;
use serde::Serialize;

use keysweep_api::KeyRow;

/// Why data cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// The data has no JSON form.
    #[error("write json")]
    Json {
        /// Why.
        source: serde_json::Error,
    },
    /// The data has no CSV form.
    #[error("write csv")]
    Csv {
        /// Why.
        source: csv::Error,
    },
    /// Nobody takes the data.
    #[error("write")]
    Output {
        /// Why.
        source: io::Error,
    },
}

/// A column of a CSV file: its name, and its value in a row.
pub(crate) type Column<T> = (&'static str, fn(&T) -> String);

/// One JSON document, indented.
pub(crate) fn json(out: &mut dyn Write, document: &impl Serialize) -> Result<(), ExportError> {
    serde_json::to_writer_pretty(&mut *out, document).map_err(|source| ExportError::Json { source })?;
    writeln!(out).map_err(|source| ExportError::Output { source })
}

/// One JSON object a line.
pub(crate) fn json_lines<T: Serialize>(
    out: &mut dyn Write,
    rows: impl IntoIterator<Item = T>,
) -> Result<(), ExportError> {
    for row in rows {
        serde_json::to_writer(&mut *out, &row).map_err(|source| ExportError::Json { source })?;
        writeln!(out).map_err(|source| ExportError::Output { source })?;
    }
    Ok(())
}

/// Comma-separated values under a header.
pub(crate) fn csv<'a, T: 'a>(
    out: &mut dyn Write,
    columns: &[Column<T>],
    rows: impl IntoIterator<Item = &'a T>,
) -> Result<(), ExportError> {
    csv_part(out, columns, rows, true)
}

/// Some of the rows, under the header or without it.
pub(crate) fn csv_part<'a, T: 'a>(
    out: &mut dyn Write,
    columns: &[Column<T>],
    rows: impl IntoIterator<Item = &'a T>,
    with_header: bool,
) -> Result<(), ExportError> {
    let failed = |source| ExportError::Csv { source };
    let mut writer = csv::Writer::from_writer(out);
    if with_header {
        writer.write_record(columns.iter().map(|(name, _)| name)).map_err(failed)?;
    }
    for row in rows {
        let cells: Vec<String> = columns.iter().map(|(_, value)| value(row)).collect();
        writer.write_record(cells.iter().map(|cell| harmless(cell).into_owned())).map_err(failed)?;
    }
    writer.flush().map_err(|source| ExportError::Output { source })
}

/// A cell that no spreadsheet takes for a formula.
///
/// Anybody who may create a user chooses its name, and `=`, `+`, `-` and `@` begin a formula; tab and line breaks
/// are skipped before one; some take the full-width forms for the same (OWASP, CSV injection). An apostrophe in front
/// is what spreadsheets take for "text follows". `--format json` has every value as it is.
fn harmless(cell: &str) -> Cow<'_, str> {
    let starts = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    if cell.starts_with(starts) { format!("'{cell}").into() } else { cell.into() }
}

/// A finding as the contract of `scan --format json` lists it; what was added later follows at the end.
pub(crate) const FINDING: [Column<FindingRow>; 32] = [
    ("account_id", |row| row.account_id.clone()),
    ("account_name", |row| optional(row.account_name.as_ref())),
    ("user_name", |row| row.user_name.clone()),
    ("user_id", |row| optional(row.user_id.as_ref())),
    ("access_key_id", |row| optional(row.access_key_id.as_ref())),
    ("status", |row| row.status.clone()),
    ("created_at", |row| time(row.created_at)),
    ("last_used_at", |row| time(row.last_used_at)),
    ("last_used_service", |row| optional(row.last_used_service.as_ref())),
    ("last_used_region", |row| optional(row.last_used_region.as_ref())),
    ("idle_days", |row| optional(row.idle_days.as_ref())),
    ("age_days", |row| optional(row.age_days.as_ref())),
    ("finding", |row| optional(row.finding.as_ref())),
    ("severity", |row| row.severity.map(Severity::as_str).unwrap_or_default().into()),
    ("compliance", |row| row.compliance.join("; ")),
    ("remediation", |row| row.remediation.join("; ")),
    ("state", |row| row.state.clone()),
    ("overlays", |row| row.overlays.join("; ")),
    ("unknown", |row| row.unknown.join("; ")),
    ("next_action", |row| row.next_action.as_str().into()),
    ("next_action_at", |row| time(row.next_action_at)),
    ("owner", |row| optional(row.owner.as_ref())),
    ("source", |row| row.source.as_str().into()),
    ("report_generated_at", |row| time(row.report_generated_at)),
    ("next_action_reason", |row| row.next_action_reason.clone()),
    ("warnings", |row| row.warnings.join("; ")),
    ("approval_request", |row| optional(row.approval_request.as_ref())),
    ("reactivations", |row| row.reactivations.to_string()),
    ("subject", |row| row.subject.as_str().into()),
    ("owner_source", |row| row.owner_source.map(OwnerSource::as_str).unwrap_or_default().into()),
    ("owner_confidence", |row| row.owner_confidence.map(Confidence::as_str).unwrap_or_default().into()),
    ("owner_left", |row| optional(row.owner_left.as_ref())),
];

/// A record.
pub(crate) const RECORD: [Column<KeyRow>; 22] = [
    ("account_id", |row| row.account_id.clone()),
    ("account_name", |row| optional(row.account_name.as_ref())),
    ("user_name", |row| row.user_name.clone()),
    ("user_id", |row| row.user_id.clone()),
    ("access_key_id", |row| row.access_key_id.clone()),
    ("created_at", |row| row.created_at.to_string()),
    ("state", |row| row.state.clone()),
    ("since", |row| time(row.since)),
    ("overlays", |row| row.overlays.join("; ")),
    ("finding", |row| optional(row.finding.as_ref())),
    ("hold", |row| optional(row.hold.as_ref())),
    ("watched_seconds", |row| optional(row.watched_seconds.as_ref())),
    ("approval_pending", |row| optional(row.approval_pending.as_ref())),
    ("next_action", |row| row.next_action.as_str().into()),
    ("next_action_at", |row| time(row.next_action_at)),
    ("next_action_reason", |row| row.next_action_reason.clone()),
    ("approval_request", |row| optional(row.approval.as_ref().map(|approval| &approval.request))),
    ("reactivations", |row| row.reactivations.to_string()),
    ("owner", |row| optional(row.owner.as_ref().map(|owner| &owner.name))),
    ("owner_source", |row| row.owner.as_ref().map(|owner| owner.source.as_str()).unwrap_or_default().into()),
    ("owner_confidence", |row| {
        row.owner.as_ref().map(|owner| owner.confidence.as_str()).unwrap_or_default().into()
    }),
    ("owner_left", |row| optional(row.owner.as_ref().and_then(|owner| owner.left.as_ref()))),
];

fn optional(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn time(at: Option<Timestamp>) -> String {
    optional(at.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_begins_like_a_formula_is_a_text() {
        for cell in ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\u{ff1d}1", "\u{ff20}A1"] {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        for cell in ["ci-deploy", "", "a=b", "user@example.com"] {
            assert_eq!(harmless(cell), cell);
        }
    }

    #[test]
    fn a_csv_has_a_header_and_its_cells_are_harmless() {
        let row = serde_json::json!({
            "subject": "key", "account_id": "000000000042", "user_name": "=HYPERLINK(\"x\")", "status": "Active",
            "compliance": ["CIS 1.12", "IAM.22"], "remediation": [], "state": "active", "overlays": [],
            "unknown": [], "next_action": "none", "next_action_reason": "a, b", "source": "live", "warnings": [],
        });
        let row: FindingRow = serde_json::from_value(row).unwrap();
        let mut out = Vec::new();
        csv(&mut out, &FINDING, [&row]).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (header, line) = text.trim_end().split_once('\n').unwrap();
        assert!(
            header.starts_with("account_id,account_name,user_name,user_id,access_key_id,status,"),
            "{header}"
        );
        let expected = "000000000042,,\"'=HYPERLINK(\"\"x\"\")\",,,Active,,,,,,,,,CIS 1.12; IAM.22,,active,,,none,,,live,,\"a, b\",,,0,key,,,";
        assert_eq!(line, expected);
    }

    #[test]
    fn a_csv_has_every_field_of_the_contract_under_its_name() {
        let row = serde_json::json!({
            "subject": "key", "account_id": "1", "user_name": "", "status": "", "compliance": [], "remediation": [], "state": "",
            "overlays": [], "unknown": [], "next_action": "none", "next_action_reason": "", "source": "live",
            "warnings": [],
        });
        let row: FindingRow = serde_json::from_value(row).unwrap();
        let json = serde_json::to_value(&row).unwrap();
        let fields: std::collections::BTreeSet<&str> =
            json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(FINDING.iter().map(|(name, _)| *name).collect::<std::collections::BTreeSet<_>>(), fields);
    }
}
