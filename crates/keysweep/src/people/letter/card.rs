//! A message as an Adaptive Card.

use serde_json::{Value, json};

use super::clean::markdown;
use super::view::{Context, Key, View, most};

/// Teams accepts 28 KB, with what is around the card.
const BYTES: usize = 25_000;

/// Accounts that are listed with the keys that are not shown in full.
const ACCOUNTS: usize = 10;

/// As many keys in full as Teams accepts.
pub(super) fn card(view: &View<'_>) -> Value {
    let make = |keys| of_context(&view.context(keys, ACCOUNTS));
    most(view.len().min(super::KEYS), make, |card| card.to_string().len() <= BYTES)
}

fn of_context(context: &Context<'_>) -> Value {
    let mut body = vec![heading(&markdown(context.headline), "Large"), text(&plain(context.intro))];
    for section in &context.sections {
        body.push(heading(section.title, "Medium"));
        body.push(text(&plain(section.about)));
        body.extend(section.answers.iter().map(|answer| text(&plain(answer))));
        body.extend(section.keys.iter().map(|key| of_key(key)));
    }
    if let Some(rest) = &context.rest {
        body.push(heading(&format!("{} more", rest.count), "Medium"));
        body.extend(rest.lines.iter().map(|line| text(&markdown(line))));
        if rest.more > 0 {
            body.push(text(&format!("and {} more accounts", rest.more)));
        }
    }
    if !context.advice.is_empty() {
        body.push(heading("Instead of an access key", "Medium"));
        body.extend(context.advice.iter().map(|advice| match advice.services.as_str() {
            "" => text(&plain(advice.text)),
            services => text(&format!("{}: {}", markdown(services), plain(advice.text))),
        }));
    }
    let footer = format!(
        "keysweep, notice {}. Times are in the time zone {}.",
        context.number,
        markdown(context.zone)
    );
    body.push(
        json!({ "type": "TextBlock", "text": footer, "wrap": true, "isSubtle": true, "size": "Small" }),
    );
    let page = context.page.map(|page| open(page, "Open the page"));
    json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "lang": "en",
        "body": body,
        "actions": page.into_iter().collect::<Vec<_>>(),
    })
}

fn of_key(key: &Key) -> Value {
    let facts: Vec<Value> = (key.facts.iter())
        .map(|fact| json!({ "title": fact.label, "value": markdown(&fact.value) }))
        .collect();
    let mut items = vec![
        json!({ "type": "TextBlock", "text": markdown(&key.id), "fontType": "Monospace", "weight": "Bolder", "wrap": true }),
        json!({ "type": "FactSet", "facts": facts }),
    ];
    if let Some(command) = &key.command {
        items.push(
            json!({ "type": "TextBlock", "text": markdown(command), "fontType": "Monospace", "wrap": true }),
        );
    }
    if !key.links.is_empty() {
        let actions: Vec<Value> = key.links.iter().map(|link| open(&link.url, link.label)).collect();
        items.push(json!({ "type": "ActionSet", "actions": actions }));
    }
    json!({ "type": "Container", "style": "emphasis", "spacing": "Medium", "items": items })
}

fn heading(text: &str, size: &str) -> Value {
    json!({ "type": "TextBlock", "text": text, "size": size, "weight": "Bolder", "wrap": true, "style": "heading" })
}

fn text(text: &str) -> Value {
    json!({ "type": "TextBlock", "text": text, "wrap": true })
}

fn open(url: &str, title: &str) -> Value {
    json!({ "type": "Action.OpenUrl", "title": title, "url": url })
}

/// A text of ours: cards have no inline code.
fn plain(text: &str) -> String {
    text.replace('`', "")
}
