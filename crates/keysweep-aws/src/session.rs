//! Sessions in accounts: assumed by our own call, verified, and kept until shortly before they expire.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use aws_smithy_runtime::client::retries::RetryPartition;
use jiff::{SignedDuration, Timestamp};
use keysweep_core::ids::AccountId;
use keysweep_core::ticket::Warrant;
use leaky_bucket::RateLimiter;

use crate::aws::{Hub, retry_partition};
use crate::convert::timestamp;
use crate::fault::{Cause, Fault, FaultKind};
use crate::limits::{LOOKUPS, limiter};
use crate::role::RoleName;
use crate::session_policy::{self, Scope};
use crate::settings::Settings;

/// A session is not used any more this long before it expires: longer than any one call with its retries.
const BEFORE_EXPIRY: SignedDuration = SignedDuration::from_mins(5);

/// The shortest life that STS gives: a change is one call.
const CHANGE_SESSION: Duration = Duration::from_secs(900);

/// How many idle accounts are kept before the first look for those to drop.
const ACCOUNTS_BEFORE_PURGE: usize = 128;

/// Temporary credentials of one account.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) credentials: Credentials,
    expires: Timestamp,
}

/// What is kept of an account between calls.
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) retries: RetryPartition,
    limiter: RateLimiter,
    /// Of CloudTrail, by Region.
    trails: Mutex<HashMap<String, Arc<RateLimiter>>>,
    /// Locked while a session is made, so that two readers make one.
    scan: tokio::sync::Mutex<Option<Session>>,
}

impl Account {
    fn new(id: AccountId, settings: &Settings) -> Self {
        Self {
            id,
            retries: retry_partition(format!("iam-{id}"), settings.retry_budget),
            limiter: limiter(settings.rates.iam_per_account),
            trails: Mutex::default(),
            scan: tokio::sync::Mutex::new(None),
        }
    }

    /// Waits for the turn of an IAM call in this account.
    pub(crate) async fn turn(&self) {
        self.limiter.acquire_one().await;
    }

    /// Waits for the turn of a look into CloudTrail's event history in a Region of this account.
    pub(crate) async fn turn_in(&self, region: &str) {
        let limiter = {
            let mut trails = self.trails.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(trails.entry(region.to_owned()).or_insert_with(|| Arc::new(limiter(LOOKUPS))))
        };
        limiter.acquire_one().await;
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        self.scan.try_lock().is_ok_and(|session| session.as_ref().is_none_or(|session| !session.usable(now)))
    }
}

impl Session {
    fn is(&self, other: &Self) -> bool {
        self.credentials.access_key_id() == other.credentials.access_key_id()
    }

    fn usable(&self, now: Timestamp) -> bool {
        self.expires.duration_since(now) > BEFORE_EXPIRY
    }
}

/// Every account that was entered lately.
#[derive(Default)]
pub(crate) struct Accounts {
    map: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    accounts: HashMap<AccountId, Arc<Account>>,
    purge_at: usize,
}

impl Accounts {
    pub(crate) fn get(&self, id: AccountId, settings: &Settings) -> Arc<Account> {
        let mut known = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = known.accounts.get(&id) {
            return Arc::clone(account);
        }
        if known.accounts.len() >= known.purge_at.max(ACCOUNTS_BEFORE_PURGE) {
            let now = (settings.wall)();
            known.accounts.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_idle(now));
            // Twice what is left, so that looking costs little per account that is added.
            known.purge_at = known.accounts.len() * 2;
        }
        let account = Arc::new(Account::new(id, settings));
        known.accounts.insert(id, Arc::clone(&account));
        account
    }
}

impl Hub {
    /// The read-only session of an account: the one there is, or a new one; and whether it was there.
    pub(crate) async fn scan_session(&self, account: &Account) -> Result<(Session, bool), Fault> {
        let mut kept = account.scan.lock().await;
        if let Some(session) = kept.as_ref().filter(|session| session.usable((self.settings.wall)())) {
            return Ok((session.clone(), true));
        }
        Ok((self.new_scan_session(account, &mut kept).await?, false))
    }

    /// A read-only session of an account in the place of one that AWS does not take, or denies what it is for: one that
    /// somebody else made meanwhile, or a new one.
    pub(crate) async fn another_session(&self, account: &Account, than: &Session) -> Result<Session, Fault> {
        let mut kept = account.scan.lock().await;
        let other = |session: &&Session| !session.is(than) && session.usable((self.settings.wall)());
        if let Some(session) = kept.as_ref().filter(other) {
            return Ok(session.clone());
        }
        self.new_scan_session(account, &mut kept).await
    }

    async fn new_scan_session(
        &self,
        account: &Account,
        kept: &mut Option<Session>,
    ) -> Result<Session, Fault> {
        // Whatever comes of it, the old one is used no more.
        *kept = None;
        let policy = session_policy::read_only();
        let session =
            self.assume(&self.settings.scan_role, account.id, policy, self.settings.session_duration).await?;
        *kept = Some(session.clone());
        Ok(session)
    }

    /// A session that sees what may be done in an account. It lives as long as one that scans, so that a length which
    /// the role does not allow shows here, and is not kept.
    pub(crate) async fn examining_session(&self, account: &Account) -> Result<Session, Fault> {
        let settings = &self.settings;
        let policy = session_policy::examining();
        self.assume(&settings.scan_role, account.id, policy, settings.session_duration).await
    }

    /// A session of the role that changes keys which may do nothing.
    pub(crate) async fn powerless_session(&self, account: &Account) -> Result<Session, Fault> {
        let policy = session_policy::nothing();
        self.assume(&self.settings.enforce_role, account.id, policy, CHANGE_SESSION).await
    }

    /// A session for one change.
    pub(crate) async fn change_session(
        &self,
        account: &Account,
        warrant: &Warrant,
        user_path: &str,
        deadline: Option<Timestamp>,
    ) -> Result<Session, Fault> {
        let scope = Scope {
            partition: self.partition,
            account: account.id,
            action: warrant.action(),
            user_path,
            user_name: warrant.user_name(),
            policy: warrant.quarantine().map(|attachment| &attachment.policy),
            exempt_tags: warrant.exempt_tags(),
            deadline,
        };
        let policy = session_policy::for_change(scope).map_err(|what| {
            let (action, user) = (warrant.action(), warrant.user_name());
            Fault::bug(
                "sts:AssumeRole",
                format!("prepare to {action} a key of user {user} in {}", account.id),
                what,
            )
        })?;
        self.assume(&self.settings.enforce_role, account.id, policy, CHANGE_SESSION).await
    }

    async fn assume(
        &self,
        role: &RoleName,
        account: AccountId,
        policy: String,
        duration: Duration,
    ) -> Result<Session, Fault> {
        let arn = role.arn(self.partition, account);
        let operation = || format!("assume role {arn}");
        let settings = &self.settings;
        let request = self
            .sts
            .assume_role()
            .role_arn(&arn)
            .role_session_name(&settings.session_name)
            .source_identity(&settings.session_name)
            .set_external_id(self.external_id().map(str::to_owned))
            .duration_seconds(i32::try_from(duration.as_secs()).unwrap_or(i32::MAX))
            .policy(policy);
        let call = self.patiently(
            || async {
                self.limits.sts().await;
                request.clone().send().await
            },
            // Without the hub's credentials no account at all can be entered. Everything else is of this account.
            |kind, cause| kind == FaultKind::Transient && matches!(cause, Cause::NotSent(_)),
        );
        let answer = self.observed("sts:AssumeRole", operation, call).await?;
        session_of(&answer, account).map_err(|what| Fault::bug("sts:AssumeRole", operation(), what))
    }
}

/// The session of an answer, if it is one of that account.
fn session_of(answer: &AssumeRoleOutput, account: AccountId) -> Result<Session, String> {
    let arn = answer.assumed_role_user().map(|user| user.arn()).unwrap_or_default();
    if arn.split(':').nth(4) != Some(account.to_string().as_str()) {
        return Err(format!("answer is for {:?}", crate::fault::short(arn)));
    }
    let given = answer.credentials().ok_or("answer lacks Credentials")?;
    let expires = timestamp("Expiration", Some(given.expiration()))?;
    let (key, secret, token) = (given.access_key_id(), given.secret_access_key(), given.session_token());
    if key.is_empty() || secret.is_empty() || token.is_empty() {
        return Err("answer's Credentials are incomplete".to_owned());
    }
    let credentials =
        Credentials::new(key, secret, Some(token.to_owned()), Some(expires.into()), "keysweep-assume-role");
    Ok(Session { credentials, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_that_nobody_uses_are_not_kept_for_ever() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let settings = Settings::new(Arc::new(move || now));
        let accounts = Accounts::default();
        let used = accounts.get("000000000001".parse().unwrap(), &settings);
        for n in 2..5000 {
            accounts.get(format!("{n:012}").parse().unwrap(), &settings);
        }
        let kept = accounts.map.lock().unwrap().accounts.len();
        assert!(kept <= 2 * ACCOUNTS_BEFORE_PURGE, "{kept}");
        assert!(Arc::ptr_eq(&used, &accounts.get(used.id, &settings)));
    }
}
