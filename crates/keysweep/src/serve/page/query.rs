//! Queries of the views: what is in the URL, so that a filtered view can be kept, sent, and reloaded.

use keysweep_api::{KeyFilter, KeyOrder, ListFindings};

/// What the view of keys is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::serve) struct KeysQuery {
    /// Filter, order, and page.
    pub(in crate::serve) list: ListFindings,
    /// By what the keys are grouped.
    pub(in crate::serve) group: Option<Group>,
}

/// By what keys are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(in crate::serve) enum Group {
    Account,
    Owner,
    Finding,
    Ou,
}

impl Group {
    /// Its name in the query.
    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The parameters of a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// A filter.
    pub(super) fn of(filter: &KeyFilter) -> Self {
        Self(fields(filter).into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))).collect())
    }

    /// With this parameter set, or removed.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        let value = value.filter(|value| !value.is_empty());
        match (self.0.iter_mut().find(|(it, _)| *it == name), value) {
            (Some((_, old)), Some(value)) => value.clone_into(old),
            (Some(_), None) => self.0.retain(|(it, _)| *it != name),
            (None, Some(value)) => self.0.push((name, value.to_owned())),
            (None, None) => {}
        }
        self
    }

    /// A link to this path.
    pub(super) fn href(&self, path: &str) -> String {
        if self.0.is_empty() {
            return path.to_owned();
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.0);
        format!("{path}?{}", query.finish())
    }

    /// Every parameter, for hidden fields.
    pub(super) fn pairs(&self) -> &[(&'static str, String)] {
        &self.0
    }
}

impl KeysQuery {
    /// The parameters, without the page.
    pub(super) fn query(&self) -> Query {
        let sort = (self.list.sort != KeyOrder::default()).then(|| <&str>::from(self.list.sort));
        let limit = self.list.limit.map(|limit| limit.to_string());
        Query::of(&self.list.filter)
            .with("sort", sort)
            .with("group", self.group.map(Group::as_str))
            .with("limit", limit.as_deref())
    }
}

/// The fields of a filter by their names.
pub(super) fn fields(filter: &KeyFilter) -> [(&'static str, Option<&str>); 8] {
    let KeyFilter { q, account, ou, owner, finding, state, overlay, next } = filter;
    [
        ("q", q.as_deref()),
        ("account", account.as_deref()),
        ("ou", ou.as_deref()),
        ("owner", owner.as_deref()),
        ("finding", finding.as_deref()),
        ("state", state.as_deref()),
        ("overlay", overlay.as_deref()),
        ("next", next.as_deref()),
    ]
}

/// A link to the keys with this one field of the filter.
pub(super) fn keys_with(name: &'static str, value: &str) -> String {
    Query::default().with(name, Some(value)).href("/keys")
}

/// The path of one key.
pub(super) fn key_path(key: &str) -> String {
    let key: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
    format!("/keys/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_the_filter_and_encodes_it() {
        let filter =
            KeyFilter { q: Some("a&b=\"<é".into()), state: Some("flagged".into()), ..KeyFilter::default() };
        let list = ListFindings { filter, sort: KeyOrder::Owner, ..ListFindings::default() };
        let query = KeysQuery { list, group: Some(Group::Ou) }.query();
        let all = "/keys?q=a%26b%3D%22%3C%C3%A9&state=flagged&sort=owner&group=ou";
        assert_eq!(query.href("/keys"), all);
        let other = query.with("q", None).with("state", Some("deleted")).with("group", None);
        assert_eq!(other.href("/keys"), "/keys?state=deleted&sort=owner");
    }

    #[test]
    fn a_query_of_defaults_is_empty() {
        assert_eq!(KeysQuery::default().query().href("/keys"), "/keys");
        assert_eq!(key_path("AKIA/../x"), "/keys/AKIA%2F..%2Fx");
    }
}
