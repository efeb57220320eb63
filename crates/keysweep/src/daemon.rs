//! The daemon: configuration -> build -> run -> drain.
//!
//! Four tasks, each owned and joined here: the sweeps, the HTTP server, the socket, and what reloads. If one of them
//! ends by itself the daemon ends, and says why.

mod reloader;
mod signals;
mod words;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keysweep_store::OpenOptions;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::reloader::Reloader;
use self::signals::{Signal, Signals};
use self::words::introduce;
use crate::clock::Clock;
use crate::config::{Config, Sources};
use crate::connect::GivenAws;
use crate::engine::{Engine, EngineError};
use crate::http::{self, Health, Serving};
use crate::metrics::Metrics;
use crate::reload::{self, Reloads};
use crate::socket;
use crate::sweep::{SweepError, in_words, sweep, until_next};
use crate::tls::{Identity, IdentityError, Live};

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
    pub given: GivenAws,
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
        metrics.config_loaded(clock.now(), true);
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

        let health = Health::new();
        let (reloads, requests) = reload::channel();
        let mut tasks = JoinSet::new();
        let stop = engine.stopping();
        let socket_path = socket_path(&config);
        let serving = Serving {
            engine: Arc::clone(&engine),
            health: health.clone(),
            reloads: reloads.clone(),
            tls: tls.clone(),
        };
        let stopped = stop.clone();
        tasks.spawn(async move { ("http server", http::serve(listener, serving, stopped).await) });
        let served = (Arc::clone(&engine), stop.clone());
        tasks.spawn(async move { ("socket", socket::serve(&socket_path, served.0, served.1).await) });
        let worked = (Arc::clone(&engine), health.clone());
        tasks.spawn(async move {
            work(&worked.0, &worked.1).await;
            ("sweeps", Ok(()))
        });
        let reloader = Reloader::new(Arc::clone(&engine), sources, http, tls);
        tasks.spawn(async move {
            reloader.run(requests, stop).await;
            ("reloads", Ok(()))
        });
        Ok(Self { engine, health, reloads, http, tasks })
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
    let mut daemon = Daemon::start(parts).await?;
    notify(&[NotifyState::Ready]);
    let failure = loop {
        tokio::select! {
            error = daemon.failed() => break Some(error),
            signal = signals.next() => match signal {
                Signal::Reload => daemon.reload(),
                Signal::Stop => break None,
            },
        }
    };
    notify(&[NotifyState::Stopping]);
    match &failure {
        Some(error) => tracing::error!(error = %in_words(error), "stopping"),
        None => tracing::info!("stopping: what is under way ends within 30 s; another signal aborts"),
    }
    let drained = tokio::select! {
        drained = daemon.drain() => drained,
        () = signals.second_stop() => Err(DaemonError::Aborted),
    };
    failure.map_or(drained, Err)
}

/// Sweeps, and waits in between, until the engine stops.
async fn work(engine: &Engine, health: &Health) {
    let stop = engine.stopping();
    loop {
        // Not dropped when keysweep stops: a sweep breaks off by itself, and not between a call and its outcome.
        let started = engine.clock().instant();
        let failed = beating(engine, health, one_sweep(engine, health)).await;
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
        let waiting = async {
            tokio::select! {
                () = sleep(pause) => {}
                () = engine.sweep_requested() => {}
            }
        };
        if stop.run_until_cancelled(beating(engine, health, waiting)).await.is_none() {
            return;
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

/// Tells health and the service manager that the work loop moves, as long as `work` goes on.
async fn beating<T>(engine: &Engine, health: &Health, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        health.beat(engine.clock().instant());
        notify(&[NotifyState::Watchdog]);
        let errors = engine.store().errors();
        engine.metrics().store_errors_so_far(errors.read, errors.write);
        if let Ok(done) = timeout(Health::BEAT, &mut work).await {
            return done;
        }
    }
}

/// Where commands reach the daemon.
#[must_use]
pub fn socket_path(config: &Config) -> PathBuf {
    config.data_dir.join("keysweep.sock")
}

/// Tells the service manager; without one this does nothing.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "service manager not told");
    }
}
