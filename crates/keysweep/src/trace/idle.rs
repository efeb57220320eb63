//! What is looked up between sweeps, about once a day: who created access keys, and who changes users whose keys keysweep
//! stopped. Sweeps are neither slower nor dearer for it.

use std::collections::BTreeMap;
use std::convert::Infallible;

use futures_util::{Stream, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use keysweep_aws::{Access, Aws, Fault, Partition, Reader};
use keysweep_core::evidence::{TracedCall, UserChange};
use keysweep_core::facts::{AccountFacts, Outcome};
use keysweep_core::ids::{AccessKeyId, AccountId, UserName};
use keysweep_core::lifecycle::event::Note;
use keysweep_core::lifecycle::{Record, State as KeyState};
use keysweep_core::state::{Actor, Body, State};
use keysweep_store::AppendError;

use crate::causes::in_words;
use crate::collect::Scope;
use crate::config::Config;
use crate::engine::{Engine, Latest};

/// Lookups at the same time.
const AT_ONCE: usize = 4;

/// How often.
const EVERY: SignedDuration = SignedDuration::from_hours(24);

/// CloudTrail keeps no older events (CloudTrail user guide, "Working with CloudTrail event history").
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How far a lookup goes back before the last one: events are minutes late.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);

/// What names keysweep among the user agents that CloudTrail shows.
const OURS: &str = "app/keysweep";

/// When what was last looked up. A restart forgets it, and costs one lookup more for each.
#[derive(Debug, Default)]
pub struct Idle {
    creations: BTreeMap<AccountId, Asked>,
    users: BTreeMap<(AccountId, UserName), Asked>,
    /// Whether it was told that nothing can be looked up.
    has_told: bool,
}

/// Lookups of one account or user.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// The last one.
    at: Timestamp,
    /// The last one that was answered.
    answered: Option<Timestamp>,
}

impl Idle {
    /// Looks up what is due. It may be dropped at any time: what was not looked up is due next time.
    pub async fn look(&mut self, engine: &Engine) {
        let config = engine.config();
        let home = Partition::of_region(&config.aws.region).home();
        let Some(home) = home.filter(|_| config.policy.cloudtrail) else {
            if home.is_none() && config.policy.cloudtrail && !std::mem::replace(&mut self.has_told, true) {
                let region = &config.aws.region;
                tracing::warn!(
                    %region,
                    "keysweep does not know where CloudTrail records calls to IAM in this partition: it does not look up who \
                     created access keys or changed users"
                );
            }
            return;
        };
        // A sweep tells why there is none.
        let (Some(latest), Ok(aws)) = (engine.latest(), engine.aws().await) else { return };
        let looking = Looking { engine, aws: &aws, config: &config, home, now: engine.clock().now() };
        self.users(&looking, &latest).await;
        if config.evidence.creators {
            self.creations(&looking, &latest).await;
        }
    }

    async fn creations(&mut self, looking: &Looking<'_>, latest: &Latest) {
        let mut failures = Failures::default();
        let due = |account: &AccountFacts| since(self.creations.get(&account.id), looking.now);
        let accounts = scanned(latest, looking.config);
        let due: Vec<_> = accounts.filter_map(|account| Some((account.clone(), due(account)?))).collect();
        let looks = due.into_iter().map(|(account, since): (AccountFacts, Timestamp)| async move {
            (account.id, looking.creations(&account, since).await)
        });
        let mut answers = std::pin::pin!(at_once(looks));
        while let Some((account, answer)) = answers.next().await {
            let journaled = match answer {
                Ok((found, older)) => {
                    if older {
                        tracing::warn!(
                            %account,
                            "CloudTrail has more CreateAccessKey events than keysweep reads: who created the older keys is not \
                             recorded"
                        );
                    }
                    journal_creations(looking.engine, account, found).await
                }
                Err(fault) => {
                    failures.add(account, &fault);
                    false
                }
            };
            // What is not on disk was not looked up.
            note(&mut self.creations, account, looking.now, journaled);
        }
        failures.tell("could not look up who created access keys; keysweep tries again in 24 hours");
    }

    async fn users(&mut self, looking: &Looking<'_>, latest: &Latest) {
        let stopped = looking.engine.store().read(stopped);
        self.users.retain(|user, _| stopped.contains_key(user));
        let accounts: BTreeMap<_, _> =
            scanned(latest, looking.config).map(|facts| (facts.id, facts)).collect();
        let (mut due, mut failures) = (Vec::new(), Failures::default());
        for (of, stopped) in stopped {
            if let (Some(facts), Some(since)) = (accounts.get(&of.0), since(self.users.get(&of), looking.now))
            {
                due.push((AccountFacts::clone(facts), of.1, since.max(stopped)));
            }
        }
        let looks =
            due.into_iter().map(|(facts, user, since): (AccountFacts, UserName, Timestamp)| async move {
                let answer = looking.user_changes(&facts, &user, since).await;
                (facts.id, user, answer)
            });
        let mut answers = std::pin::pin!(at_once(looks));
        while let Some((account, user, answer)) = answers.next().await {
            let journaled = match answer {
                Ok(changes) => journal_changes(looking.engine, account, &user, changes).await,
                Err(fault) => {
                    failures.add(account, &fault);
                    false
                }
            };
            note(&mut self.users, (account, user), looking.now, journaled);
        }
        failures.tell("could not look up who changed users of deactivated or quarantined keys; keysweep tries again in 24 hours");
    }
}

/// What lookups need.
struct Looking<'a> {
    engine: &'a Engine,
    aws: &'a Aws,
    config: &'a Config,
    /// Where CloudTrail records calls to IAM.
    home: &'a str,
    now: Timestamp,
}

impl Looking<'_> {
    async fn reader(&self, account: &AccountFacts) -> Result<Reader, Fault> {
        self.aws.reader(account.id, Scope::of(self.config).access(account)).await
    }

    async fn creations(&self, account: &AccountFacts, since: Timestamp) -> Result<(Creations, bool), Fault> {
        self.reader(account).await?.creations(self.home, since).await
    }

    async fn user_changes(
        &self,
        account: &AccountFacts,
        user: &UserName,
        since: Timestamp,
    ) -> Result<Vec<UserChange>, Fault> {
        let mut changes = self.reader(account).await?.user_changes(user, self.home, since).await?;
        changes.retain(|change| !is_ours(&change.call));
        Ok(changes)
    }
}

type Creations = BTreeMap<AccessKeyId, keysweep_core::evidence::Creation>;

fn is_ours(call: &TracedCall) -> bool {
    call.user_agent.as_ref().is_some_and(|agent| agent.split_whitespace().any(|part| part == OURS))
}

/// From when on to look, if it is time.
fn since(asked: Option<&Asked>, now: Timestamp) -> Option<Timestamp> {
    let before = |at: Timestamp, span: SignedDuration| at.checked_sub(span).unwrap_or(Timestamp::MIN);
    let oldest = before(now, KEPT);
    let Some(asked) = asked else { return Some(oldest) };
    // A clock that was set back must not put it off.
    let due = now < asked.at || now.duration_since(asked.at) >= EVERY;
    due.then(|| asked.answered.map_or(oldest, |at| before(at.min(now), OVERLAP).max(oldest)))
}

fn note<K: Ord>(asked: &mut BTreeMap<K, Asked>, of: K, now: Timestamp, journaled: bool) {
    let before = asked.get(&of).and_then(|asked| asked.answered);
    let answered = if journaled { Some(now) } else { before };
    asked.insert(of, Asked { at: now, answered });
}

/// Accounts that the last sweep reached by a role. The hub itself may not look up events.
fn scanned<'a>(latest: &'a Latest, config: &Config) -> impl Iterator<Item = &'a AccountFacts> {
    let by_role = |account: &&AccountFacts| Scope::of(config).access(account) != Access::Direct;
    let scanned = latest.collection.accounts.iter().filter_map(|(account, outcome)| match outcome {
        Outcome::Scanned(_) => Some(account),
        Outcome::Failed { .. } | Outcome::Skipped { .. } => None,
    });
    scanned.filter(by_role)
}

/// The users of the keys that keysweep keeps from working, and since when.
fn stopped(state: &State) -> BTreeMap<(AccountId, UserName), Timestamp> {
    let mut stopped = BTreeMap::new();
    for record in state.records().filter(|record| record.is_stopped()) {
        let since = stopped_since(record).unwrap_or(Timestamp::MIN);
        let first = stopped.entry((record.identity.account, record.user_name.clone())).or_insert(since);
        *first = since.min(*first);
    }
    stopped
}

fn stopped_since(record: &Record) -> Option<Timestamp> {
    let deactivated = match &record.state {
        KeyState::Deactivated(data) => Some(data.since),
        KeyState::Deleting(data) => Some(data.deactivated.since),
        KeyState::Active
        | KeyState::Flagged(_)
        | KeyState::Deactivating(_)
        | KeyState::Deleted(_)
        | KeyState::Gone(_) => None,
    };
    deactivated.or_else(|| record.quarantine.as_ref().map(|quarantine| quarantine.since))
}

async fn journal_creations(engine: &Engine, account: AccountId, found: Creations) -> bool {
    let news = |state: &State, _| {
        let news = found.iter().filter(|(key, _)| state.creation(account, key).is_none());
        let entry = |(key, creation): (&AccessKeyId, &_)| Body::KeyCreated {
            account,
            key: key.clone(),
            creation: Clone::clone(creation),
        };
        Ok::<_, Infallible>((news.map(entry).collect(), ()))
    };
    let journaled = engine.decide(&Actor::Keysweep, news).await.map_err(AppendError::from);
    if let Err(error) = &journaled {
        tracing::error!(%account, error = %in_words(error), "who created access keys was not journaled");
    }
    journaled.is_ok()
}

async fn journal_changes(
    engine: &Engine,
    account: AccountId,
    user: &UserName,
    changes: Vec<UserChange>,
) -> bool {
    let news = |state: &State, _| {
        let mut entries = Vec::new();
        let of_user = |record: &&Record| record.identity.account == account && record.user_name == *user;
        for record in state.records().filter(of_user) {
            for change in record.news_of_user(&changes) {
                let event = Note::UserChanged { change: change.clone() }.into();
                entries.push(Body::Key { account, key: record.identity.key.clone(), event });
            }
        }
        Ok::<_, Infallible>((entries, ()))
    };
    let journaled = engine.decide(&Actor::Keysweep, news).await.map_err(AppendError::from);
    if let Err(error) = &journaled {
        tracing::error!(%account, error = %in_words(error), "who changed a user was not journaled");
    }
    journaled.is_ok()
}

/// Not from a list of lookups: one that has not begun takes kilobytes, and there is one for every account.
fn at_once<F: Future>(looks: impl Iterator<Item = F>) -> impl Stream<Item = F::Output> {
    stream::iter(looks).buffer_unordered(AT_ONCE)
}

/// Lookups that failed: one line for all.
#[derive(Default)]
struct Failures {
    count: usize,
    first: Option<(AccountId, String)>,
}

impl Failures {
    fn add(&mut self, account: AccountId, fault: &Fault) {
        self.count += 1;
        self.first.get_or_insert_with(|| (account, in_words(fault)));
    }

    fn tell(self, what: &'static str) {
        let Self { count, first: Some((account, why)) } = self else { return };
        tracing::warn!(failed = count, %account, why, "{what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_lookup_is_due_once_a_day_and_goes_back_to_the_last_answer() {
        let now = mk_time("2026-11-30T12:00:00Z");
        assert_eq!(since(None, now), Some(mk_time("2026-09-01T12:00:00Z")), "90 days");
        let asked =
            |at: &str, answered: Option<&str>| Asked { at: mk_time(at), answered: answered.map(mk_time) };
        let yesterday = asked("2026-11-29T12:00:00Z", Some("2026-11-29T12:00:00Z"));
        assert_eq!(since(Some(&yesterday), now), Some(mk_time("2026-11-29T11:00:00Z")));
        let failed = asked("2026-11-29T12:00:00Z", Some("2026-11-27T12:00:00Z"));
        assert_eq!(
            since(Some(&failed), now),
            Some(mk_time("2026-11-27T11:00:00Z")),
            "what failed is made up for"
        );
        let never = asked("2026-11-29T12:00:00Z", None);
        assert_eq!(since(Some(&never), now), Some(mk_time("2026-09-01T12:00:00Z")));
        let today = asked("2026-11-29T12:00:01Z", Some("2026-11-29T12:00:01Z"));
        assert_eq!(since(Some(&today), now), None);
        let ahead = asked("2026-12-30T12:00:00Z", Some("2026-12-30T12:00:00Z"));
        assert_eq!(since(Some(&ahead), now), Some(mk_time("2026-11-30T11:00:00Z")), "the clock was set back");
    }

    #[test]
    fn calls_of_keysweep_are_known_by_its_name_as_a_whole_word() {
        let call = |agent: Option<&str>| TracedCall {
            at: Timestamp::UNIX_EPOCH,
            by: "arn:aws:sts::111122223333:assumed-role/keysweep-enforce/keysweep".to_owned(),
            address: None,
            user_agent: agent.map(str::to_owned),
            event_id: None,
        };
        assert!(is_ours(&call(Some("aws-sdk-rust/1.3.9 ua/2.1 api/iam/1.90.0 lang/rust#1.95 app/keysweep"))));
        for other in [Some("aws-cli/2.31"), Some("aws-sdk-rust/1.3.9 app/keysweep2"), None] {
            assert!(!is_ours(&call(other)), "{other:?}");
        }
    }
}
