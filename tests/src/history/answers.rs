//! Owners who follow the links in their messages: late, twice, and by links that others forwarded to them.

use std::time::Duration;

use jiff::SignedDuration;
use keysweep::engine::Engine;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Shared;
use super::operators::pick;
use super::oracle::REACTIVATE;

/// A link that keysweep sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) key: String,
    pub(super) purpose: String,
    pub(super) url: String,
}

/// Someone follows any link that was sent, at any time.
pub(super) async fn click(shared: &Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    let links = shared.oracle.links();
    let Some(Sent { key, purpose, url }) = pick(rng, &links).cloned() else { return };
    let token = url.rsplit('/').next().unwrap_or_default().to_owned();
    if rng.random_bool(0.3) {
        forge(shared, engine, rng, &token).await;
    }
    let days = rng.random_range(1..60);
    let again = if rng.random_bool(0.3) { 2 } else { 1 };
    for _ in 0..again {
        shared.oracle.count(&format!("link {purpose}"));
        if purpose == "reactivate" {
            shared.oracle.ordered(Some((key.clone(), REACTIVATE)));
        }
        let length = Duration::from_secs(86_400 * days);
        let answered = engine.answer_link(&token, "it is still needed", length).await;
        shared.oracle.ordered(None);
        shared.oracle.read_journal();
        if answered.is_ok() {
            shared.oracle.count(&format!("answer {purpose}"));
        }
        if answered.is_ok() && purpose == "still_needed" {
            // As long as the owner asked for, or is allowed to.
            let days = i64::try_from(days.min(30)).unwrap_or_default();
            let until = shared.time.now() + SignedDuration::from_hours(24 * days);
            shared.oracle.held_by_owner(&key, until - SignedDuration::from_mins(10));
        }
    }
}

/// A link that was tampered with does nothing.
async fn forge(shared: &Shared, engine: &Engine, rng: &mut ChaCha8Rng, token: &str) {
    // What is signed, or only the signature, which is the end.
    let first = if rng.random_bool(0.5) { 0 } else { token.len() - 20 };
    let place = rng.random_range(first..token.len());
    let letter = ["A", "b", "7", "_"][rng.random_range(0..4)];
    let mut forged = token.to_owned();
    forged.replace_range(place..=place, letter);
    // The last letter holds bits that mean nothing.
    if forged == token || place + 1 == token.len() {
        return;
    }
    shared.oracle.count("link forged");
    if let Ok(done) = engine.answer_link(&forged, "it is mine", Duration::from_secs(86_400)).await {
        shared.oracle.broken("link", format!("a forged link was answered: {}", done.message));
    }
}
