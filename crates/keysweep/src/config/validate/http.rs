//! `[http]`: where it listens, with which certificate, and who may ask.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use http::Uri;
use http::uri::Authority;
use jiff::Timestamp;

use super::Review;
use crate::causes::in_words;
use crate::config::model::{HttpSection, Model, TlsSection, TokenSection};
use crate::config::path::KeyPath;
use crate::config::{Http, TlsFiles};
use crate::tls::{Identity, Part, check_key};
use crate::token::{self, Digest, Token};

pub(super) fn build(model: &Model, review: &mut Review) -> Http {
    let section = &model.http;
    let at = KeyPath::of("http");
    let expected = "an IP address and a port, such as \"127.0.0.1:9853\" or \"[::1]:9853\"";
    let listen = review.parse(&at.key("listen"), &section.listen, expected);
    let tokens = tokens(&section.token, &at.key("token"), review);
    let tls = files(&section.tls, &at.key("tls"), review);
    let public = public(&section.public_url, &at.key("public_url"), review);
    if let Some(listen) = listen {
        warn(section, listen, review);
    }
    Http { listen: listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))), tls, public, tokens }
}

/// Reads certificate and key. What is wrong with them is a mistake among the others.
pub(in crate::config) fn identity(http: &Http, now: Timestamp, review: &mut Review) -> Option<Identity> {
    let files = http.tls.as_ref()?;
    let at = KeyPath::of("http.tls");
    match Identity::load(files) {
        Ok(identity) => {
            if let Some(problem) = identity.doubt(now) {
                review.questionable(&at.key("cert_file"), problem);
            }
            Some(identity)
        }
        Err(error) => {
            match error.part() {
                Part::Certificate => {
                    review.wrong(&at.key("cert_file"), in_words(&error));
                    if let Err(error) = check_key(files) {
                        review.wrong(&at.key("key_file"), in_words(&error));
                    }
                }
                Part::Key => review.wrong(&at.key("key_file"), in_words(&error)),
            }
            None
        }
    }
}

/// Name and port of the URL. A token must not cross the network in the clear, so that it has to be https.
fn public(text: &str, at: &KeyPath, review: &mut Review) -> Option<Authority> {
    if text.is_empty() {
        return None;
    }
    let uri = text.parse::<Uri>().ok();
    let public =
        uri.filter(|uri| uri.scheme_str() == Some("https") && uri.path() == "/" && uri.query().is_none());
    let authority =
        public.and_then(|uri| uri.authority().cloned()).filter(|name| !name.as_str().contains('@'));
    if authority.is_none() {
        review.unexpected(at, text, "https:// and a name, with a port if it is not 443, and no path");
    }
    authority
}

fn files(section: &TlsSection, at: &KeyPath, review: &mut Review) -> Option<TlsFiles> {
    let missing = |what, other| format!("missing: expected the file with the {what} of http.tls.{other}");
    match (section.cert_file.as_str(), section.key_file.as_str()) {
        ("", "") => None,
        ("", _) => {
            review.wrong(&at.key("cert_file"), missing("certificate", "key_file"));
            None
        }
        (_, "") => {
            review.wrong(&at.key("key_file"), missing("private key", "cert_file"));
            None
        }
        (cert, key) => Some(TlsFiles { cert: PathBuf::from(cert), key: PathBuf::from(key) }),
    }
}

fn tokens(sections: &[TokenSection], at: &KeyPath, review: &mut Review) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    // Where each name stands. Two names that differ in case alone are one to whoever reads the log.
    let mut names = BTreeMap::new();
    for (index, section) in sections.iter().enumerate() {
        let at = at.index(index);
        let name = name(section, &at, review);
        if let Some(before) = name.as_ref().and_then(|name| names.insert(name.to_ascii_lowercase(), index)) {
            review.wrong(&at.key("name"), format!("the same name as that of http.token[{}]", before + 1));
        }
        if section.role.is_none() {
            review.wrong(&at.key("role"), "missing: expected \"viewer\" or \"operator\"".to_owned());
        }
        let digest = digest(section, &at, review);
        let twin = digest.and_then(|digest| tokens.iter().find(|token| token.digest == digest));
        if let Some(twin) = twin {
            let problem = format!("the same token as that of {:?}: expected one for each", twin.name);
            review.wrong(&at.key("sha256"), problem);
        }
        if let (Some(name), Some(role), Some(digest)) = (name, section.role, digest) {
            tokens.push(Token { name, role, digest });
        }
    }
    tokens
}

fn name(section: &TokenSection, at: &KeyPath, review: &mut Review) -> Option<String> {
    let Some(name) = &section.name else {
        review.wrong(&at.key("name"), format!("missing: expected {}", token::NAME));
        return None;
    };
    if !token::is_name(name) {
        review.unexpected(&at.key("name"), name, token::NAME);
        return None;
    }
    Some(name.clone())
}

fn digest(section: &TokenSection, at: &KeyPath, review: &mut Review) -> Option<Digest> {
    let at = at.key("sha256");
    let Some(text) = &section.sha256 else {
        review.wrong(&at, format!("missing: expected {}", token::ParseDigestError));
        return None;
    };
    let digest = text.parse();
    match digest {
        Ok(digest) if digest == Digest::of("") => {
            review.wrong(&at, "the SHA-256 of an empty text: expected that of a token".to_owned());
            None
        }
        Ok(digest) => Some(digest),
        Err(expected) => {
            review.unexpected(&at, text, &expected.to_string());
            None
        }
    }
}

/// What does not do what it seems to.
fn warn(section: &HttpSection, listen: SocketAddr, review: &mut Review) {
    let (tls, tokens) = (!section.tls.cert_file.is_empty(), !section.token.is_empty());
    if listen.ip().is_loopback() {
        return;
    }
    if tokens && !tls {
        let problem = "is not accepted: without TLS, anyone on the network path can read a token. Set http.tls, or a \
                       loopback address in http.listen";
        review.questionable(&KeyPath::of("http.token"), problem.to_owned());
    }
    if tls && !tokens {
        let problem = "has no effect alone: on a non-loopback address, keysweep serves only metrics and health until \
                       you add an [[http.token]]";
        review.questionable(&KeyPath::of("http.tls"), problem.to_owned());
    }
}
