//! What is read of the IAM of one account.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_credential_types::Credentials;
use aws_sdk_iam::Client;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::{AccessKeyMetadata, EntityType, Tag, User, UserDetail as Detail};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;
use keysweep_core::facts::{KeyStatus, LastUse, Tags, UserFacts};
use keysweep_core::ids::{AccessKeyId, AccountId, UserId, UserName};
use keysweep_core::quarantine::{AttachedPolicy, QuarantinePolicy};
use percent_encoding::percent_decode_str;

use crate::aws::Hub;
use crate::convert::{key_status, named, parsed, past_timestamp, timestamp, unless_not_applicable};
use crate::fault::{Fault, FaultKind};
use crate::pages::{Page, paged};
use crate::session::{Account, Session};
use crate::session_policy::policy_arn;

/// The most that AWS gives in a page (IAM API reference, `maxItemsType`).
const PAGE: i32 = 1000;

/// What says whether the root user has access keys.
const ROOT_KEYS: &str = "AccountAccessKeysPresent";

/// The call that shows all users of an account.
const DETAILS: &str = "iam:GetAccountAuthorizationDetails";

/// A user, as `ListUsers` shows it: without tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserListed {
    /// The name.
    pub name: UserName,
    /// The ID for life.
    pub user_id: UserId,
    /// Path, such as `/ci/`.
    pub path: String,
    /// `CreateDate`.
    pub created: Timestamp,
    /// Last use of the password; absent if never, or if there is none.
    pub password_last_used: Option<Timestamp>,
}

/// A key, as `ListAccessKeys` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// The key.
    pub key: AccessKeyId,
    /// `Status`.
    pub status: KeyStatus,
    /// `CreateDate`.
    pub created: Timestamp,
}

/// A user, as `GetAccountAuthorizationDetails` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserDetail {
    /// What `GetUser` says of it, too.
    pub facts: UserFacts,
    /// What [`Reader::attached_policies`] says of it, too.
    pub policies: Vec<AttachedPolicy>,
}

/// One account, open for reading. Calls take their turn in the account's limiter; retries come from its budget.
///
/// Dates are held against `now`, which is policy time: a date further ahead than [`MAX_SKEW`](keysweep_core::facts::MAX_SKEW) is
/// a fault.
pub struct Reader {
    pub(crate) hub: Arc<Hub>,
    pub(crate) account: Arc<Account>,
    open: Mutex<Open>,
}

/// What a reader calls with.
#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) client: Client,
    /// Credentials of the session; absent where the hub's own are used.
    pub(crate) credentials: Option<Credentials>,
    /// The session, where another may be made in its place.
    pub(crate) session: Option<Session>,
    /// Whether the session was made before the reader.
    pub(crate) is_older: bool,
}

impl Reader {
    pub(crate) fn new(hub: Arc<Hub>, account: Arc<Account>, open: Open) -> Self {
        Self { hub, account, open: Mutex::new(open) }
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account.id
    }

    /// Every user; `iam:ListUsers`, every page.
    ///
    /// # Errors
    /// If any page cannot be read, or shows a user that cannot be.
    pub async fn list_users(&self, now: Timestamp) -> Result<Vec<UserListed>, Fault> {
        let operation = || format!("list users of {}", self.account.id);
        let mut users = Vec::new();
        let call = |iam: &Client, marker| iam.list_users().max_items(PAGE).set_marker(marker).send();
        self.paged("iam:ListUsers", operation, call, |page| {
            for user in page.users() {
                users.push(listed_user(user, now)?);
            }
            Ok(())
        })
        .await?;
        Ok(users)
    }

    /// Names of the first users, at most so many; `iam:ListUsers`, one page, which may be empty though users follow.
    ///
    /// # Errors
    /// If the call fails, or shows a user that cannot be.
    pub async fn first_users(&self, most: u8) -> Result<Vec<UserName>, Fault> {
        let operation = || format!("list users of {}", self.account.id);
        let call = |iam: &Client| iam.list_users().max_items(i32::from(most.max(1))).send();
        let page = self.call("iam:ListUsers", operation, call).await?;
        let names = page
            .users()
            .iter()
            .take(usize::from(most))
            .map(|user| parsed("UserName", Some(user.user_name())));
        names.collect::<Result<_, _>>().map_err(|what| Fault::bug("iam:ListUsers", operation(), what))
    }

    /// Every key of a user, of any status; `iam:ListAccessKeys`, every page. A fault of kind `Gone` says that
    /// there is no such user.
    ///
    /// # Errors
    /// If any page cannot be read, or shows a key of someone else or one that cannot be.
    pub async fn list_access_keys(&self, user: &UserName, now: Timestamp) -> Result<Vec<ListedKey>, Fault> {
        let operation = || format!("list access keys of user {user} in {}", self.account.id);
        let mut keys = Vec::new();
        let mut seen = HashSet::new();
        let call = |iam: &Client, marker| {
            iam.list_access_keys().user_name(user.as_str()).max_items(PAGE).set_marker(marker).send()
        };
        self.paged("iam:ListAccessKeys", operation, call, |page| {
            for key in page.access_key_metadata() {
                let key = listed_key(key, user, now)?;
                if !seen.insert(key.key.clone()) {
                    return Err(format!("key {} is listed twice", key.key));
                }
                keys.push(key);
            }
            Ok(())
        })
        .await?;
        Ok(keys)
    }

    /// Who a user is; `iam:GetUser`, which brings the tags along.
    ///
    /// # Errors
    /// If the call fails, or the answer is about someone else.
    pub async fn user(&self, name: &UserName) -> Result<UserFacts, Fault> {
        let operation = || format!("get user {name} in {}", self.account.id);
        let call = |iam: &Client| iam.get_user().user_name(name.as_str()).send();
        let answer = self.call("iam:GetUser", operation, call).await?;
        user_facts(answer.user(), name).map_err(|what| Fault::bug("iam:GetUser", operation(), what))
    }

    /// Users of the account by name, as far as they are `wanted`; `iam:GetAccountAuthorizationDetails`, every page.
    ///
    /// A user whose policies the answer leaves out is not among them: missing is not none.
    ///
    /// # Errors
    /// If any page cannot be read, or shows a user that cannot be.
    pub async fn user_details(
        &self,
        wanted: impl Fn(&UserName) -> bool,
    ) -> Result<BTreeMap<UserName, UserDetail>, Fault> {
        let operation = || format!("get authorization details of users in {}", self.account.id);
        let mut details = BTreeMap::new();
        let call = |iam: &Client, marker| {
            let call = iam.get_account_authorization_details().filter(EntityType::User);
            call.max_items(PAGE).set_marker(marker).send()
        };
        self.paged(DETAILS, operation, call, |page| {
            for user in page.user_detail_list() {
                let name = parsed("UserName", user.user_name())?;
                let told = user_detail(user, &name)?;
                let Some(detail) = told.filter(|_| wanted(&name)) else { continue };
                let id = detail.facts.user_id.clone();
                // A name that changes hands between two pages names nobody for sure.
                let other: Option<UserDetail> = details.insert(name.clone(), detail);
                if other.is_some_and(|other| other.facts.user_id != id) {
                    return Err(format!("user {name} is listed twice"));
                }
            }
            Ok(())
        })
        .await?;
        Ok(details)
    }

    /// Whether authorization details can be read; `iam:GetAccountAuthorizationDetails` for one user at most.
    ///
    /// # Errors
    /// If the call fails.
    pub async fn first_user_detail(&self) -> Result<(), Fault> {
        let operation = || format!("get authorization details of users in {}", self.account.id);
        let call = |iam: &Client| {
            iam.get_account_authorization_details().filter(EntityType::User).max_items(1).send()
        };
        self.call(DETAILS, operation, call).await.map(drop)
    }

    /// When a key was last used; `iam:GetAccessKeyLastUsed`.
    ///
    /// A fault of kind `Denied` is also AWS's answer for a key that does not exist: it means "unknown", never
    /// "never used" and never "gone".
    ///
    /// # Errors
    /// If the call fails, or the answer is about a key of someone else or lies in the future.
    pub async fn last_use(
        &self,
        key: &AccessKeyId,
        user: &UserName,
        now: Timestamp,
    ) -> Result<LastUse, Fault> {
        let operation = || format!("get last use of key {key} of user {user} in {}", self.account.id);
        let call = |iam: &Client| iam.get_access_key_last_used().access_key_id(key.as_str()).send();
        let answer = self.call("iam:GetAccessKeyLastUsed", operation, call).await?;
        if answer.user_name() != Some(user.as_str()) {
            let other = crate::fault::short(answer.user_name().unwrap_or_default());
            return Err(Fault::bug(
                "iam:GetAccessKeyLastUsed",
                operation(),
                format!("answer is about a key of user {other:?}"),
            ));
        }
        last_use(answer.access_key_last_used(), now)
            .map_err(|what| Fault::bug("iam:GetAccessKeyLastUsed", operation(), what))
    }

    /// Managed policies that are attached to a user; `iam:ListAttachedUserPolicies`.
    ///
    /// # Errors
    /// If any page cannot be read.
    pub async fn attached_policies(&self, user: &UserName) -> Result<Vec<AttachedPolicy>, Fault> {
        let operation = || format!("list attached policies of user {user} in {}", self.account.id);
        let mut found = Vec::new();
        let call = |iam: &Client, marker| {
            iam.list_attached_user_policies().user_name(user.as_str()).set_marker(marker).send()
        };
        self.paged("iam:ListAttachedUserPolicies", operation, call, |page| {
            found.extend(attached(page.attached_policies())?);
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Whether a user has a console password; `iam:GetLoginProfile`, which answers `NoSuchEntity` where there is none, and
    /// where there is no such user.
    ///
    /// # Errors
    /// If the call fails.
    pub async fn has_password(&self, user: &UserName) -> Result<bool, Fault> {
        let operation = || format!("get login profile of user {user} in {}", self.account.id);
        let call = |iam: &Client| iam.get_login_profile().user_name(user.as_str()).send();
        match self.call("iam:GetLoginProfile", operation, call).await {
            Ok(answer) => match answer.login_profile() {
                Some(profile) if profile.user_name() == user.as_str() => Ok(true),
                Some(_) => Err(Fault::bug(
                    "iam:GetLoginProfile",
                    operation(),
                    "answer is about another user".to_owned(),
                )),
                None => Err(Fault::bug(
                    "iam:GetLoginProfile",
                    operation(),
                    "answer lacks LoginProfile".to_owned(),
                )),
            },
            Err(fault) if fault.kind() == FaultKind::Gone => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Whether the policy of a quarantine exists in the account, by its default version; `iam:GetPolicy`.
    ///
    /// # Errors
    /// If the call fails.
    pub async fn policy_version(&self, policy: &QuarantinePolicy) -> Result<Option<String>, Fault> {
        let operation = || format!("get policy {policy} in {}", self.account.id);
        let arn = policy_arn(self.hub.partition, self.account.id, policy);
        let call = |iam: &Client| iam.get_policy().policy_arn(&arn).send();
        match self.call("iam:GetPolicy", operation, call).await {
            Ok(answer) => {
                let found = answer.policy().filter(|policy| policy.arn() == Some(&arn));
                let version = found.and_then(|policy| policy.default_version_id()).map(str::to_owned);
                let lacks = || "answer lacks the policy or its DefaultVersionId".to_owned();
                version.map(Some).ok_or_else(|| Fault::bug("iam:GetPolicy", operation(), lacks()))
            }
            Err(fault) if fault.kind() == FaultKind::Gone => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Whether a version of the policy of a quarantine denies and grants nothing; `iam:GetPolicyVersion`.
    ///
    /// # Errors
    /// If the call fails, or the answer holds no policy.
    pub async fn version_denies(&self, policy: &QuarantinePolicy, version: &str) -> Result<bool, Fault> {
        let operation = || format!("get version {version} of policy {policy} in {}", self.account.id);
        let arn = policy_arn(self.hub.partition, self.account.id, policy);
        let call = |iam: &Client| iam.get_policy_version().policy_arn(&arn).version_id(version).send();
        let answer = self.call("iam:GetPolicyVersion", operation, call).await?;
        let encoded = answer.policy_version().and_then(|version| version.document());
        denies(encoded.unwrap_or_default())
            .map_err(|what| Fault::bug("iam:GetPolicyVersion", operation(), what))
    }

    /// Whether the policy of a quarantine denies and grants nothing. The one of AWS does; of one that does not exist,
    /// nothing is granted either, and the call that attaches it says so.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn policy_denies(&self, policy: &QuarantinePolicy) -> Result<bool, Fault> {
        if policy.is_of_aws() {
            return Ok(true);
        }
        match self.policy_version(policy).await? {
            Some(version) => self.version_denies(policy, &version).await,
            None => Ok(true),
        }
    }

    /// Whether the root user has access keys; `iam:GetAccountSummary`. It tells no more than that, and needs no report.
    ///
    /// # Errors
    /// If the call fails, or the answer does not say.
    pub async fn has_root_keys(&self) -> Result<bool, Fault> {
        let operation = || format!("get account summary of {}", self.account.id);
        let call = |iam: &Client| iam.get_account_summary().send();
        let answer = self.call("iam:GetAccountSummary", operation, call).await?;
        let told = answer.summary_map().and_then(|map| map.get(&ROOT_KEYS.into()));
        match told {
            Some(0) => Ok(false),
            Some(count) if *count > 0 => Ok(true),
            Some(_) | None => {
                Err(Fault::bug("iam:GetAccountSummary", operation(), "answer lacks AccountAccessKeysPresent"))
            }
        }
    }

    /// One IAM call, in the account's turn.
    ///
    /// A denial under a session that was made before this reader counts only once a new session is denied, too: IAM's
    /// "Revoke active sessions" denies everything to older ones. A session that AWS no longer takes is replaced in the
    /// same way, whenever it was made.
    pub(crate) async fn call<T, E, F>(
        &self,
        api: &'static str,
        operation: impl Fn() -> String,
        call: impl Fn(&Client) -> F,
    ) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        self.renewing(async |open: Open| {
            self.account.turn().await;
            self.hub.observed(api, &operation, call(&open.client)).await
        })
        .await
    }

    /// One call of another service than IAM, by a client of its own, as [`call`](Self::call) otherwise.
    pub(crate) async fn call_by<C, T, E, F>(
        &self,
        api: &'static str,
        operation: impl Fn() -> String,
        client: impl Fn(&Hub, &Account, Option<Credentials>) -> C,
        call: impl Fn(&C) -> F,
    ) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        self.renewing(async |open: Open| {
            let client = client(&self.hub, &self.account, open.credentials);
            self.hub.observed(api, &operation, call(&client)).await
        })
        .await
    }

    /// Makes a call, and once more if that needs another session.
    async fn renewing<T, F>(&self, call: impl Fn(Open) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let open = self.open().clone();
        // Boxed, as the compiler gives up on futures that are nested too deep.
        let result = Box::pin(call(open.clone())).await;
        let Err(fault) = &result else { return result };
        match Box::pin(self.renewed(fault, open)).await {
            Some(open) => Box::pin(call(open)).await,
            None => result,
        }
    }

    /// Every page of a listing, each by a call.
    async fn paged<P, E, F>(
        &self,
        api: &'static str,
        operation: impl Fn() -> String,
        call: impl Fn(&Client, Option<String>) -> F,
        take: impl FnMut(&P) -> Result<(), String>,
    ) -> Result<(), Fault>
    where
        P: Page,
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<P, SdkError<E, HttpResponse>>>,
    {
        let ask =
            async |marker: Option<String>| self.call(api, &operation, |iam| call(iam, marker.clone())).await;
        paged(api, &operation, ask, take).await
    }

    /// What to repeat a failed call with: another session than the one that it was made under. Of many calls at the same
    /// time, the first that fails makes it for all.
    async fn renewed(&self, fault: &Fault, made_under: Open) -> Option<Open> {
        let counts = fault.is_of_session() || (fault.is_denial() && made_under.is_older);
        let session = made_under.session.filter(|_| counts)?;
        match self.hub.another_session(&self.account, &session).await {
            Ok(session) => {
                let renewed = self.hub.open(&self.account, session, false);
                *self.open() = renewed.clone();
                Some(renewed)
            }
            Err(fault) => {
                tracing::debug!(%fault, "no new session");
                None
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listed_user(user: &User, now: Timestamp) -> Result<UserListed, String> {
    let of = |what: String| format!("user {:?}: {what}", crate::fault::short(user.user_name()));
    let password = user.password_last_used();
    Ok(UserListed {
        name: parsed("UserName", Some(user.user_name()))?,
        user_id: parsed("UserId", Some(user.user_id())).map_err(of)?,
        path: user.path().to_owned(),
        created: past_timestamp("CreateDate", Some(user.create_date()), now).map_err(of)?,
        password_last_used: password
            .map(|date| timestamp("PasswordLastUsed", Some(date)))
            .transpose()
            .map_err(of)?,
    })
}

fn listed_key(key: &AccessKeyMetadata, user: &UserName, now: Timestamp) -> Result<ListedKey, String> {
    if key.user_name() != Some(user.as_str()) {
        let other = crate::fault::short(key.user_name().unwrap_or_default());
        return Err(format!("answer shows a key of user {other:?}"));
    }
    let id: AccessKeyId = parsed("AccessKeyId", key.access_key_id())?;
    let of = |what: String| format!("key {id}: {what}");
    let status = key.status().map(key_status).ok_or_else(|| of("answer lacks Status".to_owned()))?;
    let created = past_timestamp("CreateDate", key.create_date(), now).map_err(of)?;
    Ok(ListedKey { key: id, status, created })
}

fn user_facts(user: Option<&User>, name: &UserName) -> Result<UserFacts, String> {
    let user = user.ok_or("answer lacks User")?;
    if user.user_name() != name.as_str() {
        return Err(format!("answer is about user {:?}", crate::fault::short(user.user_name())));
    }
    Ok(UserFacts {
        user_id: parsed("UserId", Some(user.user_id()))?,
        path: user.path().to_owned(),
        tags: tags(user.tags())?,
    })
}

fn tags(tags: &[Tag]) -> Result<Tags, String> {
    tags.iter().map(|tag| named(tag.key(), tag.value())).collect()
}

/// `None` if the answer leaves out the user's policies, which AWS lists also where there are none.
fn user_detail(user: &Detail, name: &UserName) -> Result<Option<UserDetail>, String> {
    let of = |what: String| format!("user {name}: {what}");
    let facts = UserFacts {
        user_id: parsed("UserId", user.user_id()).map_err(of)?,
        path: user.path().ok_or_else(|| of("answer lacks Path".to_owned()))?.to_owned(),
        tags: tags(user.tags()).map_err(of)?,
    };
    let Some(policies) = &user.attached_managed_policies else { return Ok(None) };
    Ok(Some(UserDetail { facts, policies: attached(policies).map_err(of)? }))
}

fn attached(policies: &[aws_sdk_iam::types::AttachedPolicy]) -> Result<Vec<AttachedPolicy>, String> {
    let policy = |policy: &aws_sdk_iam::types::AttachedPolicy| {
        let name = policy.policy_name().ok_or("answer lacks PolicyName")?.to_owned();
        let arn = policy.policy_arn().ok_or("answer lacks PolicyArn")?.to_owned();
        Ok(AttachedPolicy { name, arn })
    };
    policies.iter().map(policy).collect()
}

/// Whether every statement of a policy denies. IAM shows a policy URL-encoded (IAM API reference, `PolicyVersion`).
fn denies(encoded: &str) -> Result<bool, String> {
    let text = percent_decode_str(encoded).decode_utf8().map_err(|error| format!("document: {error}"))?;
    let document: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("document: {error}"))?;
    let statements = match document.get("Statement") {
        Some(serde_json::Value::Array(statements)) => statements.iter().collect(),
        Some(statement @ serde_json::Value::Object(_)) => vec![statement],
        _ => return Err("document lacks Statement".to_owned()),
    };
    let denies = |one: &serde_json::Value| one.get("Effect").is_some_and(|effect| effect == "Deny");
    Ok(!statements.is_empty() && statements.into_iter().all(denies))
}

fn last_use(
    answer: Option<&aws_sdk_iam::types::AccessKeyLastUsed>,
    now: Timestamp,
) -> Result<LastUse, String> {
    let answer = answer.ok_or("answer lacks AccessKeyLastUsed")?;
    let (service, region) = (answer.service_name(), answer.region());
    match answer.last_used_date() {
        Some(date) => Ok(LastUse::At {
            at: past_timestamp("LastUsedDate", Some(date), now)?,
            service: unless_not_applicable(service),
            region: unless_not_applicable(region),
        }),
        // Never used is told by all three at once. A date that is merely missing is no proof.
        None if service == "N/A" && region == "N/A" => Ok(LastUse::Never),
        None => Err("answer lacks LastUsedDate and yet names a service or Region".to_owned()),
    }
}
