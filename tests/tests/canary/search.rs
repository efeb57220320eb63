//! Secrets, and how they are found in whatever form.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

/// The external ID of every role.
pub(crate) const EXTERNAL_ID: &str = "canary-EXTERNAL.id+4711@home";

/// What an operator sends over HTTP. It is as long as one that `keysweep token new` makes.
pub(crate) const TOKEN: &str =
    "keysweep_token_ca9a41e5ca9a41e5ca9a41e5ca9a41e5ca9a41e5ca9a41e5ca9a41e5ca9a41e5";

/// What is in every secret of its kind that the simulator hands out or expects, and what only stands around secrets.
pub(crate) const CANARIES: [(&str, &str); 7] = [
    ("a secret key", "simulated/secret/"),
    ("a session token", "KeysweepSimSessionToken"),
    ("the session token of the hub", "KeysweepSimHubToken"),
    ("the external id", EXTERNAL_ID),
    ("a token", "ca9a41e5ca9a41e5"),
    ("a header with a token", "x-amz-security-token"),
    ("a header with a signature", "AWS4-HMAC-SHA256"),
];

/// Every form in which a text is searched for.
fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned(), hex::encode(text), hex::encode_upper(text)];
    forms.push(form_urlencoded::byte_serialize(text.as_bytes()).collect());
    forms.push(text.replace('/', "\\/"));
    forms.push(text.replace('+', "\\u002b"));
    forms.push(text.chars().rev().collect());
    // As part of something longer, a text has three forms in base64; the characters at the ends depend on neighbours.
    for shift in 0..3 {
        let shifted = format!("{}{text}", "x".repeat(shift));
        for encoded in [BASE64_STANDARD.encode(&shifted), BASE64_URL_SAFE.encode(&shifted)] {
            let from = (shift * 8).div_ceil(6);
            let to = shifted.len() * 8 / 6;
            forms.push(encoded[from..to].to_owned());
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// What is found, and where.
pub(crate) fn secrets_in(heard: &[u8]) -> Vec<String> {
    // Letters may change their case on the way, and a longer line may have been cut.
    let lower = String::from_utf8_lossy(heard).to_ascii_lowercase();
    let mut found = Vec::new();
    for (what, text) in CANARIES {
        for form in forms(text) {
            let wanted = form.to_ascii_lowercase();
            if let Some((before, after)) = lower.split_once(&wanted) {
                let before: String =
                    before.chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect();
                let after: String = after.chars().take(120).collect();
                found.push(format!("{what} as {form:?} in …{before}{wanted}{after}…"));
            }
        }
    }
    found
}

#[test]
fn every_form_of_every_secret_is_found() {
    for (what, text) in CANARIES {
        let full = format!("{text}00ff//==");
        let percent: String = form_urlencoded::byte_serialize(full.as_bytes()).collect();
        for prefix in ["", "a", "ab", "abc"] {
            let long = format!("{prefix}{full}");
            for hidden in [
                long.clone(),
                hex::encode(&long),
                hex::encode_upper(&long),
                BASE64_STANDARD.encode(&long),
                BASE64_URL_SAFE.encode(&long),
                format!("{prefix}{percent}"),
                serde_json::to_string(&long).unwrap(),
                long.to_uppercase(),
            ] {
                assert!(
                    !secrets_in(format!("before {hidden} after").as_bytes()).is_empty(),
                    "{what}: {hidden}"
                );
            }
        }
    }
    assert_eq!(secrets_in(b"nothing of the kind, though secret/ and token are said"), Vec::<String>::new());
}
