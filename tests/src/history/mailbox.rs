//! What carries messages to people: it fails, loses answers, and is slow, and the process may die while it is asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, TryFutureExt as _};
use keysweep::people::{Carried, Carrier, Outgoing};
use keysweep_core::notice::Address;
use keysweep_notify::{Failure, FailureKind};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::death::Death;
use super::oracle::Oracle;

/// A mail server. Clones share it.
#[derive(Clone)]
pub(super) struct Mailbox {
    oracle: Oracle,
    death: Death,
    weather: Arc<Mutex<Weather>>,
}

struct Weather {
    rng: ChaCha8Rng,
    /// Messages until it works again.
    down_for: u32,
}

/// What becomes of a message.
enum Fate {
    Accepted,
    /// It is accepted, and nobody hears of it.
    AnswerLost,
    /// It is accepted, and the process dies before it hears of it.
    Death,
    Failed(FailureKind),
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailbox")
    }
}

impl Mailbox {
    pub(super) fn new(seed: u64, oracle: Oracle, death: Death) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed ^ 0x4D41_494C);
        Self { oracle, death, weather: Arc::new(Mutex::new(Weather { rng, down_for: 0 })) }
    }

    fn fate(&self) -> (Fate, Duration) {
        let mut weather = self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        let slow = Duration::from_millis(weather.rng.random_range(0..20_000));
        if weather.down_for > 0 {
            weather.down_for -= 1;
            return (Fate::Failed(FailureKind::Temporary), slow);
        }
        let fate = match weather.rng.random_range(0..100) {
            0..72 => Fate::Accepted,
            72..80 => Fate::AnswerLost,
            80..83 => Fate::Death,
            83..93 => Fate::Failed(FailureKind::Temporary),
            93..95 => Fate::Failed(FailureKind::Misconfigured),
            95..98 => Fate::Failed(FailureKind::Rejected),
            _ => {
                weather.down_for = weather.rng.random_range(3..40);
                Fate::Failed(FailureKind::Temporary)
            }
        };
        (fate, slow)
    }

    async fn take(&self, to: &Address, message: &Outgoing) -> Result<(), Failure> {
        self.oracle.read_journal();
        self.oracle.carried(&message.letter.json);
        let (fate, slow) = self.fate();
        tokio::time::sleep(slow).await;
        let failure = |kind| Err(Failure { kind, detail: "no luck".into(), retry_after: None });
        match fate {
            Fate::Accepted => {
                self.oracle.received(&to.to_string(), &message.letter.json);
                self.oracle.acknowledged(&message.letter.json);
                Ok(())
            }
            Fate::AnswerLost => {
                self.oracle.received(&to.to_string(), &message.letter.json);
                failure(FailureKind::Temporary)
            }
            Fate::Death => {
                self.oracle.received(&to.to_string(), &message.letter.json);
                self.oracle.count("crash while a message is sent");
                self.death.die();
                std::future::pending().await
            }
            Fate::Failed(kind) => {
                self.oracle.count("message refused");
                failure(kind)
            }
        }
    }
}

impl Carrier for Mailbox {
    fn carry<'a>(&'a self, to: &'a Address, message: &'a Outgoing) -> BoxFuture<'a, Carried> {
        self.take(to, message).map_ok(|()| None).boxed()
    }
}
