//! A notice as it would read, without sending it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keysweep_api::NoticePreview;
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::Record;
use keysweep_core::notice::{self, Audience, Item, Message, NoticeKind, Recipient, Status};
use keysweep_core::state::State;
use keysweep_core::ticket::Planned;

use super::letter::{Draft, Letter, Writer, sample};
use crate::config::Config;

/// What a notice is written from.
#[derive(Debug)]
pub(crate) struct Subject {
    item: Item,
    account: Option<String>,
    time_zone: TimeZone,
}

impl Subject {
    /// A notice of this kind about a key; `None` if the key has no record.
    pub(crate) fn of(
        config: &Config,
        state: &State,
        key: &AccessKeyId,
        kind: NoticeKind,
        now: Timestamp,
    ) -> Option<Self> {
        let item = of_record(config, state.record(key)?, kind, now);
        let account = state.account(item.account).map(|account| account.name.clone());
        let time_zone = notice::time_zone(&config.policy, state, item.audience, &item).clone();
        Some(Self { item, account, time_zone })
    }

    /// A notice of this kind about an invented key.
    ///
    /// # Errors
    /// If no sample can be made.
    pub(crate) fn invented(config: &Config, kind: NoticeKind) -> Result<Self, String> {
        let time_zone = config.policy.notices.time_zone.clone();
        Ok(Self { item: sample::item(kind, 0)?, account: Some("example-account".to_owned()), time_zone })
    }
}

/// The notice as it would read now.
///
/// # Errors
/// What is wrong with a template.
pub(crate) fn preview(config: &Config, about: &Subject, now: Timestamp) -> Result<NoticePreview, String> {
    let Subject { item, account, time_zone } = about;
    let recipient = Recipient {
        name: item.owner.as_ref().map_or_else(|| "security@example.com".to_owned(), |o| o.name.clone()),
        addresses: Vec::new(),
        audience: item.audience,
    };
    let message = Message {
        number: 0,
        at: now,
        to: recipient,
        items: [item.id].into(),
        send_from: now,
        give_up: now,
        status: Status::Open,
        replaceable: None,
    };
    let draft = Draft {
        message: &message,
        items: vec![item],
        account_name: &|_| account.clone(),
        at: now,
        time_zone,
        links: &|_| None,
        page: None,
        requests: &|_| None,
    };
    let Letter { subject, text, html, slack_text: _, slack_blocks, card, json } =
        Writer::new(&config.channels.templates)?.write(&draft)?;
    Ok(NoticePreview { subject, text, html, slack_blocks, card, webhook: json })
}

/// What an event of this kind would say about the key now. Dates are those that the present policy would announce.
fn of_record(config: &Config, record: &Record, kind: NoticeKind, now: Timestamp) -> Item {
    let terms = &config.policy.base;
    let after = |at: Timestamp, period| at.checked_add(period).unwrap_or(Timestamp::MAX);
    let audience = match kind {
        NoticeKind::ApprovalRequest
        | NoticeKind::ExemptionEnding
        | NoticeKind::Reactivated
        | NoticeKind::OwnerMissing
        | NoticeKind::Undeliverable => Audience::Team,
        NoticeKind::DeactivationAhead
        | NoticeKind::DeletionAhead
        | NoticeKind::Reminder
        | NoticeKind::Deactivated
        | NoticeKind::Deleted
        | NoticeKind::Outcome
        | NoticeKind::HoldEnding => Audience::Owner,
    };
    let announced = after(now, terms.notice);
    let deletes = terms.mode.permits(Planned::Delete);
    let deletion = after(announced, terms.grace);
    let item = Item::about(record, kind, audience, now);
    let why = |text: &str| Some(text.to_owned());
    match kind {
        NoticeKind::DeactivationAhead | NoticeKind::Reminder => Item {
            change: Some(Planned::Deactivate),
            deactivation: Some(announced),
            deletion: deletes.then_some(deletion),
            ..item
        },
        NoticeKind::DeletionAhead => {
            Item { change: Some(Planned::Delete), deletion: Some(announced), ..item }
        }
        NoticeKind::Deactivated => Item { deletion: deletes.then(|| after(now, terms.grace)), ..item },
        NoticeKind::ApprovalRequest => Item {
            change: Some(Planned::Deactivate),
            ends: Some(after(now, terms.approval_expires)),
            why: why("policy.approval"),
            ..item
        },
        NoticeKind::Outcome => {
            Item { change: Some(Planned::Deactivate), why: why("the key was used again"), ..item }
        }
        NoticeKind::HoldEnding | NoticeKind::ExemptionEnding => {
            Item { ends: Some(announced), why: why("an example reason"), ..item }
        }
        NoticeKind::Reactivated => Item { ends: Some(after(now, terms.hold_after_reactivation)), ..item },
        NoticeKind::Undeliverable => Item { why: why("550 no such user"), ..item },
        NoticeKind::OwnerMissing | NoticeKind::Deleted => item,
    }
}
