//! What is read of one user: only the calls that its keys need.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keysweep_aws::report::{Row, join};
use keysweep_aws::{Fault, FaultKind, ListedKey, Reader, UserListed};
use keysweep_core::evidence::Trail;
use keysweep_core::facts::{
    AccountFacts, Fact, KeyFacts, KeyStatus, LastUse, OtherKey, Source, Tags, UserFacts,
};
use keysweep_core::ids::{AccessKeyId, UserId, UserName};
use keysweep_core::lifecycle::Record;

use super::identities::{Identities, Known};
use super::trail::trail;
use crate::causes::in_words;
use crate::clock::Clock;
use crate::config::Evidence;

/// Users of one account, read as far as needed.
pub(super) struct Users<'a> {
    reader: &'a Reader,
    clock: &'a Clock,
    evidence: Option<&'a Evidence>,
    listed: Option<Vec<UserListed>>,
    identities: Identities,
}

/// Which user to look at, and for what.
pub(super) struct UserLook<'a> {
    pub(super) account: &'a AccountFacts,
    pub(super) name: &'a UserName,
    /// The user's row of the report, where there is one.
    pub(super) row: Option<&'a Row>,
    /// Records of keys that this user had when last seen.
    pub(super) tracked: &'a [&'a Record],
    pub(super) reads_tags: bool,
    pub(super) looks_at_inactive: bool,
    /// Whether last use of every key is wanted: a live scan counts them all.
    pub(super) all_keys: bool,
    /// Whether a key created then could be a finding.
    pub(super) may_be_stale: &'a (dyn Fn(Timestamp) -> bool + Sync),
}

/// What was seen of a user.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) keys: Vec<SeenKey>,
    /// Tracked keys that a complete listing lacks.
    pub(super) absent: BTreeSet<AccessKeyId>,
    /// Whose name it is now.
    pub(super) name_is: NameIs,
}

/// Whose name a user's name is, when its keys are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum NameIs {
    /// That of the same user, as far as its keys tell.
    #[default]
    Same,
    /// Perhaps that of another: a key that the report shows is not listed.
    Doubtful,
    /// Nobody's.
    Nobody,
}

/// One key.
pub(super) struct SeenKey {
    pub(super) facts: KeyFacts,
    /// Whether anything could follow from it; the others are only counted.
    pub(super) worth_deciding: bool,
}

impl<'a> Users<'a> {
    pub(super) fn new(reader: &'a Reader, clock: &'a Clock, evidence: Option<&'a Evidence>) -> Self {
        Self { reader, clock, evidence, listed: None, identities: Identities::new(0, 0, BTreeSet::new()) }
    }

    /// Says how users are asked about from here on.
    pub(super) fn ask_about(&mut self, identities: Identities) {
        self.identities = identities;
    }

    /// Every user of the account, listed once per scan.
    pub(super) async fn all(&mut self) -> Result<&[UserListed], Fault> {
        if self.listed.is_none() {
            self.listed = Some(self.reader.list_users(self.clock.now()).await?);
        }
        Ok(self.listed.as_deref().unwrap_or_default())
    }

    /// Looks at one user and at the tracked keys that it had.
    ///
    /// # Errors
    /// If its keys cannot be listed, or it cannot be told whether a missing key is gone: then they are unknown.
    pub(super) async fn look(&mut self, look: &UserLook<'_>) -> Result<Seen, Fault> {
        let keys = match self.reader.list_access_keys(look.name, self.clock.now()).await {
            Ok(keys) => Some(keys),
            Err(fault) if fault.kind() == FaultKind::Gone => None,
            Err(fault) => return Err(fault),
        };
        let mut seen = Seen::default();
        let missing: Vec<&Record> = {
            let listed = |key: &AccessKeyId| keys.iter().flatten().any(|listed| listed.key == *key);
            look.tracked.iter().copied().filter(|record| !listed(&record.identity.key)).collect()
        };
        seen.name_is = match (&keys, look.row) {
            (None, _) => NameIs::Nobody,
            (Some(keys), Some(row)) if lacks_a_slot(row, keys) => NameIs::Doubtful,
            (Some(_), _) => NameIs::Same,
        };
        if let Some(keys) = &keys {
            let facts = self.facts(look, look.name, keys, look.row).await;
            seen.keys.extend(facts);
        }
        if !missing.is_empty() {
            let user_id =
                if keys.is_some() { Some(self.reader.user(look.name).await?.user_id) } else { None };
            self.look_for(look, &missing, user_id.as_ref(), &mut seen).await?;
        }
        Ok(seen)
    }

    /// Tracked keys that their user's name no longer lists: the user may have been renamed, and its name given to
    /// another. Only the user ID tells.
    async fn look_for(
        &mut self,
        look: &UserLook<'_>,
        missing: &[&Record],
        under_that_name: Option<&UserId>,
        seen: &mut Seen,
    ) -> Result<(), Fault> {
        let mut by_user: BTreeMap<&UserId, Vec<&Record>> = BTreeMap::new();
        for record in missing {
            by_user.entry(&record.identity.user_id).or_default().push(record);
        }
        for (user_id, records) in by_user {
            let ids = || records.iter().map(|record| record.identity.key.clone());
            if under_that_name == Some(user_id) {
                seen.absent.extend(ids());
                continue;
            }
            let renamed =
                self.all().await?.iter().find(|user| user.user_id == *user_id).map(|user| user.name.clone());
            let Some(name) = renamed else {
                seen.absent.extend(ids());
                continue;
            };
            let keys = self.reader.list_access_keys(&name, self.clock.now()).await?;
            let lost = ids().filter(|id| !keys.iter().any(|key| key.key == *id));
            seen.absent.extend(lost);
            let facts = self.facts(look, &name, &keys, None).await;
            let tracked = |key: &SeenKey| records.iter().any(|r| r.identity.key == key.facts.key);
            // The user's other keys are looked at under its new name.
            seen.keys.extend(facts.into_iter().filter(tracked));
        }
        Ok(())
    }

    /// Names that the user may have now who had this one, and was made then.
    ///
    /// # Errors
    /// If that cannot be told: whoever it was, its keys are unknown.
    pub(super) async fn renamed(
        &mut self,
        name: &UserName,
        made: Option<Timestamp>,
        name_is: NameIs,
    ) -> Result<Vec<UserName>, String> {
        let unsaid = || "there is no such user any more, and the report does not say when it was made";
        let made = made.ok_or_else(unsaid)?;
        let same = |user: &UserListed| user.created.as_second() == made.as_second();
        let nobody = name_is == NameIs::Nobody;
        let is_listed =
            |users: &[UserListed]| users.iter().any(|user| user.name == *name && (nobody || same(user)));
        if nobody && is_listed(self.all().await.map_err(|fault| in_words(&fault))?) {
            // The listing may be older than the answer that there is no such user.
            self.listed = None;
        }
        let all = self.all().await.map_err(|fault| in_words(&fault))?;
        match (is_listed(all), nobody) {
            (true, true) => Err("it is listed among the users, and its keys are not to be had".into()),
            (true, false) => Ok(Vec::new()),
            (false, _) => {
                let others = all.iter().filter(|user| same(user) && user.name != *name);
                Ok(others.map(|user| user.name.clone()).collect())
            }
        }
    }

    async fn facts(
        &mut self,
        look: &UserLook<'_>,
        name: &UserName,
        keys: &[ListedKey],
        row: Option<&Row>,
    ) -> Vec<SeenKey> {
        let told = row.map(|row| join(row, keys)).unwrap_or_else(|| vec![None; keys.len()]);
        let record_of = |key: &ListedKey| look.tracked.iter().copied().find(|r| r.identity.key == key.key);
        let worth = |key: &ListedKey| {
            record_of(key).is_some()
                || match &key.status {
                    KeyStatus::Active => (look.may_be_stale)(key.created),
                    KeyStatus::Inactive => look.looks_at_inactive,
                    KeyStatus::Other(_) => true,
                }
        };
        let needs_user =
            |key: &ListedKey| worth(key) && (look.reads_tags || row.is_none() || record_of(key).is_none());
        // A record under this very name says who the user is; a renamed or new one is asked for.
        let known_name = |key: &ListedKey| record_of(key).is_some_and(|record| record.user_name == *name);
        // A report may be from before the quarantine.
        let quarantined = keys.iter().any(|key| record_of(key).is_some_and(Record::in_quarantine));
        let password = if quarantined { self.password(name).await } else { Fact::NotRead };
        let asks_who =
            quarantined || keys.iter().any(|key| needs_user(key) || (worth(key) && !known_name(key)));
        let Known { user, policies } = if keys.iter().any(worth) {
            self.identities.of(self.reader, name, asks_who).await
        } else {
            Known { user: None, policies: Fact::NotRead }
        };
        let mut seen = Vec::with_capacity(keys.len());
        for (key, told) in keys.iter().zip(told) {
            let worth_deciding = worth(key);
            let (last_use, source) = match told {
                Some(last_use) => (Fact::Known(last_use), Source::Report),
                None if worth_deciding || look.all_keys => (self.last_use(key, name).await, Source::Live),
                // It is too young to be a finding.
                None => (Fact::NotRead, Source::Report),
            };
            let (user_id, path, tags) = identity(user.as_ref(), record_of(key), row);
            seen.push(SeenKey {
                worth_deciding,
                facts: KeyFacts {
                    account: look.account.id,
                    user_name: name.clone(),
                    user_id,
                    path,
                    tags,
                    key: key.key.clone(),
                    created: key.created,
                    status: key.status.clone(),
                    last_use,
                    source,
                    other_keys: others_of(keys, &key.key),
                    policies: policies.clone(),
                    password: password.clone(),
                    policy_denies: Fact::NotRead,
                    trail: self.trail_of(key, quarantined).await,
                },
            });
        }
        seen
    }

    /// Whether the user has a console password: one that is set during a quarantine ends it.
    async fn password(&self, name: &UserName) -> Fact<bool> {
        let read = self.reader.has_password(name).await;
        read.map_or_else(|fault| Fact::Unknown(in_words(&fault)), Fact::Known)
    }

    /// What CloudTrail shows of the keys of a user in quarantine: a client may have shown itself since. Of other keys it
    /// is read right before a change alone.
    async fn trail_of(&self, key: &ListedKey, quarantined: bool) -> Fact<Box<Trail>> {
        match self.evidence.filter(|_| quarantined && key.status == KeyStatus::Active) {
            Some(evidence) => trail(self.reader, &key.key, evidence, self.clock).await,
            None => Fact::NotRead,
        }
    }

    async fn last_use(&self, key: &ListedKey, name: &UserName) -> Fact<LastUse> {
        match self.reader.last_use(&key.key, name, self.clock.now()).await {
            Ok(last_use) => Fact::Known(last_use),
            Err(fault) => Fact::Unknown(in_words(&fault)),
        }
    }
}

fn others_of(keys: &[ListedKey], key: &AccessKeyId) -> Vec<OtherKey> {
    let others = keys.iter().filter(|other| other.key != *key);
    others.map(|other| OtherKey::listed(other.key.clone(), other.status.clone())).collect()
}

/// Whether an active key that the report shows is not among those listed.
fn lacks_a_slot(row: &Row, keys: &[ListedKey]) -> bool {
    let listed = |at: Timestamp| keys.iter().any(|key| key.created.as_second() == at.as_second());
    row.slots.iter().filter(|slot| slot.active).filter_map(|slot| slot.last_rotated).any(|at| !listed(at))
}

type Identity = (Fact<UserId>, Fact<String>, Fact<Tags>);

/// Who the user of a key is, from `GetUser` if it was asked, else from the record and the report.
fn identity(
    user: Option<&Result<UserFacts, String>>,
    record: Option<&Record>,
    row: Option<&Row>,
) -> Identity {
    match user {
        Some(Ok(user)) => (
            Fact::Known(user.user_id.clone()),
            Fact::Known(user.path.clone()),
            Fact::Known(user.tags.clone()),
        ),
        Some(Err(why)) => {
            (Fact::Unknown(why.clone()), Fact::Unknown(why.clone()), Fact::Unknown(why.clone()))
        }
        None => {
            let user_id = record.map(|record| record.identity.user_id.clone());
            let path = row.map(|row| row.path.clone());
            (
                user_id.map_or(Fact::NotRead, Fact::Known),
                path.map_or(Fact::NotRead, Fact::Known),
                Fact::NotRead,
            )
        }
    }
}
