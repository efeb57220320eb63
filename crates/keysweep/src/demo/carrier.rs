//! What carries messages in the demo: none leaves this machine.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use keysweep_core::notice::{Address, Posted};
use keysweep_notify::{Failure, FailureKind};

use super::mailbox::Mailbox;
use super::wall::Wall;
use crate::people::{Carried, Carrier, Letter, Outgoing};

/// Keeps e-mail in a folder and messages to Slack on a wall.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) mailbox: Mailbox,
    pub(super) wall: Arc<Wall>,
}

impl Carrier for Keeper {
    fn carry<'a>(&'a self, to: &'a Address, message: &'a Outgoing) -> BoxFuture<'a, Carried> {
        let carried = match to {
            Address::Email(address) => self.mailbox.take(address.as_str(), &message.letter).map(|()| None),
            Address::Slack(channel) => Ok(Some(self.wall.post(channel, &message.letter))),
            Address::Webhook(name) => {
                let detail = format!("the demo has no webhook {name}");
                Err(Failure { kind: FailureKind::Misconfigured, detail, retry_after: None })
            }
        };
        ready(carried).boxed()
    }

    fn replace<'a>(&'a self, posted: &'a Posted, letter: &'a Letter) -> BoxFuture<'a, Result<(), Failure>> {
        ready(self.wall.replace(posted, letter)).boxed()
    }
}
