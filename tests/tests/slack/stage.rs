//! A company whose team decides in Slack.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use keysweep::connect::Given;
use keysweep::engine::Engine;
use keysweep::metrics::{Metrics, render};
use keysweep::people::{Postman, slack};
use keysweep_core::lifecycle::Approval;
use keysweep_core::notice::Posted;
use keysweep_core::state::{Actor, Body, Entry};
use keysweep_store::OpenOptions;
use keysweep_tests::company::{Company, ask, resume, swept};
use keysweep_tests::slack_stub::{APP_TOKEN, Call, SlackStub, TOKEN};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub(crate) const PROD: &str = "111122223333";
pub(crate) const ANNA: &str = "U0ANNA0001";
pub(crate) const BEN: &str = "U0BEN00001";
pub(crate) const DANA: &str = "U0DANA0001";
pub(crate) const EVE: &str = "U0EVE00001";
pub(crate) const APPROVE: &str = "keysweep-approve";
pub(crate) const DENY: &str = "keysweep-deny";
pub(crate) const CLAIM: &str = "keysweep-claim";

const PATIENCE: Duration = Duration::from_secs(60);

/// Anna and Ben may decide.
pub(crate) const BOTH: &str = "[[access]]\nslack_user = \"U0ANNA0001\"\nrole = \"approver\"\n[[access]]\n\
    slack_user = \"U0BEN00001\"\nrole = \"approver\"\n";

/// Ben alone may decide.
pub(crate) const BEN_ALONE: &str = "[[access]]\nslack_user = \"U0BEN00001\"\nrole = \"approver\"\n";

pub(crate) struct Stage {
    pub(crate) company: Company,
    pub(crate) stub: SlackStub,
    pub(crate) engine: Arc<Engine>,
    pub(crate) key: String,
    policy: String,
    pub(crate) files: TempDir,
    sent: u32,
    working: JoinSet<()>,
}

/// What must come.
pub(crate) async fn soon<T>(coming: impl Future<Output = T>) -> T {
    timeout(PATIENCE, coming).await.expect("it did not come")
}

impl Stage {
    /// A stale key whose deactivation is asked to be approved, in a message to the team.
    pub(crate) async fn new(policy: &str) -> Self {
        let mut stage = Self::set(policy).await;
        stage.post().await;
        stage.listen().await;
        stage
    }

    /// The same without a message, and without anybody who listens.
    pub(crate) async fn set(policy: &str) -> Self {
        let users = [("anna", ANNA), ("ben", BEN), ("dana", DANA), ("eve", EVE)];
        let stub = SlackStub::start(&users).await.unwrap();
        let (mut company, files) = (Company::new(""), tempfile::tempdir().unwrap());
        std::fs::write(files.path().join("token"), TOKEN).unwrap();
        std::fs::write(files.path().join("app-token"), APP_TOKEN).unwrap();
        company.configure(&toml(&files, &stub, policy, BOTH, "native"));
        company.account(PROD);
        let key = company.stale_user(PROD, "ci", 200).keys[0].clone();
        let engine = open(&company).await;
        ask(&engine, resume("the story begins")).await.unwrap();
        swept(&engine).await;
        let (policy, working) = (policy.to_owned(), JoinSet::new());
        Self { company, stub, engine, key, policy, files, sent: 0, working }
    }

    /// Has the postman post what is owed.
    pub(crate) async fn post(&self) {
        Postman::default().round(&self.engine).await;
    }

    /// Starts what the daemon runs, and waits until Slack can reach it.
    pub(crate) async fn listen(&mut self) {
        let engine = Arc::clone(&self.engine);
        self.working.spawn(async move { slack::work(&engine).await });
        self.connected().await;
    }

    pub(crate) async fn connected(&self) {
        let mut connections = self.stub.connections();
        soon(connections.wait_for(|open| open.len() >= 2)).await.unwrap();
    }

    /// Another process on the same data_dir.
    pub(crate) async fn restart(&mut self) {
        self.engine.stopping().cancel();
        soon(async { while self.working.join_next().await.is_some() {} }).await;
        self.engine.close().await.unwrap();
        let mut connections = self.stub.connections();
        soon(connections.wait_for(Vec::is_empty)).await.unwrap();
        self.engine = open(&self.company).await;
    }

    /// Loads another configuration.
    pub(crate) async fn reload(&mut self, access: &str, approvals: &str) {
        self.company.configure(&toml(&self.files, &self.stub, &self.policy, access, approvals));
        self.engine.replace_config(&Actor::local("root"), Arc::new(self.company.config())).await.unwrap();
    }

    /// Where the latest message to the team is.
    pub(crate) fn place(&self) -> Posted {
        let posted = self.engine.store().read(|state| {
            let messages = state.outbox().messages();
            messages.filter_map(|message| Some(message.replaceable.as_ref()?.place.clone())).next_back()
        });
        posted.expect("no message was posted")
    }

    /// That message as it reads now.
    pub(crate) fn message(&self) -> Value {
        let Posted { channel, ts } = self.place();
        self.stub.message(&channel, &ts).unwrap()
    }

    /// The payload of a click on a button of that message.
    pub(crate) fn click(&self, user: &str, button: &str) -> Value {
        let Posted { channel, ts } = self.place();
        let click = self.stub.click(user, &channel, &ts, button);
        click.unwrap_or_else(|| panic!("no button {button} in {:#}", self.message()))
    }

    /// Sends a payload through any connection.
    pub(crate) fn send(&mut self, payload: &Value) {
        self.sent += 1;
        let connection = *self.stub.connections().borrow().last().expect("nobody listens");
        assert!(self.stub.send(connection, &format!("envelope-{}", self.sent), payload));
    }

    /// Clicks, and waits for the modal; gives its ID.
    pub(crate) async fn open_modal(&mut self, user: &str, button: &str) -> String {
        let click = self.click(user, button);
        self.send(&click);
        soon(self.stub.next_call("views.open")).await;
        view_of(&click)
    }

    /// Submits a reason.
    pub(crate) fn submit(&mut self, user: &str, view: &str, reason: &str) {
        let submission = self.stub.submission(user, view, reason).expect("the modal is not open");
        self.send(&submission);
    }

    /// What keysweep says to one person next.
    pub(crate) async fn whispered(&self) -> (String, String) {
        let Call { arguments, .. } = soon(self.stub.next_call("chat.postEphemeral")).await;
        let text = |name: &str| arguments[name].as_str().unwrap().to_owned();
        (text("user"), text("text"))
    }

    /// Waits until the message says this.
    pub(crate) async fn until_it_says(&self, text: &str) -> Value {
        soon(async {
            while !self.message().to_string().contains(text) {
                self.stub.next_call("chat.update").await;
            }
        })
        .await;
        self.message()
    }

    pub(crate) fn approval(&self) -> Option<Approval> {
        let key = self.key.parse().unwrap();
        self.engine.store().read(|state| state.record(&key).and_then(|record| record.approval().cloned()))
    }

    /// The events of the key with this name, with who caused them.
    pub(crate) async fn journaled(&self, name: &str) -> Vec<Actor> {
        let history: Vec<Entry> = self.engine.store().told(&self.key.parse().unwrap()).await.unwrap().history;
        let named = |entry: &Entry| matches!(&entry.body, Body::Key { event, .. } if event.name() == name);
        history.into_iter().filter(named).map(|entry| entry.actor).collect()
    }

    /// A line of the metrics.
    pub(crate) fn metric(&self, line: &str) -> bool {
        let text = render(self.engine.metrics().families()).unwrap();
        text.lines().any(|found| found == line)
    }

    /// Has a sweep look, so many days later.
    pub(crate) async fn days(&self, days: usize) {
        tokio::time::pause();
        self.company.days(&self.engine, days).await;
        tokio::time::resume();
    }
}

pub(crate) fn view_of(click: &Value) -> String {
    format!("V0VIEW{}", click["trigger_id"].as_str().unwrap())
}

pub(crate) fn in_slack(user: &str) -> Actor {
    Actor::Slack { id: user.to_owned(), name: user.to_lowercase() }
}

async fn open(company: &Company) -> Arc<Engine> {
    let (config, given) = (Arc::new(company.config()), Given { carrier: None, ..company.given() });
    let opening = Engine::open(config, company.clock.clone(), Metrics::new(), given, OpenOptions::default());
    opening.await.unwrap().0
}

fn toml(files: &TempDir, stub: &SlackStub, policy: &str, access: &str, approvals: &str) -> String {
    let file = |name: &str| files.path().join(name).display().to_string();
    let (token, app_token, url) = (file("token"), file("app-token"), stub.url.trim_end_matches('/'));
    format!(
        r##"
[scan]
interval = "24h"
report_max_age = "24h"
[policy]
mode = "delete"
approval = "both"
{policy}
[owners]
default = "dana"
[[owners.contact]]
match = "dana"
slack = "{DANA}"
[notices]
required = false
notify = ["#team"]
remind_before = []
[notices.slack]
token_file = "{token}"
api_url = "{url}"
approvals = "{approvals}"
app_token_file = "{app_token}"
{access}
"##
    )
}
