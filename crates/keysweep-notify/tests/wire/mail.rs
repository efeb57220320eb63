//! What each response of a mail server means.

use std::time::Duration;

use jiff::Timestamp;
use keysweep_notify::FailureKind::{self, Misconfigured, Rejected, Temporary};
use keysweep_notify::mail::{Letter, MailOptions, Mailer, Security};
use tokio::net::TcpListener;

use crate::smtp_server::{Act, Behaviour, SmtpServer};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn options(port: u16) -> MailOptions {
    MailOptions {
        host: "127.0.0.1".to_owned(),
        port,
        security: Security::None,
        username: None,
        password: None,
        from: "keysweep <keysweep@example.com>".to_owned(),
        reply_to: Some("Security <security@example.com>".to_owned()),
        timeout: Duration::from_secs(20),
        ca_pem: None,
        helo: None,
    }
}

pub(crate) fn with_password(port: u16) -> MailOptions {
    MailOptions { username: Some("keysweep".to_owned()), password: Some(PASSWORD.into()), ..options(port) }
}

pub(crate) fn letter() -> Letter {
    Letter {
        id: "01JEXAMPLE".to_owned(),
        subject: "1 access key will be deactivated".to_owned(),
        text: "Hello\n.\n.hidden\n".to_owned(),
        html: "<p>Hello</p>".to_owned(),
        thread: None,
        list_id: "notices.keysweep.example.com".to_owned(),
    }
}

pub(crate) fn at() -> Timestamp {
    "2026-11-30T10:00:00Z".parse().unwrap()
}

async fn refused(
    behaviour: Behaviour,
    options: impl Fn(u16) -> MailOptions,
) -> (FailureKind, String, SmtpServer) {
    let server = SmtpServer::start(behaviour).await;
    let failure = Mailer::new(options(server.port)).unwrap();
    let failure = failure.send(at(), "anna@example.org", &letter()).await.unwrap_err();
    assert!(failure.detail.starts_with(&format!("mail server 127.0.0.1:{}: ", server.port)), "{failure}");
    assert!(!failure.detail.contains(PASSWORD), "{failure}");
    assert_eq!(failure.retry_after, None);
    (failure.kind, failure.detail, server)
}

#[tokio::test]
async fn a_letter_reaches_the_server_whole() {
    let server = SmtpServer::start(Behaviour::well()).await;
    let mailer = Mailer::new(options(server.port)).unwrap();
    let response = mailer.send(at(), "Anna <anna@example.org>", &letter()).await.unwrap();
    assert_eq!(response, "250 2.0.0 Ok: queued as 4F2A");
    let heard = server.heard();
    for line in [
        "EHLO example.com",
        "MAIL FROM:<keysweep@example.com>",
        "RCPT TO:<anna@example.org>",
        "From: keysweep <keysweep@example.com>",
        "Reply-To: Security <security@example.com>",
        "To: Anna <anna@example.org>",
        "Message-ID: <01JEXAMPLE@example.com>",
        "Date: Mon, 30 Nov 2026 10:00:00 +0000",
        // A line of one dot would end the letter.
        "..",
        "..hidden",
        "QUIT",
    ] {
        assert!(heard.iter().any(|heard| heard == line), "{line}: {heard:#?}");
    }
}

#[tokio::test]
async fn responses_sort_into_kinds_by_code_and_step() {
    let cases = [
        ("MAIL", Act::Say("451 4.3.0 try again"), Temporary, "451 4.3.0 try again"),
        ("MAIL", Act::Say("550 5.7.1 sender not allowed"), Misconfigured, "550 5.7.1 sender not allowed"),
        ("MAIL", Act::Say("530 5.7.0 authentication required"), Misconfigured, "530"),
        ("RCPT", Act::Say("450 4.2.0 greylisted"), Temporary, "450 4.2.0 greylisted"),
        ("RCPT", Act::Say("550 5.1.1 no such user"), Rejected, "550 5.1.1 no such user"),
        ("RCPT", Act::Say("530 5.7.0 authentication required"), Misconfigured, "530"),
        ("RCPT", Act::Say("421 4.3.2 shutting down"), Temporary, "421"),
        ("DATA", Act::Say("554 5.7.1 no"), Rejected, "554 5.7.1 no"),
        (".", Act::Say("552 5.3.4 too large"), Rejected, "552 5.3.4 too large"),
        (".", Act::Say("452 4.3.1 no space"), Temporary, "452 4.3.1 no space"),
        ("EHLO", Act::Say("554 5.7.1 go away"), Misconfigured, "554 5.7.1 go away"),
        ("EHLO", Act::Say("nonsense"), Temporary, "the connection failed"),
        (
            "RCPT",
            Act::Say("550-5.1.1 no\r\n550 5.1.1 such \x1b[31m\u{202E}user"),
            Rejected,
            "550 5.1.1 no such [31m user",
        ),
    ];
    for (command, act, kind, text) in cases {
        let (found, detail, server) = refused(Behaviour::doing(command, act), options).await;
        assert_eq!(found, kind, "{command}: {detail}");
        assert!(detail.contains(text), "{command}: {detail}");
        if command != "." {
            assert!(!server.heard_any("Subject"), "the letter went out after {detail}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_drops_at_any_step_is_temporary() {
    for command in ["EHLO", "MAIL", "RCPT", "DATA", "."] {
        let (kind, detail, _) = refused(Behaviour::doing(command, Act::Drop), options).await;
        assert_eq!(kind, Temporary, "{command}: {detail}");
    }
    let greeting = |greeting| Behaviour { greeting, ..Behaviour::well() };
    assert_eq!(refused(greeting(Act::Drop), options).await.0, Temporary);
    assert_eq!(refused(greeting(Act::Say("421 4.3.2 busy")), options).await.0, Temporary);
    assert_eq!(
        refused(greeting(Act::Say("554 5.7.1 your address is blocked")), options).await.0,
        Misconfigured
    );
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_the_timeout() {
    let quickly = |port| MailOptions { timeout: Duration::from_millis(200), ..options(port) };
    for command in ["EHLO", "RCPT", "."] {
        let (kind, detail, _) = refused(Behaviour::doing(command, Act::Hang), quickly).await;
        assert_eq!(kind, Temporary);
        assert!(detail.contains("no response within the timeout"), "{detail}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_temporary() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let failure = Mailer::new(options(port)).unwrap().check().await.unwrap_err();
    assert_eq!(failure.kind, Temporary);
    assert!(failure.detail.contains("could not connect"), "{failure}");
}

#[tokio::test]
async fn a_failing_goodbye_does_not_undo_acceptance() {
    for act in [Act::Drop, Act::Say("500 what"), Act::Hang] {
        let server = SmtpServer::start(Behaviour::doing("QUIT", act)).await;
        let options = MailOptions { timeout: Duration::from_secs(2), ..options(server.port) };
        assert!(Mailer::new(options).unwrap().send(at(), "anna@example.org", &letter()).await.is_ok());
    }
}

#[tokio::test]
async fn authentication_failures_are_misconfigurations_unless_temporary() {
    let auth = |act| Behaviour { extensions: vec!["AUTH PLAIN LOGIN"], ..Behaviour::doing("AUTH", act) };
    let cases = [
        (Act::Say("535 5.7.8 bad credentials"), Misconfigured),
        (Act::Say("454 4.7.0 temporary failure"), Temporary),
        (Act::Drop, Temporary),
        // The password, alone and as it was sent.
        (Act::Say("535 5.7.8 not correct horse battery"), Misconfigured),
        (Act::Say("535 5.7.8 AGtleXN3ZWVwAGNvcnJlY3QgaG9yc2UgYmF0dGVyeQ== is wrong"), Misconfigured),
    ];
    for (act, kind) in cases {
        let (found, detail, server) = refused(auth(act), with_password).await;
        assert_eq!(found, kind, "{detail}");
        assert!(!detail.contains("AGtleXN3"), "{detail}");
        assert!(server.heard_any("AUTH PLAIN AGtleXN3ZWVwAGNvcnJlY3QgaG9yc2UgYmF0dGVyeQ=="));
        assert!(!server.heard_any("MAIL"));
    }
    let (kind, detail, _) = refused(Behaviour::well(), with_password).await;
    assert_eq!(kind, Misconfigured);
    assert!(detail.contains("offers no authentication"), "{detail}");
}

#[tokio::test]
async fn a_check_sends_no_letter() {
    let server = SmtpServer::start(Behaviour::well()).await;
    Mailer::new(options(server.port)).unwrap().check().await.unwrap();
    assert!(server.heard_any("NOOP") && !server.heard_any("MAIL"), "{:?}", server.heard());
}

#[tokio::test]
async fn addresses_beyond_ascii_need_a_server_that_takes_them() {
    let server = SmtpServer::start(Behaviour::well()).await;
    let failure = Mailer::new(options(server.port)).unwrap();
    let failure = failure.send(at(), "jürgen@example.org", &letter()).await.unwrap_err();
    assert_eq!(failure.kind, Rejected);
    assert!(failure.detail.contains("SMTPUTF8"), "{failure}");
    let able = Behaviour { extensions: vec!["SMTPUTF8", "8BITMIME"], ..Behaviour::well() };
    let server = SmtpServer::start(able).await;
    let mailer = Mailer::new(options(server.port)).unwrap();
    mailer.send(at(), "jürgen@bücher.example", &letter()).await.unwrap();
    assert!(server.heard_any("RCPT TO:<jürgen@xn--bcher-kva.example>"), "{:#?}", server.heard());
    assert!(server.heard_any(" SMTPUTF8"), "{:#?}", server.heard());
}

#[tokio::test]
async fn an_invalid_recipient_is_rejected_without_a_connection() {
    let server = SmtpServer::start(Behaviour::well()).await;
    let mailer = Mailer::new(options(server.port)).unwrap();
    for to in ["", "anna", "anna@example.org\r\nRCPT TO:mallory@example.net", "a@b.example, c@d.example"] {
        let failure = mailer.send(at(), to, &letter()).await.unwrap_err();
        assert_eq!(failure.kind, Rejected, "{to:?}");
        assert!(!failure.detail.contains(['\r', '\n']), "{failure}");
    }
    assert_eq!(server.heard(), Vec::<String>::new());
}

#[test]
fn debug_output_has_no_password() {
    let options = with_password(25);
    let debug = format!("{options:?} {:?}", Mailer::new(with_password(25)).unwrap());
    assert!(!debug.contains("horse"), "{debug}");
}

#[test]
fn options_that_cannot_work_are_refused() {
    let cases = [
        MailOptions { host: "a b".to_owned(), ..options(25) },
        MailOptions { from: "keysweep".to_owned(), ..options(25) },
        MailOptions { reply_to: Some("nobody".to_owned()), ..options(25) },
        MailOptions { helo: Some("a\r\nMAIL".to_owned()), ..options(25) },
        MailOptions { ca_pem: Some(b"not a certificate".to_vec()), ..options(25) },
        MailOptions { username: None, ..with_password(25) },
        MailOptions { password: None, ..with_password(25) },
    ];
    for options in cases {
        let shown = format!("{options:?}");
        assert!(Mailer::new(options).is_err(), "{shown}");
    }
}
