//! What letters say.

use std::sync::Arc;

use jiff::tz::TimeZone;
use keysweep_core::notice::{Audience, Item, NoticeKind};
use keysweep_core::ticket::Planned;

use super::super::kinds::BY_URGENCY;
use super::super::{Draft, Writer, sample};
use super::fixture::{NOW, mk_account, mk_digest, mk_item, mk_name, write, write_with};

#[test]
fn every_kind_has_its_place() {
    use strum::VariantArray as _;
    let mut all = NoticeKind::VARIANTS.to_vec();
    for kind in BY_URGENCY {
        all.retain(|other| *other != kind);
    }
    assert_eq!(all, []);
}

#[test]
fn the_subject_of_one_kind_counts_keys_and_has_the_first_date() {
    let later = Item {
        deactivation: Some("2026-12-20T08:00:00Z".parse().unwrap()),
        ..mk_item(NoticeKind::DeactivationAhead)
    };
    let letter = write(Audience::Owner, &[later, mk_item(NoticeKind::DeactivationAhead)]);
    assert_eq!(letter.subject, "[keysweep] 2 unused access keys will be deactivated on or after 7 Dec 2026");
}

#[test]
fn the_subject_of_one_key_names_it_and_its_account() {
    let item = mk_item(NoticeKind::Deactivated);
    let letter = write(Audience::Owner, std::slice::from_ref(&item));
    assert_eq!(letter.subject, "[keysweep] Access key AKIAIOSFODNN70000000 in prod-payments was deactivated");
    let long = |_| Some("a".repeat(60));
    let letter = write_with(Audience::Owner, &[item], &long, &|_| None);
    assert_eq!(letter.subject, "[keysweep] Access key AKIAIOSFODNN70000000 was deactivated");
}

#[test]
fn dates_begin_with_the_delivery() {
    let item = mk_item(NoticeKind::DeactivationAhead);
    let message = sample::message(Audience::Owner);
    let at = "2026-12-02T10:30:00Z".parse().unwrap();
    let zone = TimeZone::get("America/New_York").unwrap();
    let draft = Draft {
        message: &message,
        items: vec![&item],
        account_name: &mk_name,
        at,
        time_zone: &zone,
        links: &|_| None,
        page: None,
        requests: &|_| None,
    };
    let letter = Writer::new(&Default::default()).unwrap().write(&draft).unwrap();
    assert!(letter.text.contains("Wed 9 Dec 2026, 05:30 EST or later"), "{}", letter.text);
    assert_eq!(letter.json["items"][0]["deactivation_not_before"], "2026-12-09T10:30:00Z");
    assert_eq!(letter.json["sent_at"], "2026-12-02T10:30:00Z");
}

#[test]
fn a_message_of_which_nothing_is_left_is_an_error() {
    let message = sample::message(Audience::Owner);
    let draft = Draft {
        message: &message,
        items: Vec::new(),
        account_name: &mk_name,
        at: NOW.parse().unwrap(),
        time_zone: &TimeZone::UTC,
        links: &|_| None,
        page: None,
        requests: &|_| None,
    };
    assert!(Writer::new(&Default::default()).unwrap().write(&draft).is_err());
}

#[test]
fn an_owner_without_a_link_is_told_whom_to_ask() {
    let reminder = Item { change: Some(Planned::Delete), ..mk_item(NoticeKind::Reminder) };
    for (item, answer) in [
        (mk_item(NoticeKind::DeactivationAhead), "If you still need it, tell your security team"),
        (mk_item(NoticeKind::Deactivated), "If you still need it, send the key ID to your security team"),
        (reminder, "If you still need it, send the key ID to your security team"),
        (mk_item(NoticeKind::HoldEnding), "If you need more time, ask your security team"),
    ] {
        let items = [item];
        let letter = write_with(Audience::Owner, &items, &mk_name, &|_| None);
        assert!(letter.text.contains(answer), "{}", letter.text);
        assert!(!letter.text.contains("--reason"), "{}", letter.text);
        let team = write_with(Audience::Team, &items, &mk_name, &|_| None);
        assert!(!team.text.contains(answer), "{}", team.text);
        assert!(team.text.contains("keysweep keys "), "{}", team.text);
    }
}

#[test]
fn an_owner_with_links_reactivates_with_the_first() {
    let letter = write(Audience::Owner, &[mk_item(NoticeKind::Deactivated)]);
    assert!(!letter.text.contains("security team and ask"), "{}", letter.text);
    let reactivate = letter.text.find("Reactivate now:").unwrap();
    assert!(reactivate < letter.text.find("Show me:").unwrap());
}

#[test]
fn the_order_of_the_items_does_not_matter() {
    let mut items = mk_digest();
    let links = |item: &Item| Some(sample::links(item));
    let letter = write_with(Audience::Team, &items, &mk_account, &links);
    items.reverse();
    assert_eq!(write_with(Audience::Team, &items, &mk_account, &links), letter);
}

#[test]
fn lines_of_text_fit_into_80_columns() {
    let letter = write_with(Audience::Team, &mk_digest(), &mk_account, &|_| None);
    for line in letter.text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_key_outside_of_every_table_gets_general_advice() {
    let letter = write(Audience::Owner, &[mk_item(NoticeKind::DeactivationAhead)]);
    assert!(letter.text.contains("- s3: A workload on AWS"), "{}", letter.text);
    let never = Item { last_use: None, ..mk_item(NoticeKind::DeactivationAhead) };
    let letter = write(Audience::Owner, &[never]);
    assert!(letter.text.contains("- Temporary credentials can replace"), "{}", letter.text);
}

#[test]
fn an_owner_who_took_over_learns_from_whom() {
    let mut item = mk_item(NoticeKind::DeactivationAhead);
    let owner = item.owner.as_mut().unwrap();
    let left = keysweep_core::owner::Listed { says: "max".into(), name: "Max Roe".into(), manager: None };
    Arc::make_mut(owner).left = Some(left);
    let letter = write(Audience::Owner, &[item]);
    assert!(letter.text.contains("Owner:            Dana Ito, since Max Roe has left"), "{}", letter.text);
}
