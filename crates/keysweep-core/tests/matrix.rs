//! ARCHITECTURE.md carries the complete lifecycle, as the code has it.

use std::path::Path;

use keysweep_core::lifecycle::matrix;

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
    // 34 events, of which 9 name one of three actions.
    assert_eq!(table.lines().count(), 2 + 25 + 9 * 3, "{table}");
}
