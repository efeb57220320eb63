//! What the tests are made of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_aws::{
    Access, Aws, Fault, FaultKind, ListedAccount, Observer, Reader, Settings, StaticCredentials,
};
use keysweep_core::evidence::{RegionTrail, Trail};
use keysweep_core::facts::{AccountFacts, Fact, KeyFacts, KeyStatus, LastUse, Source, Tags};
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::{AccountId, BundleId, KeyIdentity, UserName};
use keysweep_core::lifecycle::event::{Change, Note, Purpose};
use keysweep_core::lifecycle::{
    Deactivated, DeactivatedBy, Flagged, KeyEvent, Record, Sighting, State as KeyState, Watch,
};
use keysweep_core::plan::{Context, View, ordered, recheck};
use keysweep_core::policy::{Exemption, Match, Policy};
use keysweep_core::state::{Actor, Body, Delta, Draft, Entry, State};
use keysweep_core::ticket::{Action, Order, Origin, Warrant};
use keysweep_sim::{HandClock, KeySpec, Sim, UserRef};

pub(crate) const PROD: &str = "111122223333";
pub(crate) const DEV: &str = "444455556666";
const EXTERNAL_ID: &str = "an-external-id";

/// A simulator with one hand clock for everything, and what was told to the observer.
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) clock: HandClock,
    pub(crate) told: Arc<Told>,
}

type Call = (&'static str, Result<(), FaultKind>, Duration);

/// What the observer was told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) skews: Mutex<Vec<SignedDuration>>,
}

impl Observer for Told {
    fn call(&self, api: &'static str, result: Result<(), FaultKind>, elapsed: Duration) {
        self.calls.lock().unwrap().push((api, result, elapsed));
    }

    fn skew(&self, aws_minus_ours: SignedDuration) {
        self.skews.lock().unwrap().push(aws_minus_ours);
    }
}

/// An organization with the accounts PROD and DEV, both with both roles.
pub(crate) fn mk_world() -> World {
    let clock = HandClock::at("2026-11-21T12:00:00Z".parse().unwrap());
    let sim = Sim::new(clock.clock());
    for (id, name) in [(PROD, "prod"), (DEV, "dev")] {
        mk_account(&sim, id, name);
    }
    World { sim, clock, told: Arc::default() }
}

pub(crate) fn mk_account(sim: &Sim, id: &str, name: &str) {
    let account = sim.account(id).name(name).ou("Workloads");
    account.role("keysweep/KeysweepScan", EXTERNAL_ID).role("keysweep/KeysweepEnforce", EXTERNAL_ID).add();
}

/// Every account, all pages together.
pub(crate) async fn list_accounts(aws: &Aws) -> Result<Vec<ListedAccount>, Fault> {
    let (mut pages, mut accounts) = (aws.accounts(), Vec::new());
    while let Some(page) = pages.next().await? {
        accounts.extend(page);
    }
    Ok(accounts)
}

impl World {
    pub(crate) fn settings(&self) -> Settings {
        let (access_key_id, secret, token) = self.sim.hub_credentials();
        let mut settings = Settings::new(self.clock.clock());
        settings.external_id = Some(EXTERNAL_ID.into());
        settings.http = Some(self.sim.connector());
        settings.observer = Arc::clone(&self.told) as Arc<dyn Observer>;
        settings.credentials = Some(StaticCredentials {
            access_key_id,
            secret_access_key: secret.into(),
            session_token: token.map(Into::into),
        });
        settings
    }

    pub(crate) async fn aws(&self) -> Aws {
        Aws::connect(self.settings()).await.unwrap()
    }

    pub(crate) async fn reader(&self) -> Reader {
        self.aws().await.reader(id(PROD), Access::Assume).await.unwrap()
    }

    /// A user of PROD below `/ci/` whose one key was made 400 days ago and last used 200 days ago.
    pub(crate) fn stale_user(&self, name: &str) -> UserRef {
        self.user_with(name, |key| key)
    }

    pub(crate) fn user_with(&self, name: &str, change: impl FnOnce(KeySpec) -> KeySpec) -> UserRef {
        let key = KeySpec::new().created(self.ago(400)).used(self.ago(200), "s3", "eu-west-1");
        self.sim.user(PROD, name).path("/ci/").created(self.ago(500)).key(change(key)).add()
    }

    pub(crate) fn ago(&self, days: i64) -> Timestamp {
        self.clock.now() - SignedDuration::from_hours(24 * days)
    }

    /// A warrant as a re-check would give it, for the first key of the user.
    pub(crate) fn warrant(&self, user: &UserRef, action: Action, exempt_tags: &[(&str, &str)]) -> Warrant {
        self.witness(user, action, exempt_tags).0
    }

    /// The order for a warrant as a re-check would give it.
    #[allow(clippy::disallowed_methods, reason = "a journal in memory")]
    pub(crate) fn order(&self, user: &UserRef, action: Action) -> Order {
        let (warrant, state) = self.witness(user, action, &[]);
        let (account, key) = (warrant.identity().account, warrant.identity().key.clone());
        let origin = Origin::Operator { actor: Actor::local("ada"), reason: "test".to_owned() };
        let event = KeyEvent::Change(Change::Intent {
            action,
            origin,
            why: "test".to_owned(),
            deadline: Timestamp::MAX,
            quarantine: None,
        });
        let receipt = |event| {
            let body = Body::Key { account, key: key.clone(), event };
            let entry = Entry { seq: 7, at: self.clock.now(), actor: Actor::local("ada"), body };
            Draft::new(&state, &Delta::default()).apply(&entry).unwrap().written()
        };
        if action != Action::Delete {
            return warrant.recorded(receipt(event)).unwrap();
        }
        let bundle = Note::BundleWritten { bundle: BundleId::from([0; 32]), purpose: Purpose::Deletion };
        let warrant = *warrant.recorded(receipt(event.clone())).unwrap_err();
        let warrant = warrant.evidenced(&receipt(KeyEvent::Record(bundle))).unwrap();
        warrant.recorded(receipt(event)).unwrap()
    }

    fn witness(&self, user: &UserRef, action: Action, exempt_tags: &[(&str, &str)]) -> (Warrant, State) {
        let now = self.clock.now();
        let truth = self.sim.key(&user.keys[0]).unwrap();
        let identity = KeyIdentity {
            account: id(PROD),
            user_id: user.user_id.parse().unwrap(),
            key: truth.key_id.parse().unwrap(),
            created: truth.created,
        };
        let last_use =
            LastUse::At { at: self.ago(200), service: Some("s3".into()), region: Some("eu-west-1".into()) };
        let sighting =
            Sighting { at: now, run: 1, monotonic: Duration::ZERO, interval: Duration::from_secs(21_600) };
        let deactivated = matches!(action, Action::Reactivate | Action::Delete);
        let record = Record {
            identity: identity.clone(),
            user_name: name(&truth.user_name),
            owner: None,
            state: mk_state(deactivated, now, &last_use, &sighting),
            holds: Vec::new(),
            exempt: None,
            incident: None,
            due: None,
            undo: None,
            quarantine: None,
            past: keysweep_core::lifecycle::Past::default(),
        };
        let ticket = ordered(&record, action, &Actor::local("ada"), "test").unwrap();
        let state = State::from_parts(
            BTreeMap::from([(identity.key.clone(), record)]),
            BTreeMap::default(),
            keysweep_core::state::Control::default(),
        );
        let exemption = |(key, value): &(&str, &str)| Exemption {
            matches: Match {
                user_tags: BTreeMap::from([((*key).to_owned(), (*value).to_owned())]),
                ..Match::default()
            },
            reason: "test".to_owned(),
            until: "2099-01-01".parse().unwrap(),
        };
        let policy = Policy { exemptions: exempt_tags.iter().map(exemption).collect(), ..Policy::default() };
        let account = AccountFacts {
            id: id(PROD),
            name: "prod".to_owned(),
            email: Fact::Known(String::new()),
            management: false,
            ous: Fact::NotRead,
            tags: Fact::NotRead,
        };
        let facts = KeyFacts {
            account: id(PROD),
            user_name: name(&truth.user_name),
            user_id: Fact::Known(identity.user_id.clone()),
            path: Fact::Known("/ci/".to_owned()),
            tags: Fact::Known(Tags::default()),
            key: identity.key.clone(),
            created: identity.created,
            status: if deactivated { KeyStatus::Inactive } else { KeyStatus::Active },
            last_use: Fact::Known(last_use),
            source: Source::Live,
            other_keys: Vec::new(),
            policies: Fact::Known(Vec::new()),
            password: Fact::NotRead,
            policy_denies: Fact::NotRead,
            trail: Fact::Known(
                Trail {
                    analyzer: None,
                    at: now,
                    since: now,
                    regions: [("us-east-1".to_owned(), RegionTrail::Read(Vec::new()))].into(),
                }
                .into(),
            ),
        };
        let context = Context { now, policy: &policy, state: &state };
        let view = View { account: &account, facts: &facts, sighting: &sighting };
        let agreement = recheck(&context, &ticket, &view).unwrap();
        let warrant = ticket.agreed(agreement).unwrap();
        (warrant, state)
    }
}

fn mk_state(deactivated: bool, now: Timestamp, last_use: &LastUse, sighting: &Sighting) -> KeyState {
    let (finding, last_use) = (FindingKind::Unused, last_use.clone());
    let since = now - SignedDuration::from_hours(24 * 30);
    if deactivated {
        KeyState::Deactivated(Box::new(Deactivated {
            origin: DeactivatedBy::Keysweep,
            since,
            finding,
            last_use,
            watch: Watch { total: Duration::from_secs(86_400 * 30), last: Some(sighting.clone()) },
            notice: None,
            approval: None,
            setback: None,
            last_use_moved: false,
            bundle: Some(BundleId::from([0; 32])),
            team_told: false,
        }))
    } else {
        KeyState::Flagged(Flagged {
            finding,
            since,
            last_use,
            notice: None,
            approval: None,
            setback: None,
            team_told: false,
        })
    }
}

pub(crate) fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

pub(crate) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}
