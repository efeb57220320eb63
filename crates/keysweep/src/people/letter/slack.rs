//! A message as blocks of Slack.
//!
//! Every text is `verbatim`: Slack then makes no link or mention of what only looks like one.

use serde_json::{Value, json};

use super::clean::{slack, slack_code};
use super::view::{Context, Key, View, most};

/// Slack: blocks of one message.
const BLOCKS: usize = 50;

/// Slack accepts 3,000 characters in one text.
const TEXT: usize = 2_900;

/// Slack refuses blocks with more than about 13,200 characters, and does not say how it counts. This is their JSON.
const ALL: usize = 12_000;

/// The longest text of a template.
const TEMPLATE: usize = ALL - 1_000;

/// Accounts that are listed with the keys that are not shown in full.
const ACCOUNTS: usize = 10;

/// As many keys in full as Slack accepts.
pub(super) fn blocks(view: &View<'_>) -> Vec<Value> {
    let fit = |blocks: &Vec<Value>| {
        let size: usize = blocks.iter().map(|block| block.to_string().chars().count()).sum();
        blocks.len() <= BLOCKS && size <= ALL
    };
    most(view.len().min(BLOCKS), |keys| of_context(&view.context(keys, ACCOUNTS)), fit)
}

/// Blocks for the text of a template, as much of it as Slack accepts, and how to decide on each request.
pub(super) fn of_text(text: &str, view: &View<'_>) -> Vec<Value> {
    let requests: Vec<Value> = view
        .asked()
        .flat_map(|key| {
            let lines: Vec<String> = [slack_code(&key.id)].into_iter().chain(decide(key)).collect();
            sections(&lines).into_iter().chain(actions(key))
        })
        .collect();
    let size: usize = requests.iter().map(|block| block.to_string().chars().count()).sum();
    let lines: Vec<String> = cut_to(text, TEMPLATE.saturating_sub(size)).lines().map(str::to_owned).collect();
    sections(&lines).into_iter().chain(requests).collect()
}

/// As much of a text as Slack accepts, in whole lines.
pub(super) fn cut(text: &str) -> String {
    cut_to(text, TEMPLATE)
}

fn cut_to(text: &str, longest: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if out.chars().count().saturating_add(line.chars().count()) > longest {
            out.push('…');
            break;
        }
        out.push_str(line);
        out.push('\n');
    }
    out.trim_end().to_owned()
}

fn of_context(context: &Context<'_>) -> Vec<Value> {
    let headline = json!({ "type": "plain_text", "text": context.headline, "emoji": false });
    let mut blocks = vec![json!({ "type": "header", "text": headline })];
    blocks.extend(sections(&[ours(context.intro)]));
    for section in &context.sections {
        let mut lines = vec![format!("*{}*", section.title), ours(section.about)];
        lines.extend(section.answers.iter().map(|answer| ours(answer)));
        blocks.extend(sections(&lines));
        blocks.extend(
            section.keys.iter().flat_map(|key| sections(&of_key(key)).into_iter().chain(actions(key))),
        );
    }
    if let Some(rest) = &context.rest {
        let mut lines = vec![format!("*{} more*", rest.count)];
        lines.extend(rest.lines.iter().map(|line| format!("• {}", slack(line))));
        if rest.more > 0 {
            lines.push(format!("• and {} more accounts", rest.more));
        }
        lines.extend(context.page.map(|page| link(page, "See the page")));
        blocks.extend(sections(&lines));
    }
    if !context.advice.is_empty() {
        let mut lines = vec!["*Instead of an access key*".to_owned()];
        lines.extend(context.advice.iter().map(|advice| match advice.services.as_str() {
            "" => format!("• {}", ours(advice.text)),
            services => format!("• {}: {}", slack(services), ours(advice.text)),
        }));
        blocks.extend(sections(&lines));
    }
    let mut footer =
        format!("keysweep, notice {}. Times are in the time zone {}.", context.number, slack(context.zone));
    if let Some(page) = context.page.filter(|_| context.rest.is_none()) {
        footer = format!("{footer} {}", link(page, "Open the page"));
    }
    blocks.push(json!({ "type": "context", "elements": [mrkdwn(&footer)] }));
    blocks
}

fn of_key(key: &Key) -> Vec<String> {
    let mut lines = vec![slack_code(&key.id)];
    lines.extend(key.facts.iter().map(|fact| format!("{}: {}", fact.label, slack(&fact.value))));
    lines.extend(key.command.as_ref().map(|command| format!("Command: {}", slack_code(command))));
    if !key.links.is_empty() {
        let links: Vec<_> = key.links.iter().map(|one| link(&one.url, one.label)).collect();
        lines.push(links.join(" · "));
    }
    lines.extend(decide(key));
    lines
}

/// How a request stands, and where to decide on it.
fn decide(key: &Key) -> Vec<String> {
    let Some(asked) = &key.asked else { return Vec::new() };
    let status = asked.status.iter().map(|text| format!("*{}*", slack(text)));
    status.chain(asked.page.as_ref().map(|(url, label)| link(url, label))).collect()
}

fn actions(key: &Key) -> Option<Value> {
    key.asked.as_ref()?.buttons.clone()
}

/// Lines in as few sections as their limit allows.
fn sections(lines: &[String]) -> Vec<Value> {
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        let length = line.chars().count();
        let line: String = line.chars().take(TEXT).collect();
        match texts.last_mut().filter(|text| text.chars().count().saturating_add(length) < TEXT) {
            Some(text) => {
                text.push('\n');
                text.push_str(&line);
            }
            None => texts.push(line),
        }
    }
    let filled = texts.iter().filter(|text| !text.trim().is_empty());
    filled.map(|text| json!({ "type": "section", "expand": true, "text": mrkdwn(text) })).collect()
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn link(url: &str, label: &str) -> String {
    format!("<{}|{label}>", ours(url))
}

/// A text of ours, whose backticks are meant.
fn ours(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
