//! `keysweep demo`: the daemon as it is, on a made-up organization in a box, with policy time sped up.
//!
//! Nothing here replaces a part of the daemon. The organization answers on a loopback socket in AWS's protocols, the
//! daemon gets a configuration, a data_dir and an endpoint, and this module only watches: it reads the journal, shows
//! it in plain words, and removes everything at the end. Operational time (timeouts, backoff, limiters, sessions) runs
//! as always.

mod calendar;
mod carrier;
mod chronicle;
mod closing;
mod lines;
mod mailbox;
mod marquee;
mod screen;
mod signals;
mod snapshot;
mod stage;
mod stories;
mod wall;
mod words;

use std::future::pending;
use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use keysweep_api::{Resume, Which};
use keysweep_core::state::{Actor, State};
use keysweep_sim::seed::Demo;
use keysweep_store::{OpenOptions, ReadError};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use self::calendar::Calendar;
use self::chronicle::Chronicle;
use self::lines::Lines;
use self::marquee::Marquee;
use self::screen::Screen;
use self::signals::Signals;
use self::snapshot::Snapshot;
use self::stage::Stage;
pub use self::wall::{Wall, WallMessage};
use self::words::Event;
use crate::access::Caller;
use crate::config::ConfigError;
use crate::config::period::Period;
use crate::daemon::{Daemon, DaemonError, Parts};
use crate::engine::Engine;
use crate::logging::LoggingError;
use crate::metrics::Metrics;
use crate::operator::act;

/// How often the journal is looked at: an eye takes it for at once.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The pause of a new data_dir is ended after this many sweeps, so that there is time to see it.
const SWEEPS_PAUSED: u64 = 2;

/// Where keysweep listens by default, so that what the documentation says works in the demo too.
const USUAL_PORT: u16 = 9853;

/// Ports that are tried: another program can take a free one before the daemon does.
const PORTS_TRIED: usize = 4;

/// Time for the store to be closed after a second signal, before its directory is removed under it.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// The options of `keysweep demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoOptions {
    /// Stop after this time, such as 60s [default: run until Ctrl-C]
    #[arg(long = "for", value_name = "LENGTH")]
    pub length: Option<Period>,
    /// Seed of the simulated organization: the same number gives the same organization
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Number of simulated days per minute
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub speed: u32,
}

/// Why the demo did not start, or ended otherwise than it should.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Signals cannot be received.
    #[error("signal handlers could not be installed")]
    Signals(#[source] io::Error),
    /// There is no place for its files.
    #[error("files of the demo could not be written to {}", path.display())]
    Files {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The organization cannot be served.
    #[error("the made-up organization could not be served on loopback")]
    Serve(#[source] io::Error),
    /// The demo's own configuration is wrong.
    #[error("the configuration of the demo was refused")]
    Config(#[from] ConfigError),
    /// There is no log.
    #[error("the log of the demo could not be set up")]
    Log(#[from] LoggingError),
    /// The daemon did not start, or failed.
    #[error("the daemon of the demo failed")]
    Daemon(#[from] DaemonError),
    /// The journal cannot be read.
    #[error("the journal of the demo could not be read")]
    Journal(#[from] ReadError),
    /// Reading the journal was interrupted.
    #[error("reading the journal of the demo was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
    /// The system has no random numbers to give.
    #[error("no token for the page of the demo")]
    Random(#[source] getrandom::Error),
    /// Standard output does not take any more.
    #[error("standard output could not be written")]
    Output(#[source] io::Error),
    /// A second signal came.
    #[error("aborted before the daemon had come to its end; everything is removed all the same")]
    Aborted,
    /// Something of it is left.
    #[error("{} could not be removed: remove it by hand", path.display())]
    Remove {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Runs the demo until a signal or the end of its time. The first signal drains, a second one aborts. Its directory
/// is removed in any case.
///
/// # Errors
/// If it does not start, if the daemon fails, if it was aborted, or if something could not be removed.
pub async fn run(options: DemoOptions) -> Result<(), DemoError> {
    let mut signals = Signals::install().map_err(DemoError::Signals)?;
    let stage = Stage::build(&options).await?;
    let metrics = Metrics::new();
    stage.log(&metrics)?;
    let begun = stage.clock.instant();
    let daemon = start(&stage, &metrics).await?;
    let marquee = Marquee::of(&stage, daemon.http_address());
    let mut play = Play {
        engine: Arc::clone(daemon.engine()),
        chronicle: Chronicle::new(daemon.engine().store().clone(), stage.calendar),
        demo: stage.demo.clone(),
        resumed: false,
    };
    let ended = play.watch(daemon, marquee, &mut signals, options.length).await;

    let ran = stage.clock.elapsed_since(begun);
    let Stage { folder, server, .. } = stage;
    server.shutdown().await;
    let path = folder.path().to_owned();
    folder.close().map_err(|source| DemoError::Remove { path: path.clone(), source })?;
    match ended {
        Ok(()) => {
            let mut text = closing::text(&play.snapshot(), &play.chronicle, &play.demo.sim, ran);
            text.push(closing::removed(&path));
            unless_closed(lines::print(&text).map_err(DemoError::Output))
        }
        error @ Err(_) => unless_closed(error),
    }
}

/// Starts the daemon, on another port where the usual one is taken.
async fn start(stage: &Stage, metrics: &Arc<Metrics>) -> Result<Daemon, DemoError> {
    let parts = |port| {
        stage.config(port).map(|(config, sources)| Parts {
            config,
            sources,
            clock: stage.clock.clone(),
            metrics: Arc::clone(metrics),
            given: stage.aws(),
            open: OpenOptions::default(),
        })
    };
    let mut port = USUAL_PORT;
    for _ in 0..PORTS_TRIED {
        match Daemon::start(parts(port)?).await {
            // Links in messages name the port, so it is chosen before the daemon starts.
            Err(DaemonError::Listen { .. }) => port = free_port().map_err(DemoError::Serve)?,
            started => return Ok(started?),
        }
    }
    Ok(Daemon::start(parts(port)?).await?)
}

/// A port of loopback that nothing listens on at this moment.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A demo that runs.
struct Play {
    engine: Arc<Engine>,
    chronicle: Chronicle,
    demo: Demo,
    /// Whether the pause of the new data_dir was dealt with.
    resumed: bool,
}

/// How the demo is shown.
enum Show {
    /// On a terminal.
    Screen(Screen),
    /// Anywhere else.
    Lines(Lines),
}

impl Play {
    /// Shows what happens until the end, and brings the daemon to its own.
    async fn watch(
        &mut self,
        mut daemon: Daemon,
        marquee: Marquee,
        signals: &mut Signals,
        length: Option<Period>,
    ) -> Result<(), DemoError> {
        let mut show = Show::begin(marquee, self.chronicle.calendar).map_err(DemoError::Output)?;
        let shown = self.until_the_end(&mut daemon, &mut show, signals, length).await;
        if let Show::Screen(screen) = &mut show {
            screen.ending();
            // It is only a word on the screen.
            let _ = screen.show(&[], &self.snapshot());
        }
        tokio::select! {
            drained = daemon.drain() => drained?,
            () = signals.next() => {
                // What the store does not finish in time is removed with it.
                let _ = timeout(CLOSE_WITHIN, self.engine.close()).await;
                return Err(DemoError::Aborted);
            }
        }
        // What happened while it ended belongs to the closing words.
        let events = self.chronicle.look().await?;
        shown?;
        show.show(&events, &self.snapshot()).map_err(DemoError::Output)
    }

    async fn until_the_end(
        &mut self,
        daemon: &mut Daemon,
        show: &mut Show,
        signals: &mut Signals,
        length: Option<Period>,
    ) -> Result<(), DemoError> {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut over = pin!(async {
            match length {
                Some(length) => sleep(length.get()).await,
                None => pending().await,
            }
        });
        loop {
            tokio::select! {
                _ = looks.tick() => {
                    let events = self.chronicle.look().await?;
                    show.show(&events, &self.snapshot()).map_err(DemoError::Output)?;
                    self.resume().await;
                }
                error = daemon.failed() => return Err(error.into()),
                () = signals.next() => return Ok(()),
                () = &mut over => return Ok(()),
            }
        }
    }

    /// Ends the pause with which every new data_dir starts, once, as an operator would.
    async fn resume(&mut self) {
        if self.resumed || self.chronicle.sweeps < SWEEPS_PAUSED {
            return;
        }
        self.resumed = true;
        let ours = |state: &State| {
            let ours = state.control().pauses.iter().find(|pause| pause.by.is_keysweep());
            ours.map(|pause| pause.number)
        };
        if let Some(number) = self.engine.store().read(ours) {
            let reason = "there is no older state to fear for".to_owned();
            // A refusal means that somebody else was quicker.
            let resume = Resume { which: Which::Number(number), reason };
            let _ = act(&self.engine, &Caller::unrestricted(Actor::local("demo")), resume).await;
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.engine, &self.chronicle, &self.demo)
    }
}

impl Show {
    fn begin(marquee: Marquee, calendar: Calendar) -> io::Result<Self> {
        if io::stdout().is_terminal() {
            Screen::begin(marquee, calendar).map(Self::Screen)
        } else {
            Lines::begin(marquee, calendar).map(Self::Lines)
        }
    }

    fn show(&mut self, events: &[Event], snapshot: &Snapshot) -> io::Result<()> {
        match self {
            Self::Screen(screen) => screen.show(events, snapshot),
            Self::Lines(lines) => lines.show(events, snapshot),
        }
    }
}

/// A reader that has seen enough and closed the pipe ends the demo; that is no error.
fn unless_closed(result: Result<(), DemoError>) -> Result<(), DemoError> {
    match result {
        Err(DemoError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
