use std::path::Path;
use std::process::Command;

use keysweep_aws::{Aws, Cause, ConnectError, FaultKind};

use crate::support::mk_world;

/// Runs one of the ignored tests below in a process of its own: the environment of this one is shared by all tests
/// and cannot be changed safely.
fn run(test: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("environment::{test}"), "--ignored", "--nocapture"]);
    // Whatever the machine has set is none of the test's business.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{environment:?}: {text}");
}

#[test]
fn a_variable_that_redirects_calls_is_refused_by_name() {
    for variable in
        ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_ORGANIZATIONS"]
    {
        run(
            "in_a_process_of_its_own_connect_refuses",
            &[(variable, "http://127.0.0.1:9"), ("EXPECT", variable)],
        );
    }
}

#[test]
fn a_profile_that_redirects_calls_is_refused() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let plain = directory.join("aws-config-plain");
    std::fs::write(&plain, "[default]\nendpoint_url = http://127.0.0.1:9\n").unwrap();
    let service = directory.join("aws-config-service");
    let text = "[default]\nservices = x\n[services x]\niam =\n  endpoint_url = http://127.0.0.1:9\n";
    std::fs::write(&service, text).unwrap();
    for (file, expected) in [(plain, "endpoint_url of the AWS profile"), (service, "endpoint_url of IAM")] {
        let file = file.to_str().unwrap();
        run("in_a_process_of_its_own_connect_refuses", &[("AWS_CONFIG_FILE", file), ("EXPECT", expected)]);
    }
}

#[test]
fn a_redirection_is_taken_where_it_is_allowed() {
    run("in_a_process_of_its_own_connect_is_allowed", &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")]);
}

#[test]
fn the_number_of_attempts_is_not_taken_from_the_environment() {
    let environment = [("AWS_MAX_ATTEMPTS", "9"), ("AWS_RETRY_MODE", "adaptive")];
    run("in_a_process_of_its_own_attempts_are_pinned", &environment);
}

#[test]
fn a_file_of_credentials_that_cannot_be_read_is_named_with_its_variable() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::100000000000:role/hub");
    let container = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/x");
    for variable in [
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    ] {
        for (path, why) in [("/nonexistent/token", "No such file"), (folder, "it is a directory")] {
            let others = NOWHERE.iter().filter(|(name, _)| *name != variable).copied();
            let kind = match variable {
                "AWS_WEB_IDENTITY_TOKEN_FILE" => Some(role),
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" => Some(container),
                _ => None,
            };
            let expect = format!("could not read the file of {variable}={path}: {why}");
            let ours = [(variable, path), ("EXPECT", expect.as_str())];
            let environment: Vec<_> = others.chain(kind).chain(ours).collect();
            run("in_a_process_of_its_own_the_file_is_named", &environment);
        }
    }
}

#[test]
fn a_bundle_of_certificates_that_cannot_be_used_is_refused() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let not_pem = folder.join("bundle-without-certificate.pem");
    std::fs::write(&not_pem, "hello").unwrap();
    let broken = folder.join("bundle-with-a-broken-certificate.pem");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n").unwrap();
    for (path, why) in [
        ("/nonexistent/bundle.pem", "No such file"),
        (not_pem.to_str().unwrap(), "it has no certificate"),
        (broken.to_str().unwrap(), "cannot be used"),
    ] {
        run("in_a_process_of_its_own_the_bundle_is_refused", &[("AWS_CA_BUNDLE", path), ("EXPECT", why)]);
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "run by another test, with an environment of its own"]
async fn in_a_process_of_its_own_the_file_is_named() {
    let expected = std::env::var("EXPECT").unwrap();
    let world = mk_world();
    let mut settings = world.settings();
    settings.credentials = None;
    let aws = Aws::connect(settings).await.unwrap();
    for fault in [aws.caller().await.unwrap_err(), aws.credentials().await.unwrap_err()] {
        assert!(fault.cause().to_string().contains(&expected), "{fault:?}");
        assert!(matches!(fault.cause(), Cause::NotSent(_)), "{fault:?}");
    }
}

#[tokio::test]
#[ignore = "run by another test, with an environment of its own"]
async fn in_a_process_of_its_own_the_bundle_is_refused() {
    let expected = std::env::var("EXPECT").unwrap();
    let mut settings = mk_world().settings();
    settings.http = None;
    let Err(error) = Aws::connect(settings).await else { panic!("not refused") };
    let bundle = std::env::var("AWS_CA_BUNDLE").unwrap();
    assert!(matches!(&error, ConnectError::CaBundle { path, .. } if *path == bundle), "{error}");
    assert!(error.to_string().contains(&expected), "{error}");
}

/// No credentials anywhere: neither files nor the metadata service of a machine.
const NOWHERE: [(&str, &str); 3] = [
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

#[test]
fn without_credentials_nothing_is_sent_and_the_fault_is_denied() {
    run("in_a_process_of_its_own_there_are_no_credentials", &NOWHERE);
}

#[test]
fn credentials_of_the_environment_are_found() {
    let (id, secret, _) = mk_world().sim.hub_credentials();
    let found = [("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", secret.as_str())];
    run("in_a_process_of_its_own_there_are_credentials", &[&NOWHERE[..], &found[..]].concat());
}

#[test]
fn a_web_identity_is_exchanged_over_the_same_http_client() {
    let token = Path::new(env!("CARGO_TARGET_TMPDIR")).join("web-identity-token");
    std::fs::write(&token, "a-token").unwrap();
    let identity = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::100000000000:role/hub"),
    ];
    run("in_a_process_of_its_own_a_web_identity_is_exchanged", &[&NOWHERE[..], &identity[..]].concat());
}

#[tokio::test(start_paused = true)]
#[ignore = "run by another test, with an environment of its own"]
async fn in_a_process_of_its_own_there_are_no_credentials() {
    let world = mk_world();
    let mut settings = world.settings();
    settings.credentials = None;
    let fault = Aws::connect(settings).await.unwrap().caller().await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Denied, "{fault:?}");
    assert!(matches!(fault.cause(), Cause::NotSent(_)), "{fault:?}");
    assert_eq!(world.sim.total_calls(), 0);
}

#[tokio::test(start_paused = true)]
#[ignore = "run by another test, with an environment of its own"]
async fn in_a_process_of_its_own_there_are_credentials() {
    let mut settings = mk_world().settings();
    settings.credentials = None;
    let aws = Aws::connect(settings).await.unwrap();
    assert_eq!(aws.caller().await.unwrap().account.to_string(), "100000000000");
}

#[tokio::test(start_paused = true)]
#[ignore = "run by another test, with an environment of its own"]
async fn in_a_process_of_its_own_a_web_identity_is_exchanged() {
    let world = mk_world();
    let mut settings = world.settings();
    settings.credentials = None;
    // The simulator knows no web identities: that it was asked is what counts.
    assert!(Aws::connect(settings).await.unwrap().caller().await.is_err());
    assert!(world.sim.total_calls() > 0);
}

#[tokio::test(start_paused = true)]
#[ignore = "run by another test, with an environment of its own"]
async fn in_a_process_of_its_own_connect_refuses() {
    let expected = std::env::var("EXPECT").unwrap();
    let Err(error) = Aws::connect(mk_world().settings()).await else { panic!("not refused") };
    assert!(matches!(&error, ConnectError::EndpointOverride(what) if what.starts_with(&expected)), "{error}");
}

#[tokio::test(start_paused = true)]
#[ignore = "run by another test, with an environment of its own"]
async fn in_a_process_of_its_own_connect_is_allowed() {
    let mut settings = mk_world().settings();
    settings.allow_endpoint_override = true;
    assert!(Aws::connect(settings).await.is_ok());
    // An endpoint of the settings leaves the environment nothing to override.
    let mut settings = mk_world().settings();
    settings.endpoint = Some("http://127.0.0.1:9".to_owned());
    assert!(Aws::connect(settings).await.is_ok());
}

#[tokio::test(start_paused = true)]
#[ignore = "run by another test, with an environment of its own"]
async fn in_a_process_of_its_own_attempts_are_pinned() {
    let world = mk_world();
    world.sim.fault(keysweep_sim::Rule::new(keysweep_sim::Fault::Throttle).action("iam:*"));
    assert!(world.reader().await.list_users(world.clock.now()).await.is_err());
    assert_eq!(world.sim.call_count(crate::support::PROD, "iam:ListUsers"), 3);
}
