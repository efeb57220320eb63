//! The state of the made-up organization. Everything here is truth; what callers are told of it is `wire`'s business.

mod account;
mod analyzer;
mod attempt;
mod credentials;
mod identity;
mod keys;
mod organization;
mod regions;
mod report;
mod trail;
mod users;
mod uses;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

pub(crate) use account::{Account, Role};
pub(crate) use analyzer::Analyzer;
pub use analyzer::AnalyzerFinding;
pub(crate) use attempt::Attempt;
pub(crate) use credentials::{Attached, Principal, RoleSession, Session, Signed};
pub(crate) use identity::{
    account_of_arn, mint_key_id, mint_role_id, mint_session_key_id, mint_user_id, whole_second,
};
pub use keys::LastUse;
pub(crate) use keys::{Key, KeyHome};
pub(crate) use organization::{FOREIGN_ORGANIZATION_ID, ORGANIZATION_ID, OrgTree, ROOT_ID, Unit};
pub(crate) use regions::{home_region, trail_region};
pub(crate) use report::Report;
pub(crate) use trail::{Entry, Event, Identity, Position, Trail};
pub(crate) use users::{Password, User, user_arn};

use crate::clock::Clock;
use crate::faults::Faults;
use crate::ledger::{Change, Judged, Ledger, Who};
use crate::origin::Origin;
use crate::script::{Scheduled, Watch};
use crate::settings::Settings;
use crate::watch::Watcher;

/// Everything behind the handle.
pub(crate) struct World {
    pub(crate) settings: Settings,
    clock: Clock,
    wall: Clock,
    pub(crate) tree: OrgTree,
    pub(crate) accounts: BTreeMap<Arc<str>, Account>,
    /// The customer managed policies that every account has, by name.
    pub(crate) policies: BTreeMap<String, String>,
    /// Analyzers of IAM Access Analyzer, by ARN.
    pub(crate) analyzers: BTreeMap<String, Analyzer>,
    pub(crate) keys: HashMap<Arc<str>, KeyHome>,
    pub(crate) sessions: HashMap<Arc<str>, Session>,
    pub(crate) denials: Vec<Denial>,
    /// What the hub may do; None: everything.
    pub(crate) hub_policy: Option<Attached>,
    /// Written while the world is only read.
    pub(crate) judged: RefCell<BTreeMap<(String, String), Judged>>,
    pub(crate) faults: Faults,
    pub(crate) ledger: Ledger,
    pub(crate) scheduled: BinaryHeap<Reverse<Scheduled>>,
    pub(crate) watches: Vec<Watch>,
    /// Requests on their way, by the moment at which they arrive.
    pub(crate) on_their_way: Vec<(Timestamp, crate::sim::Late)>,
    pub(crate) watcher: Option<Arc<dyn Watcher>>,
    pub(crate) counter: u64,
    pub(crate) requests: u64,
    /// Events of CloudTrail so far.
    pub(crate) events: u64,
    /// Where people of the organization call from, by their names in scripts.
    pub(crate) origins: HashMap<String, Origin>,
    /// The moment a happening is due, while it happens: a script that is caught up with acts in its own time.
    pub(crate) moment: Option<Timestamp>,
    /// Words that repeat a million times: statuses, services, Regions, paths.
    words: HashSet<Arc<str>>,
    /// The `Date` header of the second it was last worded for.
    date: (i64, String),
}

/// An explicit deny from above, as by a service control policy. None: every account.
#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) account: Option<String>,
    pub(crate) action: wildmatch::WildMatch,
}

/// Why AWS refused, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Who acts and in which request: what every change is recorded with.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) who: Who,
    pub(crate) request_id: Option<String>,
    /// None for scripts.
    pub(crate) signed: Option<Signed>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    pub(crate) fn no_such_user(name: &str) -> Self {
        Self::new(404, "NoSuchEntity", format!("The user with name {name} cannot be found."))
    }

    pub(crate) fn no_such_key(id: &str) -> Self {
        Self::new(404, "NoSuchEntity", format!("The Access Key with id {id} cannot be found."))
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }
}

impl Actor {
    pub(crate) fn script(who: &str) -> Self {
        Self { who: Who::Script(who.to_owned()), request_id: None, signed: None }
    }
}

impl World {
    pub(crate) fn new(clock: Clock, wall: Clock, settings: Settings) -> Self {
        let mut world = Self {
            tree: OrgTree::new(),
            accounts: BTreeMap::new(),
            policies: BTreeMap::new(),
            analyzers: BTreeMap::new(),
            keys: HashMap::new(),
            sessions: HashMap::new(),
            denials: Vec::new(),
            hub_policy: None,
            judged: RefCell::default(),
            faults: Faults::new(1),
            ledger: Ledger::default(),
            scheduled: BinaryHeap::new(),
            watches: Vec::new(),
            on_their_way: Vec::new(),
            watcher: None,
            counter: 0,
            requests: 0,
            events: 0,
            origins: HashMap::new(),
            moment: None,
            words: HashSet::new(),
            date: (i64::MIN, String::new()),
            settings,
            clock,
            wall,
        };
        let management: Arc<str> = world.settings.management_account.as_str().into();
        let mut account = Account::new(management.clone(), world.now());
        account.name = "management".to_owned();
        world.accounts.insert(management, account);
        world
    }

    /// World time, to the second as IAM knows it.
    pub(crate) fn now(&self) -> Timestamp {
        whole_second(self.moment.unwrap_or_else(|| (self.clock)()))
    }

    /// Operational time: the `Date` header and session expiry.
    pub(crate) fn wall(&self) -> Timestamp {
        (self.wall)()
    }

    /// What requests are judged by: the time that the `Date` header tells, or the moment at which a late one arrived.
    pub(crate) fn time_of_requests(&self) -> Timestamp {
        self.moment.unwrap_or_else(|| self.wall())
    }

    /// The `Date` header.
    pub(crate) fn http_date(&mut self) -> String {
        let wall = self.wall();
        if self.date.0 != wall.as_second() {
            self.date = (wall.as_second(), wall.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        }
        self.date.1.clone()
    }

    /// The one shared copy of a word.
    pub(crate) fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(word) = self.words.get(text) {
            return word.clone();
        }
        let word: Arc<str> = text.into();
        self.words.insert(word.clone());
        word
    }

    pub(crate) fn set_wall(&mut self, wall: Clock) {
        self.wall = wall;
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// The account of that id, made if there is none.
    pub(crate) fn account_or_new(&mut self, id: &str) -> &mut Account {
        let now = self.now();
        let id: Arc<str> = id.into();
        self.accounts.entry(id.clone()).or_insert_with(|| Account::new(id, now))
    }

    /// The account of that id, with its report frozen first: whoever alters users or keys comes through here.
    pub(crate) fn account_to_alter(&mut self, id: &str) -> Option<&mut Account> {
        let lag = self.settings.last_used_lag;
        let partition = self.settings.partition.clone();
        let account = self.accounts.get_mut(id)?;
        account.freeze_report(&partition, lag);
        Some(account)
    }

    pub(crate) fn blank_change(&self, account: &str, action: &str, actor: &Actor) -> Attempt {
        let change = Change {
            seq: 0,
            at: self.now(),
            account: account.to_owned(),
            user_name: None,
            user_id: None,
            key_id: None,
            action: action.to_owned(),
            old: None,
            new: None,
            who: actor.who.clone(),
            request_id: actor.request_id.clone(),
            applied: false,
            delivered: actor.request_id.is_none(),
            error: None,
        };
        Attempt::new(change, actor)
    }

    /// The organization that an account is in, if it is in one.
    pub(crate) fn organization_of(&self, account: &str) -> Option<&'static str> {
        let account = self.accounts.get(account)?;
        match (account.foreign, self.settings.organizations_in_use) {
            (true, _) => Some(FOREIGN_ORGANIZATION_ID),
            (false, in_use) => in_use.then_some(ORGANIZATION_ID),
        }
    }

    pub(crate) fn denied_from_above(&self, account: &str, action: &str) -> bool {
        self.denials.iter().any(|denial| {
            denial.account.as_deref().is_none_or(|own| own == account) && denial.action.matches(action)
        })
    }
}
