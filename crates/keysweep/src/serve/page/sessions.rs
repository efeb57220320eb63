//! Who has logged in, for operators.

use askama::Template;
use keysweep_api::{SessionRow, SessionsDocument};

use super::frame::{Frame, Shell, View, html};
use super::words::When;

#[derive(Template)]
#[template(path = "sessions.html")]
struct Page<'a> {
    shell: Shell<'a>,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    row: &'a SessionRow,
    role: &'static str,
    since: When,
    seen: When,
}

/// The view of sessions.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn sessions(
    frame: &Frame,
    document: &SessionsDocument,
) -> Result<String, askama::Error> {
    let shell = frame.shell(View::Sessions, "Sessions", Some(document.generated_at), false);
    let fields = shell.operate && !document.sessions.is_empty();
    html(&Page {
        shell: Shell { fields, ..shell },
        rows: document.sessions.iter().map(|it| row(frame, it)).collect(),
    })
}

fn row<'a>(frame: &Frame, row: &'a SessionRow) -> Row<'a> {
    let role = row.role.map_or("none", |role| role.as_str());
    Row { row, role, since: frame.when(row.since), seen: frame.when(row.seen) }
}
