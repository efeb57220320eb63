//! What is said while the hub's credentials are fetched in roundabout ways, and that goes wrong.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use keysweep_tests::conformance::keysweep_binary;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::canary::heard::Heard;
use crate::canary::program::Ran;
use crate::canary::search::EXTERNAL_ID;

const LIMIT: Duration = Duration::from_secs(90);
const ROLE: &str = "arn:aws:iam::100000000000:role/keysweep-hub";
/// Credentials as STS gives them, cut off before their end.
const CUT: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAOFTHECHAIN000001</AccessKeyId>\
    <SecretAccessKey>simulated/secret/chain</SecretAccessKey>\
    <SessionToken>KeysweepSimSessionToken-chain</SessionToken><Expiration>20";

/// What STS answers.
#[derive(Clone, Copy)]
enum Sts {
    /// Half of the credentials.
    Cut,
    /// A refusal that repeats the request, headers and all.
    Echo,
}

/// Answers every call until it is dropped.
async fn serve(sts: Sts) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut calls = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            calls.spawn(answer(stream, sts));
        }
    });
    (address, tasks)
}

async fn answer(mut stream: TcpStream, sts: Sts) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    let asked = loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
            break text;
        }
    };
    let (status, body) = match sts {
        Sts::Cut => ("200 OK", CUT.to_owned()),
        Sts::Echo => (
            "403 Forbidden",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>The request \
                 was: {}</Message></Error><RequestId>1</RequestId></ErrorResponse>",
                asked.replace('&', "&amp;").replace('<', "&lt;")
            ),
        ),
    };
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}

/// Runs a command that says all it can, with these variables.
async fn ran(folder: &TempDir, endpoint: &str, variables: &[(&str, String)], arguments: &[&str]) -> Ran {
    let mut command = Command::new(keysweep_binary().await.unwrap());
    command
        .arg("--config")
        .arg(folder.path().join("keysweep.toml"))
        .args(arguments)
        .env_clear()
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .env("HOME", folder.path())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(LIMIT, command.output()).await.expect("it ends in time").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { command: arguments.join(" "), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_fetched_in_roundabout_ways_are_told_nowhere() {
    let folder = TempDir::with_prefix("keysweep-chain-").unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::write(at("external-id"), EXTERNAL_ID).unwrap();
    fs::write(at("token"), "simulated/secret/web-identity").unwrap();
    let profile = format!(
        "[default]\nrole_arn = {ROLE}\nsource_profile = base\nexternal_id = {EXTERNAL_ID}\nregion = us-east-1\n\
         [profile base]\naws_access_key_id = ASIAOFTHEBASE0000001\naws_secret_access_key = simulated/secret/base\n\
         aws_session_token = KeysweepSimSessionToken-base\n"
    );
    fs::write(at("config"), profile).unwrap();
    let text = format!(
        "data_dir = {:?}\nlog.level = \"trace\"\nhttp.listen = \"127.0.0.1:0\"\nrole.external_id_file = {:?}\n\
         [aws]\nregion = \"us-east-1\"\nallow_endpoint_override = true\noperation_timeout = \"3s\"\n\
         attempt_timeout = \"2s\"\n",
        at("data"),
        at("external-id"),
    );
    fs::write(at("keysweep.toml"), text).unwrap();

    let web_identity = vec![("AWS_WEB_IDENTITY_TOKEN_FILE", at("token")), ("AWS_ROLE_ARN", ROLE.to_owned())];
    let of_profile = vec![("AWS_CONFIG_FILE", at("config"))];
    let mut heard = Heard::default();
    for sts in [Sts::Cut, Sts::Echo] {
        let (endpoint, _server) = serve(sts).await;
        for variables in [&web_identity, &of_profile] {
            for command in [&["scan", "-vv"][..], &["doctor", "-vv"]] {
                heard.ran(ran(&folder, &endpoint, variables, command).await);
            }
        }
    }
    heard.holds(&["credentials"]);
    heard.assert_no_secret();
}
