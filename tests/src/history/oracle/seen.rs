//! What keysweep was shown: the facts that a decision of its may rest on.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::xml::{members, text};
use crate::history::rules::{EXEMPT_TAG, OWNER_TAG, OWNERS_DOMAIN};

/// The last attempt to read something, and what it showed.
#[derive(Debug, Clone)]
pub(super) struct Read<T> {
    pub(super) at: Timestamp,
    /// Absent where the attempt failed.
    pub(super) shown: Option<T>,
    /// What one before showed, and when, if the last attempt failed.
    pub(super) before: Option<(Timestamp, T)>,
}

impl<T> Read<T> {
    /// An attempt after others.
    fn after(earlier: Option<Self>, at: Timestamp, shown: Option<T>) -> Self {
        let before = match shown {
            Some(_) => None,
            None => earlier.and_then(|read| read.shown.map(|shown| (read.at, shown)).or(read.before)),
        };
        Self { at, shown, before }
    }
}

/// Notes an attempt.
fn note<K: Ord, T>(reads: &mut BTreeMap<K, Read<T>>, of: K, at: Timestamp, shown: Option<T>) {
    let earlier = reads.remove(&of);
    reads.insert(of, Read::after(earlier, at, shown));
}

/// A key as ListAccessKeys shows it.
#[derive(Debug, Clone)]
pub(super) struct ListedKey {
    pub(super) key: String,
    pub(super) status: String,
    pub(super) created: Option<Timestamp>,
}

/// A user as GetUser shows it.
#[derive(Debug, Clone)]
pub(super) struct ShownUser {
    pub(super) user_id: String,
    pub(super) exempt: bool,
    /// Who is its owner, if somebody may be told of its keys.
    pub(super) owner: Option<String>,
}

/// Account and user name.
pub(super) type UserKey = (String, String);

/// Everything that was read last.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) users: BTreeMap<UserKey, Read<ShownUser>>,
    pub(super) keys: BTreeMap<UserKey, Read<Vec<ListedKey>>>,
    /// When a listing last showed a key Active.
    pub(super) active: BTreeMap<String, Timestamp>,
    /// What was read about the parents of accounts and OUs.
    pub(super) parents: BTreeMap<String, Read<()>>,
    pub(super) last_uses: BTreeMap<String, Read<Option<Timestamp>>>,
    /// Looks for keys in CloudTrail, by key and Region.
    pub(super) looks: BTreeMap<(String, String), Read<()>>,
    /// Keys of a listing that goes over several pages, up to the page that this marker asks for.
    unfinished: BTreeMap<(UserKey, String), Vec<ListedKey>>,
}

impl Seen {
    /// A page of a listing of keys was answered, the first or a later one; the whole list once it is there.
    pub(super) fn listed(
        &mut self,
        user: UserKey,
        at: Timestamp,
        marker: Option<&str>,
        answer: Option<&str>,
    ) -> Option<Vec<ListedKey>> {
        let Some(xml) = answer else {
            // The page may be asked for again.
            note(&mut self.keys, user, at, None);
            return None;
        };
        let before = marker.and_then(|marker| self.unfinished.get(&(user.clone(), marker.to_owned())));
        let mut keys = before.cloned().unwrap_or_default();
        keys.extend(members(xml, "AccessKeyMetadata").into_iter().map(|member| ListedKey {
            key: text(member, "AccessKeyId").unwrap_or_default().to_owned(),
            status: text(member, "Status").unwrap_or_default().to_owned(),
            created: text(member, "CreateDate").and_then(|date| date.parse().ok()),
        }));
        if text(xml, "IsTruncated") == Some("true") {
            self.unfinished.insert((user, text(xml, "Marker").unwrap_or_default().to_owned()), keys);
            return None;
        }
        note(&mut self.keys, user, at, Some(keys.clone()));
        Some(keys)
    }

    pub(super) fn got_parents(&mut self, child: String, at: Timestamp, answer: Option<()>) {
        note(&mut self.parents, child, at, answer);
    }

    pub(super) fn looked(&mut self, key: String, region: String, at: Timestamp, answer: Option<()>) {
        note(&mut self.looks, (key, region), at, answer);
    }

    pub(super) fn got_user(&mut self, user: UserKey, at: Timestamp, answer: Option<&str>) {
        let shown = answer.map(|xml| ShownUser {
            user_id: text(xml, "UserId").unwrap_or_default().to_owned(),
            owner: members(xml, "Tags").iter().find_map(|tag| {
                let of_owner = text(tag, "Key") == Some(OWNER_TAG);
                let value = text(tag, "Value").filter(|value| of_owner && value.ends_with(OWNERS_DOMAIN));
                value.map(str::to_owned)
            }),
            exempt: members(xml, "Tags").iter().any(|tag| text(tag, "Key") == Some(EXEMPT_TAG)),
        });
        note(&mut self.users, user, at, shown);
    }

    pub(super) fn got_last_use(&mut self, key: String, at: Timestamp, answer: Option<&str>) {
        let shown = answer.map(|xml| text(xml, "LastUsedDate").and_then(|date| date.parse().ok()));
        note(&mut self.last_uses, key, at, shown);
    }
}
