//! Files of certificates: what is wrong with them, and what becomes of them when they are renewed.

use std::fs;
use std::time::Duration;

use keysweep::config::{TlsFiles, load_to_serve};
use keysweep::tls::{Identity, Part};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::client::TlsStream;

use crate::http::stage::{Made, Running, Stage, mk_certificate, mk_certificate_until, within_minutes};

type Kept = TlsStream<TcpStream>;

#[tokio::test(start_paused = true)]
async fn a_renewed_certificate_is_taken_up_without_a_restart_and_no_connection_breaks() {
    let (stage, old, new) = (Stage::new(), mk_certificate(), mk_certificate());
    stage.put(&old.cert, &old.key);
    let running = stage.daemon("127.0.0.1", &stage.tls()).await;
    let mut kept = old.connect(running.address).await.unwrap();

    // Whoever renews writes one file after the other: for a while they do not go together.
    fs::write(stage.at("tls.crt"), &new.cert).unwrap();
    talk_until(&mut kept, || !running.accepted()).await;
    assert!(serves(&running, &old).await, "the old pair is kept");

    fs::write(stage.at("tls.key"), &new.key).unwrap();
    talk_until(&mut kept, || running.accepted()).await;
    assert!(serves(&running, &new).await, "the new pair is taken up");
    assert!(!serves(&running, &old).await);
    talk(&mut kept).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn files_that_vanish_change_nothing_and_a_refused_configuration_is_not_hidden_by_their_return() {
    let (stage, made, next) = (Stage::new(), mk_certificate(), mk_certificate());
    stage.put(&made.cert, &made.key);
    let running = stage.daemon("127.0.0.1", &stage.tls()).await;
    fs::remove_file(stage.at("tls.key")).unwrap();
    assert!(within_minutes(|| async { !running.accepted() }).await);
    assert!(serves(&running, &made).await);
    stage.put(&made.cert, &made.key);
    assert!(within_minutes(|| async { running.accepted() }).await);

    stage.configure("127.0.0.1", &format!("{}[limits]\nsurge = 1.5\n", stage.tls()));
    running.daemon.reload();
    assert!(within_minutes(|| async { !running.accepted() }).await);
    stage.put(&next.cert, &next.key);
    assert!(within_minutes(|| serves(&running, &next)).await);
    assert!(!running.accepted(), "the configuration is still refused");
    running.stop().await;
}

/// Whether a client that trusts this certificate and no other is served.
async fn serves(running: &Running, made: &Made) -> bool {
    made.connect(running.address).await.is_ok()
}

/// Uses a connection every few seconds until something has happened, within a few looks at the files.
async fn talk_until(stream: &mut Kept, happened: impl Fn() -> bool) {
    for _ in 0..60 {
        talk(stream).await;
        if happened() {
            return;
        }
        sleep(Duration::from_secs(5)).await;
    }
    panic!("it never happened");
}

/// Asks and reads an answer on a connection that stays.
async fn talk(stream: &mut Kept) {
    stream.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"keysweep works\n") {
        let byte = stream.read_u8().await.unwrap();
        answer.push(byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name_and_nothing_of_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (made, other) = (mk_certificate(), mk_certificate());
    let write = |name: &str, text: &str| fs::write(at(name), text).unwrap();
    write("good.crt", &made.cert);
    write("good.key", &made.key);
    write("other.key", &other.key);
    write("both.pem", &format!("{}{}", made.key, made.cert));
    write("empty", "");
    write("words", "hunter2 is no PEM");
    write("cut.crt", made.cert.split_once("-----END").unwrap().0);
    write("garbled.key", &made.key.replacen('M', "hunter2!", 1));
    write("no-der.crt", "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n");
    write("no-der.key", "-----BEGIN PRIVATE KEY-----\nMAo=\n-----END PRIVATE KEY-----\n");
    write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAo=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    write(
        "locked-old.key",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMAo=\n-----END RSA PRIVATE KEY-----\n",
    );
    write("large", &"x".repeat((1 << 20) + 1));
    let load = |cert: &str, key: &str| Identity::load(&TlsFiles { cert: at(cert), key: at(key) });
    for (cert, key) in [("good.crt", "good.key"), ("both.pem", "both.pem"), ("both.pem", "good.key")] {
        assert!(load(cert, key).is_ok(), "{cert} {key}");
    }
    use Part::{Certificate, Key};
    for (cert, key, part, said) in [
        ("none", "good.key", Certificate, "read "),
        ("good.crt", "none", Key, "read "),
        (".", "good.key", Certificate, "is not a file"),
        ("large", "good.key", Certificate, "is larger than 1048576 bytes"),
        ("empty", "good.key", Certificate, "holds no certificate"),
        ("words", "good.key", Certificate, "holds no certificate"),
        ("good.key", "good.key", Certificate, "holds no certificate"),
        ("cut.crt", "good.key", Certificate, "is not PEM: a section has no end"),
        ("no-der.crt", "good.key", Certificate, "the first certificate in"),
        ("good.crt", "empty", Key, "holds no private key"),
        ("good.crt", "good.crt", Key, "holds no private key"),
        ("good.crt", "garbled.key", Key, "is not PEM: a section is not base64"),
        ("good.crt", "no-der.key", Key, "cannot be used"),
        ("good.crt", "locked.key", Key, "is encrypted"),
        ("good.crt", "locked-old.key", Key, "is encrypted"),
        ("good.crt", "other.key", Key, "is not that of the first certificate in"),
    ] {
        let error = load(cert, key).unwrap_err();
        let text = error.to_string();
        let named = if part == Certificate { cert } else { key };
        assert_eq!(error.part(), part, "{text}");
        assert!(text.contains(said) && text.contains(&*at(named).to_string_lossy()), "{cert} {key}: {text}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn a_certificate_out_of_its_dates_is_a_warning() {
    let stage = Stage::new();
    let now: jiff::Timestamp = "2026-07-15T12:00:00Z".parse().unwrap();
    let warnings = |made: &Made, now| {
        stage.put(&made.cert, &made.key);
        stage.configure("127.0.0.1", &stage.tls());
        let (config, identity) = load_to_serve(&stage.sources(), now).unwrap();
        let told = config.warnings.into_iter().map(|warning| format!("{}: {}", warning.key, warning.problem));
        (told.collect::<Vec<_>>(), identity.unwrap().expires().unwrap().to_string())
    };
    let (told, expires) = warnings(&mk_certificate(), now);
    assert_eq!((told, expires.as_str()), (vec![], "2090-01-01T00:00:00Z"));
    let (told, expires) = warnings(&mk_certificate_until(2026), now);
    let expected = format!(
        "http.tls.cert_file: the certificate in {} expired at 2026-01-01T00:00:00Z: clients refuse it",
        stage.at("tls.crt").display()
    );
    assert_eq!((told, expires.as_str()), (vec![expected], "2026-01-01T00:00:00Z"));
    let (told, _) = warnings(&mk_certificate(), "2019-12-31T23:59:59Z".parse().unwrap());
    assert!(told[0].contains("is not valid before 2020-01-01T00:00:00Z"), "{told:?}");
}
