//! Messages: what was sent to whom, and what could not be.

use askama::Template;
use keysweep_api::{MessageItem, MessageRow, MessageStatus, NoticesDocument};

use super::frame::{Chip, Frame, Shell, View, chip, html};
use super::query::key_path;
use super::words::{When, counted, spaced};

#[derive(Template)]
#[template(path = "notices.html")]
struct Page<'a> {
    shell: Shell<'a>,
    document: &'a NoticesDocument,
    waiting: Option<String>,
    undeliverable: usize,
    messages: Vec<Message<'a>>,
}

struct Message<'a> {
    row: &'a MessageRow,
    status: Chip,
    count: String,
    addresses: String,
    composed: When,
    /// When it was delivered, given up, or is given up.
    end: When,
    /// Quiet hours: when it is sent, if that is to come.
    from: Option<When>,
    failed: bool,
    items: Vec<(&'a MessageItem, String, String)>,
}

/// The view of messages.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn notices(frame: &Frame, document: &NoticesDocument) -> Result<String, askama::Error> {
    let messages: Vec<_> = document.messages.iter().map(|row| message(frame, row)).collect();
    let undeliverable = messages.iter().filter(|message| message.failed).count();
    let shell = frame.shell(View::Notices, "Notices", Some(document.generated_at), false);
    let fields = shell.operate && undeliverable > 0;
    html(&Page {
        shell: Shell { fields, ..shell },
        waiting: (document.waiting > 0).then(|| counted(document.waiting, "notice", "notices")),
        undeliverable,
        messages,
        document,
    })
}

fn message<'a>(frame: &Frame, row: &'a MessageRow) -> Message<'a> {
    let item = |item: &'a MessageItem| (item, spaced(item.kind.as_str()), key_path(&item.access_key_id));
    let pending = row.status == MessageStatus::Pending;
    Message {
        row,
        status: chip(row.status.as_str()),
        count: counted(row.count, "notice", "notices"),
        addresses: row.addresses.join(", then "),
        composed: frame.when(row.composed_at),
        end: frame.when(row.closed_at.unwrap_or(row.give_up_at)),
        from: (pending && row.send_from > frame.now).then(|| frame.when(row.send_from)),
        failed: row.status == MessageStatus::Undeliverable,
        items: row.items.iter().map(item).collect(),
    }
}
