//! The form that filters keys, and the filters that are active.

use keysweep_api::KeyFilter;

use super::query::{Query, fields};
use super::words::spaced;

/// Base states, as in the filter.
const STATES: [&str; 7] = ["active", "flagged", "deactivating", "deactivated", "deleting", "deleted", "gone"];
/// Findings, as in the filter.
const FINDINGS: [&str; 5] = ["stale", "unused", "never_used", "over_age", "root_key"];
/// Overlays, as in the filter.
const OVERLAYS: [&str; 5] = ["incident", "hold", "exempt", "out_of_reach", "quarantine"];
/// What comes next, as in the filter.
const NEXT: [&str; 7] = ["notice", "approval", "quarantine", "deactivate", "delete", "wait", "none"];

/// A form that filters keys.
pub(super) struct FilterForm<'a> {
    /// Where it goes.
    pub(super) path: &'static str,
    pub(super) texts: Vec<TextField<'a>>,
    pub(super) choices: Vec<Choice>,
    pub(super) active: Vec<Active<'a>>,
    /// What the form keeps and does not show.
    pub(super) kept: Vec<(&'static str, String)>,
    /// The link that removes every filter.
    pub(super) clear: String,
    /// Whether fields beside the search are in use, so that they are shown.
    pub(super) more: bool,
}

pub(super) struct TextField<'a> {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) value: &'a str,
}

pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) options: Vec<Item>,
}

pub(super) struct Item {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) chosen: bool,
}

/// A filter that is active, with the link without it.
pub(super) struct Active<'a> {
    pub(super) label: &'static str,
    pub(super) value: &'a str,
    pub(super) without: String,
}

impl<'a> FilterForm<'a> {
    /// The form of a view at `path`. `kept` are the parameters beside the filter.
    pub(super) fn new(path: &'static str, filter: &'a KeyFilter, kept: &Query) -> Self {
        let all =
            kept.pairs().iter().fold(Query::of(filter), |query, (name, value)| query.with(name, Some(value)));
        let given = fields(filter);
        let active = given.iter().filter_map(|(name, value)| {
            let value = value.filter(|value| !value.is_empty())?;
            Some(Active { label: label(name), value, without: all.clone().with(name, None).href(path) })
        });
        let text = |name: &'static str, value: Option<&'a str>| TextField {
            name,
            label: label(name),
            value: value.unwrap_or_default(),
        };
        let [q, account, ou, owner, finding, state, overlay, next] = given;
        let choices =
            [(finding, &FINDINGS[..]), (state, &STATES[..]), (overlay, &OVERLAYS[..]), (next, &NEXT[..])];
        Self {
            path,
            texts: [q, account, ou, owner].into_iter().map(|(name, value)| text(name, value)).collect(),
            choices: choices.into_iter().map(|((name, value), names)| choice(name, value, names)).collect(),
            active: active.collect(),
            kept: kept.pairs().to_vec(),
            clear: kept.href(path),
            more: given.iter().skip(1).any(|(_, value)| value.is_some_and(|value| !value.is_empty())),
        }
    }
}

fn choice(name: &'static str, value: Option<&str>, names: &[&str]) -> Choice {
    let value = value.unwrap_or_default();
    let option = |name: &str, label: String| Item { value: name.to_owned(), label, chosen: name == value };
    let mut options = vec![option("", "any".to_owned())];
    options.extend(names.iter().map(|name| option(name, spaced(name))));
    // A value that is not known is still the one that filters.
    if !options.iter().any(|option| option.chosen) {
        options.push(option(value, value.to_owned()));
    }
    Choice { name, label: label(name), options }
}

fn label(name: &str) -> &'static str {
    match name {
        "q" => "Search",
        "account" => "Account ID",
        "ou" => "OU path begins with",
        "owner" => "Owner",
        "finding" => "Finding",
        "state" => "State",
        "overlay" => "Overlay",
        _ => "Next",
    }
}
