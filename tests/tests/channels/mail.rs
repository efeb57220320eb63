//! Letters to aiosmtpd, which reads them with Python's own parser.

use std::time::Duration;

use jiff::Timestamp;
use keysweep_notify::FailureKind::{Misconfigured, Rejected, Temporary};
use keysweep_notify::mail::{Letter, MailOptions, Mailer, Security};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;

use crate::channels::program::Program;

const USER: &str = "keysweep";
const PASSWORD: &str = "pässword with spaces";

struct Stage {
    server: Program,
    options: Box<dyn Fn() -> MailOptions>,
    _files: tempfile::TempDir,
}

async fn mk_stage(behaviour: &str) -> Stage {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let arguments = [certificate, key, USER, PASSWORD, behaviour];
    let mut server = Program::python("mail_server.py", &arguments).await;
    let port = u16::try_from(server.json().await["port"].as_u64().unwrap()).unwrap();
    let pem = cert.pem();
    let options = move || MailOptions {
        host: "localhost".to_owned(),
        port,
        security: Security::StartTls,
        username: Some(USER.to_owned()),
        password: Some(PASSWORD.into()),
        from: "keysweep – Schlüssel <keysweep@example.com>".to_owned(),
        reply_to: Some("\"Security, Team\" <security@example.com>".to_owned()),
        timeout: Duration::from_secs(60),
        ca_pem: Some(pem.clone().into_bytes()),
        helo: Some("keysweep.example.com".to_owned()),
    };
    Stage { server, options: Box::new(options), _files: files }
}

fn at() -> Timestamp {
    "2026-11-30T10:00:00Z".parse().unwrap()
}

fn letter() -> Letter {
    Letter {
        id: "01JSECOND".to_owned(),
        subject: "Zugangsschlüssel 🔑 von ci-deploy\r\nBcc: mallory@example.net".to_owned(),
        text: "Grüße,\n.\n..\nFrom here\n\u{202E}end".to_owned() + &"long ".repeat(400),
        html: "<p>Grüße, <b>Anna</b></p>".to_owned(),
        thread: Some("01JFIRST".to_owned()),
        list_id: "notices.keysweep.example.com".to_owned(),
    }
}

#[tokio::test]
async fn a_letter_is_read_as_it_was_written() {
    let mut stage = mk_stage("accept").await;
    let mailer = Mailer::new((stage.options)()).unwrap();
    mailer.check().await.unwrap();
    let response = mailer.send(at(), "Jürgen Ä. <juergen@example.org>", &letter()).await.unwrap();
    assert_eq!(response, "250 2.0.0 Ok: queued as 1");
    let read = stage.server.json().await;
    assert_eq!(read["tls"], true);
    assert_eq!(read["authenticated"], true);
    assert_eq!(read["helo"], "keysweep.example.com");
    assert_eq!(read["from"], "keysweep@example.com");
    assert_eq!(read["to"], json!(["juergen@example.org"]));
    assert_eq!(read["type"], "multipart/alternative");
    assert_eq!(read["defects"], json!([]));
    let headers: Vec<(String, String)> = serde_json::from_value(read["headers"].clone()).unwrap();
    let header = |name: &str| {
        let found: Vec<_> = headers.iter().filter(|(found, _)| found == name).collect();
        assert_eq!(found.len(), 1, "{name}: {headers:#?}");
        found[0].1.as_str()
    };
    assert_eq!(header("from"), "keysweep – Schlüssel <keysweep@example.com>");
    assert_eq!(header("reply-to"), "\"Security, Team\" <security@example.com>");
    assert_eq!(header("to"), "\"Jürgen Ä.\" <juergen@example.org>");
    assert_eq!(header("subject"), "Zugangsschlüssel 🔑 von ci-deploy Bcc: mallory@example.net");
    assert_eq!(header("date"), "Mon, 30 Nov 2026 10:00:00 +0000");
    assert_eq!(header("message-id"), "<01JSECOND@example.com>");
    assert_eq!(header("in-reply-to"), "<01JFIRST@example.com>");
    assert_eq!(header("references"), "<01JFIRST@example.com>");
    assert_eq!(header("list-id"), "<notices.keysweep.example.com>");
    assert_eq!(header("auto-submitted"), "auto-generated");
    assert_eq!(header("x-auto-response-suppress"), "All");
    let part = |kind: &str| {
        let text = read["parts"][kind].as_str().unwrap_or_else(|| panic!("{kind}: {read:#}"));
        text.replace("\r\n", "\n").trim_end().to_owned()
    };
    assert_eq!(part("text/plain"), letter().text.trim_end());
    assert_eq!(part("text/html"), letter().html);
}

#[tokio::test]
async fn a_greylisted_letter_is_accepted_on_the_next_attempt() {
    let mut stage = mk_stage("greylist").await;
    let mailer = Mailer::new((stage.options)()).unwrap();
    let failure = mailer.send(at(), "anna@example.org", &letter()).await.unwrap_err();
    assert_eq!(failure.kind, Temporary, "{failure}");
    assert!(failure.detail.contains("451 4.7.1 greylisted"), "{failure}");
    mailer.send(at(), "anna@example.org", &letter()).await.unwrap();
    assert_eq!(stage.server.json().await["to"], json!(["anna@example.org"]));
}

#[tokio::test]
async fn a_connection_that_drops_within_a_letter_is_temporary() {
    let mut stage = mk_stage("drop").await;
    let mailer = Mailer::new((stage.options)()).unwrap();
    let failure = mailer.send(at(), "anna@example.org", &letter()).await.unwrap_err();
    assert_eq!(failure.kind, Temporary, "{failure}");
    mailer.send(at(), "anna@example.org", &letter()).await.unwrap();
    assert_eq!(stage.server.json().await["to"], json!(["anna@example.org"]));
}

#[tokio::test]
async fn refusals_say_whose_problem_it_is() {
    let stage = mk_stage("accept").await;
    let send = async |options: MailOptions, to: &str| {
        Mailer::new(options).unwrap().send(at(), to, &letter()).await.unwrap_err()
    };
    let unknown = send((stage.options)(), "nobody@unknown.example").await;
    assert_eq!(unknown.kind, Rejected, "{unknown}");
    assert!(unknown.detail.contains("550 5.1.1 no such user"), "{unknown}");
    let wrong = MailOptions { password: Some("guess".into()), ..(stage.options)() };
    let wrong = send(wrong, "anna@example.org").await;
    assert_eq!(wrong.kind, Misconfigured, "{wrong}");
    assert!(wrong.detail.contains("535") && !wrong.detail.contains("guess"), "{wrong}");
    let without = MailOptions { username: None, password: None, ..(stage.options)() };
    assert_eq!(send(without, "anna@example.org").await.kind, Misconfigured);
    let plain = MailOptions { security: Security::None, ..(stage.options)() };
    assert_eq!(send(plain, "anna@example.org").await.kind, Misconfigured);
    let distrusted = MailOptions { ca_pem: None, ..(stage.options)() };
    let distrusted = send(distrusted, "anna@example.org").await;
    assert_eq!(distrusted.kind, Misconfigured, "{distrusted}");
    assert!(distrusted.detail.contains("tls: "), "{distrusted}");
}
