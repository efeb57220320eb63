//! ARCHITECTURE.md carries the complete lifecycle, as the code has it.

// The exceptions that clippy.toml makes for tests reach `#[test]` functions, not their helpers.
#![allow(clippy::unwrap_used)]

mod events;
mod records;
mod table;

use std::path::Path;

use crate::table::matrix;

const BEGIN: &str = "<!-- lifecycle matrix: begin -->\n";
const END: &str = "<!-- lifecycle matrix: end -->";

#[test]
fn the_architecture_page_shows_the_lifecycle_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let page = std::fs::read_to_string(&path).expect("read ARCHITECTURE.md");
    let (before, rest) = page.split_once(BEGIN).expect("the page marks where the table begins");
    let (table, after) = rest.split_once(END).expect("the page marks where the table ends");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let updated = format!("{before}{BEGIN}{}{END}{after}", matrix());
        std::fs::write(&path, updated).expect("write ARCHITECTURE.md");
    } else {
        assert_eq!(table, matrix(), "run the tests once with UPDATE_GOLDEN=1 and look at what changed");
    }
}

#[test]
fn the_table_has_a_row_for_each_event_and_a_column_for_each_state() {
    let table = matrix();
    let width = |line: &str| line.matches('|').count();
    assert!(table.lines().all(|line| width(line) == 9), "{table}");
    // 52 events, of which 7 name one of two planned changes and 4 one of five calls.
    assert_eq!(table.lines().count(), 2 + 41 + 7 * 2 + 4 * 5, "{table}");
}

#[test]
fn each_row_can_happen_in_some_state() {
    let table = matrix();
    let never = table.lines().skip(2).filter(|row| row.matches(" - |").count() == 7);
    assert_eq!(never.collect::<Vec<_>>(), Vec::<&str>::new());
}
