//! Two accounts with keys that have everything that anybody could be shown: one account is in the scope of roles, and the
//! other is not.

use std::time::Duration;

use keysweep::access::Caller;
use keysweep::operator::act;
use keysweep_api::{Decide, Decision, GatherEvidence, Resume, Which};
use keysweep_core::lifecycle::State as KeyState;
use keysweep_core::state::Actor;
use keysweep_notify::FailureKind;
use tokio::time::sleep;

use crate::http::stage::{Running, Stage, within_minutes};

/// The account in scope.
pub(crate) const HOME: &str = "111122223333";

/// The account that nobody with a scope may learn anything about.
pub(crate) const AWAY: &str = "444455556666";

/// An organization, and a daemon that has swept it.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) running: Running,
    /// A key in scope, of dana@example.com.
    pub(crate) home: String,
    /// A key out of scope, of eve@example.com.
    pub(crate) away: String,
    /// Another key out of scope, which is exempt.
    pub(crate) exempt: String,
    /// A key in scope that keysweep protects by itself, of dana@example.com.
    pub(crate) mail: String,
}

/// Everything but what a test is about.
pub(crate) fn settings(stage: &Stage, http: &str, policy: &str, rest: &str) -> String {
    format!(
        r#"
{http}
role.external_id_file = {external_id:?}
scan.report_max_age = "24h"
[policy]
mode = "delete"
approval = "both"
{policy}
[[policy.exempt]]
match.users = ["legacy-payroll"]
reason = "ends with the payroll migration"
until = 2026-06-30
[owners]
sources = ["user_tags"]
allowed_domains = ["example.com"]
[notices]
notify = ["security@example.com"]
[notices.email]
host = "127.0.0.1"
security = "none"
from = "keysweep@example.com"
{rest}"#,
        external_id = stage.company().external_id(),
    )
}

impl World {
    /// A world with pending requests, whose daemon listens on `listen` with these settings. Call it in a test with paused
    /// time.
    pub(crate) async fn new(listen: &str, http: &str, policy: &str, rest: &str) -> Self {
        let world = Self::young(None, listen, http, policy, rest).await;
        world.age().await;
        world
    }

    /// A world whose owners have just been notified, or in which that fails.
    pub(crate) async fn young(
        fails: Option<FailureKind>,
        listen: &str,
        http: &str,
        policy: &str,
        rest: &str,
    ) -> Self {
        let stage = Stage::new();
        let company = stage.company();
        company.letters.fail(fails);
        let (home_account, away_account) = (company.account(HOME), company.account(AWAY));
        let user = |account: &str, name: &str, owner: &str| {
            let user = company.sim.user(account, name).key(company.used(200));
            user.tag("Owner", owner).add().keys.swap_remove(0)
        };
        let home = user(&home_account, "ci-deploy", "dana@example.com");
        let mail = user(&home_account, "ses-smtp-user.20240101-120000", "dana@example.com");
        let away = user(&away_account, "payroll-batch", "eve@example.com");
        let exempt = user(&away_account, "legacy-payroll", "eve@example.com");
        let running = stage.daemon(listen, &settings(&stage, http, policy, rest)).await;
        let world = Self { stage, running, home, away, exempt, mail };
        world.begin().await;
        world
    }

    /// Until there are messages about both accounts.
    async fn begin(&self) {
        let engine = self.running.daemon.engine();
        let swept = || async { engine.store().read(|state| state.control().last_sweep.is_some()) };
        assert!(within_minutes(swept).await);
        let resume = Resume { which: Which::All(1), reason: "the list is right".into() };
        self.decide(resume).await;
        let letters = &self.stage.company().letters;
        assert!(within_minutes(|| async { letters.tried() >= 2 }).await, "messages");
    }

    /// Until there are requests, holds, and evidence about both accounts.
    async fn age(&self) {
        let asked = || [&self.home, &self.away, &self.mail].iter().all(|key| self.request(key).is_some());
        // The notice period comes first.
        for _ in 0..20 {
            if !asked() {
                sleep(Duration::from_secs(86_400)).await;
            }
        }
        assert!(asked());
        for key in [&self.home, &self.away] {
            let decision = Decision::Hold { length: Some(Duration::from_secs(3 * 86_400)) };
            self.decide(Decide { key: key.parse().unwrap(), decision, reason: "quarter end".into() }).await;
            self.decide(GatherEvidence { key: key.parse().unwrap() }).await;
        }
    }

    /// Decides as an operator of the machine.
    pub(crate) async fn decide<O: keysweep::operator::Act>(&self, asked: O) {
        let caller = Caller::unrestricted(Actor::local("ada"));
        let done = act(self.running.daemon.engine(), &caller, asked).await;
        done.unwrap_or_else(|refusal| panic!("{refusal}"));
    }

    /// The pending request about a key, as a decision names it.
    pub(crate) fn request(&self, key: &str) -> Option<String> {
        let key = key.parse().unwrap();
        self.running.daemon.engine().store().read(|state| {
            let record = state.record(&key)?;
            let KeyState::Flagged(data) = &record.state else { return None };
            let approval = data.approval.as_ref()?;
            Some(format!("{}-{}", approval.number, approval.hash(&record.identity)))
        })
    }

    /// What shows that somebody has learned of the account out of scope.
    pub(crate) fn secrets(&self) -> [&str; 6] {
        [AWAY, "payroll-batch", "legacy-payroll", "eve@example.com", &self.away, &self.exempt]
    }

    /// Checks that a text says nothing of the account out of scope.
    pub(crate) fn is_silent(&self, about: &str, text: &str) {
        for secret in self.secrets() {
            assert!(!text.contains(secret), "{about} shows {secret}: {text}");
        }
    }

    /// How many decisions the journal has.
    pub(crate) fn decisions(&self) -> usize {
        let engine = self.running.daemon.engine();
        engine.store().read(|state| {
            let of = |record: &keysweep_core::lifecycle::Record| {
                let granted = match &record.state {
                    KeyState::Flagged(data) => data
                        .approval
                        .as_ref()
                        .map_or(0, |approval| approval.granted.len() + usize::from(approval.claim.is_some())),
                    _ => 0,
                };
                granted + 10 * record.holds.len()
            };
            let control = state.control();
            let restraints = 1_000 * control.pauses.len() + 100_000 * control.exemptions.len();
            state.records().map(of).sum::<usize>() + restraints
        })
    }
}
