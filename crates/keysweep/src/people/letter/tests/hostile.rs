//! Text of others cannot become markup, a mention, a link, or a line of its own, however it looks.

use std::sync::Arc;

use keysweep_core::facts::LastUse;
use keysweep_core::notice::{Audience, Item};
use keysweep_core::state::Actor;
use proptest::prelude::*;
use serde_json::Value;

use super::super::kinds::BY_URGENCY;
use super::super::{Letter, sample};
use super::fixture::{mk_item, write_with};

/// What somebody would try.
const PIECES: &[&str] = &[
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><a href=\"https://evil.example\">",
    "' onload='x",
    "</td></table>",
    "<!here>",
    "<!channel>",
    "<@U012AB3CD>",
    "<#C012AB3CD|general>",
    "@here",
    "@channel",
    "@everyone",
    "<https://evil.example|click>",
    "https://evil.example/login",
    "http://169.254.169.254/",
    "www.evil.example",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "*bold*",
    "_italic_",
    "~gone~",
    "`code`",
    "```block```",
    ":rotating_light:",
    "> quote",
    "# heading",
    "- list",
    "1. list",
    "{{ headline }}",
    "{% raw %}",
    "{{DATE(2017-02-14T06:00:00Z)}}",
    "${7*7}",
    "&lt;b&gt;",
    "&#60;b&#62;",
    "\\u003cb\\u003e",
    "\\",
    "\u{202e}gpj.exe",
    "\u{200b}",
    "\u{2066}",
    "\u{feff}",
    "\u{e0041}",
    "ünïcode",
    "東京",
    "🔑",
    "a b",
    "prod-payments",
    "…",
    "'",
    "\"",
];

/// What only a text that is no name in IAM can contain.
const BREAKS: &[&str] =
    &["\n", "\r\n", "\nBcc: eve@evil.example", "\t", "\u{0}", "\u{1b}[2J", "\u{85}", "\u{2028}"];

fn mk_text(breaks: bool) -> impl Strategy<Value = String> {
    let pieces: Vec<&'static str> = PIECES.iter().chain(BREAKS.iter().filter(|_| breaks)).copied().collect();
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ];
    let size = prop_oneof![8 => 0..8_usize, 1 => 400..1_000_usize];
    size.prop_flat_map(move |size| proptest::collection::vec(piece.clone(), size))
        .prop_map(|all| all.concat())
}

#[derive(Debug, Clone)]
struct Names {
    account: String,
    user: String,
    owner: String,
    why: String,
    service: String,
    person: String,
}

fn mk_names() -> impl Strategy<Value = Names> {
    let user = mk_text(false)
        .prop_map(|text| text.chars().filter(|c| !c.is_control()).take(120).collect::<String>() + "u");
    let texts = (mk_text(true), user, mk_text(true), mk_text(true), mk_text(true), mk_text(true));
    texts.prop_map(|(account, user, owner, why, service, person)| Names {
        account: format!("a{account}"),
        user,
        owner: format!("o{owner}"),
        why: format!("w{why}"),
        service: format!("x{service}"),
        person: format!("p{person}"),
    })
}

fn mk_plain() -> Names {
    let text = || "plain".to_owned();
    Names { account: text(), user: text(), owner: text(), why: text(), service: text(), person: text() }
}

fn named(item: Item, names: &Names) -> Item {
    let mut owner = item.owner.clone();
    if let Some(owner) = &mut owner {
        Arc::make_mut(owner).name.clone_from(&names.owner);
    }
    let last_use = item.last_use.as_ref().and_then(LastUse::at).map(|at| LastUse::At {
        at,
        service: Some(names.service.as_str().into()),
        region: Some(names.service.as_str().into()),
    });
    let by = item.by.as_ref().map(|_| Actor::Slack { id: "U1".into(), name: names.person.clone() });
    let why = item.why.as_ref().map(|_| names.why.clone());
    Item { user_name: names.user.parse().unwrap(), owner, last_use, by, why, ..item }
}

fn write(items: &[Item], names: &Names) -> Letter {
    let account_name = |_| Some(names.account.clone());
    write_with(Audience::Team, items, &account_name, &|item| Some(sample::links(item)))
}

/// Everything between angle brackets.
fn tags(text: &str) -> Vec<&str> {
    text.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)).collect()
}

fn strings<'a>(value: &'a Value, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| strings(value, found)),
        Value::Object(all) => {
            for (key, value) in all {
                match value {
                    Value::String(text) => found.push((key, text)),
                    _ => strings(value, found),
                }
            }
        }
        _ => {}
    }
}

fn all_of<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    strings(value, &mut found);
    found.into_iter().filter(|(key, _)| *key == name).map(|(_, text)| text).collect()
}

fn check_lines(letter: &Letter) {
    let bad = |c: char| {
        (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\u{2028}\u{85}".contains(c)
    };
    let blocks = Value::from(letter.slack_blocks.clone());
    let (mut shown, mut own) =
        (vec![letter.subject.as_str(), &letter.text, &letter.html, &letter.slack_text], Vec::new());
    strings(&blocks, &mut own);
    strings(&letter.card, &mut own);
    shown.extend(own.iter().map(|(_, text)| *text));
    for text in shown {
        assert!(!text.contains(bad), "{text:?}");
    }
    assert!(!letter.subject.contains('\n') && letter.subject.chars().count() <= 100, "{}", letter.subject);
    for fact in all_of(&letter.card, "value") {
        assert!(!fact.contains('\n') && fact.chars().count() <= 310, "{fact}");
    }
    // A line of the text is one of ours, or it continues a value.
    for line in letter.text.lines().filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        let ours = match indent {
            4 => line.chars().skip(4).take_while(|c| *c != ':').all(|c| c.is_ascii_alphabetic() || c == ' '),
            0 | 2 => true,
            _ => indent == 22,
        };
        assert!(ours, "{line:?}");
        assert!(!line.starts_with("Bcc"), "{line:?}");
    }
}

fn check_markup(letter: &Letter, plain: &Letter) {
    assert_eq!(tags(&letter.html).len(), tags(&plain.html).len());
    for (tag, expected) in tags(&letter.html).into_iter().zip(tags(&plain.html)) {
        assert_eq!(tag, expected);
    }
    let mrkdwn = |letter: &Letter| -> String {
        let blocks = Value::from(letter.slack_blocks.clone());
        let texts = all_of(&blocks, "text");
        texts.iter().skip(1).copied().collect::<Vec<_>>().join("\n")
    };
    let (text, expected) = (mrkdwn(letter), mrkdwn(plain));
    assert_eq!(tags(&text), tags(&expected));
    for mark in ['*', '~', '`'] {
        assert_eq!(text.matches(mark).count(), expected.matches(mark).count(), "{mark} in {text}");
    }
    for mention in ["@here", "@channel", "@everyone", ":rotating_light:", "<!", "<@", "<#"] {
        let mut before = text.match_indices(mention).map(|(at, _)| text[..at].chars().next_back());
        assert!(before.all(|c| c.is_some_and(char::is_alphanumeric)), "{mention} in {text}");
    }
    assert_eq!(all_of(&letter.card, "url"), all_of(&plain.card, "url"));
    for text in all_of(&letter.card, "value").into_iter().chain(all_of(&letter.card, "text")) {
        assert!(!text.contains(['[', '*', '`', '<']) && !text.contains("{{"), "{text}");
    }
    for text in [&letter.text, &letter.html, &text, &letter.card.to_string(), &letter.subject] {
        assert!(!text.contains("://evil") && !text.contains("://169"), "{text}");
    }
}

fn check_limits(letter: &Letter) {
    let blocks = Value::from(letter.slack_blocks.clone());
    assert!((3..=50).contains(&letter.slack_blocks.len()));
    assert!(blocks.to_string().chars().count() <= 12_500);
    assert!(all_of(&blocks, "text").iter().all(|text| (1..=3_000).contains(&text.chars().count())));
    assert!(letter.slack_blocks[0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
    for block in &letter.slack_blocks {
        assert!(block["text"]["type"] != "mrkdwn" || block["text"]["verbatim"] == true);
    }
    assert!(letter.card.to_string().len() <= 25_000, "{}", letter.card.to_string().len());
    assert!(letter.html.len() < 400_000 && letter.text.len() < 200_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_stay_text_in_every_channel(names in mk_names(), kind in proptest::sample::select(BY_URGENCY.to_vec())) {
        let item = mk_item(kind);
        let (plain, hostile) = (mk_plain(), named(item.clone(), &names));
        let plain = write(&[named(item, &plain)], &plain);
        let letter = write(std::slice::from_ref(&hostile), &names);
        check_lines(&letter);
        check_markup(&letter, &plain);
        check_limits(&letter);
        let sent: Value = serde_json::from_str(&letter.json.to_string()).unwrap();
        prop_assert_eq!(&sent["items"][0]["user_name"], hostile.user_name.as_str());
        prop_assert_eq!(&sent["items"][0]["account_name"], &names.account);
        prop_assert_eq!(&sent["items"][0]["reason"], &serde_json::to_value(&hostile.why).unwrap());
    }
}

#[test]
fn sixty_names_of_10_kb_stay_within_the_limits_of_every_channel() {
    for piece in ["&<>\"'", "*_~`", "\n", "🔑", "a ", "\u{202e}", "[x](https://evil.example)"] {
        let long = || piece.repeat(10_240 / piece.len());
        let user: String = piece.chars().filter(|c| !c.is_control()).cycle().take(120).collect();
        let user = if piece == "\n" { "u".to_owned() } else { user };
        let names =
            Names { account: long(), user, owner: long(), why: long(), service: long(), person: long() };
        let kinds = BY_URGENCY.iter().cycle().take(60).enumerate();
        let items: Vec<_> = kinds.map(|(n, kind)| named(sample::item(*kind, n).unwrap(), &names)).collect();
        let letter = write(&items, &names);
        check_lines(&letter);
        check_limits(&letter);
        assert_eq!(letter.json["items"].as_array().unwrap().len(), 60);
    }
}

#[test]
fn links_that_are_not_https_are_left_out() {
    use super::super::Links;
    for url in [
        "http://keysweep.example.com/",
        "javascript:alert(1)",
        "https://a@b.example/",
        "https://b.example/\">",
        "https:///x",
        "https://b.example/a b",
        "https://b.example/|x",
        "data:text/html,x",
        "//b.example/",
        "http://127.0.0.1.evil.example/",
    ] {
        let links = |_: &Item| Some(Links { show: Some(url.to_owned()), ..Links::default() });
        let item = mk_item(keysweep_core::notice::NoticeKind::Deleted);
        let letter = write_with(Audience::Owner, &[item], &|_| None, &links);
        let all = format!("{}{}{}{:?}", letter.text, letter.html, letter.json, letter.slack_blocks);
        assert!(!all.contains("Show me") && !letter.card.to_string().contains("Show me"), "{url}");
        assert!(letter.json["items"][0]["links"]["show"].is_null(), "{url}");
    }
    for url in [
        "https://keysweep.example.com/l/ab_c-d.e~f",
        "http://localhost:9000/",
        "http://127.0.0.1:9000/",
        "http://[::1]/",
    ] {
        let links = |_: &Item| Some(Links { show: Some(url.to_owned()), ..Links::default() });
        let item = mk_item(keysweep_core::notice::NoticeKind::Deleted);
        assert!(write_with(Audience::Owner, &[item], &|_| None, &links).text.contains(url), "{url}");
    }
}
