//! Everything the daemon finds when it starts: an organization that answers, a configuration and an empty data_dir.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use keysweep_aws::StaticCredentials;
use keysweep_sim::seed::{self, Demo};
use keysweep_sim::{Server, Sim};
use tempfile::TempDir;

use super::calendar::{Calendar, date};
use super::carrier::Keeper;
use super::mailbox::Mailbox;
use super::wall::Wall;
use super::{DemoError, DemoOptions};
use secrecy::{ExposeSecret as _, SecretString};

use crate::clock::Clock;
use crate::config::{Config, Sources, load};
use crate::connect::Given;
use crate::logging::{self, Form};
use crate::metrics::Metrics;
use crate::token::Digest;

/// Folder of the messages.
pub(super) const MAIL: &str = "mail";

/// The security team of the demo.
pub(super) const TEAM: &str = "security@example.com";

/// The channel of the security team.
const TEAM_CHANNEL: &str = "#aws-keys";

/// What the demo runs on.
pub(super) struct Stage {
    /// Holds every file of the demo; removed with all of them.
    pub(super) folder: TempDir,
    /// The organization, and whose stories to tell.
    pub(super) demo: Demo,
    /// Its AWS on loopback.
    pub(super) server: Server,
    /// The clock of the daemon and of the organization.
    pub(super) clock: Clock,
    /// Days of the demo.
    pub(super) calendar: Calendar,
    keeper: Arc<Keeper>,
    /// With it, the page of the demo takes decisions.
    pub(super) token: SecretString,
}

impl Stage {
    /// Makes up the organization, serves it, and makes the directory.
    pub(super) async fn build(options: &DemoOptions) -> Result<Self, DemoError> {
        let began = Clock::system().now();
        let calendar = Calendar::new(began, options.speed);
        let clock = Clock::scaled(began, calendar.factor());
        let demo = organization(options.seed, &clock);
        let server = demo.sim.serve().await.map_err(DemoError::Serve)?;
        let folder = TempDir::with_prefix("keysweep-")
            .map_err(|source| DemoError::Files { path: std::env::temp_dir(), source })?;
        let mail = folder.path().join(MAIL);
        let mailbox =
            Mailbox::new(&mail).map_err(|source| DemoError::Files { path: mail.clone(), source })?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(DemoError::Random)?;
        // Short, so that it fits into a line: the demo listens on loopback, and ends with it.
        let token = SecretString::from(format!("demo-{}", hex::encode(random)));
        let keeper = Arc::new(Keeper { mailbox, wall: Arc::new(Wall::new(clock.clone())) });
        let stage = Self { folder, demo, server, clock, calendar, keeper, token };
        stage.write("external-id", seed::EXTERNAL_ID)?;
        // Its form is checked; it is sent nowhere.
        stage.write("slack-token", "xoxb-demo")?;
        // The demo listens on loopback only, and ends with its links.
        stage.write("link-secret", &format!("{:032x}", began.as_nanosecond()))?;
        let backups = stage.folder.path().join("backups");
        fs::create_dir(&backups).map_err(|source| DemoError::Files { path: backups, source })?;
        Ok(stage)
    }

    /// Sends the log into a file of its own: the terminal belongs to the demo.
    pub(super) fn log(&self, metrics: &Arc<Metrics>) -> Result<(), DemoError> {
        let path = self.log_file();
        let file = File::create(&path).map_err(|source| DemoError::Files { path, source })?;
        let counted = Arc::clone(metrics);
        let count = Arc::new(move |level| counted.log.message(level));
        Ok(logging::init("info", Form::Text { colour: false }, Arc::new(file), count, None)?)
    }

    /// Where the log is.
    pub(super) fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The configuration file, with which commands in other terminals reach the daemon.
    pub(super) fn config_file(&self) -> PathBuf {
        self.folder.path().join("demo.toml")
    }

    /// Writes the configuration, with this port for the page, and loads it as any other.
    pub(super) fn config(&self, port: u16) -> Result<(Config, Sources), DemoError> {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let now = self.clock.now();
        let next_year = now.checked_add(SignedDuration::from_hours(24 * 365)).unwrap_or(now);
        let text = settings(self.folder.path(), listen, &date(next_year), &self.token);
        self.write("demo.toml", &text)?;
        let sources = Sources { file: Some(self.config_file()), ..Sources::default() };
        Ok((load(&sources, now)?, sources))
    }

    /// The way to the organization.
    pub(super) fn aws(&self) -> Given {
        let (access_key_id, secret, token) = self.demo.sim.hub_credentials();
        let credentials = StaticCredentials {
            access_key_id,
            secret_access_key: secret.into(),
            session_token: token.map(Into::into),
        };
        Given {
            credentials: Some(credentials),
            endpoint: Some(self.server.endpoint()),
            carrier: Some(Arc::<Keeper>::clone(&self.keeper)),
            mailbox: Some(self.folder.path().join(MAIL)),
            wall: Some(Arc::clone(&self.keeper.wall)),
            ..Given::default()
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), DemoError> {
        let path = self.folder.path().join(name);
        fs::write(&path, text).map_err(|source: io::Error| DemoError::Files { path, source })
    }
}

/// An organization that lives in policy time and whose AWS answers in operational time.
fn organization(seed: u64, clock: &Clock) -> Demo {
    let (policy, wall) = (clock.clone(), clock.clone());
    let demo = seed::demo(seed, Arc::new(move || policy.now()));
    let sim: Sim = demo.sim.with_wall_clock(Arc::new(move || wall.operational()));
    // A report that is being made is asked for again after a second, which is half a day here.
    sim.configure(|settings| settings.report_polls = 0);
    Demo { sim, ..demo }
}

/// The demo's configuration. What it does not say has the default: thresholds of 90 days, notice of 7, grace of 14,
/// every limit.
fn settings(folder: &Path, listen: SocketAddr, exempt_until: &str, token: &SecretString) -> String {
    let quoted = |name: &str| toml::Value::from(folder.join(name).to_string_lossy().into_owned()).to_string();
    format!(
        r##"# keysweep demo. Commands in other terminals reach the daemon with this file.
data_dir = {data_dir}

[role]
external_id_file = {external_id}

[scan]
interval = "1d"

[policy]
mode = "delete"

[[policy.override]]
match = {{ users = ["svc-invoice-export"] }}
quarantine = "3d"

[[policy.exempt]]
match = {{ user_tags = {{ "keysweep:exempt" = "*" }} }}
reason = "break glass"
until = "{exempt_until}"

[owners]
sources = ["user_tags", "account_email"]

# Some teams read Slack; the others are notified by e-mail.
[[owners.contact]]
match = "aws+payments-*"
slack = "#payments"

[[owners.contact]]
match = "aws+checkout-*"
slack = "#checkout"

[[owners.contact]]
match = "aws+partners-*"
slack = "#partners"

[notices]
notify = ["{TEAM}", "{TEAM_CHANNEL}"]
remind_before = ["3d", "1d"]
link_secret_file = {link_secret}

# The demo shows messages on its page instead of sending them.
[notices.email]
host = "127.0.0.1"
security = "none"
from = "keysweep <keysweep@example.com>"

[notices.slack]
token_file = {slack_token}

[backup]
directory = {backups}

[http]
listen = "{listen}"

[[http.token]]
name = "demo"
role = "operator"
sha256 = "{digest}"
"##,
        digest = Digest::of(token.expose_secret()).to_hex(),
        data_dir = quoted("data"),
        external_id = quoted("external-id"),
        backups = quoted("backups"),
        link_secret = quoted("link-secret"),
        slack_token = quoted("slack-token"),
    )
}

#[cfg(test)]
mod tests {
    use keysweep_core::policy::Mode;

    use super::*;

    #[tokio::test]
    async fn the_configuration_of_the_demo_is_valid_and_raises_no_question() {
        let options = DemoOptions { length: None, seed: 1, speed: 30 };
        let stage = Stage::build(&options).await.unwrap();
        let (config, sources) = stage.config(0).unwrap();
        assert_eq!(config.policy.base.mode, Mode::Delete);
        assert!(config.data_dir.starts_with(stage.folder.path()));
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        assert_eq!(sources.file, Some(stage.config_file()));
        stage.server.shutdown().await;
    }
}
