//! XML written straight into a string.

use std::fmt::Display;
use std::fmt::Write as _;

/// A growing piece of XML.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub(crate) fn open(&mut self, tag: &str) {
        for part in ["<", tag, ">"] {
            self.0.push_str(part);
        }
    }

    pub(crate) fn close(&mut self, tag: &str) {
        for part in ["</", tag, ">"] {
            self.0.push_str(part);
        }
    }

    /// `<tag>text</tag>`, escaped.
    pub(crate) fn text(&mut self, tag: &str, text: &str) {
        self.open(tag);
        escape_into(&mut self.0, text);
        self.close(tag);
    }

    /// `<tag>value</tag>` of something that needs no escaping: numbers, times, booleans, base64.
    pub(crate) fn plain(&mut self, tag: &str, value: impl Display) {
        self.open(tag);
        // Writing into a String cannot fail.
        let _ = write!(self.0, "{value}");
        self.close(tag);
    }

    /// `<tag>...</tag>` around what `inside` writes.
    pub(crate) fn nest(&mut self, tag: &str, inside: impl FnOnce(&mut Self)) {
        self.open(tag);
        inside(self);
        self.close(tag);
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

pub(crate) fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            '\r' => out.push_str("&#xD;"),
            // XML 1.0 has no way to write the others.
            c if c.is_control() => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut xml = Xml::default();
        xml.text("Name", "o'neil & <sons>\u{1}");
        assert_eq!(xml.finish(), "<Name>o&#39;neil &amp; &lt;sons&gt;\u{FFFD}</Name>");
    }
}
