//! The outbox as a table.

use keysweep_api::{MessageRow, MessageStatus, NoticesDocument};

use super::Screen;
use crate::cli::table::{Text, Tone, table};

/// Messages, newest first.
#[must_use]
pub fn notices_table(document: &NoticesDocument, screen: Screen) -> String {
    if document.messages.is_empty() {
        return String::new();
    }
    let rows = document.messages.iter().map(|row| {
        let tone = match row.status {
            MessageStatus::Undeliverable => Tone::Bad,
            MessageStatus::Pending => Tone::Worth,
            MessageStatus::Delivered => Tone::Plain,
        };
        [
            row.message.to_string().into(),
            row.composed_at.strftime("%Y-%m-%d %H:%M").to_string().into(),
            Text::new(row.status.as_str(), tone),
            (&row.recipient).into(),
            row.count.to_string().into(),
            Text::new(details(row), Tone::Faint),
        ]
    });
    table(screen, ["MESSAGE", "COMPOSED (UTC)", "STATUS", "RECIPIENT", "KEYS", "DETAILS"], rows.collect())
}

fn details(row: &MessageRow) -> String {
    match (row.status, &row.delivered_to, &row.why) {
        (MessageStatus::Delivered, Some(to), _) if *to != row.recipient => format!("to {to}"),
        (MessageStatus::Undeliverable, _, Some(why)) => why.clone(),
        (MessageStatus::Pending, _, _) if row.items.iter().all(|item| !item.stands) => {
            "no longer applies".to_owned()
        }
        (MessageStatus::Pending, _, _) => {
            format!("to {}; gives up {}", row.addresses.join(", "), row.give_up_at)
        }
        (MessageStatus::Delivered | MessageStatus::Undeliverable, _, _) => String::new(),
    }
}

/// What the table does not say.
#[must_use]
pub fn notices_summary(document: &NoticesDocument) -> String {
    let of = |status| document.messages.iter().filter(|row| row.status == status).count();
    let (pending, delivered) = (of(MessageStatus::Pending), of(MessageStatus::Delivered));
    let undeliverable = of(MessageStatus::Undeliverable);
    let mut text =
        format!("messages: {pending} pending, {delivered} delivered, {undeliverable} undeliverable");
    if !document.can_send {
        text += "\nno notice channel is configured: see [notices]";
    }
    if undeliverable > 0 {
        text += "\nto retry one: keysweep notices retry NUMBER --reason TEXT";
    }
    text
}
