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

/// Whether a character moves, hides, or interrupts the text around it.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control() || DECEPTIVE.iter().any(|range| range.contains(&c))
}

/// The text with a space for each run of white space and harmful characters, trimmed, and cut to `max` characters.
pub(crate) fn excerpt(text: &str, max: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || is_harmful(c)).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default().trim_end()),
        None => line,
    }
}

/// The innermost cause of an error. Outer ones repeat it, and those of HTTP clients name the whole URL.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let root = std::iter::successors(Some(error), |&error| error.source()).last().unwrap_or(error);
    excerpt(&root.to_string(), 200)
}

/// The text without the secrets, which a provider may repeat in its errors.
pub(crate) fn without(text: &str, secrets: &[&str]) -> String {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "[secret]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmful_characters_become_spaces() {
        let text = "\u{202E}a\r\nb\u{85}c\u{2028}d\u{0}\t e\u{200B}f\u{2066}";
        assert_eq!(excerpt(text, 100), "a b c d e f");
        assert_eq!(excerpt("ääääb", 4), "ääää...");
    }

    #[test]
    fn secrets_are_removed() {
        assert_eq!(without("a code-1 b code-1", &["", "code-1"]), "a [secret] b [secret]");
    }
}
