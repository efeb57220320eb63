//! CloudTrail: the management events of one account and Region.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::World;
use crate::key_use::only_reads;
use crate::origin::Origin;

/// LookupEvents reaches back this far (CloudTrail API reference, LookupEvents).
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The limit of lookups is one per this span.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Where an entry stands: its time in seconds, and its number among all. Newer ones are greater.
pub(crate) type Position = (i64, u64);

#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// In the order in which they came about.
    events: VecDeque<Event>,
    raw: Vec<(Position, Value)>,
    /// The lookups of the last second.
    lookups: Vec<Timestamp>,
}

/// One management event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) number: u64,
    pub(crate) region: Arc<str>,
    /// `iam`, `ec2`, ...
    pub(crate) service: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) identity: Identity,
    pub(crate) origin: Origin,
    pub(crate) error: Option<EventError>,
    pub(crate) parameters: Value,
    pub(crate) response: Value,
    /// Types and names.
    pub(crate) resources: Vec<(&'static str, String)>,
    /// None where no caller has heard of one.
    pub(crate) request_id: Option<String>,
}

/// Who made a call.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) account: Arc<str>,
    pub(crate) principal_id: Arc<str>,
    pub(crate) arn: Arc<str>,
    /// A user's name, or a session's.
    pub(crate) name: Arc<str>,
    /// The key that signed.
    pub(crate) key_id: Arc<str>,
    /// The role of a session.
    pub(crate) role_arn: Option<Arc<str>>,
}

#[derive(Debug)]
pub(crate) struct EventError {
    pub(crate) code: String,
    pub(crate) message: Option<String>,
}

/// What an answer holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry<'t> {
    Event(&'t Event),
    /// Shown as it is, whatever was asked.
    Raw(&'t Value),
}

impl Event {
    pub(crate) fn position(&self) -> Position {
        (self.at.as_second(), self.number)
    }

    pub(crate) fn id(&self) -> String {
        let number = self.number;
        format!("{:08x}-0000-4000-9000-{:012x}", number >> 16, number)
    }

    pub(crate) fn source(&self) -> String {
        format!("{}.amazonaws.com", self.service)
    }

    pub(crate) fn is_read_only(&self) -> bool {
        only_reads(&self.name)
    }
}

impl Trail {
    /// Adds an event, and forgets those that are too old for any answer.
    fn push(&mut self, event: Event) {
        let oldest = event.at.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        while self.events.front().is_some_and(|event| event.at < oldest) {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// The wanted events from `from` to `until`, and all raw entries, newest first.
    pub(crate) fn entries(
        &self,
        from: Timestamp,
        until: Timestamp,
        wanted: impl Fn(&Event) -> bool,
    ) -> Vec<(Position, Entry<'_>)> {
        let events = self.events.iter().filter(|event| (from..=until).contains(&event.at) && wanted(event));
        let events = events.map(|event| (event.position(), Entry::Event(event)));
        let raw = self.raw.iter().map(|(position, value)| (*position, Entry::Raw(value)));
        let mut all: Vec<_> = events.chain(raw).collect();
        all.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
        all
    }

    /// Whether one more lookup stays within `limit` per second.
    fn admits(&mut self, now: Timestamp, limit: u32) -> bool {
        self.lookups.retain(|then| *then <= now && now.duration_since(*then) < SECOND);
        let admits = u32::try_from(self.lookups.len()).is_ok_and(|recent| recent < limit);
        if admits {
            self.lookups.push(now);
        }
        admits
    }
}

impl World {
    /// The number of the next event.
    pub(crate) fn next_event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    pub(crate) fn trail(&self, account: &str, region: &str) -> Option<&Trail> {
        self.accounts.get(account)?.trails.get(region)
    }

    /// The time that the oldest and the newest event of an answer may have.
    pub(crate) fn trail_window(&self) -> (Timestamp, Timestamp) {
        let now = self.now();
        let before = |span| now.checked_sub(span).unwrap_or(Timestamp::MIN);
        (before(KEPT), before(self.settings.trail_lag))
    }

    pub(crate) fn record_event(&mut self, account: &str, event: Event) {
        let region = event.region.clone();
        if let Some(account) = self.accounts.get_mut(account) {
            account.trails.entry(region).or_default().push(event);
        }
    }

    /// Adds an entry that is shown as it is, at the place that its EventTime gives it if it has one.
    pub(crate) fn record_raw_event(&mut self, account: &str, region: &str, value: Value) {
        let time = value.get("EventTime").and_then(Value::as_i64);
        let position = (time.unwrap_or_else(|| self.now().as_second()), self.next_event());
        let region = self.word(region);
        self.account_or_new(account).trails.entry(region).or_default().raw.push((position, value));
    }

    /// Whether the rate of lookups admits one more now.
    pub(crate) fn admits_lookup(&mut self, account: &str, region: &str) -> bool {
        let (Some(limit), now) = (self.settings.lookups_per_second, self.wall()) else { return true };
        let region = self.word(region);
        let account = self.accounts.get_mut(account);
        account.is_none_or(|account| account.trails.entry(region).or_default().admits(now, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn mk_event(number: u64, at: &str) -> Event {
        let word: Arc<str> = "x".into();
        Event {
            at: mk_time(at),
            number,
            region: word.clone(),
            service: word.clone(),
            name: word.clone(),
            identity: Identity {
                account: word.clone(),
                principal_id: word.clone(),
                arn: word.clone(),
                name: word.clone(),
                key_id: word,
                role_arn: None,
            },
            origin: Origin::program(),
            error: None,
            parameters: Value::Null,
            response: Value::Null,
            resources: Vec::new(),
            request_id: None,
        }
    }

    #[test]
    fn events_are_forgotten_after_ninety_days() {
        let mut trail = Trail::default();
        for (number, at) in
            ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-05-01T00:00:00Z"].iter().enumerate()
        {
            trail.push(mk_event(number as u64, at));
        }
        let numbers: Vec<_> = trail.events.iter().map(|event| event.number).collect();
        assert_eq!(numbers, [1, 2]);
    }

    #[test]
    fn entries_come_newest_first_within_their_bounds() {
        let mut trail = Trail::default();
        trail.push(mk_event(1, "2026-01-01T00:00:00Z"));
        trail.push(mk_event(2, "2026-01-03T00:00:00Z"));
        trail.push(mk_event(3, "2026-01-02T00:00:00Z"));
        trail.push(mk_event(4, "2026-01-02T00:00:00Z"));
        let entries =
            trail.entries(mk_time("2026-01-02T00:00:00Z"), mk_time("2026-01-03T00:00:00Z"), |_| true);
        let numbers: Vec<_> = entries.iter().map(|((_, number), _)| *number).collect();
        assert_eq!(numbers, [2, 4, 3]);
    }

    #[test]
    fn two_lookups_a_second_pass() {
        let mut trail = Trail::default();
        let mut at = |text| trail.admits(mk_time(text), 2);
        assert!(at("2026-01-01T00:00:00Z") && at("2026-01-01T00:00:00.5Z"));
        assert!(!at("2026-01-01T00:00:00.9Z"));
        assert!(at("2026-01-01T00:00:01Z"));
        assert!(at("2025-01-01T00:00:00Z"), "a clock that was set back owes nothing");
    }
}
