//! Requests for approval in Slack.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keysweep_core::notice::{Audience, Item, NoticeKind};
use keysweep_core::state::Actor;
use keysweep_core::ticket::Planned;
use serde_json::Value;

use super::super::{Draft, Letter, Writer, sample};
use super::fixture::{NOW, mk_name};
use crate::people::request::{Request, RequestName, Standing};

const OPEN: Standing = Standing::Open { claim: None, given: Vec::new(), needed: 1 };

fn mk_items(count: usize) -> Vec<Item> {
    (0..count).map(|n| sample::item(NoticeKind::ApprovalRequest, n).unwrap()).collect()
}

fn mk_request(item: &Item, action: Planned, standing: Standing) -> Request {
    let request = "123456-1f2e3d4c".parse().unwrap();
    let name = standing.is_open().then(|| RequestName { key: item.key.clone(), action, request });
    let page = Some(format!("https://keysweep.example.com/keys/{}", item.key));
    Request { standing, name, page }
}

fn write_by(writer: &Writer, items: &[Item], request: &dyn Fn(&Item) -> Request) -> Letter {
    let message = sample::message(Audience::Team);
    let draft = Draft {
        message: &message,
        items: items.iter().collect(),
        account_name: &mk_name,
        at: NOW.parse().unwrap(),
        time_zone: &TimeZone::UTC,
        links: &|_| None,
        page: Some("https://keysweep.example.com"),
        requests: &|item| Some(request(item)),
    };
    writer.write(&draft).unwrap()
}

fn write(items: &[Item], request: &dyn Fn(&Item) -> Request) -> Letter {
    write_by(&Writer::new(&Default::default()).unwrap(), items, request)
}

fn buttons(letter: &Letter) -> Vec<Vec<&str>> {
    let of_block = |block: &'static str| move |value: &&Value| value["type"] == block;
    let actions = letter.slack_blocks.iter().filter(of_block("actions"));
    let texts = |block: &Value| block["elements"].as_array().cloned().unwrap_or_default();
    let labels = |element: &Value| match element["text"]["text"].as_str() {
        Some("Approve…") => "approve",
        Some("Deny…") => "deny",
        Some("I am looking at it") => "claim",
        other => panic!("{other:?}"),
    };
    actions.map(|block| texts(block).iter().map(labels).collect()).collect()
}

#[test]
fn each_request_of_a_full_message_has_its_buttons() {
    let items = mk_items(8);
    let letter = write(&items, &|item| mk_request(item, Planned::Deactivate, OPEN));
    assert_eq!(buttons(&letter), vec![vec!["approve", "deny", "claim"]; 8]);
    let size: usize = letter.slack_blocks.iter().map(|block| block.to_string().chars().count()).sum();
    assert!(letter.slack_blocks.len() <= 50 && size <= 12_000, "{size}");
}

#[test]
fn a_deletion_has_no_button_that_approves_it() {
    let letter = write(&mk_items(1), &|item| mk_request(item, Planned::Delete, OPEN));
    assert_eq!(buttons(&letter), [["deny", "claim"]]);
    let text = Value::from(letter.slack_blocks).to_string();
    assert!(text.contains("/keys/AKIAIOSFODNN70000000|Approve on the page>"), "{text}");
}

#[test]
fn a_closed_request_says_who_and_why_without_buttons() {
    let by = || Actor::Slack { id: "U1".to_owned(), name: "<@U2> *Eve*".to_owned() };
    let at: Timestamp = NOW.parse().unwrap();
    let given = Standing::Open { claim: Some((by(), at)), given: vec![by()], needed: 2 };
    for (standing, says, count) in [
        (given, "*Approved by &lt;\u{ff20}U2&gt; \u{2217}Eve\u{2217} (1 of 2)*", 1),
        (Standing::Approved(vec![by()]), "*Approved by &lt;", 0),
        (Standing::Denied(vec![by()], Some("no <!here>".to_owned())), "\u{2217}: no &lt;!here&gt;*", 0),
        (Standing::Expired, "*Expired: nobody decided in time*", 0),
        (Standing::Void(Some("used".to_owned())), "*No decision is needed any more: used*", 0),
    ] {
        let letter = write(&mk_items(1), &|item| mk_request(item, Planned::Deactivate, standing.clone()));
        let text = Value::from(letter.slack_blocks.clone()).to_string();
        assert!(text.contains(says), "{says}: {text}");
        assert!(!text.contains("<@U2>") && !text.contains("<!here>"), "{text}");
        assert_eq!(buttons(&letter).len(), count, "{says}");
        assert_eq!(letter.subject.contains("closed"), count == 0, "{}", letter.subject);
    }
}

#[test]
fn a_template_keeps_the_buttons() {
    let overrides = [("slack.txt".to_owned(), "please decide\n".repeat(2_000))].into();
    let letter = write_by(&Writer::new(&overrides).unwrap(), &mk_items(8), &|item| {
        mk_request(item, Planned::Deactivate, OPEN)
    });
    assert_eq!(buttons(&letter).len(), 8);
    let size: usize = letter.slack_blocks.iter().map(|block| block.to_string().chars().count()).sum();
    assert!(size <= 13_000, "{size}");
}
