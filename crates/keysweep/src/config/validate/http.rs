//! `[http]`: where it listens, with which certificate, and who may ask.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use http::uri::Authority;
use ipnet::IpNet;
use jiff::Timestamp;
use keysweep_core::policy::DAY;

use super::Review;
use super::access::scope;
use crate::causes::in_words;
use crate::config::model::{HttpSection, Model, OidcSection, SessionSection, TlsSection, TokenSection};
use crate::config::path::KeyPath;
use crate::config::{Http, Oidc, SessionLife, TlsFiles};
use crate::tls::{Identity, Part, check_key};
use crate::token::{self, Digest, Token};

/// Longer sessions are forgotten about.
const LONGEST_SESSION: Duration = DAY.saturating_mul(30);

pub(super) fn build(model: &Model, review: &mut Review) -> Http {
    let section = &model.http;
    let at = KeyPath::of("http");
    let expected = "an IP address and a port, such as \"127.0.0.1:9853\" or \"[::1]:9853\"";
    let listen = review.parse(&at.key("listen"), &section.listen, expected);
    let tokens = tokens(&section.token, &at.key("token"), review);
    let tls = files(&section.tls, &at.key("tls"), review);
    let public = public(&section.public_url, &at.key("public_url"), review);
    let oidc = oidc(&section.oidc, public.is_some(), &at.key("oidc"), review);
    if let Some(listen) = listen {
        warn(section, listen, review);
    }
    let SessionSection { idle, lifetime } = section.session;
    let session = at.key("session");
    review.positive(&session.key("idle"), idle);
    review.positive(&session.key("lifetime"), lifetime);
    if idle > lifetime {
        let problem =
            format!("found \"{idle}\", expected at most http.session.lifetime, which is \"{lifetime}\"");
        review.contradiction(&session.key("idle"), &session.key("lifetime"), problem);
    }
    if lifetime.get() > LONGEST_SESSION {
        review.unexpected(&session.key("lifetime"), &lifetime, "at most 30d");
    }
    Http {
        listen: listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
        tls,
        trusted_proxies: proxies(section, public.is_some(), &at.key("trusted_proxies"), review),
        public,
        tokens,
        socket: socket(&section.socket, &at.key("socket"), review),
        oidc,
        session: SessionLife { idle: idle.get(), lifetime: lifetime.get() },
    }
}

/// Networks, or single addresses.
fn proxies(section: &HttpSection, public: bool, at: &KeyPath, review: &mut Review) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (index, text) in section.trusted_proxies.iter().enumerate() {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        match network {
            Some(network) if network.prefix_len() == 0 => {
                let problem = "contains every address: expected the network of the proxies only".to_owned();
                review.wrong(&at.index(index), problem);
            }
            Some(network) => networks.push(network),
            None => {
                let expected = "an address or a network, such as \"10.42.0.0/16\"";
                review.unexpected(&at.index(index), text, expected);
            }
        }
    }
    if !networks.is_empty() && !public {
        review.wrong(
            at,
            "found proxies, but http.public_url is empty: set it to the URL of the proxy".to_owned(),
        );
    }
    networks
}

fn socket(text: &str, at: &KeyPath, review: &mut Review) -> Option<PathBuf> {
    if text.is_empty() {
        return None;
    }
    let path = PathBuf::from(text);
    if !path.is_absolute() || std::os::unix::net::SocketAddr::from_pathname(&path).is_err() {
        review.unexpected(
            at,
            text,
            "an absolute path of at most 107 bytes, such as \"/run/keysweep/operators.sock\"",
        );
    }
    Some(path)
}

/// An identity provider, if one is configured.
fn oidc(section: &OidcSection, public: bool, at: &KeyPath, review: &mut Review) -> Option<Oidc> {
    let OidcSection { issuer, client_id, client_secret_file, scopes, groups_claim, ca_file } = section;
    if issuer.is_empty() {
        if !client_id.is_empty() {
            review.wrong(&at.key("issuer"), "missing: expected the URL of the provider".to_owned());
        }
        return None;
    }
    let url = issuer.parse::<Uri>().ok();
    let host = url.as_ref().and_then(|url| url.host()).map(|host| host.trim_matches(['[', ']']));
    let local = host.is_some_and(|host| {
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    let scheme = url.as_ref().and_then(Uri::scheme_str);
    let usable = scheme == Some("https") || (scheme == Some("http") && local);
    if !usable || url.as_ref().is_none_or(|url| url.query().is_some()) {
        let expected = "the https URL of the provider, exactly as in its discovery document";
        review.unexpected(&at.key("issuer"), issuer, expected);
    }
    if client_id.is_empty() {
        review.wrong(&at.key("client_id"), "missing: expected the client ID from the provider".to_owned());
    }
    if !public {
        let problem = "missing: the provider sends people back to http.public_url/login/callback".to_owned();
        review.wrong(&KeyPath::of("http.public_url"), problem);
    }
    if groups_claim.is_empty() {
        review.unexpected(&at.key("groups_claim"), groups_claim, "the name of a claim, such as \"groups\"");
    }
    let secret = &at.key("client_secret_file");
    let client_secret = (!client_secret_file.is_empty())
        .then(|| review.secret_text(secret, client_secret_file, "client secret"))
        .flatten();
    let roots = (!ca_file.is_empty()).then(|| match std::fs::read_to_string(ca_file) {
        Ok(pem) => Some(pem),
        Err(error) => {
            review.wrong(&at.key("ca_file"), format!("{ca_file} could not be read: {error}"));
            None
        }
    });
    Some(Oidc {
        issuer: issuer.clone(),
        client_id: client_id.clone(),
        client_secret,
        scopes: scopes.clone(),
        groups_claim: groups_claim.clone(),
        roots: roots.flatten(),
    })
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
            let problem = "missing: expected \"viewer\", \"approver\", or \"operator\"";
            review.wrong(&at.key("role"), problem.to_owned());
        }
        let digest = digest(section, &at, review);
        let scope = scope(&section.scope, &at.key("match"), review);
        let twin = digest.and_then(|digest| tokens.iter().find(|token| token.digest == digest));
        if let Some(twin) = twin {
            let problem = format!("the same token as that of {:?}: expected one for each", twin.name);
            review.wrong(&at.key("sha256"), problem);
        }
        if let (Some(name), Some(role), Some(digest)) = (name, section.role, digest) {
            tokens.push(Token { name, role, digest, scope });
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
    let (proxied, oidc) = (!section.trusted_proxies.is_empty(), !section.oidc.issuer.is_empty());
    if listen.ip().is_loopback() {
        return;
    }
    if tokens && !tls && !proxied {
        let problem = "is not accepted: without TLS, anyone on the network path can read a token. Set http.tls, or a \
                       loopback address in http.listen";
        review.questionable(&KeyPath::of("http.token"), problem.to_owned());
    }
    if tls && !tokens && !oidc {
        let problem = "has no effect alone: on a non-loopback address, keysweep serves only metrics and health until \
                       you add an [[http.token]] or http.oidc";
        review.questionable(&KeyPath::of("http.tls"), problem.to_owned());
    }
}
