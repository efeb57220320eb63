//! Text from AWS, tags, and people, made harmless for each place where a message shows it.
//!
//! [`line()`] applies to every such text. Beyond it, each place has its own markup: HTML is escaped by the templates, [`slack`]
//! is for mrkdwn, [`markdown`] for Adaptive Cards. Neither of the latter two has an escape character that every client
//! honours, so that active characters are replaced by ones that look alike.

use std::net::IpAddr;

use crate::safe::safe;

/// The longest URL that a message contains. Longer ones are not ours.
const LONGEST_URL: usize = 512;

/// The text on one line, with at most `longest` characters and without anything that clients turn into a link.
pub(super) fn line(text: &str, longest: usize) -> String {
    // Most of a very long text is not even looked at.
    let head: String = text.chars().take(longest.saturating_mul(4)).collect();
    let words = head.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = safe(&words).replace("://", "[:]//").replace("www.", "www[.]").replace("WWW.", "WWW[.]");
    let cut = head.len() < text.len() || plain.chars().count() > longest;
    match cut {
        true => {
            let kept: String = plain.chars().take(longest.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
        false => plain,
    }
}

/// For Slack's mrkdwn, outside of code.
pub(super) fn slack(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (n, c) in chars.iter().copied().enumerate() {
        let before = n.checked_sub(1).and_then(|n| chars.get(n)).copied();
        let after = chars.get(n.saturating_add(1)).copied();
        let inside = is_word(before) && is_word(after);
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '*' => out.push('\u{2217}'),
            '~' => out.push('\u{223c}'),
            '`' => out.push('\''),
            '_' if !inside => out.push('\u{ff3f}'),
            '@' if !is_word(before) => out.push('\u{ff20}'),
            '#' if !is_word(before) => out.push('\u{ff03}'),
            ':' if chars.get(n..).is_some_and(is_emoji) => out.push('\u{2236}'),
            _ => out.push(c),
        }
    }
    out
}

/// For Slack's mrkdwn, as code.
pub(super) fn slack_code(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'");
    format!("`{text}`")
}

/// For the Markdown of Adaptive Cards.
pub(super) fn markdown(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (n, c) in chars.iter().copied().enumerate() {
        let before = n.checked_sub(1).and_then(|n| chars.get(n)).copied();
        let after = chars.get(n.saturating_add(1)).copied();
        let inside = is_word(before) && is_word(after);
        let begins = chars.get(..n).is_some_and(|before| before.iter().all(|c| c.is_ascii_digit()));
        match c {
            '*' => out.push('\u{2217}'),
            '~' => out.push('\u{223c}'),
            '`' => out.push('\''),
            '[' => out.push('\u{ff3b}'),
            ']' => out.push('\u{ff3d}'),
            '<' => out.push('\u{2039}'),
            '>' => out.push('\u{203a}'),
            '&' => out.push('\u{ff06}'),
            // Before a letter or a digit, it escapes nothing.
            '\\' if !is_word(after) => out.push('\u{29f5}'),
            '{' if after == Some('{') => out.push_str("{ "),
            '_' if !inside => out.push('\u{ff3f}'),
            '#' if n == 0 => out.push('\u{ff03}'),
            '-' if n == 0 => out.push('\u{2010}'),
            '+' if n == 0 => out.push('\u{ff0b}'),
            // A number and a point or bracket begin a list.
            '.' if begins && n > 0 && !is_word(after) => out.push('\u{2024}'),
            ')' if begins && n > 0 && !is_word(after) => out.push('\u{ff09}'),
            _ => out.push(c),
        }
    }
    out
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(char::is_alphanumeric)
}

/// Whether a text that begins with a colon begins with the name of an emoji. Times of day have no letters.
fn is_emoji(text: &[char]) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    let name = |c: &char| c.is_alphanumeric() || "_+-'".contains(*c);
    let length = rest.iter().take_while(|c| name(c)).count();
    let closed = rest.get(length) == Some(&':');
    closed && length > 0 && rest.iter().take(length).any(|c| !c.is_ascii_digit())
}

/// A URL that a message may contain: `https`, or `http` on this machine.
pub(super) fn web(url: &str) -> Option<&str> {
    let harmless = |c: char| c.is_ascii_graphic() && !"\"'<>\\^`{|}".contains(c);
    if url.len() > LONGEST_URL || !url.chars().all(harmless) {
        return None;
    }
    let parsed: http::Uri = url.parse().ok()?;
    let host = parsed.host().filter(|host| !host.is_empty())?;
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let user = parsed.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match parsed.scheme_str() {
        Some("https") if !user => Some(url),
        Some("http") if !user && local => Some(url),
        _ => None,
    }
}
