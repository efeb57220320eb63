//! Tables for people.

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table};

use super::console::{Screen, Width};
use super::text::safe;

/// No column gets narrower than a short word and its padding.
const MIN_WIDTH: u16 = 6;

/// How a cell is coloured, by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// Look at this first.
    Bad,
    /// Look at this.
    Worth,
    /// Of less interest than the rest.
    Faint,
}

/// A text with its meaning. What is unsafe to show is written out.
#[derive(Debug, Clone)]
pub(super) struct Text(String, Tone);

impl Text {
    pub(super) fn new(text: impl AsRef<str>, tone: Tone) -> Self {
        Self(safe(text.as_ref()).into_owned(), tone)
    }
}

impl<T: AsRef<str>> From<T> for Text {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Lays rows out under a header. Columns in which nothing stands are left out.
pub(super) fn table<const N: usize>(screen: Screen, header: [&str; N], rows: Vec<[Text; N]>) -> String {
    let shown: Vec<usize> = (0..N)
        .filter(|column| rows.iter().any(|row| row.get(*column).is_some_and(|text| !text.0.is_empty())))
        .collect();
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    match screen.width {
        Width::Terminal => table.set_content_arrangement(ContentArrangement::Dynamic),
        Width::Columns(columns) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns)
        }
        Width::Any => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if screen.colour {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    let head =
        |column: &usize| header.get(*column).map(|name| Cell::new(name).add_attribute(Attribute::Bold));
    // What is copied and pasted stays in one piece.
    let whole = |column: &usize| match header.get(*column) {
        Some(&"KEY") => ColumnConstraint::ContentWidth,
        Some(_) | None => ColumnConstraint::LowerBoundary(comfy_table::Width::Fixed(MIN_WIDTH)),
    };
    table.set_header(shown.iter().filter_map(head));
    table.set_constraints(shown.iter().map(whole));
    for row in &rows {
        table.add_row(shown.iter().filter_map(|column| row.get(*column)).map(cell));
    }
    // Trailing blanks only make golden files and copies ugly.
    let lines = table.lines().map(|line| if screen.colour { line } else { line.trim_end().to_owned() });
    lines.fold(String::new(), |text, line| text + line.strip_prefix(' ').unwrap_or(&line) + "\n")
}

fn cell(Text(text, tone): &Text) -> Cell {
    let cell = Cell::new(text);
    match tone {
        Tone::Plain => cell,
        Tone::Bad => cell.fg(Color::Red),
        Tone::Worth => cell.fg(Color::Yellow),
        Tone::Faint => cell.add_attribute(Attribute::Dim),
    }
}
