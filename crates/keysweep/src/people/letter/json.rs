//! A message as JSON: the body of a webhook. Fields are added, never renamed.

use jiff::Timestamp;
use keysweep_core::facts::LastUse;
use keysweep_core::finding::FindingKind;
use keysweep_core::notice::{Item, NoticeKind};
use keysweep_core::ticket::Planned;
use schemars::JsonSchema;
use serde::Serialize;

use super::clean::web;
use super::{Draft, Links};

/// A message to one recipient. Values are those of AWS and of keysweep's records. Escape them before you show them.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Notice {
    /// Always `keysweep.notice`.
    r#type: &'static str,
    /// Number of the message. A message that is sent again has the same number.
    message: u64,
    /// When it was sent.
    sent_at: Timestamp,
    /// Subject, on one line.
    subject: String,
    /// The message as plain text. It shows at most 50 keys.
    text: String,
    /// To whom it is addressed.
    recipient: RecipientOfNotice,
    /// Every notice in the message, the most urgent first.
    items: Vec<NoticeItem>,
}

/// The recipient of a message.
#[derive(Debug, Serialize, JsonSchema)]
struct RecipientOfNotice {
    /// Name of the owner, or the address.
    name: String,
    /// `owner`, `team`, or `protect`.
    audience: String,
}

/// A notice about one key.
#[derive(Debug, Serialize, JsonSchema)]
struct NoticeItem {
    /// What it is about.
    kind: NoticeKind,
    /// When that happened.
    at: Timestamp,
    /// ID of the account.
    account_id: String,
    /// Name of the account, if known.
    account_name: Option<String>,
    /// ID of the access key.
    access_key_id: String,
    /// Name of the user.
    user_name: String,
    /// Owner of the key, if known.
    owner: Option<String>,
    /// Why the key is stale.
    finding: Option<FindingKind>,
    /// When the key was last used; null if it was never used, or if that is unknown.
    last_used_at: Option<Timestamp>,
    /// Service that it was last used with, such as `s3`.
    last_used_service: Option<String>,
    /// The change that the notice is about.
    change: Option<Planned>,
    /// The earliest time of the deactivation.
    deactivation_not_before: Option<Timestamp>,
    /// The earliest time of the deletion.
    deletion_not_before: Option<Timestamp>,
    /// When a hold, an exemption, or a request for approval ends.
    ends_at: Option<Timestamp>,
    /// Who caused it; null for keysweep itself.
    by: Option<String>,
    /// Why.
    reason: Option<String>,
    /// Links for the recipient. They work without a login: treat them as secrets.
    links: NoticeLinks,
}

/// Links about a key. Each is null if there is none.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct NoticeLinks {
    /// To say that the key is still needed.
    still_needed: Option<String>,
    /// To say that the key is no longer needed.
    no_longer_needed: Option<String>,
    /// To see the key.
    show: Option<String>,
    /// To reactivate the key.
    reactivate: Option<String>,
}

impl Notice {
    pub(super) fn new(draft: &Draft<'_>, items: &[&Item], subject: &str, text: &str) -> Self {
        let to = &draft.message.to;
        let audience = serde_json::to_value(to.audience).ok();
        Self {
            r#type: "keysweep.notice",
            message: draft.message.number,
            sent_at: draft.at,
            subject: subject.to_owned(),
            text: text.to_owned(),
            recipient: RecipientOfNotice {
                name: to.name.clone(),
                audience: audience.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default(),
            },
            items: items.iter().map(|item| NoticeItem::new(item, draft)).collect(),
        }
    }
}

impl NoticeItem {
    fn new(item: &Item, draft: &Draft<'_>) -> Self {
        let (deactivation, deletion) = item.dates(draft.at);
        let (last_used_at, last_used_service) = match &item.last_use {
            Some(LastUse::At { at, service, .. }) => (Some(*at), service.clone()),
            Some(LastUse::Never) | None => (None, None),
        };
        Self {
            kind: item.kind,
            at: item.at,
            account_id: item.account.to_string(),
            account_name: (draft.account_name)(item.account),
            access_key_id: item.key.to_string(),
            user_name: item.user_name.to_string(),
            owner: item.owner.as_ref().map(|owner| owner.name.clone()),
            finding: item.finding,
            last_used_at,
            last_used_service: last_used_service.map(Into::into),
            change: item.change,
            deactivation_not_before: deactivation,
            deletion_not_before: deletion,
            ends_at: item.ends,
            by: item.by.as_ref().filter(|by| !by.is_keysweep()).map(ToString::to_string),
            reason: item.why.clone(),
            links: (draft.links)(item).map(NoticeLinks::from).unwrap_or_default(),
        }
    }
}

impl From<Links> for NoticeLinks {
    fn from(links: Links) -> Self {
        let checked = |url: Option<String>| url.filter(|url| web(url).is_some());
        let Links { still_needed, no_longer_needed, show, reactivate } = links;
        Self {
            still_needed: checked(still_needed),
            no_longer_needed: checked(no_longer_needed),
            show: checked(show),
            reactivate: checked(reactivate),
        }
    }
}
