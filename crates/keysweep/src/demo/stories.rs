//! The stories that the organization was made up for: what to watch.

use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::state::{Reach, State};
use keysweep_sim::seed::Demo;

use super::chronicle::{Chronicle, Past};
use super::words::standing;

/// How one story stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Story {
    /// Which: one word or two.
    pub(super) title: &'static str,
    /// The user or the account it is about.
    pub(super) about: String,
    /// How it stands, in words.
    pub(super) stands: String,
    /// Whether it has come to the end that its title promises.
    pub(super) told: bool,
}

/// Every story, as it stands.
pub(super) fn all(demo: &Demo, state: &State, chronicle: &Chronicle) -> Vec<Story> {
    let teller = Teller { demo, state, chronicle };
    vec![
        teller.key("rescued", &demo.rescued_key, |past| past.used_again.is_some()),
        teller.key("seen", &demo.seen_key, |past| past.used_again.is_some()),
        teller.key("quarantine", &demo.quarantined_key, |past| past.showed.is_some()),
        teller.key("missed", &demo.missed_key, |past| past.reactivated.is_some()),
        teller.key("forgotten", &demo.forgotten_key, |past| past.deleted.is_some()),
        teller.exempt("exempt", &demo.exempt_key),
        teller.account("no role", &demo.account_without_role),
        teller.account("suspended", &demo.suspended_account),
    ]
}

struct Teller<'a> {
    demo: &'a Demo,
    state: &'a State,
    chronicle: &'a Chronicle,
}

impl Teller<'_> {
    fn key(&self, title: &'static str, key: &str, told: impl Fn(&Past) -> bool) -> Story {
        let id: Option<AccessKeyId> = key.parse().ok();
        let record = id.as_ref().and_then(|id| self.state.record(id));
        let past = id.as_ref().and_then(|id| self.chronicle.of(id));
        let calendar = self.chronicle.calendar;
        let told = past.is_some_and(told);
        let stands = match (past, record) {
            (Some(Past { used_again: Some(at), .. }), None) => {
                format!("used again in time on day {}: active", calendar.day(*at))
            }
            (Some(Past { used_again: Some(at), .. }), Some(record)) if record.past.activity.is_some() => {
                format!("seen in CloudTrail before its deactivation on day {}: active", calendar.day(*at))
            }
            (Some(Past { showed: Some(at), .. }), Some(record)) => {
                let client = record.past.activity.as_deref().and_then(|activity| activity.address.as_deref());
                let from = client.map(|address| format!(" from {address}")).unwrap_or_default();
                format!("used in quarantine{from} on day {}: active, on hold", calendar.day(*at))
            }
            (_, Some(record)) if record.in_quarantine() => "user in quarantine".to_owned(),
            (Some(Past { reactivated: Some(at), .. }), Some(record)) => {
                let until = record.held().and_then(|hold| hold.until);
                let hold = until.map(|until| format!(", on hold until day {}", calendar.day(until)));
                let state = standing(&record.state, calendar);
                format!("reactivated on day {}: {state}{}", calendar.day(*at), hold.unwrap_or_default())
            }
            (_, Some(record)) => standing(&record.state, calendar),
            (Some(_), None) => "active".to_owned(),
            (None, None) => "not looked at yet".to_owned(),
        };
        Story { title, about: self.user(key), stands, told }
    }

    fn exempt(&self, title: &'static str, key: &str) -> Story {
        // A key that is exempt from the start has no record: its account counts it.
        let account = self.demo.sim.key(key).and_then(|key| key.account.parse().ok());
        let counted = account.and_then(|id| self.state.account(id)).map(|account| account.findings.exempt);
        let (stands, told) = match counted {
            Some(1..) => ("stale, and left alone: its tag says so", true),
            Some(0) | None => ("not looked at yet", false),
        };
        Story { title, about: self.user(key), stands: stands.to_owned(), told }
    }

    fn account(&self, title: &'static str, account: &str) -> Story {
        let id: Option<AccountId> = account.parse().ok();
        let known = id.and_then(|id| self.state.account(id));
        let about = known.map_or_else(|| account.to_owned(), |known| known.name.clone());
        let (stands, told) = match known.map(|known| &known.reach) {
            Some(Reach::Scanned) => ("scanned".to_owned(), false),
            // Why is told at length when it happens.
            Some(Reach::Failed { .. }) => ("failed, so nothing in it is touched".to_owned(), true),
            Some(Reach::Skipped { reason, .. }) => (format!("skipped: {reason}"), true),
            Some(Reach::Left { .. }) => ("left the organization".to_owned(), false),
            None => ("not looked at yet".to_owned(), false),
        };
        Story { title, about, stands, told }
    }

    /// Whose key it is: from the organization itself, which knows before keysweep does.
    fn user(&self, key: &str) -> String {
        let user = self.demo.sim.key(key).map(|key| key.user_name);
        let recorded =
            || key.parse().ok().and_then(|id| self.state.record(&id)).map(|r| r.user_name.to_string());
        user.or_else(recorded).unwrap_or_else(|| key.to_owned())
    }
}
