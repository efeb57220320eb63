//! Reloads the configuration on request, and renewed certificates and directories without one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keysweep_core::owner::Directory;
use keysweep_core::state::Actor;
use tokio::time::{MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::introduce;
use super::status::{Activity, status};
use super::{Worker, manager};
use crate::causes::in_words;
use crate::config::{self, Config, ConfigError, Sources};
use crate::engine::Engine;
use crate::health::Health;
use crate::reload::{ReloadError, Request, Requests};
use crate::tls::{Fingerprint, Identity, IdentityError, Live, Pair};

/// How often the files of the certificate are looked at: who renews them does so days before the old one expires, and
/// reading two small files costs nothing.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long a reload waits at most for the sweep under way, where others before it have overtaken several.
const SWEEP_WITHIN: Duration = Duration::from_secs(900);

/// What reloads.
pub(super) struct Reloader {
    engine: Arc<Engine>,
    health: Health,
    activity: Activity,
    sources: Sources,
    /// Where HTTP is served.
    http: SocketAddr,
    /// The certificate that is served.
    tls: Option<Arc<Live>>,
    /// Whether the configuration was accepted when it was last loaded. While it was not, the gauge says so, whatever
    /// becomes of the certificate.
    accepted: bool,
    /// What the files of the certificate held when they were last looked at.
    seen: Option<Seen>,
    /// Whether it was said that the dates of the certificate are wrong.
    doubted: bool,
    /// Why the directory of the company could not be taken up when it was last looked at.
    directory_trouble: Option<String>,
    /// Whether the certificate was refused when it last changed.
    certificate_refused: bool,
}

/// What was found in the files of the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Content(Fingerprint),
    Unreadable(String),
}

impl Reloader {
    /// Of a daemon that has just started with what `sources` say.
    pub(super) fn new(worker: &Worker, sources: Sources, http: SocketAddr, tls: Option<Arc<Live>>) -> Self {
        let Worker { engine, health, activity } = worker.clone();
        let seen = tls.as_ref().map(|live| Seen::Content(live.identity().fingerprint()));
        // Loading the configuration has said whether the certificate has expired.
        Self {
            engine,
            health,
            activity,
            sources,
            http,
            tls,
            accepted: true,
            seen,
            doubted: true,
            directory_trouble: None,
            certificate_refused: false,
        }
    }

    /// Reloads on request, and looks after the certificate and the directory, until `stop`.
    pub(super) async fn run(mut self, mut requests: Requests, stop: CancellationToken) {
        let first = self.engine.clock().instant() + LOOK_EVERY;
        let mut looks = interval_at(first, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(request) = requests.next() => self.reload(request).await,
                _ = looks.tick() => {
                    self.look().await;
                    self.look_at_directory().await;
                }
            }
        }
    }

    /// Loads the configuration, and tells the service manager that it does.
    async fn reload(&mut self, request: Request) {
        manager::reloading();
        self.load_again(request).await;
        self.activity.reloaded(self.accepted);
        manager::ready(&status(&self.engine, &self.health, &self.activity));
    }

    /// Loads the configuration, certificate included; on any mistake all of the old one stays.
    async fn load_again(&mut self, request: Request) {
        let now = self.engine.clock().now();
        let by = request.by().to_string();
        let (sources, old) = (self.sources.clone(), self.engine.config());
        let loading = tokio::task::spawn_blocking(move || load(&sources, &old, now));
        let loaded = match loading.await {
            Ok(loaded) => loaded,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(ReloadError::Stopping),
        };
        let (config, identity) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return self.refuse(request, error),
        };
        if self.engine.config().does_the_same(&config) {
            self.all_accepted(identity);
            tracing::info!(by, "configuration unchanged");
            let told = introduce(&self.engine, self.http, self.tls.as_deref());
            request.answer(Ok(format!("The configuration is unchanged and in effect.\n{told}")));
            return;
        }
        let turn = timeout(SWEEP_WITHIN, self.engine.sweep_had_its_turn());
        let stop = self.engine.stopping();
        // Once keysweep stops there is nothing to wait for.
        if stop.run_until_cancelled(turn).await.is_none() {
            request.answer(Err(ReloadError::Stopping));
            return;
        }
        match self.engine.replace_config(&request.by().actor(), Arc::new(config)).await {
            Ok(()) => {
                self.all_accepted(identity);
                tracing::info!(by, "configuration reloaded");
                let told = introduce(&self.engine, self.http, self.tls.as_deref());
                request.answer(Ok(format!("The configuration was loaded and is in effect.\n{told}")));
            }
            Err(error) => self.refuse(request, ReloadError::Unreadable(in_words(&error))),
        }
    }

    fn refuse(&mut self, request: Request, error: ReloadError) {
        self.accepted = false;
        self.engine.metrics().config.not_loaded();
        let (by, why) = (request.by().to_string(), error.to_string());
        tracing::error!(by, why, "configuration not reloaded; the previous one stays in effect");
        request.answer(Err(error));
    }

    /// Everything that the configuration names was loaded with it.
    fn all_accepted(&mut self, identity: Option<Identity>) {
        (self.accepted, self.certificate_refused, self.directory_trouble) = (true, false, None);
        self.take_over(identity);
        self.say_if_loaded();
    }

    /// Sets the gauge, unless something else of what the configuration names was refused.
    fn say_if_loaded(&self) {
        if self.accepted && !self.certificate_refused && self.directory_trouble.is_none() {
            self.engine.metrics().config.loaded(self.engine.clock().now());
        }
    }

    /// Serves with the certificate that came with the configuration.
    fn take_over(&mut self, identity: Option<Identity>) {
        if let (Some(live), Some(identity)) = (&self.tls, identity) {
            self.seen = Some(Seen::Content(identity.fingerprint()));
            live.replace(identity);
        }
    }

    /// Takes up a certificate that was renewed.
    async fn look(&mut self) {
        let (Some(live), Some(files)) = (self.tls.clone(), self.engine.config().http.tls.clone()) else {
            return;
        };
        let wall = self.engine.clock().operational();
        let reading = tokio::task::spawn_blocking(move || Pair::read(&files));
        let Ok(read) = reading.await else { return };
        let seen = match &read {
            Ok(pair) => Seen::Content(pair.fingerprint()),
            Err(error) => Seen::Unreadable(in_words(error)),
        };
        if self.seen.as_ref() != Some(&seen) {
            self.seen = Some(seen);
            self.take_up(&live, read.and_then(|pair| pair.identity()));
        }
        let doubt = live.identity().doubt(wall);
        if let Some(doubt) = doubt.as_ref().filter(|_| !self.doubted) {
            tracing::error!("{doubt}");
        }
        self.doubted = doubt.is_some();
    }

    /// Takes up a directory that has changed. Nothing else of the configuration is read: somebody may be at work on it.
    async fn look_at_directory(&mut self) {
        let config = self.engine.config();
        let Some(file) = config.directory_file.clone() else { return };
        let reading = tokio::task::spawn_blocking(move || config::read_directory(&file));
        let Ok(read) = reading.await else { return };
        let current = config.policy.owners.directory.clone();
        let people = current.as_ref().and_then(|current| current.as_deref().ok());
        match read.and_then(|(found, doubts)| Ok((may_follow(people, found)?, doubts))) {
            Ok((found, doubts)) => {
                if self.directory_trouble.take().is_some() {
                    self.say_if_loaded();
                }
                if people != Some(&found) {
                    self.take_up_directory(&config, found, doubts).await;
                }
            }
            Err(why) if self.directory_trouble.as_ref() != Some(&why) => {
                self.engine.metrics().config.not_loaded();
                let meanwhile = match people {
                    Some(_) => "the previous directory stays in effect",
                    None => "keys wait until keysweep can read it",
                };
                tracing::error!(why, "owners.directory_file not reloaded; {meanwhile}");
                self.directory_trouble = Some(why);
            }
            Err(_) => {}
        }
    }

    async fn take_up_directory(&self, config: &Config, found: Directory, doubts: Vec<String>) {
        let turn = timeout(SWEEP_WITHIN, self.engine.sweep_had_its_turn());
        if self.engine.stopping().run_until_cancelled(turn).await.is_none() {
            return;
        }
        for why in doubts {
            tracing::warn!(why, "owners.directory_file has a row that keysweep does not understand");
        }
        let people = found.len();
        let mut config = config.clone();
        config.policy.owners.directory = Some(Ok(Arc::new(found)));
        match self.engine.replace_config(&Actor::Keysweep, Arc::new(config)).await {
            Ok(()) => tracing::info!(people, "owners.directory_file reloaded"),
            Err(error) => {
                let why = in_words(&error);
                tracing::error!(why, "owners.directory_file not reloaded; keysweep retries in a minute");
            }
        }
    }

    fn take_up(&mut self, live: &Live, found: Result<Identity, IdentityError>) {
        match found {
            Ok(identity) => {
                let expires = identity.expires().map(|at| at.to_string());
                live.replace(identity);
                self.certificate_refused = false;
                self.say_if_loaded();
                tracing::info!(expires, "certificate of http.tls renewed");
            }
            Err(error) => {
                self.certificate_refused = true;
                self.engine.metrics().config.not_loaded();
                let why = in_words(&error);
                tracing::error!(why, "certificate of http.tls not renewed; the previous one stays in effect");
            }
        }
    }
}

/// The configuration as it stands in its sources, if it may follow on `old`.
fn load(sources: &Sources, old: &Config, now: Timestamp) -> Result<(Config, Option<Identity>), ReloadError> {
    let (config, identity) = config::load_to_serve(sources, now).map_err(|error| match error {
        ConfigError::Invalid(_) => ReloadError::Refused(in_words(&error)),
        ConfigError::Missing { .. } | ConfigError::Read { .. } => ReloadError::Unreadable(in_words(&error)),
    })?;
    let fixed = fixed(old, &config);
    let people = |config: &Config| config.policy.owners.directory.clone().and_then(Result::ok);
    let refused = match (&config.policy.owners.directory, people(old)) {
        // Without one before, the keys wait for this one.
        (Some(Err(why)), Some(_)) => Some(why.clone()),
        (Some(Ok(found)), Some(current)) => may_follow(Some(&current), Directory::clone(found)).err(),
        (Some(Err(_) | Ok(_)) | None, _) => None,
    };
    if let Some(why) = refused {
        return Err(ReloadError::Refused(format!("owners.directory_file: {why}")));
    }
    if fixed.is_empty() { Ok((config, identity)) } else { Err(ReloadError::Refused(fixed.join("\n"))) }
}

/// Everybody who is not in a directory any more counts as having left: a file that was cut off would have their managers
/// told so.
fn may_follow(current: Option<&Directory>, found: Directory) -> Result<Directory, String> {
    let Some(current) = current else { return Ok(found) };
    let (lost, before) = (found.lost_from(current), current.len());
    // A tenth, or a team of which several leave on one day.
    if lost > (before / 10).max(5) {
        return Err(format!(
            "{lost} of {before} people have left or have no contact details any more; if the file is correct, restart \
             keysweep"
        ));
    }
    Ok(found)
}

/// What another configuration changes that cannot change while keysweep runs.
fn fixed(old: &Config, new: &Config) -> Vec<String> {
    let changed = [
        ("data_dir cannot change", old.data_dir != new.data_dir),
        ("http.listen cannot change", old.http.listen != new.http.listen),
        ("http.socket cannot change", old.http.socket != new.http.socket),
        ("http.tls cannot be turned on or off", old.http.tls.is_some() != new.http.tls.is_some()),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(what, _)| format!("{what} while keysweep runs: restart it")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_config(toml: &str) -> Config {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        let sources = Sources { file: Some(file.path().into()), ..Sources::default() };
        config::load(&sources, "2026-07-15T12:00:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn what_cannot_change_while_keysweep_runs_is_named_all_at_once() {
        let tls = "[http.tls]\ncert_file = \"a\"\nkey_file = \"b\"\n";
        let plain = mk_config("");
        assert_eq!(fixed(&plain, &mk_config("scan.interval = \"1h\"")), Vec::<String>::new());
        let other = mk_config(&format!(
            "data_dir = \"/elsewhere\"\nhttp.listen = \"[::1]:1\"\nhttp.socket = \"/run/k.sock\"\n{tls}"
        ));
        let said = [
            "data_dir cannot change while keysweep runs: restart it",
            "http.listen cannot change while keysweep runs: restart it",
            "http.socket cannot change while keysweep runs: restart it",
            "http.tls cannot be turned on or off while keysweep runs: restart it",
        ];
        assert_eq!(fixed(&plain, &other), said);
        assert_eq!(fixed(&other, &plain), said);
        // Other files and other tokens are no other listener.
        let moved = "[http.tls]\ncert_file = \"c\"\nkey_file = \"d\"\n";
        let token = format!(
            "[[http.token]]\nname = \"dana\"\nrole = \"viewer\"\nsha256 = \"{}\"\n",
            crate::token::Digest::of("x").to_hex()
        );
        let moved = mk_config(&format!("{moved}{token}"));
        assert_eq!(fixed(&mk_config(tls), &moved), Vec::<String>::new());
    }
}
