//! What a message says about one key, line by line.

use jiff::Timestamp;
use keysweep_core::facts::LastUse;
use keysweep_core::notice::{Audience, Item, NoticeKind};
use keysweep_core::owner::Owner;
use keysweep_core::state::Actor;
use keysweep_core::ticket::Planned;
use serde::Serialize;

use super::clean::line;
use super::when::Clock;

/// How many characters of a name, and of a reason, a message shows.
pub(super) const NAME: usize = 80;
pub(super) const REASON: usize = 300;

/// One line about a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Fact {
    /// What it is.
    pub(super) label: &'static str,
    /// Its value, on one line.
    pub(super) value: String,
}

/// Everything about a key but its ID, in the order in which a reader needs it.
pub(super) fn facts(item: &Item, account: &str, audience: Audience, clock: &Clock<'_>) -> Vec<Fact> {
    let mut facts = Facts { clock, all: Vec::new() };
    facts.add("User", line(item.user_name.as_str(), 2 * NAME));
    facts.add("Account", account.to_owned());
    facts.owner(item, audience);
    facts.last_use(item.last_use.as_ref());
    facts.of_kind(item);
    facts.all
}

/// The time that decides the order of notices of one kind.
pub(super) fn date(item: &Item, now: Timestamp) -> Timestamp {
    let (deactivation, deletion) = item.dates(now);
    let date = match item.kind {
        NoticeKind::DeactivationAhead => deactivation,
        NoticeKind::DeletionAhead => deletion,
        NoticeKind::Reminder if item.change == Some(Planned::Delete) => deletion,
        NoticeKind::Reminder => deactivation,
        NoticeKind::ApprovalRequest | NoticeKind::HoldEnding | NoticeKind::ExemptionEnding => item.ends,
        NoticeKind::Reactivated
        | NoticeKind::Deactivated
        | NoticeKind::Outcome
        | NoticeKind::Undeliverable
        | NoticeKind::OwnerMissing
        | NoticeKind::Deleted => None,
    };
    date.unwrap_or(item.at)
}

struct Facts<'a> {
    clock: &'a Clock<'a>,
    all: Vec<Fact>,
}

impl Facts<'_> {
    fn add(&mut self, label: &'static str, value: impl Into<String>) {
        self.all.push(Fact { label, value: value.into() });
    }

    fn time(&mut self, label: &'static str, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.add(label, self.clock.time(at));
        }
    }

    fn not_before(&mut self, label: &'static str, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.add(label, format!("{} or later", self.clock.time(at)));
        }
    }

    fn owner(&mut self, item: &Item, audience: Audience) {
        let Some(owner) = item.owner.as_deref() else { return };
        let name = line(&owner.name, NAME);
        let value = match (owner.left(), audience) {
            (Some(left), _) if left != owner.name => format!("{name}, since {} has left", line(left, NAME)),
            (Some(_), _) => format!("{name}, who has left"),
            // Owners know their own names.
            (None, Audience::Owner) => return,
            (None, Audience::Team | Audience::Protect) => format!("{name} ({})", source(owner)),
        };
        self.add("Owner", value);
    }

    fn last_use(&mut self, last_use: Option<&LastUse>) {
        let value = match last_use {
            None => return,
            Some(LastUse::Never) => "never".to_owned(),
            Some(LastUse::At { at, service, region }) => {
                let with = service.as_ref().map(|service| format!(" with {}", line(service, NAME)));
                let in_region = region.as_ref().map(|region| format!(" in {}", line(region, NAME)));
                [Some(self.clock.past(*at)), with, in_region].into_iter().flatten().collect()
            }
        };
        self.add("Last used", value);
    }

    fn of_kind(&mut self, item: &Item) {
        let (deactivation, deletion) = item.dates(self.clock.now);
        match item.kind {
            NoticeKind::DeactivationAhead => {
                self.not_before("Deactivation", deactivation);
                self.not_before("Deletion", deletion);
                self.reason("Reason", item);
            }
            NoticeKind::DeletionAhead => {
                self.not_before("Deletion", deletion);
                self.reason("Reason", item);
            }
            NoticeKind::Reminder => {
                if item.change != Some(Planned::Delete) {
                    self.not_before("Deactivation", deactivation);
                }
                self.not_before("Deletion", deletion);
                self.reason("Reason", item);
            }
            NoticeKind::Deactivated => {
                self.time("Deactivated", Some(item.at));
                self.by("Deactivated by", item.by.as_ref());
                self.reason("Reason", item);
                self.not_before("Deletion", deletion);
            }
            NoticeKind::Deleted => {
                self.time("Deleted", Some(item.at));
                self.by("Deleted by", item.by.as_ref());
                self.reason("Reason", item);
            }
            NoticeKind::Reactivated => {
                self.time("Reactivated", Some(item.at));
                self.by("Reactivated by", item.by.as_ref());
                self.reason("Reason", item);
                self.time("On hold until", item.ends);
            }
            NoticeKind::ApprovalRequest => {
                self.change("Request", item.change);
                self.reason("Reason", item);
                self.time("Expires", item.ends);
            }
            NoticeKind::Outcome => {
                self.change("Change", item.change);
                self.reason("Outcome", item);
                self.by("By", item.by.as_ref());
                self.time("Until", item.ends);
            }
            NoticeKind::Undeliverable => {
                self.change("Change", item.change);
                self.reason("Error", item);
                self.time("Given up", Some(item.at));
            }
            NoticeKind::OwnerMissing => {
                self.not_before("Deletion", deletion);
                self.reason("Reason", item);
            }
            NoticeKind::HoldEnding => {
                self.time("Hold ends", item.ends);
                self.by("Placed by", item.by.as_ref());
                self.reason("Reason", item);
            }
            NoticeKind::ExemptionEnding => {
                self.time("Exempt until", item.ends);
                self.by("Exempted by", item.by.as_ref());
                self.reason("Rule", item);
            }
        }
    }

    fn change(&mut self, label: &'static str, change: Option<Planned>) {
        match change {
            Some(Planned::Deactivate) => self.add(label, "deactivation"),
            Some(Planned::Delete) => self.add(label, "deletion"),
            None => {}
        }
    }

    fn by(&mut self, label: &'static str, by: Option<&Actor>) {
        if let Some(by) = by.filter(|by| !by.is_keysweep()) {
            self.add(label, person(by));
        }
    }

    fn reason(&mut self, label: &'static str, item: &Item) {
        if let Some(why) = &item.why {
            self.add(label, line(why, REASON));
        }
    }
}

/// Who acted, by the name that a reader knows.
pub(super) fn person(actor: &Actor) -> String {
    match actor {
        Actor::Keysweep => "keysweep".to_owned(),
        Actor::Local { user, login } => line(login.as_ref().unwrap_or(user), NAME),
        Actor::Token { name, .. } => format!("the holder of API token {}", line(name, NAME)),
        Actor::Oidc { name, .. } | Actor::Slack { name, .. } => line(name, NAME),
        Actor::Link { owner } => format!("the link that was sent to {}", line(owner, NAME)),
    }
}

fn source(owner: &Owner) -> String {
    format!("from {}", owner.source.in_words())
}
