//! `[notices]`: channels with their secrets, recipients, routes, and reminders.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keysweep_core::notice::{Address, ChannelKind, NoticeKind};
use keysweep_core::policy::DAY;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::*;
use crate::config::{MailSecurity, Mailbox, WebhookFormat, load_to_serve};

const HOUR: Duration = Duration::from_secs(3_600);

const URL: &str = "https://tickets.example.com/hook?key=sesame-url";
const TOKEN: &str = "xoxb-sesame-token";
const PASSWORD: &str = "sesame password";

/// A certificate of which nobody has the key.
const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----\n\
MIIBgTCCASegAwIBAgIUTDPASTygGJutMpSaTVr+m6Yc1YQwCgYIKoZIzj0EAwIw\n\
FTETMBEGA1UEAwwKRXhhbXBsZSBDQTAgFw0yNjExMzAxMTM4MzhaGA8yMTI2MTEw\n\
NjExMzgzOFowFTETMBEGA1UEAwwKRXhhbXBsZSBDQTBZMBMGByqGSM49AgEGCCqG\n\
SM49AwEHA0IABHO9IAE8NjqgLIR1qTFggEyV6JU3nTB0Y/9WH7SS7H/HCDvcnszd\n\
NvAWoedgE9G+bqOjKAkKg9ODiBSLQ4s4N5OjUzBRMB0GA1UdDgQWBBSR+kHqXtUr\n\
w1xSQjLGk08SPKB2RDAfBgNVHSMEGDAWgBSR+kHqXtUrw1xSQjLGk08SPKB2RDAP\n\
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIG2bkNazwwfVX8WNzVgI\n\
jOaYqQ7YXWpxd68eR9phiV8OAiEAyyCm2GHUZf2hKkv7n3d8IRhX/LlkhySTtmLR\n\
XUonW/M=\n\
-----END CERTIFICATE-----\n";

/// A directory with the secrets of every channel.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        stage.write("password", &format!("{PASSWORD}\n"));
        stage.write("token", &format!("{TOKEN}\n"));
        stage.write("url", &format!("{URL}\n"));
        stage.write("secret", &format!("{}\n", mk_secret(32)));
        stage
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.0.path().join(name), content).unwrap();
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// E-mail, Slack, and a webhook called "tickets", with further lines for each.
    fn channels(&self, email: &str, slack: &str, webhook: &str) -> String {
        format!(
            "[notices.email]\nhost = \"smtp.example.com\"\nfrom = \"keysweep <keysweep@example.com>\"\n{email}\n\
             [notices.slack]\ntoken_file = {:?}\n{slack}\n\
             [[notices.webhook]]\nname = \"tickets\"\nurl_file = {:?}\n{webhook}\n",
            self.at("token"),
            self.at("url"),
        )
    }

    /// Every channel, with `rest` before the first section.
    fn all(&self, rest: &str) -> String {
        let login = format!("username = \"keysweep\"\npassword_file = {:?}", self.at("password"));
        let signed = format!("secret_file = {:?}", self.at("secret"));
        format!("notices.notify = [\"#security\"]\n{rest}\n{}", self.channels(&login, "", &signed))
    }

    /// Messages without the path of the directory.
    fn shown(&self, problems: &[String]) -> String {
        problems.join("\n").replace(&self.0.path().display().to_string(), "DIR")
    }
}

fn mk_secret(bytes: usize) -> String {
    format!("whsec_{}", STANDARD.encode(vec![7_u8; bytes]))
}

/// Key and problem of every mistake for a daemon.
fn problems_to_serve(toml: &str) -> Vec<String> {
    let file = mk_file(toml);
    let result = load_to_serve(&mk_sources(file.path(), &[]), mk_now());
    let mistakes = mistakes_of(result.map(|(config, _)| config));
    mistakes.into_iter().map(|mistake| format!("{}: {}", mistake.key, mistake.problem)).collect()
}

fn load_served(toml: &str) -> Config {
    let file = mk_file(toml);
    load_to_serve(&mk_sources(file.path(), &[]), mk_now()).unwrap_or_else(|error| panic!("{error}")).0
}

fn warned(toml: &str) -> Vec<String> {
    warnings(&load_served(toml))
}

#[test]
fn every_channel_is_read_with_its_secrets() {
    let stage = Stage::new();
    let config = load_served(&stage.all(""));
    let email = config.channels.email.as_ref().unwrap();
    assert_eq!((email.host.as_str(), email.port), ("smtp.example.com", 587));
    assert_eq!(email.security, MailSecurity::Starttls);
    assert_eq!(email.username.as_deref(), Some("keysweep"));
    assert_eq!(email.password.as_ref().unwrap().expose_secret(), PASSWORD);
    assert_eq!(email.from.to_string(), "\"keysweep\" <keysweep@example.com>");
    assert_eq!((&email.reply_to, &email.ca_pem), (&None, &None));
    let slack = config.channels.slack.as_ref().unwrap();
    assert_eq!((slack.token.expose_secret(), &slack.api_url), (TOKEN, &None));
    let [webhook] = config.channels.webhooks.as_slice() else { panic!("one webhook") };
    assert_eq!((webhook.name.as_str(), webhook.url.expose_secret()), ("tickets", URL));
    assert_eq!((webhook.format, webhook.allow_private), (WebhookFormat::Json, false));
    assert_eq!(webhook.secrets.iter().map(|s| s.expose_secret()).collect::<Vec<_>>(), [mk_secret(32)]);
    let notices = &config.policy.notices;
    assert_eq!(notices.channels, [ChannelKind::Slack, ChannelKind::Email, ChannelKind::Webhook]);
    assert!(notices.webhooks.contains("tickets"));
    assert_eq!(notices.notify, [Address::Slack("#security".into())]);
    assert_eq!(warnings(&config), Vec::<String>::new());
}

#[test]
fn nothing_is_configured_by_default() {
    let config = load_served("");
    assert_eq!(config.channels, crate::config::Channels::default());
    assert!(!config.policy.notices.can_send());
    assert!(config.policy.notices.required);
}

#[test]
fn no_secret_is_shown() {
    let stage = Stage::new();
    let config = load_served(&stage.all(""));
    let journal = format!("{:?}", config.effective.to_journal());
    let json = serde_json::to_string(&config.effective).unwrap();
    for shown in [format!("{config:?}"), config.effective.to_toml(), journal, json] {
        assert!(!shown.contains("sesame"), "{shown}");
        assert!(!shown.contains("whsec_"), "{shown}");
        // Where it is, is no secret.
        assert!(shown.contains(&stage.at("password")) && shown.contains(&stage.at("token")), "{shown}");
    }
}

#[test]
fn what_is_shown_loads_again() {
    let stage = Stage::new();
    let routes = "[[notices.route]]\nmatch = { accounts = [\"111122223333\"], kinds = [\"reminder\"] }\n\
                  channels = [\"email\"]\nquiet_hours = \"22:00-07:00\"\n[[notices.route]]\ngroup_wait = \"5m\"\n";
    let config = load_served(&format!("{}{routes}", stage.all("protect.notify = [\"webhook:tickets\"]")));
    let again = load_served(&config.effective.to_toml());
    assert!(config.does_the_same(&again));
    assert_eq!(config.policy.notices.routes.len(), 2);
    assert_eq!(again.effective.to_journal(), config.effective.to_journal());
}

#[test]
fn another_secret_in_the_same_file_is_a_change() {
    let stage = Stage::new();
    let text = stage.all("");
    let before = load_served(&text);
    assert!(before.does_the_same(&load_served(&text)));
    for (name, content) in [
        ("password", "another".to_owned()),
        ("token", "xoxb-another".to_owned()),
        ("url", "https://tickets.example.com/another".to_owned()),
        ("secret", format!("{}\n{}\n", mk_secret(32), mk_secret(24))),
        ("secret", mk_secret(33)),
    ] {
        let (fresh, before) = (Stage::new(), load_served(&text));
        stage.write(name, &content);
        assert!(!before.does_the_same(&load_served(&text)), "{name}");
        stage.write(name, &std::fs::read_to_string(fresh.at(name)).unwrap());
        assert!(before.does_the_same(&load_served(&text)), "{name}");
    }
    let ported = text.replace("host = ", "port = 2525\nhost = ");
    assert!(!before.does_the_same(&load_served(&ported)));
}

#[test]
fn secrets_that_cannot_be_used_stop_the_daemon_and_no_command() {
    let stage = Stage::new();
    let long = "x".repeat(9_000);
    for (name, content, problem) in [
        ("password", "", "DIR/password is empty: expected the password"),
        ("password", " \n", "DIR/password is empty: expected the password"),
        ("password", "one\ntwo\n", "DIR/password contains more than the password: expected one line of text"),
        ("password", &long, "DIR/password has 8192 bytes or more: expected the password alone"),
        ("token", "xapp-sesame", "DIR/token contains no bot token: expected a text that begins with xoxb-"),
        ("token", "xoxb-a b", "DIR/token contains no bot token: expected a text that begins with xoxb-"),
        ("url", "tickets", "DIR/url contains no URL: expected https://, a host, and a path"),
        ("url", "https:///hook", "DIR/url contains no URL: expected https://, a host, and a path"),
        (
            "url",
            "http://tickets.example.com/",
            "DIR/url contains a URL that is not encrypted: expected https://",
        ),
        ("url", "http://localhost:8080/", "DIR/url contains a URL that is not encrypted: expected https://"),
        (
            "url",
            "ftp://tickets.example.com/",
            "DIR/url contains a URL that is not encrypted: expected https://",
        ),
        ("url", "https://127.0.0.1/hook", "DIR/url contains the URL of a private address: set allow_private"),
        ("url", "https://localhost/hook", "DIR/url contains the URL of a private address: set allow_private"),
        ("url", "https://10.1.2.3/hook", "DIR/url contains the URL of a private address: set allow_private"),
        (
            "url",
            "https://[::ffff:10.1.2.3]/",
            "DIR/url contains the URL of a private address: set allow_private",
        ),
        (
            "url",
            "https://169.254.169.254/",
            "DIR/url contains the URL of a private address: set allow_private",
        ),
        ("url", "https://[fd00::1]/hook", "DIR/url contains the URL of a private address: set allow_private"),
        ("url", "https://a:sesame@example.com/", "DIR/url contains a URL with a user name or password"),
        ("secret", "\n\n", "DIR/secret is empty: expected the secret"),
        ("secret", "sesame", "DIR/secret, line 1: expected whsec_ and the base64 of 24 to 64 random bytes"),
        (
            "secret",
            "\nwhsec_%%%",
            "DIR/secret, line 2: expected whsec_ and the base64 of 24 to 64 random bytes",
        ),
        ("secret", &mk_secret(23), "DIR/secret, line 1: expected whsec_"),
        ("secret", &mk_secret(65), "DIR/secret, line 1: expected whsec_"),
    ] {
        let fresh = Stage::new();
        stage.write(name, content);
        let text = stage.all("");
        let found = problems_to_serve(&text);
        assert_eq!(found.len(), 1, "{content:?}: {found:?}");
        let key = match name {
            "password" => "notices.email.password_file",
            "token" => "notices.slack.token_file",
            "url" => "notices.webhook[1].url_file",
            _ => "notices.webhook[1].secret_file",
        };
        let message = stage.shown(&found);
        assert!(message.starts_with(&format!("{key}: {problem}")), "{content:?}: {message}");
        assert!(!message.contains("sesame"), "{message}");
        // A command gets the same as a warning: an undo does not depend on a mail server.
        let config = load_text(&text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(warnings(&config), found, "{content:?}");
        let left = &config.channels;
        let there = [left.email.is_some(), left.slack.is_some(), !left.webhooks.is_empty()];
        assert_eq!(there.into_iter().filter(|there| *there).count(), 2, "{content:?}");
        assert!(config.policy.notices.can_send());
        stage.write(name, &std::fs::read_to_string(fresh.at(name)).unwrap());
    }
    assert_eq!(problems_to_serve(&stage.all("")), Vec::<String>::new());
}

#[test]
fn a_missing_file_is_named() {
    let stage = Stage::new();
    std::fs::remove_file(stage.at("token")).unwrap();
    let found = problems_to_serve(&stage.all(""));
    let expected = "notices.slack.token_file: read DIR/token: No such file or directory (os error 2)";
    assert_eq!(stage.shown(&found), expected);
}

#[test]
fn secrets_come_from_credentials_of_the_service_manager() {
    let stage = Stage::new();
    let handed_in = tempfile::tempdir().unwrap();
    for (name, content) in [("keysweep_password", "of the service"), ("token", "xoxb-of-the-service")] {
        std::fs::write(handed_in.path().join(name), content).unwrap();
    }
    let file = mk_file(stage.all(""));
    let credentials = Some(handed_in.path().to_owned());
    let sources = Sources { credentials, ..mk_sources(file.path(), &[]) };
    let channels = load_to_serve(&sources, mk_now()).unwrap().0.channels;
    assert_eq!(channels.email.unwrap().password.unwrap().expose_secret(), "of the service");
    assert_eq!(channels.slack.unwrap().token.expose_secret(), "xoxb-of-the-service");
    assert_eq!(channels.webhooks[0].url.expose_secret(), URL);
}

#[test]
fn a_secret_in_place_of_its_file_is_not_repeated() {
    let secret = mk_secret(32);
    let text = format!(
        "[notices.slack]\ntoken_file = \"{TOKEN}\"\n[[notices.webhook]]\nname = \"a\"\nurl_file = \"{URL}\"\n\
         secret_file = \"{secret}\"\n"
    );
    let file = mk_file(&text);
    for message in [problems_to_serve(&text), problems(&text)] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(message.join("\n"), @r"
            notices.slack.token_file: found the bot token itself, expected the path of a file that contains it
            notices.webhook[1].url_file: found the URL itself, expected the path of a file that contains it
            notices.webhook[1].secret_file: found the secret itself, expected the path of a file that contains it
            ");
        }
    }
    let error = load(&mk_sources(file.path(), &[]), mk_now()).unwrap_err();
    assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
}

#[test]
fn the_port_follows_from_the_security() {
    let port = |rest: &str, host: &str| {
        let text = format!("[notices.email]\nhost = \"{host}\"\nfrom = \"a@example.com\"\n{rest}\n");
        load_served(&text).channels.email.unwrap().port
    };
    assert_eq!(port("", "smtp.example.com"), 587);
    assert_eq!(port("security = \"tls\"", "smtp.example.com"), 465);
    assert_eq!(port("security = \"none\"", "127.0.0.1"), 25);
    assert_eq!(port("security = \"none\"", "localhost"), 25);
    assert_eq!(port("security = \"none\"", "::1"), 25);
    assert_eq!(port("security = \"tls\"\nport = 2465", "2001:db8::1"), 2465);
    assert_eq!(port("port = 65535", "mail_1.example.com"), 65535);
}

#[test]
fn every_mistake_in_a_mail_server_is_told_at_once() {
    let text = "
        [notices.email]
        host = \"smtp.example.com:587\"
        port = 65536
        username = \"keysweep\"
        from = \"keysweep\"
        reply_to = \"a@example.com, b@example.com\"
    ";
    insta::assert_snapshot!(problems_to_serve(text).join("\n"), @r#"
    notices.email.password_file: missing: expected the file that contains the password of notices.email.username
    notices.email.host: found "smtp.example.com:587", expected the name or IP address of a mail server, such as "smtp.example.com"
    notices.email.port: found 65536, expected a port from 1 to 65535, or 0 for the default
    notices.email.from: found "keysweep", expected an address such as "keysweep <keysweep@example.com>" or "keysweep@example.com"
    notices.email.reply_to: found "a@example.com, b@example.com", expected an address such as "keysweep <keysweep@example.com>" or "keysweep@example.com"
    "#);
    let text = "
        [notices.email]
        host = \"smtp.example.com\"
        security = \"none\"
        password_file = \"/nonexistent/password\"
    ";
    insta::assert_snapshot!(problems_to_serve(text).join("\n"), @r#"
    notices.email.from: missing: expected an address such as "keysweep <keysweep@example.com>" or "keysweep@example.com"
    notices.email.username: missing: expected the user whose password notices.email.password_file contains
    notices.email.security: found "none", expected "starttls" or "tls": without TLS, anyone on the network path can read messages. "none" is only for a mail server on a loopback address
    "#);
    let text = "notices.email = { host = \"h\", from = \"a@example.com\", username = \"a\\r\\nb\", password_file = \"/p\" }";
    let found = problems_to_serve(text);
    assert!(found[0].starts_with("notices.email.username: found \"a\\r\\nb\", expected a name"), "{found:?}");
}

#[test]
fn a_mailbox_is_a_name_and_an_address() {
    let parse = |text: &str| text.parse::<Mailbox>().ok().map(|mailbox| mailbox.to_string());
    for (text, shown) in [
        ("keysweep@example.com", "keysweep@example.com"),
        ("<keysweep@example.com>", "keysweep@example.com"),
        ("keysweep <keysweep@example.com>", "\"keysweep\" <keysweep@example.com>"),
        ("\"Keys, Größe\" <keysweep@example.com>", "\"Keys, Größe\" <keysweep@example.com>"),
        ("a@example.com <a@example.com>", "\"a@example.com\" <a@example.com>"),
    ] {
        assert_eq!(parse(text).as_deref(), Some(shown), "{text}");
        assert_eq!(parse(shown).as_deref(), Some(shown), "{text}");
    }
    for text in [
        "",
        "keysweep",
        "keysweep <keysweep>",
        "keysweep <keysweep@example.com",
        "keysweep <keysweep@example.com> x",
        "a <b@example.com> <c@example.com>",
        "a\r\nBcc: x <keysweep@example.com>",
        "a <keysweep@example.com\r\n>",
        "a\"b <keysweep@example.com>",
        "a@example.com, b@example.com",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn settings_of_a_channel_that_is_off_are_named() {
    let text = "notices.email.port = 25\nnotices.slack.api_url = \"https://slack-gov.com/api\"\n";
    insta::assert_snapshot!(warned(text).join("\n"), @r"
    notices.email.host: is empty, so the other settings in [notices.email] have no effect
    notices.slack.token_file: is empty, so notices.slack.api_url has no effect
    ");
    let stage = Stage::new();
    stage.write("ca.pem", AUTHORITY);
    let text = format!(
        "notices.notify = [\"a@example.com\"]\n[notices.email]\nhost = \"localhost\"\nsecurity = \"none\"\n\
         from = \"a@example.com\"\nca_file = {:?}\n",
        stage.at("ca.pem")
    );
    assert_eq!(warned(&text), ["notices.email.ca_file: has no effect: notices.email.security is \"none\""]);
}

#[test]
fn the_url_of_slack_is_encrypted_or_local() {
    let stage = Stage::new();
    let with = |url: &str| {
        let token = stage.at("token");
        format!(
            "notices.notify = [\"#s\"]\nnotices.slack = {{ token_file = {token:?}, api_url = {url:?} }}\n"
        )
    };
    for good in [
        "https://slack-gov.com/api",
        "https://slack-gov.com/api/",
        "http://127.0.0.1:8080",
        "http://[::1]:1/",
    ] {
        assert_eq!(load_served(&with(good)).channels.slack.unwrap().api_url.as_deref(), Some(good));
    }
    for bad in [
        "http://slack-gov.com/api",
        "slack-gov.com",
        "https://",
        "https://a:b@slack-gov.com/api",
        "https://slack-gov.com/api?x=1",
        "http://localhost.example.com/",
    ] {
        let found = problems_to_serve(&with(bad));
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
        assert!(found[0].starts_with("notices.slack.api_url: found "), "{bad}: {found:?}");
    }
}

const APPROVER: &str = "[[access]]\nslack_user = \"U012AB3CD\"\nrole = \"approver\"\n";

fn mk_native(stage: &Stage, slack: &str, access: &str) -> String {
    let token = stage.at("token");
    format!("notices.notify = [\"#s\"]\n[notices.slack]\ntoken_file = {token:?}\n{slack}\n{access}")
}

#[test]
fn people_decide_in_slack_only_if_it_is_configured() {
    let stage = Stage::new();
    stage.write("app", "xapp-1-A0-0-secret\n");
    let app = format!("app_token_file = {:?}\n", stage.at("app"));
    let slack = |text: &str| load_served(text).channels.slack.unwrap();
    let by_default = slack(&mk_native(&stage, "", ""));
    assert!(by_default.native().is_none());
    assert_eq!(by_default.page.as_deref(), Some("http://127.0.0.1:9853"));
    let native = slack(&mk_native(&stage, &format!("approvals = \"native\"\n{app}"), APPROVER));
    assert_eq!(native.native().unwrap().expose_secret(), "xapp-1-A0-0-secret");
    assert_eq!(
        stage.shown(&warned(&mk_native(&stage, &app, APPROVER))),
        "access[1]: has no effect: notices.slack.approvals is not \"native\"\n\
         notices.slack.app_token_file: has no effect: notices.slack.approvals is \"link\""
    );
    assert_eq!(
        warned("[notices.slack]\napprovals = \"native\"\n"),
        ["notices.slack.token_file: is empty, so notices.slack.approvals has no effect"]
    );
}

#[test]
fn approvals_in_slack_require_a_token_and_somebody_who_decides() {
    let stage = Stage::new();
    stage.write("bot", TOKEN);
    stage.write("app", "xapp-1-A0-0-secret\n");
    let [bot, app] = ["bot", "app"].map(|name| format!("app_token_file = {:?}\n", stage.at(name)));
    let problems = |slack: &str, access: &str| {
        let text = mk_native(&stage, &format!("approvals = \"native\"\n{slack}"), access);
        stage.shown(&problems_to_serve(&text))
    };
    let nobody = "notices.slack.approvals: found \"native\", but no [[access]] entry gives a slack_user the role \
                  \"approver\" or \"operator\"";
    assert_eq!(problems(&app, ""), nobody);
    assert_eq!(problems(&app, &APPROVER.replace("approver", "viewer")), nobody);
    assert_eq!(problems(&app, &APPROVER.replace("slack_user", "local_user")), nobody);
    assert_eq!(
        problems("", APPROVER),
        "notices.slack.app_token_file: missing: expected the file that contains the app-level token, through which \
         clicks arrive"
    );
    assert_eq!(
        problems(&bot, APPROVER),
        "notices.slack.app_token_file: DIR/bot contains no app-level token: expected a text that begins with xapp-"
    );
    let found = problems(&app, &APPROVER.replace("U012AB3CD", "dana"));
    assert!(found.starts_with("access[1].slack_user: found \"dana\", expected the ID"), "{found}");
    let text = mk_native(&stage, "approvals = \"buttons\"", "");
    let found = problems_to_serve(&text);
    assert!(
        found[0].starts_with("notices.slack.approvals: found \"buttons\", expected \"link\""),
        "{found:?}"
    );
}

#[test]
fn every_mistake_in_webhooks_is_told_at_once() {
    let stage = Stage::new();
    let [url, secret] = ["url", "secret"].map(|name| stage.at(name));
    let text = format!(
        "[[notices.webhook]]\n[[notices.webhook]]\nname = \"two words\"\nurl_file = {url:?}\nformat = \"teams\"\n\
         secret_file = {secret:?}\n[[notices.webhook]]\nname = \"tickets\"\nurl_file = {url:?}\nsecret_file = {secret:?}\n\
         [[notices.webhook]]\nname = \"Tickets\"\nurl_file = {url:?}\nformat = \"xml\"\n"
    );
    insta::assert_snapshot!(stage.shown(&problems_to_serve(&text)), @r#"
    notices.webhook[1].name: missing: expected 1 to 64 letters, digits, "-", or "_", such as "tickets"
    notices.webhook[1].url_file: missing: expected the file that contains the URL
    notices.webhook[1].secret_file: missing: expected the file that contains the secret by which the receiver verifies messages
    notices.webhook[2].name: found "two words", expected 1 to 64 letters, digits, "-", or "_", such as "tickets"
    notices.webhook[2].secret_file: expected none: messages to Microsoft Teams are not signed
    notices.webhook[4].name: the same name as that of notices.webhook[3]
    notices.webhook[4].format: found "xml", expected "json" or "teams"
    "#);
}

#[test]
fn two_secrets_sign_while_one_is_rotated() {
    let stage = Stage::new();
    stage.write("secret", &format!("\n{}\r\n\n  {}\n", mk_secret(24), mk_secret(64)));
    let webhook = load_served(&stage.all("")).channels.webhooks.remove(0);
    let secrets: Vec<_> = webhook.secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect();
    assert_eq!(secrets, [mk_secret(24), mk_secret(64)]);
}

#[test]
fn a_teams_webhook_has_no_secret() {
    let stage = Stage::new();
    let text =
        format!("notices.notify = [\"webhook:tickets\"]\n{}", stage.channels("", "", "format = \"teams\""));
    let webhook = load_served(&text).channels.webhooks.remove(0);
    assert_eq!((webhook.format, webhook.secrets.len()), (WebhookFormat::Teams, 0));
}

#[test]
fn a_private_webhook_is_permitted_by_name() {
    let stage = Stage::new();
    let text = stage.all("").replace("secret_file = ", "allow_private = true\nsecret_file = ");
    for url in ["http://127.0.0.1:8080/hook", "http://localhost/", "https://10.1.2.3/hook", "https://[::1]/"]
    {
        stage.write("url", url);
        let webhook = load_served(&text).channels.webhooks.remove(0);
        assert!(webhook.allow_private);
        assert_eq!(webhook.url.expose_secret(), url);
    }
    stage.write("url", "http://10.1.2.3/hook");
    assert_eq!(problems_to_serve(&text).len(), 1);
}

#[test]
fn authorities_are_read_from_pem() {
    let stage = Stage::new();
    stage.write("ca.pem", AUTHORITY);
    let ca_file = format!("ca_file = {:?}\n", stage.at("ca.pem"));
    let text = stage.all("").replace("username = ", &format!("{ca_file}username = "));
    let text = text.replace("secret_file = ", &format!("{ca_file}secret_file = "));
    let config = load_served(&text);
    assert_eq!(config.channels.email.as_ref().unwrap().ca_pem, Some(AUTHORITY.as_bytes().to_vec()));
    assert_eq!(config.channels.webhooks[0].ca_pem, Some(AUTHORITY.as_bytes().to_vec()));
    stage.write("ca.pem", &format!("{AUTHORITY}{AUTHORITY}"));
    assert!(!config.does_the_same(&load_served(&text)));
    for (content, problem) in [
        ("sesame", "contains no certificate: expected -----BEGIN CERTIFICATE-----"),
        ("-----BEGIN CERTIFICATE-----\nsesame\n", "is not PEM"),
        (
            "-----BEGIN CERTIFICATE-----\nc2VzYW1l\n-----END CERTIFICATE-----\n",
            "contains a certificate that cannot be used",
        ),
    ] {
        stage.write("ca.pem", content);
        let found = problems_to_serve(&text);
        assert_eq!(found.len(), 2, "{content}: {found:?}");
        let expected = format!("notices.email.ca_file: DIR/ca.pem {problem}");
        assert!(stage.shown(&found).contains(&expected), "{content}: {found:?}");
    }
    let endless = text.replace(&stage.at("ca.pem"), "/dev/zero");
    assert!(problems_to_serve(&endless)[0].ends_with("read /dev/zero: not a regular file"));
    let large = "x".repeat((1 << 20) + 1);
    stage.write("ca.pem", &large);
    assert!(problems_to_serve(&text)[0].contains("larger than 1048576 bytes"));
}

#[test]
fn addresses_are_checked_against_the_channels() {
    let text = "
        notices.notify = [\"security@example.com\", \"#security\", \"webhook:tickets\", \"nobody\", \"Dana <d@example.com>\"]
        protect.notify = [\"U024BE7LH\", \"https://example.com\"]
        [[notices.route]]
        match = { owners = [\"*\"] }
        channels = [\"email\", \"webhook\"]
        notify = [\"#other\"]
    ";
    insta::assert_snapshot!(problems_to_serve(text).join("\n"), @r##"
    notices.notify[1]: found "security@example.com", but [notices.email] is not configured
    notices.notify[2]: found "#security", but [notices.slack] is not configured
    notices.notify[3]: found "webhook:tickets", but no [[notices.webhook]] has that name
    notices.notify[4]: found "nobody", expected an e-mail address such as "dana@example.com", a Slack channel such as "#security" or ID such as "C024BE7LH", or "webhook:NAME"
    notices.notify[5]: found "Dana <d@example.com>", expected an e-mail address such as "dana@example.com", a Slack channel such as "#security" or ID such as "C024BE7LH", or "webhook:NAME"
    protect.notify[1]: found "U024BE7LH", but [notices.slack] is not configured
    protect.notify[2]: found "https://example.com", expected an e-mail address such as "dana@example.com", a Slack channel such as "#security" or ID such as "C024BE7LH", or "webhook:NAME"
    notices.route[1].channels[1]: found "email", but [notices.email] is not configured
    notices.route[1].channels[2]: found "webhook", but [[notices.webhook]] is not configured
    notices.route[1].notify[1]: found "#other", but [notices.slack] is not configured
    "##);
    let stage = Stage::new();
    let twice = stage.all("").replace("[\"#security\"]", "[\"#security\", \"webhook:other\", \"#security\"]");
    insta::assert_snapshot!(problems_to_serve(&twice).join("\n"), @r##"
    notices.notify[2]: found "webhook:other", but no [[notices.webhook]] has that name
    notices.notify[3]: #security is listed twice
    "##);
}

#[test]
fn a_channel_with_a_mistake_is_not_called_missing() {
    let text = "notices.notify = [\"a@example.com\", \"webhook:x\"]\npolicy.mode = \"delete\"\nowners.default = \"a@example.com\"\n\
                notices.email.host = 1\nnotices.webhook = \"x\"\n";
    insta::assert_snapshot!(problems_to_serve(text).join("\n"), @r#"
    notices.email.host: found 1, expected a text in quotes
    notices.webhook: found "x", expected a list
    "#);
}

#[test]
fn a_route_is_read_with_what_it_matches() {
    let stage = Stage::new();
    let route = "
        [[notices.route]]
        match = { accounts = [\"111122223333\"], account_names = [\"Prod-*\"], owners = [\"Pay*\"], kinds = [\"deactivation_ahead\", \"outcome\"], ous = [\"ou-ab12-12345678\", \"r-ab12\"], account_tags = { env = \"prod*\" } }
        time_zone = \"America/New_York\"
        channels = [\"webhook\", \"slack\"]
        notify = [\"webhook:tickets\", \"a@example.com\"]
        group_wait = \"24h\"
        quiet_hours = \"22:00-07:00\"
        [[notices.route]]
        quiet_hours = \"\"
    ";
    let text = format!(
        "{}{route}",
        stage.all("notices.time_zone = \"Europe/Berlin\"\npolicy.time_zone = \"Asia/Tokyo\"")
    );
    let config = load_served(&text);
    assert_eq!(warnings(&config), Vec::<String>::new());
    let notices = &config.policy.notices;
    assert_eq!(notices.time_zone.iana_name(), Some("Europe/Berlin"));
    let [route, rest] = notices.routes.as_slice() else { panic!("two routes") };
    assert_eq!(route.channels, [ChannelKind::Webhook, ChannelKind::Slack]);
    assert_eq!(
        route.notify.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["webhook:tickets", "a@example.com"]
    );
    assert_eq!(route.group_wait, DAY);
    assert_eq!(route.quiet_hours.unwrap().to_string(), "22:00-07:00");
    assert_eq!(route.matches.accounts.len(), 1);
    assert!(route.matches.account_names[0].matches("prod-eu"), "without regard to case");
    assert!(route.matches.owners[0].matches("payments"));
    assert!(route.matches.kinds.contains(&NoticeKind::Outcome));
    assert_eq!(
        route.matches.ous.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["ou-ab12-12345678", "r-ab12"]
    );
    assert_eq!(route.matches.account_tags, [("env".to_owned(), "prod*".to_owned())].into());
    assert_eq!(route.time_zone.as_ref().and_then(|zone| zone.iana_name()), Some("America/New_York"));
    assert!(config.policy.reads_ous() && config.policy.reads_account_tags());
    assert!(!config.policy.change_reads_ous() && !config.policy.change_reads_account_tags());
    assert_eq!(*rest, keysweep_core::notice::Route::default());
}

#[test]
fn every_mistake_in_a_route_is_told_at_once() {
    let stage = Stage::new();
    let route = "
        [[notices.route]]
        match = { accounts = [\"42\"], account_names = [\"\"], owners = [\" a\"], kinds = [\"reminder\", \"reminder\"], ous = [\"prod\"], account_tags = { env = \"^prod$\" } }
        time_zone = \"Mars/Olympus\"
        channels = [\"slack\", \"slack\"]
        group_wait = \"25h\"
        quiet_hours = \"22-7\"
        [[notices.route]]
        match = { kinds = [\"deactivation\"], users = [\"x\"] }
        channels = [\"pager\"]
    ";
    let found = problems_to_serve(&format!("{}{route}", stage.all("")));
    insta::assert_snapshot!(found.join("\n"), @r#"
    notices.route[1].match.kinds[2]: reminder is listed twice
    notices.route[1].match.account_tags.env: found "^prod$", expected a glob such as "*" or "prod-*", not a regular expression
    notices.route[1].match.ous[1]: found "prod", expected the ID of an OU or root, ou-... or r-...
    notices.route[1].match.accounts[1]: found "42", expected an account ID of 12 digits
    notices.route[1].match.account_names[1]: found "", expected the name of an account, or a glob such as "prod-*", without blanks around it
    notices.route[1].match.owners[1]: found " a", expected a name, or a glob such as "payments*", without blanks around it
    notices.route[1].time_zone: found "Mars/Olympus", expected a name of the IANA time zone database, such as "Europe/Berlin"
    notices.route[1].channels[2]: slack is listed twice
    notices.route[1].group_wait: found "1d1h", expected at most 24h
    notices.route[1].quiet_hours: found "22-7", expected two different times such as "22:00-07:00"
    notices.route[2].match.kinds[1]: found "deactivation", expected "deactivation_ahead", "deletion_ahead", "reminder", "deactivated", "deleted", "approval_request", "outcome", "hold_ending", "exemption_ending", "reactivated", "owner_missing" or "undeliverable"
    notices.route[2].match.users: no such key
    notices.route[2].channels[1]: found "pager", expected "slack", "email" or "webhook"
    "#);
}

#[test]
fn a_route_by_ou_needs_the_organization() {
    let stage = Stage::new();
    let text = stage.all("organization.accounts = [\"111122223333\"]");
    let found = problems_to_serve(&format!("{text}[[notices.route]]\nmatch.ous = [\"ou-ab12-12345678\"]\n"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("notices.route[1].match.ous: cannot be told where organization.accounts"));
    let tagged =
        problems_to_serve(&format!("{text}[[notices.route]]\nmatch.account_tags = {{ env = \"prod\" }}\n"));
    assert_eq!(tagged, [""; 0]);
}

#[test]
fn a_contact_has_a_time_zone() {
    let stage = Stage::new();
    let contact = |zone: &str| {
        let text = stage.all("owners.sources = [\"user_tags\"]");
        format!("{text}[[owners.contact]]\nmatch = \"pay\"\nemail = \"pay@example.com\"\n{zone}\n")
    };
    let owners = |zone: &str| load_served(&contact(zone)).policy.owners;
    assert_eq!(owners(""), owners(""));
    assert_ne!(owners("time_zone = \"Asia/Tokyo\""), owners(""));
    let found = problems_to_serve(&contact("time_zone = \"Mars/Olympus\""));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0]
            .starts_with("owners.contact[1].time_zone: found \"Mars/Olympus\", expected a name of the IANA")
    );
}

#[test]
fn routes_without_effect_are_named() {
    let stage = Stage::new();
    let text = stage.all("organization.exclude_accounts = [\"111122223333\"]");
    let routes = "[[notices.route]]\nmatch.accounts = [\"111122223333\"]\n[[notices.route]]\nquiet_hours = \"22:00-07:00\"\n\
                  [[notices.route]]\nmatch.owners = [\"x\"]\n";
    insta::assert_snapshot!(warned(&format!("{text}{routes}")).join("\n"), @r"
    notices.route[1].match.accounts[1]: 111122223333 is in organization.exclude_accounts: nothing is done there anyway
    notices.route[3]: has no effect: notices.route[2] matches every notice
    ");
}

#[test]
fn without_a_security_team_nobody_receives_requests() {
    let stage = Stage::new();
    let text = stage.all("").replace("notices.notify = [\"#security\"]\n", "");
    let expected = "notices.notify: is empty: nobody receives approval requests, their outcomes, and messages about \
                    reactivated keys or keys without an owner";
    assert_eq!(warned(&text), [expected]);
    // Unless the routes name somebody for every notice.
    assert_eq!(warned(&format!("{text}[[notices.route]]\nnotify = [\"#a\"]\n")), Vec::<String>::new());
    let some = format!("{text}[[notices.route]]\nmatch.kinds = [\"outcome\"]\nnotify = [\"#a\"]\n");
    assert_eq!(warned(&some), [expected]);
    let hole = format!(
        "{text}[[notices.route]]\nmatch.kinds = [\"outcome\"]\n[[notices.route]]\nnotify = [\"#a\"]\n"
    );
    assert_eq!(warned(&hole), [expected]);
}

#[test]
fn reminders_are_few_and_the_longest_comes_first() {
    let read =
        |list: &str| load_served(&format!("notices.remind_before = {list}\n")).policy.notices.remind_before;
    assert_eq!(read("[\"1h\", \"3d\", \"1d\"]"), [3 * DAY, DAY, HOUR]);
    assert_eq!(read("[]"), Vec::<Duration>::new());
    let text = "notices.remind_before = [\"59m\", \"1d\", \"24h\", \"2d\", \"3d\", \"4d\"]\n";
    insta::assert_snapshot!(problems_to_serve(text).join("\n"), @"notices.remind_before: found 6 entries, expected at most 5");
    let text = "notices.remind_before = [\"59m\", \"1d\", \"24h\"]\n";
    insta::assert_snapshot!(problems_to_serve(text).join("\n"), @r#"
    notices.remind_before[1]: found "59m", expected at least 1h
    notices.remind_before[3]: 1d is listed twice
    "#);
    assert_eq!(
        problems_to_serve("dev.allow_short_periods = true\nnotices.remind_before = [\"59m\"]\n").len(),
        0
    );
    assert_eq!(
        problems_to_serve("dev.allow_short_periods = true\nnotices.remind_before = [\"0s\"]\n").len(),
        1
    );
}

#[test]
fn a_reminder_before_the_notice_is_a_warning() {
    let stage = Stage::new();
    let rule = "[[policy.override]]\nmatch.users = [\"x\"]\nnotice = \"2d\"\n";
    let text = stage.all("notices.remind_before = [\"7d\", \"2d\", \"1d\"]");
    assert_eq!(
        warned(&text),
        [
            "notices.remind_before[1]: 7d is not less than policy.notice, which is 7d: keysweep does not send this \
             reminder before a deactivation"
        ]
    );
    let shorter = warned(&format!("{text}{rule}"));
    assert_eq!(shorter.len(), 2, "{shorter:?}");
    assert!(
        shorter[1].starts_with("notices.remind_before[2]: 2d is not less than policy.override[1].notice")
    );
    // Nobody asked for the reminders of the defaults, and without a channel there are none.
    assert_eq!(warned(&format!("{}{rule}", stage.all(""))), Vec::<String>::new());
    assert_eq!(warned("notices.remind_before = [\"9d\"]\n"), Vec::<String>::new());
}

#[test]
fn a_message_is_given_up_within_a_week() {
    let give_up = |text: &str| format!("notices.give_up = \"{text}\"\n");
    for bad in ["59m", "8d", "0s"] {
        let found = problems_to_serve(&give_up(bad));
        assert_eq!(found, [format!("notices.give_up: found \"{bad}\", expected 1h to 7d")]);
    }
    for (good, expected) in [("1h", HOUR), ("7d", 7 * DAY)] {
        assert_eq!(load_served(&give_up(good)).policy.notices.give_up, expected);
    }
    assert_eq!(load_served("").policy.notices.give_up, DAY);
    assert_eq!(problems_to_serve(&format!("dev.allow_short_periods = true\n{}", give_up("5s"))).len(), 0);
}

#[test]
fn links_need_a_secret_and_the_address_of_the_page() {
    let stage = Stage::new();
    stage.write("links", &"s".repeat(32));
    let with = |rest: &str| format!("notices.link_secret_file = {:?}\n{rest}\n", stage.at("links"));
    let links = |rest: &str| load_served(&with(rest)).channels.links;
    assert_eq!(links("").unwrap().base, "http://127.0.0.1:9853");
    let public = "http.public_url = \"https://keysweep.example.com\"";
    assert_eq!(links(public).unwrap().base, "https://keysweep.example.com");
    assert_eq!(links(public).unwrap().secret.expose_secret(), "s".repeat(32));
    let found = problems_to_serve(&with("http.listen = \"10.1.2.3:9853\""));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("notices.link_secret_file: requires http.public_url"), "{found:?}");
    let before = load_served(&with(""));
    assert!(!format!("{before:?}").contains(&"s".repeat(32)));
    stage.write("links", &"t".repeat(32));
    assert!(!before.does_the_same(&load_served(&with(""))));
    stage.write("links", &"s".repeat(31));
    assert_eq!(
        stage.shown(&problems_to_serve(&with(""))),
        "notices.link_secret_file: DIR/links is too short: expected at least 32 characters"
    );
    assert!(load_served("").channels.links.is_none());
}

#[test]
fn a_hold_by_an_owner_is_short() {
    for bad in ["23h", "91d"] {
        let found = problems_to_serve(&format!("notices.owner_hold_max = \"{bad}\"\n"));
        assert_eq!(found, [format!("notices.owner_hold_max: found \"{bad}\", expected 1d to 90d")]);
    }
    let held = |text: &str| load_served(text).policy.notices.owner_hold_max;
    assert_eq!((held(""), held("notices.owner_hold_max = \"90d\"")), (30 * DAY, 90 * DAY));
}

#[test]
fn the_time_zone_is_that_of_the_policy_unless_set() {
    let zone = |text: &str| load_served(text).policy.notices.time_zone.iana_name().map(str::to_owned);
    assert_eq!(zone("policy.time_zone = \"Asia/Tokyo\"").as_deref(), Some("Asia/Tokyo"));
    let both = "policy.time_zone = \"Asia/Tokyo\"\nnotices.time_zone = \"Europe/Berlin\"";
    assert_eq!(zone(both).as_deref(), Some("Europe/Berlin"));
    let found = problems_to_serve("notices.time_zone = \"Mars/Olympus\"");
    assert!(found[0].starts_with("notices.time_zone: found \"Mars/Olympus\", expected a name of the IANA"));
}

#[test]
fn a_mode_that_changes_keys_requires_a_channel_and_owners() {
    let stage = Stage::new();
    let changing = "policy.mode = \"deactivate\"";
    let with = |rest: &str| problems_to_serve(&stage.all(&format!("{changing}\n{rest}")));
    let none = "policy.mode: found \"deactivate\", but no key has an owner to notify: set owners.sources or owners.default, \
                or set notices.required = false to change keys without a delivered notice";
    assert_eq!(with(""), [none]);
    assert!(with("owners.sources = [\"user_tags\"]").is_empty());
    assert!(with("owners.default = \"a@example.com\"").is_empty());
    assert!(with("notices.required = false").is_empty());
    // Something that is wrong in itself is not blamed twice.
    assert_eq!(with("owners.sources = [\"tags\"]").len(), 1);
    let alone = problems_to_serve(changing);
    assert!(
        alone[0].contains("no notice channel is configured: configure [notices.email], [notices.slack], or"),
        "{alone:?}"
    );
    assert!(problems_to_serve(&format!("{changing}\nnotices.required = false")).is_empty());
    // Observing needs neither.
    assert!(problems_to_serve(&stage.all("")).is_empty());
}

#[test]
fn a_contact_names_a_webhook() {
    let stage = Stage::new();
    let contact = |name: &str| {
        let text = stage.all("owners.sources = [\"user_tags\"]");
        format!("{text}[[owners.contact]]\nmatch = \"pay\"\nwebhook = {name:?}\n")
    };
    let owners = load_served(&contact("tickets")).policy.owners;
    assert_eq!(owners.contacts[0].contact().webhook.as_deref(), Some("tickets"));
    assert_eq!(
        problems_to_serve(&contact("ticket")),
        ["owners.contact[1].webhook: found \"ticket\", but no [[notices.webhook]] has that name"]
    );
}

#[test]
fn people_who_cannot_be_notified_are_warnings() {
    let stage = Stage::new();
    let people = mk_file(
        "name,email,slack,active\nDana,d@example.com,,true\nKim,k@example.com,U024BE7LH,true\nLee,,U024BE7LJ,true\nBo,b@example.com,,false\n",
    );
    let slack_alone = format!(
        "notices.notify = [\"#s\"]\nnotices.slack.token_file = {:?}\nowners.sources = [\"account_email\"]\n",
        stage.at("token")
    );
    assert_eq!(
        warned(&slack_alone),
        ["owners.sources[1]: has no effect on notices: [notices.email] is not configured"]
    );
    let contacts = "[[owners.contact]]\nmatch = \"a\"\nemail = \"a@example.com\"\n[[owners.contact]]\nmatch = \"b\"\n\
                    email = \"b@example.com\"\nslack = \"#b\"\n";
    assert_eq!(
        warned(&format!("{slack_alone}{contacts}")),
        ["owners.contact[1]: cannot be notified: [notices.email] is not configured"]
    );
    let directory = format!("{slack_alone}owners.directory_file = {:?}\n", people.path());
    let at = people.path().display();
    assert_eq!(
        warned(&directory),
        [format!(
            "owners.directory_file: {at}: 1 person has no contact details for a channel that is configured in [notices]"
        )]
    );
    let webhook_alone = format!(
        "notices.notify = [\"webhook:t\"]\nowners.default = \"Dana\"\nowners.directory_file = {:?}\n\
         [[notices.webhook]]\nname = \"t\"\nformat = \"teams\"\nurl_file = {:?}\n",
        people.path(),
        stage.at("url")
    );
    assert_eq!(
        warned(&webhook_alone),
        [format!(
            "owners.directory_file: {at}: 3 people have no contact details for a channel that is configured in [notices]"
        )]
    );
    // While nothing can be sent, owners are only shown.
    let shown = format!("owners.default = \"Dana\"\nowners.directory_file = {:?}\n{contacts}", people.path());
    assert_eq!(warned(&shown), Vec::<String>::new());
}

#[test]
fn templates_are_read_from_a_directory_and_tried_before_they_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let toml = format!("notices.template_dir = {:?}\n", folder.path());
    std::fs::write(folder.path().join(".data"), "of kubernetes").unwrap();
    std::fs::write(folder.path().join("subject.txt"), "Keys: {{ headline }}").unwrap();
    let config = load_served(&toml);
    assert_eq!(config.channels.templates.keys().collect::<Vec<_>>(), ["subject.txt"]);

    std::fs::write(folder.path().join("mail.txt"), "fine\n{{ headlin }}").unwrap();
    let found = problems_to_serve(&toml);
    assert!(found.len() == 1 && found[0].contains("mail.txt, line 2"), "{found:?}");
    std::fs::remove_file(folder.path().join("mail.txt")).unwrap();
    std::fs::write(folder.path().join("letter.txt"), "x").unwrap();
    let found = problems_to_serve(&toml);
    assert!(found.len() == 1 && found[0].contains("unknown template \"letter.txt\""), "{found:?}");
    let missing = problems_to_serve("notices.template_dir = \"/nonexistent/templates\"\n");
    assert!(missing.len() == 1 && missing[0].contains("could not be read"), "{missing:?}");
}
