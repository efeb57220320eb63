//! Texts of somebody else's, such as user names, made safe to show: what would move the cursor, end a line, or turn the
//! order of what is read, is written out.

use std::borrow::Cow;
use std::fmt::Write;

/// Reset, bold, faint, italic, and the colours of the levels: what `tracing_subscriber` uses.
const COLOURS: [&str; 9] = ["[0m", "[1m", "[2m", "[3m", "[31m", "[32m", "[33m", "[34m", "[35m"];

/// A text on one line.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    written_out(text, is_unsafe)
}

/// A text whose lines stay lines.
pub(crate) fn safe_lines(text: &str) -> Cow<'_, str> {
    written_out(text, |c| c != '\n' && is_unsafe(c))
}

/// A text on one line with the colours of the log in it: the worst that others can do is to use them, too.
pub(crate) fn safe_colours(text: &str) -> Cow<'_, str> {
    let mut pieces = text.split('\u{1b}');
    let mut out = safe(pieces.next().unwrap_or_default()).into_owned();
    for piece in pieces {
        let colour = COLOURS.iter().any(|colour| piece.starts_with(colour));
        out.push_str(if colour { "\u{1b}" } else { "\\u{1b}" });
        out.push_str(&safe(piece));
    }
    out.into()
}

/// JSON on one line, every value as it was: what JSON lets stand in a text is written out as JSON does it.
pub(crate) fn safe_json(text: &str) -> Cow<'_, str> {
    written_out_as(text, is_unsafe, |out, c| {
        c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
    })
}

fn written_out(text: &str, is_unsafe: impl Fn(char) -> bool) -> Cow<'_, str> {
    written_out_as(text, is_unsafe, |out, c| write!(out, "\\u{{{:x}}}", u32::from(c)))
}

fn written_out_as(
    text: &str,
    is_unsafe: impl Fn(char) -> bool,
    write_out: impl Fn(&mut String, char) -> std::fmt::Result,
) -> Cow<'_, str> {
    if !text.chars().any(&is_unsafe) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unsafe(c) {
            // Writing into a String cannot fail.
            let _ = write_out(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out.into()
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Marks, embeddings, overrides and isolates of the bidirectional algorithm (Unicode, UAX #9).
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            // Nothing to see, so that two names look alike.
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{e0000}'..='\u{e007f}' | '\u{feff}' | '\u{ad}'
            // Other line breaks.
            | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_move_the_cursor_or_turn_the_reading_order() {
        assert_eq!(safe("ci-deploy"), "ci-deploy");
        assert_eq!(safe("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(safe("a\nb\tc"), "a\\u{a}b\\u{9}c");
        assert_eq!(safe("user\u{202e}gpj"), "user\\u{202e}gpj");
        assert_eq!(safe("ad\u{200b}min"), "ad\\u{200b}min");
        assert_eq!(safe("Jürgen 東京"), "Jürgen 東京");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "name": "a\u{9b}2J\u{202e}\u{1b}\n\u{2028}\u{e0041}b" });
        let text = safe_json(&value.to_string()).into_owned();
        assert!(!text.chars().any(is_unsafe), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
