//! `keysweep doctor`: whether everything that keysweep needs is there, told without changing anything.
//!
//! What may be done is asked by doing it where it is a read, and by `iam:SimulatePrincipalPolicy` where it is a change
//! and somebody may ask that. What neither can tell is not guessed: it is [`Verdict::CannotTell`].

mod account;
mod analyzer;
mod answer;
mod credentials;
mod data_dir;
mod document;
mod group;
mod organization;
mod policies;
mod role;
mod slack;

use std::path::PathBuf;

use futures_util::StreamExt as _;
use jiff::SignedDuration;
use keysweep_aws::{Aws, ConnectError};
use keysweep_core::facts::MAX_SKEW;
use keysweep_core::ids::AccountId;
use strum::VariantArray as _;

use self::account::Examination;
pub use self::document::{
    AccountsSeen, CallerSeen, Check, CheckName, CredentialsSeen, DataDirSeen, DoctorDocument, JournalSeen,
    Problem, StatementSeen, Verdict,
};
use self::group::{Raised, grouped};
use self::organization::Listed;
pub use self::organization::NotInOrganization;
use self::policies::Policies;
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;

/// Is told how far the examination of accounts is.
pub trait Progress: Send + Sync {
    /// So many accounts will be examined.
    fn total(&self, accounts: usize);
    /// One of them is done; `gap` if something is missing there.
    fn done(&self, gap: bool);
}

/// Nobody watches.
impl Progress for () {
    fn total(&self, _accounts: usize) {}

    fn done(&self, _gap: bool) {}
}

/// What an examination needs to know.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// What the operator wants.
    pub config: &'a Config,
    /// The clock.
    pub clock: &'a Clock,
    /// Is told of every call of the connection, and so of AWS's clock.
    pub metrics: &'a Metrics,
    /// Accounts to examine; empty for all.
    pub only: &'a [AccountId],
}

/// Examines everything. `aws` is the connection, or why there is none.
///
/// # Errors
/// An account of `inputs.only` is not in the organization. Whatever else is wrong is part of the document.
pub async fn examine(
    inputs: Inputs<'_>,
    aws: Result<Aws, ConnectError>,
    progress: &dyn Progress,
) -> Result<DoctorDocument, NotInOrganization> {
    let Inputs { config, clock, .. } = inputs;
    let data_dir = look_at_data_dir(config.data_dir.clone()).await;
    let mut findings = Findings::default();
    let aws = match aws {
        Ok(aws) => Some(aws),
        Err(error) => {
            findings.raised.push(credentials::no_connection(&error));
            None
        }
    };
    if let Some(aws) = &aws {
        findings = hub(inputs, aws, findings).await;
        if let Some(caller) = &findings.caller {
            let policies = Policies::of(config, clock.now());
            let mut listed = organization::list(inputs, aws, caller, &policies).await?;
            findings.raised.append(&mut listed.raised);
            findings.raised.extend(analyzer::examine(aws, config, caller, &policies).await);
            let examination = Examination { aws, config, clock, caller, policies: &policies };
            findings.examined = listed.targets.len();
            progress.total(findings.examined);
            let each = futures_util::stream::iter(&listed.targets).map(|target| examination.of(target));
            let mut running = each.buffer_unordered(config.scan.concurrency);
            while let Some(raised) = running.next().await {
                progress.done(raised.iter().any(|one| one.problem.verdict >= Verdict::Failed));
                findings.raised.extend(raised);
            }
            drop(running);
            findings.listed = Some(listed);
        }
        findings.skew = inputs.metrics.calls.skew();
        findings.raised.extend(findings.skew.and_then(skewed));
    }
    findings.raised.extend(slack::examine(config).await);
    Ok(findings.document(inputs, data_dir))
}

/// Off the runtime: a journal may be long.
async fn look_at_data_dir(path: PathBuf) -> (DataDirSeen, Vec<Raised>) {
    let looking = tokio::task::spawn_blocking(move || data_dir::look(&path));
    match looking.await {
        Ok(seen) => seen,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Who we are.
async fn hub(inputs: Inputs<'_>, aws: &Aws, mut findings: Findings) -> Findings {
    match aws.credentials().await {
        Ok(found) => findings.credentials = Some(found),
        Err(fault) => {
            findings.raised.push(credentials::none(&fault));
            return findings;
        }
    }
    match aws.caller().await {
        Ok(caller) => findings.caller = Some(caller),
        Err(fault) => findings.raised.push(credentials::not_accepted(&fault, &inputs.config.aws.region)),
    }
    findings
}

/// Keys are judged by a clock that is wrong. No call fails of it: the SDK corrects the time it signs with by itself.
fn skewed(skew: SignedDuration) -> Option<Raised> {
    (skew.abs() > MAX_SKEW).then(|| {
        Raised::once(Problem {
            check: CheckName::Clock,
            verdict: Verdict::Gap,
            what: format!("the clock of this machine is {} s off AWS's", skew.abs().as_secs()),
            actions: Vec::new(),
            statement: None,
            reason: None,
            remedy: "set the clock, for example with NTP: decisions depend on it, and beyond five minutes the circuit breaker \
                     stops all automatic changes"
                .into(),
            accounts: Vec::new(),
        })
    })
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    credentials: Option<keysweep_aws::HubCredentials>,
    caller: Option<keysweep_aws::Caller>,
    listed: Option<Listed>,
    examined: usize,
    skew: Option<SignedDuration>,
    raised: Vec<Raised>,
}

impl Findings {
    fn document(
        self,
        inputs: Inputs<'_>,
        (data_dir, of_data_dir): (DataDirSeen, Vec<Raised>),
    ) -> DoctorDocument {
        let Self { credentials, caller, listed, examined, skew, mut raised } = self;
        raised.extend(of_data_dir);
        let problems = grouped(raised, examined);
        let accounts = AccountsSeen {
            listed: listed.as_ref().map_or(0, |listed| listed.accounts),
            examined: u64::try_from(examined).unwrap_or(u64::MAX),
            skipped: listed.map(|listed| listed.skipped).unwrap_or_default(),
        };
        let mut document = DoctorDocument {
            generated_at: inputs.clock.now(),
            version: env!("CARGO_PKG_VERSION").into(),
            credentials: credentials.map(CredentialsSeen::from),
            caller: caller.map(CallerSeen::from),
            clock_skew_seconds: skew.map(|skew| skew.as_secs()),
            accounts,
            data_dir,
            checks: Vec::new(),
            problems,
        };
        document.checks = CheckName::VARIANTS
            .iter()
            .filter(|name| name.is_examined(inputs.config))
            .map(|name| document.check(*name, inputs.config))
            .collect();
        document
    }
}
