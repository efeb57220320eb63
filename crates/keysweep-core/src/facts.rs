//! What could be read of an organization, and what could not.
//!
//! A fact that could not be read is [`Fact::Unknown`] with the reason. Unknown is never "never used", never "gone"
//! and never "not exempt": there is no conversion from `Unknown` to a value.

mod tags;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use self::tags::Tags;
use crate::evidence::{Activity, Trail};
use crate::ids::{AccessKeyId, AccountId, OuId, UserId, UserName};
use crate::lifecycle::Sighting;
use crate::quarantine::AttachedPolicy;
use crate::references::Met;

/// A value that was read, the reason why it could not be read, or nothing where nobody asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    /// It was read.
    Known(T),
    /// It could not be read; the text says which operation failed and how.
    Unknown(String),
    /// It was not asked for, because no rule needed it. A rule that needs it after all cannot tell.
    NotRead,
}

impl<T> Fact<T> {
    /// The value, if it was read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) | Self::NotRead => None,
        }
    }

    /// Why there is no value, if there is none: a value that was not asked for is none either.
    pub fn why_unknown(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(why) => Some(why),
            Self::NotRead => Some("not read"),
        }
    }
}

/// `Status` of an access key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// It works.
    Active,
    /// It was deactivated, by us or by someone else.
    Inactive,
    /// A status that this version does not know (`Expired` is in the API model): never acted on.
    Other(String),
}

/// When an access key was last used, as IAM tells it: at 15-minute granularity and hours late at times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastUse {
    /// No use since tracking began on 2015-04-22.
    Never,
    /// The last recorded use.
    At {
        /// When.
        at: Timestamp,
        /// Service namespace such as `s3`; absent where IAM says `N/A`.
        service: Option<SmolStr>,
        /// Region; absent where IAM says `N/A`.
        region: Option<SmolStr>,
    },
}

impl LastUse {
    /// When the key was last used; `None` if never.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::At { at, .. } => Some(*at),
        }
    }
}

/// The span in which IAM records one use. The report and a live answer may tell the same use this far apart.
const SAME_USE: SignedDuration = SignedDuration::from_mins(15);

impl LastUse {
    /// Whether `now` tells the use that this one tells: the same time, one later within the span, or the beginning of
    /// the quarter of an hour that the report rounds to. An earlier time otherwise is a correction, and another fact.
    #[must_use]
    pub fn is_same_use(&self, now: &Self) -> bool {
        match (self.at(), now.at()) {
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
            (Some(then), Some(now)) if now >= then => now.duration_since(then) < SAME_USE,
            (Some(then), Some(now)) => {
                let rounded = now.as_nanosecond() % SAME_USE.as_nanos() == 0;
                rounded && then.duration_since(now) < SAME_USE
            }
        }
    }

    /// Whether this is a later use than the one known at `since`. Within the span of one use it counts only if it came
    /// after that moment.
    #[must_use]
    pub fn is_later_than(&self, known: &Self, since: Timestamp) -> bool {
        match (self.at(), known.at()) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(now), Some(then)) => now > then && (now > since || !known.is_same_use(self)),
        }
    }
}

/// Where a fact about last use comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Source {
    /// The credential report of the account.
    Report,
    /// `GetAccessKeyLastUsed`.
    Live,
    /// CloudTrail event history, which has shown a later use than IAM.
    Cloudtrail,
    /// IAM Access Analyzer, which has shown a later use than IAM.
    AccessAnalyzer,
}

impl Source {
    /// Its name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What `GetUser` says of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFacts {
    /// The user's ID for life.
    pub user_id: UserId,
    /// Path, such as `/ci/`.
    pub path: String,
    /// Tags.
    pub tags: Tags,
}

/// One access key as a scan, or the re-read right before a change, saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// Account that holds the user.
    pub account: AccountId,
    /// The user's name at this moment.
    pub user_name: UserName,
    /// The user's ID for life.
    pub user_id: Fact<UserId>,
    /// The user's path.
    pub path: Fact<String>,
    /// The user's tags; not read where no rule needs them, so that a rule added meanwhile waits for them.
    pub tags: Fact<Tags>,
    /// The key.
    pub key: AccessKeyId,
    /// `CreateDate`.
    pub created: Timestamp,
    /// `Status`.
    pub status: KeyStatus,
    /// Last use.
    pub last_use: Fact<LastUse>,
    /// Where `last_use` comes from.
    pub source: Source,
    /// The other keys of the user, of any status.
    pub other_keys: Vec<OtherKey>,
    /// Managed policies that are attached to the user; not read where nothing is decided about the key.
    pub policies: Fact<Vec<AttachedPolicy>>,
    /// Whether the user has a console password; read for a quarantine alone.
    pub password: Fact<bool>,
    /// Whether the policy of a quarantine denies and grants nothing; read right before a quarantine alone.
    pub policy_denies: Fact<bool>,
    /// What CloudTrail shows of the key; read right before a change alone.
    pub trail: Fact<Box<Trail>>,
}

/// Another key of the same user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherKey {
    /// The key.
    pub key: AccessKeyId,
    /// `Status`.
    pub status: KeyStatus,
    /// Last use; read right before a quarantine alone, which stops this key as well.
    pub last_use: Fact<LastUse>,
    /// What CloudTrail shows of it; read right before a quarantine alone.
    pub trail: Fact<Box<Trail>>,
}

impl OtherKey {
    /// As a listing shows it.
    #[must_use]
    pub fn listed(key: AccessKeyId, status: KeyStatus) -> Self {
        Self { key, status, last_use: Fact::NotRead, trail: Fact::NotRead }
    }
}

impl KeyFacts {
    /// How many keys the user has, of any status.
    #[must_use]
    pub fn keys_of_user(&self) -> usize {
        self.other_keys.len() + 1
    }

    /// Names of attached policies with which AWS marks a compromise.
    #[must_use]
    pub fn compromise(&self) -> Fact<Vec<String>> {
        match &self.policies {
            Fact::Known(policies) => {
                let marks = policies.iter().filter(|policy| policy.marks_a_compromise());
                Fact::Known(marks.map(|policy| policy.name.clone()).collect())
            }
            Fact::Unknown(why) => Fact::Unknown(why.clone()),
            Fact::NotRead => Fact::NotRead,
        }
    }

    /// The same facts, with a use that CloudTrail has shown in the place of an older one that IAM tells.
    #[must_use]
    pub fn with_activity(&self, activity: Option<&Activity>) -> Cow<'_, Self> {
        match (&self.last_use, activity) {
            (Fact::Known(last_use), Some(activity)) if last_use.at() < Some(activity.at) => {
                let analyzer = activity.is_of_analyzer();
                // Access Analyzer tells no service: what IAM told last still says what the key is for.
                let last_use = Fact::Known(match (analyzer, last_use) {
                    (true, LastUse::At { service, region, .. }) => {
                        LastUse::At { at: activity.at, service: service.clone(), region: region.clone() }
                    }
                    (true, LastUse::Never) | (false, _) => activity.as_last_use(),
                });
                let source = if analyzer { Source::AccessAnalyzer } else { Source::Cloudtrail };
                Cow::Owned(Self { last_use, source, ..self.clone() })
            }
            (Fact::Known(_) | Fact::Unknown(_) | Fact::NotRead, _) => Cow::Borrowed(self),
        }
    }

    /// Full days since creation.
    #[must_use]
    pub fn age_days(&self, now: Timestamp) -> i64 {
        days(self.created, now)
    }

    /// Full days since last use, or since creation where it was never used; `None` where last use is unknown.
    #[must_use]
    pub fn idle_days(&self, now: Timestamp) -> Option<i64> {
        let last_use = self.last_use.known()?;
        Some(days(last_use.at().map_or(self.created, |at| at.max(self.created)), now))
    }
}

fn days(since: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(since).as_secs().div_euclid(86_400)
}

/// An account of the organization, as `ListAccounts` and the tree tell it, or of the static list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFacts {
    /// The account.
    pub id: AccountId,
    /// Its name; empty for a static list.
    pub name: String,
    /// E-mail address of its root user; empty for a static list.
    pub email: Fact<String>,
    /// Whether it is the management account of the organization.
    pub management: bool,
    /// OUs above it, from the root down, with their names; read only when a rule or label needs it.
    pub ous: Fact<Vec<Ou>>,
    /// Tags; read only when a rule needs them.
    pub tags: Fact<Tags>,
}

/// Where an account is and how it is tagged: what the routes of notices match beside its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// IDs of the OUs and the root above it.
    pub ous: Fact<BTreeSet<OuId>>,
    /// Its tags.
    pub tags: Fact<Tags>,
}

impl Default for Place {
    fn default() -> Self {
        Self { ous: Fact::NotRead, tags: Fact::NotRead }
    }
}

impl Place {
    /// Whether nobody asked for any of it.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        *self == Self::default()
    }
}

impl AccountFacts {
    /// Where it is and how it is tagged.
    #[must_use]
    pub fn place(&self) -> Place {
        let ous = match &self.ous {
            Fact::Known(ous) => Fact::Known(ous.iter().map(|ou| ou.id.clone()).collect()),
            Fact::Unknown(why) => Fact::Unknown(why.clone()),
            Fact::NotRead => Fact::NotRead,
        };
        Place { ous, tags: self.tags.clone() }
    }
}

/// An organizational unit or the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ou {
    /// `ou-...` or `r-...`.
    pub id: OuId,
    /// Its name.
    pub name: String,
}

/// How the scan of one account ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Everything that was asked for was read, or is listed as unknown.
    Scanned(Box<AccountScan>),
    /// It could not be scanned; nothing about its keys changes.
    Failed {
        /// What failed, and how.
        reason: String,
    },
    /// It was not to be scanned: not ACTIVE, excluded, or the management account.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// What one scan of one account found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountScan {
    /// When it began, on both clocks: nothing in it is older.
    pub sighting: Sighting,
    /// Keys of every candidate user, of any status. Plans share them.
    pub keys: Vec<Arc<KeyFacts>>,
    /// Tracked keys that a complete listing lacks, their user not merely renamed.
    pub absent: BTreeSet<AccessKeyId>,
    /// Users that were to be read and could not be, with the reason: their keys are unknown.
    pub unread_users: BTreeMap<UserName, String>,
    /// Rows of the credential report that name nobody, each with its reason: somebody's keys are unknown. Where the
    /// account could be read live, it was, and this is empty.
    pub unread_rows: Vec<String>,
    /// Why it is unknown whether the root user has keys, if it is.
    pub root_keys_unknown: Option<String>,
    /// Counts over every user of the account.
    pub inventory: Inventory,
    /// When the credential report was made; absent in a live scan.
    pub report_generated_at: Option<Timestamp>,
    /// Why the scan fell back from the report to live reads, if it did.
    pub fallback: Option<String>,
    /// Which users and paths that rules name were seen among every user of the account.
    pub met: Met,
}

impl AccountScan {
    /// Keeps the facts of an earlier scan for the keys of which this one says the same.
    pub fn share(&mut self, before: Option<&Self>) {
        let known: BTreeMap<&AccessKeyId, &Arc<KeyFacts>> =
            before.iter().flat_map(|scan| &scan.keys).map(|facts| (&facts.key, facts)).collect();
        for facts in &mut self.keys {
            if let Some(same) = known.get(&facts.key).filter(|known| ***known == *facts) {
                *facts = Arc::clone(same);
            }
        }
    }

    /// How many users could not be read, of whose keys nothing is known: users that could not be listed, rows of the
    /// report that name nobody, and the root user where nobody knows whether it has keys.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.hidden_users() + usize::from(self.root_keys_unknown.is_some())
    }

    /// How many users could not be read, and may have keys that nobody saw.
    #[must_use]
    pub fn hidden_users(&self) -> usize {
        self.unread_users.len() + self.unread_rows.len()
    }

    /// Which counts of the inventory this scan could not complete, because it met something that it could not read.
    #[must_use]
    pub fn untold(&self) -> BTreeSet<Count> {
        let mut untold = BTreeSet::new();
        // A report counts the keys of every user, those included that could not be listed, but not of unreadable rows.
        let uncounted = self.report_generated_at.is_none() && !self.unread_users.is_empty();
        if uncounted || !self.unread_rows.is_empty() {
            untold.extend([Count::ActiveKeys, Count::InactiveKeys, Count::OldestActiveKey, Count::Idle]);
        }
        let in_buckets: u64 = self.inventory.idle.buckets().map(|(_, count)| count).sum();
        if in_buckets < self.inventory.active_keys {
            untold.insert(Count::Idle);
        }
        if self.inventory.root_keys.is_none() {
            untold.insert(Count::RootKeys);
        }
        untold
    }
}

/// A count of an [`Inventory`] that a scan may be unable to complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// [`Inventory::users`].
    Users,
    /// [`Inventory::active_keys`].
    ActiveKeys,
    /// [`Inventory::inactive_keys`].
    InactiveKeys,
    /// [`Inventory::root_keys`].
    RootKeys,
    /// [`Inventory::oldest_active_key`].
    OldestActiveKey,
    /// [`Inventory::idle`].
    Idle,
}

/// Counts over every user of an account, candidates or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Users, root not counted.
    pub users: u64,
    /// Active keys, those of root not counted.
    pub active_keys: u64,
    /// Inactive keys, those of root not counted.
    pub inactive_keys: u64,
    /// Active keys of the root user; absent where that is unknown. A live scan tells only whether there are any, as 1.
    pub root_keys: Option<u64>,
    /// Creation of the oldest active key.
    pub oldest_active_key: Option<Timestamp>,
    /// Active keys by idle time.
    pub idle: IdleHistogram,
}

impl Inventory {
    /// These counts, with the last known ones in the place of those that could not be completed.
    #[must_use]
    pub fn or_last_known(mut self, untold: &BTreeSet<Count>, last: &Self) -> Self {
        for count in untold {
            match count {
                Count::Users => self.users = last.users,
                Count::ActiveKeys => self.active_keys = last.active_keys,
                Count::InactiveKeys => self.inactive_keys = last.inactive_keys,
                Count::RootKeys => self.root_keys = last.root_keys,
                Count::OldestActiveKey => self.oldest_active_key = last.oldest_active_key,
                Count::Idle => self.idle = last.idle.clone(),
            }
        }
        self
    }
}

/// Active keys by time since last use, or since creation where never used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdleHistogram {
    counts: [u64; IdleHistogram::BUCKETS.len()],
    /// How many of all of them were never used.
    pub never_used: u64,
}

impl IdleHistogram {
    /// Lower bound in days and label of each bucket.
    pub const BUCKETS: [(u64, &'static str); 7] = [
        (0, "0-30d"),
        (30, "30-45d"),
        (45, "45-60d"),
        (60, "60-90d"),
        (90, "90-180d"),
        (180, "180-365d"),
        (365, "365d-"),
    ];

    /// Counts one active key.
    pub fn add(&mut self, idle: Duration, never_used: bool) {
        let days = idle.as_secs() / 86_400;
        let bucket = Self::BUCKETS.iter().rposition(|(from, _)| days >= *from).unwrap_or(0);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.never_used += u64::from(never_used);
    }

    /// Adds another account's counts.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.never_used += other.never_used;
    }

    /// Label and count of each bucket.
    pub fn buckets(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Self::BUCKETS.iter().zip(self.counts).map(|((_, label), count)| (*label, count))
    }
}

/// Everything one pass over the organization read, failures included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// When collecting ended, policy time.
    pub at: Timestamp,
    /// Every account by ID, with how it ended.
    pub accounts: Vec<(AccountFacts, Outcome)>,
    /// Whether the list of accounts itself is complete. `scan --account` makes a partial one.
    pub complete: bool,
    /// Every OU and root that exists, with accounts or without; read only when a rule needs it.
    pub ous: Option<Fact<BTreeSet<OuId>>>,
    /// What AWS's clock showed minus what ours did, as of its latest answer; none before the first.
    pub skew: Option<SignedDuration>,
}

/// How far our clock and AWS's may differ, and how far ahead of us a date of AWS may be. AWS refuses no call because of
/// it: the SDK corrects the time it signs with by AWS's answers.
pub const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);

impl Collection {
    /// What was seen of an account, if it was scanned.
    #[must_use]
    pub fn scan(&self, account: AccountId) -> Option<&AccountScan> {
        let at = self.accounts.binary_search_by_key(&account, |(account, _)| account.id).ok()?;
        match self.accounts.get(at)? {
            (_, Outcome::Scanned(scan)) => Some(scan),
            (_, Outcome::Failed { .. } | Outcome::Skipped { .. }) => None,
        }
    }

    /// The difference between the clocks, if no period can be measured by them.
    #[must_use]
    pub fn skewed(&self) -> Option<SignedDuration> {
        self.skew.filter(|skew| skew.abs() > MAX_SKEW)
    }
}
