//! The way on which a running daemon is asked to load its configuration again.
//!
//! Who asks hands a request to the one task that reloads, and may wait for the answer. So reloads happen one after the
//! other, whoever asks.

use std::fmt;

use keysweep_core::state::Actor;
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait. More would ask for the same.
const WAITING: usize = 8;

/// Makes both ends of the way.
#[must_use]
pub fn channel() -> (Reloads, Requests) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Reloads(sender), Requests(receiver))
}

/// Asks for reloads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reloads(mpsc::Sender<Request>);

/// Where requests arrive.
#[derive(Debug)]
pub struct Requests(mpsc::Receiver<Request>);

/// Who asks for a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A signal of the operating system.
    Signal,
    /// An operator, over HTTP.
    Operator(Actor),
}

impl By {
    /// As the journal names him. A signal does not say who sent it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self {
            Self::Signal => Actor::Keysweep,
            Self::Operator(actor) => actor.clone(),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal => f.write_str("SIGHUP"),
            Self::Operator(actor) => actor.fmt(f),
        }
    }
}

/// One request.
#[derive(Debug)]
pub struct Request {
    by: By,
    answer: Option<oneshot::Sender<Result<String, ReloadError>>>,
}

/// Why no new configuration is in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// There is one, and it is refused: every mistake, as `keysweep config check` tells them.
    #[error("{0}")]
    Refused(String),
    /// There is none to be read.
    #[error("{0}")]
    Unreadable(String),
    /// Too many ask at the same time.
    #[error("other reloads are under way")]
    Busy,
    /// Nobody reloads any more.
    #[error("keysweep is stopping")]
    Stopping,
}

impl Reloads {
    /// Asks for a reload and waits for what comes of it: what is in force now, in a few lines.
    ///
    /// # Errors
    /// Why the old configuration stays in force.
    pub async fn ask(&self, by: By) -> Result<String, ReloadError> {
        let (answer, answered) = oneshot::channel();
        self.send(Request { by, answer: Some(answer) })?;
        answered.await.unwrap_or(Err(ReloadError::Stopping))
    }

    /// Asks for a reload, of which the log tells what came. Where others wait already, the last of them has not begun
    /// and does for this one too.
    pub fn signal(&self) {
        match self.send(Request { by: By::Signal, answer: None }) {
            Ok(()) | Err(ReloadError::Busy | ReloadError::Stopping) => {}
            // Only the other end refuses.
            Err(ReloadError::Refused(_) | ReloadError::Unreadable(_)) => {}
        }
    }

    fn send(&self, request: Request) -> Result<(), ReloadError> {
        self.0.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ReloadError::Busy,
            mpsc::error::TrySendError::Closed(_) => ReloadError::Stopping,
        })
    }
}

impl Requests {
    /// Waits for the next request; `None` once nobody can ask any more.
    pub async fn next(&mut self) -> Option<Request> {
        self.0.recv().await
    }
}

impl Request {
    /// Who asks.
    #[must_use]
    pub fn by(&self) -> &By {
        &self.by
    }

    /// Answers. Who asked may have gone.
    pub fn answer(self, outcome: Result<String, ReloadError>) {
        if let Some(answer) = self.answer {
            let _ = answer.send(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_is_answered_and_many_at_once_are_told_to_wait() {
        let (reloads, mut requests) = channel();
        let asked = tokio::join!(reloads.ask(By::Operator(Actor::token("dana"))), async {
            let request = requests.next().await.unwrap();
            assert_eq!(request.by().to_string(), "token dana");
            request.answer(Err(ReloadError::Refused("1 mistake".into())));
        });
        assert_eq!(asked.0, Err(ReloadError::Refused("1 mistake".into())));

        (0..WAITING * 2).for_each(|_| reloads.signal());
        assert_eq!(reloads.ask(By::Signal).await, Err(ReloadError::Busy));
        for _ in 0..WAITING {
            assert_eq!(requests.next().await.unwrap().by(), &By::Signal);
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_daemon_that_stops() {
        let (reloads, mut requests) = channel();
        let asked = tokio::join!(reloads.ask(By::Signal), async { drop(requests.next().await) });
        assert_eq!(asked.0, Err(ReloadError::Stopping));
        drop(requests);
        assert_eq!(reloads.ask(By::Signal).await, Err(ReloadError::Stopping));
    }
}
