//! Texts of a policy: wildcards, policy variables, and the escapes for what would otherwise be one.

use super::PolicyError;
use super::context::{Context, Key};

/// A text that a value is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    has_variables: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// `?`
    One,
    /// `*`
    Many,
    Variable(Key),
}

/// What stands for itself in a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// `*` and `?` are wildcards.
    Wildcards,
    /// They are characters.
    Literal,
}

impl Pattern {
    /// Reads a text; `${...}` is a policy variable, and `${*}`, `${?}` and `${$}` are those characters (IAM user guide,
    /// policy variables).
    pub(super) fn parse(text: &str, reading: Reading) -> Result<Self, PolicyError> {
        let mut pieces = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(inner) = rest.strip_prefix("${") {
                let (name, after) =
                    inner.split_once('}').ok_or_else(|| PolicyError::unsupported(format!("{text:?}")))?;
                pieces.push(match name {
                    "*" | "?" | "$" => Piece::Char(name.chars().next().unwrap_or('$')),
                    _ => Piece::Variable(
                        Key::parse(name)
                            .ok_or_else(|| PolicyError::unsupported(format!("variable {name}")))?,
                    ),
                });
                rest = after;
                continue;
            }
            pieces.push(match (c, reading) {
                ('*', Reading::Wildcards) => Piece::Many,
                ('?', Reading::Wildcards) => Piece::One,
                _ => Piece::Char(c),
            });
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        let has_variables = pieces.iter().any(|piece| matches!(piece, Piece::Variable(_)));
        Ok(Self { pieces, has_variables })
    }

    pub(super) fn has_variables(&self) -> bool {
        self.has_variables
    }

    /// Whether the whole value matches; None where a variable has no value in this request.
    pub(super) fn matches(&self, value: &str, context: &Context<'_>) -> Option<bool> {
        if !self.has_variables {
            return Some(matches(&self.pieces, value));
        }
        let mut resolved = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            match piece {
                // What a variable brings along stands for itself.
                Piece::Variable(key) => resolved.extend(context.value(key)?.chars().map(Piece::Char)),
                other => resolved.push(other.clone()),
            }
        }
        Some(matches(&resolved, value))
    }
}

/// Goes along both, and back to the last `*` where they part.
fn matches(pieces: &[Piece], value: &str) -> bool {
    let (mut at, mut rest) = (0, value);
    let mut last_star: Option<(usize, &str)> = None;
    loop {
        let c = rest.chars().next();
        let tail = |c: char| rest.get(c.len_utf8()..).unwrap_or_default();
        match (pieces.get(at), c) {
            (Some(Piece::Many), _) => {
                last_star = Some((at, rest));
                at += 1;
                continue;
            }
            (Some(Piece::One), Some(c)) => {
                (at, rest) = (at + 1, tail(c));
                continue;
            }
            (Some(Piece::Char(wanted)), Some(c)) if *wanted == c => {
                (at, rest) = (at + 1, tail(c));
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        // The star takes one character more.
        let Some((star, from)) = last_star else { return false };
        let Some(c) = from.chars().next() else { return false };
        let from = from.get(c.len_utf8()..).unwrap_or_default();
        last_star = Some((star, from));
        (at, rest) = (star + 1, from);
    }
}

#[cfg(test)]
mod tests {
    use super::super::context::mk_context;
    use super::*;

    fn fits(pattern: &str, value: &str) -> bool {
        Pattern::parse(pattern, Reading::Wildcards).unwrap().matches(value, &mk_context()).unwrap()
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, value) in [
            ("*", ""),
            ("*", "abc"),
            ("a*c", "abcbc"),
            ("a?c", "abc"),
            ("a*", "a"),
            ("*b*", "abc"),
            ("ü?", "üé"),
        ] {
            assert!(fits(pattern, value), "{pattern} {value}");
        }
        for (pattern, value) in [("", "a"), ("a", ""), ("a?", "a"), ("a*c", "ab"), ("a", "A"), ("*b", "abc")]
        {
            assert!(!fits(pattern, value), "{pattern} {value}");
        }
    }

    #[test]
    fn escapes_stand_for_themselves_and_so_do_literals() {
        assert!(fits("a${*}b${?}${$}", "a*b?$"));
        assert!(!fits("a${*}b", "axb"));
        let literal = Pattern::parse("a*", Reading::Literal).unwrap();
        assert_eq!(literal.matches("a*", &mk_context()), Some(true));
        assert_eq!(literal.matches("ab", &mk_context()), Some(false));
    }

    #[test]
    fn a_variable_stands_for_the_request_and_for_nothing_without_it() {
        assert!(fits("${aws:PrincipalAccount}-*", "100000000000-x"));
        assert!(fits("${AWS:principalaccount}", "100000000000"));
        let absent = Pattern::parse("${sts:ExternalId}", Reading::Wildcards).unwrap();
        assert_eq!(absent.matches("x", &mk_context()), None);
        for text in ["${aws:username}", "${aws:PrincipalAccount, 'x'}", "${open"] {
            let error = Pattern::parse(text, Reading::Wildcards).unwrap_err();
            assert!(matches!(error, PolicyError::Unsupported(_)), "{text}");
        }
    }
}
