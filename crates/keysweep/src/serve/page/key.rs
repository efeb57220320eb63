//! One key: facts with their source, owner, policy, timeline, decisions.

mod facts;
mod forms;

use askama::Template;
use keysweep_api::{HoldRow, KeyDocument, KeyRow};
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::Note;
use keysweep_core::state::{Body, Entry};

use self::facts::{Fact, facts};
use self::forms::Forms;
pub(super) use self::forms::Request;
use super::frame::{Chip, Frame, Shell, View, chip, html};
use super::query::{key_path, keys_with};
use super::timeline::{Line, line};
use super::words::{When, spaced};

#[derive(Template)]
#[template(path = "key.html")]
struct Page<'a> {
    shell: Shell<'a>,
    document: &'a KeyDocument,
    key: &'a str,
    path: String,
    user: &'a str,
    account_id: &'a str,
    account_name: Option<&'a str>,
    account_keys: String,
    state: Chip,
    overlays: Vec<Chip>,
    since: Option<When>,
    next: Option<Next<'a>>,
    unknown: &'a [String],
    warnings: &'a [String],
    remediation: &'a [String],
    facts: Vec<Fact>,
    owner: Vec<(&'static str, String)>,
    owner_left: Option<&'a str>,
    holds: Vec<Hold<'a>>,
    request: Option<Request<'a>>,
    has_evidence: bool,
    forms: Forms,
    timeline: Vec<Line>,
}

struct Next<'a> {
    action: &'static str,
    at: Option<When>,
    due: bool,
    why: &'a str,
}

pub(super) struct Hold<'a> {
    pub(super) row: &'a HoldRow,
    pub(super) kind: &'static str,
    pub(super) since: When,
    pub(super) until: Option<When>,
}

/// The view of one key.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn key(
    frame: &Frame,
    key: &str,
    document: &KeyDocument,
) -> Result<String, askama::Error> {
    let (record, row) = (document.record.as_ref(), document.facts.as_ref());
    let state = record.map_or_else(|| row.map_or("active", |row| row.state.as_str()), |record| &record.state);
    let overlays = row.map_or_else(|| record.map(|it| &it.overlays), |row| Some(&row.overlays));
    let account_id =
        record.map_or_else(|| row.map_or("", |row| row.account_id.as_str()), |it| &it.account_id);
    let shell = frame.shell(View::Keys, format!("Access key {key}"), Some(document.generated_at), false);
    let request = record.and_then(|record| record.approval.as_ref()).and_then(|it| Request::of(frame, it));
    let own = shell.own && request.as_ref().is_some_and(|request| request.row.owner_can_approve);
    let fields = shell.approve || shell.operate || own;
    html(&Page {
        shell: Shell { fields, ..shell },
        key,
        path: key_path(key),
        user: record.map_or_else(|| row.map_or("", |row| row.user_name.as_str()), |it| &it.user_name),
        account_id,
        account_name: row
            .and_then(|row| row.account_name.as_deref())
            .or_else(|| record.and_then(|record| record.account_name.as_deref())),
        account_keys: keys_with("account", account_id),
        state: chip(state),
        overlays: overlays.into_iter().flatten().map(|overlay| chip(overlay)).collect(),
        since: frame.maybe(record.and_then(|record| record.since)),
        next: next(frame, document),
        unknown: row.map_or(&[][..], |row| &row.unknown),
        warnings: row.map_or(&[][..], |row| &row.warnings),
        remediation: row.map_or(&[][..], |row| &row.remediation),
        facts: facts(frame, document),
        owner: owner(document),
        owner_left: record
            .and_then(|record| record.owner.as_ref()?.left.as_deref())
            .or_else(|| row.and_then(|row| row.owner_left.as_deref())),
        holds: record.map(|record| holds(frame, record)).unwrap_or_default(),
        request,
        has_evidence: document.history.iter().any(is_evidence),
        forms: Forms::of(
            state,
            record,
            overlays.is_some_and(|all| all.iter().any(|it| it == "out_of_reach")),
        ),
        timeline: document.history.iter().rev().map(|entry| line(frame.now, entry)).collect(),
        document,
    })
}

fn is_evidence(entry: &Entry) -> bool {
    matches!(entry.body, Body::Key { event: KeyEvent::Record(Note::BundleWritten { .. }), .. })
}

fn next<'a>(frame: &Frame, document: &'a KeyDocument) -> Option<Next<'a>> {
    // The facts know the plan of the last sweep; the record alone, what it waits for.
    let (action, at, why) = match (&document.facts, &document.record) {
        (Some(row), _) => (row.next_action, row.next_action_at, &row.next_action_reason),
        (None, Some(record)) => (record.next_action, record.next_action_at, &record.next_action_reason),
        (None, None) => return None,
    };
    let due = at.is_some_and(|at| at <= frame.now);
    Some(Next { action: action.as_str(), at: frame.maybe(at), due, why })
}

fn owner(document: &KeyDocument) -> Vec<(&'static str, String)> {
    if let Some(owner) = document.record.as_ref().and_then(|record| record.owner.as_ref()) {
        let reached = [("E-mail", &owner.email), ("Slack", &owner.slack), ("Webhook", &owner.webhook)];
        let mut all = vec![
            ("Owner", owner.name.clone()),
            ("Source", owner.source.in_words().to_owned()),
            ("Confidence", owner.confidence.as_str().to_owned()),
        ];
        all.extend(reached.into_iter().filter_map(|(what, value)| Some((what, value.clone()?))));
        return all;
    }
    let Some(row) = document.facts.as_ref() else { return Vec::new() };
    let Some(name) = &row.owner else { return Vec::new() };
    let source = row.owner_source.map(|source| ("Source", source.in_words().to_owned()));
    let confidence = row.owner_confidence.map(|it| ("Confidence", it.as_str().to_owned()));
    [Some(("Owner", name.clone())), source, confidence].into_iter().flatten().collect()
}

fn holds<'a>(frame: &Frame, record: &'a KeyRow) -> Vec<Hold<'a>> {
    let hold = |row: &'a HoldRow| Hold {
        row,
        kind: super::holds::kind(row.kind),
        since: frame.when(row.since),
        until: frame.maybe(row.until),
    };
    record.holds.iter().map(hold).collect()
}

/// A compliance control list or similar in one line.
fn joined(all: &[String]) -> Option<String> {
    (!all.is_empty()).then(|| all.join(", "))
}

fn severity(document: &KeyDocument) -> Option<&'static str> {
    document.facts.as_ref()?.severity.map(|severity| severity.as_str())
}

fn finding(document: &KeyDocument) -> Option<String> {
    let seen = document.facts.as_ref().and_then(|row| row.finding);
    let recorded = document.record.as_ref().and_then(|record| record.finding);
    seen.or(recorded).map(|kind| spaced(kind.as_str()))
}
