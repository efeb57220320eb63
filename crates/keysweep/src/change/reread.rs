//! Reads one key again, right before or after a change.

use std::time::Duration;

use keysweep_aws::{Fault, FaultKind, ListedKey, Reader};
use keysweep_core::facts::{Fact, KeyFacts, KeyStatus, OtherKey, Source};
use keysweep_core::ids::{AccessKeyId, KeyIdentity, UserId, UserName};
use keysweep_core::lifecycle::{Record, Sighting};
use keysweep_core::quarantine::QuarantinePolicy;
use keysweep_core::ticket::Action;
use tokio::time::{Instant, sleep};

use crate::causes::in_words;
use crate::clock::Clock;

/// How long AWS is read until it agrees with a change.
const AGREE_WITHIN: Duration = Duration::from_secs(60);

/// Pauses between reads: IAM usually agrees within a second, and within 15.
const PAUSES: [u64; 6] = [250, 500, 1_000, 2_000, 4_000, 8_000];

/// Why a key could not be read again.
#[derive(Debug, thiserror::Error)]
pub(super) enum RereadError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Fault),
    /// Its user is gone.
    #[error("the user of key {0} no longer exists")]
    UserGone(AccessKeyId),
    /// The listing of its user lacks it.
    #[error("key {0} is not listed any more")]
    NotListed(AccessKeyId),
}

/// A key as it is right now.
pub(super) struct Fresh {
    pub(super) facts: KeyFacts,
    pub(super) path: String,
    pub(super) sighting: Sighting,
}

/// Reads a key again: `GetUser`, `ListAccessKeys`, `GetAccessKeyLastUsed`, `ListAttachedUserPolicies`, and for a
/// quarantine `GetLoginProfile`.
///
/// Last use and policies do not matter for an undo, and a failure to read them does not stop one.
pub(super) async fn reread(
    reader: &Reader,
    record: &Record,
    action: Action,
    clock: &Clock,
    interval: Duration,
) -> Result<Fresh, RereadError> {
    let identity = &record.identity;
    let not_listed = || RereadError::NotListed(identity.key.clone());
    let gone = || RereadError::UserGone(identity.key.clone());
    let name = current_name(reader, &identity.user_id, &record.user_name, clock).await?.ok_or_else(gone)?;
    let needs_password = action == Action::Quarantine || record.quarantine.is_some();
    let password = if needs_password { password(reader, &name).await } else { Fact::NotRead };
    // What decides is read last.
    let user = reader.user(&name).await?;
    let sighting = clock.sighting(interval);
    let keys = reader.list_access_keys(&name, clock.now()).await?;
    let listed = keys.iter().find(|key| key.key == identity.key);
    let (created, status) = match listed {
        Some(listed) => (listed.created, listed.status.clone()),
        // What is attached to its user is detached all the same.
        None if action == Action::EndQuarantine => {
            (identity.created, KeyStatus::Other("not listed".to_owned()))
        }
        None => return Err(not_listed()),
    };
    let fact = |error: Fault| in_words(&error);
    let last_use = match reader.last_use(&identity.key, &name, clock.now()).await {
        Ok(last_use) => Fact::Known(last_use),
        Err(fault) => Fact::Unknown(fact(fault)),
    };
    let policies = match reader.attached_policies(&name).await {
        Ok(policies) => Fact::Known(policies),
        Err(fault) => Fact::Unknown(fact(fault)),
    };
    let others = keys.iter().filter(|other| other.key != identity.key);
    let others = others.map(|other| OtherKey::listed(other.key.clone(), other.status.clone()));
    let mut other_keys: Vec<OtherKey> = others.collect();
    if action == Action::Quarantine {
        for other in other_keys.iter_mut().filter(|other| other.status != KeyStatus::Inactive) {
            let read = reader.last_use(&other.key, &name, clock.now()).await;
            other.last_use = read.map_or_else(|error| Fact::Unknown(fact(error)), Fact::Known);
        }
    }
    let facts = KeyFacts {
        account: identity.account,
        user_name: name,
        user_id: Fact::Known(user.user_id),
        path: Fact::Known(user.path.clone()),
        tags: Fact::Known(user.tags),
        key: identity.key.clone(),
        created,
        status,
        last_use,
        source: Source::Live,
        other_keys,
        policies,
        password,
        policy_denies: Fact::NotRead,
        trail: Fact::NotRead,
    };
    Ok(Fresh { facts, path: user.path, sighting })
}

async fn password(reader: &Reader, name: &UserName) -> Fact<bool> {
    let read = reader.has_password(name).await;
    read.map_or_else(|fault| Fact::Unknown(in_words(&fault)), Fact::Known)
}

/// The name that a user has now, by its ID: the one it had, unless it was renamed; `None` if it is gone.
async fn current_name(
    reader: &Reader,
    user_id: &UserId,
    name: &UserName,
    clock: &Clock,
) -> Result<Option<UserName>, Fault> {
    match reader.user(name).await {
        Ok(user) if user.user_id == *user_id => return Ok(Some(name.clone())),
        Err(fault) if fault.kind() != FaultKind::Gone => return Err(fault),
        Ok(_) | Err(_) => {}
    }
    let users = reader.list_users(clock.now()).await?;
    Ok(users.into_iter().find(|user| user.user_id == *user_id).map(|user| user.name))
}

/// What AWS shows of a key after a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// What the call was to bring about.
    Effect,
    /// Something else, for a whole minute.
    Status(KeyStatus),
    /// The policies of the user as they were, for a whole minute.
    Unchanged,
    /// No listing was had in a whole minute: nobody knows.
    Nothing(String),
    /// A complete listing lacks the key, and it was not to be deleted.
    Absent,
}

/// Reads until AWS shows the effect of `action`, or a minute has passed.
pub(super) async fn until_it_shows(
    reader: &Reader,
    identity: &KeyIdentity,
    user_name: &UserName,
    action: Action,
    policy: Option<&QuarantinePolicy>,
    clock: &Clock,
) -> Shown {
    let deadline = clock.instant() + AGREE_WITHIN;
    let mut pauses = PAUSES.iter().chain(std::iter::repeat(&8_000));
    loop {
        let shown = match policy {
            Some(policy) => look_at_user(reader, identity, user_name, (action, policy), clock).await,
            None => look(reader, identity, user_name, action, clock).await,
        };
        let settled = matches!(shown, Shown::Effect | Shown::Absent);
        let pause = Duration::from_millis(pauses.next().copied().unwrap_or(8_000));
        if settled || past(deadline, clock) {
            return shown;
        }
        sleep(pause).await;
    }
}

fn past(deadline: Instant, clock: &Clock) -> bool {
    clock.instant() >= deadline
}

async fn look(
    reader: &Reader,
    identity: &KeyIdentity,
    user_name: &UserName,
    action: Action,
    clock: &Clock,
) -> Shown {
    let key = match find(reader, identity, user_name, clock).await {
        Ok(key) => key,
        Err(fault) => return Shown::Nothing(in_words(&fault)),
    };
    match (key.as_ref().map(|key| &key.status), action) {
        (None, Action::Delete)
        | (Some(KeyStatus::Inactive), Action::Deactivate)
        | (Some(KeyStatus::Active), Action::Reactivate) => Shown::Effect,
        (None, _) => Shown::Absent,
        (Some(status), _) => Shown::Status(status.clone()),
    }
}

/// Looks whether the policy of a quarantine is attached to the user.
async fn look_at_user(
    reader: &Reader,
    identity: &KeyIdentity,
    user_name: &UserName,
    (action, policy): (Action, &QuarantinePolicy),
    clock: &Clock,
) -> Shown {
    let attached = async {
        let Some(name) = current_name(reader, &identity.user_id, user_name, clock).await? else {
            return Ok(false);
        };
        let attached = reader.attached_policies(&name).await?;
        Ok::<_, Fault>(policy.is_attached(identity.account, &attached))
    };
    match attached.await {
        Ok(attached) if attached == (action == Action::Quarantine) => Shown::Effect,
        Ok(_) => Shown::Unchanged,
        Err(fault) => Shown::Nothing(in_words(&fault)),
    }
}

/// Looks for a key in a complete listing. It is not there only if its user, by ID, does not list it: the name may
/// have been changed, and given to another.
async fn find(
    reader: &Reader,
    identity: &KeyIdentity,
    user_name: &UserName,
    clock: &Clock,
) -> Result<Option<ListedKey>, Fault> {
    let of_key = |keys: Vec<ListedKey>| keys.into_iter().find(|key| key.key == identity.key);
    match reader.list_access_keys(user_name, clock.now()).await.map(of_key) {
        Ok(Some(key)) => return Ok(Some(key)),
        Err(fault) if fault.kind() != FaultKind::Gone => return Err(fault),
        Ok(None) | Err(_) => {}
    }
    let name = current_name(reader, &identity.user_id, user_name, clock).await?;
    let Some(name) = name else { return Ok(None) };
    reader.list_access_keys(&name, clock.now()).await.map(of_key)
}
