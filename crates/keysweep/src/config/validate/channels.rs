//! `[notices.email]`, `[notices.slack]`, and `[[notices.webhook]]`, with their secrets.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, Read as _};
use std::net::IpAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

use keysweep_api::Role;

use super::Review;
use crate::access::{Holder, Holding};
use crate::config::Http;
use crate::config::channels::{
    Channels, Email, Links, MailSecurity, Mailbox, NotAMailbox, SlackApprovals, SlackBot, WebhookFormat,
    WebhookTarget,
};
use crate::config::model::{EmailSection, Model, SlackSection, WebhookSection};
use crate::config::path::KeyPath;
use crate::people::check_templates;

/// The certificates of every public authority have a quarter of this.
const LARGEST_FILE: u64 = 1 << 20;

/// Standard Webhooks: bytes of a secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Longer than any name that a person reads, and short enough for a label of a metric.
const LONGEST_NAME: usize = 64;

pub(super) fn build(model: &Model, http: &Http, access: &[Holding], review: &mut Review) -> Channels {
    let at = KeyPath::of("notices");
    Channels {
        email: email(&model.notices.email, &at.key("email"), review),
        slack: slack(&model.notices.slack, http, access, &at.key("slack"), review),
        webhooks: webhooks(&model.notices.webhook, &at.key("webhook"), review),
        templates: templates(&model.notices.template_dir, &at.key("template_dir"), review),
        links: links(&model.notices.link_secret_file, http, &at.key("link_secret_file"), review),
    }
}

/// The templates in a directory. One that cannot be used is a mistake: messages are not to change with a typing error.
fn templates(directory: &str, at: &KeyPath, review: &mut Review) -> BTreeMap<String, String> {
    if directory.is_empty() {
        return BTreeMap::new();
    }
    let read = || -> std::io::Result<BTreeMap<String, String>> {
        let mut templates = BTreeMap::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Kubernetes and editors keep files of their own beside them.
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            let text = String::from_utf8(read_file(&entry.path())?);
            templates.insert(name, text.map_err(|_| Error::other("a template is not UTF-8"))?);
        }
        Ok(templates)
    };
    let templates = read().map_err(|error| format!("{directory} could not be read: {error}"));
    match templates.and_then(|templates| check_templates(&templates).map(|()| templates)) {
        Ok(templates) => templates,
        Err(problem) => {
            review.unusable(at, problem);
            BTreeMap::new()
        }
    }
}

/// Shorter secrets could be guessed from a link.
const SHORTEST_LINK_SECRET: usize = 32;

fn links(file: &str, http: &Http, at: &KeyPath, review: &mut Review) -> Option<Links> {
    if file.is_empty() {
        return None;
    }
    let secret = review.secret_text(at, file, "secret for links")?;
    if secret.expose_secret().chars().count() < SHORTEST_LINK_SECRET {
        let problem = format!("{file} is too short: expected at least {SHORTEST_LINK_SECRET} characters");
        review.unusable(at, problem);
        return None;
    }
    let base = page(http);
    // Which port it will be is not known yet where it is 0.
    if base.is_none() && !http.listen.ip().is_loopback() {
        let problem = "requires http.public_url: otherwise, keysweep does not know the address of its page";
        review.contradiction(at, &KeyPath::of("http.public_url"), problem.to_owned());
    }
    Some(Links { secret, base: base? })
}

/// URL of the page, without a slash at its end, as far as it is known.
fn page(http: &Http) -> Option<String> {
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    let local = http.listen.port() != 0 && http.listen.ip().is_loopback();
    match &http.public {
        Some(authority) => Some(format!("https://{authority}")),
        None => local.then(|| format!("{scheme}://{}", http.listen)),
    }
}

fn email(section: &EmailSection, at: &KeyPath, review: &mut Review) -> Option<Email> {
    if section.host.is_empty() {
        if *section != EmailSection::default() {
            let problem = "is empty, so the other settings in [notices.email] have no effect";
            review.questionable(&at.key("host"), problem.to_owned());
        }
        return None;
    }
    if !is_host(&section.host) {
        let expected = "the name or IP address of a mail server, such as \"smtp.example.com\"";
        review.unexpected(&at.key("host"), &section.host, expected);
    }
    let security = section.security;
    if security == MailSecurity::None && !is_loopback(&section.host) {
        let problem = "found \"none\", expected \"starttls\" or \"tls\": without TLS, anyone on the network path can read \
                       messages. \"none\" is only for a mail server on a loopback address";
        review.contradiction(&at.key("security"), &at.key("host"), problem.to_owned());
    }
    let port =
        if section.port == 0 { Some(security.default_port()) } else { u16::try_from(section.port).ok() };
    if port.is_none() {
        let problem =
            format!("found {}, expected a port from 1 to 65535, or 0 for the default", section.port);
        review.wrong(&at.key("port"), problem);
    }
    let from = sender(section, at, review);
    let reply_to = match section.reply_to.as_str() {
        "" => Some(None),
        text => mailbox(text, &at.key("reply_to"), review).map(Some),
    };
    let login = login(section, at, review);
    if security == MailSecurity::None && !section.ca_file.is_empty() {
        let problem = "has no effect: notices.email.security is \"none\"".to_owned();
        review.questionable(&at.key("ca_file"), problem);
    }
    let ca_pem = authorities(&section.ca_file, &at.key("ca_file"), review);
    let (username, password) = login?.unzip();
    let (host, from, reply_to) = (section.host.clone(), from?, reply_to?);
    Some(Email { host, port: port?, security, username, password, from, reply_to, ca_pem: ca_pem? })
}

fn sender(section: &EmailSection, at: &KeyPath, review: &mut Review) -> Option<Mailbox> {
    let at = at.key("from");
    if section.from.is_empty() {
        review.wrong(&at, format!("missing: expected {NotAMailbox}"));
        return None;
    }
    mailbox(&section.from, &at, review)
}

fn mailbox(text: &str, at: &KeyPath, review: &mut Review) -> Option<Mailbox> {
    review.parse(at, text, &NotAMailbox.to_string())
}

/// User name and password; `Some(None)` if the server requires none.
fn login(
    section: &EmailSection,
    at: &KeyPath,
    review: &mut Review,
) -> Option<Option<(String, SecretString)>> {
    let (username, file) = (&section.username, &section.password_file);
    if username.chars().any(char::is_control) {
        review.unexpected(&at.key("username"), username, "a name without line breaks");
    }
    match (username.is_empty(), file.is_empty()) {
        (true, true) => Some(None),
        (true, false) => {
            let problem = "missing: expected the user whose password notices.email.password_file contains";
            review.wrong(&at.key("username"), problem.to_owned());
            None
        }
        (false, true) => {
            let problem = "missing: expected the file that contains the password of notices.email.username";
            review.wrong(&at.key("password_file"), problem.to_owned());
            None
        }
        (false, false) => {
            let password = review.secret_text(&at.key("password_file"), file, "password")?;
            Some(Some((username.clone(), password)))
        }
    }
}

fn slack(
    section: &SlackSection,
    http: &Http,
    access: &[Holding],
    at: &KeyPath,
    review: &mut Review,
) -> Option<SlackBot> {
    let api_url = Some(&section.api_url).filter(|url| !url.is_empty());
    if section.token_file.is_empty() {
        let native = section.approvals == SlackApprovals::Native;
        let others = [
            ("api_url", api_url.is_some()),
            ("approvals", native),
            ("app_token_file", !section.app_token_file.is_empty()),
        ];
        if let Some((key, _)) = others.into_iter().find(|(_, set)| *set) {
            let problem = format!("is empty, so notices.slack.{key} has no effect");
            review.questionable(&at.key("token_file"), problem);
        }
        return None;
    }
    let app_token = app_token(section, at, review);
    if section.approvals == SlackApprovals::Native {
        somebody_decides(access, at, review);
    }
    let usable = api_url.is_none_or(|url| is_api_url(url));
    if !usable {
        let expected =
            "an https URL such as \"https://slack-gov.com/api\", or an http URL of a loopback address";
        review.unexpected(&at.key("api_url"), &section.api_url, expected);
    }
    let at = at.key("token_file");
    let token = review.secret_text(&at, &section.token_file, "bot token")?;
    let text = token.expose_secret();
    if !text.starts_with("xoxb-") || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let problem =
            format!("{} contains no bot token: expected a text that begins with xoxb-", section.token_file);
        review.unusable(&at, problem);
        return None;
    }
    let (approvals, page) = (section.approvals, page(http));
    let app_token = app_token?;
    usable.then(|| SlackBot { token, api_url: api_url.cloned(), approvals, app_token, page })
}

/// The token of Socket Mode; `Some(None)` if none is required.
fn app_token(section: &SlackSection, at: &KeyPath, review: &mut Review) -> Option<Option<SecretString>> {
    let (file, at, mode) = (&section.app_token_file, at.key("app_token_file"), at.key("approvals"));
    match (section.approvals, file.is_empty()) {
        (SlackApprovals::Link, true) => return Some(None),
        (SlackApprovals::Link, false) => {
            let problem = "has no effect: notices.slack.approvals is \"link\"";
            review.questionable(&at, problem.to_owned());
            return Some(None);
        }
        (SlackApprovals::Native, true) => {
            let problem =
                "missing: expected the file that contains the app-level token, through which clicks arrive";
            review.contradiction(&at, &mode, problem.to_owned());
            return None;
        }
        (SlackApprovals::Native, false) => {}
    }
    let token = review.secret_text(&at, file, "app-level token")?;
    let text = token.expose_secret();
    if !text.starts_with("xapp-") || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let problem = format!("{file} contains no app-level token: expected a text that begins with xapp-");
        review.unusable(&at, problem);
        return None;
    }
    Some(Some(token))
}

fn somebody_decides(access: &[Holding], at: &KeyPath, review: &mut Review) {
    let decides = |holding: &Holding| {
        matches!(holding.holder, Holder::SlackUser(_)) && holding.grant.role >= Role::Approver
    };
    let entries = KeyPath::of("access");
    if access.iter().any(decides) || review.has_mistakes_below(&entries) {
        return;
    }
    let problem =
        "found \"native\", but no [[access]] entry gives a slack_user the role \"approver\" or \"operator\"";
    review.contradiction(&at.key("approvals"), &entries, problem.to_owned());
}

fn is_api_url(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        let host = uri.host().filter(|host| !host.is_empty());
        let reaches = match (uri.scheme_str(), host) {
            (Some("https"), Some(_)) => true,
            (Some("http"), Some(host)) => is_loopback(host),
            _ => false,
        };
        reaches && uri.query().is_none() && !has_credentials(&uri) && !text.contains('#')
    })
}

fn has_credentials(uri: &Uri) -> bool {
    uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
}

fn webhooks(sections: &[WebhookSection], at: &KeyPath, review: &mut Review) -> Vec<WebhookTarget> {
    let mut names = BTreeMap::new();
    let mut webhooks = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        let at = at.index(index);
        let name = name(section, &at, review);
        // Names that differ in case alone are one name to people.
        if let Some(before) = name.as_ref().and_then(|name| names.insert(name.to_ascii_lowercase(), index)) {
            review
                .wrong(&at.key("name"), format!("the same name as that of notices.webhook[{}]", before + 1));
        }
        webhooks.extend(webhook(section, name, &at, review));
    }
    webhooks
}

fn name(section: &WebhookSection, at: &KeyPath, review: &mut Review) -> Option<String> {
    let at = at.key("name");
    let expected = "1 to 64 letters, digits, \"-\", or \"_\", such as \"tickets\"";
    let Some(name) = &section.name else {
        review.wrong(&at, format!("missing: expected {expected}"));
        return None;
    };
    let valid = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !(1..=LONGEST_NAME).contains(&name.len()) || !name.chars().all(valid) {
        review.unexpected(&at, name, expected);
        return None;
    }
    Some(name.clone())
}

fn webhook(
    section: &WebhookSection,
    name: Option<String>,
    at: &KeyPath,
    review: &mut Review,
) -> Option<WebhookTarget> {
    let format = section.format.unwrap_or(WebhookFormat::Json);
    let allow_private = section.allow_private.unwrap_or(false);
    let url = match section.url_file.as_deref().unwrap_or_default() {
        "" => {
            review.wrong(&at.key("url_file"), "missing: expected the file that contains the URL".to_owned());
            None
        }
        file => url(file, allow_private, &at.key("url_file"), review),
    };
    let secrets = match (format, section.secret_file.as_deref().unwrap_or_default()) {
        (WebhookFormat::Json, "") => {
            let problem =
                "missing: expected the file that contains the secret by which the receiver verifies messages";
            review.contradiction(&at.key("secret_file"), &at.key("format"), problem.to_owned());
            None
        }
        (WebhookFormat::Json, file) => secrets(file, &at.key("secret_file"), review),
        (WebhookFormat::Teams, "") => Some(Vec::new()),
        (WebhookFormat::Teams, _) => {
            let problem = "expected none: messages to Microsoft Teams are not signed".to_owned();
            review.contradiction(&at.key("secret_file"), &at.key("format"), problem);
            None
        }
    };
    let ca_pem = authorities(section.ca_file.as_deref().unwrap_or_default(), &at.key("ca_file"), review);
    Some(WebhookTarget { name: name?, url: url?, format, secrets: secrets?, allow_private, ca_pem: ca_pem? })
}

fn url(file: &str, allow_private: bool, at: &KeyPath, review: &mut Review) -> Option<SecretString> {
    let url = review.secret_text(at, file, "URL")?;
    let mut refuse = |problem: String| {
        review.unusable(at, format!("{file} {problem}"));
        None
    };
    let uri = url.expose_secret().parse::<Uri>().ok().filter(|uri| uri.scheme().is_some());
    let Some((uri, host)) =
        uri.as_ref().and_then(|uri| Some((uri, uri.host().filter(|host| !host.is_empty())?)))
    else {
        return refuse("contains no URL: expected https://, a host, and a path".to_owned());
    };
    if has_credentials(uri) {
        return refuse("contains a URL with a user name or password: expected a URL without them".to_owned());
    }
    let local = is_loopback(host);
    match uri.scheme_str() {
        Some("https") if !allow_private && (local || is_private(host)) => {
            refuse("contains the URL of a private address: set allow_private = true to permit it".to_owned())
        }
        Some("https") => Some(url),
        Some("http") if local && allow_private => Some(url),
        _ => refuse(
            "contains a URL that is not encrypted: expected https:// (http:// requires a loopback address and \
             allow_private = true)"
                .to_owned(),
        ),
    }
}

/// One secret per line; while one is rotated there are two.
fn secrets(file: &str, at: &KeyPath, review: &mut Review) -> Option<Vec<SecretString>> {
    let lines = review.secret_lines(at, file, "secret")?;
    let mut secrets = Vec::new();
    for (number, line) in lines {
        let bytes = line.expose_secret().strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
        if !bytes.is_some_and(|bytes| SECRET_BYTES.contains(&bytes.len())) {
            let problem =
                format!("{file}, line {number}: expected whsec_ and the base64 of 24 to 64 random bytes");
            review.unusable(at, problem);
            return None;
        }
        secrets.push(line);
    }
    Some(secrets)
}

/// The content of a file with certificates; `Some(None)` if no file is named.
fn authorities(file: &str, at: &KeyPath, review: &mut Review) -> Option<Option<Vec<u8>>> {
    if file.is_empty() {
        return Some(None);
    }
    let path = review.secret_path(file);
    let read = read_file(&path).map_err(|error| format!("read {}: {error}", path.display()));
    match read.and_then(|pem| check_authorities(&pem).map(|()| pem).map_err(|why| format!("{file} {why}"))) {
        Ok(pem) => Some(Some(pem)),
        Err(problem) => {
            review.unusable(at, problem);
            None
        }
    }
}

/// A pipe may never end.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(Error::other("not a regular file"));
    }
    if metadata.len() > LARGEST_FILE {
        return Err(Error::other(format!("larger than {LARGEST_FILE} bytes")));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn check_authorities(pem: &[u8]) -> Result<(), &'static str> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "is not PEM")?;
        roots.add(certificate).map_err(|_| "contains a certificate that cannot be used")?;
    }
    if roots.is_empty() {
        return Err("contains no certificate: expected -----BEGIN CERTIFICATE-----");
    }
    Ok(())
}

/// A host name or an IP address, as a certificate can be for it.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        // RFC 1035, 2.3.4.
        (1..=63).contains(&label.len()) && label.bytes().all(valid)
    };
    text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && text.split('.').all(label))
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || address(host).is_some_and(|ip| ip.to_canonical().is_loopback())
}

/// Whether the host is an address that is clearly not public. Names are resolved and checked when a message is sent.
fn is_private(host: &str) -> bool {
    match address(host).map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        Some(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified(),
        None => false,
    }
}
