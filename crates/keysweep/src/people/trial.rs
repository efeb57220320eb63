//! One test message, for an operator who sets up a channel.

use jiff::Timestamp;
use keysweep_core::notice::{Address, Audience, ChannelKind, Message, NoticeKind, Recipient, Status};
use keysweep_notify::Failure;
use serde_json::{Value, json};

use super::letter::{Draft, Letter, Writer, sample};
use super::{Carrier, Channels, Outgoing};
use crate::config::Config;

/// What came of a test message to one address.
#[derive(Debug)]
pub(crate) struct Trial {
    /// Where it was sent.
    pub(crate) to: Address,
    /// Whether the channel accepted it.
    pub(crate) outcome: Result<(), Failure>,
}

/// The addresses that `where_to` means: one address, or every address of a channel that the configuration names.
///
/// # Errors
/// Why it means none.
fn addresses(config: &Config, where_to: &str) -> Result<Vec<Address>, String> {
    let notices = &config.policy.notices;
    let channel = [ChannelKind::Email, ChannelKind::Slack, ChannelKind::Webhook]
        .into_iter()
        .find(|channel| channel.as_str() == where_to);
    let Some(channel) = channel else {
        let address: Address = where_to.parse().map_err(|expected| {
            format!("found {where_to:?}, expected email, slack, webhook, or {expected}")
        })?;
        return match notices.serves(&address) {
            true => Ok(vec![address]),
            false => Err(format!("no channel for {address} is configured: see [notices]")),
        };
    };
    if !notices.channels.contains(&channel) {
        return Err(format!("the channel {where_to} is not configured: see [notices]"));
    }
    let named = notices.notify.iter().chain(&notices.protect).filter(|address| address.channel() == channel);
    let mut addresses: Vec<Address> = named.cloned().collect();
    if channel == ChannelKind::Webhook {
        addresses.extend(notices.webhooks.iter().cloned().map(Address::Webhook));
    }
    addresses.sort();
    addresses.dedup();
    match addresses.is_empty() {
        true => {
            Err(format!("notices.notify has no address for the channel {where_to}: use an address instead"))
        }
        false => Ok(addresses),
    }
}

/// Says in every channel that it is a test.
fn mark(letter: &mut Letter) {
    const TEST: &str = "This is a test message about an invented key. No action is required.";
    letter.text = format!("{TEST}\n\n{}", letter.text);
    // After the opening tag of the body, wherever a template of the operator has it.
    let body =
        letter.html.find("<body").and_then(|at| letter.html.get(at..)?.find('>').map(|end| at + end + 1));
    letter.html.insert_str(body.unwrap_or(0), &format!("<p><strong>{TEST}</strong></p>"));
    letter.slack_text = format!("{TEST} {}", letter.slack_text);
    let block = json!({ "type": "section", "text": { "type": "plain_text", "text": TEST } });
    letter.slack_blocks.insert(0, block);
    if let Some(body) = letter.card.get_mut("body").and_then(Value::as_array_mut) {
        body.insert(0, json!({ "type": "TextBlock", "text": TEST, "wrap": true, "weight": "Bolder" }));
    }
    if let Some(json) = letter.json.as_object_mut() {
        json.insert("test".to_owned(), Value::Bool(true));
    }
}

/// Sends a test message about an invented key.
///
/// # Errors
/// Why nothing was sent at all.
pub(crate) async fn try_channel(
    config: &Config,
    where_to: &str,
    now: Timestamp,
) -> Result<Vec<Trial>, String> {
    let addresses = addresses(config, where_to)?;
    let carrier = Channels::new(&config.channels);
    let item = sample::item(NoticeKind::DeactivationAhead, 0)?;
    let mut trials = Vec::new();
    for to in addresses {
        let message = Message {
            number: 0,
            at: now,
            to: Recipient { name: to.to_string(), addresses: vec![to.clone()], audience: Audience::Owner },
            items: [item.id].into(),
            send_from: now,
            give_up: now,
            status: Status::Open,
            replaceable: None,
        };
        let draft = Draft {
            message: &message,
            items: vec![&item],
            account_name: &|_| Some("example-account".to_owned()),
            at: now,
            time_zone: &config.policy.notices.time_zone,
            links: &|_| None,
            page: None,
            requests: &|_| None,
        };
        let mut letter = Writer::new(&config.channels.templates)?.write(&draft)?;
        mark(&mut letter);
        letter.subject = format!("[keysweep] Test message, no action required: {}", letter.subject);
        let id = format!("keysweep-test-{:x}", now.as_nanosecond());
        let outcome = carrier.carry(&to, &Outgoing { id, letter, at: now }).await.map(drop);
        trials.push(Trial { to, outcome });
    }
    Ok(trials)
}
