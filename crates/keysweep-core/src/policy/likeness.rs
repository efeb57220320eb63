//! When two names are one to IAM.
//!
//! IAM keeps one tag for all spellings of a key that differ in case alone, beyond ASCII too. How far it folds is not
//! documented, so there are two comparisons: one that is surely IAM's, and one that is at least as wide as any that IAM
//! may use. Where they differ, the answer is [`Likeness::Maybe`], and whoever asks takes the side on which nothing is
//! done.

use caseless::Caseless as _;
use unicode_normalization::UnicodeNormalization as _;
use wildmatch::WildMatch;

/// Whether something matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Likeness {
    /// It surely does.
    Yes,
    /// It does if IAM compares as widely as it might; the text says what would have to be the same.
    Maybe(String),
    /// It surely does not.
    No,
}

impl Likeness {
    fn of(what: &str, surely: bool, widely: impl FnOnce() -> bool, ours: &str, theirs: &str) -> Self {
        if surely {
            Self::Yes
        } else if widely() {
            Self::Maybe(format!("AWS may take {what} {theirs:?} for the same as {ours:?}"))
        } else {
            Self::No
        }
    }

    /// The stronger of two: one match is enough.
    pub(super) fn or(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Yes => Self::Yes,
            Self::No => other(),
            Self::Maybe(why) => match other() {
                Self::Yes => Self::Yes,
                Self::Maybe(_) | Self::No => Self::Maybe(why),
            },
        }
    }

    /// The weaker of two: both have to match.
    pub(super) fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::No => Self::No,
            Self::Yes => other(),
            Self::Maybe(why) => match other() {
                Self::No => Self::No,
                Self::Yes | Self::Maybe(_) => Self::Maybe(why),
            },
        }
    }
}

impl From<bool> for Likeness {
    fn from(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }
}

/// Whether a glob of the configuration matches the name of a user.
pub(super) fn name(glob: &str, name: &str) -> Likeness {
    let surely = WildMatch::new(&simple(glob)).matches(&simple(name));
    let widely = || beyond_ascii(glob, name) && WildMatch::new(&wide(glob)).matches(&wide(name));
    Likeness::of("user name", surely, widely, glob, name)
}

/// Whether two keys of tags of a user are the same.
pub(super) fn tag_key(ours: &str, theirs: &str) -> Likeness {
    let widely = || beyond_ascii(ours, theirs) && wide(ours) == wide(theirs);
    Likeness::of("tag", simple(ours) == simple(theirs), widely, ours, theirs)
}

/// Whether two keys of tags of an account are the same. Whether Organizations tells case apart is not documented.
pub(super) fn account_tag_key(ours: &str, theirs: &str) -> Likeness {
    Likeness::of("account tag", ours == theirs, || wide(ours) == wide(theirs), ours, theirs)
}

/// Whether a glob matches the value of a tag: in its case, since IAM's conditions tell values apart by it.
pub(super) fn value(glob: &str, value: &str) -> Likeness {
    let composed = |text: &str| text.nfkc().collect::<String>();
    let widely = || beyond_ascii(glob, value) && WildMatch::new(&composed(glob)).matches(&composed(value));
    Likeness::of("value", WildMatch::new(glob).matches(value), widely, glob, value)
}

/// Where both are ASCII, nothing is wider than their case.
fn beyond_ascii(one: &str, other: &str) -> bool {
    !(one.is_ascii() && other.is_ascii())
}

/// Case folded letter by letter, without making one of ASCII out of another or the other way round.
fn simple(text: &str) -> String {
    let lower = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) if one.is_ascii() == c.is_ascii() => one,
            _ => c,
        }
    };
    text.chars().map(lower).collect()
}

/// Folded as widely as any comparison that ignores case: all of Unicode's case folding, compatible forms as one, and
/// the Turkish letters i, which some folds take for one and some for two. Also what a comparison of upper case makes
/// one.
pub(crate) fn wide(text: &str) -> String {
    let upper = |text: String| text.chars().flat_map(char::to_uppercase).collect::<String>();
    let folded = |text: String| text.chars().nfkd().default_case_fold().nfkd().collect::<String>();
    let folded = folded(upper(folded(text.to_owned())));
    let mut kept = String::with_capacity(folded.len());
    for c in folded.chars() {
        match c {
            // Dotted or not, it is one letter.
            '\u{131}' => kept.push('i'),
            '\u{307}' if kept.ends_with('i') => {}
            c => kept.push(c),
        }
    }
    kept.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_maybe(likeness: &Likeness) -> bool {
        matches!(likeness, Likeness::Maybe(_))
    }

    #[test]
    fn case_is_nothing_in_any_alphabet() {
        for (one, other) in [
            ("Team", "tEAM"),
            ("stra\u{df}e", "stra\u{1e9e}e"),
            ("\u{c4}mter", "\u{e4}MTER"),
            ("\u{416}", "\u{436}"),
            ("\u{3a9}", "\u{3c9}"),
        ] {
            assert_eq!(tag_key(one, other), Likeness::Yes, "{one} {other}");
            assert_eq!(name(&format!("{one}-*"), &format!("{other}-1")), Likeness::Yes, "{one} {other}");
        }
    }

    #[test]
    fn what_iam_may_take_for_the_same_may_be() {
        for (one, other) in [
            ("stra\u{df}e", "STRASSE"),
            // Long s, the Kelvin sign, Turkish letters.
            ("\u{17f}vc", "svc"),
            ("\u{212a}eep", "keep"),
            ("v\u{131}p", "vip"),
            ("V\u{130}P", "vip"),
            ("V\u{130}P", "v\u{131}p"),
            // Decomposed, full width, ligature, final sigma.
            ("e\u{301}quipe", "\u{e9}quipe"),
            ("E\u{301}quipe", "\u{e9}quipe"),
            ("\u{ff54}eam", "team"),
            ("o\u{fb03}ce", "OFFICE"),
            ("\u{3c3}\u{3b1}\u{3c2}", "\u{3a3}\u{391}\u{3a3}"),
            ("a\u{a0}b", "a b"),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                assert!(mk_maybe(&tag_key(one, other)), "{one} {other}");
                assert!(mk_maybe(&name(&format!("{one}*"), other)), "{one} {other}");
            }
        }
    }

    #[test]
    fn what_differs_differs() {
        for (one, other) in [
            ("team", "teams"),
            ("a", "\u{e4}"),
            ("\u{df}", "s"),
            ("o", "0"),
            ("", "\u{e4}"),
            // A dot above is nothing but on an i.
            ("e", "\u{117}"),
        ] {
            assert_eq!(tag_key(one, other), Likeness::No, "{one} {other}");
            assert_eq!(name(one, other), Likeness::No, "{one} {other}");
            assert_eq!(value(one, other), Likeness::No, "{one} {other}");
            assert_eq!(account_tag_key(one, other), Likeness::No, "{one} {other}");
        }
    }

    #[test]
    fn one_sure_match_is_enough_and_one_sure_difference_is_too_much() {
        let maybe = || Likeness::Maybe("alike".into());
        let (yes, no) = (|| Likeness::Yes, || Likeness::No);
        for (one, other, either, both) in [
            (yes(), yes(), yes(), yes()),
            (yes(), maybe(), yes(), maybe()),
            (yes(), no(), yes(), no()),
            (maybe(), maybe(), maybe(), maybe()),
            (maybe(), no(), maybe(), no()),
            (no(), no(), no(), no()),
        ] {
            for (one, other) in [(one.clone(), other.clone()), (other, one)] {
                assert_eq!(one.clone().or(|| other.clone()), either, "{one:?} or {other:?}");
                assert_eq!(one.clone().and(|| other.clone()), both, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn values_are_compared_in_their_case() {
        assert_eq!(value("pay-*", "Pay-1"), Likeness::No);
        assert_eq!(value("\u{e9}*", "\u{c9}1"), Likeness::No);
        assert!(mk_maybe(&value("e\u{301}*", "\u{e9}1")));
        assert!(mk_maybe(&account_tag_key("Env", "env")));
    }
}
