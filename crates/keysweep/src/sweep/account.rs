//! The scan of one account: the credential report first, then only the users that matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_aws::report::Row;
use keysweep_aws::{Access, Aws, Fault, Reader, Report, ReportFault, ReportState};
use keysweep_core::facts::{AccountFacts, AccountScan, Fact, Inventory, KeyFacts, Outcome};
use keysweep_core::ids::{AccessKeyId, UserName};
use keysweep_core::lifecycle::{Record, Sighting};
use keysweep_core::planted;

use super::user::{SeenKey, UserLook, Users};
use crate::clock::Clock;
use crate::config::{Config, ScanSource};

/// How long to wait before asking again whether a report is made: AWS takes seconds, and minutes for large accounts.
const REPORT_POLL: [u64; 7] = [1, 2, 4, 8, 15, 30, 30];

/// What the scan of an account needs to know.
pub(super) struct Task {
    pub(super) aws: Aws,
    pub(super) config: Arc<Config>,
    pub(super) clock: Clock,
    /// Records of this account whose keys exist as far as keysweep knows.
    pub(super) tracked: Vec<Record>,
    pub(super) list_inactive: bool,
}

/// The scan of one account, which can be interrupted while AWS makes a report.
pub(super) struct AccountScanner {
    task: Task,
    account: AccountFacts,
    access: Access,
    polls: usize,
}

/// How far a scan is.
pub(super) enum Progressed {
    /// It came to its end.
    Done(Outcome),
    /// It goes on after this long, and needs no slot until then.
    Wait(Duration),
}

/// What a scan rests on.
enum Basis {
    Report(Box<Report>),
    Live { fallback: Option<String> },
}

impl AccountScanner {
    pub(super) fn new(task: Task, account: AccountFacts, access: Access) -> Self {
        Self { task, account, access, polls: 0 }
    }

    /// Goes on until the end, or until there is something to wait for.
    pub(super) async fn go_on(&mut self) -> Progressed {
        let reader = match self.task.aws.reader(self.account.id, self.access).await {
            Ok(reader) => reader,
            Err(fault) => return failed(&fault),
        };
        let basis = match self.basis(&reader).await {
            Ok(basis) => basis,
            Err(progressed) => return progressed,
        };
        match self.scan(&reader, basis).await {
            Ok(scan) => Progressed::Done(Outcome::Scanned(Box::new(scan))),
            Err(fault) => failed(&fault),
        }
    }

    /// The report, if it can be had; else the live way, if that is allowed.
    async fn basis(&mut self, reader: &Reader) -> Result<Basis, Progressed> {
        let settings = &self.task.config.scan;
        if settings.source == ScanSource::Live {
            return Ok(Basis::Live { fallback: None });
        }
        let report = match reader.request_report().await {
            Ok(ReportState::Ready) => {
                let max_age =
                    SignedDuration::try_from(settings.report_max_age).unwrap_or(SignedDuration::MAX);
                reader.fetch_report(self.task.clock.now(), max_age).await
            }
            Ok(ReportState::Pending) => match REPORT_POLL.get(self.polls) {
                Some(seconds) => {
                    self.polls += 1;
                    return Err(Progressed::Wait(Duration::from_secs(*seconds)));
                }
                None if settings.source == ScanSource::Report => {
                    return Err(Progressed::Done(Outcome::Failed {
                        reason: "its credential report was not made in time".into(),
                    }));
                }
                None => {
                    return Ok(Basis::Live {
                        fallback: Some("the credential report was not made in time".into()),
                    });
                }
            },
            Err(fault) => Err(fault),
        };
        match report {
            // Nobody knows whose keys a row without a name stands for, or one that swallowed others.
            Ok(report) if !report.names_every_user() => {
                let why = "the credential report has a row that stands for no one user".to_owned();
                if settings.source == ScanSource::Report {
                    return Err(Progressed::Done(Outcome::Failed { reason: why }));
                }
                Ok(Basis::Live { fallback: Some(why) })
            }
            Ok(report) => Ok(Basis::Report(Box::new(report))),
            // A report with a broken header says that its format changed: nothing is guessed from what is left of it.
            Err(fault)
                if settings.source == ScanSource::Report || matches!(fault, ReportFault::Unreadable(_)) =>
            {
                Err(Progressed::Done(Outcome::Failed { reason: in_words(&fault) }))
            }
            Err(fault) => Ok(Basis::Live { fallback: Some(in_words(&fault)) }),
        }
    }

    async fn scan(&self, reader: &Reader, basis: Basis) -> Result<AccountScan, Fault> {
        let sighting = self.task.clock.sighting(self.task.config.scan.interval);
        let mut scan = Scan::new(self, sighting);
        let mut users = Users::new(reader, &self.task.clock);
        match basis {
            Basis::Report(report) => {
                scan.found.report_generated_at = Some(report.generated_at());
                let candidates = scan.candidates(*report);
                for (name, row) in &candidates {
                    scan.look_at(&mut users, name, row.as_ref()).await;
                }
            }
            Basis::Live { fallback } => {
                scan.found.fallback = fallback;
                let names: BTreeSet<UserName> =
                    users.all().await?.iter().map(|user| user.name.clone()).collect();
                scan.found.inventory.users = u64::try_from(names.len()).unwrap_or(u64::MAX);
                scan.live = true;
                let tracked = scan.tracked.keys().cloned();
                for name in names.iter().cloned().chain(tracked).collect::<BTreeSet<_>>() {
                    scan.look_at(&mut users, &name, None).await;
                }
            }
        }
        Ok(scan.found)
    }
}

fn failed(fault: &Fault) -> Progressed {
    Progressed::Done(Outcome::Failed { reason: in_words(fault) })
}

/// An error with its sources, as one line.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

/// A scan in the making.
struct Scan<'a> {
    scanner: &'a AccountScanner,
    threshold: Duration,
    reads_tags: bool,
    looks_at_inactive: bool,
    tracked: BTreeMap<UserName, Vec<&'a Record>>,
    live: bool,
    /// Keys that were counted, and keys that were taken: a user that was renamed is met under either name.
    counted: BTreeSet<AccessKeyId>,
    taken: BTreeSet<AccessKeyId>,
    found: AccountScan,
}

impl<'a> Scan<'a> {
    fn new(scanner: &'a AccountScanner, sighting: Sighting) -> Self {
        let policy = &scanner.task.config.policy;
        let mut tracked: BTreeMap<UserName, Vec<&Record>> = BTreeMap::new();
        for record in &scanner.task.tracked {
            tracked.entry(record.user_name.clone()).or_default().push(record);
        }
        Self {
            scanner,
            threshold: policy.lowest_threshold(&scanner.account),
            reads_tags: policy.reads_user_tags(&scanner.account),
            looks_at_inactive: scanner.task.list_inactive || policy.may_adopt_inactive(&scanner.account),
            tracked,
            live: false,
            counted: BTreeSet::new(),
            taken: BTreeSet::new(),
            found: AccountScan {
                sighting,
                keys: Vec::new(),
                absent: BTreeSet::new(),
                unread_users: BTreeMap::new(),
                inventory: Inventory::default(),
                report_generated_at: None,
                fallback: None,
            },
        }
    }

    fn now(&self) -> Timestamp {
        self.found.sighting.at
    }

    /// Whether something that happened then is at least the lowest threshold ago.
    fn past_threshold(&self, then: Timestamp) -> bool {
        let threshold = SignedDuration::try_from(self.threshold).unwrap_or(SignedDuration::MAX);
        self.now().duration_since(then) >= threshold
    }

    /// Counts every user of the report and picks those to look at: the others cost no call, whatever their number.
    fn candidates(&mut self, report: Report) -> BTreeMap<UserName, Option<Row>> {
        let mut candidates: BTreeMap<UserName, Option<Row>> =
            self.tracked.keys().map(|name| (name.clone(), None)).collect();
        for row in report.into_rows() {
            match row {
                Ok(row) if row.root => {
                    let keys = row.keys().filter(|slot| slot.active).count();
                    self.found.inventory.root_keys = Some(u64::try_from(keys).unwrap_or(u64::MAX));
                }
                Ok(row) => {
                    self.count(&row);
                    if self.is_candidate(&row) || self.tracked.contains_key(&row.user_name) {
                        candidates.insert(row.user_name.clone(), Some(row));
                    }
                }
                // A user whose row cannot be read is looked at live.
                Err(error) => {
                    self.found.inventory.users += 1;
                    candidates.extend(error.user().map(|user| (user.clone(), None)));
                }
            }
        }
        candidates
    }

    fn count(&mut self, row: &Row) {
        let now = self.now();
        let inventory = &mut self.found.inventory;
        inventory.users += 1;
        for slot in row.keys() {
            if slot.active {
                let last_use = slot.last_used.known().and_then(|used| used.at());
                count_active(inventory, now, slot.last_rotated, last_use);
            } else {
                inventory.inactive_keys += 1;
            }
        }
    }

    /// Whether an active key of the row could be a finding, or its keys cannot be told from the row.
    fn is_candidate(&self, row: &Row) -> bool {
        let may_be_stale = |slot: &keysweep_aws::report::Slot| {
            let Some(created) = slot.last_rotated else { return true };
            let idle_since = match &slot.last_used {
                Fact::Known(used) => used.at().map_or(created, |at| at.max(created)),
                Fact::Unknown(_) | Fact::NotRead => created,
            };
            self.past_threshold(idle_since) || (self.may_be_over_age() && self.past_threshold(created))
        };
        row.more_than_two
            || row.keys().any(|slot| if slot.active { may_be_stale(slot) } else { self.looks_at_inactive })
    }

    fn may_be_over_age(&self) -> bool {
        self.scanner.task.config.policy.may_find_over_age(&self.scanner.account)
    }

    /// Looks at one user; what cannot be read is noted and costs the others nothing.
    async fn look_at(&mut self, users: &mut Users<'_>, name: &UserName, row: Option<&Row>) {
        let look = UserLook {
            account: &self.scanner.account,
            name,
            row,
            tracked: self.tracked.get(name).map(Vec::as_slice).unwrap_or_default(),
            reads_tags: self.reads_tags,
            looks_at_inactive: self.looks_at_inactive,
            all_keys: self.live,
            may_be_stale: &|created| self.past_threshold(created),
        };
        match users.look(&look).await {
            Ok(seen) => {
                if self.live {
                    self.count_live(&seen.keys);
                }
                for SeenKey { facts, worth_deciding } in seen.keys {
                    if worth_deciding && self.taken.insert(facts.key.clone()) {
                        self.found.keys.push(facts);
                    }
                }
                self.found.absent.extend(seen.absent);
            }
            Err(_) if planted!(UnreadIsGone) => {
                let tracked = self.tracked.get(name).into_iter().flatten();
                self.found.absent.extend(tracked.map(|record| record.identity.key.clone()));
            }
            Err(fault) => {
                self.found.unread_users.insert(name.clone(), in_words(&fault));
            }
        }
    }

    fn count_live(&mut self, keys: &[SeenKey]) {
        let now = self.now();
        let inventory = &mut self.found.inventory;
        for KeyFacts { key, status, created, last_use, .. } in keys.iter().map(|key| &key.facts) {
            if !self.counted.insert(key.clone()) {
                continue;
            }
            match status {
                keysweep_core::facts::KeyStatus::Active => {
                    let used = last_use.known().and_then(|used| used.at());
                    count_active(inventory, now, Some(*created), used);
                }
                keysweep_core::facts::KeyStatus::Inactive => inventory.inactive_keys += 1,
                keysweep_core::facts::KeyStatus::Other(_) => {}
            }
        }
    }
}

fn count_active(
    inventory: &mut Inventory,
    now: Timestamp,
    created: Option<Timestamp>,
    last_use: Option<Timestamp>,
) {
    inventory.active_keys += 1;
    let Some(created) = created else { return };
    let idle_since = last_use.map_or(created, |at| at.max(created));
    let idle = Duration::try_from(now.duration_since(idle_since)).unwrap_or(Duration::ZERO);
    inventory.idle.add(idle, last_use.is_none());
    inventory.oldest_active_key =
        Some(inventory.oldest_active_key.map_or(created, |oldest| oldest.min(created)));
}
