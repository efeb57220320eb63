//! The handle: how a call goes through the world, and how tests and programs get in.

mod people;
mod truth;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::builder::{AccountBuilder, UserBuilder};
use crate::clock::Clock;
use crate::connector::Connector;
use crate::faults::{Fault, FaultKind, Rule, RuleId, Target, Verdict};
use crate::ledger::{Change, Judged, MissedUse};
use crate::policy::Policy;
use crate::server::Server;
use crate::settings::{Hub, Settings};
use crate::watch::{Call, Outcome, Watcher};
use crate::wire::{self, Answer, Head, Incoming};
use crate::world::{Attached, Principal, Refusal, RoleSession, Session, World, account_of_arn};

const HUB_SECRET: &str = "simulated/secret/of/the/hub/0000000000000";
const HUB_TOKEN: &str = "FwoGZXIvYXdzEKeysweepSimHubToken//////////==";

pub use truth::KeyTruth;

/// The connection broke: no answer. Whether the call took effect is in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connection lost before an answer came")]
pub struct ConnectionLost;

/// An AWS Organization in a box. Cheap to clone; clones share one world.
#[derive(Clone)]
pub struct Sim {
    world: Arc<Mutex<World>>,
}

/// A call that has been let in.
struct Entered {
    caller: Result<Arc<Principal>, Refusal>,
    number: u64,
    request_id: String,
    verdict: Verdict,
    latency: Duration,
    in_flight: InFlight,
}

/// Counts a call as under way for as long as it lives, answered or abandoned.
struct InFlight {
    sim: Sim,
    account: Arc<str>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.sim.locked().ledger.leave(&self.account);
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("accounts", &self.locked().accounts.len()).finish_non_exhaustive()
    }
}

impl Sim {
    /// An organization that holds nothing but its management account. Both IAM's time and the HTTP `Date` come from
    /// `clock`.
    pub fn new(clock: Clock) -> Self {
        Self::with_settings(clock, Settings::default())
    }

    /// The same with settings from the start, which also name the management account.
    pub fn with_settings(clock: Clock, settings: Settings) -> Self {
        let world = World::new(clock.clone(), clock, settings);
        let sim = Self { world: Arc::new(Mutex::new(world)) };
        sim.locked().install_hub();
        sim
    }

    /// Takes operational time (the `Date` header, session expiry) from a clock of its own.
    #[must_use]
    pub fn with_wall_clock(self, wall: Clock) -> Self {
        self.locked().set_wall(wall);
        self
    }

    /// Changes settings, at any time.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        let mut world = self.locked();
        change(&mut world.settings);
        let management = world.settings.management_account.clone();
        world.account_or_new(&management);
        world.install_hub();
    }

    /// Begins an account, or changes the one of that id; ends with [`AccountBuilder::add`].
    pub fn account(&self, id: impl Into<String>) -> AccountBuilder {
        AccountBuilder::new(self.clone(), id.into())
    }

    /// Begins a user with its keys; ends with [`UserBuilder::add`]. The account is made if there is none.
    pub fn user(&self, account: impl Into<String>, name: impl Into<String>) -> UserBuilder {
        UserBuilder::new(self.clone(), account.into(), name.into())
    }

    /// Access key id, secret and, for a role, session token of the hub.
    pub fn hub_credentials(&self) -> (String, String, Option<String>) {
        let token = match self.locked().settings.hub {
            Hub::User(_) => None,
            Hub::Role(_) => Some(HUB_TOKEN.to_owned()),
        };
        let id = hub_key_id(token.is_some());
        (id.to_owned(), HUB_SECRET.to_owned(), token)
    }

    /// World time.
    pub fn now(&self) -> Timestamp {
        self.locked().now()
    }

    /// An HTTP client for the SDK's configurations: the real clients then talk to this world without a socket.
    pub fn connector(&self) -> SharedHttpClient {
        SharedHttpClient::new(Connector::new(self.clone()))
    }

    /// Serves the same wire over HTTP/1.1 on a loopback port of the system's choice.
    ///
    /// # Errors
    /// When no loopback port can be bound.
    pub async fn serve(&self) -> std::io::Result<Server> {
        Server::start(self.clone()).await
    }

    /// Answers one request made by hand.
    ///
    /// # Errors
    /// When a fault breaks the connection.
    pub async fn answer(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, ConnectionLost> {
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let head = Head {
            authorization: text("authorization"),
            token: text("x-amz-security-token"),
            target: text("x-amz-target"),
            host: text("host").or(request.uri().host()),
            path: request.uri().path_and_query().map(http::uri::PathAndQuery::as_str),
            user_agent: text("user-agent"),
        };
        let answer = self.call(Incoming::new(head, request.body())).await?;
        let mut response = http::Response::new(answer.body);
        *response.status_mut() =
            http::StatusCode::from_u16(answer.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [
            ("content-type", Some(answer.content_type)),
            ("x-amzn-requestid", Some(answer.request_id.as_str())),
            ("date", Some(answer.date.as_str())),
            ("x-amzn-errortype", answer.error_type.as_deref()),
        ];
        for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            if let Ok(value) = http::HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        Ok(response)
    }

    pub(crate) async fn call(&self, incoming: Incoming) -> Result<Answer, ConnectionLost> {
        let entered = self.enter(&incoming);
        let Some(watcher) = self.locked().watcher.clone() else {
            return self.pass(&incoming, &entered).await;
        };
        let call = Call {
            number: entered.number,
            at: self.now(),
            account: &entered.in_flight.account,
            action: incoming.action,
            role_arn: entered
                .caller
                .as_ref()
                .ok()
                .and_then(|caller| caller.role.as_ref())
                .map(|role| role.role_arn.as_str()),
            incoming: &incoming,
        };
        if !watcher.comes(&call) {
            return Err(ConnectionLost);
        }
        let result = self.pass(&incoming, &entered).await;
        let outcome = match &result {
            Ok(answer) => Outcome::Answered { status: answer.status, body: &answer.body },
            Err(ConnectionLost) => Outcome::Lost,
        };
        if watcher.ends(&call, &outcome) { result } else { Err(ConnectionLost) }
    }

    async fn pass(&self, incoming: &Incoming, entered: &Entered) -> Result<Answer, ConnectionLost> {
        pause(entered.latency + entered.verdict.delay).await;
        if let Some(Fault::LateArrival(after)) = entered.verdict.fault {
            self.arrives_late(incoming, entered, after);
            std::future::pending::<()>().await;
        }
        if matches!(entered.verdict.fault, Some(Fault::Hang)) {
            self.abort(incoming, entered, "Hang");
            std::future::pending::<()>().await;
        }
        if matches!(entered.verdict.fault, Some(Fault::ResetBefore)) {
            self.abort(incoming, entered, "ConnectionReset");
            return Err(ConnectionLost);
        }
        let (answer, changes) = self.carry_out(incoming, entered);
        pause(entered.verdict.late).await;
        if matches!(entered.verdict.fault, Some(Fault::AnswerLost)) {
            return Err(ConnectionLost);
        }
        if !changes.is_empty() {
            let mut world = self.locked();
            changes.for_each(|seq| world.ledger.delivered(seq));
        }
        Ok(answer)
    }

    fn enter(&self, incoming: &Incoming) -> Entered {
        let mut world = self.locked();
        world.settle();
        world.requests += 1;
        let number = world.requests;
        let caller = wire::authenticate(&mut world, incoming);
        let account: Arc<str> = match (&caller, incoming.action) {
            // A call of AssumeRole belongs to the account it leads into: that is where it is wanted in a count.
            (_, "sts:AssumeRole") => {
                incoming.params.get("RoleArn").and_then(account_of_arn).unwrap_or("unknown").into()
            }
            (Ok(principal), _) => principal.account.clone(),
            (Err(_), _) => "unknown".into(),
        };
        world.ledger.enter(&account, incoming.action);
        let verdict = world.faults.judge(Target {
            account: &account,
            action: incoming.action,
            region: &incoming.region,
        });
        Entered {
            caller,
            number,
            request_id: format!("{:08x}-0000-4000-8000-{number:012x}", number >> 16),
            verdict,
            latency: world.settings.latency,
            in_flight: InFlight { sim: self.clone(), account },
        }
    }

    /// Carries the call out, and tells which changes of the ledger are its own.
    fn carry_out(&self, incoming: &Incoming, entered: &Entered) -> (Answer, std::ops::Range<u64>) {
        let mut world = self.locked();
        world.settle();
        let first = world.ledger.changes().len() as u64 + 1;
        let caller = entered.caller.as_ref();
        let answer = wire::carry_out(&mut world, incoming, caller, &entered.request_id, &entered.verdict);
        (answer, first..world.ledger.changes().len() as u64 + 1)
    }

    fn arrives_late(&self, incoming: &Incoming, entered: &Entered, after: SignedDuration) {
        let late = Late { incoming: incoming.clone(), request_id: entered.request_id.clone() };
        let mut world = self.locked();
        let at = world.now().checked_add(after).unwrap_or(Timestamp::MAX);
        world.on_their_way.push((at, late));
    }

    fn abort(&self, incoming: &Incoming, entered: &Entered, code: &str) {
        let refusal = Refusal::new(0, code, "");
        let mut world = self.locked();
        let (caller, request_id) = (entered.caller.as_ref(), &entered.request_id);
        wire::record_refused(&mut world, incoming, caller, request_id, (&refusal, false));
    }

    /// Shows every call to a watcher from now on.
    pub fn watch(&self, watcher: Arc<dyn Watcher>) {
        self.locked().watcher = Some(watcher);
    }

    /// Adds a fault rule. Rules are asked in the order they were added; of faults that exclude each other the first
    /// that strikes wins.
    pub fn fault(&self, rule: Rule) -> RuleId {
        self.locked().faults.add(rule)
    }

    /// Takes one rule away.
    pub fn remove_fault(&self, id: RuleId) {
        self.locked().faults.remove(id);
    }

    /// Takes all rules away; counts stay.
    pub fn clear_faults(&self) {
        self.locked().faults.clear();
    }

    /// Seeds the generator behind [`Rule::probability`].
    pub fn seed_faults(&self, seed: u64) {
        self.locked().faults.reseed(seed);
    }

    /// How often faults of this kind have struck.
    pub fn fault_count(&self, kind: FaultKind) -> u64 {
        self.locked().faults.count(kind)
    }

    /// How often each kind has struck.
    pub fn fault_counts(&self) -> BTreeMap<FaultKind, u64> {
        self.locked().faults.counts()
    }

    /// Calls by (account, action) since the start or the last reset. AssumeRole counts for the account of the role,
    /// a call by unknown credentials for `unknown`.
    pub fn calls(&self) -> BTreeMap<(String, String), u64> {
        self.locked().ledger.calls()
    }

    /// Calls of one action in one account: `call_count("111122223333", "iam:ListAccessKeys")`.
    pub fn call_count(&self, account: &str, action: &str) -> u64 {
        self.locked().ledger.call_count(account, action)
    }

    /// All calls in one account.
    pub fn account_calls(&self, account: &str) -> u64 {
        self.locked().ledger.account_calls(account)
    }

    /// All calls.
    pub fn total_calls(&self) -> u64 {
        self.locked().ledger.total_calls()
    }

    /// Forgets the calls and the peaks, not the changes.
    pub fn reset_calls(&self) {
        self.locked().ledger.reset_calls();
    }

    /// Every change so far, attempts included.
    pub fn changes(&self) -> Vec<Change> {
        self.locked().ledger.changes().to_vec()
    }

    /// Changes from the one after number `seq` on; 0 gives all.
    pub fn changes_after(&self, seq: u64) -> Vec<Change> {
        let from = usize::try_from(seq).unwrap_or(usize::MAX);
        self.locked().ledger.changes().get(from..).map(<[Change]>::to_vec).unwrap_or_default()
    }

    /// What policies were asked for, and how they answered, by policy and action. A policy is called `hub`, by the ARN
    /// of its role, `trust of ARN` or `session of ARN`. Whoever has no policy may do everything and is not in it.
    pub fn judged(&self) -> BTreeMap<(String, String), Judged> {
        self.locked().judged.borrow().clone()
    }

    /// Uses that failed because a key was not Active.
    pub fn missed_uses(&self) -> Vec<MissedUse> {
        self.locked().ledger.missed().to_vec()
    }

    /// The most calls that were under way in this account at once.
    pub fn peak_in_flight(&self, account: &str) -> u64 {
        self.locked().ledger.peak(account)
    }

    /// The most calls that were under way at once.
    pub fn peak_in_flight_overall(&self) -> u64 {
        self.locked().ledger.peak_all()
    }

    pub(crate) fn locked(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request on its way, whose caller has given up.
#[derive(Debug)]
pub(crate) struct Late {
    incoming: Incoming,
    request_id: String,
}

impl World {
    /// Carries out what has arrived by now, as of the moment at which it did.
    pub(crate) fn receive_late(&mut self) {
        let now = self.now();
        let (mut arrived, on_their_way) =
            std::mem::take(&mut self.on_their_way).into_iter().partition::<Vec<_>, _>(|(at, _)| *at <= now);
        self.on_their_way = on_their_way;
        arrived.sort_by_key(|(at, _)| *at);
        for (at, Late { incoming, request_id }) in arrived {
            self.moment = Some(at);
            let caller = wire::authenticate(self, &incoming);
            wire::carry_out(self, &incoming, caller.as_ref(), &request_id, &Verdict::default());
            self.moment = None;
        }
    }

    pub(crate) fn set_hub_policy(&mut self, policy: Option<Arc<Policy>>) {
        self.hub_policy = policy.map(|policy| Attached { name: "hub".into(), policy });
        self.install_hub();
    }

    /// Puts the hub's own credentials where callers are looked up.
    fn install_hub(&mut self) {
        self.sessions.remove(hub_key_id(false));
        self.sessions.remove(hub_key_id(true));
        let account = self.settings.hub_account.clone();
        let account = self.account_or_new(&account).id.clone();
        let partition = &self.settings.partition;
        let (arn, user_id, role, token) = match &self.settings.hub {
            Hub::User(name) => {
                let arn = format!("arn:{partition}:iam::{account}:user/{name}");
                (arn, "AIDAKEYSWEEPHUB000000".to_owned(), None, String::new())
            }
            Hub::Role(name) => {
                let short = name.rsplit('/').next().unwrap_or(name);
                let session = RoleSession {
                    role_arn: format!("arn:{partition}:iam::{account}:role/{name}"),
                    session_name: "hub".to_owned(),
                    source_identity: None,
                    session_policy: None,
                    revoked: false,
                };
                let arn = format!("arn:{partition}:sts::{account}:assumed-role/{short}/hub");
                (arn, "AROAKEYSWEEPHUB000000:hub".to_owned(), Some(session), HUB_TOKEN.to_owned())
            }
        };
        let policy = self.hub_policy.clone();
        let id = hub_key_id(role.is_some());
        let principal = Arc::new(Principal { account, arn, user_id, role, powerless: false, policy });
        self.sessions.insert(id.into(), Session { token, expires: None, principal });
    }
}

fn hub_key_id(role: bool) -> &'static str {
    if role { "ASIAKEYSWEEPHUB00000" } else { "AKIAKEYSWEEPHUB00000" }
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
