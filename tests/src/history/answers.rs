//! Owners who follow the links in their messages: late, twice, and by links that others forwarded to them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep::engine::Engine;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Shared;
use super::operators::pick;
use super::oracle::REACTIVATE;
use super::rules::OWNER_TAG;

/// A link that keysweep sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) key: String,
    pub(super) purpose: String,
    pub(super) url: String,
    /// The address that accepted it.
    pub(super) to: String,
    /// Until when it is valid, by the machine's clock.
    pub(super) expires: Timestamp,
}

/// Someone follows any link that was sent, at any time.
pub(super) async fn click(shared: &Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    let links = shared.oracle.links();
    let Some(sent) = pick(rng, &links).cloned() else { return };
    follow(shared, engine, rng, sent).await;
}

/// Someone follows a link that reactivates a key, and rather one that must not: of an owner who is not the owner any more, too
/// old, or to undo what a person ordered or AWS asked for. Or what makes such a link comes about.
pub(super) async fn reactivate(shared: &Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    let what = rng.random_range(0..10);
    if what < 3 {
        return make_doubtful(shared, rng);
    }
    let links = if what < 5 { shared.oracle.undoing_links() } else { shared.oracle.doubtful_links() };
    let Some(sent) = pick(rng, &links).cloned() else { return };
    let why = match what {
        3 => "link to undo",
        // Before keysweep has seen it.
        4 => {
            leak(shared, &sent.key);
            "link of a user whom AWS has just marked"
        }
        _ if shared.time.wall() > sent.expires => "link that has expired",
        _ => "link in doubt",
    };
    shared.oracle.count(why);
    follow(shared, engine, rng, sent).await;
}

/// A key that is Inactive gets another owner, or AWS marks its user.
fn make_doubtful(shared: &Shared, rng: &mut ChaCha8Rng) {
    let links = shared.oracle.undoing_links();
    let Some(key) = pick(rng, &links).and_then(|sent| shared.sim.key(&sent.key)) else { return };
    if rng.random_bool(0.3) {
        leak(shared, &key.key_id);
    } else {
        let name = ["ann@corp.example", "bo@corp.example"][rng.random_range(0..2)];
        shared.sim.tag_user(&key.account, &key.user_id, OWNER_TAG, name);
        shared.oracle.count("owner gives a key away that is Inactive");
    }
}

/// AWS finds a key of the same user on a public page.
fn leak(shared: &Shared, key: &str) {
    let Some(key) = shared.sim.key(key) else { return };
    let arn = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    shared.sim.attach_policy(&key.account, &key.user_name, arn);
    shared.oracle.incident(&key.user_id);
    shared.oracle.count("owner leaks a key that is Inactive");
}

/// Follows one link.
async fn follow(shared: &Shared, engine: &Engine, rng: &mut ChaCha8Rng, sent: Sent) {
    let Sent { key, purpose, url, to, expires } = sent;
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
        shared.tell(&format!("a link to {to} ({purpose} {key}): {answered:?}"));
        if answered.is_ok() {
            shared.oracle.count(&format!("answer {purpose}"));
            if shared.time.wall() > expires {
                let what = format!("a link to {to} to {purpose} of {key} counts, and expired at {expires}");
                shared.oracle.broken("link", what);
            }
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
