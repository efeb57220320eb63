//! Data for programs on stdout.

use std::io::Write;

use serde::Serialize;

use super::error::CliError;
pub(super) use crate::export::{Column, FINDING, RECORD};

/// One JSON document, indented.
pub(super) fn json(out: &mut dyn Write, document: &impl Serialize) -> Result<(), CliError> {
    Ok(crate::export::json(out, document)?)
}

/// One JSON object a line.
pub(super) fn json_lines<T: Serialize>(
    out: &mut dyn Write,
    rows: impl IntoIterator<Item = T>,
) -> Result<(), CliError> {
    Ok(crate::export::json_lines(out, rows)?)
}

/// Comma-separated values under a header.
pub(super) fn csv<'a, T: 'a>(
    out: &mut dyn Write,
    columns: &[Column<T>],
    rows: impl IntoIterator<Item = &'a T>,
) -> Result<(), CliError> {
    Ok(crate::export::csv(out, columns, rows)?)
}
