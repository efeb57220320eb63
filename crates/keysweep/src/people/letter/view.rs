//! What a message says, before any markup: the values that templates, Slack blocks, and cards show.
//!
//! Every text in it is on one line, of limited length, and free of characters that reorder or hide text.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keysweep_core::facts::LastUse;
use keysweep_core::notice::{Audience, Item, NoticeKind};
use serde::Serialize;

use super::advice::advice;
use super::asked::Asked;
use super::clean::{line, web};
use super::facts::{Fact, NAME, date, facts};
use super::kinds::{Remedy, about, deserves_advice, tally, title, urgency};
use super::subject::headline;
use super::when::Clock;
use super::{Draft, Links};

/// A message.
pub(super) struct View<'a> {
    /// The items, in the order in which they are shown.
    pub(super) items: Vec<&'a Item>,
    pub(super) headline: String,
    intro: String,
    audience: Audience,
    entries: Vec<Entry>,
    page: Option<String>,
    zone: String,
    number: u64,
}

/// One notice, with what its section needs to know.
struct Entry {
    kind: NoticeKind,
    key: Key,
    /// What the reader can do, if no link does it.
    unanswered: Option<Remedy>,
    advice: Option<(String, &'static str)>,
}

/// A key in a message.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Key {
    /// Its ID.
    pub(super) id: String,
    /// Name of its user.
    user: String,
    /// Its account, by name and ID.
    pub(super) account: String,
    /// Everything that there is to say, line by line.
    pub(super) facts: Vec<Fact>,
    /// Links with which the reader answers.
    pub(super) links: Vec<Link>,
    /// The command for the security team.
    pub(super) command: Option<String>,
    /// The request for approval that Slack shows with it.
    #[serde(skip)]
    pub(super) asked: Option<Asked>,
}

/// A link.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Link {
    /// `still_needed`, `no_longer_needed`, `show`, or `reactivate`.
    action: &'static str,
    /// What it says.
    pub(super) label: &'static str,
    /// Where it leads.
    pub(super) url: String,
}

/// The variables of a template.
#[derive(Debug, Serialize)]
pub(super) struct Context<'a> {
    /// What the message is about: the subject without a prefix.
    pub(super) headline: &'a str,
    /// Who sends this, and to whom.
    pub(super) intro: &'a str,
    /// `owner`, `team`, or `protect`.
    audience: Audience,
    /// How many notices the message contains.
    count: usize,
    /// The first keys, for the preview in a list of messages.
    pub(super) preview: String,
    /// Notices by kind, the most urgent first.
    pub(super) sections: Vec<Section<'a>>,
    /// Notices that are not among them.
    pub(super) rest: Option<Rest>,
    /// What would make the keys unnecessary.
    pub(super) advice: Vec<Advice>,
    /// URL of the page.
    pub(super) page: Option<&'a str>,
    /// Name of the time zone of every time.
    pub(super) zone: &'a str,
    /// Number of the message.
    pub(super) number: u64,
}

/// Notices of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Section<'a> {
    /// The kind, as in the configuration.
    pub(super) kind: NoticeKind,
    /// Heading.
    pub(super) title: &'static str,
    /// What it is about.
    pub(super) about: &'static str,
    /// How to answer without a link.
    pub(super) answers: Vec<&'static str>,
    /// The keys.
    pub(super) keys: Vec<&'a Key>,
}

/// Notices that are not shown in full.
#[derive(Debug, Serialize)]
pub(super) struct Rest {
    /// How many.
    pub(super) count: usize,
    /// One line for each account.
    pub(super) lines: Vec<String>,
    /// How many accounts have no line.
    pub(super) more: usize,
}

/// One sentence about one or several services.
#[derive(Debug, Serialize)]
pub(super) struct Advice {
    /// Names of the services, or nothing if none is known.
    pub(super) services: String,
    /// The sentence.
    pub(super) text: &'static str,
}

impl<'a> View<'a> {
    pub(super) fn new(draft: &Draft<'a>) -> Self {
        let clock = Clock { now: draft.at, zone: draft.time_zone };
        let audience = draft.message.to.audience;
        let mut items: Vec<(Order, &'a Item)> =
            draft.items.iter().map(|item| (order(item, draft), *item)).collect();
        items.sort_by(|(one, _), (other, _)| one.cmp(other));
        let items: Vec<&'a Item> = items.into_iter().map(|(_, item)| item).collect();
        let entries: Vec<_> = items.iter().map(|item| entry(item, draft, &clock)).collect();
        let short =
            |item: &Item| (draft.account_name)(item.account).unwrap_or_else(|| item.account.to_string());
        Self {
            headline: closed(&entries).unwrap_or_else(|| headline(&items, &short, &clock)),
            intro: intro(audience, items.len()),
            audience,
            entries,
            page: draft.page.and_then(web).map(str::to_owned),
            zone: line(clock.zone(), NAME),
            number: draft.message.number,
            items,
        }
    }

    /// The keys whose requests for approval Slack shows.
    pub(super) fn asked(&self) -> impl Iterator<Item = &Key> {
        self.entries.iter().map(|entry| &entry.key).filter(|key| key.asked.is_some())
    }

    /// How many notices there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The message with so many keys in full, and so many lines for the others.
    pub(super) fn context(&self, keys: usize, lines: usize) -> Context<'_> {
        let (full, others) = self.entries.split_at(keys.min(self.entries.len()));
        Context {
            headline: &self.headline,
            intro: &self.intro,
            audience: self.audience,
            count: self.entries.len(),
            preview: preview(&self.entries),
            sections: sections(full, self.audience),
            rest: rest(others, lines),
            advice: advices(full),
            page: self.page.as_deref(),
            zone: &self.zone,
            number: self.number,
        }
    }
}

/// What is made of as many keys in full as fit, at most `keys`.
pub(super) fn most<T>(keys: usize, make: impl Fn(usize) -> T, fits: impl Fn(&T) -> bool) -> T {
    let (mut fitting, mut above) = (0_usize, keys.saturating_add(1));
    let mut best = make(0);
    while above.saturating_sub(fitting) > 1 {
        let middle = fitting.midpoint(above);
        let made = make(middle);
        if fits(&made) {
            (fitting, best) = (middle, made);
        } else {
            above = middle;
        }
    }
    best
}

/// By urgency, date, account, and user.
type Order = (usize, Timestamp, String, String, String);

fn order(item: &Item, draft: &Draft<'_>) -> Order {
    let account = (draft.account_name)(item.account).unwrap_or_default();
    let user = item.user_name.to_string();
    (urgency(item.kind), date(item, draft.at), account, user, item.key.to_string())
}

fn intro(audience: Audience, count: usize) -> String {
    match (audience, count) {
        (Audience::Owner, 1) => "keysweep, which your security team runs to deactivate and delete unused AWS access keys, \
                                 lists you as the owner of this key."
            .to_owned(),
        (Audience::Owner, _) => "keysweep, which your security team runs to deactivate and delete unused AWS access keys, \
                                 lists you as the owner of these keys."
            .to_owned(),
        (Audience::Team, 1) => "keysweep has a notice about an AWS access key for the security team.".to_owned(),
        (Audience::Team, count) => format!("keysweep has {count} notices about AWS access keys for the security team."),
        (Audience::Protect, _) => {
            "keysweep sends this only to the addresses in protect.notify, because a key below may be a honeytoken."
                .to_owned()
        }
    }
}

fn entry(item: &Item, draft: &Draft<'_>, clock: &Clock<'_>) -> Entry {
    let audience = draft.message.to.audience;
    let account = account(item, draft);
    let links = links(item, (draft.links)(item));
    let remedy = Remedy::of(item);
    let asked = (draft.requests)(item).filter(|_| item.kind == NoticeKind::ApprovalRequest);
    let asked = asked.map(|request| Asked::new(&request, clock));
    let linked = |action: &str| links.iter().any(|link| link.action == action);
    let answered = match remedy {
        Remedy::Keep | Remedy::Extend => linked("still_needed"),
        Remedy::Reactivate => linked("reactivate"),
        // A link shows a key without a login, and nobody approves without one.
        Remedy::Decide => {
            let answered = asked.as_ref().is_some_and(Asked::is_answered);
            answered || (audience != Audience::Owner && linked("show"))
        }
        Remedy::None => true,
    };
    let service = match &item.last_use {
        Some(LastUse::At { service: Some(service), .. }) => line(service, NAME),
        Some(LastUse::At { service: None, .. } | LastUse::Never) | None => String::new(),
    };
    Entry {
        kind: item.kind,
        unanswered: (!answered).then_some(remedy),
        advice: deserves_advice(item.kind).then(|| (service, advice(item.last_use.as_ref()))),
        key: Key {
            id: line(item.key.as_str(), 2 * NAME),
            user: line(item.user_name.as_str(), 2 * NAME),
            facts: facts(item, &account, audience, clock),
            account,
            links,
            command: (audience != Audience::Owner).then(|| remedy.command(item)).flatten(),
            asked,
        },
    }
}

/// The headline of a message whose requests are all closed.
fn closed(entries: &[Entry]) -> Option<String> {
    let is_closed = |entry: &Entry| entry.key.asked.as_ref().is_some_and(|asked| !asked.is_open);
    match entries {
        all if !all.iter().all(is_closed) => None,
        [] => None,
        [_] => Some("This request for approval is closed".to_owned()),
        all => Some(format!("All {} requests for approval are closed", all.len())),
    }
}

fn account(item: &Item, draft: &Draft<'_>) -> String {
    match (draft.account_name)(item.account).map(|name| line(&name, NAME)).filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} ({})", item.account),
        None => item.account.to_string(),
    }
}

/// The links that may be shown. Once a key is Inactive, the undo comes first.
fn links(item: &Item, links: Option<Links>) -> Vec<Link> {
    let Some(Links { still_needed, no_longer_needed, show, reactivate }) = links else { return Vec::new() };
    let mut all = vec![
        ("still_needed", "Still needed", still_needed),
        ("no_longer_needed", "No longer needed", no_longer_needed),
        ("show", "Show me", show),
    ];
    let place = if Remedy::of(item) == Remedy::Reactivate { 0 } else { all.len() };
    all.insert(place, ("reactivate", "Reactivate now", reactivate));
    let link = |(action, label, url): (&'static str, &'static str, Option<String>)| {
        let url = web(&url?)?.to_owned();
        Some(Link { action, label, url })
    };
    all.into_iter().filter_map(link).collect()
}

fn preview(entries: &[Entry]) -> String {
    let shown: Vec<_> =
        entries.iter().take(3).map(|Entry { key, .. }| format!("{} in {}", key.user, key.account)).collect();
    let more = if entries.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn sections(entries: &[Entry], audience: Audience) -> Vec<Section<'_>> {
    let chunks = entries.chunk_by(|one, other| one.kind == other.kind);

    chunks
        .filter_map(|chunk| {
            let kind = chunk.first()?.kind;
            let mut answers: Vec<&'static str> = Vec::new();
            let remedies = chunk.iter().filter_map(|entry| entry.unanswered);
            for answer in remedies.filter_map(|remedy| remedy.answer(audience, chunk.len())) {
                if !answers.contains(&answer) {
                    answers.push(answer);
                }
            }
            let keys: Vec<&Key> = chunk.iter().map(|entry| &entry.key).collect();
            let is_closed = |key: &&Key| key.asked.as_ref().is_some_and(|asked| !asked.is_open);
            let (title, about) = match keys.iter().all(is_closed) {
                true => ("Requests for approval", "No decision is needed any more."),
                false => (title(kind), about(kind, chunk.len())),
            };
            Some(Section { kind, title, about, answers, keys })
        })
        .collect()
}

fn rest(entries: &[Entry], lines: usize) -> Option<Rest> {
    let mut accounts: BTreeMap<&str, Vec<NoticeKind>> = BTreeMap::new();
    for entry in entries {
        accounts.entry(&entry.key.account).or_default().push(entry.kind);
    }
    let of_account = |(account, kinds): (&&str, &Vec<NoticeKind>)| {
        let chunks = kinds.chunk_by(|one, other| one == other);
        let tallies: Vec<_> =
            chunks.filter_map(|chunk| chunk.first().map(|kind| tally(*kind, chunk.len()))).collect();
        format!("{account}: {}", tallies.join(", "))
    };
    (!entries.is_empty()).then(|| Rest {
        count: entries.len(),
        lines: accounts.iter().take(lines).map(of_account).collect(),
        more: accounts.len().saturating_sub(lines),
    })
}

/// Each sentence once, in the order of the keys, with the services that it is for.
fn advices(entries: &[Entry]) -> Vec<Advice> {
    let mut all: Vec<(Vec<&str>, &'static str)> = Vec::new();
    for (service, text) in entries.iter().filter_map(|entry| entry.advice.as_ref()) {
        if !all.iter().any(|(_, known)| known == text) {
            all.push((Vec::new(), text));
        }
        let of_text = all.iter_mut().find(|(_, known)| known == text).map(|(services, _)| services);
        if let Some(services) = of_text.filter(|of| !service.is_empty() && !of.contains(&service.as_str())) {
            services.push(service);
        }
    }
    all.into_iter().map(|(services, text)| Advice { services: services.join(", "), text }).collect()
}
