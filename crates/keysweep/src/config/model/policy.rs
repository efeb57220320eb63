//! `[policy]` with its overrides and exemptions.

use std::collections::BTreeMap;

use jiff::civil::Weekday;
use keysweep_core::policy::{ApprovalFor, Mode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::period::{Period, PeriodOrOff};

/// Declares what both `[policy]` and `[[policy.override]]` may say, once.
macro_rules! terms {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:expr,)*) => {
        /// `[policy]`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct PolicySection {
            $($(#[$doc])* pub $field: $type,)*
            /// What differs for some keys, in order: a later rule that matches wins field by field. Any key of
            /// the policy may be given.
            #[serde(rename = "override", skip_serializing_if = "Vec::is_empty")]
            pub overrides: Vec<OverrideSection>,
            /// Keys that are left alone up to a day, that day included.
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
            /// For which keys.
                    #[serde(rename = "match")]
            pub matches: MatchSection,
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }
    };
}

terms! {
    /// How far keysweep goes by itself: "observe" (changes nothing), "deactivate", or "delete" (deactivates, and
    /// deletes after the grace period).
    mode: Mode = Mode::Observe,
    /// A key that was used is stale when its last use is this long ago.
    unused_after: Period = Period::days(90),
    /// A key that was never used is stale when it is this old.
    never_used_after: Period = Period::days(90),
    /// A key in use is a finding when it is this old, or "off". It never leads to a change.
    max_age: PeriodOrOff = PeriodOrOff::Off,
    /// Time between the notice and the deactivation.
    notice: Period = Period::days(7),
    /// Time between the deactivation and the deletion, in which keysweep has watched the key stay Inactive.
    grace: Period = Period::days(14),
    /// Which changes want a person's approval: "none", "deactivate", "delete" or "both".
    approval: ApprovalFor = ApprovalFor::None,
    /// How long a request for approval stands.
    approval_expires: Period = Period::days(14),
    /// How often a request that expired is asked again; after that the key is held.
    approval_repeats: u32 = 2,
    /// How long a key is left alone after anybody reactivated it.
    hold_after_reactivation: Period = Period::days(30),
    /// How long a key is left alone after an approval was denied.
    hold_after_denial: Period = Period::days(90),
    /// Whether keys that are Inactive without keysweep's doing are taken over, to be deleted after the same grace.
    adopt_inactive: bool = false,
    /// Days on which changes may start, such as ["mon", "tue", "wed", "thu"]; empty for every day.
    days: Vec<Day> = Vec::new(),
    /// Hours in which changes may start, such as "09:00-16:00"; may cross midnight; empty for the whole day.
    hours: String = String::new(),
    /// Time zone of days, hours and the last days of exemptions.
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
    /// For which keys.
    #[serde(rename = "match")]
    pub matches: MatchSection,
    /// Why; shown wherever the key is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Last day on which it holds, such as "2027-06-30", in policy.time_zone. Afterwards there is a warning, and its
    /// keys need a fresh notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// For which keys a rule is. Every field that is given must match, any entry of a list will do, and a rule without
/// any field is a mistake.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MatchSection {
    /// IDs of OUs or roots, descendants included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<String>,
    /// Account IDs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Tags of the account: a key, and a glob for its value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub account_tags: BTreeMap<String, String>,
    /// Names of users, as globs such as "svc-*".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// How paths of users begin, such as "/ci/".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Tags of the user: a key, and a glob for its value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user_tags: BTreeMap<String, String>,
}
