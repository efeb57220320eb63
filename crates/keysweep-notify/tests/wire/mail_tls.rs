//! TLS with mail servers: no password and no letter in plain text.

use keysweep_notify::FailureKind::{Misconfigured, Temporary};
use keysweep_notify::mail::{MailOptions, Mailer, Security};

use crate::authority::Authority;
use crate::mail::{at, letter, with_password};
use crate::smtp_server::{Act, Behaviour, SmtpServer};

fn behaviour(authority: &Authority, implicit_tls: bool) -> Behaviour {
    let extensions = vec!["AUTH PLAIN"];
    Behaviour { tls: Some(authority.server.clone()), implicit_tls, extensions, ..Behaviour::well() }
}

fn options(port: u16, security: Security, authority: &Authority) -> MailOptions {
    MailOptions { security, ca_pem: Some(authority.ca_pem.clone()), ..with_password(port) }
}

/// Nothing but the way to TLS was said in plain text.
fn assert_nothing_plain(server: &SmtpServer) {
    let plain = server.heard();
    let plain = plain.iter().filter(|line| !line.starts_with("tls "));
    let plain: Vec<_> = plain.filter(|line| !line.starts_with("EHLO") && *line != "STARTTLS").collect();
    assert!(plain.is_empty(), "{plain:?}");
}

#[tokio::test]
async fn letters_go_over_tls_in_both_ways() {
    let authority = Authority::issuing("127.0.0.1");
    for (security, implicit) in [(Security::Tls, true), (Security::StartTls, false)] {
        let server = SmtpServer::start(behaviour(&authority, implicit)).await;
        let mailer = Mailer::new(options(server.port, security, &authority)).unwrap();
        mailer.send(at(), "anna@example.org", &letter()).await.unwrap();
        mailer.check().await.unwrap();
        assert!(
            server.heard_any("tls AUTH PLAIN") && server.heard_any("tls Subject:"),
            "{:?}",
            server.heard()
        );
        assert_nothing_plain(&server);
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing() {
    let authority = Authority::issuing("127.0.0.1");
    let server = SmtpServer::start(Behaviour { extensions: vec!["AUTH PLAIN"], ..Behaviour::well() }).await;
    let mailer = Mailer::new(options(server.port, Security::StartTls, &authority)).unwrap();
    let failure = mailer.send(at(), "anna@example.org", &letter()).await.unwrap_err();
    assert_eq!(failure.kind, Misconfigured);
    assert!(failure.detail.contains("does not offer STARTTLS"), "{failure}");
    assert_nothing_plain(&server);
}

#[tokio::test]
async fn a_refused_starttls_is_never_passed_over() {
    let authority = Authority::issuing("127.0.0.1");
    let cases = [
        (Act::Say("454 4.7.0 not now"), Temporary),
        (Act::Say("501 5.5.4 no"), Misconfigured),
        (Act::Say("250 ok"), Temporary),
        (Act::Drop, Temporary),
    ];
    for (act, kind) in cases {
        let behaviour = Behaviour { acts: vec![("STARTTLS", act)], ..behaviour(&authority, false) };
        let server = SmtpServer::start(behaviour).await;
        let mailer = Mailer::new(options(server.port, Security::StartTls, &authority)).unwrap();
        let failure = mailer.send(at(), "anna@example.org", &letter()).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert_nothing_plain(&server);
    }
}

#[tokio::test]
async fn responses_put_before_the_handshake_are_refused() {
    // With these, a letter would look accepted whatever the server says under TLS.
    let injected = "250-test\r\n250 AUTH PLAIN\r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n";
    let authority = Authority::issuing("127.0.0.1");
    let server = SmtpServer::start(Behaviour { injected, ..behaviour(&authority, false) }).await;
    let mailer = Mailer::new(options(server.port, Security::StartTls, &authority)).unwrap();
    let failure = mailer.send(at(), "anna@example.org", &letter()).await.unwrap_err();
    assert_eq!(failure.kind, Misconfigured, "{failure}");
    assert!(failure.detail.contains("plain text after STARTTLS"), "{failure}");
    assert!(!server.heard_any("tls "), "{:?}", server.heard());
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused() {
    let (authority, other) = (Authority::issuing("127.0.0.1"), Authority::issuing("127.0.0.1"));
    let elsewhere = Authority::issuing("mail.example.com");
    for (server, trusted) in [(&authority, &other), (&elsewhere, &elsewhere)] {
        for (security, implicit) in [(Security::Tls, true), (Security::StartTls, false)] {
            let server = SmtpServer::start(behaviour(server, implicit)).await;
            let mailer = Mailer::new(options(server.port, security, trusted)).unwrap();
            let failure = mailer.check().await.unwrap_err();
            assert_eq!(failure.kind, Misconfigured, "{failure}");
            assert!(failure.detail.contains("tls: invalid peer certificate"), "{failure}");
            assert!(!server.heard_any("AUTH"), "{:?}", server.heard());
        }
    }
}

#[tokio::test]
async fn tls_to_a_port_without_it_is_a_misconfiguration() {
    let authority = Authority::issuing("127.0.0.1");
    let server = SmtpServer::start(Behaviour::well()).await;
    let mailer = Mailer::new(options(server.port, Security::Tls, &authority)).unwrap();
    let failure = mailer.check().await.unwrap_err();
    assert_eq!(failure.kind, Misconfigured, "{failure}");
    assert!(failure.detail.contains("tls: "), "{failure}");
}
