//! Every account: what was scanned, what was not, and why.

use askama::Template;
use keysweep_api::{AccountRow, AccountsDocument, ListAccounts};

use super::frame::{Chip, Frame, Shell, View, chip, html};
use super::query::{Query, keys_with};
use super::words::{When, counted, number};

const PATH: &str = "/accounts";

/// Reaches, as in the filter.
const REACHES: [&str; 4] = ["scanned", "failed", "skipped", "left"];

#[derive(Template)]
#[template(path = "accounts.html")]
struct Page<'a> {
    shell: Shell<'a>,
    q: &'a str,
    reaches: Vec<(&'static str, bool)>,
    filtered: bool,
    total: String,
    rows: Vec<Row<'a>>,
    first: Option<String>,
    next: Option<String>,
}

struct Row<'a> {
    row: &'a AccountRow,
    keys: String,
    reach: Chip,
    since: Option<When>,
    scanned: Option<When>,
    stale: (String, String),
    deactivated: (String, String),
    parked: Option<When>,
}

/// The view of accounts.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn accounts(
    frame: &Frame,
    query: &ListAccounts,
    document: &AccountsDocument,
) -> Result<String, askama::Error> {
    let reach = query.reach.as_deref().unwrap_or_default();
    let limit = query.limit.map(|limit| limit.to_string());
    let all = Query::default()
        .with("q", query.q.as_deref())
        .with("reach", query.reach.as_deref())
        .with("limit", limit.as_deref());
    html(&Page {
        shell: frame.shell(View::Accounts, "Accounts", Some(document.generated_at), true),
        q: query.q.as_deref().unwrap_or_default(),
        reaches: REACHES.into_iter().map(|name| (name, name == reach)).collect(),
        filtered: !reach.is_empty() || query.q.as_deref().is_some_and(|q| !q.is_empty()),
        total: counted(document.total, "account", "accounts"),
        rows: document.accounts.iter().map(|account| row(frame, account)).collect(),
        first: query.cursor.is_some().then(|| all.href(PATH)),
        next: document.next_cursor.as_deref().map(|cursor| all.with("cursor", Some(cursor)).href(PATH)),
    })
}

fn row<'a>(frame: &Frame, row: &'a AccountRow) -> Row<'a> {
    let keys = |name, value| {
        Query::default().with("account", Some(&row.account_id)).with(name, Some(value)).href("/keys")
    };
    Row {
        row,
        keys: keys_with("account", &row.account_id),
        reach: chip(&row.reach),
        since: frame.maybe(row.since),
        scanned: frame.maybe(row.scanned_at),
        stale: (keys("finding", "stale"), number(row.stale)),
        deactivated: (keys("state", "deactivated"), number(row.deactivated)),
        parked: frame.maybe(row.parked_until),
    }
}
