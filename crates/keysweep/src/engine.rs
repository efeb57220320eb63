//! What a daemon and an offline command work with: configuration, store, AWS, clock and metrics, and the rules by
//! which they are used together.

mod ledger;
mod outlook;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use jiff::Timestamp;
use keysweep_aws::{Aws, ConnectError};
use keysweep_core::facts::{Collection, MAX_SKEW};
use keysweep_core::policy::Policy;
use keysweep_core::references::Reference;
use keysweep_core::state::{Actor, Body, Configuration, Receipt, State};
use keysweep_store::{AppendError, CloseError, OpenError, OpenOptions, Opened, Store, Undecided};
use tokio::sync::{Notify, OnceCell, Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use self::ledger::{Ledger, Room};
pub(crate) use self::outlook::Outlook;
use crate::access::Sessions;
use crate::change::{Changes, Gaps};
use crate::clock::Clock;
use crate::collect::OrganizationCache;
use crate::config::Config;
use crate::connect::{Given, connect};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::people::{Dispatch, LinkMaker};

/// Sweeps in a row that a new configuration may overtake. A few, so that an operator who reloads twice does not wait; no
/// more, so that reloads every few seconds do not prevent changes.
const OVERTAKEN_AT_MOST: u32 = 3;

/// Requests for evidence that are answered at the same time.
const GATHERING_AT_ONCE: usize = 2;

/// What a daemon and an offline command work with.
pub struct Engine {
    config: RwLock<Arc<Config>>,
    aws: RwLock<Arc<OnceCell<Aws>>>,
    /// What it takes to send messages, built from the configuration when the first is sent.
    dispatch: RwLock<Arc<OnceLock<Dispatch>>>,
    given: Given,
    clock: Clock,
    ledger: Ledger,
    metrics: Arc<Metrics>,
    latest: RwLock<Option<Arc<Latest>>>,
    /// What views show of the plan.
    outlook: Mutex<Option<Arc<Outlook>>>,
    /// The last entry when a person last decided something: views show at least that.
    decided: AtomicU64,
    sweep_wanted: Notify,
    post_wanted: Notify,
    /// When AWS last confirmed that the clock of this machine is right: by that clock, and by the monotonic one.
    clock_confirmed: Mutex<Option<(Timestamp, tokio::time::Instant)>>,
    sweeping: AtomicBool,
    config_replaced: Notify,
    /// Changes when another configuration is in force.
    config_reloads: watch::Sender<()>,
    /// How often the configuration was replaced since a sweep last ended under the one that it began with.
    sweeps_overtaken: AtomicU32,
    sweep_ended: Notify,
    /// What was read of the organization, cached for `organization.refresh`.
    organization: Mutex<Arc<OrganizationCache>>,
    /// Who may change what right now.
    pub(crate) changes: Changes,
    /// What CloudTrail did not show of keys that were to be changed.
    pub(crate) gaps: Gaps,
    /// Who may gather evidence on request right now.
    pub(crate) gathering: Semaphore,
    sessions: Sessions,
    /// What a daemon knows of itself.
    health: OnceLock<Health>,
    stopping: CancellationToken,
}

/// What the last sweep of this process saw.
#[derive(Debug)]
pub struct Latest {
    /// Everything that was read.
    pub collection: Collection,
    /// What rules name and that matches nothing, where the accounts were listed to the end.
    pub idle_rules: Option<BTreeSet<Reference>>,
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// data_dir could not be opened.
    #[error("data_dir could not be opened")]
    Open(#[from] OpenError),
    /// The first entry could not be written.
    #[error("the journal could not be written")]
    Append(#[from] AppendError),
}

/// Why something could not be journaled or sent.
#[derive(Debug, thiserror::Error)]
pub enum EngineFault {
    /// There is no way to AWS.
    #[error("no connection to aws")]
    Connect(#[from] Arc<ConnectError>),
}

impl Engine {
    /// Opens data_dir. Sends nothing to AWS.
    ///
    /// Where the configuration changes keys, a journal in which keysweep never paused itself and nobody ever resumed
    /// starts paused: what restrained keysweep before, holds and denials among it, may have been lost.
    ///
    /// # Errors
    /// If data_dir cannot be opened or written.
    pub async fn open(
        config: Arc<Config>,
        clock: Clock,
        metrics: Arc<Metrics>,
        given: Given,
        options: OpenOptions,
    ) -> Result<(Arc<Self>, Opened), EngineError> {
        let room = if options.for_undo { Room::Reserved } else { Room::Common };
        let (store, opened) = Store::open(&config.data_dir, options).await?;
        let sessions = Sessions::open(&config.data_dir);
        let ledger = Ledger::new(store, clock.clone(), Arc::clone(&metrics));
        let started = |state: &State, _| {
            let configuration = in_force(&config);
            let before = &state.control().configuration;
            let first = *before == Configuration::default();
            let changed = if first { BTreeMap::new() } else { configuration.changed_since(before) };
            let (version, run) = (env!("CARGO_PKG_VERSION").into(), clock.run());
            let started = Body::Started { version, run, configuration, changed };
            Ok::<_, Infallible>((std::iter::once(started).chain(introduction(&config, state)).collect(), ()))
        };
        ledger.decide(&Actor::Keysweep, room, started).await.map_err(AppendError::from)?;
        let engine = Arc::new(Self {
            config: RwLock::new(config),
            aws: RwLock::default(),
            dispatch: RwLock::default(),
            given,
            clock,
            ledger,
            metrics,
            latest: RwLock::default(),
            outlook: Mutex::default(),
            decided: AtomicU64::new(0),
            sweep_wanted: Notify::new(),
            post_wanted: Notify::new(),
            clock_confirmed: Mutex::default(),
            sweeping: AtomicBool::new(false),
            config_replaced: Notify::new(),
            config_reloads: watch::Sender::default(),
            sweeps_overtaken: AtomicU32::new(0),
            sweep_ended: Notify::new(),
            organization: Mutex::default(),
            changes: Changes::default(),
            gaps: Gaps::default(),
            gathering: Semaphore::new(GATHERING_AT_ONCE),
            sessions,
            health: OnceLock::new(),
            stopping: CancellationToken::new(),
        });
        Ok((engine, opened))
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another configuration in force, and waits for what the old one has sent: when this returns, none of its
    /// changes begins any more or is under way. What was read under it is read again. `actor` is who asked for it.
    ///
    /// # Errors
    /// If the journal cannot say so: then the old one stays in force.
    pub async fn replace_config(&self, actor: &Actor, config: Arc<Config>) -> Result<(), AppendError> {
        // The pause first: if the process ends in between, nothing is lost but a reload.
        let paused =
            |state: &State, _| Ok::<_, Infallible>((introduction(&config, state).into_iter().collect(), ()));
        self.decide(&Actor::Keysweep, paused).await.map_err(AppendError::from)?;
        let configured = |state: &State, _| {
            let configuration = in_force(&config);
            let changed = configuration.changed_since(&state.control().configuration);
            let configured = (!changed.is_empty()).then_some(Body::Configured { configuration, changed });
            Ok::<_, Infallible>((configured.into_iter().collect(), ()))
        };
        self.decide(actor, configured).await.map_err(AppendError::from)?;
        // A change asks for the configuration in force once it counts as under way: either it finds this one, or its
        // end is waited for below.
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        *self.aws.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        *self.dispatch.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        *self.organization.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        self.sweeps_overtaken.fetch_add(1, Ordering::AcqRel);
        self.config_replaced.notify_one();
        self.config_reloads.send_replace(());
        self.request_sweep();
        self.changes.drained().await;
        Ok(())
    }

    /// A sweep ended that began under this configuration. One that failed counts too: another configuration may be what
    /// it needs.
    pub(crate) fn sweep_ended(&self, began_under: &Arc<Config>, failed: bool) {
        if failed || Arc::ptr_eq(began_under, &self.config()) {
            self.sweeps_overtaken.store(0, Ordering::Release);
            self.sweep_ended.notify_waiters();
        }
    }

    /// Waits, where the configuration was replaced again and again before a sweep could end, until one has ended: its
    /// changes are made under one configuration, and would never be made otherwise.
    pub(crate) async fn sweep_had_its_turn(&self) {
        loop {
            let mut ended = std::pin::pin!(self.sweep_ended.notified());
            ended.as_mut().enable();
            if self.sweeps_overtaken.load(Ordering::Acquire) < OVERTAKEN_AT_MOST {
                return;
            }
            ended.await;
        }
    }

    /// Waits until another configuration is put in force. One task can wait.
    pub(crate) async fn config_replaced(&self) {
        self.config_replaced.notified().await;
    }

    /// Changes whenever another configuration is in force. Any number of tasks can watch it.
    pub(crate) fn config_reloads(&self) -> watch::Receiver<()> {
        self.config_reloads.subscribe()
    }

    /// Changes whenever entries are written.
    pub(crate) fn journal_entries(&self) -> watch::Receiver<()> {
        self.ledger.entries()
    }

    /// The connection to AWS, made when it is first needed.
    ///
    /// # Errors
    /// If there is none.
    pub async fn aws(&self) -> Result<Aws, EngineFault> {
        let cell = Arc::clone(&self.aws.read().unwrap_or_else(PoisonError::into_inner));
        let config = self.config();
        let observer = Arc::clone(&self.metrics);
        let connected =
            cell.get_or_try_init(|| connect(&config, &self.clock, observer, self.given.clone())).await;
        Ok(connected.map_err(Arc::new)?.clone())
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The store.
    pub fn store(&self) -> &Store {
        self.ledger.store()
    }

    /// The folder with the e-mail of the demo.
    #[cfg(feature = "demo")]
    pub fn mailbox(&self) -> Option<&std::path::Path> {
        self.given.mailbox.as_deref()
    }

    /// The Slack of the demo.
    #[cfg(feature = "demo")]
    pub fn wall(&self) -> Option<&crate::demo::Wall> {
        self.given.wall.as_deref()
    }

    /// Lets operations show what the daemon knows of itself.
    pub fn set_health(&self, health: Health) {
        let _ = self.health.set(health);
    }

    /// What the daemon knows of itself; `None` for a command without one.
    pub fn health(&self) -> Option<&Health> {
        self.health.get()
    }

    /// Sessions of people who have logged in.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What the last sweep of this process saw.
    pub fn latest(&self) -> Option<Arc<Latest>> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_latest(&self, latest: Latest) {
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(latest));
        self.forget_outlook();
    }

    /// Asks for a sweep as soon as the present one is done.
    pub fn request_sweep(&self) {
        self.sweep_wanted.notify_one();
    }

    /// Waits until a sweep is asked for.
    pub async fn sweep_requested(&self) {
        self.sweep_wanted.notified().await;
    }

    /// What it takes to send messages under the configuration in force.
    pub(crate) fn dispatch<T>(&self, use_: impl FnOnce(&Dispatch) -> T) -> T {
        let cell = Arc::clone(&self.dispatch.read().unwrap_or_else(PoisonError::into_inner));
        use_(cell.get_or_init(|| Dispatch::new(&self.config().channels, self.given.carrier.clone())))
    }

    /// What makes and reads the links in notices, if there are any.
    pub(crate) fn links(&self) -> Option<LinkMaker> {
        self.dispatch(|dispatch| dispatch.links.clone())
    }

    /// Notes whether a sweep is under way. What it owes people is put into messages when it is over.
    pub(crate) fn set_sweeping(&self, sweeping: bool) {
        self.sweeping.store(sweeping, Ordering::Release);
        if !sweeping {
            self.post_wanted.notify_one();
        }
    }

    /// Whether a sweep is under way.
    pub(crate) fn is_sweeping(&self) -> bool {
        self.sweeping.load(Ordering::Acquire)
    }

    /// Notes that the clock of this machine agrees with that of AWS.
    pub(crate) fn confirm_clock(&self) {
        let confirmed = (self.clock.now(), self.clock.instant());
        *self.clock_confirmed.lock().unwrap_or_else(PoisonError::into_inner) = Some(confirmed);
    }

    /// Whether the clock of this machine has not been set since AWS confirmed it. A notice period must not begin by a clock
    /// that is wrong.
    pub(crate) fn clock_is_trusted(&self) -> bool {
        let confirmed = *self.clock_confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.is_some_and(|(then, at)| {
            // By the wall, and without it; time that is sped up counts as what it takes.
            let wall = self.clock.now().duration_since(then);
            let passed = self.clock.operational_span(wall.unsigned_abs());
            let apart = passed.abs_diff(self.clock.elapsed_since(at));
            (!wall.is_negative() || passed <= MAX_SKEW.unsigned_abs()) && apart <= MAX_SKEW.unsigned_abs()
        })
    }

    /// Waits until there may be something to send.
    pub(crate) async fn post_requested(&self) {
        self.post_wanted.notified().await;
    }

    /// Cancelled when the process is to stop: from then on no change starts.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Whether Inactive keys of unknown origin are to be listed: while the pause of a new or restored data_dir
    /// lasts, which alone is keysweep's own.
    pub(crate) fn lists_inactive(&self) -> bool {
        self.store().read(|state| state.control().paused_by_keysweep())
    }

    /// What was read of the organization under the present configuration.
    pub(crate) fn organization(&self) -> Arc<OrganizationCache> {
        Arc::clone(&self.organization.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Decides something on the present state.
    pub(crate) fn with_context<R>(
        &self,
        policy: &Policy,
        decide: impl FnOnce(&keysweep_core::plan::Context<'_>) -> R,
    ) -> R {
        let now = self.clock.now();
        self.store().read(|state: &State| decide(&keysweep_core::plan::Context { now, policy, state }))
    }

    /// Decides on exactly the state that the entries will follow, and writes them: no other entry comes in between.
    ///
    /// # Errors
    /// What `decide` said instead of entries, or why they are not on disk.
    pub(crate) async fn decide<T, E>(
        &self,
        actor: &Actor,
        decide: impl FnMut(&State, Timestamp) -> Result<(Vec<Body>, T), E>,
    ) -> Result<(Vec<Receipt>, T), Undecided<E>> {
        self.ledger.decide(actor, Room::Common, decide).await
    }

    /// Writes what has happened, and counts it. What depends on the state is decided by `decide` instead.
    ///
    /// # Errors
    /// If it is not on disk.
    pub async fn record(&self, actor: &Actor, bodies: Vec<Body>) -> Result<Vec<Receipt>, AppendError> {
        self.ledger.record(actor, Room::Common, bodies).await
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Waits for what is being written, and lets go of data_dir.
    ///
    /// # Errors
    /// If the projection could not be written: the journal is whole all the same.
    pub async fn close(&self) -> Result<(), CloseError> {
        self.store().clone().close().await
    }
}

/// The configuration as the journal keeps it.
fn in_force(config: &Config) -> Configuration {
    config.effective.to_journal()
}

/// The pause of a journal that has seen no configuration which changes keys: nobody knows whether another one, with
/// holds and denials in it, came before.
fn introduction(config: &Config, state: &State) -> Option<Body> {
    let due = config.policy.changes_anything() && !state.control().introduced;
    due.then(|| Body::Paused {
        reason: "first start in a mode that changes keys: what was held, denied or paused before is not known here"
            .into(),
    })
}
