//! What this daemon will do, in five lines, when it starts and when it was told something else.

use std::net::SocketAddr;

use keysweep_core::policy::Mode;
use keysweep_core::state::State;
use keysweep_core::words::until_lifted;

use super::strongest_mode;
use crate::config::Config;
use crate::config::period::Period;
use crate::tls::Live;

/// Five sentences, and why no change starts if that is so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Introduction {
    /// Program and places, what is done with keys, which accounts, how much at most, and what comes next.
    pub(super) lines: [String; 5],
    /// What has to be lifted before anything is changed.
    pub(super) restraints: Vec<String>,
}

impl Introduction {
    /// Told from what is in force.
    pub(super) fn of(config: &Config, state: &State, http: SocketAddr, tls: Option<&Live>) -> Self {
        let control = state.control();
        Self {
            lines: [
                program(config, http, tls),
                mode(config),
                accounts(config),
                limits(config),
                next(config, state.records().count(), control.last_sweep.is_some()),
            ],
            restraints: control.stops(&config.policy).map(until_lifted).collect(),
        }
    }

    /// To the log.
    pub(super) fn log(&self) {
        for line in &self.lines {
            tracing::info!("{line}");
        }
        for restraint in &self.restraints {
            tracing::warn!("{restraint}");
        }
    }

    /// To who asked for it, a line each.
    pub(super) fn text(&self) -> String {
        self.lines.iter().chain(&self.restraints).map(|line| format!("{line}\n")).collect()
    }
}

fn program(config: &Config, http: SocketAddr, tls: Option<&Live>) -> String {
    let (version, data_dir) = (env!("CARGO_PKG_VERSION"), config.data_dir.display());
    let certificate = match tls.map(|live| live.identity().expires()) {
        None => String::new(),
        Some(None) => " over TLS".to_owned(),
        Some(Some(expires)) => format!(" over TLS until {expires}"),
    };
    let tokens: Vec<_> =
        config.http.tokens.iter().map(|token| format!("{} ({})", token.name, token.role)).collect();
    let tokens = if tokens.is_empty() { "none".to_owned() } else { tokens.join(", ") };
    format!(
        "keysweep {version}: journal and records in {data_dir}, metrics and health on {http}{certificate}, \
         tokens: {tokens}"
    )
}

fn mode(config: &Config) -> String {
    let policy = &config.policy;
    let base = policy.base.mode;
    let strongest = strongest_mode(config);
    let does = match strongest {
        Mode::Observe => "keys are flagged and nothing is changed",
        Mode::Deactivate => "stale keys are deactivated and never deleted",
        Mode::Delete => "stale keys are deactivated, and deleted after the grace period",
    };
    let wherever = if strongest == base { "" } else { " where an override says so" };
    let rules = format!(
        "{} and {}",
        counted(policy.overrides.len(), "override"),
        counted(policy.exemptions.len(), "exemption")
    );
    format!("mode {}: {does}{wherever}; {rules}", base.as_str())
}

fn accounts(config: &Config) -> String {
    let organization = &config.organization;
    let which = match organization.accounts.len() {
        0 => "every account of the organization".to_owned(),
        n => counted(n, "listed account"),
    };
    let within = match organization.include_ous.len() {
        0 => String::new(),
        n => format!(" within {}", counted(n, "OU")),
    };
    let left_out: Vec<String> =
        [(organization.exclude_accounts.len(), "account"), (organization.exclude_ous.len(), "OU")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| counted(n, what))
            .collect();
    let but =
        if left_out.is_empty() { String::new() } else { format!(", without {}", left_out.join(" and ")) };
    format!("accounts: {which}{within}{but}; {} in parallel", config.scan.concurrency)
}

fn limits(config: &Config) -> String {
    let limits = &config.policy.limits;
    format!(
        "caps per 24 hours: {} and {} in total, {} in one account",
        counted(limits.deactivations_per_day, "deactivation"),
        counted(limits.deletions_per_day, "deletion"),
        counted(limits.changes_per_account_per_day, "change"),
    )
}

fn next(config: &Config, records: usize, swept: bool) -> String {
    let interval = Period::from(config.scan.interval);
    let policy = &config.policy;
    let opens = policy.windows().any(|window| !window.days.is_empty() || window.hours.is_some());
    let opening = if opens { " and when a window opens" } else { "" };
    let known =
        if swept { format!("records of {}", counted(records, "key")) } else { "no sweep yet".to_owned() };
    format!("next sweep: now, then every {interval}{opening}; so far {known}")
}

/// `1 account`, `2 accounts`, `no account`.
fn counted(count: impl TryInto<u64>, what: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    use jiff::Timestamp;
    use keysweep_core::state::{Control, Pause, Trip, TripReason};

    use super::*;
    use crate::config::{self, Sources};

    fn mk_config(toml: &str) -> Config {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(toml.as_bytes()).unwrap();
        let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
        config::load(&sources, mk_now()).unwrap()
    }

    fn mk_now() -> Timestamp {
        "2026-07-15T12:00:00Z".parse().unwrap()
    }

    fn introduce(toml: &str, state: &State) -> Introduction {
        Introduction::of(&mk_config(toml), state, "127.0.0.1:9853".parse().unwrap(), None)
    }

    #[test]
    fn an_empty_configuration_says_that_nothing_is_changed() {
        let told = introduce("", &State::default());
        let version = env!("CARGO_PKG_VERSION");
        let program = format!(
            "keysweep {version}: journal and records in /var/lib/keysweep, metrics and health on 127.0.0.1:9853, tokens: none"
        );
        let lines = [
            program.as_str(),
            "mode observe: keys are flagged and nothing is changed; no override and no exemption",
            "accounts: every account of the organization; 64 in parallel",
            "caps per 24 hours: 50 deactivations and 50 deletions in total, 5 changes in one account",
            "next sweep: now, then every 6h; so far no sweep yet",
        ];
        assert_eq!(told.lines, lines);
        assert_eq!(told.restraints, [""; 0]);
    }

    #[test]
    fn an_override_that_deletes_is_told_although_the_base_observes() {
        let told = introduce(
            r#"
            [organization]
            exclude_accounts = ["444455556666"]
            exclude_ous = ["ou-ab12-sandbox1", "ou-ab12-sandbox2"]
            [policy]
            days = ["mon"]
            [[policy.override]]
            match = { accounts = ["111122223333"] }
            mode = "delete"
            [notices]
            required = false
            [limits]
            deletions_per_day = 1
            "#,
            &State::default(),
        );
        let lines = [
            "mode observe: stale keys are deactivated, and deleted after the grace period where an override says so; \
             1 override and no exemption",
            "accounts: every account of the organization, without 1 account and 2 OUs; 64 in parallel",
            "caps per 24 hours: 50 deactivations and 1 deletion in total, 5 changes in one account",
            "next sweep: now, then every 6h and when a window opens; so far no sweep yet",
        ];
        assert_eq!(told.lines[1..], lines);
    }

    #[test]
    fn whatever_holds_changes_back_is_told_with_the_way_out() {
        let control = Control {
            pauses: vec![
                Pause {
                    number: 7,
                    by: keysweep_core::state::Actor::Keysweep,
                    reason: "first start".into(),
                    since: mk_now(),
                },
                Pause {
                    number: 9,
                    by: keysweep_core::state::Actor::local("alice"),
                    reason: "audit".into(),
                    since: mk_now(),
                },
            ],
            breaker: Some(Trip { reason: TripReason::Shrink { before: 9, now: 3 }, since: mk_now() }),
            ..Control::default()
        };
        let told = introduce("", &State::from_parts(BTreeMap::new(), BTreeMap::new(), control));
        let restraints = [
            "paused: no change starts until `keysweep resume 7 --reason TEXT` (by keysweep): first start",
            "paused: no change starts until `keysweep resume 9 --reason TEXT` (by alice): audit",
            "the circuit breaker is open: no automatic change starts until it is reset (see `keysweep breaker show`): \
             the organization shrank from 9 to 3 accounts",
        ];
        assert_eq!(told.restraints, restraints);
    }
}
