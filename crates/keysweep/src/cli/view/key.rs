//! Records, one key, and what the breaker stopped for.

use std::fmt::Write;

use jiff::Timestamp;
use keysweep_core::evidence::{TracedCall, UserChange};
use keysweep_core::facts::Source;
use keysweep_core::lifecycle::PastQuarantine;
use keysweep_core::owner::Confidence;
use keysweep_core::render::FindingRow;
use keysweep_core::words::breaker_open;

use super::finding::{next, state};
use super::{account, details};
use crate::cli::console::Screen;
use crate::cli::table::{Text, Tone, table};
use crate::cli::text::{count, rough, safe, when};
use keysweep_api::{
    ApprovalRow, BreakerDocument, KeyDocument, KeyRow, KeysDocument, OwnerRow, QuarantineRow,
};

/// The records.
#[must_use]
pub fn keys_table(document: &KeysDocument, screen: Screen) -> String {
    let now = document.generated_at;
    let rows = document.keys.iter().map(|row| {
        [
            account(&row.account_id, row.account_name.as_deref()).into(),
            (&row.user_name).into(),
            (&row.access_key_id).into(),
            state(&row.state, &row.overlays).into(),
            row.since.map(|at| when(now, at)).unwrap_or_default().into(),
            row.finding.map_or("", |finding| finding.as_str()).into(),
            next(now, row.next_action, row.next_action_at),
            row.next_action_reason.as_str().into(),
        ]
    });
    let header = ["ACCOUNT", "USER", "KEY", "STATE", "SINCE", "FINDING", "NEXT", "WHY"];
    table(screen, header, rows.collect())
}

/// Everything about one key.
#[must_use]
pub fn key_text(document: &KeyDocument, screen: Screen) -> String {
    let KeyDocument { generated_at, record, facts, policy, exempt, history, caveats, .. } = document;
    let now = *generated_at;
    let mut lines: Vec<(&str, String)> = Vec::new();
    if let Some(row) = record {
        of_record(&mut lines, row, now);
    }
    if let Some(row) = facts {
        of_facts(&mut lines, row, now, record.as_ref());
        lines.extend(by_hand(row, record.as_ref()));
    }
    if let Some(exempt) = exempt {
        lines.push(("exempt", exempt.clone()));
    }
    lines.extend(caveats.iter().map(|caveat| ("mind", caveat.clone())));
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in &lines {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{name:width$}  {}", safe(value));
    }
    if !policy.is_empty() {
        let rows = policy
            .iter()
            .map(|term| [(&term.term).into(), (&term.value).into(), Text::new(&term.set_by, Tone::Faint)]);
        text += &format!("\npolicy\n{}", table(screen, ["TERM", "VALUE", "SET BY"], rows.collect()));
    }
    if !history.is_empty() {
        let rows = history.iter().map(|entry| {
            [
                entry.seq.to_string().into(),
                entry.at.to_string().into(),
                entry.actor.to_string().into(),
                entry.body.name().into(),
                details(entry).into(),
            ]
        });
        text +=
            &format!("\nhistory\n{}", table(screen, ["SEQ", "AT", "WHO", "WHAT", "DETAILS"], rows.collect()));
    }
    text
}

fn of_record(lines: &mut Vec<(&str, String)>, row: &KeyRow, now: Timestamp) {
    lines.push(("key", row.access_key_id.clone()));
    lines.push(("user", format!("{} ({})", row.user_name, row.user_id)));
    lines.push(("account", account(&row.account_id, row.account_name.as_deref())));
    lines.push(("created", when(now, row.created_at)));
    if let Some(call) = &row.created_by {
        let another = if row.created_by_another_user { " (not the user of the key)" } else { "" };
        lines.push(("created by", format!("{}{another}{}", call.by, origin(call))));
    }
    lines.extend(row.owner.as_ref().map(|owner| ("owner", owner_line(owner))));
    lines.extend(row.not_needed_at.map(|at| ("owner says", format!("no longer needed ({})", when(now, at)))));
    let since = row.since.map(|at| format!(" since {}", when(now, at))).unwrap_or_default();
    lines.push(("state", state(&row.state, &row.overlays) + &since));
    if let Some(finding) = row.finding {
        lines.push(("finding", finding.to_string()));
    }
    if let Some(by) = &row.deactivated_by {
        lines.push(("set Inactive", format!("by {by}")));
    }
    for hold in &row.holds {
        let until = hold.until.map_or("until released".to_owned(), |until| format!("until {until}"));
        let (number, kind) = (hold.number, hold.kind.as_str());
        lines.push(("hold", format!("{number} ({kind}) by {} {until}: {}", hold.by, hold.reason)));
    }
    if row.reactivations > 0 {
        let need = if row.reactivations_need_approval {
            "each change needs approval"
        } else {
            "cleared by an operator"
        };
        let times = count(u64::from(row.reactivations), "time", "times");
        let tool = match row.reactivations {
            1 => "",
            _ if row.reactivated_by.is_some() => "",
            _ => ": does Terraform or another tool set it Active?",
        };
        lines.push(("reactivated", format!("{times} after a deactivation ({need}){tool}")));
    }
    if let Some(call) = &row.reactivated_by {
        lines.push(("set Active", call.to_string()));
    }
    for UserChange { name, call } in &row.user_changes {
        lines.push(("user changed", format!("{name} by {} at {}{}", call.by, call.at, origin(call))));
    }
    if let Some(QuarantineRow { policy, attached_at, ends_because }) = &row.quarantine {
        let ends = ends_because.as_ref().map(|why| format!("; ending: {why}")).unwrap_or_default();
        let is = match attached_at {
            Some(at) => format!("{policy} attached to the user since {}", when(now, *at)),
            None => format!("{policy} may be attached to the user"),
        };
        lines.push(("quarantine", format!("{is}{ends}")));
    }
    if let Some(PastQuarantine { policy, attached, until, completed: _ }) = &row.past_quarantine {
        let since = attached.map(|at| format!(" from {at}")).unwrap_or_default();
        lines.push(("quarantine", format!("{policy} was attached to the user{since} until {until}")));
    }
    if let Some(activity) = &row.activity {
        lines.push(("newest use", activity.to_string()));
    }
    if let Some(seconds) = row.watched_seconds {
        lines.push(("watched", format!("{} inactive", rough(std::time::Duration::from_secs(seconds)))));
    }
    if let Some(approval) = &row.approval {
        lines.push(("approval", approval_line(approval)));
    }
    let at = row.next_action_at.map(|at| format!(" {}", when(now, at))).unwrap_or_default();
    let why = if row.next_action_reason.is_empty() {
        String::new()
    } else {
        format!(": {}", row.next_action_reason)
    };
    lines.push(("next", format!("{}{at}{why}", row.next_action.as_str())));
}

/// Who, how to reach them, and who says so.
fn owner_line(owner: &OwnerRow) -> String {
    let OwnerRow { name, source, confidence, email, slack, webhook, left } = owner;
    let hook = webhook.as_ref().map(|name| format!("webhook {name}"));
    let all = || [email, slack, &hook].into_iter().flatten();
    let ways: Vec<&str> = all().filter(|way| *way != name).map(String::as_str).collect();
    let reached = match (ways.is_empty(), all().next().is_some()) {
        (false, _) => format!(" ({})", ways.join(", ")),
        (true, true) => String::new(),
        (true, false) => " (no contact details)".to_owned(),
    };
    let left = match left {
        None => String::new(),
        Some(left) if left == name => "; has left, and keysweep found no one to take over".to_owned(),
        Some(left) => format!("; takes over from {left}, who has left"),
    };
    format!("{name}{reached}, from {} ({} confidence){left}", source.in_words(), confidence.as_str())
}

/// From where a call was made, and with what.
fn origin(call: &TracedCall) -> String {
    let address = call.address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
    let agent = call.user_agent.as_ref().map(|agent| format!(" with {agent}")).unwrap_or_default();
    address + &agent
}

fn approval_line(approval: &ApprovalRow) -> String {
    let ApprovalRow { request, action, expires_at, reason, approved_by, approvals_needed, .. } = approval;
    let by = approved_by.join(" and ");
    let given = u32::try_from(approved_by.len()).unwrap_or(u32::MAX);
    match given {
        0 if *approvals_needed > 1 => format!(
            "request {request} to {action}, open until {expires_at}, needs {approvals_needed} approvals: {reason}"
        ),
        0 => format!("request {request} to {action}, open until {expires_at}: {reason}"),
        given if given < *approvals_needed => format!(
            "request {request} to {action}, open until {expires_at}, {given} of {approvals_needed} approvals (by {by}): {reason}"
        ),
        _ => format!("request {request} to {action}: approved by {by}"),
    }
}

/// What is asked about a key: whoever approves it has read this.
#[must_use]
pub fn approval_text(document: &KeyDocument, approval: &ApprovalRow) -> String {
    let now = document.generated_at;
    let used = approval.last_used_at.map_or("never".to_owned(), |at| when(now, at));
    let user = document.record.as_ref().map(|row| row.user_name.as_str()).unwrap_or_default();
    let keys = count(approval.keys_of_user, "key", "keys");
    safe(&format!("{}; user {user} ({keys}), last used {used}", approval_line(approval))).into_owned()
}

/// What the last sweep saw; of a key with a record only what the record does not say.
fn of_facts(lines: &mut Vec<(&str, String)>, row: &FindingRow, now: Timestamp, record: Option<&KeyRow>) {
    if record.is_none() {
        lines.push(("key", row.access_key_id.clone().unwrap_or_default()));
        let id = row.user_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
        lines.push(("user", format!("{}{id}", row.user_name)));
        lines.push(("account", account(&row.account_id, row.account_name.as_deref())));
        lines.extend(row.created_at.map(|at| ("created", when(now, at))));
        lines.extend(row.finding.map(|finding| ("finding", finding.to_string())));
        if let (Some(owner), Some(source)) = (&row.owner, row.owner_source) {
            let confidence = row.owner_confidence.map(Confidence::as_str).unwrap_or_default();
            lines.push(("owner", format!("{owner}, from {} ({confidence} confidence)", source.in_words())));
        }
    }
    lines.push(("status", format!("{} in the last sweep", row.status)));
    let used = match (row.last_used_at, row.idle_days) {
        (Some(at), _) => {
            let place = [row.last_used_service.as_deref(), row.last_used_region.as_deref()];
            let place: Vec<&str> = place.into_iter().flatten().collect();
            let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(", ")) };
            format!("{}{place}", when(now, at))
        }
        (None, Some(_)) => "never".into(),
        (None, None) => "unknown".into(),
    };
    let source = match row.source {
        Source::Cloudtrail => "CloudTrail",
        Source::AccessAnalyzer => "IAM Access Analyzer",
        Source::Report | Source::Live => row.source.as_str(),
    };
    lines.push(("last used", format!("{used}; read from {source}")));
    lines.extend(row.severity.map(|s| ("severity", s.as_str().into())));
    if !row.compliance.is_empty() {
        lines.push(("rules", row.compliance.join(", ")));
    }
    lines.extend(row.unknown.iter().map(|why| ("unknown", why.clone())));
    lines.extend(row.warnings.iter().map(|warning| ("warning", warning.clone())));
}

/// What its owner may type: nothing for a key that is to be left alone, and for one that is Inactive the way back.
fn by_hand(facts: &FindingRow, record: Option<&KeyRow>) -> Vec<(&'static str, String)> {
    match record {
        Some(row) if row.state == "deactivated" => {
            vec![("undo", format!("keysweep keys reactivate {}", row.access_key_id))]
        }
        Some(row) if !row.overlays.is_empty() => Vec::new(),
        Some(_) | None => facts.remediation.iter().map(|command| ("by hand", command.clone())).collect(),
    }
}

/// What the breaker stopped for, and what to type to accept it.
#[must_use]
pub fn breaker_text(document: &BreakerDocument, screen: Screen) -> String {
    let Some(open) = &document.open else { return "the circuit breaker is closed\n".into() };
    let (n, confirm) = (document.count, document.confirm.as_deref().unwrap_or_default());
    let mut text = breaker_open(safe(open)) + "\n";
    if n > 0 {
        let rows = document.keys.iter().map(|key| {
            [
                (&key.account_id).into(),
                (&key.user_name).into(),
                (&key.access_key_id).into(),
                key.action.as_str().into(),
            ]
        });
        text += &format!("\n{}", table(screen, ["ACCOUNT", "USER", "KEY", "DUE FOR"], rows.collect()));
    }
    text + &format!(
        "\na reset accepts {}: keysweep breaker reset --confirm {confirm} --reason TEXT\n",
        count(n, "newly due key", "newly due keys")
    )
}
