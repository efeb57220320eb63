//! The audit log: who did what, newest first.

use askama::Template;
use keysweep_api::{JournalDocument, JournalRow, ListJournal};

use super::frame::{Frame, Shell, View, html};
use super::query::{Query, key_path};
use super::timeline::{Line, line};
use super::words::spaced;

const PATH: &str = "/audit";

#[derive(Template)]
#[template(path = "audit.html")]
struct Page<'a> {
    shell: Shell<'a>,
    query: &'a ListJournal,
    people: bool,
    filtered: bool,
    rows: Vec<Row<'a>>,
    first: Option<String>,
    next: Option<String>,
}

struct Row<'a> {
    row: &'a JournalRow,
    line: Line,
    event: String,
    key: Option<(String, &'a str)>,
    account: Option<(String, &'a str)>,
}

/// The view of the audit log.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn audit(
    frame: &Frame,
    query: &ListJournal,
    document: &JournalDocument,
) -> Result<String, askama::Error> {
    let limit = query.limit.map(|limit| limit.to_string());
    let filters = Query::default()
        .with("event", query.event.as_deref())
        .with("actor", query.actor.as_deref())
        .with("key", query.key.as_deref())
        .with("account", query.account.as_deref())
        .with("people", query.people.as_deref());
    let filtered = !filters.pairs().is_empty();
    let all = filters.with("limit", limit.as_deref());
    html(&Page {
        shell: frame.shell(View::Audit, "Audit log", Some(document.generated_at), true),
        people: query.people.as_deref() == Some("true"),
        query,
        filtered,
        rows: document.entries.iter().map(|entry| row(frame, entry)).collect(),
        first: query.cursor.is_some().then(|| all.href(PATH)),
        next: document.next_cursor.as_deref().map(|cursor| all.with("cursor", Some(cursor)).href(PATH)),
    })
}

fn row<'a>(frame: &Frame, row: &'a JournalRow) -> Row<'a> {
    let account = row.account_id.as_deref();
    let about = |account| Query::default().with("account", Some(account)).href(PATH);
    Row {
        line: line(frame.now, &row.entry),
        event: spaced(&row.event),
        key: row.access_key_id.as_deref().map(|key| (key_path(key), key)),
        account: account.map(|account| (about(account), account)),
        row,
    }
}
