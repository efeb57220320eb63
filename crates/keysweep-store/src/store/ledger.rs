//! The two ways to write: decide on the present state, or record what has happened.

use std::convert::Infallible;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use keysweep_core::state::{Actor, Body, Receipt, State};
use tokio::sync::oneshot;

use super::Store;
use super::append::{self, Answer, Request};
use crate::error::AppendError;

/// Why a decision wrote nothing.
#[derive(Debug, thiserror::Error)]
pub enum Undecided<E> {
    /// The decision was not to write anything.
    #[error("decided against it")]
    No(E),
    /// Its entries could not be written.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl From<Undecided<Infallible>> for AppendError {
    fn from(undecided: Undecided<Infallible>) -> Self {
        match undecided {
            Undecided::Append(error) => error,
            Undecided::No(never) => match never {},
        }
    }
}

impl Store {
    /// Decides on the present state and appends what was decided, as one operation: no other entry comes between the
    /// state that `decide` sees and the entries that it gives. Waits until they are on disk and visible.
    ///
    /// Decisions are made one at a time, in the order in which they are asked for. If something was recorded meanwhile,
    /// `decide` runs again on the new state. Its second argument is the present moment, which the entries carry. No
    /// entries mean that nothing is written. While `decide` runs, commits wait. Dropping the future takes nothing back:
    /// entries that were decided may be written all the same.
    ///
    /// # Errors
    /// What `decide` said instead, or why its entries could not be written, all of them, as in [`Store::record`].
    pub async fn decide<T, E>(
        &self,
        now: impl Fn() -> Timestamp,
        actor: &Actor,
        decide: impl FnMut(&State, Timestamp) -> Result<(Vec<Body>, T), E>,
    ) -> Result<(Vec<Receipt>, T), Undecided<E>> {
        self.decide_as(now, actor, decide, false).await
    }

    /// [Decides](Self::decide) on the intent of an undo, with the means of [`Store::record_urgent`].
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    pub async fn decide_urgent<T, E>(
        &self,
        now: impl Fn() -> Timestamp,
        actor: &Actor,
        decide: impl FnMut(&State, Timestamp) -> Result<(Vec<Body>, T), E>,
    ) -> Result<(Vec<Receipt>, T), Undecided<E>> {
        self.decide_as(now, actor, decide, true).await
    }

    /// Appends entries about what has happened, all or none, and waits until they are on disk and visible. What depends
    /// on the state is [decided](Self::decide) instead.
    ///
    /// Requests that come meanwhile share the next write and sync. Dropping the future does not take the request
    /// back: it is written all the same.
    ///
    /// # Errors
    /// [`AppendError`]: then none of them is visible, or will be, except after [`AppendError::Interrupted`].
    pub async fn record(
        &self,
        at: Timestamp,
        actor: &Actor,
        bodies: Vec<Body>,
    ) -> Result<Vec<Receipt>, AppendError> {
        self.request(at, actor, bodies, false, None).await.map(Option::unwrap_or_default)
    }

    /// [Records](Self::record) what an undo needs, and the outcome of any call: on a full disk it takes the space that
    /// is reserved for it, and a journal that an earlier failure poisoned is repaired first, as a restart would. For
    /// other entries it stays poisoned.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub async fn record_urgent(
        &self,
        at: Timestamp,
        actor: &Actor,
        bodies: Vec<Body>,
    ) -> Result<Vec<Receipt>, AppendError> {
        self.request(at, actor, bodies, true, None).await.map(Option::unwrap_or_default)
    }

    async fn decide_as<T, E>(
        &self,
        now: impl Fn() -> Timestamp,
        actor: &Actor,
        mut decide: impl FnMut(&State, Timestamp) -> Result<(Vec<Body>, T), E>,
        urgent: bool,
    ) -> Result<(Vec<Receipt>, T), Undecided<E>> {
        let _turn = self.inner.turn.lock().await;
        loop {
            let (at, seen, decided) = {
                let state = self.inner.state.read().unwrap_or_else(PoisonError::into_inner);
                let at = now();
                (at, self.inner.head.load(Ordering::Acquire), decide(&state, at))
            };
            let (bodies, value) = decided.map_err(Undecided::No)?;
            if let Some(receipts) = self.request(at, actor, bodies, urgent, Some(seen)).await? {
                return Ok((receipts, value));
            }
        }
    }

    async fn request(
        &self,
        at: Timestamp,
        actor: &Actor,
        bodies: Vec<Body>,
        urgent: bool,
        after: Option<u64>,
    ) -> Answer {
        if bodies.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let (reply, answer) = oneshot::channel();
        append::enqueue(&self.inner, Request { at, actor: actor.clone(), bodies, urgent, after, reply })?;
        answer.await.unwrap_or(Err(AppendError::Interrupted))
    }
}
