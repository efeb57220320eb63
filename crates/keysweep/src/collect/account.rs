//! The scan of one account: the credential report first, then only the users that matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_aws::report::Row;
use keysweep_aws::{Access, Aws, Fault, Reader, Report, ReportFault, ReportState};
use keysweep_core::facts::{AccountFacts, AccountScan, Fact, Inventory, KeyFacts, LastUse, Outcome};
use keysweep_core::ids::{AccessKeyId, UserName};
use keysweep_core::lifecycle::{Record, Sighting};
use keysweep_core::references::{Met, Patterns};

use super::identities::Identities;
use super::user::{NameIs, SeenKey, UserLook, Users};
use crate::causes::in_words;
use crate::clock::Clock;
use crate::config::{Config, Evidence, ScanSource};

/// How long to wait before asking again whether a report is made: AWS takes seconds, and minutes for large accounts.
const REPORT_POLL: [u64; 7] = [1, 2, 4, 8, 15, 30, 30];

/// What the scan of an account needs to know.
pub(super) struct Task {
    pub(super) aws: Aws,
    pub(super) config: Arc<Config>,
    pub(super) clock: Clock,
    /// Records of this account whose keys exist as far as keysweep knows.
    pub(super) tracked: Vec<Arc<Record>>,
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
                // Keys that were made since are not in it: by the time they could be a finding, it is too old.
                let max_age = settings.report_max_age.min(self.lowest_threshold());
                let max_age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
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

    /// How keys are looked up in CloudTrail, if they are.
    fn looks_up(&self) -> Option<&Evidence> {
        let config = &self.task.config;
        config.policy.cloudtrail.then_some(&config.evidence)
    }

    fn lowest_threshold(&self) -> Duration {
        self.task.config.policy.lowest_threshold(&self.account)
    }

    async fn scan(&self, reader: &Reader, basis: Basis) -> Result<AccountScan, Fault> {
        let sighting = self.task.clock.sighting(self.task.config.scan.interval);
        let mut users = Users::new(reader, &self.task.clock, self.looks_up());
        let fallback = match basis {
            Basis::Live { fallback } => fallback,
            Basis::Report(report) => {
                let mut scan = Scan::new(self, sighting.clone());
                scan.found.report_generated_at = Some(report.generated_at());
                let candidates = scan.candidates(*report);
                let lost = std::mem::take(&mut scan.found.unread_rows);
                if lost.is_empty() || self.task.config.scan.source == ScanSource::Report {
                    scan.found.unread_rows = lost;
                    users.ask_about(scan.identities(&candidates));
                    for (name, row) in candidates {
                        let made = row.as_ref().and_then(|row| row.created);
                        scan.look_at(&mut users, Candidate { name, row, made }).await;
                    }
                    return Ok(scan.finish(&mut users, reader).await);
                }
                Some(lost_rows(&lost))
            }
        };
        let mut scan = Scan::new(self, sighting);
        scan.found.fallback = fallback;
        scan.live = true;
        let mut names: BTreeMap<UserName, Option<Timestamp>> =
            scan.tracked.keys().map(|name| (name.clone(), None)).collect();
        let listed = users.all().await?;
        scan.found.inventory.users = u64::try_from(listed.len()).unwrap_or(u64::MAX);
        for user in listed {
            scan.patterns.see(&mut scan.found.met, &user.name, &user.path);
        }
        scan.found.met.every_user = true;
        names.extend(listed.iter().map(|user| (user.name.clone(), Some(user.created))));
        // Whose keys are worth a question is known only when they are listed.
        users.ask_about(Identities::new(scan.found.inventory.users, 0, BTreeSet::new()));
        for (name, made) in names {
            scan.look_at(&mut users, Candidate { name, row: None, made }).await;
        }
        Ok(scan.finish(&mut users, reader).await)
    }
}

/// Rows that name nobody, as the reason to do without the report.
fn lost_rows(rows: &[String]) -> String {
    match rows {
        [one] => one.clone(),
        [first, others @ ..] => format!("{first}, and {} more rows", others.len()),
        [] => String::new(),
    }
}

/// A user to look at.
struct Candidate {
    name: UserName,
    /// Its row of the report, where there is one.
    row: Option<Row>,
    /// When the user of this name was made, as the report or the listing of users says.
    made: Option<Timestamp>,
}

fn failed(fault: &Fault) -> Progressed {
    Progressed::Done(Outcome::Failed { reason: in_words(fault) })
}

/// A scan in the making.
struct Scan<'a> {
    scanner: &'a AccountScanner,
    threshold: Duration,
    reads_tags: bool,
    looks_at_inactive: bool,
    tracked: BTreeMap<UserName, Vec<&'a Record>>,
    patterns: Patterns,
    live: bool,
    /// Why the root user's row of the report could not be read.
    root_row: Option<String>,
    /// Users that were looked at, and those to look at besides: users who had another name when the report was made.
    looked: BTreeSet<UserName>,
    renamed: BTreeSet<UserName>,
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
            threshold: scanner.lowest_threshold(),
            reads_tags: policy.reads_user_tags(&scanner.account),
            looks_at_inactive: scanner.task.list_inactive || policy.may_adopt_inactive(&scanner.account),
            tracked,
            patterns: Patterns::of(policy),
            live: false,
            root_row: None,
            looked: BTreeSet::new(),
            renamed: BTreeSet::new(),
            counted: BTreeSet::new(),
            taken: BTreeSet::new(),
            found: AccountScan {
                sighting,
                keys: Vec::new(),
                absent: BTreeSet::new(),
                unread_users: BTreeMap::new(),
                unread_rows: Vec::new(),
                root_keys_unknown: None,
                inventory: Inventory::default(),
                report_generated_at: None,
                fallback: None,
                met: Met::default(),
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
        self.found.met.every_user = true;
        for row in report.into_rows() {
            match row {
                Ok(row) if row.root => {
                    let keys = row.keys().filter(|slot| slot.active).count();
                    self.found.inventory.root_keys = Some(u64::try_from(keys).unwrap_or(u64::MAX));
                }
                Ok(row) => {
                    self.patterns.see(&mut self.found.met, &row.user_name, &row.path);
                    self.count(&row);
                    if self.is_candidate(&row) || self.tracked.contains_key(&row.user_name) {
                        candidates.insert(row.user_name.clone(), Some(row));
                    }
                }
                Err(error) if error.is_root() => self.root_row = Some(error.to_string()),
                // Whose row this is nobody knows: the user that it seems to name may be another.
                Err(error) => {
                    self.found.met.every_user = false;
                    self.found.inventory.users += 1;
                    self.found.unread_rows.push(error.to_string());
                }
            }
        }
        candidates
    }

    /// How candidates are asked about: each for its policies, and for who it is where no record says so.
    fn identities(&self, candidates: &BTreeMap<UserName, Option<Row>>) -> Identities {
        let calls = |(name, row): (&UserName, &Option<Row>)| {
            let known = !self.reads_tags && row.is_some() && self.tracked.contains_key(name);
            1 + u64::from(!known)
        };
        let expected = candidates.iter().map(calls).sum();
        Identities::new(self.found.inventory.users, expected, candidates.keys().cloned().collect())
    }

    fn count(&mut self, row: &Row) {
        let now = self.now();
        let inventory = &mut self.found.inventory;
        inventory.users += 1;
        // The report shows two keys of a user. Where there are more, all are counted as they are listed.
        for slot in row.keys().filter(|_| !row.more_than_two) {
            if slot.active {
                count_active(inventory, now, slot.last_rotated, &slot.last_used);
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

    /// Looks at users who had another name before, and at the root user.
    async fn finish(mut self, users: &mut Users<'_>, reader: &Reader) -> AccountScan {
        let renamed = std::mem::take(&mut self.renamed);
        for name in renamed.difference(&self.looked.clone()) {
            self.look_at(users, Candidate { name: name.clone(), row: None, made: None }).await;
        }
        if self.found.inventory.root_keys.is_none() {
            // Without its row, all that can be told is whether there are any.
            match reader.has_root_keys().await {
                Ok(has) => self.found.inventory.root_keys = Some(u64::from(has)),
                Err(fault) => {
                    let row = self.root_row.take().map(|row| format!("{row}; ")).unwrap_or_default();
                    self.found.root_keys_unknown = Some(format!("{row}{}", in_words(&fault)));
                }
            }
        }
        self.found
    }

    /// Looks at one user; what cannot be read is noted and costs the others nothing.
    async fn look_at(&mut self, users: &mut Users<'_>, candidate: Candidate) {
        let Candidate { name, row, made } = &candidate;
        self.looked.insert(name.clone());
        let look = UserLook {
            account: &self.scanner.account,
            name,
            row: row.as_ref(),
            tracked: self.tracked.get(name).map(Vec::as_slice).unwrap_or_default(),
            reads_tags: self.reads_tags,
            looks_at_inactive: self.looks_at_inactive,
            all_keys: self.live,
            may_be_stale: &|created| self.past_threshold(created),
        };
        match users.look(&look).await {
            Ok(seen) => {
                if self.live || row.as_ref().is_some_and(|row| row.more_than_two) {
                    self.count_live(&seen.keys);
                }
                // Whoever had the name when the report was made, or when users were listed, may have another now.
                if seen.name_is != NameIs::Same && (row.is_some() || made.is_some()) {
                    match users.renamed(name, *made, seen.name_is).await {
                        Ok(names) => self.renamed.extend(names),
                        Err(why) => {
                            self.found.unread_users.insert(name.clone(), why);
                        }
                    }
                }
                for SeenKey { facts, worth_deciding } in seen.keys {
                    if worth_deciding && self.taken.insert(facts.key.clone()) {
                        self.found.keys.push(Arc::new(facts));
                    }
                }
                self.found.absent.extend(seen.absent);
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
                    count_active(inventory, now, Some(*created), last_use);
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
    last_use: &Fact<LastUse>,
) {
    inventory.active_keys += 1;
    let Some(created) = created else { return };
    inventory.oldest_active_key =
        Some(inventory.oldest_active_key.map_or(created, |oldest| oldest.min(created)));
    // A key of which the last use is unknown is in no bucket: it is not one that was never used.
    let Fact::Known(last_use) = last_use else { return };
    let idle_since = last_use.at().map_or(created, |at| at.max(created));
    let idle = Duration::try_from(now.duration_since(idle_since)).unwrap_or(Duration::ZERO);
    inventory.idle.add(idle, last_use.at().is_none());
}
