//! Findings and keys in the lifecycle: filtered, sorted, and page by page.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;
use keysweep_api::{FindingsDocument, KeyFilter, KeyOrder, KeyRow, ListFindings, Refusal};
use keysweep_core::finding::{FindingKind, SubjectKind};
use keysweep_core::render::{FindingRow, NextAction};
use keysweep_core::state::State;

use super::Look;
use super::show::visible_rows;
use crate::access::Sight;
use crate::engine::Engine;

/// Rows of a page without `limit`, and at most.
const USUAL: u32 = 100;
const MOST: u32 = 1_000;

/// Filters are not longer than the longest name.
const LONGEST: usize = 256;

impl Look for ListFindings {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<FindingsDocument, Refusal> {
        let Self { filter, sort, limit, cursor } = self;
        let matcher = Matcher::new(&filter)?;
        let mut rows = engine.all_rows(sight);
        engine.store().read(|state| rows.retain(|row| matcher.matches_row(row, state)));
        sort_rows(&mut rows, sort);
        let (generated_at, latest) = (engine.clock().now(), engine.latest());
        let page = page(rows, limit, cursor.as_deref(), row_id)?;
        Ok(FindingsDocument {
            generated_at,
            collected_at: latest.map(|latest| latest.collection.at),
            total: page.total,
            findings: page.rows,
            next_cursor: page.next,
        })
    }
}

impl Engine {
    /// What the last sweep found, and records of keys that it did not see: deleted, gone, or out of reach.
    pub(crate) fn all_rows(&self, sight: &Sight) -> Vec<FindingRow> {
        let (now, config, latest) = (self.clock().now(), self.config(), self.latest());
        let recorded = self.show_keys(sight).keys;
        self.store().read(|state| {
            let mut rows = match &latest {
                Some(latest) => {
                    let collection = &latest.collection;
                    let plan = self.plan(now, &config.policy, state, collection);
                    visible_rows(now, collection, &plan, state, sight)
                }
                None => Vec::new(),
            };
            let seen: BTreeSet<_> = rows.iter().filter_map(|row| row.access_key_id.clone()).collect();
            let unseen = recorded.into_iter().filter(|row| !seen.contains(&row.access_key_id));
            rows.extend(unseen.map(|row| of_record(row, now)));
            rows
        })
    }
}

/// A record of a key that the last sweep did not see.
fn of_record(row: KeyRow, now: Timestamp) -> FindingRow {
    let owner = row.owner.as_ref();
    FindingRow {
        subject: SubjectKind::Key,
        account_id: row.account_id,
        account_name: row.account_name,
        user_name: row.user_name,
        user_id: Some(row.user_id),
        access_key_id: Some(row.access_key_id),
        status: "unknown".to_owned(),
        created_at: Some(row.created_at),
        last_used_at: None,
        last_used_service: None,
        last_used_region: None,
        idle_days: None,
        age_days: Some(now.duration_since(row.created_at).as_hours() / 24),
        finding: row.finding,
        severity: None,
        compliance: Vec::new(),
        remediation: Vec::new(),
        state: row.state,
        overlays: row.overlays,
        unknown: Vec::new(),
        next_action: row.next_action,
        next_action_at: row.next_action_at,
        next_action_reason: row.next_action_reason,
        approval_request: row.approval.as_ref().map(|approval| approval.request.clone()),
        reactivations: row.reactivations,
        owner: owner.map(|owner| owner.name.clone()),
        owner_source: owner.map(|owner| owner.source),
        owner_confidence: owner.map(|owner| owner.confidence),
        owner_left: owner.and_then(|owner| owner.left.clone()),
        source: keysweep_core::facts::Source::Live,
        report_generated_at: None,
        warnings: Vec::new(),
    }
}

/// A filter that is ready to be compared with many keys.
pub(super) struct Matcher<'f> {
    filter: &'f KeyFilter,
    q: Option<String>,
}

/// What a filter is compared with.
pub(super) struct Traits<'a> {
    pub(super) account_id: &'a str,
    pub(super) account_name: Option<&'a str>,
    pub(super) ou_path: &'a str,
    pub(super) user: &'a str,
    pub(super) key: &'a str,
    pub(super) owner: Option<&'a str>,
    pub(super) finding: Option<FindingKind>,
    pub(super) state: &'a str,
    pub(super) overlays: &'a [String],
    pub(super) next: NextAction,
}

impl<'f> Matcher<'f> {
    pub(super) fn new(filter: &'f KeyFilter) -> Result<Self, Refusal> {
        let KeyFilter { q, account, ou, owner, finding, state, overlay, next } = filter;
        let fields = [q, account, ou, owner, finding, state, overlay, next];
        if fields.into_iter().flatten().any(|text| text.len() > LONGEST) {
            return Err(Refusal::Malformed(format!("a filter is longer than {LONGEST} bytes")));
        }
        Ok(Self { filter, q: q.as_ref().map(|q| q.trim().to_lowercase()).filter(|q| !q.is_empty()) })
    }

    fn matches_row(&self, row: &FindingRow, state: &State) -> bool {
        let account = row.account_id.parse().ok().and_then(|id| state.account(id));
        self.matches(&Traits {
            account_id: &row.account_id,
            account_name: row.account_name.as_deref(),
            ou_path: account.map_or("", |account| &account.ou_path),
            user: &row.user_name,
            key: row.access_key_id.as_deref().unwrap_or_default(),
            owner: row.owner.as_deref(),
            finding: row.finding,
            state: &row.state,
            overlays: &row.overlays,
            next: row.next_action,
        })
    }

    pub(super) fn matches(&self, of: &Traits<'_>) -> bool {
        let KeyFilter { q: _, account, ou, owner, finding, state, overlay, next } = self.filter;
        // An empty field of a form asks for nothing.
        let unless = |asked: &Option<String>, test: &dyn Fn(&str) -> bool| {
            asked.as_deref().map(str::trim).filter(|text| !text.is_empty()).is_none_or(test)
        };
        let of_kind = |asked: &str| match asked {
            "stale" => of.finding.is_some_and(FindingKind::is_stale),
            "none" => of.finding.is_none(),
            asked => of.finding.is_some_and(|kind| kind.as_str() == asked),
        };
        let owned = |asked: &str| match asked {
            "-" => of.owner.is_none(),
            asked => of.owner.is_some_and(|owner| owner.eq_ignore_ascii_case(asked)),
        };
        let under = |asked: &str| {
            let asked = asked.trim_end_matches('/');
            of.ou_path == asked || of.ou_path.strip_prefix(asked).is_some_and(|rest| rest.starts_with('/'))
        };
        let found = |q: &String| {
            let texts = [Some(of.key), Some(of.user), Some(of.account_id), of.account_name, of.owner];
            texts.into_iter().flatten().any(|text| text.to_lowercase().contains(q.as_str()))
        };
        unless(account, &|asked| of.account_id == asked)
            && unless(ou, &under)
            && unless(owner, &owned)
            && unless(finding, &of_kind)
            && unless(state, &|asked| of.state == asked)
            && unless(overlay, &|asked| of.overlays.iter().any(|name| name == asked))
            && unless(next, &|asked| of.next.as_str() == asked)
            && self.q.as_ref().is_none_or(found)
    }
}

fn sort_rows(rows: &mut [FindingRow], order: KeyOrder) {
    let incident = |row: &FindingRow| !row.overlays.iter().any(|name| name == "incident");
    match order {
        KeyOrder::Priority => {
            rows.sort_by_cached_key(|row| {
                (incident(row), Reverse(row.severity), Reverse(row.idle_days), row_id(row))
            });
        }
        KeyOrder::Idle => rows.sort_by_cached_key(|row| (Reverse(row.idle_days), row_id(row))),
        KeyOrder::Age => {
            rows.sort_by_cached_key(|row| (row.created_at.is_none(), row.created_at, row_id(row)));
        }
        KeyOrder::Next => rows.sort_by_cached_key(|row| {
            let nothing = row.next_action == NextAction::None;
            (nothing, row.next_action_at.is_none(), row.next_action_at, row_id(row))
        }),
        KeyOrder::Account => {
            rows.sort_by_cached_key(|row| (row.account_id.clone(), row.user_name.clone(), row_id(row)));
        }
        KeyOrder::Owner => {
            rows.sort_by_cached_key(|row| {
                (row.owner.is_none(), row.owner.clone(), row.account_id.clone(), row_id(row))
            });
        }
    }
}

/// Names a row for good, so that a page can begin after it.
fn row_id(row: &FindingRow) -> String {
    row.access_key_id.clone().unwrap_or_else(|| format!("root.{}", row.account_id))
}

/// One page of a list.
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    pub(super) total: u64,
    pub(super) next: Option<String>,
}

/// A page that begins after the row that `cursor` names. Where that row is gone, the reader begins again.
pub(super) fn page<T>(
    mut rows: Vec<T>,
    limit: Option<u32>,
    cursor: Option<&str>,
    id: impl Fn(&T) -> String,
) -> Result<Page<T>, Refusal> {
    let limit = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::Malformed(format!("`limit` must be 1 to {MOST}")));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let total = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    if let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) {
        let at = rows.iter().position(|row| id(row) == cursor).ok_or_else(|| {
            Refusal::Conflict(
                "the list has changed since this cursor was given: begin again without it".into(),
            )
        })?;
        rows.drain(..=at);
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(id);
    Ok(Page { rows, total, next })
}
