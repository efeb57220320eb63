//! A daemon with a past: keys that wait for people in every way, and names that try to be more than names.
//!
//! The past is lived through on a paused clock. Then time runs as it does for a browser.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use keysweep::clock::Clock;
use keysweep::config::{Sources, load_to_serve};
use keysweep::daemon::{Daemon, Parts};
use keysweep::engine::Engine;
use keysweep::metrics::Metrics;
use keysweep::people::Postman;
use keysweep::token::{Digest, Role};
use keysweep_sim::KeySpec;
use keysweep_store::OpenOptions;
use keysweep_tests::company::Company;
use keysweep_tests::letters::Received;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::time::{advance, pause, resume, sleep};

pub(crate) const OPERATOR: &str = "keysweep_token_of_an_operator";
pub(crate) const APPROVER: &str = "keysweep_token_of_an_approver";
pub(crate) const VIEWER: &str = "keysweep_token_of_a_viewer";

/// Every view that everyone may see.
pub(crate) const VIEWS: [&str; 8] =
    ["/", "/keys", "/approvals", "/holds", "/accounts", "/audit", "/calendar", "/notices"];

/// The name in links and in the certificate.
const PUBLIC: &str = "https://keysweep.example.com";

/// Keys here change by themselves.
pub(crate) const PROD: &str = "111122223333";
/// Here a person approves first.
pub(crate) const CAREFUL: &str = "444455556666";
/// Here keysweep has no role.
const CLOSED: &str = "777788889999";

/// A name that is more than a name wherever it is not written as text.
pub(crate) const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'</title><script>alert(2)</script>{{7*7}}";
/// A user name that AWS accepts and a spreadsheet takes for a formula.
pub(crate) const FORMULA: &str = "=1+1@sum,x";
/// As long as a user name can be.
pub(crate) const LONG: &str = "svc-with-a-name-as-long-as-it-can-be-in-aws-without-any-break-01";

/// Who reaches the page how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Plain HTTP on loopback, where looking is open.
    Loopback,
    /// The same with a viewer's token, so that looking is not open.
    Closed,
    /// https under the public name, as people reach it.
    Public,
}

/// What goes before a daemon.
pub(crate) struct Stage {
    pub(crate) company: Company,
    folder: TempDir,
    pub(crate) keys: Keys,
    /// Every message to people so far.
    pub(crate) letters: Vec<Received>,
}

/// The keys, by what has become of them.
pub(crate) struct Keys {
    /// Deactivated by keysweep.
    pub(crate) deactivated: Vec<String>,
    /// Flagged, and the owner was told.
    pub(crate) flagged: Vec<String>,
    /// Waiting for an approval.
    pub(crate) waiting: Vec<String>,
}

/// A daemon that runs, and how a browser reaches it.
pub(crate) struct Running {
    pub(crate) daemon: Daemon,
    pub(crate) origin: String,
    pub(crate) port: u16,
    /// What no page may contain.
    pub(crate) secrets: Vec<String>,
    /// Origins of others that the browser may visit.
    pub(crate) guests: Vec<String>,
}

/// Sends until there is nothing more to send.
async fn deliver(company: &Company, engine: &Engine, postman: &mut Postman) {
    let mut before = None;
    while before != Some(company.letters.tried()) {
        before = Some(company.letters.tried());
        postman.round(engine).await;
    }
}

fn mk_token(name: &str, role: Role, token: &str) -> String {
    let digest = Digest::of(token).to_hex();
    format!("[[http.token]]\nname = {name:?}\nrole = \"{role}\"\nsha256 = {digest:?}\n")
}

impl Stage {
    /// Lives through eight days, at the end of which keys were deactivated, flagged, and asked about. Call it in a test with
    /// paused time.
    pub(crate) async fn new() -> Self {
        Self::of(Company::new("")).await
    }

    /// The same past, which ends about now by the clock of the machine: by that of browsers and providers.
    pub(crate) async fn until_now() -> Self {
        let past = SignedDuration::from_hours(24 * 9);
        Self::of(Company::beginning(Clock::system().now() - past, "")).await
    }

    async fn of(mut company: Company) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Links in messages have the public name, whoever starts the daemon later.
        company.configure(&format!("http.public_url = {PUBLIC:?}\n{}", policy(&company)));
        let role = |name: &str| format!("keysweep/{name}");
        let (scan, enforce) = (role("KeysweepScan"), role("KeysweepEnforce"));
        let id = keysweep_tests::company::EXTERNAL_ID;
        company.sim.account(PROD).name(HOSTILE).role(scan, id).role(enforce, id).add();
        company.account(CAREFUL);
        company.sim.account(CLOSED).name("closed").add();
        let stale =
            |account: &str, name: &str, idle: i64| company.stale_user(account, name, idle).keys[0].clone();
        let deactivated =
            ["svc-first", "svc-second", "svc-third"].map(|name| stale(PROD, name, 200)).to_vec();
        company.sim.user(PROD, "break-glass").tag("keysweep:exempt", "yes").key(company.used(300)).add();
        company.sim.user(PROD, "in-use").key(company.used(1)).add();
        company.sim.user(PROD, "never").key(KeySpec::new().created(company.days_ago(400))).add();
        let engine = company.begin().await;
        let mut postman = Postman::default();
        deliver(&company, &engine, &mut postman).await;
        company.days(&engine, 7).await;
        deliver(&company, &engine, &mut postman).await;
        let used = |idle| {
            KeySpec::new().created(company.days_ago(400)).used(company.days_ago(idle), "s3", "us-east-1")
        };
        let late = |account: &str, name: &str, idle: i64| {
            company.sim.user(account, name).tag("Owner", "dana@example.com").key(used(idle)).add().keys[0]
                .clone()
        };
        let flagged = [FORMULA, LONG, "svc-late"].map(|name| late(PROD, name, 150)).to_vec();
        let names = ["svc-one", "svc-two", "svc-three", "svc-four", "svc-five", "svc-six"];
        let waiting = names.map(|name| late(CAREFUL, name, 120)).to_vec();
        company.days(&engine, 1).await;
        deliver(&company, &engine, &mut postman).await;
        let letters = company.letters.received();
        engine.close().await.unwrap();
        for key in &deactivated {
            assert_eq!(company.status(key), "Inactive", "{:?}", company.changes());
        }
        Self { company, folder, keys: Keys { deactivated, flagged, waiting }, letters }
    }

    /// Starts the daemon, waits for its first sweep, and lets time run.
    pub(crate) async fn daemon(&self, door: Door) -> Running {
        self.daemon_with(door, "").await
    }

    /// The same with a provider at which people log in, and these roles, as of now by the clock of the machine.
    pub(crate) async fn daemon_with_provider(&self, issuer: &str, secret: &str, access: &str) -> Running {
        let file = self.folder.path().join("client-secret");
        fs::write(&file, secret).unwrap();
        let oidc = format!(
            "[http.oidc]\nissuer = {issuer:?}\nclient_id = \"RS256\"\nclient_secret_file = {file:?}\nscopes = \
             [\"profile\", \"email\", \"groups\"]\n{access}"
        );
        let behind = Clock::system().now().duration_since(self.company.clock.operational());
        advance(behind.try_into().expect("the past ended before now")).await;
        Running { guests: vec![issuer.to_owned()], ..self.daemon_with(Door::Public, &oidc).await }
    }

    async fn daemon_with(&self, door: Door, more: &str) -> Running {
        let sources = self.configure(door, more);
        let loaded = load_to_serve(&sources, self.company.clock.now());
        let (config, _) = loaded.unwrap_or_else(|error| panic!("{error}"));
        let parts = Parts {
            config,
            sources,
            clock: self.company.clock.clone(),
            metrics: Metrics::new(),
            given: self.company.given(),
            open: OpenOptions::default(),
        };
        let daemon = Daemon::start(parts).await.unwrap();
        while daemon.engine().latest().is_none() {
            // Time is paused: this is not waited for.
            sleep(Duration::from_secs(1)).await;
        }
        resume();
        let port = daemon.http_address().port();
        let origin = match door {
            Door::Public => PUBLIC.to_owned(),
            Door::Loopback | Door::Closed => format!("http://127.0.0.1:{port}"),
        };
        let mut secrets: Vec<String> = [OPERATOR, APPROVER, VIEWER].map(str::to_owned).to_vec();
        let links = ["still_needed", "no_longer_needed", "show", "reactivate"];
        let links = self.letters.iter().flat_map(|letter| links.map(|purpose| letter.link(purpose)));
        secrets.extend(links.flatten().map(|url| url.rsplit('/').next().unwrap().to_owned()));
        Running { daemon, origin, port, secrets, guests: Vec::new() }
    }

    fn configure(&self, door: Door, more: &str) -> Sources {
        let at = |name: &str| -> PathBuf { self.folder.path().join(name) };
        let mut http = mk_token("ann", Role::Operator, OPERATOR) + &mk_token("bob", Role::Approver, APPROVER);
        if door != Door::Loopback {
            http += &mk_token("cat", Role::Viewer, VIEWER);
        }
        if door == Door::Public {
            let mut params = CertificateParams::new(vec!["keysweep.example.com".to_owned()]).unwrap();
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
            let key = KeyPair::generate().unwrap();
            fs::write(at("tls.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
            fs::write(at("tls.key"), key.serialize_pem()).unwrap();
            http += &format!("[http.tls]\ncert_file = {:?}\nkey_file = {:?}\n", at("tls.crt"), at("tls.key"));
        }
        // Top-level keys come before the first table.
        let mut text = format!(
            "data_dir = {:?}\nrole.external_id_file = {:?}\nhttp.listen = \"127.0.0.1:0\"\n",
            self.company.data_dir.path(),
            self.company.external_id(),
        );
        if door == Door::Public {
            text += &format!("http.public_url = {PUBLIC:?}\n");
        }
        text += &(policy(&self.company) + &http + more);
        fs::write(at("keysweep.toml"), text).unwrap();
        Sources { file: Some(at("keysweep.toml")), ..Sources::default() }
    }

    /// A link about a key in the messages so far.
    pub(crate) fn link(&self, key: &str, purpose: &str) -> String {
        let about = |letter: &&Received| letter.items().iter().any(|(_, found)| found == key);
        let items = self
            .letters
            .iter()
            .filter(about)
            .flat_map(|letter| letter.letter.json["items"].as_array().cloned().unwrap_or_default());
        let mut of_key = items.filter(|item| item["access_key_id"] == key);
        let link = of_key.find_map(|item| Some(item["links"][purpose].as_str()?.to_owned()));
        link.unwrap_or_else(|| {
            panic!(
                "no link {purpose} for {key} in {:#?}",
                self.letters.iter().map(|it| (&it.to, it.items())).collect::<Vec<_>>()
            )
        })
    }
}

impl Running {
    /// Lets hours pass at once.
    pub(crate) async fn hours(&self, hours: u64) {
        pause();
        advance(Duration::from_secs(hours * 3_600)).await;
        resume();
    }

    pub(crate) async fn stop(self) {
        self.daemon.drain().await.unwrap();
    }
}

fn policy(company: &Company) -> String {
    format!(
        r#"
[scan]
interval = "24h"
report_max_age = "24h"
[policy]
mode = "delete"
[[policy.override]]
match = {{ accounts = ["{CAREFUL}"] }}
approval = "deactivate"
[[policy.exempt]]
match = {{ user_tags = {{ "keysweep:exempt" = "*" }} }}
reason = "break glass"
until = "{until}"
[owners]
sources = ["user_tags"]
default = "dana@example.com"
[notices]
notify = ["security@example.com"]
remind_before = []
link_secret_file = {secret:?}
[notices.email]
host = "127.0.0.1"
security = "none"
from = "keysweep@example.com"
"#,
        secret = company.link_secret(),
        until = (company.clock.now() + SignedDuration::from_hours(24 * 300)).strftime("%Y-%m-%d"),
    )
}
