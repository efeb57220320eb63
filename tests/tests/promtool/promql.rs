//! As much of PromQL as it takes to see which series an expression asks for. Whether it is PromQL at all, promtool
//! says.

/// What an expression is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expression {
    /// The series that it asks for.
    pub(crate) selectors: Vec<Selector>,
    /// The labels by which it groups and joins.
    pub(crate) labels: Vec<String>,
    /// The functions with a range: their names, and the range as it is written.
    pub(crate) ranges: Vec<(String, String)>,
}

/// A name with what its labels must be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) name: String,
    pub(crate) matchers: Vec<Matcher>,
    /// As it is written, without a range.
    pub(crate) text: String,
}

/// What a label must be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Matcher {
    pub(crate) label: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub(crate) operator: String,
    pub(crate) value: String,
}

/// Words that are followed by labels.
const LABELLED: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Words that are neither function nor series. Aggregations are here because `by` may come before their parenthesis.
const WORDS: [&str; 15] = [
    "and", "or", "unless", "bool", "offset", "sum", "min", "max", "avg", "count", "topk", "bottomk",
    "quantile", "stddev", "group",
];

impl Expression {
    pub(crate) fn parse(text: &str) -> Self {
        let mut expression = Self::default();
        let mut rest = text;
        let mut function = String::new();
        while let Some(first) = rest.chars().next() {
            if first.is_ascii_digit() {
                rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
            } else if first == '[' {
                let (range, after) = rest[1..].split_once(']').expect("a range is closed");
                expression.ranges.push((function.clone(), range.to_owned()));
                rest = after;
            } else if is_name(first) {
                let begin = text.len() - rest.len();
                let end = rest.find(|c| !is_name(c) && !c.is_ascii_digit()).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                rest = after.trim_start();
                if LABELLED.contains(&word) {
                    let (labels, after) = list(rest);
                    expression.labels.extend(labels);
                    rest = after;
                } else if rest.starts_with('(') {
                    word.clone_into(&mut function);
                } else if !WORDS.contains(&word) {
                    let (matchers, after) = matchers(rest);
                    let end = text.len() - after.len();
                    expression.selectors.push(Selector {
                        name: word.to_owned(),
                        matchers,
                        text: text[begin..end].trim().to_owned(),
                    });
                    rest = after;
                }
            } else {
                rest = &rest[first.len_utf8()..];
            }
        }
        expression
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':'
}

/// The labels in parentheses, if any, and what comes after them.
fn list(text: &str) -> (Vec<String>, &str) {
    let Some((inside, after)) = text.strip_prefix('(').and_then(|text| text.split_once(')')) else {
        return (Vec::new(), text);
    };
    let labels = inside.split(',').map(str::trim).filter(|label| !label.is_empty());
    (labels.map(str::to_owned).collect(), after)
}

/// The matchers in braces, if any, and what comes after them.
fn matchers(text: &str) -> (Vec<Matcher>, &str) {
    let mut matchers = Vec::new();
    let Some(mut rest) = text.strip_prefix('{') else { return (matchers, text) };
    loop {
        rest = rest.trim_start_matches([' ', ',', '\n']);
        if let Some(after) = rest.strip_prefix('}') {
            return (matchers, after);
        }
        let (left, after) = rest.split_once('"').expect("a value is quoted");
        let label = left.trim_end_matches(['=', '!', '~', ' ']);
        let (value, after) = until_quote(after);
        matchers.push(Matcher {
            label: label.to_owned(),
            operator: left[label.len()..].trim().to_owned(),
            value: value.to_owned(),
        });
        rest = after;
    }
}

/// What stands before a quote that is not escaped, and after it.
fn until_quote(text: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return (&text[..at], &text[at + 1..]),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    panic!("a quote is not closed: {text}")
}

#[test]
fn series_labels_and_ranges_are_found_and_nothing_else_is() {
    let text = "sum by (job, le) (rate(a_bucket{x=\"1 } \\\" (\", y!~\"b|c\"}[5m])) > 2 * 7e3\nunless on (job) b:c and up offset 5m";
    let found = Expression::parse(text);
    let names: Vec<&str> = found.selectors.iter().map(|selector| selector.name.as_str()).collect();
    assert_eq!(names, ["a_bucket", "b:c", "up"]);
    assert_eq!(found.selectors[0].text, "a_bucket{x=\"1 } \\\" (\", y!~\"b|c\"}");
    assert_eq!(found.selectors[0].matchers[1].operator, "!~");
    assert_eq!(found.selectors[1].text, "b:c");
    assert_eq!(found.labels, ["job", "le", "job"]);
    assert_eq!(found.ranges, [("rate".to_owned(), "5m".to_owned())]);
}
