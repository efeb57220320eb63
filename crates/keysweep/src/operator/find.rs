//! Findings and keys in the lifecycle: filtered, sorted, and page by page.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use keysweep_api::{FindingsDocument, KeyFilter, KeyOrder, KeyRow, ListFindings, Refusal};
use keysweep_core::finding::{FindingKind, Severity, SubjectKind};
use keysweep_core::ids::AccountId;
use keysweep_core::lifecycle::Record;
use keysweep_core::render::{FindingRow, Listed, NextAction};
use keysweep_core::state::State;

use super::Look;
use super::decide::pending;
use super::show::{finding_of, mk_row, next_of, overlays_of};
use crate::access::{Caller, Sight};
use crate::engine::{Engine, Outlook};

/// Rows of a page without `limit`, and at most.
const USUAL: u32 = 100;
const MOST: u32 = 1_000;

/// Filters are not longer than the longest name.
const LONGEST: usize = 256;

impl Look for ListFindings {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<FindingsDocument, Refusal> {
        let Self { filter, sort, limit, cursor } = self;
        let found = Found::new(engine, sight, &filter, sort)?;
        let page = page(found.picked.clone(), limit, cursor.as_deref(), |picked| found.id(*picked))?;
        Ok(FindingsDocument {
            generated_at: found.at,
            collected_at: found.collected_at(),
            total: page.total,
            findings: found.rows(engine, &page.rows),
            next_cursor: page.next,
        })
    }
}

/// Findings and records that a filter admits, in order. Rows are made when they are needed: there may be many.
pub(crate) struct Found {
    outlook: Arc<Outlook>,
    at: Timestamp,
    picked: Vec<Picked>,
}

/// What a row is made of, by its place in the outlook.
#[derive(Debug, Clone, Copy)]
enum Picked {
    Key(usize),
    Root(usize),
    Unseen(usize),
}

/// What a group needs of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glance<'a> {
    /// The account.
    pub(crate) account: AccountId,
    /// Its name; empty if unknown.
    pub(crate) account_name: &'a str,
    /// Names of the OUs above it, joined by `/`; empty if unknown.
    pub(crate) ou_path: &'a str,
    /// The owner.
    pub(crate) owner: Option<&'a str>,
    /// Why it is a finding.
    pub(crate) finding: Option<FindingKind>,
    /// How bad it is.
    pub(crate) severity: Option<Severity>,
    /// Whether it waits for an approval.
    pub(crate) asked: bool,
}

/// Finds what a filter admits, on behalf of a caller.
///
/// # Errors
/// The caller may not, or the filter is malformed.
pub(crate) fn find(
    engine: &Engine,
    caller: &Caller,
    filter: &KeyFilter,
    order: KeyOrder,
) -> Result<Found, Refusal> {
    caller.authorize(engine, &ListFindings::default().need())?;
    Found::new(engine, &caller.sight(engine), filter, order)
}

impl Found {
    fn new(engine: &Engine, sight: &Sight, filter: &KeyFilter, order: KeyOrder) -> Result<Self, Refusal> {
        let matcher = Matcher::new(filter)?;
        let (at, outlook) = (engine.clock().now(), engine.outlook());
        let all = (0..outlook.keys.len()).map(Picked::Key);
        let all = all.chain((0..outlook.roots.len()).map(Picked::Root));
        let all = all.chain((0..outlook.unseen.len()).map(Picked::Unseen));
        let picked = engine.store().read(|state| {
            let candidates = all.filter_map(|picked| Some((picked, picked.candidate(&outlook, state)?)));
            let mut found: Vec<(Picked, Candidate<'_>)> = candidates
                .filter(|(_, candidate)| {
                    candidate.is_visible(sight) && candidate.matches(&matcher, at, state)
                })
                .collect();
            sort(&mut found, order, at);
            found.into_iter().map(|(picked, _)| picked).collect()
        });
        Ok(Self { outlook, at, picked })
    }

    /// How many there are.
    pub(crate) fn total(&self) -> usize {
        self.picked.len()
    }

    /// When this was found.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// When the last sweep collected the facts.
    pub(crate) fn collected_at(&self) -> Option<Timestamp> {
        self.outlook.collection().map(|collection| collection.at)
    }

    /// How many pages of rows there are.
    pub(crate) fn pages(&self) -> usize {
        self.picked.len().div_ceil(MOST as usize)
    }

    /// The rows of one page.
    pub(crate) fn page(&self, engine: &Engine, page: usize) -> Vec<FindingRow> {
        let picked = self.picked.chunks(MOST as usize).nth(page).unwrap_or_default();
        self.rows(engine, picked)
    }

    /// Everything that was found, as far as groups need it.
    pub(crate) fn each(&self, engine: &Engine, mut see: impl FnMut(Glance<'_>)) {
        engine.store().read(|state| {
            for candidate in self.picked.iter().filter_map(|picked| picked.candidate(&self.outlook, state)) {
                see(candidate.glance(self.at, state));
            }
        });
    }

    fn rows(&self, engine: &Engine, picked: &[Picked]) -> Vec<FindingRow> {
        engine.store().read(|state| {
            let candidates = picked.iter().filter_map(|picked| picked.candidate(&self.outlook, state));
            candidates.map(|candidate| candidate.row(self.at, state)).collect()
        })
    }

    /// Names a row for good, so that a page can begin after it.
    fn id(&self, picked: Picked) -> Cow<'_, str> {
        let key = |id: Option<&'_ str>| Cow::Owned(id.unwrap_or_default().to_owned());
        match picked {
            Picked::Key(index) => {
                self.outlook.keys.get(index).map_or(key(None), |key| Cow::Borrowed(key.facts.key.as_str()))
            }
            Picked::Unseen(index) => {
                self.outlook.unseen.get(index).map_or(key(None), |key| Cow::Borrowed(key.as_str()))
            }
            Picked::Root(index) => {
                let account = picked.root(&self.outlook).map(|root| root.account().id.to_string());
                Cow::Owned(format!("root.{}.{index}", account.unwrap_or_default()))
            }
        }
    }
}

impl Picked {
    fn candidate<'a>(self, outlook: &'a Outlook, state: &'a State) -> Option<Candidate<'a>> {
        match self {
            Self::Key(index) => {
                let listed = Listed::of_key(outlook.collection()?, outlook.keys.get(index)?)?;
                Some(Candidate::Seen(listed))
            }
            Self::Root(_) => self.root(outlook).map(Candidate::Seen),
            // It may have been forgotten meanwhile.
            Self::Unseen(index) => state.record(outlook.unseen.get(index)?).map(Candidate::Unseen),
        }
    }

    fn root(self, outlook: &Outlook) -> Option<Listed<'_>> {
        let Self::Root(index) = self else { return None };
        Listed::of_root(outlook.collection()?, *outlook.roots.get(index)?)
    }
}

/// What may be listed.
#[derive(Clone, Copy)]
enum Candidate<'a> {
    Seen(Listed<'a>),
    Unseen(&'a Record),
}

/// Makes an order complete: keys by ID, then root users by account.
type Id<'a> = (bool, &'a str, AccountId);

impl<'a> Candidate<'a> {
    fn account(&self) -> AccountId {
        match self {
            Self::Seen(listed) => listed.account().id,
            Self::Unseen(record) => record.identity.account,
        }
    }

    fn key(&self) -> Option<&'a str> {
        match self {
            Self::Seen(listed) => listed.key().map(|key| key.as_str()),
            Self::Unseen(record) => Some(record.identity.key.as_str()),
        }
    }

    fn record(&self) -> Option<&'a Record> {
        match self {
            Self::Seen(listed) => listed.planned()?.record.as_deref(),
            Self::Unseen(record) => Some(record),
        }
    }

    fn user(&self) -> &'a str {
        match self {
            Self::Seen(listed) => listed.user_name(),
            Self::Unseen(record) => record.user_name.as_str(),
        }
    }

    fn owner(&self) -> Option<&'a str> {
        match self {
            Self::Seen(listed) => listed.owner(),
            Self::Unseen(record) => record.owner.as_deref().map(|owner| owner.name.as_str()),
        }
    }

    fn is_visible(&self, sight: &Sight) -> bool {
        sight.is_whole() || sight.key(self.account(), self.record())
    }

    fn matches(&self, matcher: &Matcher<'_>, now: Timestamp, state: &State) -> bool {
        if matcher.is_empty() {
            return true;
        }
        let account = state.account(self.account());
        let (finding, base, overlays, next, name) = match self {
            Self::Seen(listed) => (
                listed.finding(),
                listed.state(),
                listed.overlays(state),
                listed.next(now).0,
                Some(listed.account().name.as_str()),
            ),
            Self::Unseen(record) => (
                finding_of(record),
                record.state.as_str(),
                overlays_of(state, record),
                next_of(now, state, record, None).0,
                account.map(|account| account.name.as_str()),
            ),
        };
        matcher.matches(&Traits {
            account_id: self.account(),
            account_name: name,
            ou_path: account.map_or("", |account| &account.ou_path),
            user: self.user(),
            key: self.key().unwrap_or_default(),
            owner: self.owner(),
            finding,
            state: base,
            overlays: &overlays,
            next,
        })
    }

    fn glance(&self, now: Timestamp, state: &'a State) -> Glance<'a> {
        let account = state.account(self.account());
        let name = account.map_or("", |account| account.name.as_str());
        let asked = self.record().and_then(pending).filter(|approval| !approval.is_granted());
        Glance {
            account: self.account(),
            account_name: match self {
                Self::Seen(listed) => listed.account().name.as_str(),
                Self::Unseen(_) => name,
            },
            ou_path: account.map_or("", |account| account.ou_path.as_str()),
            owner: self.owner(),
            finding: match self {
                Self::Seen(listed) => listed.finding(),
                Self::Unseen(record) => finding_of(record),
            },
            severity: self.severity(now),
            asked: asked.is_some_and(|approval| approval.number != 0),
        }
    }

    fn row(&self, now: Timestamp, state: &State) -> FindingRow {
        match self {
            Self::Seen(listed) => listed.row(now, state),
            Self::Unseen(record) => of_record(mk_row(now, state, record, None), now),
        }
    }

    fn id(&self) -> Id<'a> {
        (self.key().is_none(), self.key().unwrap_or_default(), self.account())
    }

    fn is_incident(&self) -> bool {
        match self {
            Self::Seen(listed) => listed.is_incident(),
            Self::Unseen(record) => record.incident.is_some(),
        }
    }

    fn severity(&self, now: Timestamp) -> Option<Severity> {
        match self {
            Self::Seen(listed) => listed.severity(now),
            Self::Unseen(_) => None,
        }
    }

    fn idle_days(&self, now: Timestamp) -> Option<i64> {
        match self {
            Self::Seen(listed) => listed.idle_days(now),
            Self::Unseen(_) => None,
        }
    }

    fn created(&self) -> Option<Timestamp> {
        match self {
            Self::Seen(listed) => listed.created(),
            Self::Unseen(record) => Some(record.identity.created),
        }
    }

    fn next(&self, now: Timestamp) -> (NextAction, Option<Timestamp>) {
        match self {
            Self::Seen(listed) => listed.next(now),
            Self::Unseen(_) => (NextAction::None, None),
        }
    }
}

fn sort(found: &mut [(Picked, Candidate<'_>)], order: KeyOrder, now: Timestamp) {
    match order {
        KeyOrder::Priority => found.sort_by_cached_key(|(_, it)| {
            (!it.is_incident(), Reverse(it.severity(now)), Reverse(it.idle_days(now)), it.id())
        }),
        KeyOrder::Idle => found.sort_by_cached_key(|(_, it)| (Reverse(it.idle_days(now)), it.id())),
        KeyOrder::Age => {
            found.sort_by_cached_key(|(_, it)| (it.created().is_none(), it.created(), it.id()));
        }
        KeyOrder::Next => found.sort_by_cached_key(|(_, it)| {
            let (action, at) = it.next(now);
            (action == NextAction::None, at.is_none(), at, it.id())
        }),
        KeyOrder::Account => found.sort_by_cached_key(|(_, it)| (it.account(), it.user(), it.id())),
        KeyOrder::Owner => {
            found.sort_by_cached_key(|(_, it)| (it.owner().is_none(), it.owner(), it.account(), it.id()))
        }
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
    pub(super) account_id: AccountId,
    pub(super) account_name: Option<&'a str>,
    pub(super) ou_path: &'a str,
    pub(super) user: &'a str,
    pub(super) key: &'a str,
    pub(super) owner: Option<&'a str>,
    pub(super) finding: Option<FindingKind>,
    pub(super) state: &'a str,
    pub(super) overlays: &'a [&'static str],
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

    /// Whether it admits everything.
    fn is_empty(&self) -> bool {
        let KeyFilter { q: _, account, ou, owner, finding, state, overlay, next } = self.filter;
        let rest = [account, ou, owner, finding, state, overlay, next];
        self.q.is_none() && rest.into_iter().flatten().all(|text| text.trim().is_empty())
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
            let texts = [Some(of.key), Some(of.user), of.account_name, of.owner];
            texts.into_iter().flatten().any(|text| contains(text, q))
                || (q.bytes().all(|byte| byte.is_ascii_digit()) && of.account_id.to_string().contains(q))
        };
        unless(account, &|asked| asked.parse().ok() == Some(of.account_id))
            && unless(ou, &under)
            && unless(owner, &owned)
            && unless(finding, &of_kind)
            && unless(state, &|asked| of.state == asked)
            && unless(overlay, &|asked| of.overlays.contains(&asked))
            && unless(next, &|asked| of.next.as_str() == asked)
            && self.q.as_ref().is_none_or(found)
    }
}

/// Whether a text contains another one, which is in lower case.
fn contains(text: &str, lower: &str) -> bool {
    if !text.is_ascii() || !lower.is_ascii() {
        return text.to_lowercase().contains(lower);
    }
    let mut windows = text.as_bytes().windows(lower.len().max(1));
    windows.any(|window| window.eq_ignore_ascii_case(lower.as_bytes()))
}

/// One page of a list.
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    pub(super) total: u64,
    pub(super) next: Option<String>,
}

/// A page that begins after the row that `cursor` names. Where that row is gone, the reader begins again.
pub(super) fn page<'a, T>(
    mut rows: Vec<T>,
    limit: Option<u32>,
    cursor: Option<&str>,
    id: impl Fn(&T) -> Cow<'a, str>,
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
    let next = rows.last().filter(|_| more).map(|row| id(row).into_owned());
    Ok(Page { rows, total, next })
}
