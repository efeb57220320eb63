//! What operators configure, as the oracle understands it: it is written to keysweep as TOML and never read back.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::cast::Cast;

/// The tag that exempts a user.
pub(super) const EXEMPT_TAG: &str = "keysweep:exempt";

/// The tag that exempts an account.
pub(super) const EXEMPT_ACCOUNT_TAG: &str = "keysweep";

/// The tag that says whose the keys of a user are.
pub(super) const OWNER_TAG: &str = "Owner";

/// Whoever has an address of this domain may be told of keys.
pub(super) const OWNERS_DOMAIN: &str = "@corp.example";

/// Users whose names begin so have an override of their own.
pub(super) const SPECIAL_USERS: &str = "svc-";

/// Observe, deactivate or delete, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Observe,
    Deactivate,
    Delete,
}

/// Days, as thresholds are written.
pub(super) type Days = i64;

/// The configuration in force.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    pub(super) mode: Mode,
    /// Accounts with a mode of their own.
    pub(super) account_modes: BTreeMap<String, Mode>,
    pub(super) unused_after: Days,
    pub(super) never_used_after: Days,
    /// `unused_after` of users with special names.
    pub(super) special_unused_after: Days,
    pub(super) notice: Days,
    /// Days in quarantine before a deactivation.
    pub(super) quarantine: Option<Days>,
    /// In hours: sweeps come once or twice a day, and what they add up to should be no multiple of it.
    pub(super) grace_hours: i64,
    pub(super) hold_after_reactivation: Days,
    pub(super) hold_after_denial: Days,
    pub(super) approve_deactivate: bool,
    pub(super) approve_delete: bool,
    /// How many people have to approve.
    pub(super) approvals_needed: usize,
    /// Whether the owner of a key may approve, too.
    pub(super) owner_approves: bool,
    pub(super) adopt_inactive: bool,
    pub(super) cloudtrail: bool,
    pub(super) ignores_gaps: bool,
    pub(super) interval_hours: i64,
    pub(super) deactivations_per_day: usize,
    pub(super) deletions_per_day: usize,
    pub(super) changes_per_account_per_day: usize,
    pub(super) shrink: f64,
    pub(super) source: &'static str,
    pub(super) concurrency: usize,
    /// Whether a rule asks for the OUs above accounts.
    pub(super) reads_ous: bool,
    /// Whether accounts may be exempt by a tag of theirs.
    pub(super) exempts_accounts: bool,
    /// The ID of an OU whose accounts are exempt.
    pub(super) exempt_ou: Option<String>,
    pub(super) surge: f64,
    pub(super) surge_keys: usize,
    /// Hours of the day, UTC, from and to, in which keys are changed.
    pub(super) hours: Option<(i8, i8)>,
    /// Whether keysweep looks for owners.
    pub(super) owners: bool,
    /// Whether it sends them mail, and changes no key without.
    pub(super) mail: bool,
    /// Who may do what.
    pub(super) cast: Cast,
}

impl Rules {
    pub(super) fn of_seed(rng: &mut ChaCha8Rng, accounts: &[String], exempt_ou: &str) -> Self {
        let mode = match rng.random_range(0..8) {
            0 => Mode::Observe,
            1 => Mode::Deactivate,
            _ => Mode::Delete,
        };
        let mut account_modes = BTreeMap::new();
        for account in accounts {
            if rng.random_bool(0.1) {
                let mode = [Mode::Observe, Mode::Deactivate, Mode::Delete][rng.random_range(0..3)];
                account_modes.insert(account.clone(), mode);
            }
        }
        let approval = rng.random_range(0..6);
        let rules = Self {
            mode,
            account_modes,
            unused_after: rng.random_range(6..15),
            never_used_after: rng.random_range(6..15),
            special_unused_after: rng.random_range(10..25),
            notice: rng.random_range(1..4),
            quarantine: None,
            grace_hours: Self::some_grace(rng),
            hold_after_reactivation: rng.random_range(5..12),
            hold_after_denial: rng.random_range(6..15),
            approve_deactivate: approval == 1 || approval == 3,
            approve_delete: approval == 2 || approval == 3,
            approvals_needed: 1,
            owner_approves: false,
            adopt_inactive: rng.random_bool(0.2),
            cloudtrail: rng.random_bool(0.9),
            ignores_gaps: rng.random_bool(0.3),
            interval_hours: if rng.random_bool(0.3) { 12 } else { 24 },
            deactivations_per_day: rng.random_range(1..6),
            deletions_per_day: rng.random_range(1..6),
            changes_per_account_per_day: rng.random_range(1..4),
            shrink: 0.3,
            source: if rng.random_bool(0.15) { "live" } else { "auto" },
            concurrency: if rng.random_bool(0.3) { 1 } else { 8 },
            reads_ous: rng.random_bool(0.3),
            exempts_accounts: rng.random_bool(0.3),
            exempt_ou: rng.random_bool(0.3).then(|| exempt_ou.to_owned()),
            surge: 0.2,
            surge_keys: if rng.random_bool(0.3) { 3 } else { 12 },
            owners: false,
            mail: false,
            cast: Cast::default(),
            hours: rng.random_bool(0.15).then(|| {
                let from = rng.random_range(0..24);
                (from, (from + rng.random_range(10..20)) % 24)
            }),
        };
        // Last, so that a seed without one is what it was before.
        let quarantine = rng.random_bool(0.4).then(|| rng.random_range(1..4));
        // Half of them, without another draw.
        let owners = rules.grace_hours % 24 < 12;
        let mail = owners && rules.grace_hours % 12 < 6;
        let approvals_needed = if rng.random_bool(0.4) { 2 } else { 1 };
        // Where there are owners, they are asked more often.
        let owner_approves = rng.random_bool(if owners { 0.8 } else { 0.3 });
        let asks = owner_approves && owners && rng.random_bool(0.5);
        let (approve_deactivate, approve_delete) =
            (rules.approve_deactivate || asks, rules.approve_delete || (asks && rng.random_bool(0.3)));
        // Where OUs are read anyway, and nothing there is exempt.
        let read_ou = (rules.reads_ous && rules.exempt_ou.is_none()).then_some(exempt_ou);
        let cast = Cast::of_seed(rng, accounts, read_ou);
        let consent = Self { approve_deactivate, approve_delete, approvals_needed, owner_approves, ..rules };
        Self { quarantine, owners, mail, cast, ..consent }
    }

    pub(super) fn mode_of(&self, account: &str) -> Mode {
        self.account_modes.get(account).copied().unwrap_or(self.mode)
    }

    /// Whether keys may be changed anywhere.
    pub(super) fn changes_anything(&self) -> bool {
        self.mode != Mode::Observe || self.account_modes.values().any(|mode| *mode != Mode::Observe)
    }

    /// How long a key must have been idle.
    pub(super) fn threshold(&self, user: &str, used: bool) -> SignedDuration {
        let days = match used {
            // IAM's user names know no case, and neither do rules about them.
            true if user.to_lowercase().starts_with(SPECIAL_USERS) => self.special_unused_after,
            true => self.unused_after,
            false => self.never_used_after,
        };
        SignedDuration::from_hours(24 * days)
    }

    /// Whether keys may be changed at that time of the machine's clock.
    pub(super) fn in_window(&self, at: Timestamp) -> bool {
        let Some((from, to)) = self.hours else { return true };
        let hour = at.to_zoned(jiff::tz::TimeZone::UTC).hour();
        if from <= to { (from..to).contains(&hour) } else { hour >= from || hour < to }
    }

    pub(super) fn interval(&self) -> SignedDuration {
        SignedDuration::from_hours(self.interval_hours)
    }

    /// Two to five days, or some hours less.
    pub(super) fn some_grace(rng: &mut ChaCha8Rng) -> i64 {
        24 * rng.random_range(2..6) - 6 * rng.random_range(0..4)
    }

    pub(super) fn days(days: Days) -> SignedDuration {
        SignedDuration::from_hours(24 * days)
    }

    pub(super) fn to_toml(&self, link_secret: &Path) -> String {
        let approval = match (self.approve_deactivate, self.approve_delete) {
            (false, false) => "none",
            (true, false) => "deactivate",
            (false, true) => "delete",
            (true, true) => "both",
        };
        let mut toml = format!(
            r#"
[organization]
refresh = "1h"
[scan]
interval = "{}h"
report_max_age = "{}h"
source = "{}"
concurrency = {}
[policy]
mode = "{}"
unused_after = "{}d"
never_used_after = "{}d"
notice = "{}d"
grace = "{}h"
approval = "{approval}"
approval_expires = "3d"
approval_repeats = 2
approvals_needed = {}
approval_by = [{}]
hold_after_reactivation = "{}d"
hold_after_denial = "{}d"
adopt_inactive = {}
incomplete_evidence = "{}"
[evidence]
cloudtrail = {}
[notices]
required = false
[limits]
deactivations_per_day = {}
deletions_per_day = {}
changes_per_account_per_day = {}
surge = {}
surge_keys = {}
shrink = {}
failed_accounts = 3
[[policy.override]]
match = {{ users = ["{SPECIAL_USERS}*"] }}
unused_after = "{}d"
[[policy.exempt]]
match = {{ user_tags = {{ "{EXEMPT_TAG}" = "*" }} }}
reason = "tagged"
until = "2099-01-01"
"#,
            self.interval_hours,
            self.interval_hours,
            self.source,
            self.concurrency,
            word(self.mode),
            self.unused_after,
            self.never_used_after,
            self.notice,
            self.grace_hours,
            self.approvals_needed,
            if self.owner_approves { "\"approver\", \"owner\"" } else { "\"approver\"" },
            self.hold_after_reactivation,
            self.hold_after_denial,
            self.adopt_inactive,
            if self.ignores_gaps { "ignore" } else { "wait" },
            self.cloudtrail,
            self.deactivations_per_day,
            self.deletions_per_day,
            self.changes_per_account_per_day,
            self.surge,
            self.surge_keys,
            self.shrink,
            self.special_unused_after,
        );
        for (account, mode) in &self.account_modes {
            let mode = word(*mode);
            let rule =
                format!("[[policy.override]]\nmatch = {{ accounts = [\"{account}\"] }}\nmode = \"{mode}\"\n");
            let _ = write!(toml, "{rule}");
        }
        if self.exempts_accounts {
            let rule = format!(
                "[[policy.exempt]]\nmatch = {{ account_tags = {{ \"{EXEMPT_ACCOUNT_TAG}\" = \"off\" }} }}\nreason = \"tagged\"\nuntil = \"2099-01-01\"\n"
            );
            toml.push_str(&rule);
        }
        if let Some(ou) = &self.exempt_ou {
            let rule = format!(
                "[[policy.exempt]]\nmatch = {{ ous = [\"{ou}\"] }}\nreason = \"a playground\"\nuntil = \"2099-01-01\"\n"
            );
            toml.push_str(&rule);
        }
        if let Some(days) = self.quarantine {
            toml = toml.replace("grace = ", &format!("quarantine = \"{days}d\"\ngrace = "));
        }
        if let Some((from, to)) = self.hours {
            toml = toml.replace("[evidence]", &format!("hours = \"{from:02}:00-{to:02}:00\"\n[evidence]"));
        }
        if self.owners {
            let domain = OWNERS_DOMAIN.trim_start_matches('@');
            let owners = format!(
                "[owners]\nsources = [\"user_tags\", \"account_email\"]\nallowed_domains = [\"{domain}\"]\n"
            );
            toml = toml.replace("[notices]", &format!("{owners}[notices]"));
        }
        if self.mail {
            let mail = "required = true\nnotify = [\"security@corp.example\"]\nlink_secret_file = \"LINK_SECRET\"\nremind_before = [\"12h\"]\n[notices.email]\nhost = \"127.0.0.1\"\nsecurity = \"none\"\nfrom = \"keysweep@corp.example\"\n";
            let mail = mail.replace("LINK_SECRET", &link_secret.display().to_string());
            toml = toml.replace("required = false\n", &mail);
        }
        if self.reads_ous {
            let rule = "[[policy.exempt]]\nmatch = { ous = [\"ou-none-nothing0\"] }\nreason = \"an OU that is not there\"\nuntil = \"2099-01-01\"\n";
            toml.push_str(rule);
        }
        toml.push_str(&self.cast.to_toml());
        toml
    }
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Deactivate => "deactivate",
        Mode::Delete => "delete",
    }
}
