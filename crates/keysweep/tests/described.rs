//! The text format of Prometheus, read back.

use std::collections::{BTreeMap, BTreeSet};

/// A family: what its comments say, and the values of its labels.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) help: String,
    pub(crate) kind: String,
    pub(crate) labels: BTreeMap<String, BTreeSet<String>>,
}

/// Families of a text in the exposition format, with the values of their labels.
pub(crate) fn described(text: &str) -> BTreeMap<String, Described> {
    let mut families: BTreeMap<String, Described> = BTreeMap::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            family = name.to_owned();
            families.entry(family.clone()).or_default().help = help.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            families.get_mut(&family).unwrap().kind = rest.split_once(' ').unwrap().1.to_owned();
        } else if let Some((_, rest)) = line.split_once('{') {
            let mut rest = rest;
            while let Some((name, value)) = rest.trim_start_matches(',').split_once("=\"") {
                let end = value.find("\",").or_else(|| value.find("\"}")).unwrap();
                let values = families.get_mut(&family).unwrap().labels.entry(name.to_owned()).or_default();
                values.insert(value[..end].to_owned());
                rest = &value[end + 1..];
            }
        }
    }
    for described in families.values_mut() {
        described.labels.remove("le");
    }
    families
}
