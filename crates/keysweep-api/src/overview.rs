//! How things stand: the overview, accounts, the calendar, the audit log.

use jiff::Timestamp;
use jiff::civil::Date;
use keysweep_core::state::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Operation, PauseRow, Verb, number};

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowStatus {}

impl Operation for ShowStatus {
    type Reply = StatusDocument;
    const NAME: &'static str = "show_status";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/status";
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// Version of keysweep.
    pub version: String,
    /// `policy.mode`.
    pub mode: String,
    /// What the mode means, in words, overrides included.
    pub mode_means: String,
    /// What stops all automatic changes.
    pub stops: Vec<StopRow>,
    /// Every pause in effect.
    pub pauses: Vec<PauseRow>,
    /// What keysweep lacks to be relied on, in words.
    pub missing: Vec<String>,
    /// The last complete sweep; null before the first.
    pub sweep: Option<SweepRow>,
    /// Whether a sweep is under way.
    #[serde(default)]
    pub sweeping: bool,
    /// When the next sweep begins at the latest; null during a sweep, and without a daemon.
    #[serde(default)]
    pub next_sweep_at: Option<Timestamp>,
    /// Directory of journal and records; null for callers whose role has a scope.
    #[serde(default)]
    pub data_dir: Option<String>,
    /// How many keys are in each base state.
    pub states: Vec<CountRow>,
    /// How many keys there are of each finding and overlay.
    pub findings: Vec<CountRow>,
    /// Stale keys by idle time.
    pub idle: Vec<CountRow>,
    /// Open requests for approval.
    pub approvals: u64,
    /// Keys without an owner.
    pub without_owner: u64,
    /// Messages that could not be delivered.
    pub undeliverable: u64,
    /// Stale keys at the end of each day with a sweep, oldest first; at most 90 days.
    pub trend: Vec<TrendPoint>,
}

/// Something that stops all automatic changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopRow {
    /// What.
    pub title: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// What ends it, as a command.
    pub remedy: String,
}

/// A sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SweepRow {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took, in seconds.
    pub took_seconds: u64,
    /// Accounts scanned.
    pub scanned: u64,
    /// Accounts that failed.
    pub failed: u64,
    /// Accounts skipped.
    pub skipped: u64,
    /// Keys of which a fact could not be read.
    pub unknown_keys: u64,
}

/// A count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CountRow {
    /// Name, as in filters.
    pub name: String,
    /// Meaning, in words.
    pub meaning: String,
    /// How many.
    pub count: u64,
    /// Whether someone should look at it now.
    pub urgent: bool,
}

/// Stale keys at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrendPoint {
    /// The day, UTC.
    #[schemars(with = "String")]
    pub day: Date,
    /// How many.
    pub stale: u64,
}

/// Every account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAccounts {
    /// Part of the ID, the name, or the path of OUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// `scanned`, `failed`, `skipped`, or `left`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<String>,
    /// How many rows at most: 1 to 1000, 100 by default.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number::optional")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Operation for ListAccounts {
    type Reply = AccountsDocument;
    const NAME: &'static str = "list_accounts";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/accounts";
}

/// One page of accounts, failed ones first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountsDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// How many accounts match on all pages.
    pub total: u64,
    /// The rows of this page.
    pub accounts: Vec<AccountRow>,
    /// For the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountRow {
    /// Account ID.
    pub account_id: String,
    /// Name, if known.
    pub name: Option<String>,
    /// Names of the OUs above it, joined by `/`; empty if they are not read.
    pub ou_path: String,
    /// `scanned`, `failed`, `skipped`, or `left`.
    pub reach: String,
    /// Why it failed or is skipped.
    pub reason: Option<String>,
    /// Since when it failed, is skipped, or has left.
    pub since: Option<Timestamp>,
    /// When it was last scanned.
    pub scanned_at: Option<Timestamp>,
    /// Keys of which the last scan could not read a fact.
    pub unknown_keys: u64,
    /// Stale keys.
    pub stale: u64,
    /// Deactivated keys.
    pub deactivated: u64,
    /// Until when automatic changes are suspended in it.
    pub parked_until: Option<Timestamp>,
    /// Why.
    pub parked_because: Option<String>,
}

/// What happens on which day if nobody acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowCalendar {}

impl Operation for ShowCalendar {
    type Reply = CalendarDocument;
    const NAME: &'static str = "show_calendar";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/calendar";
}

/// What happens on which day if nobody acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// Time zone of the days: that of the policy.
    pub time_zone: String,
    /// Days with at least one event, the earliest first.
    pub days: Vec<CalendarDay>,
}

/// One day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarDay {
    /// The day.
    #[schemars(with = "String")]
    pub day: Date,
    /// What happens, the earliest first.
    pub events: Vec<CalendarEvent>,
    /// How many events of the day are not listed.
    pub more: u64,
}

/// Something that happens if nobody acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarEvent {
    /// The earliest time.
    pub at: Timestamp,
    /// `quarantine`, `deactivate`, `delete`, `approval_expires`, `hold_ends`, or `exemption_ends`.
    pub what: String,
    /// Account ID.
    pub account_id: String,
    /// Account name, if known.
    pub account_name: Option<String>,
    /// User.
    pub user_name: String,
    /// Key ID.
    pub access_key_id: String,
}

/// Entries of the audit log, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListJournal {
    /// Part of the name of the event, such as `deactivated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Part of the actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Key ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Account ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `true` for entries by people only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<String>,
    /// How many entries at most: 1 to 1000, 100 by default.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number::optional")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before: the number of an entry; absent for the newest entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Operation for ListJournal {
    type Reply = JournalDocument;
    const NAME: &'static str = "list_journal";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/journal";
}

/// One page of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// Newest first.
    pub entries: Vec<JournalRow>,
    /// For older entries; null at the beginning of the journal. A page can be shorter than `limit`, even empty, and have one.
    pub next_cursor: Option<String>,
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalRow {
    /// The way the decision came: `cli`, `api`, `page`, `slack`, `link`; `keysweep` for the program itself.
    pub channel: String,
    /// Who, for display.
    pub actor: String,
    /// Name of the event.
    pub event: String,
    /// Account ID, if it is about one.
    pub account_id: Option<String>,
    /// Key ID, if it is about one.
    pub access_key_id: Option<String>,
    /// The entry, as the journal has it.
    #[schemars(with = "serde_json::Value")]
    pub entry: Entry,
}
