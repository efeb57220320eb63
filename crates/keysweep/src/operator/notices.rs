//! The outbox, for people.

use keysweep_api::{
    Done, ListNotices, MessageItem, MessageRow, MessageStatus, NoticePreview, NoticesDocument, Operation,
    PreviewNotice, Refusal, RetryNotice,
};
use keysweep_core::notice::{Item, ItemId, Message, Outbox, Status, stands};
use keysweep_core::state::{Body, State};

use super::{Act, Look};
use crate::access::{Need, Permit, Sight};
use crate::engine::Engine;
use crate::people::{Subject, preview};

impl Look for ListNotices {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<NoticesDocument, Refusal> {
        let can_send = engine.config().policy.notices.can_send();
        let generated_at = engine.clock().now();
        Ok(engine.store().read(|state| {
            let outbox = state.outbox();
            let visible = |item: &&Item| sight.key(item.account, state.record(&item.key));
            let waiting = outbox.items().filter(visible);
            let waiting = waiting.filter(|item| item.messages.is_empty() && stands(state, item));
            // A message names its recipient, and perhaps keys of several accounts.
            let messages = outbox.messages().filter(|message| {
                let sees = |id: &ItemId| outbox.item(*id).is_some_and(|item| visible(&item));
                sight.is_whole() || (!message.items.is_empty() && message.items.iter().all(sees))
            });
            NoticesDocument {
                generated_at,
                can_send,
                waiting: u64::try_from(waiting.count()).unwrap_or(u64::MAX),
                messages: messages.map(|message| row(state, outbox, message)).rev().collect(),
            }
        }))
    }
}

fn row(state: &State, outbox: &Outbox, message: &Message) -> MessageRow {
    let Message { number, at, to, items, send_from, give_up, status, replaceable: _ } = message;
    let (name, closed_at, delivered_to, why) = match status {
        Status::Open => (MessageStatus::Pending, None, None, None),
        Status::Delivered { at, via } => (MessageStatus::Delivered, Some(*at), Some(via.to_string()), None),
        Status::Undeliverable { at, why } => {
            (MessageStatus::Undeliverable, Some(*at), None, Some(why.clone()))
        }
    };
    let item = |item: &Item| MessageItem {
        kind: item.kind,
        account_id: item.account.to_string(),
        user_name: item.user_name.to_string(),
        access_key_id: item.key.to_string(),
        stands: stands(state, item),
    };
    let contains = name != MessageStatus::Delivered;
    MessageRow {
        message: *number,
        status: name,
        recipient: to.name.clone(),
        addresses: to.addresses.iter().map(ToString::to_string).collect(),
        composed_at: *at,
        send_from: *send_from,
        give_up_at: *give_up,
        closed_at,
        delivered_to,
        why,
        items: outbox.items_of(message).filter(|_| contains).map(item).collect(),
        count: u64::try_from(items.len()).unwrap_or(u64::MAX),
    }
}

impl Act for RetryNotice {
    fn need(&self) -> Need {
        Need::organization(Self::ROLE)
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<Done, Refusal> {
        let actor = permit.actor();
        let Self { message: number, reason } = self;
        let give_up_after = engine.config().policy.notices.give_up;
        let retried = |state: &State, now: jiff::Timestamp| {
            let list = "see `keysweep notices list`";
            let message = state
                .outbox()
                .message(number)
                .ok_or_else(|| Refusal::NotFound(format!("there is no message {number}: {list}")))?;
            match &message.status {
                Status::Undeliverable { .. } => {}
                Status::Open => {
                    return Err(Refusal::Conflict(format!(
                        "keysweep is still trying to deliver message {number}"
                    )));
                }
                Status::Delivered { at, via } => {
                    return Err(Refusal::Conflict(format!(
                        "message {number} was delivered to {via} at {at}"
                    )));
                }
            }
            if !state.outbox().items_of(message).any(|item| stands(state, item)) {
                let why = format!("no notice in message {number} applies any longer");
                return Err(Refusal::Conflict(why));
            }
            let give_up = now.checked_add(give_up_after).unwrap_or(jiff::Timestamp::MAX);
            let to = message.to.name.clone();
            let body = Body::MessageRetried { message: number, reason: reason.clone(), give_up };
            Ok((vec![body], format!("keysweep will retry message {number} to {to}")))
        };
        engine.decide_for(actor, retried).await
    }
}

impl Look for PreviewNotice {
    fn need(&self) -> Need {
        Need::key(Self::ROLE, &self.key).or_owner()
    }

    async fn look(self, engine: &Engine, _: &Sight) -> Result<NoticePreview, Refusal> {
        let Self { key, kind } = self;
        let (config, now) = (engine.config(), engine.clock().now());
        let found = engine.store().read(|state| Subject::of(&config, state, &key, kind, now));
        let about = found.ok_or_else(|| {
            Refusal::NotFound(format!("keysweep has no record of key {key}: see `keysweep keys list`"))
        })?;
        preview(&config, &about, now).map_err(Refusal::Internal)
    }
}
