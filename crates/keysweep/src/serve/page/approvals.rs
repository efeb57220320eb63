//! Requests for approval, with everything that is needed to decide.

use askama::Template;
use keysweep_api::{ApprovalsDocument, KeyFilter, PendingApproval};

use super::filter::FilterForm;
use super::frame::{Chip, Frame, Shell, View, chip, html};
use super::key::Request;
use super::query::{Query, key_path, keys_with};
use super::words::{When, spaced};

const PATH: &str = "/approvals";

#[derive(Template)]
#[template(path = "approvals.html")]
struct Page<'a> {
    shell: Shell<'a>,
    form: FilterForm<'a>,
    filtered: bool,
    filter: Vec<(&'static str, String)>,
    cards: Vec<Card<'a>>,
}

struct Card<'a> {
    row: &'a PendingApproval,
    path: String,
    account_keys: String,
    chip: Chip,
    state: String,
    finding: String,
    overlays: Vec<Chip>,
    not_needed: Option<When>,
    request: Request<'a>,
}

/// The view of requests for approval.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn approvals(
    frame: &Frame,
    filter: &KeyFilter,
    document: &ApprovalsDocument,
) -> Result<String, askama::Error> {
    let form = FilterForm::new(PATH, filter, &Query::default());
    let card = |row| card(frame, row);
    html(&Page {
        shell: frame.shell(View::Approvals, "Approvals", Some(document.generated_at), true),
        filtered: !form.active.is_empty(),
        filter: Query::of(filter).pairs().to_vec(),
        form,
        cards: document.approvals.iter().filter_map(card).collect(),
    })
}

fn card<'a>(frame: &Frame, row: &'a PendingApproval) -> Option<Card<'a>> {
    Some(Card {
        row,
        path: key_path(&row.access_key_id),
        account_keys: keys_with("account", &row.account_id),
        chip: chip(row.approval.action.as_str()),
        state: spaced(&row.state),
        finding: spaced(&row.finding),
        overlays: row.overlays.iter().map(|overlay| chip(overlay)).collect(),
        not_needed: frame.maybe(row.not_needed_at),
        request: Request::of(frame, &row.approval)?,
    })
}
