//! The daemon: configuration -> build -> run -> drain.
//!
//! Its tasks are owned and joined here: the sweeps, the messages, the approvals in Slack, the HTTP server, one or two sockets,
//! the backups, and what reloads. If one of them ends by itself the daemon ends, and says why.

mod backups;
mod introduction;
mod manager;
mod reloader;
mod signals;
mod status;
mod watch;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keysweep_core::policy::{Mode, Policy};
use keysweep_store::OpenOptions;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use self::backups::work as keep_backups;
use self::introduction::Introduction;
use self::reloader::Reloader;
use self::signals::{Signal, Signals};
use self::status::{Activity, Doing, status};
use self::watch::Watch;
use crate::causes::in_words;
use crate::clock::Clock;
use crate::config::{Config, Sources};
use crate::connect::Given;
use crate::engine::{Engine, EngineError};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::people::{Postman, slack};
use crate::reload::{self, Reloads};
use crate::serve::{Serving, serve_address, serve_shared_socket, serve_socket};
use crate::socket;
use crate::sweep::{SweepError, sweep, until_next};
use crate::tls::{Identity, IdentityError, Live};
use crate::trace::Idle;

/// Time from the first signal to the end: a call to AWS ends well within it. What is not settled by then is settled
/// by the next start.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);

/// Longest pause after a sweep that failed as a whole, in policy time.
const RETRY_WITHIN: Duration = Duration::from_secs(300);

/// What a daemon is built from.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// Where it came from, to load it again.
    pub sources: Sources,
    /// The clock.
    pub clock: Clock,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// An AWS that is given instead of found.
    pub given: Given,
    /// How the store is opened.
    pub open: OpenOptions,
}

/// Why a daemon did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// data_dir could not be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The address is taken or not ours.
    #[error("http.listen: {address} could not be bound")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Commands could not reach the daemon.
    #[error("listen at {}", path.display())]
    Socket {
        /// The socket in data_dir, or `http.socket`.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There is no certificate to serve with.
    #[error("http.tls")]
    Tls(#[from] IdentityError),
    /// Signals cannot be received.
    #[error("signal handlers could not be installed")]
    Signals(#[source] io::Error),
    /// A server ended by itself.
    #[error("{task} failed")]
    Task {
        /// Which.
        task: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A task ended that should not have.
    #[error("{0} ended by itself: a bug in keysweep")]
    Ended(&'static str),
    /// A second signal came, or draining took too long.
    #[error("stopped before everything was settled; the next start settles it")]
    Aborted,
}

/// A daemon that runs.
pub struct Daemon {
    engine: Arc<Engine>,
    health: Health,
    activity: Activity,
    reloads: Reloads,
    http: SocketAddr,
    tasks: JoinSet<(&'static str, io::Result<()>)>,
}

impl Daemon {
    /// Opens data_dir, binds what is to be bound, and starts the sweeps.
    ///
    /// # Errors
    /// If data_dir, the certificate or the address cannot be used.
    pub async fn start(parts: Parts) -> Result<Self, DaemonError> {
        let Parts { config, sources, clock, metrics, given, open } = parts;
        metrics.config.loaded(clock.now());
        let config = Arc::new(config);
        let identity = config.http.tls.as_ref().map(Identity::load).transpose()?;
        let tls = identity.map(|identity| Arc::new(Live::new(identity)));
        let address = config.http.listen;
        let listener =
            TcpListener::bind(address).await.map_err(|source| DaemonError::Listen { address, source })?;
        let http = listener.local_addr().map_err(|source| DaemonError::Listen { address, source })?;
        let (engine, opened) = Engine::open(Arc::clone(&config), clock, metrics, given, open).await?;
        if let Some(torn) = &opened.torn_tail {
            tracing::warn!(
                ?torn,
                "the journal ended in the middle of an entry, which was never acknowledged and is cut off"
            );
        }
        if let Some(why) = &opened.rebuilt {
            tracing::warn!(why = %why, "the state was built from the journal, and not from the records");
        }
        introduce(&engine, http, tls.as_deref());

        let (health, activity) = (Health::new(), Activity::default());
        let (reloads, requests) = reload::channel();
        let mut tasks = JoinSet::new();
        let stop = engine.stopping();
        let path = socket::path(&config.data_dir);
        let local =
            socket::bind(&path).await.map_err(|source| DaemonError::Socket { path: path.clone(), source })?;
        let serving = Serving::new(Arc::clone(&engine), health.clone(), reloads.clone());
        if let Some(path) = config.http.socket.clone() {
            let shared = socket::bind_shared(&path).await;
            let shared = shared.map_err(|source| DaemonError::Socket { path: path.clone(), source })?;
            let (served, stopped) = (serving.clone(), stop.clone());
            tasks.spawn(async move {
                ("shared socket", serve_shared_socket(shared, &path, served, stopped).await)
            });
        }
        let (served, certificate, stopped) = (serving.clone(), tls.clone(), stop.clone());
        tasks.spawn(
            async move { ("http server", serve_address(listener, served, certificate, stopped).await) },
        );
        let stopped = stop.clone();
        tasks.spawn(async move { ("socket", serve_socket(local, &path, serving, stopped).await) });
        let worker =
            Worker { engine: Arc::clone(&engine), health: health.clone(), activity: activity.clone() };
        let reloader = Reloader::new(&worker, sources, http, tls);
        tasks.spawn(async move {
            worker.work().await;
            ("sweeps", Ok(()))
        });
        let kept = Arc::clone(&engine);
        tasks.spawn(async move {
            keep_backups(&kept).await;
            ("backups", Ok(()))
        });
        let posting = Arc::clone(&engine);
        tasks.spawn(async move {
            Postman::default().work(&posting).await;
            ("messages", Ok(()))
        });
        let answering = Arc::clone(&engine);
        tasks.spawn(async move {
            slack::work(&answering).await;
            ("slack", Ok(()))
        });
        tasks.spawn(async move {
            reloader.run(requests, stop).await;
            ("reloads", Ok(()))
        });
        Ok(Self { engine, health, activity, reloads, http, tasks })
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Where metrics and page are.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// What it is doing, in one line.
    fn status(&self) -> String {
        status(&self.engine, &self.health, &self.activity)
    }

    /// Waits until a task ends by itself, which none should.
    pub async fn failed(&mut self) -> DaemonError {
        match self.tasks.join_next().await {
            Some(Ok((task, Err(source)))) => DaemonError::Task { task, source },
            Some(Ok((task, Ok(())))) => DaemonError::Ended(task),
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) | None => DaemonError::Ended("every task"),
        }
    }

    /// Has the configuration loaded again; on any mistake the old one stays. The log tells what came of it.
    pub fn reload(&self) {
        self.reloads.signal();
    }

    /// Stops: nothing new starts, what is under way ends within half a minute, the store is closed.
    ///
    /// # Errors
    /// [`DaemonError::Aborted`] if something did not end in time.
    pub async fn drain(mut self) -> Result<(), DaemonError> {
        self.health.draining();
        self.engine.stopping().cancel();
        let ended = timeout(DRAIN_WITHIN, async { while self.tasks.join_next().await.is_some() {} }).await;
        // What is dropped here left its intent open, and on disk.
        self.tasks.shutdown().await;
        if let Err(error) = self.engine.close().await {
            tracing::error!(error = %in_words(&error), "records were not written; the journal is whole");
        }
        ended.map_err(|_| DaemonError::Aborted)
    }
}

/// Runs until a signal ends it: the first drains, the second aborts. SIGHUP loads the configuration again.
///
/// # Errors
/// If it does not start, a task ends by itself, or it was aborted.
pub async fn run(parts: Parts) -> Result<(), DaemonError> {
    let mut signals = Signals::install().map_err(DaemonError::Signals)?;
    manager::starting(&format!("opening {}", parts.config.data_dir.display()));
    let mut daemon = Daemon::start(parts).await?;
    manager::ready(&daemon.status());
    let failure = loop {
        tokio::select! {
            error = daemon.failed() => break Some(error),
            signal = signals.next() => match signal {
                Signal::Reload => daemon.reload(),
                Signal::Stop => break None,
            },
        }
    };
    manager::stopping();
    match &failure {
        Some(error) => tracing::error!(error = %in_words(error), "stopping"),
        None => {
            tracing::info!("stopping: finishing operations in progress, within 30 s; another signal aborts")
        }
    }
    let drained = tokio::select! {
        drained = daemon.drain() => drained,
        () = signals.second_stop() => Err(DaemonError::Aborted),
    };
    failure.map_or(drained, Err)
}

/// What sweeps, and waits in between.
#[derive(Clone)]
struct Worker {
    engine: Arc<Engine>,
    health: Health,
    activity: Activity,
}

impl Worker {
    /// Until the engine stops.
    async fn work(&self) {
        let Self { engine, health, activity } = self;
        let stop = engine.stopping();
        let mut idle = Idle::default();
        loop {
            let started = engine.clock().instant();
            activity.set(Doing::Sweeping(engine.clock().operational()));
            health.sweeps_at(None);
            // Not dropped when keysweep stops: a sweep breaks off by itself, and not between a call and its outcome.
            let watch = Watch::new(engine.config().aws.operation_timeout);
            let failed = self.beating(Some(watch), one_sweep(engine, health)).await;
            if stop.is_cancelled() {
                return;
            }
            // A sweep that failed as a whole is tried again sooner than the interval says, and never at once.
            let pause = if failed {
                until_next(engine, Duration::ZERO).min(engine.clock().operational_span(RETRY_WITHIN))
            } else {
                let took = engine.clock().elapsed_since(started);
                mind_the_interval(engine, took);
                until_next(engine, took)
            };
            let until = engine.clock().operational().checked_add(pause).unwrap_or(Timestamp::MAX);
            activity.set(Doing::Waiting(until));
            health.sweeps_at(Some(engine.clock().after(pause)));
            let waiting = async {
                tokio::select! {
                    () = sleep(pause) => {}
                    () = engine.sweep_requested() => {}
                    // Nothing waits for it, and dropped it goes on next time.
                    () = async { idle.look(engine).await; pending().await } => {}
                }
            };
            // A wait ends by the same timers as the beats: there is nothing to watch.
            if stop.run_until_cancelled(self.beating(None, waiting)).await.is_none() {
                return;
            }
        }
    }

    /// Tells health and the service manager that the work loop moves, as long as `work` goes on, and as long as it
    /// gets on where there is a watch over it.
    async fn beating<T>(&self, mut watch: Option<Watch>, work: impl Future<Output = T>) -> T {
        let Self { engine, health, activity } = self;
        let mut work = std::pin::pin!(work);
        loop {
            let done = engine.metrics().progress();
            let gets_on = watch.as_mut().is_none_or(|watch| watch.gets_on(done));
            let words = status(engine, health, activity);
            if gets_on {
                health.beat(engine.clock().instant());
                manager::alive(&words);
            } else {
                manager::stuck(&words);
            }
            if let Some(watch) = watch.as_ref().filter(|watch| watch.just_stopped()) {
                let seconds = watch.silence().as_secs();
                tracing::error!(
                    seconds,
                    "the sweep has made no progress for too long; withholding watchdog keep-alives"
                );
            }
            engine.metrics().store.errors_so_far(engine.store().errors());
            if let Ok(done) = timeout(Health::BEAT, &mut work).await {
                return done;
            }
        }
    }
}

/// Warns of sweeps that take longer than their interval: then the interval says nothing any more, and grace may not
/// be counted.
fn mind_the_interval(engine: &Engine, took: Duration) {
    let interval = engine.clock().operational_span(engine.config().scan.interval);
    if took > interval {
        let (seconds, interval) = (took.as_secs_f64(), interval.as_secs_f64());
        tracing::warn!(seconds, interval, "a sweep took longer than scan.interval; make the interval longer");
    }
}

/// One sweep; whether it failed as a whole.
async fn one_sweep(engine: &Engine, health: &Health) -> bool {
    match sweep(engine).await {
        Ok(_) => {
            health.sweep_succeeded();
            false
        }
        Err(SweepError::Stopped) => false,
        Err(error) => {
            let why = in_words(&error);
            tracing::error!(why, "sweep failed");
            if matches!(error, SweepError::Append(keysweep_store::AppendError::Poisoned { .. })) {
                health.store_failed(why.clone());
            }
            health.sweep_failed(why);
            true
        }
    }
}

/// Logs what this daemon will do, and what keeps it from it; gives the same as text.
fn introduce(engine: &Engine, http: SocketAddr, tls: Option<&Live>) -> String {
    let config = engine.config();
    for warning in &config.warnings {
        tracing::warn!(%warning, "configuration");
    }
    let told = engine.store().read(|state| Introduction::of(&config, state, http, tls));
    told.log();
    let warnings: String = config.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    told.text() + &warnings
}

/// The most that any key may meet.
fn strongest_mode(config: &Config) -> Mode {
    let Policy { base, overrides, .. } = &config.policy;
    overrides.iter().filter_map(|rule| rule.terms.mode).fold(base.mode, Mode::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    async fn mk_worker(data_dir: &std::path::Path) -> Worker {
        let toml = format!("data_dir = {:?}", data_dir.display().to_string());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        let clock = Clock::system();
        let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
        let config = Arc::new(config::load(&sources, clock.now()).unwrap());
        let opening = Engine::open(config, clock, Metrics::new(), Given::default(), OpenOptions::default());
        let (engine, _) = opening.await.unwrap();
        Worker { engine, health: Health::new(), activity: Activity::default() }
    }

    /// Whether it still counts as healthy after so long in `work`.
    async fn is_healthy_after<T>(
        worker: &Worker,
        time: Duration,
        watch: Option<Watch>,
        work: impl Future<Output = T>,
    ) -> bool {
        assert!(timeout(time, worker.beating(watch, work)).await.is_err(), "the work ended");
        worker.health.unhealthy(worker.engine.clock().instant()).is_none()
    }

    #[tokio::test]
    async fn a_sweep_that_waits_for_what_never_comes_is_no_longer_healthy_and_a_slow_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let worker = mk_worker(folder.path()).await;
        tokio::time::pause();
        let day = Duration::from_secs(86_400);
        let watch = || Some(Watch::new(Duration::from_secs(30)));
        let slow = async {
            loop {
                sleep(Duration::from_secs(300)).await;
                worker.engine.metrics().store.written(1);
            }
        };
        assert!(is_healthy_after::<()>(&worker, day, watch(), slow).await);
        assert!(
            is_healthy_after(&worker, day, None, std::future::pending::<()>()).await,
            "between two sweeps"
        );
        let bound = Duration::from_secs(600 + 30) + Health::SILENCE;
        let stuck = || std::future::pending::<()>();
        assert!(is_healthy_after(&worker, bound - Health::BEAT, watch(), stuck()).await);
        assert!(!is_healthy_after(&worker, bound + Health::BEAT * 3, watch(), stuck()).await);
    }

    #[tokio::test]
    async fn reloads_in_a_row_let_a_sweep_end() {
        let folder = tempfile::tempdir().unwrap();
        let engine = mk_worker(folder.path()).await.engine;
        let began_under = engine.config();
        for _ in 0..3 {
            assert!(futures_util::poll!(std::pin::pin!(engine.sweep_had_its_turn())).is_ready());
            let config = Arc::new(Config::clone(&engine.config()));
            engine.replace_config(&keysweep_core::state::Actor::Keysweep, config).await.unwrap();
        }
        let mut turn = std::pin::pin!(engine.sweep_had_its_turn());
        assert!(futures_util::poll!(&mut turn).is_pending());
        engine.sweep_ended(&began_under, false);
        assert!(futures_util::poll!(&mut turn).is_pending(), "that one was overtaken too");
        engine.sweep_ended(&engine.config(), false);
        assert!(futures_util::poll!(&mut turn).is_ready());
    }
}
