//! The headline of a message: what its subject says.

use jiff::Timestamp;
use keysweep_core::notice::{Item, NoticeKind};
use keysweep_core::ticket::Planned;

use super::clean::line;
use super::facts::{NAME, date};
use super::kinds::{BY_URGENCY, tally};
use super::when::Clock;

/// The longest headline: with the prefix, a subject has 100 characters.
pub(super) const LONGEST: usize = 89;

/// What the message is about: its number of keys, what happens, and from when on.
pub(super) fn headline(items: &[&Item], account: &dyn Fn(&Item) -> String, clock: &Clock<'_>) -> String {
    let kinds: Vec<NoticeKind> =
        BY_URGENCY.into_iter().filter(|kind| items.iter().any(|item| item.kind == *kind)).collect();
    match (items, kinds.as_slice()) {
        ([item], _) => of_one(item, &account(item), clock),
        (_, [kind]) => line(&of_kind(*kind, items, clock), LONGEST),
        (_, kinds) => mixed(items, kinds),
    }
}

fn of_one(item: &Item, account: &str, clock: &Clock<'_>) -> String {
    let key = item.key.as_str();
    let account = line(account, NAME);
    let names = [
        format!("access key {key} in {account}"),
        format!("{key} in {account}"),
        format!("access key {key}"),
    ];
    // The ID of a key stays as it is.
    let capital = |text: String| if text.starts_with(key) { text } else { capitalized(&text) };
    let about = |name: &String| capital(sentence(item, name, clock));
    if let Some(outcome) = outcome(item, key) {
        return line(&capital(outcome), LONGEST);
    }
    let mut candidates = names.iter().map(about);
    let fits = candidates.find(|text| text.chars().count() <= LONGEST);
    fits.unwrap_or_else(|| line(&about(&format!("access key {key}")), LONGEST))
}

/// What became of an announcement or a request.
fn outcome(item: &Item, key: &str) -> Option<String> {
    let why = item.why.as_ref().filter(|_| item.kind == NoticeKind::Outcome)?;
    let change = match item.change? {
        Planned::Deactivate => "deactivation",
        Planned::Delete => "deletion",
    };
    Some(format!("{change} of {key}: {}", line(why, LONGEST)))
}

fn sentence(item: &Item, key: &str, clock: &Clock<'_>) -> String {
    let date = clock.date(date(item, clock.now));
    match item.kind {
        NoticeKind::Reactivated => format!("{key} is Active again"),
        NoticeKind::Deactivated => format!("{key} was deactivated"),
        NoticeKind::DeactivationAhead => format!("{key} will be deactivated on or after {date}"),
        NoticeKind::DeletionAhead => format!("{key} will be deleted on or after {date}"),
        NoticeKind::Reminder => format!("reminder: {key} will be {} on or after {date}", done(item.change)),
        NoticeKind::ApprovalRequest => format!("approval needed by {date} for {key}"),
        NoticeKind::Outcome => format!("update on {key}"),
        NoticeKind::Undeliverable => format!("could not deliver a notice about {key}"),
        NoticeKind::OwnerMissing => format!("no owner found for {key}"),
        NoticeKind::HoldEnding => format!("the hold on {key} ends on {date}"),
        NoticeKind::ExemptionEnding => format!("the exemption of {key} ends on {date}"),
        NoticeKind::Deleted => format!("{key} was deleted"),
    }
}

fn of_kind(kind: NoticeKind, items: &[&Item], clock: &Clock<'_>) -> String {
    let first = items.iter().map(|item| date(item, clock.now)).min();
    let date = first.map(|at: Timestamp| clock.date(at)).unwrap_or_default();
    let count = items.len();
    match kind {
        NoticeKind::Reactivated => format!("{count} access keys are Active again"),
        NoticeKind::Deactivated => format!("{count} unused access keys were deactivated"),
        NoticeKind::DeactivationAhead => {
            format!("{count} unused access keys will be deactivated on or after {date}")
        }
        NoticeKind::DeletionAhead => format!("{count} access keys will be deleted on or after {date}"),
        NoticeKind::Reminder => {
            let mut changes = items.iter().map(|item| item.change);
            let change = changes.next().flatten();
            let what = if changes.all(|other| other == change) { done(change) } else { done(None) };
            format!("Reminder: {count} access keys will be {what} on or after {date}")
        }
        NoticeKind::ApprovalRequest => {
            format!("{count} access keys need approval, the first by {date}")
        }
        NoticeKind::Outcome => format!("Updates on {count} access keys"),
        NoticeKind::Undeliverable => format!("Could not deliver notices about {count} access keys"),
        NoticeKind::OwnerMissing => format!("No owner found for {count} access keys"),
        NoticeKind::HoldEnding => format!("{count} holds end soon, the first on {date}"),
        NoticeKind::ExemptionEnding => format!("{count} exemptions end soon, the first on {date}"),
        NoticeKind::Deleted => format!("{count} access keys were deleted"),
    }
}

fn done(change: Option<Planned>) -> &'static str {
    match change {
        Some(Planned::Deactivate) => "deactivated",
        Some(Planned::Delete) => "deleted",
        None => "deactivated or deleted",
    }
}

/// The most urgent kinds, as far as they fit.
fn mixed(items: &[&Item], kinds: &[NoticeKind]) -> String {
    let mut text = format!("{} access key notices: ", items.len());
    for (n, kind) in kinds.iter().enumerate() {
        let count = items.iter().filter(|item| item.kind == *kind).count();
        let next = format!("{}{}", if n == 0 { "" } else { ", " }, tally(*kind, count));
        let last = n.saturating_add(1) == kinds.len();
        let reserve = if last { "" } else { ", and more" };
        if text.chars().count() + next.chars().count() + reserve.len() > LONGEST {
            text.push_str(", and more");
            break;
        }
        text.push_str(&next);
    }
    text
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
