//! What a daemon does under its configuration, in a few lines for the log and for who reloaded it.

use std::fmt::Write as _;
use std::net::SocketAddr;

use keysweep_core::policy::Mode;

use crate::config::Config;
use crate::config::period::Period;
use crate::engine::Engine;
use crate::tls::Live;

/// Logs what this daemon will do.
pub(super) fn introduce(engine: &Engine, http: SocketAddr, tls: Option<&Live>) {
    let config = engine.config();
    let policy = &config.policy;
    for warning in &config.warnings {
        tracing::warn!(%warning, "configuration");
    }
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(version, data_dir = %config.data_dir.display(), %http, "keysweep");
    if tls.is_some() || !config.http.tokens.is_empty() {
        tracing::info!(tls = certificate(tls), tokens = tokens(&config), "http");
    }
    tracing::info!(
        mode = policy.base.mode.as_str(),
        strongest = strongest(&config).as_str(),
        overrides = policy.overrides.len(),
        exemptions = policy.exemptions.len(),
        "policy"
    );
    let (accounts, interval) = (accounts(&config), interval(&config));
    tracing::info!(accounts, interval, concurrency = config.scan.concurrency, "scans");
    let limits = &policy.limits;
    tracing::info!(
        deactivations_per_day = limits.deactivations_per_day,
        deletions_per_day = limits.deletions_per_day,
        changes_per_account_per_day = limits.changes_per_account_per_day,
        "limits"
    );
    let (paused, breaker) = engine.store().read(|state| {
        let control = state.control();
        (
            control.paused.as_ref().map(|p| p.reason.clone()),
            control.breaker.as_ref().map(|t| t.reason.to_string()),
        )
    });
    if let Some(reason) = paused {
        tracing::warn!(reason, "paused: no change starts until `keysweep resume --reason ...`");
    }
    if let Some(reason) = breaker {
        tracing::warn!(
            reason,
            "the breaker is open: no automatic change starts until `keysweep breaker reset`"
        );
    }
}

/// What is in force, for who asked for it.
pub(super) fn in_force(config: &Config, tls: Option<&Live>) -> String {
    let (policy, limits) = (&config.policy, &config.policy.limits);
    let mut text = "The configuration was loaded and is in force.\n".to_owned();
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "policy: mode {}, strongest {}; {} overrides, {} exemptions\n\
         scans: {}, every {}\n\
         limits: {} deactivations and {} deletions a day, {} changes a day in one account\n\
         http: {}, tokens: {}\n",
        policy.base.mode.as_str(),
        strongest(config).as_str(),
        policy.overrides.len(),
        policy.exemptions.len(),
        accounts(config),
        interval(config),
        limits.deactivations_per_day,
        limits.deletions_per_day,
        limits.changes_per_account_per_day,
        certificate(tls),
        tokens(config),
    );
    for warning in &config.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

/// The mode of the policy or of its strongest override.
fn strongest(config: &Config) -> Mode {
    let policy = &config.policy;
    let modes = policy.overrides.iter().filter_map(|rule| rule.terms.mode).chain([policy.base.mode]);
    modes.max().unwrap_or(Mode::Observe)
}

fn accounts(config: &Config) -> String {
    match config.organization.accounts.len() {
        0 => "every account of the organization".to_owned(),
        n => format!("{n} accounts"),
    }
}

fn interval(config: &Config) -> String {
    Period::from(config.scan.interval).to_string()
}

fn certificate(tls: Option<&Live>) -> String {
    match tls.map(|live| live.identity().expires()) {
        None => "plain".to_owned(),
        Some(None) => "tls".to_owned(),
        Some(Some(expires)) => format!("tls until {expires}"),
    }
}

/// Whose tokens there are.
fn tokens(config: &Config) -> String {
    let names: Vec<_> =
        config.http.tokens.iter().map(|token| format!("{} ({})", token.name, token.role)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
