//! One organization, one data_dir, and the processes that live and die with it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use keysweep_sim::KeySpec;
use rand::Rng;
use rand::SeedableRng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use rustix::process::Signal;
use tokio::task::JoinSet;

use super::evidence::{copied, in_words, opened};
use super::journal::Journal;
use super::moment::Moment;
use super::people::{Acknowledged, Ask, ask};
use super::wire::Wire;
use super::{Broken, Outcome, Setting};
use crate::history::Tally;
use crate::site::{Daemon, Site};

/// Deaths in one world: so many that keys go all the way over several lives.
const LIVES: u64 = 10;

/// Sweeps after which a life ends anyway, where its moment did not come.
const SWEEPS: usize = 6;

/// What is attached to users in quarantine.
pub(super) const POLICY: &str = "keysweep-quarantine-ask-security";

const ACCOUNTS: [&str; 3] = ["111122223333", "222233334444", "333344445555"];

/// As short as periods can be while two sightings still lie within two intervals.
const SETTINGS: &str = r#"
[scan]
interval = "1s"
source = "live"
[policy]
mode = "delete"
notice = "100ms"
grace = "500ms"
hold_after_reactivation = "2s"
quarantine = "500ms"
[notices]
required = false
[limits]
deactivations_per_day = 100000
deletions_per_day = 100000
changes_per_account_per_day = 100000
surge_keys = 100000
failed_accounts = 1000
[dev]
allow_short_periods = true
"#;

/// Kills processes until `setting.kills` are dead, and holds those that follow to what they promised.
pub async fn kill_again_and_again(setting: Setting) -> Outcome {
    let (mut tally, mut broken) = (Tally::default(), Vec::new());
    let worlds = setting.kills.div_ceil(LIVES);
    for number in 0..worlds {
        let seed = setting.seed + number;
        let mut world = World::new(seed, setting).await;
        let lives = LIVES.min(setting.kills - number * LIVES);
        if let Err(what) = world.live(lives).await {
            broken.push(Broken { seed, life: world.life, what });
        }
        world.count();
        tally.merge(&world.tally);
    }
    (tally, broken)
}

pub(super) struct World {
    pub(super) site: Site,
    pub(super) wire: Arc<Wire>,
    rng: ChaCha8Rng,
    pub(super) setting: Setting,
    /// The journal as it was when the process before died.
    pub(super) before: Journal,
    pub(super) acknowledged: Vec<Acknowledged>,
    resumed: bool,
    pub(super) life: u64,
    pub(super) keys: Vec<String>,
    /// Whose they are.
    pub(super) users: BTreeMap<String, User>,
    /// A change was lost on its way: the next process reads for a minute.
    pub(super) reads_for_a_minute: bool,
    pub(super) tally: Tally,
}

/// A user; no other in the organization has its name.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) account: String,
    pub(super) name: String,
}

/// What a life came to.
#[derive(Default)]
struct Lived {
    acknowledged: Vec<Acknowledged>,
    sweeps: usize,
    /// It came to its moment by itself.
    timely: bool,
}

impl World {
    async fn new(seed: u64, setting: Setting) -> Self {
        let site = Site::new(SETTINGS).await;
        for account in ACCOUNTS {
            site.account(account);
        }
        site.sim.ship_policy(POLICY);
        let wire = Arc::new(Wire::new(site.data_dir()));
        site.sim.watch(Arc::clone(&wire) as _);
        Self {
            site,
            wire,
            rng: ChaCha8Rng::seed_from_u64(seed),
            setting,
            before: Journal::default(),
            acknowledged: Vec::new(),
            resumed: false,
            life: 0,
            keys: Vec::new(),
            users: BTreeMap::new(),
            reads_for_a_minute: false,
            tally: Tally::default(),
        }
    }

    async fn live(&mut self, lives: u64) -> Result<(), String> {
        for _ in 0..lives {
            self.one_life().await?;
            self.life += 1;
        }
        self.last_life().await
    }

    /// Starts a process, kills it, and looks at what it left.
    async fn one_life(&mut self) -> Result<(), String> {
        self.hire();
        if self.life > 0 && self.rng.random_bool(0.15) {
            // They can be thrown away at any time.
            fs::remove_dir_all(self.site.data_dir().join("records")).map_err(in_words)?;
            self.tally.add("records thrown away");
        }
        let mut moment = Moment::draw(&mut self.rng, self.setting.leave_open);
        if std::mem::take(&mut self.reads_for_a_minute) {
            moment = Moment::Settled;
        }
        let mut daemon = self.site.daemon();
        self.tally.add(if self.life == 0 { "first starts" } else { "restarts after a crash" });
        let lived = self.until(&mut daemon, moment).await;
        let killed_at = self.wire.disarm();
        let (status, log) = daemon.ends().await;
        let told = |what: String| format!("{what}\n{}", last_of(&log));
        if status.signal() != Some(Signal::KILL.as_raw()) {
            return Err(told(format!("the daemon ended by itself with {status}")));
        }
        self.tally.add("kills");
        if lived.timely {
            self.tally.add(&moment.to_string());
        } else {
            self.tally.add("kill, after sweeps enough");
        }
        self.tally.add_many("sweeps", as_u64(lived.sweeps));
        self.tally.add_many("operators' requests acknowledged", as_u64(lived.acknowledged.len()));
        self.resumed |= lived.acknowledged.iter().any(|a| matches!(a, Acknowledged::Kind { .. }));
        self.acknowledged.extend(lived.acknowledged);
        self.look(&log, moment, killed_at).await.map_err(told)
    }

    /// New users with keys that nobody needs.
    fn hire(&mut self) {
        let (now, day) = (self.site.sim.now(), SignedDuration::from_hours(24));
        for number in 0..self.rng.random_range(2..=4) {
            let account = ACCOUNTS.choose(&mut self.rng).copied().unwrap_or_default();
            let key = KeySpec::new().created(now - day * 400).used(now - day * 200, "s3", "us-east-1");
            let name = format!("svc-{}-{number}", self.life);
            for key in self.site.sim.user(account, name.as_str()).key(key).add().keys {
                self.wire.knows(&name, &key);
                let user = User { account: account.to_owned(), name: name.clone() };
                self.users.insert(key.clone(), user);
                self.keys.push(key);
            }
        }
    }

    /// Lets a process live until its moment, or until it has swept often enough. It is dead, or dying, afterwards.
    async fn until(&mut self, daemon: &mut Daemon, moment: Moment) -> Lived {
        let (pid, mut lived) = (daemon.pid(), Lived::default());
        if let Moment::Call(trigger) = moment {
            self.wire.arm(trigger, pid);
        }
        let (mut asking, mut lines, mut killed) = (JoinSet::new(), 0, false);
        let grown = grown(self.site.data_dir(), moment);
        tokio::pin!(grown);
        loop {
            let line = tokio::select! {
                line = daemon.next_line() => line,
                () = &mut grown, if !killed => {
                    daemon.signal(Signal::KILL);
                    (killed, lived.timely) = (true, true);
                    continue;
                }
            };
            let Some(line) = line else { break };
            lines += 1;
            let swept = line.contains("sweep finished");
            lived.sweeps += usize::from(swept);
            // Between sweeps too, and while changes are under way.
            if swept || (self.resumed && self.rng.random_bool(0.1)) {
                self.ask_something(&mut asking);
            }
            let settled = matches!(moment, Moment::Settled) && line.contains("open intent");
            if !killed && (settled || matches!(moment, Moment::Lines(nth) if lines >= nth)) {
                daemon.signal(Signal::KILL);
                (killed, lived.timely) = (true, true);
            } else if !killed && lived.sweeps >= SWEEPS {
                daemon.signal(Signal::KILL);
                killed = true;
            }
        }
        // Dead by itself, or at a call: which of the two, its exit status tells.
        lived.timely |= !killed;
        while let Some(answer) = asking.join_next().await {
            lived.acknowledged.extend(answer.ok().flatten());
        }
        lived
    }

    fn ask_something(&mut self, asking: &mut JoinSet<Option<Acknowledged>>) {
        let reason = format!("reason {}", self.rng.random::<u32>());
        let recent = self.keys.len().saturating_sub(12);
        let some_key = self.keys.get(recent..).and_then(|keys| keys.choose(&mut self.rng));
        let inactive = |key: &&String| self.site.sim.key_status(key).as_deref() == Some("Inactive");
        let an_inactive_key = self.keys.iter().rev().find(inactive);
        let what = match (self.resumed, self.rng.random_range(0..3)) {
            (false, _) => Some(Ask::Resume),
            (true, 0) => some_key.cloned().map(Ask::Hold),
            (true, 1) => some_key.cloned().map(Ask::Release),
            (true, _) => an_inactive_key.cloned().map(Ask::Undo),
        };
        if let Some(what) = what {
            asking.spawn(ask(self.site.data_dir(), what, reason));
        }
    }

    /// Lets a last process settle everything, and compares what it believes with what is true.
    async fn last_life(&mut self) -> Result<(), String> {
        let mut daemon = self.site.daemon();
        self.tally.add("restarts after a crash");
        for _ in 0..2 {
            daemon.says("sweep finished").await;
        }
        daemon.signal(Signal::TERM);
        let (status, log) = daemon.ends().await;
        let told = |what: String| format!("in the end, {what}\n{}", last_of(&log));
        if !status.success() {
            return Err(told(format!("the daemon ended with {status}")));
        }
        self.look(&log, Moment::Settled, None).await.map_err(told)?;
        for (key, action) in self.before.open_intents() {
            if !self.may_stay_open(key, action) {
                return Err(told(format!("P5: the intent to {action} {key} was never settled")));
            }
        }
        let left = copied(&self.site.data_dir())?;
        let (state, _) = opened(left.path()).await?;
        self.compare(&state).map_err(told)
    }

    /// Counts what happened in this world.
    fn count(&mut self) {
        let changes: Vec<_> = self.by_keysweep().collect();
        for (_, action) in changes {
            self.tally.add(&format!("change {action}"));
        }
        self.tally.add_many("changes sent", as_u64(self.wire.changes()));
        self.tally.add_many("calls", self.site.sim.total_calls());
        for name in self.before.names() {
            self.tally.add(&format!("event {name}"));
        }
    }
}

/// Returns once the journal has grown as `moment` says; never where it says nothing.
async fn grown(data_dir: std::path::PathBuf, moment: Moment) {
    let Moment::Grown(bytes) = moment else { return std::future::pending().await };
    let file = data_dir.join("journal/00000000000000000001.jsonl");
    let length = || fs::metadata(&file).map_or(0, |metadata| metadata.len());
    let from = length();
    while length() < from + bytes {
        // Nobody tells that a file has grown: it is looked at again.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn last_of(log: &[String]) -> String {
    log.get(log.len().saturating_sub(25)..).unwrap_or_default().join("\n")
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
