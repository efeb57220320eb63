//! What can occur in the names that rules are made of. A rule with anything else could match nothing, so that a key
//! marked "never touch" would not be protected: each function says what was expected instead.

use keysweep_core::ids::OuId;

/// IAM API reference, `userNameType`: characters.
const USER_NAME: usize = 64;

/// IAM API reference, `pathType`: characters.
const PATH: usize = 512;

/// IAM user guide and Organizations user guide, "Tagging": characters of a key and of a value.
const TAG_KEY: usize = 128;
const TAG_VALUE: usize = 256;

/// Regular expressions that are valid globs, and match next to nothing as such.
const REGULAR_EXPRESSIONS: [&str; 3] = [".*", ".+", ".?"];

/// The ID of an OU or root, by the patterns of the Organizations API reference.
pub(super) fn ou_id(text: &str) -> Result<OuId, &'static str> {
    let expected = "the ID of an OU or root, ou-... or r-...";
    let part = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        lengths.contains(&text.len()) && text.bytes().all(valid)
    };
    let valid = match text.strip_prefix("ou-") {
        Some(rest) => rest.split_once('-').is_some_and(|(root, ou)| part(root, 4..=32) && part(ou, 8..=32)),
        None => text.strip_prefix("r-").is_some_and(|root| part(root, 4..=32)),
    };
    if valid {
        return text.parse().map_err(|_| expected);
    }
    if text.trim() != text {
        return Err("the ID without blanks around it");
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) && ou_id(&text.to_ascii_lowercase()).is_ok() {
        return Err("the ID in lower case");
    }
    if text.contains(['*', '?']) {
        return Err("a whole ID, ou-... or r-...: it is not a glob");
    }
    Err(expected)
}

/// A glob for names of IAM users.
pub(super) fn user_glob(text: &str) -> Result<(), &'static str> {
    let name = "the name of a user, or a glob such as \"svc-*\"";
    common(text, name)?;
    if text.starts_with("arn:") {
        return Err("the name of a user alone, not its ARN");
    }
    if text.contains('/') {
        return Err("the name of a user without its path: paths have a field of their own");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-*?".contains(c);
    if !text.chars().all(allowed) {
        return Err("the name of a user, of letters, digits and _+=,.@-, or a glob with * and ?");
    }
    fits(text, USER_NAME, "a name of at most 64 characters")
}

/// The beginning of paths of IAM users.
pub(super) fn path_prefix(text: &str) -> Result<(), &'static str> {
    if text.trim() != text {
        return Err("the beginning of a path without blanks around it");
    }
    if text.starts_with("arn:") {
        return Err("the beginning of a path such as \"/ci/\", not an ARN");
    }
    if !text.starts_with('/') {
        return Err("a path that begins with a slash, such as \"/ci/\"");
    }
    // IAM allows them in a path; whoever writes them here means a pattern.
    if text.contains(['*', '?', '[', ']', '{', '}', '|', '^', '$', '(', ')', '\\']) {
        return Err(
            "the beginning of a path, such as \"/ci/\", which needs no wildcard: the field is a prefix, not a \
                    glob or regular expression",
        );
    }
    if text.contains(",/") {
        return Err("one path: write each as an entry of its own");
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("a path of visible ASCII characters");
    }
    if text.len() > PATH { Err("a path of at most 512 characters") } else { Ok(()) }
}

/// The key of a tag.
pub(super) fn tag_key(text: &str) -> Result<(), &'static str> {
    let expected = "the key of a tag, which has 1 to 128 characters";
    if text.is_empty() || text.chars().count() > TAG_KEY {
        return Err(expected);
    }
    if text.trim() != text {
        return Err("the key of a tag without blanks around it");
    }
    if text.contains(['*', '?']) {
        return Err("the whole key of a tag: only its value is a glob");
    }
    if text.chars().all(in_tag) {
        Ok(())
    } else {
        Err("letters, digits, blanks and _.:/=+-@, as in the key of a tag")
    }
}

/// A glob for the value of a tag.
pub(super) fn tag_glob(text: &str) -> Result<(), &'static str> {
    if text.contains([',', ';', '|', '{', '[']) {
        return Err("one value, or a glob with * and ?: write a rule for each alternative");
    }
    common(text, "the value of a tag, or a glob: \"*\" for any")?;
    if !text.chars().all(|c| in_tag(c) || c == '*' || c == '?') {
        return Err("letters, digits, blanks and _.:/=+-@, as in the value of a tag, or a glob with * and ?");
    }
    fits(text, TAG_VALUE, "a value of at most 256 characters")
}

/// What is wrong with any glob.
fn common(text: &str, expected: &'static str) -> Result<(), &'static str> {
    if text.trim().is_empty() {
        return Err(expected);
    }
    if text.trim() != text {
        return Err("the same without blanks around it");
    }
    if text.contains(['{', '}', '[', ']', '|']) {
        return Err("a glob, which knows * and ? only: write each alternative by itself");
    }
    let expression = text.starts_with('^') || text.ends_with('$') || text.contains(['\\', '(', ')']);
    if expression || REGULAR_EXPRESSIONS.contains(&text) || text.starts_with(".*") {
        return Err("a glob such as \"*\" or \"prod-*\", not a regular expression");
    }
    Ok(())
}

/// IAM user guide, "Tagging rules and best practices": letters, digits, blanks and a few signs.
fn in_tag(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

/// How long a match is at least: a star may stand for nothing.
fn fits(glob: &str, most: usize, expected: &'static str) -> Result<(), &'static str> {
    if glob.chars().filter(|c| *c != '*').count() > most { Err(expected) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_iam_takes_as_a_name_is_taken() {
        for name in ["ci-deploy", "o.neil,sean+x@corp", "*", "svc-?", "a=b_c", "1", "team.*", "x,y"] {
            assert_eq!(user_glob(name), Ok(()), "{name}");
        }
        for path in ["/", "/ci/", "/ci", "/a.b/c-d/", "/a,b/"] {
            assert_eq!(path_prefix(path), Ok(()), "{path}");
        }
        for key in ["keysweep:exempt", "a b", "Größe", "aws:cloudformation:stack-name", "x/y=z+@-._"] {
            assert_eq!(tag_key(key), Ok(()), "{key}");
        }
        for value in ["*", "yes", "y*", "a b", "größe", "2027-06-30", "x@y.z/1:2=3+4", "prod.*", "true yes"]
        {
            assert_eq!(tag_glob(value), Ok(()), "{value}");
        }
        for id in ["ou-ab12-zzzzzzzz", "r-ab12", "ou-swp1-00000010"] {
            assert!(ou_id(id).is_ok(), "{id}");
        }
    }

    #[test]
    fn what_cannot_be_a_user_name_is_refused() {
        let long = "x".repeat(65);
        for name in [
            "",
            " ",
            "ci ",
            " ci",
            "ci\t",
            "ci\u{a0}",
            "a b",
            "{a,b}",
            "ci-[0-9]",
            "a|b",
            "^ci-.*$",
            "ci$",
            ".*",
            ".+",
            "ci\\-x",
            "(a)",
            "!ci",
            "~ci",
            "ci;cd",
            "ci:cd",
            "müller",
            "arn:aws:iam::111122223333:user/ci",
            "arn:aws:iam::111122223333:user/*",
            "user/ci",
            "/ci/deploy",
            "<root_account>",
            "ci\n",
            &long,
        ] {
            assert!(user_glob(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_cannot_begin_a_path_is_refused() {
        let long = format!("/{}", "x".repeat(512));
        for path in [
            "",
            " ",
            "ci/",
            "*",
            "/ci/*",
            "/ci/**",
            "/c?/",
            "/{ci,cd}/",
            "/[a-z]/",
            "/ci|/cd",
            "^/ci/",
            "/ci/$",
            "/ci/.*",
            " /ci/",
            "/ci/ ",
            "/c i/",
            "/ci/,/cd/",
            "/größe/",
            "arn:aws:iam::1:user/ci/",
            &long,
        ] {
            assert!(path_prefix(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_tag_is_refused() {
        let long = "x".repeat(257);
        for value in [
            "", " ", "yes ", " yes", "true|yes", "true,yes", "yes; no", "^yes$", "yes$", "^yes", ".*", ".+",
            "{a,b}", "[0-9]", "(yes|no)", "!no", "a\\b", "50%", "\"yes\"", "'yes'", "yes\n", &long,
        ] {
            assert!(tag_glob(value).is_err(), "{value:?}");
        }
        for key in
            ["", " ", "keysweep:*", "a,b", "x ", " x", "a|b", "a\n", "{a}", "\"a\"", "${a}", &"x".repeat(129)]
        {
            assert!(tag_key(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn what_cannot_be_an_ou_id_is_refused() {
        for id in [
            "",
            "ou-",
            "ou-ab12",
            "OU-AB12-ZZZZZZZZ",
            "ou-AB12-zzzzzzzz",
            "ou-ab12-ZZZZZZZZ",
            "ou-ab12-zzzzzzz",
            "ou-ab1-zzzzzzzz",
            "ou-ab12-zzzzzzzz ",
            " r-ab12",
            "ou-ab12-zzzz*",
            "r-AB12",
            "r-abc",
            "r-ab12-x",
            "ou-ab12-zzzzzzzz-x",
            "o-exampleorgid",
            "Sandbox",
            "ou-ab12-zzzzzzzz,ou-ab12-yyyyyyyy",
            "arn:aws:organizations::111122223333:ou/o-x/ou-ab12-zzzzzzzz",
        ] {
            assert!(ou_id(id).is_err(), "{id:?}");
        }
        assert_eq!(ou_id("ou-AB12-zzzzzzzz"), Err("the ID in lower case"));
    }
}
