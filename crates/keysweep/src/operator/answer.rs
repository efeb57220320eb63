//! Answers of owners through links in notices: each can only delay or undo a change.

use std::time::Duration;

use jiff::Timestamp;
use keysweep_api::{Decide, Decision, Done, Refusal};
use keysweep_core::lifecycle::event::{Note, Overlay};
use keysweep_core::lifecycle::{DeactivatedBy, HoldKind, KeyEvent, Notice, Record, State as KeyState};
use keysweep_core::state::{Actor, Body, State};

use super::Act;
use crate::access::{Caller, Permit};
use crate::engine::Engine;
use crate::people::{Link, Purpose, shortened};

/// So many times in a row an owner may hold a key.
const OWNER_HOLDS: u32 = 2;

/// The shortest hold: a shorter one would change nothing that keysweep does.
const SHORTEST_HOLD: Duration = Duration::from_secs(86_400);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The link that it came by.
    pub(crate) link: Link,
    /// Why, in the owner's words.
    pub(crate) reason: String,
    /// For how long the key is still needed.
    pub(crate) length: Duration,
}

impl Engine {
    /// Answers by the token of a link, as its page does.
    ///
    /// # Errors
    /// As the page says: the link is invalid or outdated, or a person has to decide.
    pub async fn answer_link(&self, token: &str, reason: &str, length: Duration) -> Result<Done, Refusal> {
        let maker = self.links().ok_or_else(|| Refusal::NotFound("there are no links".to_owned()))?;
        let link = maker.read(token, self.clock().now());
        let link = link.map_err(|invalid| Refusal::NotFound(invalid.to_string()))?;
        self.answer(Answer { link, reason: reason.to_owned(), length }).await
    }

    /// Carries out an answer.
    ///
    /// # Errors
    /// Why not: what the link was sent for has changed, or a person has to decide.
    pub(crate) async fn answer(&self, answer: Answer) -> Result<Done, Refusal> {
        let done = self.carry_out(answer).await;
        self.decided();
        done
    }

    async fn carry_out(&self, answer: Answer) -> Result<Done, Refusal> {
        let Answer { link, reason, length } = answer;
        let actor = Actor::Link { owner: link.recipient.clone() };
        let most = self.config().policy.notices.owner_hold_max;
        match link.purpose {
            Purpose::Show => Err(Refusal::Malformed("this link only shows the key".to_owned())),
            Purpose::StillNeeded => {
                let length = length.max(SHORTEST_HOLD).min(most);
                let done = self
                    .write_answer(&actor, &link, |record, now| {
                        let until = now.checked_add(length).unwrap_or(Timestamp::MAX);
                        hold(record, until, &reason)
                    })
                    .await?;
                self.end_quarantine_soon(&link.key);
                Ok(done)
            }
            Purpose::NoLongerNeeded => {
                self.write_answer(&actor, &link, |record, _| {
                    let said = "recorded; keysweep changes the key no earlier than announced".to_owned();
                    match record.past.not_needed {
                        Some(_) => Ok((None, said)),
                        None => Ok((Some(Note::NoLongerNeeded.into()), said)),
                    }
                })
                .await
            }
            Purpose::Reactivate => {
                self.store().read(|state| match state.record(&link.key) {
                    Some(record) => may_reactivate(state, record, &link),
                    None => Err(outdated()),
                })?;
                let decision = Decision::Reactivate {};
                let caller = Caller::new(actor, Vec::new());
                Decide { key: link.key, decision, reason }.act(self, &Permit::by_link(&caller)).await
            }
        }
    }

    async fn write_answer(
        &self,
        actor: &Actor,
        link: &Link,
        mut answer: impl FnMut(&Record, Timestamp) -> Result<(Option<KeyEvent>, String), Refusal> + Send,
    ) -> Result<Done, Refusal> {
        let written = |state: &State, now: Timestamp| {
            let record = state.record(&link.key).ok_or_else(outdated)?;
            is_current(state, record, link)?;
            let (event, message) = answer(record, now)?;
            let (account, key) = (record.identity.account, record.identity.key.clone());
            let entries = event.map(|event| Body::Key { account, key, event });
            Ok((entries.into_iter().collect(), message))
        };
        self.decide_for(actor, written).await
    }
}

fn outdated() -> Refusal {
    let why = "the key or its owner has changed since this link was sent: ask your security team";
    Refusal::Conflict(why.to_owned())
}

/// Whether the link is still about what comes next for the key, and for its present owner.
///
/// # Errors
/// If it is not.
pub(crate) fn is_current(state: &State, record: &Record, link: &Link) -> Result<(), Refusal> {
    let owner = record.owner.as_ref().map(|owner| shortened(&owner.name).to_lowercase());
    let same_owner = owner == Some(link.recipient.to_lowercase());
    // The numbers of entries mean something else in another journal, and since a backup was restored.
    let control = state.control();
    let numbered = control.began.max(control.restored);
    let same_journal = numbered.is_none_or(|at| link.written_at().as_second() >= at.as_second());
    let current = match link.purpose {
        // It only shows.
        Purpose::Show => true,
        Purpose::StillNeeded | Purpose::NoLongerNeeded => {
            let announced =
                record.notice().and_then(Notice::number).is_some_and(|notice| notice <= link.entry);
            let pending = matches!(record.state, KeyState::Flagged(_) | KeyState::Deactivated(_));
            announced && pending
        }
        Purpose::Reactivate => {
            let since = record.past.sent.is_some_and(|sent| sent.seq < link.entry);
            let inactive = matches!(record.state, KeyState::Deactivated(_) | KeyState::Deleting(_));
            let ours = record.origin() == Some(DeactivatedBy::Keysweep);
            since && inactive && ours && record.may_undo()
        }
    };
    if same_owner && same_journal && current { Ok(()) } else { Err(outdated()) }
}

/// Whether a link may undo this deactivation. Where a person had a reason of their own, a person has to decide.
pub(crate) fn may_reactivate(state: &State, record: &Record, link: &Link) -> Result<(), Refusal> {
    is_current(state, record, link)?;
    if record.incident.is_some() {
        return Err(Refusal::Conflict(
            "a link cannot reactivate a key that AWS considers compromised: ask your security team"
                .to_owned(),
        ));
    }
    if record.past.sent.is_some_and(|sent| sent.ordered) {
        return Err(Refusal::Conflict(
            "an operator deactivated this key by name: ask your security team to reactivate it".to_owned(),
        ));
    }
    Ok(())
}

fn hold(record: &Record, until: Timestamp, reason: &str) -> Result<(Option<KeyEvent>, String), Refusal> {
    let mine = record.holds.iter().find(|hold| hold.kind == HoldKind::Owner);
    if let Some(hold) = mine.filter(|hold| hold.until.is_none_or(|known| until <= known)) {
        let until =
            hold.until.map_or_else(|| "an operator releases it".to_owned(), |until| format!("{until:.0}"));
        return Ok((None, format!("the key is already on hold until {until}")));
    }
    // Prolonging a hold that has not ended is the next one in the row.
    if record.past.owner_holds >= OWNER_HOLDS {
        return Err(Refusal::Conflict(format!(
            "you have put this key on hold {OWNER_HOLDS} times in a row: ask your security team for a longer hold or an \
             exemption"
        )));
    }
    let message = format!("the key is on hold until {until:.0}; keysweep does not change it before then");
    Ok((Some(Overlay::HoldPlaced { reason: reason.to_owned(), until: Some(until) }.into()), message))
}
