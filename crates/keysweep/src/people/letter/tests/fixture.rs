//! Drafts to write letters from.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keysweep_core::ids::AccountId;
use keysweep_core::notice::{Audience, Item, NoticeKind};

use super::super::sample;
use super::super::{Draft, Letter, Links, Writer};

/// Monday 30 November 2026, 09:00 in Berlin.
pub(super) const NOW: &str = "2026-11-30T08:00:00Z";

pub(super) fn mk_item(kind: NoticeKind) -> Item {
    sample::item(kind, 0).unwrap()
}

pub(super) fn mk_name(_: AccountId) -> Option<String> {
    Some("prod-payments".to_owned())
}

static WRITER: LazyLock<Writer> = LazyLock::new(|| Writer::new(&BTreeMap::new()).unwrap());

/// A letter with links and a page, to a reader in Berlin.
pub(super) fn write(audience: Audience, items: &[Item]) -> Letter {
    write_with(audience, items, &mk_name, &|item| Some(sample::links(item)))
}

pub(super) fn write_with(
    audience: Audience,
    items: &[Item],
    account_name: &dyn Fn(AccountId) -> Option<String>,
    links: &dyn Fn(&Item) -> Option<Links>,
) -> Letter {
    write_in("Europe/Berlin", audience, items, account_name, links)
}

/// A letter to a reader in this time zone.
pub(super) fn write_in(
    zone: &str,
    audience: Audience,
    items: &[Item],
    account_name: &dyn Fn(AccountId) -> Option<String>,
    links: &dyn Fn(&Item) -> Option<Links>,
) -> Letter {
    let message = sample::message(audience);
    let zone = TimeZone::get(zone).unwrap();
    let at: Timestamp = NOW.parse().unwrap();
    let page = Some("https://keysweep.example.com/");
    let items = items.iter().collect();
    let requests = &|_: &Item| None;
    let draft = Draft { message: &message, items, account_name, at, time_zone: &zone, links, page, requests };
    WRITER.write(&draft).unwrap()
}

/// Sixty keys of five accounts and of every kind.
pub(super) fn mk_digest() -> Vec<Item> {
    let kinds = super::super::kinds::BY_URGENCY;
    let mk = |n: usize| {
        let mut item = sample::item(kinds[n % kinds.len()], n).unwrap();
        item.account = format!("{}", 111_122_223_333_u64 + (n as u64 % 5)).parse().unwrap();
        item.user_name = format!("service-{:02}", n % 17).parse().unwrap();
        item
    };
    (0..60).map(mk).collect()
}

pub(super) fn mk_account(account: AccountId) -> Option<String> {
    let names = ["prod-payments", "prod-web", "staging", "data-lake"];
    let number: u64 = account.to_string().parse().unwrap();
    names.get(usize::try_from(number - 111_122_223_333).unwrap()).map(|name| (*name).to_owned())
}
