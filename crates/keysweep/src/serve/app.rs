//! What answers are made from, and how many are made at the same time.

use std::sync::Arc;

use keysweep_core::state::Actor;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;

use super::auth::{Failures, Listener};
use super::budget::Budgets;
use super::replay::Replays;
use crate::access::{Client, Logins};
use crate::config::Config;
use crate::engine::Engine;
use crate::health::{Health, LastSweep};
use crate::reload::Reloads;

/// Scrapes and pages that are made at the same time, and documents of the API: each walks all records.
const AT_ONCE: usize = 2;

/// What is served, on every listener alike. Cheap to clone.
#[derive(Clone)]
pub struct Serving {
    engine: Arc<Engine>,
    health: Health,
    reloads: Reloads,
    failures: Arc<Failures>,
    at_once: Arc<Semaphore>,
    documents: Arc<Semaphore>,
    decisions: Decisions,
    logins: Arc<Logins>,
    budgets: Arc<Budgets<Actor>>,
    login_budgets: Arc<Budgets<Client>>,
    replays: Arc<Replays>,
}

/// Decisions that were begun.
#[derive(Debug, Clone, Default)]
struct Decisions(TaskTracker);

impl Decisions {
    /// Decides to the end, even if nobody waits for it any more; `None` if it was cut off all the same.
    async fn run<T: Send + 'static>(&self, deciding: impl Future<Output = T> + Send + 'static) -> Option<T> {
        self.0.spawn(deciding).await.ok()
    }

    /// Waits until all are done.
    async fn finished(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

impl Serving {
    /// Serves what this engine knows and can do.
    #[must_use]
    pub fn new(engine: Arc<Engine>, health: Health, reloads: Reloads) -> Self {
        engine.set_health(health.clone());
        let logins = Arc::new(Logins::new(engine.clock().clone()));
        Self {
            engine,
            health,
            reloads,
            failures: Arc::new(Failures::new()),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            documents: Arc::new(Semaphore::new(AT_ONCE)),
            decisions: Decisions::default(),
            logins,
            budgets: Arc::new(Budgets::of_api()),
            login_budgets: Arc::new(Budgets::of_logins()),
            replays: Arc::default(),
        }
    }

    /// Waits until every decision that was begun is done.
    pub(super) async fn finished(&self) {
        self.decisions.finished().await;
    }
}

/// The state of the router of one listener.
pub(super) struct App {
    serving: Serving,
    listener: Listener,
}

impl App {
    pub(super) fn new(serving: Serving, listener: Listener) -> Self {
        Self { serving, listener }
    }

    /// What answers.
    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.serving.engine
    }

    /// What the daemon knows of itself.
    pub(super) fn health(&self) -> &Health {
        &self.serving.health
    }

    /// The way to a reload.
    pub(super) fn reloads(&self) -> &Reloads {
        &self.serving.reloads
    }

    /// What the listener can promise.
    pub(super) fn listener(&self) -> Listener {
        self.listener
    }

    /// The effective configuration.
    pub(super) fn config(&self) -> Arc<Config> {
        self.serving.engine.config()
    }

    /// How many requests each caller has left.
    pub(super) fn budgets(&self) -> &Budgets<Actor> {
        &self.serving.budgets
    }

    /// How many logins through an identity provider each client has left.
    pub(super) fn login_budgets(&self) -> &Budgets<Client> {
        &self.serving.login_budgets
    }

    /// Answers to requests that may be sent again.
    pub(super) fn replays(&self) -> &Arc<Replays> {
        &self.serving.replays
    }

    /// Logins through an identity provider that are under way.
    pub(super) fn logins(&self) -> &Logins {
        &self.serving.logins
    }

    /// What was refused for its token.
    pub(super) fn failures(&self) -> &Failures {
        &self.serving.failures
    }

    /// What is missing for what is shown to be relied on.
    pub(super) fn missing(&self) -> Vec<String> {
        self.serving.health.missing(LastSweep::of(&self.serving.engine))
    }

    /// Does work that walks all records, away from the tasks of the runtime. `None` if it was broken off.
    pub(super) async fn work<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let places = Arc::clone(&self.serving.at_once);
        in_place(places, move || work(&self)).await
    }

    /// Waits for a place to make a document of the API, and to have it read: there may be many records.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.serving.documents).acquire_owned().await.ok()
    }

    /// Decides to the end, even if the asker hangs up: an undo must not stop between intent and outcome. `None` if
    /// it was cut off all the same.
    pub(super) async fn decide<T: Send + 'static>(
        &self,
        deciding: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.serving.decisions.run(deciding).await
    }
}

/// The place is given back when the work is done, even if nobody waits for it any more.
async fn in_place<T: Send + 'static>(
    places: Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let place = places.acquire_owned().await.ok()?;
    let done = spawn_blocking(move || {
        let result = work();
        drop(place);
        result
    });
    done.await.ok()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_is_done_though_its_asker_hangs_up() {
        let decisions = Decisions::default();
        let (go, going) = oneshot::channel::<()>();
        let (done, mut is_done) = oneshot::channel();
        let deciding = async move {
            let _ = going.await;
            let _ = done.send(());
        };
        // The asker sees no answer, and is dropped.
        assert!(decisions.run(deciding).now_or_never().is_none());
        assert!(decisions.finished().now_or_never().is_none(), "it is waited for");
        go.send(()).unwrap();
        decisions.finished().await;
        assert_eq!(is_done.try_recv(), Ok(()));
    }
}
