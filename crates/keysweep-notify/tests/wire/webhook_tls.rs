//! TLS with webhooks, and names that lead into private networks.

use keysweep_notify::FailureKind::Misconfigured;
use keysweep_notify::webhook::WebhookOptions;

use crate::authority::Authority;
use crate::http_server::{HttpServer, Then, status};
use crate::smtp_server::{Behaviour, SmtpServer};
use crate::webhook::{options, post};

fn over_tls(port: u16, host: &str, authority: &Authority) -> WebhookOptions {
    let ca_pem = Some(authority.ca_pem.clone());
    WebhookOptions { ca_pem, ..options(format!("https://{host}:{port}/t0ken")) }
}

#[tokio::test]
async fn a_certificate_of_the_given_authority_is_trusted() {
    for host in ["127.0.0.1", "localhost"] {
        let authority = Authority::issuing(host);
        let tls = Some(authority.server.clone());
        let server = HttpServer::start(&status("200 OK"), Then::Close, tls).await;
        assert_eq!(post(over_tls(server.port, host, &authority)).await.unwrap(), "200 OK");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused() {
    let (authority, other) = (Authority::issuing("127.0.0.1"), Authority::issuing("127.0.0.1"));
    let elsewhere = Authority::issuing("hooks.example.com");
    for (of_server, trusted) in [(&authority, &other), (&elsewhere, &elsewhere)] {
        let tls = Some(of_server.server.clone());
        let server = HttpServer::start(&status("200 OK"), Then::Close, tls).await;
        let failure = post(over_tls(server.port, "127.0.0.1", trusted)).await.unwrap_err();
        assert_eq!(failure.kind, Misconfigured, "{failure}");
        assert!(failure.detail.contains("tls: invalid peer certificate"), "{failure}");
        assert!(server.requests().is_empty());
    }
}

#[tokio::test]
async fn https_to_a_port_without_it_is_a_misconfiguration() {
    let authority = Authority::issuing("127.0.0.1");
    let server = SmtpServer::start(Behaviour::well()).await;
    let failure = post(over_tls(server.port, "127.0.0.1", &authority)).await.unwrap_err();
    assert_eq!(failure.kind, Misconfigured, "{failure}");
    assert!(failure.detail.contains("tls: "), "{failure}");
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused() {
    let authority = Authority::issuing("localhost");
    let server = HttpServer::start(&status("200 OK"), Then::Close, Some(authority.server.clone())).await;
    let options = WebhookOptions { allow_private: false, ..over_tls(server.port, "localhost", &authority) };
    let failure = post(options).await.unwrap_err();
    assert_eq!(failure.kind, Misconfigured, "{failure}");
    assert!(failure.detail.contains("is not a public address"), "{failure}");
    assert!(server.requests().is_empty());
}
