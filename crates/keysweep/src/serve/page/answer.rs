//! The page behind a link in a notice: it shows the key, and asks before anything happens. A mail scanner that follows links
//! decides nothing.

use std::time::Duration;

use askama::Template;
use axum::http::HeaderValue;
use jiff::Timestamp;
use keysweep_core::facts::LastUse;
use keysweep_core::lifecycle::{Notice, Record, State as KeyState};
use keysweep_core::notice::{Audience, Item, NoticeKind};

use super::frame::policy_with;
use super::words::{instant, moment};
use crate::engine::Engine;
use crate::operator::{is_current, may_reactivate};
use crate::people::{Link, Purpose};
use crate::safe::safe_lines;

const STYLE: &str =
    concat!(include_str!("../../../templates/page.css"), include_str!("../../../templates/answer.css"));

/// Lengths of a hold that an owner can choose from, in days; the longest permitted one is among them.
const DAYS: [u64; 3] = [7, 14, 30];

const DAY: Duration = Duration::from_secs(86_400);

/// What browsers are told to load, and where they may send the form: to the page itself.
pub(in crate::serve) fn answer_policy() -> HeaderValue {
    policy_with(STYLE)
}

/// What came of an answer.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Told {
    /// Whether it was done.
    pub(in crate::serve) good: bool,
    /// In words.
    pub(in crate::serve) text: String,
}

#[derive(Template)]
#[template(path = "answer.html")]
struct Page {
    style: &'static str,
    title: &'static str,
    told: Option<Told>,
    key: Option<Key>,
    form: Option<Form>,
    recipient: String,
}

struct Key {
    id: String,
    user: String,
    account: String,
    last_used: String,
    state: String,
    more: Vec<(&'static str, String)>,
}

struct Form {
    explanation: &'static str,
    asks_reason: bool,
    reason: String,
    days: Vec<u64>,
    button: &'static str,
}

/// The page of a link. `told` is what came of an answer; without it, the page asks, if the link still holds.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn answer_page(
    engine: &Engine,
    link: &Link,
    told: Option<Told>,
    reason: &str,
) -> Result<String, askama::Error> {
    let now = engine.clock().now();
    let most = engine.config().policy.notices.owner_hold_max;
    let (key, holds) = engine.store().read(|state| match state.record(&link.key) {
        // A key that belongs to somebody else by now is nobody's business here.
        Some(record)
            if is_current(state, record, &Link { purpose: Purpose::Show, ..link.clone() }).is_ok() =>
        {
            let account = state.account(record.identity.account).map(|account| account.name.clone());
            let holds = match link.purpose {
                Purpose::Reactivate => may_reactivate(state, record, link),
                Purpose::StillNeeded | Purpose::NoLongerNeeded | Purpose::Show => {
                    is_current(state, record, link)
                }
            };
            (Some(key(record, account.as_deref(), now)), holds.map_err(|refusal| refusal.to_string()))
        }
        Some(_) | None => (None, Err("keysweep no longer tracks this key, or its owner changed".to_owned())),
    });
    let done = told.as_ref().is_some_and(|told| told.good);
    let form = holds.as_ref().ok().filter(|()| !done).and_then(|()| form(link.purpose, most, reason));
    let told = told.or_else(|| holds.err().map(|text| Told { good: false, text }));
    let page =
        Page { style: STYLE, title: title(link.purpose), told, key, form, recipient: link.recipient.clone() };
    page.render().map(|html| safe_lines(&html).into_owned())
}

fn title(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::StillNeeded => "Keep an access key",
        Purpose::NoLongerNeeded => "No longer needed",
        Purpose::Reactivate => "Reactivate an access key",
        Purpose::Show => "Access key",
    }
}

fn form(purpose: Purpose, most: Duration, reason: &str) -> Option<Form> {
    let most_days = most.as_secs() / DAY.as_secs();
    let mut days: Vec<u64> = DAYS.into_iter().filter(|days| *days < most_days).chain([most_days]).collect();
    days.dedup();
    let (explanation, asks_reason, days, button) = match purpose {
        Purpose::StillNeeded => (
            "keysweep puts the key on hold and does not change it until the hold ends. Then it notifies you again.",
            true,
            days,
            "Hold the key",
        ),
        Purpose::NoLongerNeeded => (
            "keysweep records your answer for the security team and changes nothing earlier than announced.",
            false,
            Vec::new(),
            "I no longer need this key",
        ),
        Purpose::Reactivate => (
            "keysweep sets the key Active in AWS now and puts it on hold. The security team is notified.",
            true,
            Vec::new(),
            "Reactivate now",
        ),
        Purpose::Show => return None,
    };
    Some(Form { explanation, asks_reason, reason: reason.to_owned(), days, button })
}

fn key(record: &Record, account: Option<&str>, now: Timestamp) -> Key {
    let item = Item::about(record, NoticeKind::DeactivationAhead, Audience::Owner, now);
    let id = record.identity.account;
    let mut more = Vec::new();
    let date = |at: Option<Timestamp>| at.map(|at| moment(now, at));
    let notice = record.notice();
    match &record.state {
        KeyState::Flagged(_) => {
            more.extend(
                date(notice.and_then(|n| n.deactivation)).map(|at| ("Deactivation, at the earliest", at)),
            );
        }
        KeyState::Deactivated(_) => {
            more.extend(
                date(notice.and_then(|n: &Notice| n.deletion)).map(|at| ("Deletion, at the earliest", at)),
            );
        }
        KeyState::Active
        | KeyState::Deactivating(_)
        | KeyState::Deleting(_)
        | KeyState::Deleted(_)
        | KeyState::Gone(_) => {}
    }
    more.extend(record.holds_in_words().map(|holds| ("On hold", holds)));
    Key {
        id: record.identity.key.to_string(),
        user: record.user_name.to_string(),
        account: account.map_or_else(|| id.to_string(), |name| format!("{name} ({id})")),
        last_used: match item.last_use {
            Some(LastUse::At { at, service: Some(service), .. }) => {
                format!("{} with {service}", moment(now, at))
            }
            Some(LastUse::At { at, service: None, .. }) => moment(now, at),
            Some(LastUse::Never) => format!("never; created {}", instant(record.identity.created)),
            None => "unknown".to_owned(),
        },
        state: record.state.as_str().to_owned(),
        more,
    }
}
