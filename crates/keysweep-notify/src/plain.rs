//! Text of others in one harmless line.

use std::error::Error;

/// Marks that reorder text, hide in it, or break lines without being control characters.
const DECEPTIVE: [std::ops::RangeInclusive<char>; 7] = [
    '\u{061C}'..='\u{061C}',
    '\u{200B}'..='\u{200F}',
    '\u{2028}'..='\u{202E}',
    '\u{2060}'..='\u{206F}',
    '\u{FEFF}'..='\u{FEFF}',
    '\u{FFF9}'..='\u{FFFB}',
    '\u{E0000}'..='\u{E007F}',
];

/// The text with a space for each run of white space, control characters and deceptive marks, trimmed.
pub(crate) fn one_line(text: &str) -> String {
    let harmless =
        |c: char| !(c.is_control() || c.is_whitespace() || DECEPTIVE.iter().any(|r| r.contains(&c)));
    let words = text.split(|c| !harmless(c)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// [`one_line`], cut to `max` characters.
pub(crate) fn excerpt(text: &str, max: usize) -> String {
    let line = one_line(text);
    match line.char_indices().nth(max) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default().trim_end()),
        None => line,
    }
}

/// The innermost cause of an error.
pub(crate) fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    std::iter::successors(Some(error), |&error| error.source()).last().unwrap_or(error)
}

/// The innermost cause of an error, in one line. Outer ones repeat it, and those of HTTP clients name the URL.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let text = excerpt(&root(error).to_string(), 200);
    // The system's begin with a capital, such as `Connection refused (os error 111)`.
    match text.split_at_checked(1) {
        Some((first, rest)) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => {
            first.to_ascii_lowercase() + rest
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidi_characters_become_spaces() {
        let text = "\u{202E}a\r\nBcc: b\u{85}c\u{2028}d\u{0}\t e\u{200B}f\u{2066}";
        assert_eq!(one_line(text), "a Bcc: b c d e f");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(excerpt("ääääb", 4), "ääää...");
        assert_eq!(excerpt("ääää", 4), "ääää");
    }
}
