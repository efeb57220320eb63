//! `scan`: one read-only pass, without data_dir and without a daemon.

use std::sync::Arc;

use keysweep_core::facts::Collection;
use keysweep_core::ids::AccountId;
use keysweep_core::plan::{Plan, plan};
use keysweep_core::render::{ScanDocument, coverage, rows};
use keysweep_core::state::State;

use super::args::{FailOn, Format, Global, ScanArgs};
use super::config::{form, log, quiet_level, read_or_defaults};
use super::console::Console;
use super::credentials::without_answer;
use super::error::CliError;
use super::export;
use super::operator::told_of_gaps;
use super::progress::Bar;
use super::{Exit, view};
use crate::clock::Clock;
use crate::collect::{Inputs, OrganizationCache, OrganizationError, collect};
use crate::config::{Config, ManagementAccount};
use crate::connect::{Given, connect};
use crate::logging::Beside;
use crate::metrics::Metrics;
use crate::operator::skewed;
use keysweep_api::{PlanDocument, UnknownOrigin};

/// What one pass saw, and the plan that it leads to where nothing is recorded.
struct Pass {
    collection: Collection,
    plan: Plan,
}

/// `scan`.
pub(super) async fn scan(global: &Global, args: &ScanArgs, console: &Console) -> Result<Exit, CliError> {
    let metrics = Metrics::new();
    let config = read_or_defaults(global, console)?;
    let bar = Bar::new(console.stderr_terminal, Arc::clone(&metrics));
    log(quiet_level(console), form(&config, console), &metrics, Beside::new(bar.bar()), None)?;
    for warning in &config.warnings {
        console.warn(&warning.to_string());
    }
    let which = if args.here { Which::Here } else { Which::Accounts(&args.account) };
    let Pass { collection, plan } = pass(config, which, &bar).await?;
    let mut coverage = coverage(&collection, &plan.keys);
    coverage.incomplete.extend(metrics.calls.skew().and_then(skewed));
    let document = ScanDocument {
        generated_at: collection.at,
        coverage,
        findings: rows(collection.at, &collection, &plan, &State::default()),
    };
    console.print_until_closed(|out| match args.format.format {
        Format::Table => {
            let text = view::scan_table(&document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, &document),
        Format::Jsonl => export::json_lines(out, &document.findings),
        Format::Csv => export::csv(out, &export::FINDING, &document.findings),
    })?;
    console.say(&view::scan_summary(&document));
    told_of_gaps(document.coverage.incomplete.clone(), console);
    Ok(exit(&document, &args.fail_on))
}

/// `plan` where there is neither a daemon nor a data_dir.
pub(super) async fn plan_without_records(
    config: Config,
    metrics: Arc<Metrics>,
    console: &Console,
) -> Result<PlanDocument, CliError> {
    let bar = Bar::new(console.stderr_terminal, Arc::clone(&metrics));
    let Pass { collection, plan } = pass(config, Which::Accounts(&[]), &bar).await?;
    let unknown_origin = plan.inactive_of_unknown_origin.iter().map(|(account, key)| UnknownOrigin {
        account_id: account.to_string(),
        access_key_id: key.to_string(),
    });
    Ok(PlanDocument {
        generated_at: collection.at,
        collected_at: collection.at,
        stopped: None,
        clock_skew_seconds: metrics.calls.skew().map(|skew| skew.as_secs()),
        pauses: Vec::new(),
        parked: Vec::new(),
        coverage: coverage(&collection, &plan.keys),
        inactive_of_unknown_origin: unknown_origin.collect(),
        keys: rows(collection.at, &collection, &plan, &State::default()),
    })
}

/// Which accounts a pass looks at.
#[derive(Clone, Copy)]
enum Which<'a> {
    /// The account of our own credentials, with these credentials.
    Here,
    /// These accounts; if there are none, all that the configuration covers.
    Accounts(&'a [AccountId]),
}

async fn pass(mut config: Config, which: Which<'_>, bar: &Bar) -> Result<Pass, CliError> {
    let clock = Clock::system();
    let aws = connect(&config, &clock, bar.observer(), Given::default()).await?;
    let only = match which {
        Which::Accounts(only) => only,
        Which::Here => {
            let caller = aws.caller().await.map_err(|fault| without_answer(fault, CliError::Caller))?;
            config.organization.accounts = vec![caller.account];
            config.organization.exclude_accounts.clear();
            config.organization.management_account = ManagementAccount::Direct;
            &[]
        }
    };
    let (config, cache, state) = (Arc::new(config), OrganizationCache::default(), State::default());
    let inputs =
        Inputs { aws: &aws, config: &config, clock: &clock, cache: &cache, only, list_inactive: false };
    let collected = collect(inputs, &state, bar).await;
    bar.clear();
    let collection = collected.map_err(|error| match error {
        OrganizationError::List(fault) => {
            without_answer(fault, |fault| OrganizationError::List(fault).into())
        }
        OrganizationError::Empty | OrganizationError::Tree(_) | OrganizationError::NotThere(_) => {
            error.into()
        }
    })?;
    let plan = plan(collection.at, &config.policy, &state, &collection);
    Ok(Pass { collection, plan })
}

/// Incomplete coverage goes first: what was not seen may be worse than what was.
fn exit(document: &ScanDocument, fail_on: &[FailOn]) -> Exit {
    if !document.coverage.is_complete() {
        return Exit::Incomplete;
    }
    let mut open = document.findings.iter().filter(|row| !view::is_exempt(row)).filter_map(|row| row.finding);
    if open.any(|finding| fail_on.iter().any(|wanted| wanted.covers(finding))) {
        return Exit::Findings;
    }
    Exit::Done
}

#[cfg(test)]
mod tests {
    use keysweep_core::finding::FindingKind;
    use keysweep_core::render::{Coverage, FindingRow, NotScanned};

    use super::*;

    fn mk_row(finding: FindingKind, overlays: &[&str]) -> FindingRow {
        let row = serde_json::json!({
            "subject": "key", "account_id": "111122223333", "user_name": "ci", "status": "Active",
            "finding": finding,
            "compliance": [], "remediation": [], "state": "active", "overlays": overlays, "unknown": [],
            "next_action": "none", "next_action_reason": "", "source": "report", "warnings": [],
        });
        serde_json::from_value(row).unwrap()
    }

    fn mk_document(findings: Vec<FindingRow>) -> ScanDocument {
        ScanDocument { generated_at: jiff::Timestamp::UNIX_EPOCH, coverage: Coverage::default(), findings }
    }

    #[test]
    fn findings_fail_a_scan_only_where_they_are_asked_about() {
        let document = mk_document(vec![mk_row(FindingKind::NeverUsed, &[])]);
        assert_eq!(exit(&document, &[]), Exit::Done);
        assert_eq!(exit(&document, &[FailOn::Unused, FailOn::RootKey]), Exit::Done);
        assert_eq!(exit(&document, &[FailOn::NeverUsed]), Exit::Findings);
        assert_eq!(exit(&document, &[FailOn::Any]), Exit::Findings);
    }

    #[test]
    fn an_exempt_finding_fails_no_scan() {
        let document = mk_document(vec![mk_row(FindingKind::Unused, &["exempt"])]);
        assert_eq!(exit(&document, &[FailOn::Any]), Exit::Done);
    }

    #[test]
    fn incomplete_coverage_goes_before_findings() {
        let coverage =
            Coverage { incomplete: vec!["0 of 16 accounts scanned".into()], ..Coverage::default() };
        let findings = vec![mk_row(FindingKind::Unused, &[])];
        let document = ScanDocument { coverage, ..mk_document(findings) };
        assert_eq!(exit(&document, &[FailOn::Any]), Exit::Incomplete);
        let skipped = NotScanned { account_id: "111122223333".into(), reason: "excluded".into() };
        let skipped = Coverage { scanned: 1, skipped: vec![skipped], ..Coverage::default() };
        assert_eq!(exit(&ScanDocument { coverage: skipped, ..mk_document(Vec::new()) }, &[]), Exit::Done);
    }
}
