//! A letter as it goes to the server.

use std::time::SystemTime;

use jiff::Timestamp;
use lettre::Message;
use lettre::message::MultiPart;
use lettre::message::header::{HeaderName, HeaderValue};

use super::Letter;
use super::envelope::Party;
use crate::plain::{excerpt, one_line};

/// RFC 5322 advises against longer lines, and programs show less.
const MAX_SUBJECT: usize = 200;

pub(super) fn message(
    from: &Party,
    reply_to: Option<&Party>,
    to: &Party,
    at: Timestamp,
    letter: &Letter,
) -> Result<Vec<u8>, lettre::error::Error> {
    let id = |id: &str| format!("<{}@{}>", id_part(id), from.domain());
    let mut builder = Message::builder()
        .from(from.mailbox())
        .to(to.mailbox())
        // The library panics at a date before 1970.
        .date(SystemTime::from(at.max(Timestamp::UNIX_EPOCH)))
        .message_id(Some(id(&letter.id)))
        .subject(excerpt(&letter.subject, MAX_SUBJECT))
        .raw_header(header("List-Id", format!("<{}>", list_part(&letter.list_id))))
        // No out-of-office replies to a program.
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .raw_header(header("X-Auto-Response-Suppress", "All".to_owned()));
    if let Some(reply_to) = reply_to {
        builder = builder.reply_to(reply_to.mailbox());
    }
    if let Some(thread) = &letter.thread {
        builder = builder.in_reply_to(id(thread)).references(id(thread));
    }
    let body = MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone());
    Ok(builder.multipart(body)?.formatted())
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The left side of a Message-ID. Different IDs stay different.
fn id_part(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    id.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("={byte:02x}") })
        .collect()
}

/// The inside of a List-Id, with or without a description and brackets around it.
fn list_part(list_id: &str) -> String {
    let id = list_id.rsplit_once('<').map_or(list_id, |(_, id)| id);
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    one_line(id).chars().filter(plain).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mk_letter() -> Letter {
        Letter {
            id: "01JEXAMPLE".to_owned(),
            subject: "1 access key will be deactivated".to_owned(),
            text: "Hello\n".to_owned(),
            html: "<p>Hello</p>".to_owned(),
            thread: None,
            list_id: "notices.keysweep.example.com".to_owned(),
        }
    }

    fn mk_party(text: &str) -> Party {
        Party::parse(text).unwrap()
    }

    fn write(to: &str, letter: &Letter) -> String {
        let from = mk_party("keysweep <keysweep@example.com>");
        let at = "2026-11-30T10:00:00Z".parse().unwrap();
        String::from_utf8(message(&from, None, &mk_party(to), at, letter).unwrap()).unwrap()
    }

    /// Names of the headers, in order.
    fn names(message: &str) -> Vec<&str> {
        let (headers, _) = message.split_once("\r\n\r\n").unwrap();
        let lines = headers.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
        lines.map(|line| line.split_once(':').unwrap().0).collect()
    }

    const NAMES: [&str; 10] = [
        "From",
        "To",
        "Date",
        "Message-ID",
        "Subject",
        "List-Id",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "MIME-Version",
        "Content-Type",
    ];

    #[test]
    fn a_letter_has_the_headers_of_an_automatic_notice() {
        let letter = mk_letter();
        let message = write("Anna <anna@example.org>", &letter);
        assert_eq!(names(&message), NAMES, "{message}");
        for line in [
            "From: keysweep <keysweep@example.com>",
            "To: Anna <anna@example.org>",
            "Date: Mon, 30 Nov 2026 10:00:00 +0000",
            "Message-ID: <01JEXAMPLE@example.com>",
            "List-Id: <notices.keysweep.example.com>",
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: All",
        ] {
            assert!(
                message.contains(&format!("\r\n{line}\r\n")) || message.starts_with(line),
                "{line}\n{message}"
            );
        }
        assert!(message.contains("multipart/alternative") && message.contains("text/html; charset=utf-8"));
    }

    #[test]
    fn an_answer_names_the_first_letter_of_its_thread() {
        let message = write("a@b.example", &Letter { thread: Some("01JFIRST".to_owned()), ..mk_letter() });
        for line in ["In-Reply-To: <01JFIRST@example.com>", "References: <01JFIRST@example.com>"] {
            assert!(message.contains(&format!("\r\n{line}\r\n")), "{message}");
        }
    }

    #[test]
    fn subjects_and_list_ids_become_one_plain_line() {
        let subject = "Keys of \u{202E}ci\r\nBcc: x@evil.example".to_owned();
        let list_id = "Notices\r\nBcc: x <notices.example.com>".to_owned();
        let message = write("a@b.example", &Letter { subject, list_id, ..mk_letter() });
        for line in ["Subject: Keys of ci Bcc: x@evil.example", "List-Id: <notices.example.com>"] {
            assert!(message.contains(&format!("\r\n{line}\r\n")), "{message}");
        }
    }

    #[test]
    fn different_ids_stay_different() {
        assert_eq!(id_part("a.b=c"), "a=2eb=3dc");
        assert_eq!(id_part("\r\n@>"), "=0d=0a=40=3e");
    }

    proptest! {
        #[test]
        fn no_text_can_add_a_header(
            subject in "(?s).{0,300}|([a-z\r\n\u{85}\u{2028}: ]{0,40}Bcc: x@evil.example\r\n){1,3}",
            name in "(?s).{0,80}|[a-z]{1,5}\r\nBcc: x@evil.example",
            id in "(?s).{0,40}",
            list_id in "(?s).{0,40}",
            thread in "(?s).{0,40}",
        ) {
            let thread = Some(thread);
            let letter = Letter { id, subject, list_id, thread, ..mk_letter() };
            let message = write(&format!("{name} <a@b.example>"), &letter);
            let mut expected = NAMES.to_vec();
            expected.splice(5..5, ["In-Reply-To", "References"]);
            let mut found = names(&message);
            // A letter in a thread has two more, wherever the library puts them.
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(found, expected, "{}", message);
            let head = message.split_once("\r\n\r\n").unwrap().0;
            prop_assert!(head.is_ascii());
            prop_assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{:?}", head);
        }
    }
}
