//! keysweep finds the credentials of the hub by what EKS puts into the pod beside the environment of the chart.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use keysweep_tests::conformance::keysweep_binary;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::charts::chart;

const TOKEN: &str = "token-of-the-pod";
const ROLE: &str = "arn:aws:iam::111122223333:role/keysweep-hub";
/// What the agent of EKS Pod Identity answers.
const OF_THE_AGENT: &str = r#"{"AccessKeyId":"ASIAOFTHEAGENT000001","SecretAccessKey":"none","Token":"none","Expiration":"2099-01-01T00:00:00Z"}"#;
/// What STS answers to a web identity token.
const OF_STS: &str = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
    <AccessKeyId>ASIAOFSTS00000000001</AccessKeyId><SecretAccessKey>none</SecretAccessKey>\
    <SessionToken>none</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
    </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";

/// What the metadata of the node has.
const OF_THE_NODE: &str = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAOFTHENODE0000001","SecretAccessKey":"none","Token":"none","LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2099-01-01T00:00:00Z"}"#;

/// Answers one request: as the agent or STS would to who has the token, as the node would to everybody, and otherwise
/// with nothing of use.
async fn answer(mut stream: TcpStream) -> Option<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let text = loop {
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
            break text;
        }
    };
    let asks = |path: &str| text.lines().next().is_some_and(|line| line.contains(path));
    let tells = |what: &str| text.contains(&format!("{what}{TOKEN}"));
    let body = if asks("/v1/credentials ") && tells("authorization: ") {
        OF_THE_AGENT
    } else if text.contains("action=assumerolewithwebidentity") && tells("webidentitytoken=") {
        OF_STS
    } else if asks("/latest/api/token ") {
        "token-of-the-node"
    } else if asks("/iam/security-credentials/keysweep-node ") {
        OF_THE_NODE
    } else if asks("/iam/security-credentials/ ") {
        "keysweep-node"
    } else {
        ""
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.ok()
}

/// What `keysweep doctor` says of the credentials in a pod of a chart, with what EKS puts there: variables in which
/// `{address}` and `{token}` are filled in.
async fn diagnosed(name: &str, injected: &[(&str, &str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut aws = JoinSet::new();
    aws.spawn(async move {
        let mut answers = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            answers.spawn(answer(stream));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("token"), TOKEN).unwrap();
    let data_dir = path("data");
    fs::write(
        path("keysweep.toml"),
        format!("data_dir = {data_dir:?}\n[aws]\nallow_endpoint_override = true\n"),
    )
    .unwrap();

    let variables = chart(name).container()["env"].as_array().unwrap();
    let of_the_chart =
        variables.iter().filter(|variable| !variable["name"].as_str().unwrap().ends_with("_FILE"));
    let token = path("token").to_str().unwrap().to_owned();
    let fill_in = |value: &str| value.replace("{address}", &address).replace("{token}", &token);
    let output = Command::new(keysweep_binary().await.unwrap())
        .arg("--config")
        .arg(path("keysweep.toml"))
        .arg("doctor")
        .env_clear()
        .env("HOME", Path::new("/nonexistent"))
        .env("AWS_ENDPOINT_URL", &address)
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &address)
        .envs(of_the_chart.map(|variable| {
            (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap_or_default())
        }))
        .envs(injected.iter().map(|(name, value)| (*name, fill_in(value))))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| line.starts_with("credentials "));
    line.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr))).to_owned()
}

#[tokio::test]
async fn the_agent_of_pod_identity_is_asked_with_the_token() {
    let injected = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "{address}/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "{token}"),
    ];
    let line = diagnosed("default", &injected).await;
    assert!(line.contains("ASIAOFTHEAGENT000001 from the container's credentials endpoint"), "{line}");
}

#[tokio::test]
async fn the_role_of_irsa_is_assumed_with_the_token() {
    let injected = [("AWS_ROLE_ARN", ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", "{token}")];
    let line = diagnosed("irsa", &injected).await;
    assert!(line.contains("ASIAOFSTS00000000001 from a web identity token"), "{line}");
}

#[tokio::test]
async fn the_role_of_the_node_is_taken_where_it_was_chosen_and_nowhere_else() {
    let line = diagnosed("everything", &[]).await;
    assert!(line.contains("ASIAOFTHENODE0000001 from the metadata of this instance"), "{line}");
    for name in ["default", "irsa"] {
        let line = diagnosed(name, &[]).await;
        assert!(line.contains("none found"), "{name}: {line}");
    }
}
