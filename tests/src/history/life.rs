//! The life of one process: it opens data_dir, sweeps day by day, and stops or dies.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use keysweep::access::Caller;
use keysweep::clock::Clock;
use keysweep::engine::Engine;
use keysweep::metrics::Metrics;
use keysweep::operator::act;
use keysweep::people::Postman;
use keysweep::sweep::sweep;
use keysweep_api::Pause;
use keysweep_sim::{Fault, Rule};
use keysweep_store::{Jobs, OpenOptions};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tokio::time::{sleep, timeout};

use super::disk::Fuse;
use super::oracle::CallFuse;
use super::{DAY, Shared, answers, operators, owners, people, weather};

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was stopped, and closed what it had open.
    Stopped,
    /// It died where it stood.
    Died,
}

/// A sweep of a few dozen accounts ends within hours even if everything hangs.
const SWEEP_ENDS_WITHIN: Duration = Duration::from_secs(6 * 3600);

/// Small, so that histories see new segments begin.
const SEGMENT_BYTES: u64 = 48 * 1024;

/// Lives until the process stops or dies, or the history ends.
pub(super) async fn live(shared: &mut Shared) -> Ended {
    shared.time.begin_life();
    let ended = lived(shared).await;
    shared.time.end_life();
    ended
}

async fn lived(shared: &mut Shared) -> Ended {
    shared.oracle.life_began();
    let Some(engine) = open(shared).await else { return Ended::Died };
    after_opening(shared, &engine).await;
    // A daemon looks as soon as it is up.
    let mut first = shared.rng(9);
    prepare(shared, &mut first);
    if shared.day < shared.setting.days && sweep_once(shared, &engine, &mut first).await {
        return Ended::Died;
    }
    let mut postman = Postman::default();
    if post(shared, &engine, &mut postman, &mut first).await {
        return Ended::Died;
    }
    loop {
        if shared.day >= shared.setting.days || shared.oracle.breach().is_some() {
            return stop(&engine).await;
        }
        let mut rng = shared.rng(1);
        shared.day += 1;
        let died = day(shared, &engine, &mut postman, &mut rng).await;
        if died {
            return Ended::Died;
        }
        // Who mends the clock often starts the machine anew.
        if rng.random_bool(if shared.time.off().is_zero() { 0.06 } else { 0.4 }) {
            shared.oracle.count("stop");
            return stop(&engine).await;
        }
    }
}

/// Opens data_dir; `None` if the process died over it.
async fn open(shared: &mut Shared) -> Option<Arc<Engine>> {
    let mut rng = shared.rng(2);
    let config = shared.configuration(&shared.oracle.rules());
    let time = shared.time.clone();
    let run = shared.setting.seed.wrapping_mul(1_000_000) + shared.lives;
    let clock = Clock::told(run, move || time.wall());
    // Here too a process may die: while it opens what another left.
    if shared.lives > 0 && rng.random_bool(0.1) {
        shared.disk.fuse(Some(Fuse { operations: rng.random_range(0..6), part: rng.random() }));
    }
    let options = OpenOptions {
        segment_bytes: SEGMENT_BYTES,
        files: Arc::new(shared.disk.clone()),
        jobs: Jobs::InTurn,
        ..OpenOptions::default()
    };
    let opened = Engine::open(Arc::new(config), clock, Metrics::new(), shared.given(), options).await;
    match opened {
        Ok((engine, opened)) => {
            if opened.torn_tail.is_some() {
                shared.oracle.count("torn tail cut off");
            }
            if opened.rebuilt.is_some() {
                shared.oracle.count("records rebuilt");
            }
            shared.disk.fuse(None);
            shared.oracle.read_whole_journal(&shared.data_dir().join("journal"));
            Some(engine)
        }
        Err(error) if shared.death.is_dead() => {
            shared.tell(&format!("dies while opening: {error:?}"));
            shared.oracle.count("crash while opening");
            None
        }
        Err(error) => {
            shared.oracle.broken("P10", format!("data_dir does not open: {error:?}"));
            None
        }
    }
}

/// A new or restored data_dir waits for an operator.
async fn after_opening(shared: &mut Shared, engine: &Engine) {
    let paused = engine.store().read(|state| !state.control().pauses.is_empty());
    if std::mem::take(&mut shared.data_dir_is_new) && shared.oracle.rules().changes_anything() && !paused {
        shared.oracle.broken("P10", "a new data_dir is not paused".into());
    }
    if paused && shared.lives > 0 {
        // A journal that has only seen configurations that change nothing, under one that does.
        shared.oracle.paused(true);
    }
    if !shared.oracle.is_paused() {
        // The very first life, or any other with a data_dir that is not new.
        if shared.lives == 0 {
            operators::resume(shared, engine).await;
        }
        return;
    }
    if !paused {
        // Put back by hand: nobody but the operator knows.
        let pause = Pause { reason: "an old copy was put back".into() };
        let _ = act(engine, &Caller::unrestricted(operators::alice()), pause).await;
    }
}

async fn stop(engine: &Arc<Engine>) -> Ended {
    engine.stopping().cancel();
    // A projection that cannot be written is made again: the journal is whole.
    let _ = engine.close().await;
    Ended::Stopped
}

/// One day and its sweeps; whether the process died.
async fn day(shared: &mut Shared, engine: &Arc<Engine>, postman: &mut Postman, rng: &mut ChaCha8Rng) -> bool {
    let interval = shared.oracle.rules().interval();
    let sweeps = if interval < SignedDuration::from_hours(24) { 2 } else { 1 };
    let started = tokio::time::Instant::now();
    for n in 1..=sweeps {
        let from = started + DAY * (n - 1) / sweeps;
        let to = started + DAY * n / sweeps;
        let mut moments: Vec<u64> = (0..rng.random_range(0..4)).map(|_| rng.random_range(0..1000)).collect();
        moments.sort_unstable();
        for moment in moments {
            let at = from + (to - from) * u32::try_from(moment).unwrap_or(0) / 1000;
            tokio::time::sleep_until(at).await;
            // The people of the quiet hours are not crashed into; those beside a sweep are.
            if rng.random_bool(0.7) {
                owners::owner(shared, rng)
            } else {
                operators::operator(shared, engine, rng).await
            }
        }
        tokio::time::sleep_until(to).await;
        let mut today = shared.rng(3 + u64::from(n));
        let mut visitors = shared.rng(20 + u64::from(n));
        if visitors.random_bool(0.5) {
            owners::of_quarantined(shared, &mut visitors);
        }
        if visitors.random_bool(0.1) {
            operators::end_quarantine(shared, engine, &mut visitors).await;
        }
        if shared.oracle.rules().mail && visitors.random_bool(0.6) {
            answers::click(shared, engine, &mut visitors).await;
        }
        people::visit(shared, engine, &mut shared.rng(30 + u64::from(n))).await;
        prepare(shared, &mut today);
        if sweep_once(shared, engine, &mut today).await || post(shared, engine, postman, &mut today).await {
            return true;
        }
    }
    false
}

/// Sends what is to be sent, over some hours; whether the process died.
async fn post(
    shared: &mut Shared,
    engine: &Arc<Engine>,
    postman: &mut Postman,
    rng: &mut ChaCha8Rng,
) -> bool {
    let death = shared.death.clone();
    for _ in 0..rng.random_range(1..4) {
        let died = tokio::select! {
            biased;
            () = death.wait() => true,
            () = postman.round(engine) => false,
        };
        shared.oracle.read_journal();
        if died {
            shared.tell("dies while it sends messages");
            return true;
        }
        sleep(Duration::from_secs(rng.random_range(30..4000))).await;
    }
    false
}

/// Weather, clock and fuses of a sweep.
fn prepare(shared: &mut Shared, rng: &mut ChaCha8Rng) {
    weather::change(&shared.sim, rng, &shared.accounts, &mut shared.spell);
    if rng.random_bool(0.05) {
        let seconds = match rng.random_range(0..4) {
            0 => rng.random_range(-200..200),
            // Somebody mistook the time zone.
            1 | 2 => 3600 * rng.random_range(-12..15),
            _ => rng.random_range(-200_000..400_000),
        };
        shared.time.set_off(SignedDuration::from_secs(seconds));
        shared.oracle.count("clock jumps");
    } else if !shared.time.off().is_zero() && rng.random_bool(0.3) {
        shared.time.set_off(SignedDuration::ZERO);
        shared.oracle.count("clock jumps");
    }
    // Every fifth machine is one that somebody shuts in the evening.
    let sleeps = if shared.setting.seed.is_multiple_of(5) { 0.5 } else { 0.02 };
    if rng.random_bool(sleeps) {
        shared.time.sleep(SignedDuration::from_hours(rng.random_range(1..30)));
        shared.oracle.count("the machine sleeps");
    }
    match rng.random_range(0..30) {
        0 | 1 => {
            let calls = rng.random_range(0..150);
            shared.oracle.fuse(Some(CallFuse { calls, carried_out: rng.random_bool(0.5) }));
        }
        2 => {
            let fuse = Fuse { operations: rng.random_range(0..30), part: rng.random() };
            shared.disk.fuse(Some(fuse));
        }
        3 if rng.random_bool(0.5) => {
            shared.disk.fill(true);
            shared.disk_is_full = true;
            shared.oracle.count("disk full");
        }
        _ => {}
    }
}

/// Who does something at the very moment at which a change is on its way.
#[derive(Debug, Clone, Copy)]
enum Meddler {
    /// An operator pauses.
    Pauses,
    /// An operator takes back the right to change keys, and gives it again.
    Reloads,
    /// The owners of all due keys tag their users.
    Objects,
    /// The key's owner deactivates it, too.
    DoesTheSame,
}

impl Meddler {
    fn perhaps(rng: &mut ChaCha8Rng) -> Option<Self> {
        match rng.random_range(0..100) {
            0..6 => Some(Self::Pauses),
            6..10 => Some(Self::Reloads),
            10..16 => Some(Self::Objects),
            16..20 => Some(Self::DoesTheSame),
            _ => None,
        }
    }

    /// What keeps the change on its way for long enough.
    fn gains_time(self, rng: &mut ChaCha8Rng) -> Rule {
        let slow = Fault::Delay(Duration::from_secs(rng.random_range(2..9)));
        let fault = match (self, rng.random_range(0..4)) {
            (Self::DoesTheSame, 0) => Fault::Hang,
            (Self::DoesTheSame, 1) => Fault::ResetBefore,
            _ => slow,
        };
        Rule::new(fault).action("iam:*AccessKey")
    }
}

/// Acts as soon as a change is on its way, if one comes within the next minutes.
async fn meddle(meddler: Meddler, shared: &mut Shared, engine: &Arc<Engine>, rng: &mut ChaCha8Rng) {
    for _ in 0..3000 {
        let Some(key) = shared.oracle.changing() else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        match meddler {
            Meddler::Pauses => {
                if operators::pause(shared, engine).await {
                    shared.oracle.count("operator pauses a change in flight");
                }
            }
            Meddler::Reloads => operators::to_and_fro(shared, engine, rng).await,
            Meddler::Objects => owners::object(shared, engine),
            Meddler::DoesTheSame => {
                sleep(Duration::from_secs(rng.random_range(0..120))).await;
                owners::do_the_same(shared, &key);
            }
        }
        return;
    }
}

/// One sweep, perhaps with an operator beside it; whether the process died.
async fn sweep_once(shared: &mut Shared, engine: &Arc<Engine>, rng: &mut ChaCha8Rng) -> bool {
    let death = shared.death.clone();
    let full = shared.disk_is_full;
    let meddler = Meddler::perhaps(rng);
    if let Some(meddler) = meddler {
        shared.sim.fault(meddler.gains_time(rng));
    }
    let mut visitors = shared.rng(40);
    let beside = if rng.random_bool(0.4) { rng.random_range(1..4) } else { 0 };
    let swept = {
        let operator = async {
            if let Some(meddler) = meddler {
                meddle(meddler, shared, engine, rng).await;
            }
            for _ in 0..beside {
                sleep(Duration::from_millis(rng.random_range(0..1500))).await;
                if rng.random_bool(0.5) {
                    owners::owner(shared, rng);
                } else {
                    operators::operator(shared, engine, rng).await;
                }
                if visitors.random_bool(0.3) {
                    people::somebody(shared, engine, &mut visitors).await;
                }
            }
        };
        let both = async { tokio::join!(timeout(SWEEP_ENDS_WITHIN, sweep(engine)), operator).0 };
        tokio::select! {
            biased;
            () = death.wait() => None,
            swept = both => Some(swept),
        }
    };
    let Some(swept) = swept else {
        // A process that is dead asks for nothing more.
        shared.oracle.ordered(None);
        shared.oracle.read_journal();
        shared.oracle.settle();
        shared.oracle.count("crash in a sweep");
        shared.tell("dies in a sweep");
        return true;
    };
    shared.oracle.fuse(None);
    shared.disk.fuse(None);
    shared.oracle.read_journal();
    operators::look_at_unclear(shared, engine).await;
    shared.oracle.settle();
    match swept {
        Err(_) => shared.oracle.broken("P11", "a sweep did not end within six hours".into()),
        Ok(Ok(swept)) => {
            shared.oracle.count("sweep");
            shared.tell(&format!("{swept:?}"));
        }
        Ok(Err(error)) => {
            shared.oracle.count("sweep that failed as a whole");
            shared.tell(&format!("{error:?}"));
        }
    }
    if full {
        // The journal takes nothing more from this process: it is started again where there is room.
        shared.oracle.count("restart after a full disk");
        return true;
    }
    false
}
