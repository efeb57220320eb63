//! A made-up company on a paused clock: the real engine (real SDK clients, real journal and records on disk) against
//! the simulator, without a socket. Time moves only when a test moves it.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up fails")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep::access::Caller;
use keysweep::clock::Clock;
use keysweep::config::{self, Config, Sources};
use keysweep::connect::Given;
use keysweep::engine::Engine;
use keysweep::metrics::Metrics;
use keysweep::operator::{Act, Look};
use keysweep::sweep::{Swept, sweep};
use keysweep_api::{Decide, Decision, Done, Refusal, RequestRef, Resume, ShowKey, Which};
use keysweep_aws::StaticCredentials;
use keysweep_core::ticket::Planned;
use keysweep_sim::{Change, KeySpec, Sim, UserRef, Who};
use keysweep_store::OpenOptions;
use tempfile::TempDir;

use crate::letters::Letters;

/// When every story begins.
pub const BEGIN: &str = "2026-01-01T00:00:00Z";

/// External ID of every role.
pub const EXTERNAL_ID: &str = "keysweep-tests";

/// What signs the links in notices.
const LINK_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// One day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// A configuration that goes all the way, in days that add up quickly: sweeps once a day, notice 7 d, grace 14 d.
pub const DELETE: &str = r#"
[scan]
interval = "24h"
report_max_age = "24h"
[policy]
mode = "delete"
[notices]
required = false
"#;

/// The company and what it runs keysweep with.
pub struct Company {
    /// The organization.
    pub sim: Sim,
    /// Policy time.
    pub clock: Clock,
    /// What takes messages to people.
    pub letters: Arc<Letters>,
    /// Where journal and records are.
    pub data_dir: TempDir,
    files: TempDir,
    toml: String,
}

impl Company {
    /// An organization with a management account and nothing else. Call it in a test with paused time.
    ///
    /// # Panics
    /// If a temporary directory cannot be made.
    #[must_use]
    pub fn new(toml: &str) -> Self {
        Self::beginning(BEGIN.parse().expect("a date"), toml)
    }

    /// The same, with a story that begins at this time.
    ///
    /// # Panics
    /// As [`Company::new`].
    #[must_use]
    pub fn beginning(at: Timestamp, toml: &str) -> Self {
        let clock = Clock::scaled(at, 1.0);
        let hand = clock.clone();
        let sim = Sim::new(Arc::new(move || hand.now()));
        Self {
            sim,
            clock,
            letters: Arc::default(),
            data_dir: tempfile::tempdir().expect("a temporary directory"),
            files: tempfile::tempdir().expect("a temporary directory"),
            toml: toml.into(),
        }
    }

    /// An account with both roles.
    pub fn account(&self, id: &str) -> String {
        let (scan, enforce) = ("keysweep/KeysweepScan", "keysweep/KeysweepEnforce");
        self.sim
            .account(id)
            .name(format!("account-{id}"))
            .role(scan, EXTERNAL_ID)
            .role(enforce, EXTERNAL_ID)
            .add()
    }

    /// A user of age 400 days with one key that was last used so many days before the story begins.
    pub fn stale_user(&self, account: &str, name: &str, idle_days: i64) -> UserRef {
        self.sim.user(account, name).key(self.used(idle_days)).add()
    }

    /// A key of age 400 days that was last used so many days before now.
    #[must_use]
    pub fn used(&self, idle_days: i64) -> KeySpec {
        KeySpec::new().created(self.days_ago(400)).used(self.days_ago(idle_days), "s3", "us-east-1")
    }

    /// So many days before now.
    #[must_use]
    pub fn days_ago(&self, days: i64) -> Timestamp {
        self.clock.now() - SignedDuration::from_hours(24 * days)
    }

    /// Replaces the configuration; takes effect with the next [`Company::open`], or when the engine is given [`Company::config`].
    pub fn configure(&mut self, toml: &str) {
        self.toml = toml.into();
    }

    /// The configuration as keysweep reads it.
    ///
    /// # Panics
    /// If it is not valid: the message names every mistake.
    #[must_use]
    pub fn config(&self) -> Config {
        let file = self.files.path().join("keysweep.toml");
        let external_id = self.external_id();
        let data_dir = self.data_dir.path().display();
        let text = format!(
            "data_dir = \"{data_dir}\"\nrole.external_id_file = \"{}\"\n{}",
            external_id.display(),
            self.toml
        );
        std::fs::write(&file, text).expect("the configuration is written");
        let sources = Sources { file: Some(file), ..Sources::default() };
        config::load(&sources, self.clock.now()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The file with the external ID, for `role.external_id_file`.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn external_id(&self) -> PathBuf {
        let file = self.files.path().join("external-id");
        std::fs::write(&file, EXTERNAL_ID).expect("the external ID is written");
        file
    }

    /// The file that signs links, for `notices.link_secret_file`.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn link_secret(&self) -> PathBuf {
        let file = self.files.path().join("link-secret");
        std::fs::write(&file, LINK_SECRET).expect("the secret of links is written");
        file
    }

    /// Opens data_dir, and resumes where it is new.
    ///
    /// # Panics
    /// If it does not open.
    pub async fn open(&self) -> Arc<Engine> {
        let engine = self.open_with(OpenOptions::default()).await;
        if engine.store().read(|state| !state.control().pauses.is_empty()) {
            ask(&engine, resume("the story begins")).await.unwrap_or_else(|refusal| panic!("{refusal}"));
        }
        engine
    }

    /// Opens data_dir and looks for the first time: keys that are stale are flagged and noticed on day 0.
    pub async fn begin(&self) -> Arc<Engine> {
        let engine = self.open().await;
        swept(&engine).await;
        engine
    }

    /// Opens data_dir as it is.
    ///
    /// # Panics
    /// If it does not open.
    pub async fn open_with(&self, options: OpenOptions) -> Arc<Engine> {
        let (config, clock) = (Arc::new(self.config()), self.clock.clone());
        let opened = Engine::open(config, clock, Metrics::new(), self.given(), options).await;
        opened.unwrap_or_else(|error| panic!("{error:?}")).0
    }

    /// The simulator instead of AWS.
    #[must_use]
    pub fn given(&self) -> Given {
        let (id, secret, token) = self.sim.hub_credentials();
        Given {
            http: Some(self.sim.connector()),
            credentials: Some(StaticCredentials {
                access_key_id: id,
                secret_access_key: secret.into(),
                session_token: token.map(Into::into),
            }),
            endpoint: None,
            carrier: Some(Arc::<Letters>::clone(&self.letters)),
            ..Given::default()
        }
    }

    /// Lets so many days pass, with a sweep at the end of each.
    ///
    /// # Panics
    /// If a sweep fails as a whole.
    pub async fn days(&self, engine: &Engine, days: usize) -> Swept {
        let mut last = Swept::default();
        for _ in 0..days {
            tokio::time::advance(DAY).await;
            last = swept(engine).await;
        }
        last
    }

    /// Changes of keys that keysweep made, as `action key`, in order. What people did is left out.
    #[must_use]
    pub fn changes(&self) -> Vec<String> {
        self.by_keysweep().map(|change| words(&change)).collect()
    }

    /// Changes of keys that keysweep made.
    pub fn by_keysweep(&self) -> impl Iterator<Item = Change> {
        self.sim
            .changes()
            .into_iter()
            .filter(|change| change.applied && !matches!(change.who, Who::Script(_)))
    }

    /// Status of a key, or `deleted`.
    #[must_use]
    pub fn status(&self, key: &str) -> String {
        self.sim.key_status(key).unwrap_or_else(|| "deleted".into())
    }
}

fn words(change: &Change) -> String {
    let key = change.key_id.as_deref().unwrap_or("-");
    match &change.new {
        Some(status) => format!("{status} {key}"),
        None => format!("{} {key}", change.action),
    }
}

/// One sweep.
///
/// # Panics
/// If it fails as a whole.
pub async fn swept(engine: &Engine) -> Swept {
    sweep(engine).await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// Looks as an operator.
///
/// # Panics
/// Someone who may do everything.
#[must_use]
pub fn caller(name: &str) -> Caller {
    Caller::unrestricted(keysweep_core::state::Actor::local(name))
}

/// If it is refused.
pub async fn look<O: Look>(engine: &Engine, asked: O) -> O::Reply {
    keysweep::operator::look(engine, &caller("alice"), asked)
        .await
        .unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// Decides as an operator.
///
/// # Errors
/// Why it is refused.
pub async fn ask<O: Act>(engine: &Engine, asked: O) -> Result<O::Reply, Refusal> {
    keysweep::operator::act(engine, &caller("alice"), asked).await
}

/// Decides about a key as an operator; whether it was done, and the answer in words.
pub async fn decide(engine: &Engine, key: &str, decision: Decision) -> (bool, String) {
    let key = key.parse().unwrap_or_else(|error| panic!("{error}"));
    match ask(engine, Decide { key, decision, reason: "the test says so".into() }).await {
        Ok(Done { message }) => (true, message),
        Err(refusal) => (false, refusal.to_string()),
    }
}

/// Deletes a key as an operator who has typed it twice.
pub async fn delete(engine: &Engine, key: &str) -> (bool, String) {
    let confirm = key.parse().unwrap_or_else(|error| panic!("{error}"));
    decide(engine, key, Decision::Delete { confirm }).await
}

/// The request for approval of a key: what it asks, and how a decision names it.
pub async fn asked(engine: &Engine, key: &str) -> Option<(Planned, RequestRef)> {
    let key = key.parse().unwrap_or_else(|error| panic!("{error}"));
    let approval =
        keysweep::operator::look(engine, &caller("alice"), ShowKey { key }).await.ok()?.record?.approval?;
    Some((approval.action, approval.request.parse().ok()?))
}

/// Approves what is asked of a key, as an operator who has just looked.
pub async fn approve(engine: &Engine, key: &str) -> (bool, String) {
    match asked(engine, key).await {
        Some((action, request)) => decide(engine, key, Decision::Approve { action, request }).await,
        None => (false, format!("nothing is asked of {key}")),
    }
}

/// Base state of a key as keysweep records it; `active` without a record.
#[must_use]
pub fn state_of(engine: &Engine, key: &str) -> String {
    let key = key.parse().unwrap_or_else(|error| panic!("{error}"));
    engine
        .store()
        .read(|state| state.record(&key).map_or("active", |record| record.state.as_str()).to_owned())
}

/// Whether a key is on hold.
#[must_use]
pub fn held(engine: &Engine, key: &str) -> bool {
    let key = key.parse().unwrap_or_else(|error| panic!("{error}"));
    engine.store().read(|state| state.record(&key).is_some_and(|record| !record.holds.is_empty()))
}

/// Ends the only pause.
#[must_use]
pub fn resume(reason: &str) -> Resume {
    Resume { which: Which::Own, reason: reason.into() }
}
