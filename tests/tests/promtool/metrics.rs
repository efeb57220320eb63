//! The metrics themselves.

use std::path::Path;

use super::exposed::exposition;
use super::tool::promtool;

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let (content, said) = promtool(Path::new("."), &["check", "metrics"], &exposition());
    assert!(content && said.is_empty(), "{said}");
}
