//! Requests that are sent twice: the header `Idempotency-Key` (IETF draft-ietf-httpapi-idempotency-key-header).
//!
//! A client that got no answer sends the same request with the same key again, and gets the answer to the first one. What is
//! kept is in memory: after a restart, a repeated decision is judged as any other, and the journal refuses what was decided
//! before.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use keysweep_api::Refusal;
use keysweep_core::state::Actor;
use sha2::{Digest as _, Sha256};

/// Answers that are kept. The oldest give way.
const KEPT: usize = 1_000;

/// The longest key.
pub(super) const MAX_KEY: usize = 128;

/// Answers of late.
#[derive(Default)]
pub(super) struct Replays(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    answers: HashMap<Request, (Fingerprint, Option<Result<Bytes, Refusal>>)>,
    order: VecDeque<Request>,
}

/// Whose request, and its key.
type Request = (Actor, String);

/// What was asked: path and body.
type Fingerprint = [u8; 32];

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is new: carry it out.
    New,
    /// It was carried out before, with this answer.
    Before(Result<Bytes, Refusal>),
}

impl Replays {
    /// Begins a request.
    ///
    /// # Errors
    /// The key was used for another request, or the first one is still being carried out.
    pub(super) fn begin(&self, caller: &Actor, key: &str, path: &str, body: &[u8]) -> Result<Turn, Refusal> {
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
            let expected = format!("`Idempotency-Key` must be 1 to {MAX_KEY} printable ASCII characters");
            return Err(Refusal::Malformed(expected));
        }
        let fingerprint =
            Sha256::new().chain_update(path).chain_update([0]).chain_update(body).finalize().into();
        let request = (caller.clone(), key.to_owned());
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.answers.get(&request) {
            Some((asked, _)) if *asked != fingerprint => {
                Err(Refusal::Conflict("this `Idempotency-Key` was used for another request".to_owned()))
            }
            Some((_, None)) => Err(Refusal::Conflict(
                "the first request with this `Idempotency-Key` is under way".to_owned(),
            )),
            Some((_, Some(answer))) => Ok(Turn::Before(answer.clone())),
            None => {
                inner.answers.insert(request.clone(), (fingerprint, None));
                inner.order.push_back(request);
                if inner.order.len() > KEPT
                    && let Some(oldest) = inner.order.pop_front()
                {
                    inner.answers.remove(&oldest);
                }
                Ok(Turn::New)
            }
        }
    }

    /// Keeps the answer to a request. One that failed on our side, or on the way to AWS, can be tried again.
    pub(super) fn end(&self, caller: &Actor, key: &str, answer: &Result<Bytes, Refusal>) {
        let request = (caller.clone(), key.to_owned());
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.as_ref().is_err_and(|refusal| refusal.status().is_server_error()) {
            inner.answers.remove(&request);
            inner.order.retain(|kept| *kept != request);
        } else if let Some((_, kept)) = inner.answers.get_mut(&request) {
            *kept = Some(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(text: &'static str) -> Result<Bytes, Refusal> {
        Ok(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_request_that_is_sent_twice_is_carried_out_once() {
        let (replays, ann) = (Replays::default(), Actor::token("ann"));
        assert_eq!(replays.begin(&ann, "k1", "/pause", b"{}"), Ok(Turn::New));
        let under_way = replays.begin(&ann, "k1", "/pause", b"{}");
        assert!(matches!(under_way, Err(Refusal::Conflict(_))), "{under_way:?}");
        replays.end(&ann, "k1", &done("paused"));
        assert_eq!(replays.begin(&ann, "k1", "/pause", b"{}"), Ok(Turn::Before(done("paused"))));
    }

    #[test]
    fn a_key_belongs_to_one_caller_and_one_request() {
        let (replays, ann) = (Replays::default(), Actor::token("ann"));
        assert_eq!(replays.begin(&ann, "k1", "/pause", b"{}"), Ok(Turn::New));
        replays.end(&ann, "k1", &done("paused"));
        for (path, body) in [("/resume", &b"{}"[..]), ("/pause", b"{ }"), ("/pause{}", b"")] {
            let other = replays.begin(&ann, "k1", path, body);
            assert!(matches!(other, Err(Refusal::Conflict(_))), "{path}: {other:?}");
        }
        assert_eq!(replays.begin(&Actor::token("bob"), "k1", "/pause", b"{}"), Ok(Turn::New));
        for key in ["", "two words", "é", &"a".repeat(MAX_KEY + 1)] {
            assert!(replays.begin(&ann, key, "/pause", b"{}").is_err(), "{key}");
        }
    }

    #[test]
    fn refusals_are_kept_and_failures_can_be_tried_again() {
        let (replays, ann) = (Replays::default(), Actor::token("ann"));
        for (refusal, kept) in [
            (Refusal::Conflict("not on hold".into()), true),
            (Refusal::Unavailable("disk full".into()), false),
        ] {
            assert_eq!(replays.begin(&ann, "k", "/release", b"{}"), Ok(Turn::New));
            replays.end(&ann, "k", &Err(refusal.clone()));
            let again = replays.begin(&ann, "k", "/release", b"{}");
            let expected = if kept { Turn::Before(Err(refusal)) } else { Turn::New };
            assert_eq!(again, Ok(expected));
            replays.end(&ann, "k", &Err(Refusal::Internal("cut off".into())));
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (replays, ann) = (Replays::default(), Actor::token("ann"));
        for n in 0..KEPT + 10 {
            assert_eq!(replays.begin(&ann, &n.to_string(), "/pause", b"{}"), Ok(Turn::New));
            replays.end(&ann, &n.to_string(), &done("paused"));
        }
        let inner = replays.0.lock().unwrap();
        assert_eq!((inner.answers.len(), inner.order.len()), (KEPT, KEPT));
    }
}
