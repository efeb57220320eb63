//! Keys by account, owner, finding, or OU.

use std::collections::BTreeMap;

use super::keys::PATH;
use super::query::{Group, KeysQuery};
use super::words::spaced;
use crate::operator::Glance;

/// The keys of one account, owner, finding, or OU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct Grouped {
    pub(super) name: String,
    /// The keys of this group; `None` if no filter names it.
    pub(super) href: Option<String>,
    pub(super) count: u64,
    pub(super) urgent: u64,
    pub(super) approvals: u64,
}

/// Groups that are being counted.
pub(in crate::serve) struct Groups<'q> {
    by: Group,
    query: &'q KeysQuery,
    /// By name, and by the value of the filter that shows it.
    counts: BTreeMap<(String, Option<String>), Counts>,
}

#[derive(Default)]
struct Counts {
    all: u64,
    urgent: u64,
    approvals: u64,
}

impl<'q> Groups<'q> {
    /// No groups yet.
    pub(in crate::serve) fn new(by: Group, query: &'q KeysQuery) -> Self {
        Self { by, query, counts: BTreeMap::new() }
    }

    /// Counts a key.
    pub(in crate::serve) fn add(&mut self, key: Glance<'_>) {
        let severity = key.severity.map(|severity| severity.as_str());
        let counts = self.counts.entry(belongs(key, self.by)).or_default();
        counts.all += 1;
        counts.urgent += u64::from(matches!(severity, Some("critical" | "high")));
        counts.approvals += u64::from(key.asked);
    }

    /// The groups, the largest first.
    pub(in crate::serve) fn finish(self) -> Vec<Grouped> {
        let query = self.query.query().with("group", None).with("limit", None);
        let by = self.by.as_str();
        let grouped = self.counts.into_iter().map(|((name, value), counts)| Grouped {
            name,
            href: value.as_deref().map(|value| query.clone().with(by, Some(value)).href(PATH)),
            count: counts.all,
            urgent: counts.urgent,
            approvals: counts.approvals,
        });
        let mut groups: Vec<Grouped> = grouped.collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        groups
    }
}

/// The name of the group of a key, and the value of the filter that shows it.
fn belongs(key: Glance<'_>, group: Group) -> (String, Option<String>) {
    let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
    match group {
        Group::Account => {
            let name = named(key.account_name).map(|name| format!(" {name}")).unwrap_or_default();
            (format!("{}{name}", key.account), Some(key.account.to_string()))
        }
        Group::Owner => match key.owner {
            Some(owner) => (owner.to_owned(), Some(owner.to_owned())),
            None => ("no owner known".to_owned(), Some("-".to_owned())),
        },
        Group::Finding => match key.finding {
            Some(kind) => (spaced(kind.as_str()), Some(kind.as_str().to_owned())),
            None => ("no finding".to_owned(), None),
        },
        Group::Ou => match named(key.ou_path) {
            Some(path) => (path.clone(), Some(path)),
            None => ("OU not known".to_owned(), None),
        },
    }
}
