//! Notices of every kind about invented keys: templates are tried with them, and operators can preview them.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::LastUse;
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::AccountId;
use keysweep_core::notice::{Audience, Item, ItemId, Message, NoticeKind, Recipient, Status};
use keysweep_core::owner::{Confidence, Contact, Owner, OwnerSource};
use keysweep_core::state::Actor;
use keysweep_core::ticket::Planned;

use super::kinds::BY_URGENCY;
use super::{Draft, KEYS, Links};

/// The day of the samples: Monday 30 November 2026.
const DAY: Timestamp = Timestamp::constant(1_796_025_600, 0);

/// Calls it with a draft of each kind, with links and without, and with one of all kinds and many keys.
///
/// # Errors
/// The first that it gives.
pub(super) fn for_each(mut check: impl FnMut(&Draft<'_>) -> Result<(), String>) -> Result<(), String> {
    let zone = TimeZone::UTC;
    let mut all = Vec::new();
    for (n, kind) in BY_URGENCY.into_iter().cycle().take(KEYS.saturating_add(BY_URGENCY.len())).enumerate() {
        all.push(item(kind, n)?);
    }
    let named = |_: AccountId| Some("prod-payments".to_owned());
    let unnamed = |_: AccountId| None;
    let linked = |item: &Item| Some(links(item));
    let unlinked = |_: &Item| None;
    for audience in [Audience::Owner, Audience::Team, Audience::Protect] {
        let message = message(audience);
        let with = Draft {
            message: &message,
            items: all.iter().collect(),
            account_name: &named,
            at: DAY,
            time_zone: &zone,
            links: &linked,
            page: Some("https://keysweep.example.com/"),
            requests: &|_| None,
        };
        check(&with)?;
        for item in all.iter().take(BY_URGENCY.len()) {
            check(&Draft { items: vec![item], ..with })?;
            let account_name: &dyn Fn(AccountId) -> Option<String> = &unnamed;
            check(&Draft { items: vec![item], account_name, links: &unlinked, page: None, ..with })?;
        }
    }
    Ok(())
}

/// A message without items.
pub(super) fn message(audience: Audience) -> Message {
    Message {
        number: 4711,
        at: DAY,
        to: Recipient { name: "Dana Ito".to_owned(), addresses: Vec::new(), audience },
        items: Default::default(),
        send_from: DAY,
        give_up: in_days(1),
        status: Status::Open,
        replaceable: None,
    }
}

/// The links about a sample.
pub(super) fn links(item: &Item) -> Links {
    let url = |what: &str| Some(format!("https://keysweep.example.com/{what}/{}", item.key));
    let (deleted, inactive) = match item.kind {
        NoticeKind::Deleted => (true, true),
        NoticeKind::Deactivated | NoticeKind::DeletionAhead => (false, true),
        _ => (false, false),
    };
    Links {
        still_needed: url("needed").filter(|_| !inactive),
        no_longer_needed: url("unneeded").filter(|_| !deleted),
        show: url("keys"),
        reactivate: url("reactivate").filter(|_| inactive && !deleted),
    }
}

/// The sample of a kind with this number.
///
/// # Errors
/// Never, since the names in it are valid.
pub(in crate::people) fn item(kind: NoticeKind, number: usize) -> Result<Item, String> {
    let seen = ["s3", "ec2", "sts", "ses"].into_iter().cycle().nth(number).unwrap_or("s3");
    let last_use =
        LastUse::At { at: in_days(-261), service: Some(seen.into()), region: Some("eu-central-1".into()) };
    let plain = Item {
        id: ItemId(u64::try_from(number).unwrap_or(0), 0),
        at: DAY,
        kind,
        audience: audience(kind),
        account: format!("{:012}", 111_122_223_333_u64).parse().map_err(|error| format!("{error}"))?,
        key: format!("AKIAIOSFODNN7{number:07}").parse().map_err(|error| format!("{error}"))?,
        user_name: "ci-deploy".parse().map_err(|error| format!("{error}"))?,
        owner: Some(owner().into()),
        finding: Some(FindingKind::Unused),
        last_use: Some(last_use),
        change: None,
        deactivation: None,
        deletion: None,
        period: None,
        ends: None,
        by: None,
        why: None,
        messages: Default::default(),
    };
    Ok(of_kind(plain))
}

/// Who receives notices of this kind.
fn audience(kind: NoticeKind) -> Audience {
    match kind {
        NoticeKind::ApprovalRequest
        | NoticeKind::ExemptionEnding
        | NoticeKind::OwnerMissing
        | NoticeKind::Reactivated
        | NoticeKind::Undeliverable => Audience::Team,
        NoticeKind::Deactivated
        | NoticeKind::DeactivationAhead
        | NoticeKind::Deleted
        | NoticeKind::DeletionAhead
        | NoticeKind::HoldEnding
        | NoticeKind::Outcome
        | NoticeKind::Reminder => Audience::Owner,
    }
}

/// What notices of this kind have beyond the others.
fn of_kind(item: Item) -> Item {
    let dana = || Some(Actor::Oidc { subject: "00u1".to_owned(), name: "Dana Ito".to_owned() });
    let (soon, later) = (Some(in_days(7)), Some(in_days(37)));
    let notice = Some(Duration::from_secs(7 * 86_400));
    let why = |text: &str| Some(text.to_owned());
    match item.kind {
        NoticeKind::DeactivationAhead => Item {
            change: Some(Planned::Deactivate),
            deactivation: soon,
            deletion: later,
            period: notice,
            ..item
        },
        NoticeKind::DeletionAhead => {
            Item { change: Some(Planned::Delete), deletion: later, period: notice, ..item }
        }
        NoticeKind::Reminder => Item {
            change: Some(Planned::Deactivate),
            deactivation: Some(in_days(1)),
            deletion: Some(in_days(31)),
            ..item
        },
        NoticeKind::Deactivated => Item { deletion: later, ..item },
        NoticeKind::Deleted => item,
        NoticeKind::ApprovalRequest => {
            Item { change: Some(Planned::Delete), ends: soon, why: why("policy: approval = both"), ..item }
        }
        NoticeKind::Outcome => Item {
            change: Some(Planned::Deactivate),
            ends: Some(in_days(90)),
            by: dana(),
            why: why("approval denied: the quarterly report still uses it"),
            ..item
        },
        NoticeKind::HoldEnding => {
            Item { ends: Some(in_days(3)), by: dana(), why: why("migration until December"), ..item }
        }
        NoticeKind::ExemptionEnding => {
            Item { ends: Some(in_days(14)), why: why("policy.override[2]: vendor contract"), ..item }
        }
        NoticeKind::Reactivated => Item { ends: Some(in_days(90)), by: dana(), ..item },
        NoticeKind::OwnerMissing => Item { owner: None, last_use: Some(LastUse::Never), ..item },
        NoticeKind::Undeliverable => Item {
            change: Some(Planned::Deactivate),
            why: why("e-mail: 550 5.1.1 no such user (tried for 24 hours)"),
            ..item
        },
    }
}

fn owner() -> Owner {
    Owner {
        name: "Dana Ito".to_owned(),
        source: OwnerSource::UserTags,
        confidence: Confidence::High,
        contact: Contact::default(),
        listed: None,
        left: None,
    }
}

fn in_days(days: i64) -> Timestamp {
    DAY.checked_add(SignedDuration::from_hours(days.saturating_mul(24))).unwrap_or(DAY)
}
