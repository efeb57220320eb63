//! Findings and keys in the lifecycle: filtered, sorted, grouped, and page by page.

use std::collections::BTreeMap;

use askama::Template;
use keysweep_api::{FindingsDocument, KeyOrder};
use keysweep_core::render::FindingRow;

use super::filter::FilterForm;
use super::frame::{Frame, Shell, View, html};
use super::query::{Group, KeysQuery, Query};
use super::rows::{Row, rows};
use super::words::{When, capital, counted, number, spaced};

const PATH: &str = "/keys";

/// Orders with their names, in the order of the list of links.
const ORDERS: [(KeyOrder, &str); 6] = [
    (KeyOrder::Priority, "priority"),
    (KeyOrder::Next, "what comes next"),
    (KeyOrder::Idle, "idle time"),
    (KeyOrder::Age, "age"),
    (KeyOrder::Account, "account"),
    (KeyOrder::Owner, "owner"),
];

/// What the view of keys shows.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Keys<'a> {
    /// What was asked for.
    pub(in crate::serve) query: &'a KeysQuery,
    /// The rows that match. To group them, ask for as many as there can be.
    pub(in crate::serve) found: &'a FindingsDocument,
    /// Names of the OUs above each account, joined by `/`. Needed only to group by OU.
    pub(in crate::serve) ous: &'a BTreeMap<String, String>,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct Page<'a> {
    shell: Shell<'a>,
    form: FilterForm<'a>,
    total: String,
    /// How many of them are shown, if not all.
    shown: Option<String>,
    collected: Option<When>,
    filtered: bool,
    orders: Vec<Link>,
    groups: Vec<Link>,
    group: Option<GroupTable>,
    rows: Vec<Row<'a>>,
    sorts: [Sort; 5],
    csv: String,
    json: String,
    first: Option<String>,
    next: Option<String>,
}

struct Link {
    label: String,
    href: String,
    current: bool,
}

/// A heading that sorts.
struct Sort {
    label: &'static str,
    href: Option<String>,
    current: bool,
    /// Idle time and age are sorted from the largest.
    descending: bool,
}

struct GroupTable {
    label: String,
    groups: Vec<Grouped>,
}

/// The keys of one account, owner, finding, or OU.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Grouped {
    pub(super) name: String,
    /// The keys of this group; `None` if no filter names it.
    pub(super) href: Option<String>,
    pub(super) count: u64,
    pub(super) urgent: u64,
    pub(super) approvals: u64,
}

/// The view of keys.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn keys(frame: &Frame, shown: Keys<'_>) -> Result<String, askama::Error> {
    let Keys { query, found, ous } = shown;
    let all = query.query();
    let kept = query.query();
    let kept = ["q", "account", "ou", "owner", "finding", "state", "overlay", "next"]
        .into_iter()
        .fold(kept, |kept, name| kept.with(name, None));
    let form = FilterForm::new(PATH, &query.list.filter, &kept);
    let some = found.findings.len() as u64;
    let sort = query.list.sort;
    let by = |order: KeyOrder| all.clone().with("sort", Some(order.into()));
    let orders = ORDERS.into_iter().map(|(order, label)| Link {
        label: label.to_owned(),
        href: by(order).href(PATH),
        current: order == sort,
    });
    html(&Page {
        shell: frame.shell(View::Keys, "Keys", Some(found.generated_at), true),
        filtered: !form.active.is_empty(),
        form,
        total: counted(found.total, "key", "keys"),
        shown: (some < found.total).then(|| number(some)),
        collected: frame.maybe(found.collected_at),
        orders: orders.collect(),
        groups: group_links(&all, query.group),
        group: query.group.map(|group| GroupTable {
            label: capital(label(group)),
            groups: grouped(&found.findings, group, query, ous),
        }),
        rows: rows(frame, &found.findings),
        sorts: [
            sort_by("Finding", by, sort, KeyOrder::Priority, false),
            sort_by("Account", by, sort, KeyOrder::Account, false),
            sort_by("Owner", by, sort, KeyOrder::Owner, false),
            sort_by("Last used", by, sort, KeyOrder::Idle, true),
            sort_by("Next", by, sort, KeyOrder::Next, false),
        ],
        csv: all.clone().with("group", None).with("limit", None).href("/keys.csv"),
        json: all.clone().with("group", None).with("limit", None).href("/keys.json"),
        first: query.list.cursor.is_some().then(|| all.href(PATH)),
        next: found.next_cursor.as_deref().map(|cursor| all.with("cursor", Some(cursor)).href(PATH)),
    })
}

fn sort_by(
    label: &'static str,
    by: impl Fn(KeyOrder) -> Query,
    sort: KeyOrder,
    order: KeyOrder,
    descending: bool,
) -> Sort {
    let current = sort == order;
    Sort { label, href: (!current).then(|| by(order).href(PATH)), current, descending }
}

fn group_links(all: &Query, group: Option<Group>) -> Vec<Link> {
    let link = |label: &str, it: Option<Group>| Link {
        label: label.to_owned(),
        href: all.clone().with("group", it.map(Group::as_str)).with("limit", None).href(PATH),
        current: it == group,
    };
    let groups = [Group::Account, Group::Owner, Group::Finding, Group::Ou];
    std::iter::once(link("nothing", None)).chain(groups.map(|it| link(label(it), Some(it)))).collect()
}

fn label(group: Group) -> &'static str {
    match group {
        Group::Account => "account",
        Group::Owner => "owner",
        Group::Finding => "finding",
        Group::Ou => "OU",
    }
}

/// The rows by group, the largest group first.
pub(super) fn grouped(
    rows: &[FindingRow],
    group: Group,
    query: &KeysQuery,
    ous: &BTreeMap<String, String>,
) -> Vec<Grouped> {
    let mut groups: BTreeMap<(String, Option<String>), Grouped> = BTreeMap::new();
    for row in rows {
        let (name, value) = belongs(row, group, ous);
        let entry = groups.entry((name, value)).or_insert_with_key(|(name, value)| Grouped {
            name: name.clone(),
            href: value.as_deref().map(|value| {
                query
                    .query()
                    .with("group", None)
                    .with("limit", None)
                    .with(group.as_str(), Some(value))
                    .href(PATH)
            }),
            count: 0,
            urgent: 0,
            approvals: 0,
        });
        let severity = row.severity.map(|severity| severity.as_str());
        entry.count += 1;
        entry.urgent += u64::from(matches!(severity, Some("critical" | "high")));
        entry.approvals += u64::from(row.approval_request.is_some());
    }
    let mut groups: Vec<Grouped> = groups.into_values().collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    groups
}

/// The name of the group of a row, and the value of the filter that shows it.
fn belongs(row: &FindingRow, group: Group, ous: &BTreeMap<String, String>) -> (String, Option<String>) {
    match group {
        Group::Account => {
            let name = row.account_name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            (format!("{}{name}", row.account_id), Some(row.account_id.clone()))
        }
        Group::Owner => match &row.owner {
            Some(owner) => (owner.clone(), Some(owner.clone())),
            None => ("no owner known".to_owned(), Some("-".to_owned())),
        },
        Group::Finding => match row.finding {
            Some(kind) => (spaced(kind.as_str()), Some(kind.as_str().to_owned())),
            None => ("no finding".to_owned(), None),
        },
        Group::Ou => match ous.get(&row.account_id).filter(|path| !path.is_empty()) {
            Some(path) => (path.clone(), Some(path.clone())),
            None => ("OU not known".to_owned(), None),
        },
    }
}
