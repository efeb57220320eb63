//! `[policy]` with its overrides and exemptions.

use std::collections::BTreeMap;

use jiff::civil::Weekday;
use keysweep_core::policy::{ApprovalBy, ApprovalFor, IncompleteEvidence, Mode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::period::{Period, PeriodOrOff};

/// Declares once the fields that `[policy]` and `[[policy.override]]` share.
macro_rules! terms {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:expr,)*) => {
        /// `[policy]`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct PolicySection {
            $($(#[$doc])* pub $field: $type,)*
            /// Different settings for some keys. Rules apply in order; for each field, the last matching rule wins. A
            /// rule can set any key of the policy.
            #[serde(rename = "override", skip_serializing_if = "Vec::is_empty")]
            pub overrides: Vec<OverrideSection>,
            /// Keys that are exempt through a given date (inclusive).
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub exempt: Vec<ExemptSection>,
        }

        impl Default for PolicySection {
            fn default() -> Self {
                Self { $($field: $default,)* overrides: Vec::new(), exempt: Vec::new() }
            }
        }

        /// `[[policy.override]]`.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        #[schemars(extend("required" = ["match"]))]
        pub struct OverrideSection {
            /// The keys that the rule applies to.
            #[serde(rename = "match")]
            pub matches: MatchSection,
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }

        /// The policy as a rule that sets everything.
        impl From<&PolicySection> for OverrideSection {
            fn from(section: &PolicySection) -> Self {
                Self { matches: MatchSection::default(), $($field: Some(section.$field.clone()),)* }
            }
        }
    };
}

terms! {
    /// Automatic changes: "observe" (none), "deactivate", or "delete" (deactivate, then delete after the grace period).
    mode: Mode = Mode::Observe,
    /// A used key is stale when its last use is this long ago.
    unused_after: Period = Period::days(90),
    /// A never used key is stale when it is this old.
    never_used_after: Period = Period::days(90),
    /// A key in use is an over_age finding when it is this old. "off" disables these findings. They never lead to a
    /// change.
    max_age: PeriodOrOff = PeriodOrOff::Off,
    /// Minimum time between the notice and the deactivation.
    notice: Period = Period::days(7),
    /// How long to quarantine the user of a stale key before keysweep deactivates the key, such as "3d". keysweep attaches a
    /// managed policy that denies requests; a client that still uses the key gets AccessDenied and appears in CloudTrail. "off"
    /// disables it.
    quarantine: PeriodOrOff = PeriodOrOff::Off,
    /// Grace period between deactivation and deletion. It counts only while keysweep observes that the key is Inactive.
    grace: Period = Period::days(14),
    /// Changes that require an approval: "none", "deactivate", "delete", or "both".
    approval: ApprovalFor = ApprovalFor::None,
    /// Number of different people who must approve a change that requires an approval: 1 to 10. A person with two tokens or
    /// logins of the same name counts once.
    approvals_needed: u32 = 1,
    /// Who can approve a change that requires an approval: "approver" (people with the role `approver` or `operator` for the
    /// account of the key), and optionally "owner" (the owner of the key, after login). Owners can never approve a change of
    /// a key that keysweep protects by itself, such as one that looks like a honeytoken.
    approval_by: Vec<ApprovalBy> = vec![ApprovalBy::Approver],
    /// Time after which a request for approval expires.
    approval_expires: Period = Period::days(14),
    /// Number of times that an expired request is repeated. After that, keysweep holds the key.
    approval_repeats: u32 = 2,
    /// Length of the hold after anyone reactivates a key.
    hold_after_reactivation: Period = Period::days(30),
    /// Length of the hold after an operator denies an approval.
    hold_after_denial: Period = Period::days(90),
    /// Whether keysweep takes over keys that someone else set Inactive, to delete them after the same grace period.
    adopt_inactive: bool = false,
    /// Behavior if CloudTrail cannot be read in some Regions, or IAM Access Analyzer cannot be read: "wait" (the key waits),
    /// or "ignore" (keysweep decides with the remaining evidence). If no Region can be read, the key always waits. A newer
    /// use always prevents the change.
    incomplete_evidence: IncompleteEvidence = IncompleteEvidence::Wait,
    /// Days on which changes may start, such as ["mon", "tue", "wed", "thu"]. Empty: every day.
    days: Vec<Day> = Vec::new(),
    /// Hours in which changes may start, such as "09:00-16:00". The range may cross midnight. Empty: the whole day.
    hours: String = String::new(),
    /// Time zone of days, hours, and the end dates of exemptions.
    time_zone: String = "UTC".to_owned(),
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl From<Day> for Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Mon => Self::Monday,
            Day::Tue => Self::Tuesday,
            Day::Wed => Self::Wednesday,
            Day::Thu => Self::Thursday,
            Day::Fri => Self::Friday,
            Day::Sat => Self::Saturday,
            Day::Sun => Self::Sunday,
        }
    }
}

/// `[[policy.exempt]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["match", "reason", "until"]))]
pub struct ExemptSection {
    /// The keys that the rule applies to.
    #[serde(rename = "match")]
    pub matches: MatchSection,
    /// Reason, shown wherever the key is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Last day of the exemption, such as "2027-06-30", in policy.time_zone. After that, keysweep warns, and the keys
    /// need a new notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// The keys that a rule applies to. All given fields must match; in a list, one matching entry is enough. A rule
/// without any field is an error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MatchSection {
    /// IDs of OUs or roots, including descendants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<String>,
    /// Account IDs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Tags of the account: a tag key, and a glob for the value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub account_tags: BTreeMap<String, String>,
    /// User names, as globs such as "svc-*".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// How paths of users begin, such as "/ci/": a prefix, not a glob.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Tags of the user: a tag key, and a glob for the value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user_tags: BTreeMap<String, String>,
}
