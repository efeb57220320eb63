//! Letters as they were last reviewed. `UPDATE_GOLDEN=1` writes them again.

use std::path::Path;

use keysweep_core::notice::{Audience, NoticeKind};

use super::super::Letter;
use super::super::kinds::BY_URGENCY;
use super::super::sample;
use super::fixture::{mk_account, mk_digest, mk_item, mk_name, write, write_in, write_with};

fn compare(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/letter").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{name} differs; UPDATE_GOLDEN=1 writes it again:\n{actual}");
}

fn compare_letter(name: &str, letter: &Letter) {
    let pretty = |value: &serde_json::Value| format!("{value:#}\n");
    compare(&format!("{name}/mail.txt"), &format!("Subject: {}\n\n{}", letter.subject, letter.text));
    compare(&format!("{name}/mail.html"), &letter.html);
    let slack = serde_json::json!({ "text": letter.slack_text, "blocks": letter.slack_blocks });
    compare(&format!("{name}/slack.json"), &pretty(&slack));
    compare(&format!("{name}/card.json"), &pretty(&letter.card));
    compare(&format!("{name}/webhook.json"), &pretty(&letter.json));
}

#[test]
fn letters_about_one_key() {
    for kind in BY_URGENCY {
        let item = mk_item(kind);
        compare_letter(kind.as_str(), &write(item.audience, &[item]));
    }
}

#[test]
fn a_digest_of_60_keys() {
    let links = |item: &_| Some(sample::links(item));
    compare_letter("digest", &write_with(Audience::Team, &mk_digest(), &mk_account, &links));
}

#[test]
fn letters_to_owners_without_links() {
    let items: Vec<_> = BY_URGENCY[..5].iter().map(|kind| mk_item(*kind)).collect();
    compare_letter("without_links", &write_with(Audience::Owner, &items, &mk_account, &|_| None));
}

#[test]
fn a_letter_to_a_reader_in_new_york() {
    let links = |item: &_| Some(sample::links(item));
    let item = mk_item(NoticeKind::DeactivationAhead);
    let letter = write_in("America/New_York", Audience::Owner, &[item], &mk_name, &links);
    compare_letter("in_new_york", &letter);
}

#[test]
fn the_schema_of_the_webhook() {
    let schema = schemars::schema_for!(super::super::json::Notice);
    compare("webhook.schema.json", &format!("{:#}\n", serde_json::to_value(schema).unwrap()));
}
