//! Block Kit of Slack as a tree of text, which a template escapes and draws.
//!
//! Covers what the messages of keysweep use, and what their templates can write (Slack, "Block Kit" and "Formatting message
//! text"). No HTML is made here, so that no name from AWS can become markup.

use serde_json::Value;

/// One block of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// A heading.
    Header(String),
    /// Text, and short texts in columns.
    Section { texts: Vec<Text>, fields: Vec<Text> },
    /// Small print.
    Context(Vec<Text>),
    /// A line.
    Divider,
    /// Buttons.
    Actions(Vec<Button>),
    /// A block that keysweep does not send, by its type.
    Other(String),
}

/// A text, piece by piece.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) Vec<Piece>);

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Lines, each of which has spans.
    Lines(Vec<Vec<Span>>),
    /// Code with line breaks.
    Code(String),
}

/// Characters with one style.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) style: Style,
    /// A path of our own page.
    pub(super) href: Option<String>,
}

/// How characters look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) strike: bool,
    pub(super) code: bool,
}

/// A button that leads to a path of our own page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Button {
    pub(super) text: String,
    pub(super) href: String,
    /// `primary`, `danger`, or nothing.
    pub(super) class: &'static str,
}

/// Reads the blocks of a message. A link counts if it leads below `base`, the URL of the page without a slash at its end.
pub(super) fn blocks(json: &[Value], base: Option<&str>) -> Vec<Block> {
    json.iter().filter_map(|block| Reader { base }.block(block)).collect()
}

/// Reads the text of a message that has no blocks.
pub(super) fn plain(text: &str, base: Option<&str>) -> Block {
    Block::Section { texts: vec![Reader { base }.mrkdwn(text)], fields: Vec::new() }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    base: Option<&'a str>,
}

impl Reader<'_> {
    /// Nothing for a block with nothing to see.
    fn block(self, block: &Value) -> Option<Block> {
        let texts = |name: &str| -> Vec<Text> {
            let list = block.get(name).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(|text| self.text(text)).collect()
        };
        match string(block, "type") {
            "header" => Some(Block::Header(block.get("text").map(|text| string(text, "text").to_owned())?)),
            "section" => {
                let text = block.get("text").and_then(|text| self.text(text));
                let read = Block::Section { texts: text.into_iter().collect(), fields: texts("fields") };
                let empty = Block::Section { texts: Vec::new(), fields: Vec::new() };
                (read != empty).then_some(read)
            }
            "context" => Some(Block::Context(texts("elements"))),
            "divider" => Some(Block::Divider),
            "actions" => {
                let list = block.get("elements").and_then(Value::as_array);
                let buttons: Vec<_> = list.into_iter().flatten().filter_map(|it| self.button(it)).collect();
                (!buttons.is_empty()).then_some(Block::Actions(buttons))
            }
            other => Some(Block::Other(other.to_owned())),
        }
    }

    /// A text object.
    fn text(self, text: &Value) -> Option<Text> {
        let content = text.get("text").and_then(Value::as_str)?;
        match string(text, "type") {
            "mrkdwn" => Some(self.mrkdwn(content)),
            _ => {
                let line = |line: &str| vec![Span { text: line.to_owned(), ..Span::default() }];
                Some(Text(vec![Piece::Lines(content.lines().map(line).collect())]))
            }
        }
    }

    /// A button without a link needs an app that receives its clicks: there is none here, and nothing to show.
    fn button(self, button: &Value) -> Option<Button> {
        let href = self.local(button.get("url").and_then(Value::as_str)?)?;
        let class = match string(button, "style") {
            "primary" => "primary",
            "danger" => "danger",
            _ => "",
        };
        Some(Button { text: string(button.get("text")?, "text").to_owned(), href, class })
    }

    /// The path, so that a link leads to the page by the name that the reader uses. Other URLs lead nowhere.
    fn local(self, url: &str) -> Option<String> {
        let path = unescaped(url).strip_prefix(self.base?)?.to_owned();
        // Browsers take `//` and `/\` for the beginning of another host.
        let begins = path.is_empty() || (path.starts_with('/') && !path.starts_with("//"));
        let harmless = path.chars().all(|c| c.is_ascii_graphic() && !"\"'<>\\`".contains(c));
        (begins && harmless).then(|| if path.is_empty() { "/".to_owned() } else { path })
    }

    fn mrkdwn(self, text: &str) -> Text {
        let pieces = text.split("```").enumerate().filter_map(|(index, part)| {
            let trimmed = part.trim_matches('\n');
            match index % 2 {
                _ if trimmed.is_empty() => None,
                0 => Some(Piece::Lines(trimmed.lines().map(|line| self.line(line)).collect())),
                _ => Some(Piece::Code(unescaped(trimmed))),
            }
        });
        Text(pieces.collect())
    }

    fn line(self, line: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        self.inline(line, Style::default(), &mut spans);
        spans
    }

    fn inline(self, text: &str, style: Style, spans: &mut Vec<Span>) {
        let (mut plain, mut before) = (String::new(), None);
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let after = rest.as_str();
            let found = match c {
                '<' => after.split_once('>').map(|(inside, tail)| (self.angle(inside, style), tail)),
                '`' => after.split_once('`').filter(|(code, _)| !code.is_empty()).map(|(code, tail)| {
                    let style = Style { code: true, ..style };
                    (vec![Span { text: unescaped(code), style, href: None }], tail)
                }),
                '*' | '_' | '~' if !before.is_some_and(char::is_alphanumeric) => {
                    emphasized(c, after).map(|(inside, tail)| {
                        let mut inner = Vec::new();
                        self.inline(inside, styled(style, c), &mut inner);
                        (inner, tail)
                    })
                }
                _ => None,
            };
            match found {
                Some((more, tail)) => {
                    flush(&mut plain, style, spans);
                    spans.extend(more);
                    rest = tail.chars();
                }
                None => plain.push(c),
            }
            before = Some(c);
        }
        flush(&mut plain, style, spans);
    }

    /// What stands between angle brackets: a link, or a mention, which is shown as it is written.
    fn angle(self, inside: &str, style: Style) -> Vec<Span> {
        let (target, label) = inside.split_once('|').unwrap_or((inside, inside));
        let text = match target.starts_with(['@', '#', '!']) {
            true => format!("<{}>", unescaped(inside)),
            false => unescaped(label),
        };
        vec![Span { text, style, href: self.local(target) }]
    }
}

fn flush(plain: &mut String, style: Style, spans: &mut Vec<Span>) {
    if !plain.is_empty() {
        spans.push(Span { text: unescaped(plain), style, href: None });
        plain.clear();
    }
}

fn styled(style: Style, mark: char) -> Style {
    match mark {
        '*' => Style { bold: true, ..style },
        '_' => Style { italic: true, ..style },
        _ => Style { strike: true, ..style },
    }
}

/// The text up to the mark that ends it, and what follows. The mark stands at the end of a word, and not in code or a link.
fn emphasized(mark: char, text: &str) -> Option<(&str, &str)> {
    let candidates = text.match_indices(mark).filter_map(|(at, _)| text.split_at_checked(at));
    candidates.map(|(inside, tail)| (inside, tail.strip_prefix(mark).unwrap_or(tail))).find(
        |(inside, tail)| {
            let closed = inside.matches('`').count().is_multiple_of(2)
                && inside.matches('<').count() == inside.matches('>').count();
            let tight = !inside.is_empty() && inside.trim() == *inside;
            closed && tight && !tail.starts_with(char::is_alphanumeric)
        },
    )
}

/// The three characters that Slack has escaped.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn string<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BASE: &str = "http://127.0.0.1:9853";

    fn spans(text: &str) -> Vec<Span> {
        Reader { base: Some(BASE) }.line(text)
    }

    fn span(text: &str) -> Span {
        Span { text: text.to_owned(), ..Span::default() }
    }

    fn bold(text: &str) -> Span {
        Span { style: Style { bold: true, ..Style::default() }, ..span(text) }
    }

    fn code(text: &str) -> Span {
        Span { style: Style { code: true, ..Style::default() }, ..span(text) }
    }

    fn link(text: &str, href: &str) -> Span {
        Span { href: Some(href.to_owned()), ..span(text) }
    }

    #[test]
    fn bold_italic_strike_and_code_are_read() {
        assert_eq!(
            spans("*Will be* _soon_ `AKIA*1*` ~gone~"),
            [
                bold("Will be"),
                span(" "),
                Span { style: Style { italic: true, ..Style::default() }, ..span("soon") },
                span(" "),
                code("AKIA*1*"),
                span(" "),
                Span { style: Style { strike: true, ..Style::default() }, ..span("gone") },
            ]
        );
        let both = Style { bold: true, italic: true, ..Style::default() };
        assert_eq!(spans("*a _b_*"), [bold("a "), Span { style: both, ..span("b") }]);
        let bold_code = Style { bold: true, code: true, ..Style::default() };
        assert_eq!(spans("*`a*b`*"), [Span { style: bold_code, ..span("a*b") }]);
    }

    #[test]
    fn marks_within_words_are_text() {
        for text in ["svc_old_migration", "2*3*4", "* no *", "_", "a ` b", "*a*b", "a <b"] {
            assert_eq!(spans(text), [span(text)], "{text}");
        }
    }

    #[test]
    fn links_to_the_page_become_paths_and_others_are_text() {
        let url = format!("<{BASE}/answer/ABC_d-e|Still needed> · <{BASE}|the page>");
        assert_eq!(
            spans(&url),
            [link("Still needed", "/answer/ABC_d-e"), span(" · "), link("the page", "/")]
        );
        let query = format!("<{BASE}/keys?q=a&amp;sort=idle|keys>");
        assert_eq!(spans(&query), [link("keys", "/keys?q=a&sort=idle")]);
        for url in [
            "https://example.com/",
            "javascript:alert(1)",
            "http://127.0.0.1:98530/",
            "http://127.0.0.1:9853@evil.example/",
            "http://127.0.0.1:9853//evil.example/",
            "http://127.0.0.1:9853/\\evil.example/",
            "http://127.0.0.1:9853/\"onclick=",
        ] {
            assert_eq!(spans(&format!("<{url}|here>")), [span("here")], "{url}");
        }
        assert_eq!(Reader { base: None }.line(&format!("<{BASE}/|here>")), [span("here")]);
    }

    #[test]
    fn a_mention_is_text() {
        assert_eq!(spans("<!channel> <@U1>"), [span("<!channel>"), span(" "), span("<@U1>")]);
    }

    #[test]
    fn escaped_characters_are_themselves_once() {
        assert_eq!(spans("a &lt;b&gt; &amp;amp; c"), [span("a <b> &amp; c")]);
        assert_eq!(spans("`&lt;script&gt;`"), [code("<script>")]);
    }

    #[test]
    fn blocks_of_every_kind_are_read() {
        let json = [
            json!({ "type": "header", "text": { "type": "plain_text", "text": "A *key*" } }),
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": "one\n*two*\n```\nx *y*\n```" } }),
            json!({ "type": "section", "fields": [{ "type": "plain_text", "text": "*raw*" }] }),
            json!({ "type": "divider" }),
            json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": "fine" }] }),
            json!({ "type": "video" }),
        ];
        let lines = |lines: &[Vec<Span>]| Piece::Lines(lines.to_vec());
        let text = |pieces: &[Piece]| Text(pieces.to_vec());
        assert_eq!(
            blocks(&json, Some(BASE)),
            [
                Block::Header("A *key*".to_owned()),
                Block::Section {
                    texts: vec![text(&[
                        lines(&[vec![span("one")], vec![bold("two")]]),
                        Piece::Code("x *y*".to_owned())
                    ])],
                    fields: Vec::new(),
                },
                Block::Section { texts: Vec::new(), fields: vec![text(&[lines(&[vec![span("*raw*")]])])] },
                Block::Divider,
                Block::Context(vec![text(&[lines(&[vec![span("fine")]])])]),
                Block::Other("video".to_owned()),
            ]
        );
    }

    #[test]
    fn only_buttons_that_lead_to_the_page_are_shown() {
        let button = |more: Value| {
            let mut button = json!({ "type": "button", "text": { "type": "plain_text", "text": "Go" } });
            button.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            button
        };
        let json = json!({ "type": "actions", "elements": [
            button(json!({ "url": format!("{BASE}/keys/A"), "style": "danger" })),
            button(json!({ "action_id": "keysweep-approve", "value": "x" })),
            button(json!({ "url": "https://example.com/" })),
        ] });
        let shown = Button { text: "Go".to_owned(), href: "/keys/A".to_owned(), class: "danger" };
        assert_eq!(blocks(&[json], Some(BASE)), [Block::Actions(vec![shown])]);
        let native = json!({ "type": "actions", "elements": [button(json!({ "action_id": "a" }))] });
        assert_eq!(blocks(&[native], Some(BASE)), []);
    }

    #[test]
    fn what_is_no_block_is_no_panic() {
        for odd in [json!(null), json!([]), json!({ "type": 3 }), json!({ "type": "header" })] {
            let read = blocks(std::slice::from_ref(&odd), None);
            assert!(matches!(read.as_slice(), [] | [Block::Other(_)]), "{odd}: {read:?}");
        }
    }
}
