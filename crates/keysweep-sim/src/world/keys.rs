//! Access keys, with the little history that lag and stale reads need.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

/// Uses are kept this long beside the newest older one; lag and stale reads reach no further back.
const HISTORY: SignedDuration = SignedDuration::from_hours(48);

/// AWS stores a use once per span of this length, as the first use within it (IAM user guide, credential reports).
const USE_SPAN_SECONDS: i64 = 15 * 60;

/// When, with what and where a key was last used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// To the second.
    pub at: Timestamp,
    /// `s3`, `ec2`, ...
    pub service: Arc<str>,
    /// `us-east-1`, ...
    pub region: Arc<str>,
}

/// Where a key lives.
#[derive(Debug, Clone)]
pub(crate) struct KeyHome {
    pub(crate) account: Arc<str>,
    pub(crate) user: Arc<str>,
}

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: Arc<str>,
    pub(crate) created: Timestamp,
    pub(crate) status: Arc<str>,
    /// What the status was until when, oldest first.
    pub(crate) past: Vec<(Timestamp, Arc<str>)>,
    /// Oldest first.
    pub(crate) uses: Vec<LastUse>,
    pub(crate) deleted: Option<Timestamp>,
}

impl Key {
    pub(crate) fn new(id: Arc<str>, created: Timestamp, status: Arc<str>) -> Self {
        Self { id, created, status, past: Vec::new(), uses: Vec::new(), deleted: None }
    }

    pub(crate) fn record_use(&mut self, used: LastUse) {
        if let Some(last) = self.uses.last() {
            let span = |at: Timestamp| at.as_second().div_euclid(USE_SPAN_SECONDS);
            if span(last.at) >= span(used.at) {
                return;
            }
        }
        let keep_from = used.at.checked_sub(HISTORY).unwrap_or(Timestamp::MIN);
        let old = self.uses.iter().rposition(|use_| use_.at <= keep_from).unwrap_or_default();
        if old > 0 {
            self.uses.drain(..old);
        }
        self.uses.push(used);
    }

    /// The newest use at or before `seen_until`.
    pub(crate) fn last_use(&self, seen_until: Timestamp) -> Option<&LastUse> {
        self.uses.iter().rev().find(|use_| use_.at <= seen_until)
    }

    pub(crate) fn set_status(&mut self, status: Arc<str>, now: Timestamp) {
        let old = std::mem::replace(&mut self.status, status);
        self.past.push((now, old));
    }

    /// The status at `at`, or None where the key did not exist then.
    pub(crate) fn status_at(&self, at: Timestamp) -> Option<&Arc<str>> {
        if self.created > at || self.deleted.is_some_and(|deleted| deleted <= at) {
            return None;
        }
        Some(self.past.iter().find(|(until, _)| *until > at).map_or(&self.status, |(_, status)| status))
    }

    pub(crate) fn is_active(&self) -> bool {
        &*self.status == "Active"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn mk_use(at: &str) -> LastUse {
        LastUse { at: mk_time(at), service: "s3".into(), region: "us-east-1".into() }
    }

    #[test]
    fn a_use_is_stored_once_per_quarter_of_an_hour() {
        let mut key = Key::new("AKIA".into(), mk_time("2026-01-01T00:00:00Z"), "Active".into());
        key.record_use(mk_use("2026-01-02T10:01:00Z"));
        key.record_use(mk_use("2026-01-02T10:14:59Z"));
        assert_eq!(key.uses, [mk_use("2026-01-02T10:01:00Z")]);
        key.record_use(mk_use("2026-01-02T10:15:00Z"));
        assert_eq!(key.uses.len(), 2);
    }

    #[test]
    fn old_uses_are_forgotten_but_for_the_newest_of_them() {
        let mut key = Key::new("AKIA".into(), mk_time("2026-01-01T00:00:00Z"), "Active".into());
        for day in 2..10 {
            key.record_use(mk_use(&format!("2026-01-0{day}T00:00:00Z")));
        }
        assert!(key.uses.len() <= 4, "{:?}", key.uses);
        assert_eq!(key.last_use(mk_time("2026-01-07T12:00:00Z")), Some(&mk_use("2026-01-07T00:00:00Z")));
    }

    #[test]
    fn a_past_status_can_still_be_read() {
        let mut key = Key::new("AKIA".into(), mk_time("2026-01-01T00:00:00Z"), "Active".into());
        key.set_status("Inactive".into(), mk_time("2026-01-03T00:00:00Z"));
        key.set_status("Active".into(), mk_time("2026-01-05T00:00:00Z"));
        let at = |text| key.status_at(mk_time(text)).map(|status| status.to_string());
        assert_eq!(at("2025-12-31T00:00:00Z"), None);
        assert_eq!(at("2026-01-02T00:00:00Z").as_deref(), Some("Active"));
        assert_eq!(at("2026-01-04T00:00:00Z").as_deref(), Some("Inactive"));
        assert_eq!(at("2026-01-06T00:00:00Z").as_deref(), Some("Active"));
    }
}
