//! Who we are, and the way into an account.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_iam::config::{IdentityCache, Region, SharedCredentialsProvider};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::retry::RetryConfig;
use jiff::{SignedDuration, Timestamp};
use keysweep_core::ids::AccountId;
use keysweep_core::lifecycle::OpenIntent;
use keysweep_core::ticket::Warrant;
use secrecy::ExposeSecret as _;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::change::{self, Prepared};
use crate::connect::{self, ConnectError};
use crate::convert::parsed;
use crate::fault::{Cause, Fault, FaultKind, classify};
use crate::limits::Limits;
use crate::pulse;
use crate::reader::{Open, Reader};
use crate::role::Partition;
use crate::session::{Account, Accounts, Session};
use crate::session_policy::policy_arn;
use crate::settings::{Observer, Settings};
use crate::skew::{ReadDate, TimeAtAws};
use crate::whole::WholeAnswer;

/// How an account is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// By the roles of the settings.
    Assume,
    /// By the hub's own credentials, which must be of that account.
    Direct,
}

/// Whose credentials the hub runs under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The user or assumed role.
    pub arn: String,
}

/// A connection to AWS. Clones share everything.
#[derive(Clone)]
pub struct Aws {
    pub(crate) hub: Arc<Hub>,
}

/// What all accounts share.
pub(crate) struct Hub {
    pub(crate) settings: Settings,
    pub(crate) partition: Partition,
    pub(crate) limits: Limits,
    pub(crate) accounts: Accounts,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) organizations: aws_sdk_organizations::Client,
    iam: aws_sdk_iam::Config,
    cloudtrail: aws_sdk_cloudtrail::Config,
    account: aws_sdk_account::Config,
    analyzer: aws_sdk_accessanalyzer::Config,
    pub(crate) credentials: Option<SharedCredentialsProvider>,
    caller: OnceCell<Caller>,
    /// By the answers of every service and account.
    pub(crate) time: Arc<TimeAtAws>,
}

impl Aws {
    /// Builds the clients; sends nothing except what the default credential chain asks for.
    ///
    /// # Errors
    /// If the settings cannot work or the environment redirects calls.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        let sdk = connect::load(&settings).await?;
        let time = Arc::<TimeAtAws>::default();
        let date = || ReadDate {
            time: Arc::clone(&time),
            wall: Arc::clone(&settings.wall),
            observer: Arc::clone(&settings.observer),
        };
        let partition = |name: &'static str| retry_partition(name, settings.retry_budget);
        let sts = aws_sdk_sts::config::Builder::from(&sdk)
            .interceptor(date())
            .interceptor(WholeAnswer)
            .interceptor(pulse::Attempts)
            .retry_partition(partition("sts"))
            .build();
        // Repeated by ourselves for as long as an operation may take: everything depends on these calls.
        let organizations = aws_sdk_organizations::config::Builder::from(&sdk)
            .interceptor(date())
            .retry_config(RetryConfig::disabled())
            .build();
        let iam = aws_sdk_iam::config::Builder::from(&sdk)
            .interceptor(date())
            .interceptor(WholeAnswer)
            .interceptor(pulse::Attempts)
            .build();
        // Repeated by ourselves too: everybody in the account shares two calls a second.
        let cloudtrail = aws_sdk_cloudtrail::config::Builder::from(&sdk)
            .interceptor(date())
            .retry_config(RetryConfig::disabled())
            .build();
        let account = aws_sdk_account::config::Builder::from(&sdk)
            .interceptor(date())
            .interceptor(pulse::Attempts)
            .build();
        let analyzer = aws_sdk_accessanalyzer::config::Builder::from(&sdk)
            .interceptor(date())
            .retry_config(RetryConfig::disabled())
            .build();
        let hub = Hub {
            partition: Partition::of_region(&settings.region),
            limits: Limits::new(&settings.rates),
            accounts: Accounts::default(),
            sts: aws_sdk_sts::Client::from_conf(sts),
            organizations: aws_sdk_organizations::Client::from_conf(organizations),
            iam,
            cloudtrail,
            account,
            analyzer,
            credentials: sdk.credentials_provider(),
            caller: OnceCell::new(),
            time,
            settings,
        };
        Ok(Self { hub: Arc::new(hub) })
    }

    /// What AWS's clock showed minus what ours did, as of the latest successful answer; none before the first.
    #[must_use]
    pub fn skew(&self) -> Option<SignedDuration> {
        self.hub.time.skew()
    }

    /// Whose credentials the hub runs under; asked once (`sts:GetCallerIdentity`).
    ///
    /// # Errors
    /// If there are no credentials, or STS does not answer.
    pub async fn caller(&self) -> Result<Caller, Fault> {
        self.hub.caller().await.cloned()
    }

    /// The partition of the configured region.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.hub.partition
    }

    /// Opens an account for reading: by a session that can only read, or by the hub's own credentials.
    ///
    /// A session is reused until five minutes before it expires. The reader is meant for one scan: drop it then.
    ///
    /// # Errors
    /// If the role cannot be assumed, or what was opened is another account.
    pub async fn reader(&self, account: AccountId, access: Access) -> Result<Reader, Fault> {
        let hub = Arc::clone(&self.hub);
        let account = hub.accounts.get(account, &hub.settings);
        let open = match access {
            Access::Assume => {
                let (session, is_older) = hub.scan_session(&account).await?;
                hub.open(&account, session, is_older)
            }
            Access::Direct => hub.directly(&account).await?,
        };
        Ok(Reader::new(hub, account, open))
    }

    /// Opens an account to see what may be done there: as [`Aws::reader`], by a session of its own that may ask IAM
    /// for simulations too, where the role may.
    ///
    /// # Errors
    /// As [`Aws::reader`].
    pub async fn examiner(&self, account: AccountId, access: Access) -> Result<Reader, Fault> {
        let hub = Arc::clone(&self.hub);
        let account = hub.accounts.get(account, &hub.settings);
        let open = match access {
            Access::Assume => {
                let session = hub.examining_session(&account).await?;
                Open { session: None, ..hub.open(&account, session, false) }
            }
            Access::Direct => hub.directly(&account).await?,
        };
        Ok(Reader::new(hub, account, open))
    }

    /// Whether the role that enforces can be assumed: by a session that may do nothing at all, and that is thrown
    /// away.
    ///
    /// # Errors
    /// If it cannot be assumed, or what was opened is another account.
    pub async fn try_enforce_role(&self, account: AccountId) -> Result<(), Fault> {
        let account = self.hub.accounts.get(account, &self.hub.settings);
        self.hub.powerless_session(&account).await.map(drop)
    }

    /// Opens an account for one change: under a session whose policy allows that one IAM action on that one user
    /// and nothing else. The hub's own credentials never change anything, in no account.
    ///
    /// `user_path` is the path of the user as the re-check read it, such as `/ci/`: the ARN of a user carries it.
    /// The session lives 15 minutes, so that the change must follow at once.
    ///
    /// # Errors
    /// If the role cannot be assumed, or what was opened is another account, or the exemption tags of the warrant
    /// do not fit into a session policy.
    pub async fn prepare(&self, warrant: &Warrant, user_path: &str) -> Result<Prepared, Fault> {
        let hub = Arc::clone(&self.hub);
        let account = hub.accounts.get(warrant.identity().account, &hub.settings);
        let deadline = hub.deadline(warrant).await?;
        let session = hub.change_session(&account, warrant, user_path, deadline).await?;
        let client = hub.iam_client(&account, Some(&session), Attempts::Once);
        // The turn is taken here, so that sending starts at once and a pause has nothing to wait for but AWS.
        account.turn().await;
        let policy = warrant.quarantine().map(|attachment| &attachment.policy);
        let policy = policy.map(|policy| policy_arn(hub.partition, account.id, policy));
        Ok(change::prepared(hub, client, warrant, policy, deadline))
    }
}

/// Whether a failed attempt is followed by another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempts {
    /// Reads: standard retries within the account's budget.
    Retried,
    /// Changes: sent at most once.
    Once,
}

impl Hub {
    pub(crate) fn observer(&self) -> &dyn Observer {
        self.settings.observer.as_ref()
    }

    /// Runs one call, tells the observer, and turns the SDK's error into a fault.
    pub(crate) async fn observed<T, E>(
        &self,
        api: &'static str,
        operation: impl FnOnce() -> String,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let start = Instant::now();
        pulse::begins();
        let span = tracing::debug_span!("call", otel.name = api, api);
        let result = call.instrument(span).await.map_err(|error| classify(&error, self.external_id()));
        pulse::ends();
        let told = result.as_ref().map(|_| ()).map_err(|(kind, _)| *kind);
        self.observer().call(api, told, start.elapsed());
        result.map_err(|failure| Fault::new(api, operation(), failure))
    }

    /// Makes a call again and again until it is answered, or fails in a way that does not pass, or the time of an
    /// operation is over. For calls on which the whole organization depends: three attempts are over in a second.
    pub(crate) async fn patiently<T, E, F>(
        &self,
        call: impl Fn() -> F,
        may_pass: impl Fn(FaultKind, &Cause) -> bool,
    ) -> Result<T, SdkError<E, HttpResponse>>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let (start, limit) = (Instant::now(), self.settings.operation_timeout);
        let mut pause = FIRST_PAUSE;
        let mut last = None;
        loop {
            let left = limit.saturating_sub(start.elapsed());
            let error = match tokio::time::timeout(left, Box::pin(call())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                // What the attempt before said tells more than that time is over.
                Err(over) => return Err(last.unwrap_or_else(|| SdkError::timeout_error(over))),
            };
            let (kind, cause) = classify(&error, self.external_id());
            if !may_pass(kind, &cause) || start.elapsed() + pause >= limit {
                return Err(error);
            }
            last = Some(error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What the trust policies of the roles ask for. Not to be shown.
    pub(crate) fn external_id(&self) -> Option<&str> {
        self.settings.external_id.as_ref().map(|id| id.expose_secret())
    }

    async fn caller(&self) -> Result<&Caller, Fault> {
        self.caller.get_or_try_init(|| self.ask_caller()).await
    }

    /// Until when the change of a warrant may be carried out: AWS itself refuses it later, wherever the call was
    /// meanwhile.
    ///
    /// The session is opened with the deadline in its policy, before its own answer tells the time: it is reckoned
    /// from the answer before that one, which was to one of the reads right before the change. So it comes earlier by
    /// as long as the session takes to open, and never later.
    ///
    /// # Errors
    /// If AWS's time is not to be had. An undo goes on without a deadline: nothing of ours stands in its way.
    async fn deadline(&self, warrant: &Warrant) -> Result<Option<Timestamp>, Fault> {
        if self.time.now().is_none()
            && let Err(fault) = self.ask_caller().await
            && !warrant.action().is_undo()
        {
            return Err(fault);
        }
        let span = OpenIntent::time_to_act(self.settings.attempt_timeout);
        let deadline = self.time.now().and_then(|now| now.checked_add(span).ok());
        // The language of policies knows whole seconds.
        let deadline = deadline.and_then(|at| Timestamp::from_second(at.as_second()).ok());
        if deadline.is_none() && !warrant.action().is_undo() {
            let operation = format!("set a deadline for the change of key {}", warrant.identity().key);
            let what = "no answer carried AWS's Date; check what stands between keysweep and AWS".to_owned();
            return Err(Fault::without_call(operation, (FaultKind::Transient, Cause::Contract(what))));
        }
        Ok(deadline)
    }

    async fn ask_caller(&self) -> Result<Caller, Fault> {
        let operation = || "get caller identity of the hub".to_owned();
        let call = self.patiently(
            || async {
                self.limits.sts().await;
                self.sts.get_caller_identity().send().await
            },
            passes,
        );
        let answer = self.observed("sts:GetCallerIdentity", operation, call).await?;
        let account = parsed("Account", answer.account())
            .map_err(|what| Fault::bug("sts:GetCallerIdentity", operation(), what))?;
        Ok(Caller { account, arn: answer.arn().unwrap_or_default().to_owned() })
    }

    async fn check_direct(&self, account: AccountId) -> Result<(), Fault> {
        let caller = self.caller().await?;
        if caller.account == account {
            return Ok(());
        }
        let cause = Cause::Contract(format!("the hub's own credentials are those of {}", caller.account));
        Err(Fault::without_call(format!("open {account} directly"), (FaultKind::Denied, cause)))
    }

    /// What reads an account by the hub's own credentials.
    async fn directly(&self, account: &Account) -> Result<Open, Fault> {
        self.check_direct(account.id).await?;
        let client = self.iam_client(account, None, Attempts::Retried);
        Ok(Open { client, credentials: None, session: None, is_older: false })
    }

    /// What reads an account under a session.
    pub(crate) fn open(&self, account: &Account, session: Session, is_older: bool) -> Open {
        let client = self.iam_client(account, Some(&session), Attempts::Retried);
        let credentials = Some(session.credentials.clone());
        Open { client, credentials, session: Some(session), is_older }
    }

    /// A client for the event history of one Region.
    pub(crate) fn cloudtrail_client(
        &self,
        credentials: Option<Credentials>,
        region: &str,
    ) -> aws_sdk_cloudtrail::Client {
        let mut config = self.cloudtrail.to_builder();
        if let Some(credentials) = credentials {
            config = config.credentials_provider(credentials).identity_cache(IdentityCache::no_cache());
        }
        aws_sdk_cloudtrail::Client::from_conf(config.region(Region::new(region.to_owned())).build())
    }

    /// A client for analyzers of one Region, by the hub's own credentials.
    pub(crate) fn analyzer_client(&self, region: &str) -> aws_sdk_accessanalyzer::Client {
        let config = self.analyzer.to_builder().region(Region::new(region.to_owned()));
        aws_sdk_accessanalyzer::Client::from_conf(config.build())
    }

    /// A client for the account itself.
    pub(crate) fn account_client(
        &self,
        account: &Account,
        credentials: Option<Credentials>,
    ) -> aws_sdk_account::Client {
        let mut config = self.account.to_builder().retry_partition(account.retries.clone());
        if let Some(credentials) = credentials {
            config = config.credentials_provider(credentials).identity_cache(IdentityCache::no_cache());
        }
        aws_sdk_account::Client::from_conf(config.build())
    }

    /// A client for one account: cheap, as everything heavy is shared with the base.
    fn iam_client(
        &self,
        account: &Account,
        session: Option<&Session>,
        attempts: Attempts,
    ) -> aws_sdk_iam::Client {
        let mut config = self.iam.to_builder().retry_partition(account.retries.clone());
        if let Some(session) = session {
            // The SDK's cache holds 64 identities for the whole process and would thrash; there is nothing to
            // cache about credentials that are already there.
            config = config
                .credentials_provider(session.credentials.clone())
                .identity_cache(IdentityCache::no_cache());
        }
        if attempts == Attempts::Once {
            config = config.retry_config(RetryConfig::disabled());
        }
        aws_sdk_iam::Client::from_conf(config.build())
    }
}

/// Pauses between attempts of a call on which everything depends: doubled from one to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whether a failure may pass by itself.
pub(crate) fn passes(kind: FaultKind, _cause: &Cause) -> bool {
    match kind {
        FaultKind::Throttled | FaultKind::Transient => true,
        FaultKind::Denied | FaultKind::Gone | FaultKind::Bug => false,
    }
}

/// Retries with a budget of their own. Named partitions of the SDK are shared by the process and never freed.
pub(crate) fn retry_partition(
    name: impl Into<std::borrow::Cow<'static, str>>,
    budget: usize,
) -> RetryPartition {
    RetryPartition::custom(name).token_bucket(TokenBucket::builder().capacity(budget).build()).build()
}
