//! A request for approval in a Slack message: how it stands, and how to decide.

use keysweep_core::state::Actor;
use keysweep_core::ticket::Planned;
use keysweep_notify::slack::{ApprovalActions, Button, ButtonStyle, approval_buttons, buttons};
use serde_json::Value;

use super::clean::{line, web};
use super::facts::{NAME, REASON, person};
use super::when::Clock;
use crate::people::request::{Request, RequestName, Standing, Verdict};

/// What a message shows of a request beside its key.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Whether somebody can still decide.
    pub(super) is_open: bool,
    /// How it stands, on one line each; nothing while nobody has done anything.
    pub(super) status: Vec<String>,
    /// The page of the key, and what the link says.
    pub(super) page: Option<(String, &'static str)>,
    /// Buttons.
    pub(super) buttons: Option<Value>,
}

impl Asked {
    pub(super) fn new(request: &Request, clock: &Clock<'_>) -> Self {
        let Request { standing, name, page } = request;
        let deletes = name.as_ref().is_some_and(|name| name.action == Planned::Delete);
        let label = match (standing.is_open(), name) {
            (true, None) => "Decide on the page",
            (true, Some(_)) if deletes => "Approve on the page",
            (true, Some(_)) | (false, _) => "Show me",
        };
        let page = page.as_deref().and_then(web).map(|url| (url.to_owned(), label));
        let buttons = name.as_ref().and_then(of_request);
        Self { is_open: standing.is_open(), status: status(standing, clock), page, buttons }
    }

    /// Whether the reader sees here how to decide.
    pub(super) fn is_answered(&self) -> bool {
        !self.is_open || self.page.is_some()
    }
}

/// The buttons of a request. A deletion is never approved in Slack: it cannot be undone.
fn of_request(name: &RequestName) -> Option<Value> {
    let value = name.to_string();
    let (approve, deny, claim) = (Verdict::Approve.id(), Verdict::Deny.id(), Verdict::Claim.id());
    let made = match name.action {
        Planned::Deactivate => approval_buttons(&ApprovalActions { approve, deny, claim }, &value),
        Planned::Delete => {
            let button = |text, action_id, style| Button { text, action_id, value: &value, style };
            buttons(&[
                button("Deny…", deny, ButtonStyle::Danger),
                button("I am looking at it", claim, ButtonStyle::Plain),
            ])
        }
    };
    // Name and IDs are far shorter than Slack's limits.
    made.inspect_err(|error| tracing::error!(%error, "a request has no buttons in Slack")).ok()
}

fn status(standing: &Standing, clock: &Clock<'_>) -> Vec<String> {
    let people = |actors: &[Actor]| actors.iter().map(person).collect::<Vec<_>>().join(" and ");
    let because =
        |why: &Option<String>| why.as_ref().map(|why| format!(": {}", line(why, REASON))).unwrap_or_default();
    match standing {
        Standing::Open { claim, given, needed } => {
            let looking = claim
                .as_ref()
                .map(|(by, until)| format!("{} is looking at it, until {}", person(by), clock.time(*until)));
            let count = given.len();
            let given = (count > 0).then(|| format!("Approved by {} ({count} of {needed})", people(given)));
            given.into_iter().chain(looking).collect()
        }
        Standing::Approved(by) => vec![format!("Approved by {}", people(by))],
        Standing::Denied(by, why) => vec![format!("Denied by {}{}", people(by), because(why))],
        Standing::Expired => vec!["Expired: nobody decided in time".to_owned()],
        Standing::Void(why) => vec![format!("No decision is needed any more{}", because(why))],
    }
    .into_iter()
    .map(|text| line(&text, 3 * NAME + REASON))
    .collect()
}
