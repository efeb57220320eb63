//! Holds and exemptions: who placed them, why, until when, and what they match now.

use askama::Template;
use jiff::SignedDuration;
use keysweep_api::{ExemptionRow, ExemptionsDocument, HeldKey, HoldsDocument};
use keysweep_core::lifecycle::HoldKind;

use super::frame::{Frame, Shell, View, html};
use super::query::{key_path, keys_with};
use super::words::{When, spaced};

/// From here on, an exemption that matches nothing is pointed out.
const IDLE: SignedDuration = SignedDuration::from_hours(24 * 90);

#[derive(Template)]
#[template(path = "holds.html")]
struct Page<'a> {
    shell: Shell<'a>,
    holds: Vec<Hold<'a>>,
    exemptions: Vec<Exemption<'a>>,
    idle: usize,
}

struct Hold<'a> {
    row: &'a HeldKey,
    path: String,
    account: String,
    state: String,
    kind: &'static str,
    since: When,
    until: Option<When>,
}

struct Exemption<'a> {
    row: &'a ExemptionRow,
    examples: Vec<(String, &'a str)>,
    granted: Option<Granted<'a>>,
    idle_since: Option<When>,
    /// Whether it has matched nothing for long.
    idle: bool,
}

/// What is known of an exemption that an operator granted.
struct Granted<'a> {
    number: u64,
    by: &'a str,
    since: When,
    until: When,
}

/// The view of holds and exemptions.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn holds(
    frame: &Frame,
    holds: &HoldsDocument,
    exemptions: &ExemptionsDocument,
) -> Result<String, askama::Error> {
    let shell = frame.shell(View::Holds, "Holds and exemptions", Some(holds.generated_at), false);
    let ends = exemptions.exemptions.iter().any(|row| row.number.is_some() && !row.lapsed);
    let fields = (shell.approve && !holds.holds.is_empty()) || (shell.operate && ends);
    let exemptions: Vec<_> = exemptions.exemptions.iter().map(|row| exemption(frame, row)).collect();
    html(&Page {
        shell: Shell { fields, ..shell },
        holds: holds.holds.iter().map(|row| hold(frame, row)).collect(),
        idle: exemptions.iter().filter(|exemption| exemption.idle).count(),
        exemptions,
    })
}

fn hold<'a>(frame: &Frame, row: &'a HeldKey) -> Hold<'a> {
    Hold {
        row,
        path: key_path(&row.access_key_id),
        account: keys_with("account", &row.account_id),
        state: spaced(&row.state),
        kind: kind(row.kind),
        since: frame.when(row.since),
        until: frame.maybe(row.until),
    }
}

fn exemption<'a>(frame: &Frame, row: &'a ExemptionRow) -> Exemption<'a> {
    Exemption {
        row,
        granted: granted(frame, row),
        examples: row.examples.iter().map(|key| (key_path(key), key.as_str())).collect(),
        idle_since: frame.maybe(row.idle_since),
        idle: row.idle_since.is_some_and(|since| frame.now.duration_since(since) >= IDLE),
    }
}

fn granted<'a>(frame: &Frame, row: &'a ExemptionRow) -> Option<Granted<'a>> {
    let until = row.until.parse().ok()?;
    Some(Granted {
        number: row.number?,
        by: row.by.as_deref()?,
        since: frame.when(row.since?),
        until: frame.when(until),
    })
}

/// Why a hold was placed.
pub(super) fn kind(kind: HoldKind) -> &'static str {
    match kind {
        HoldKind::Operator => "Placed by a person",
        HoldKind::Owner => "Placed by the owner through a notice",
        HoldKind::Reactivated => "The key was set Active after its deactivation",
        HoldKind::Unclear => "The outcome of a deactivation is unclear",
        HoldKind::LastUseMoved => "The key shows a use after its deactivation",
        HoldKind::Denied => "A request for approval was denied",
        HoldKind::Unanswered => "Nobody decided on the request for approval",
        HoldKind::Transient => "A change failed for a temporary reason",
        HoldKind::Quarantine => "The key was used in quarantine, or someone ended the quarantine",
    }
}
