//! A mail server that tests can look into, and that fails when it is told to.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use keysweep::people::{Carried, Carrier, Letter, Outgoing};
use keysweep_core::notice::Address;
use keysweep_notify::{Failure, FailureKind};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::sleep;

/// A message that was accepted.
#[derive(Debug, Clone)]
pub struct Received {
    /// Where it was sent.
    pub to: String,
    /// Its ID.
    pub id: String,
    /// What it says.
    pub letter: Letter,
}

impl Received {
    /// Kind and key of each notice in it.
    #[must_use]
    pub fn items(&self) -> Vec<(String, String)> {
        let items = self.letter.json.get("items").and_then(Value::as_array).into_iter().flatten();
        let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        items.map(|item| (text(item, "kind"), text(item, "access_key_id"))).collect()
    }

    /// A link of its first notice.
    #[must_use]
    pub fn link(&self, purpose: &str) -> Option<String> {
        let url = self.letter.json.pointer("/items/0/links")?.get(purpose)?.as_str()?;
        Some(url.to_owned())
    }
}

/// Every message.
#[derive(Debug, Default)]
pub struct Letters {
    inner: Mutex<Inner>,
    began: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    received: Vec<Received>,
    tried: usize,
    fails: Option<FailureKind>,
    takes: Duration,
}

impl Letters {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on each message is refused in this way; `None` for none.
    pub fn fail(&self, kind: Option<FailureKind>) {
        self.inner().fails = kind;
    }

    /// From now on it takes so long to accept a message.
    pub fn take_long(&self, takes: Duration) {
        self.inner().takes = takes;
    }

    /// Waits until a message has come, accepted or not.
    pub async fn began(&self) {
        self.began.notified().await;
    }

    /// Everything that was accepted so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.inner().received.clone()
    }

    /// What was accepted since this was asked.
    #[must_use]
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.inner().received)
    }

    /// How many messages came, accepted or not.
    #[must_use]
    pub fn tried(&self) -> usize {
        self.inner().tried
    }
}

impl Carrier for Letters {
    fn carry<'a>(&'a self, to: &'a Address, message: &'a Outgoing) -> BoxFuture<'a, Carried> {
        let mut inner = self.inner();
        inner.tried += 1;
        if let Some(kind) = inner.fails {
            let detail = "the server said no".to_owned();
            return ready(Err(Failure { kind, detail, retry_after: None })).boxed();
        }
        let (to, id, letter) = (to.to_string(), message.id.clone(), message.letter.clone());
        let takes = inner.takes;
        drop(inner);
        self.began.notify_one();
        async move {
            sleep(takes).await;
            self.inner().received.push(Received { to, id, letter });
            Ok(None)
        }
        .boxed()
    }
}
