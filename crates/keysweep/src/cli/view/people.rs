//! Requests for approval, holds, exemptions, and sessions as tables.

use std::time::Duration;

use jiff::Timestamp;
use keysweep_api::{ApprovalsDocument, ExemptionRow, ExemptionsDocument, HoldsDocument, SessionsDocument};

use super::{Screen, account};
use crate::cli::table::{Text, Tone, table};
use crate::cli::text::when;

/// An exemption that has matched nothing for so long is pointed out.
const IDLE: Duration = Duration::from_secs(90 * 86_400);

/// Open requests.
#[must_use]
pub fn approvals_table(document: &ApprovalsDocument, screen: Screen) -> String {
    if document.approvals.is_empty() {
        return String::new();
    }
    let now = document.generated_at;
    let rows = document.approvals.iter().map(|row| {
        let approval = &row.approval;
        let claimed = approval.claimed_by.as_ref().map(|by| format!("{by} is looking at it"));
        let unneeded = row.not_needed_at.map(|_| "the owner no longer needs the key".to_owned());
        let why = [Some(approval.reason.clone()), unneeded, claimed];
        [
            approval.request.as_str().into(),
            approval.action.as_str().into(),
            (&row.access_key_id).into(),
            (&row.user_name).into(),
            account(&row.account_id, row.account_name.as_deref()).into(),
            row.owner.as_deref().unwrap_or_default().into(),
            format!("{} of {}", approval.approved_by.len(), approval.approvals_needed).into(),
            when(now, approval.expires_at).into(),
            why.into_iter().flatten().collect::<Vec<_>>().join("; ").into(),
        ]
    });
    let header = ["REQUEST", "TO", "KEY", "USER", "ACCOUNT", "OWNER", "APPROVALS", "EXPIRES", "WHY"];
    table(screen, header, rows.collect())
}

/// Every hold.
#[must_use]
pub fn holds_table(document: &HoldsDocument, screen: Screen) -> String {
    if document.holds.is_empty() {
        return String::new();
    }
    let now = document.generated_at;
    let rows = document.holds.iter().map(|row| {
        [
            (&row.access_key_id).into(),
            (&row.user_name).into(),
            account(&row.account_id, row.account_name.as_deref()).into(),
            row.number.to_string().into(),
            row.until.map_or("until released".to_owned(), |at| when(now, at)).into(),
            (&row.by).into(),
            Text::new(&row.reason, Tone::Faint),
        ]
    });
    table(screen, ["KEY", "USER", "ACCOUNT", "HOLD", "ENDS", "BY", "REASON"], rows.collect())
}

/// Every exemption.
#[must_use]
pub fn exemptions_table(document: &ExemptionsDocument, screen: Screen) -> String {
    if document.exemptions.is_empty() {
        return String::new();
    }
    let now = document.generated_at;
    let rows = document.exemptions.iter().map(|row| {
        let (matched, tone) = matched(now, row);
        let ends = row.until.parse().map_or_else(|_| row.until.clone(), |at| when(now, at));
        [
            (&row.rule).into(),
            (&row.matches).into(),
            row.by.as_deref().unwrap_or("configuration").into(),
            Text::new(if row.lapsed { format!("{ends} (lapsed)") } else { ends }, tone),
            Text::new(matched, tone),
            Text::new(&row.reason, Tone::Faint),
        ]
    });
    table(screen, ["RULE", "MATCH", "BY", "UNTIL", "KEYS", "REASON"], rows.collect())
}

fn matched(now: Timestamp, row: &ExemptionRow) -> (String, Tone) {
    if row.lapsed {
        return ("-".to_owned(), Tone::Worth);
    }
    match (row.findings, row.idle_since) {
        (Some(0), Some(since)) => {
            let long = now.duration_since(since).unsigned_abs() >= IDLE;
            (format!("none since {}", when(now, since)), if long { Tone::Worth } else { Tone::Plain })
        }
        (Some(count), _) => (count.to_string(), Tone::Plain),
        (None, _) => ("unknown until the next sweep".to_owned(), Tone::Plain),
    }
}

/// Every session.
#[must_use]
pub fn sessions_table(document: &SessionsDocument, screen: Screen) -> String {
    if document.sessions.is_empty() {
        return String::new();
    }
    let now = document.generated_at;
    let rows = document.sessions.iter().map(|row| {
        [
            row.number.to_string().into(),
            (&row.person).into(),
            row.role.map_or("none", |role| role.as_str()).into(),
            when(now, row.since).into(),
            when(now, row.seen).into(),
            (&row.client).into(),
        ]
    });
    table(screen, ["SESSION", "PERSON", "ROLE", "SINCE", "LAST USED", "CLIENT"], rows.collect())
}
