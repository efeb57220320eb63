//! Histories: the real engine (real SDK clients, real journal and records on disk) through months of simulated time
//! against the simulator, with people, faults and crashes that follow from one seed, judged by an oracle that sees
//! it from outside only.
//!
//! A seed is a history: the same seed gives the same one, up to the day on which it first breaks a promise.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    reason = "a history that cannot be set up fails"
)]

mod answers;
mod cast;
mod damage;
mod death;
mod decisions;
mod disk;
mod life;
mod mailbox;
mod operators;
mod oracle;
mod organization;
mod owners;
mod people;
mod rules;
mod tally;
mod time;
mod weather;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep::config::{self, Config, Sources};
use keysweep::connect::Given;
use keysweep_api::RequestRef;
use keysweep_aws::StaticCredentials;
use keysweep_core::ticket::Planned;
use keysweep_sim::Sim;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use self::death::Death;
use self::disk::PowerDisk;
use self::life::Ended;
use self::mailbox::Mailbox;
pub use self::oracle::Breach;
use self::oracle::Oracle;
use self::organization::{EXEMPT_OU, EXTERNAL_ID, populate, settings};
use self::rules::Rules;
pub use self::tally::Tally;
use self::time::TrueTime;

/// When every history begins.
const BEGIN: &str = "2026-01-01T00:00:00Z";

/// data_dir, in the folder of a history.
const DATA_DIR: &str = "data";

/// What a history is made of.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Everything follows from it.
    pub seed: u64,
    /// How many days it goes on.
    pub days: u32,
    /// The organization has 5 to so many accounts.
    pub most_accounts: usize,
    /// Whether every day is told on stderr.
    pub tell: bool,
}

/// A history in which a promise was broken.
#[derive(Debug, Clone)]
pub struct Broken {
    /// What it was made of.
    pub setting: Setting,
    /// The day on which it was broken: a history of so many days shows it.
    pub day: u32,
    /// Which promise, and how.
    pub breach: Breach,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { seed, most_accounts, .. } = self.setting;
        let Breach { promise, what } = &self.breach;
        write!(
            f,
            "{promise} broken on day {}: {what}\nreplay: cargo xtask soak --first-seed {seed} --seeds 1 --days {} \
             --accounts {most_accounts} --tell",
            self.day, self.day
        )
    }
}

/// What outlives the processes of a history.
pub(crate) struct Shared {
    setting: Setting,
    sim: Sim,
    time: TrueTime,
    oracle: Oracle,
    disk: PowerDisk,
    death: Death,
    accounts: Vec<String>,
    folder: TempDir,
    mailbox: Mailbox,
    /// A copy of data_dir, and the day on which it was made.
    backup: Option<(TempDir, u32)>,
    disk_is_full: bool,
    /// Whether the next process finds no data_dir.
    data_dir_is_new: bool,
    spell: Option<weather::Spell>,
    day: u32,
    lives: u64,
    /// Requests for approval that operators saw, by key: some answer late.
    shown: BTreeMap<String, (Planned, RequestRef)>,
}

/// What a history leaves behind: two runs of one seed leave the same, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// The journal as it is on disk at the end, segment after segment.
    pub journal: String,
    /// Every change that AWS saw, in order.
    pub ledger: String,
}

/// Lives through a history; what happened in it, or the first promise that was broken.
///
/// # Panics
/// If a temporary directory or a runtime cannot be made, or keysweep does not open a data_dir that it wrote.
pub fn run(setting: Setting) -> Result<Tally, Box<Broken>> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let shared = to_the_end(setting, &format!("run-{number}"))?;
    let mut tally = shared.oracle.tally();
    for (kind, count) in shared.sim.fault_counts() {
        tally.add_many(&format!("fault {kind:?}"), count);
    }
    tally.add_many("days", u64::from(setting.days));
    tally.add_many("calls", shared.sim.total_calls());
    tally.add_many("missed uses", u64::try_from(shared.sim.missed_uses().len()).unwrap_or(u64::MAX));
    Ok(tally)
}

/// Lives through a history and returns what it leaves behind.
///
/// # Panics
/// As [`run`].
pub fn remains(setting: Setting) -> Result<Remains, Box<Broken>> {
    // The journal names data_dir, so both runs of a seed use the same folder, which no other history uses.
    let shared = to_the_end(setting, &format!("remains-{}", setting.seed))?;
    let ledger = shared.sim.changes().iter().map(|change| format!("{change:?}\n")).collect();
    Ok(Remains { journal: shared.journal_lines().collect::<Vec<_>>().join("\n"), ledger })
}

fn to_the_end(setting: Setting, folder: &str) -> Result<Shared, Box<Broken>> {
    // The SDK's jitter is of the thread.
    fastrand::seed(setting.seed);
    let mut shared = Shared::new(setting, folder);
    let mut downtime = ChaCha8Rng::seed_from_u64(setting.seed ^ 0xD0_0D);
    while shared.day < setting.days {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime is made");
        let ended = runtime.block_on(life::live(&mut shared));
        // Whatever of this process still runs is dropped where it waits.
        drop(runtime);
        if let Some(breach) = shared.oracle.breach() {
            shared.tell_story(&breach);
            return Err(Box::new(Broken { setting, day: shared.day, breach }));
        }
        shared.between_lives(ended, &mut downtime);
    }
    Ok(shared)
}

/// Lives through so many histories, from the seed of `setting` on, as many side by side as there are processors.
#[must_use]
pub fn live_through(setting: Setting, seeds: u64) -> (Tally, Vec<Broken>) {
    let ended = Mutex::new((Tally::default(), Vec::new()));
    each_seed(setting, seeds, |result| {
        let mut ended = ended.lock().expect("no history panicked");
        match result {
            Ok(tally) => ended.0.merge(&tally),
            Err(broken) => ended.1.push(*broken),
        }
        true
    });
    let (tally, mut broken) = ended.into_inner().expect("no history panicked");
    broken.sort_by_key(|broken| broken.setting.seed);
    (tally, broken)
}

/// Lives through at most so many histories until a promise is broken.
#[must_use]
pub fn first_broken(setting: Setting, seeds: u64) -> Option<Broken> {
    let first = Mutex::new(None::<Broken>);
    each_seed(setting, seeds, |result| {
        let Err(broken) = result else { return true };
        let mut first = first.lock().expect("no history panicked");
        if first.as_ref().is_none_or(|first| broken.setting.seed < first.setting.seed) {
            *first = Some(*broken);
        }
        false
    });
    first.into_inner().expect("no history panicked")
}

/// Runs one history after the other on each processor, until one of them says that it is enough.
fn each_seed(setting: Setting, seeds: u64, ended: impl Fn(Result<Tally, Box<Broken>>) -> bool + Sync) {
    let next = AtomicU64::new(setting.seed);
    let end = setting.seed + seeds;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    if !ended(run(Setting { seed, ..setting })) {
                        next.store(end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
}

impl Shared {
    fn new(setting: Setting, folder: &str) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(setting.seed);
        let time = TrueTime::at(BEGIN.parse::<Timestamp>().expect("a date"));
        let hand = time.clone();
        let sim = Sim::with_settings(Arc::new(move || hand.now()), settings(&mut rng));
        sim.seed_faults(setting.seed);
        let populated = populate(&sim, &mut rng, setting.most_accounts);
        let accounts: Vec<String> = populated.keys().cloned().collect();
        let rules = Rules::of_seed(&mut rng, &accounts, &sim.ou_id(EXEMPT_OU));
        let death = Death::default();
        let disk = PowerDisk::new(death.clone());
        // Memory, where there is such a file system: nothing here depends on a platter.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let name = format!("keysweep-history-{}-{folder}", std::process::id());
        let folder = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir_in(place);
        let folder = folder.expect("a temporary directory");
        std::fs::write(folder.path().join("external-id"), EXTERNAL_ID).expect("the external ID is written");
        let secret = format!("{:064}", setting.seed);
        std::fs::write(folder.path().join("link-secret"), secret).expect("the secret of links is written");
        let data_dir = folder.path().join(DATA_DIR);
        let oracle = Oracle::new(sim.clone(), time.clone(), death.clone(), disk.clone(), rules, &data_dir);
        for (account, exempt) in populated {
            oracle.moved(&account, exempt);
        }
        oracle.look();
        let mailbox = Mailbox::new(setting.seed, oracle.clone(), death.clone());
        Self {
            setting,
            sim,
            time,
            oracle,
            disk,
            death,
            accounts,
            folder,
            mailbox,
            backup: None,
            disk_is_full: false,
            data_dir_is_new: true,
            spell: None,
            day: 0,
            lives: 0,
            shown: BTreeMap::new(),
        }
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join(DATA_DIR)
    }

    /// The configuration as keysweep reads it.
    fn configuration(&self, rules: &Rules) -> Config {
        let file = self.folder.path().join("keysweep.toml");
        let (data_dir, external_id) = (self.data_dir(), self.folder.path().join("external-id"));
        let text = format!(
            "data_dir = \"{}\"\nrole.external_id_file = \"{}\"\n{}",
            data_dir.display(),
            external_id.display(),
            rules.to_toml(&self.folder.path().join("link-secret"))
        );
        std::fs::write(&file, text).expect("the configuration is written");
        let sources = Sources { file: Some(file), ..Sources::default() };
        config::load(&sources, self.time.wall()).expect("the configuration is valid")
    }

    fn given(&self) -> Given {
        let (id, secret, token) = self.sim.hub_credentials();
        Given {
            http: Some(self.sim.connector()),
            credentials: Some(StaticCredentials {
                access_key_id: id,
                secret_access_key: secret.into(),
                session_token: token.map(Into::into),
            }),
            endpoint: None,
            carrier: Some(Arc::new(self.mailbox.clone())),
            ..Given::default()
        }
    }

    /// A generator for one day and purpose, so that one part of a history does not shift the others.
    fn rng(&self, purpose: u64) -> ChaCha8Rng {
        let moment = (self.lives << 32) | (u64::from(self.day) << 8) | purpose;
        ChaCha8Rng::seed_from_u64(self.setting.seed.wrapping_mul(1_000_003) ^ moment)
    }

    fn tell(&self, what: &str) {
        if self.setting.tell {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "day {:>3} {} {what}", self.day, self.time.now());
        }
    }

    /// Everything about the keys that a breach names: what AWS saw, and what is in the journal.
    fn tell_story(&self, breach: &Breach) {
        for change in self.sim.changes() {
            if change.key_id.as_deref().is_some_and(|key| breach.what.contains(key)) {
                self.tell(&format!("{change:?}"));
            }
        }
        for line in self.journal_lines() {
            let of_key = line.split('"').any(|word| word.starts_with("AKIA") && breach.what.contains(word));
            if of_key && line.len() < 2000 {
                self.tell(&line);
            }
        }
    }

    /// Every line of the journal on disk, oldest first.
    fn journal_lines(&self) -> impl Iterator<Item = String> {
        let entries = std::fs::read_dir(self.data_dir().join("journal")).into_iter().flatten().flatten();
        let mut segments: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        segments.sort();
        segments
            .into_iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    /// What happens to the disk, and how much time passes, before the next process starts.
    fn between_lives(&mut self, ended: Ended, rng: &mut ChaCha8Rng) {
        let changes = self.oracle.rules().changes_anything();
        match ended {
            Ended::Died if rng.random_bool(0.4) => {
                self.oracle.count("crash with loss of power");
                self.tell("power is lost");
                self.disk.lose_power(rng.random()).expect("files are cut");
            }
            Ended::Died => {
                self.oracle.count("crash of the process");
                self.tell("the process is dead");
            }
            Ended::Stopped => {
                self.damage(rng);
                let what = rng.random_range(0..10);
                if what == 0 {
                    self.oracle.count("data_dir lost");
                    self.tell("data_dir is lost");
                    std::fs::remove_dir_all(self.data_dir()).expect("data_dir is removed");
                    self.oracle.memory_lost();
                    self.data_dir_is_new = true;
                    self.oracle.paused(changes);
                } else if what == 1 && self.backup.is_some() {
                    self.restore();
                } else if what <= 3 {
                    self.back_up();
                }
            }
        }
        // The records alone may be lost at any time: they are made again from the journal.
        if rng.random_bool(0.3) {
            let records = self.data_dir().join("records");
            if records.is_dir() {
                self.oracle.count("records lost");
                self.tell("records are lost");
                std::fs::remove_dir_all(records).expect("records are removed");
            }
        }
        self.disk.reborn();
        self.death.reborn();
        self.disk_is_full = false;
        let hours = if rng.random_bool(0.2) { rng.random_range(24..120) } else { rng.random_range(0..6) };
        self.time.pass(SignedDuration::from_hours(hours));
        // A machine that starts asks what time it is.
        if rng.random_bool(0.7) {
            self.time.set_off(SignedDuration::ZERO);
        }
        self.lives += 1;
    }

    fn back_up(&mut self) {
        let Ok(copy) = tempfile::tempdir_in(self.folder.path()) else { return };
        if copy_all(&self.data_dir(), copy.path()).is_ok() {
            self.backup = Some((copy, self.day));
            self.oracle.count("backup made");
        }
    }

    /// An old copy is put back by hand: what came after it is forgotten, and the operator pauses for a while.
    fn restore(&mut self) {
        let Some((copy, day)) = self.backup.take() else { return };
        self.oracle.count("old backup restored");
        self.tell(&format!("the copy of day {day} is put back"));
        std::fs::remove_dir_all(self.data_dir()).expect("data_dir is removed");
        copy_all(copy.path(), &self.data_dir()).expect("the copy is put back");
        self.oracle.memory_lost();
        self.oracle.paused(true);
    }
}

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A day.
const DAY: Duration = Duration::from_secs(86_400);
