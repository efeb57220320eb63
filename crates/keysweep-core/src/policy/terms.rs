//! The terms of a policy: everything that may differ from key to key.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{DAY, DayOfWeek, Hours, Window};
use crate::ticket::Planned;

/// How far keysweep may go by itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Mode {
    /// Flags and plans; never changes AWS.
    Observe,
    /// Deactivates keys, never deletes one.
    Deactivate,
    /// Deactivates keys and deletes them after the grace period.
    Delete,
}

impl Mode {
    /// Its name in the configuration, in metrics and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether this mode permits `action` without an operator's order.
    #[must_use]
    pub fn permits(self, action: Planned) -> bool {
        match action {
            Planned::Deactivate => self >= Self::Deactivate,
            Planned::Delete => self >= Self::Delete,
        }
    }
}

/// Which changes want a person's approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ApprovalFor {
    /// None.
    None,
    /// Deactivations.
    Deactivate,
    /// Deletions.
    Delete,
    /// Deactivations and deletions.
    Both,
}

impl ApprovalFor {
    /// Its name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether `action` wants approval.
    #[must_use]
    pub fn wants(self, action: Planned) -> bool {
        match action {
            Planned::Deactivate => matches!(self, Self::Deactivate | Self::Both),
            Planned::Delete => matches!(self, Self::Delete | Self::Both),
        }
    }
}

/// In what capacity a person approves.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ApprovalBy {
    /// With the role `approver` for the account of the key.
    Approver,
    /// As the owner of the key.
    Owner,
}

impl ApprovalBy {
    /// Its name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Behavior if CloudTrail cannot be read in one or more Regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum IncompleteEvidence {
    /// The key waits.
    Wait,
    /// keysweep decides with the evidence from the other Regions.
    Ignore,
}

impl IncompleteEvidence {
    /// Its name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Declares the terms of a policy once: the full set, the partial set of an override, and how one lies over the other.
macro_rules! terms {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        /// Everything that may differ from key to key.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Terms {
            $($(#[$doc])* pub $field: $type,)*
        }

        /// What an override says; `None` leaves the term as it was.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct TermsPatch {
            $($(#[$doc])* pub $field: Option<$type>,)*
        }

        impl Terms {
            /// These terms, but for those that a patch sets.
            #[must_use]
            pub fn with(mut self, patch: &TermsPatch) -> Self {
                $(if let Some(value) = &patch.$field {
                    self.$field = value.clone();
                })*
                self
            }
        }

        impl TermsPatch {
            /// Names of the terms that it sets.
            pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
                let set = [$((stringify!($field), self.$field.is_some()),)*];
                set.into_iter().filter(|(_, set)| *set).map(|(name, _)| name)
            }
        }
    };
}

terms! {
    /// How far keysweep may go by itself.
    mode: Mode,
    /// A used key is stale when idle for at least this long.
    unused_after: Duration,
    /// A never used key is stale when at least this old.
    never_used_after: Duration,
    /// A key in use is a finding when at least this old; `None` for off. Never leads to a change.
    max_age: Option<Duration>,
    /// Time between notice and deactivation.
    notice: Duration,
    /// How long the user of a key is in quarantine before the key is deactivated; `None` for off.
    quarantine: Option<Duration>,
    /// Watched time between deactivation and deletion.
    grace: Duration,
    /// Which changes want approval.
    approval: ApprovalFor,
    /// How many people have to approve a change that wants approval; at least one.
    approvals_needed: u32,
    /// Who may approve a change because the policy requires it; an approver always may.
    approval_by: BTreeSet<ApprovalBy>,
    /// How long a request for approval stands.
    approval_expires: Duration,
    /// How often an expired request is asked again.
    approval_repeats: u32,
    /// Hold after somebody reactivated the key.
    hold_after_reactivation: Duration,
    /// Hold after somebody denied approval.
    hold_after_denial: Duration,
    /// Whether keys found Inactive are taken over, to be deleted after the same grace.
    adopt_inactive: bool,
    /// Behavior if CloudTrail cannot be read in one or more Regions.
    incomplete_evidence: IncompleteEvidence,
    /// Days on which changes may start; empty for every day.
    days: BTreeSet<DayOfWeek>,
    /// Hours of those days; `None` for all day.
    hours: Option<Hours>,
    /// Time zone of both.
    time_zone: TimeZone,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            mode: Mode::Observe,
            unused_after: 90 * DAY,
            never_used_after: 90 * DAY,
            max_age: None,
            notice: 7 * DAY,
            quarantine: None,
            grace: 14 * DAY,
            approval: ApprovalFor::None,
            approvals_needed: 1,
            approval_by: BTreeSet::from([ApprovalBy::Approver]),
            approval_expires: 14 * DAY,
            approval_repeats: 2,
            hold_after_reactivation: 30 * DAY,
            hold_after_denial: 90 * DAY,
            adopt_inactive: false,
            incomplete_evidence: IncompleteEvidence::Wait,
            days: BTreeSet::new(),
            hours: None,
            time_zone: TimeZone::UTC,
        }
    }
}

impl Terms {
    /// When changes may start.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { days: self.days.clone(), hours: self.hours, time_zone: self.time_zone.clone() }
    }

    /// The shortest idle time or age at which a key could be a finding under these terms.
    #[must_use]
    pub fn lowest_threshold(&self) -> Duration {
        let idle = self.unused_after.min(self.never_used_after);
        self.max_age.map_or(idle, |age| age.min(idle))
    }
}
