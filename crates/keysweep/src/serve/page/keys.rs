//! Findings and keys in the lifecycle: filtered, sorted, grouped, and page by page.

use askama::Template;
use keysweep_api::{FindingsDocument, KeyOrder};

use super::filter::FilterForm;
use super::frame::{Frame, Shell, View, html};
use super::groups::Grouped;
use super::query::{Group, KeysQuery, Query};
use super::rows::{Row, rows};
use super::words::{When, capital, counted, number};

pub(super) const PATH: &str = "/keys";

/// Groups that are shown.
const MOST_GROUPS: usize = 500;

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
    /// The rows that match.
    pub(in crate::serve) found: &'a FindingsDocument,
    /// What they amount to by group, if that was asked for.
    pub(in crate::serve) groups: &'a [Grouped],
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
    group: Option<GroupTable<'a>>,
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

struct GroupTable<'a> {
    label: String,
    groups: &'a [Grouped],
    /// How many smaller groups are not shown.
    more: Option<String>,
}

/// The view of keys.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn keys(frame: &Frame, shown: Keys<'_>) -> Result<String, askama::Error> {
    let Keys { query, found, groups: counted_by } = shown;
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
            more: counted_by
                .get(MOST_GROUPS..)
                .map(|more| number(more.len() as u64))
                .filter(|_| counted_by.len() > MOST_GROUPS),
            groups: counted_by.get(..MOST_GROUPS).unwrap_or(counted_by),
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
