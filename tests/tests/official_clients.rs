//! The AWS CLI and boto3 against our simulator: clients that we did not write judge the wire that our other tests
//! stand on.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_sim::{AnalyzerFinding, HandClock, KeySpec, RoleSpec, Sim, UserRef};
use keysweep_tests::conformance::{ensure_venv, python, scripts, target_dir, tool};
use serde_json::{Value, json};
use tokio::process::Command;

/// The AWS CLI needs a second to start, and more on a busy machine.
const CLIENT: Duration = Duration::from_secs(120);
const NOW: Timestamp = Timestamp::constant(1_775_000_000, 0);
const MEMBER: &str = "111122223333";
const OTHER: &str = "444455556666";
const SUSPENDED: &str = "777788889999";
const ACCOUNT: &str = "prod";
const COMMA_USER: &str = "smith,anna+x=y@example.com";

/// An organization with something in it that is hard to write down or to take apart.
struct Stage {
    sim: Sim,
    user: UserRef,
    /// Used by nobody but the test, with EC2.
    idle_key: String,
    foreign_key: String,
}

fn mk_stage() -> Stage {
    let days = |days: i64| NOW - SignedDuration::from_hours(24 * days);
    let sim = Sim::new(HandClock::at(NOW).clock());
    sim.configure(|settings| {
        settings.organizations_page = 2;
        settings.empty_pages = true;
        settings.report_polls = 2;
        // The clock stands still: events show at once, and any number of lookups is within its second.
        settings.trail_lag = SignedDuration::ZERO;
        settings.lookups_per_second = None;
    });
    let role = || RoleSpec::new("keysweep/KeysweepScan").external_id("x1");
    sim.account(MEMBER)
        .name(ACCOUNT)
        .ou("Workloads/Prod")
        .tag("team", "payments & <co>")
        .role_with(role())
        .add();
    sim.account(OTHER).name("dev").ou("Workloads/Dev").role_with(role()).add();
    sim.account(SUSPENDED).name("gone").state("SUSPENDED").add();
    let user = sim
        .user(MEMBER, "ci-deploy")
        .path("/ci/")
        .created(days(500))
        .tag("note", "a <b> & \"c\"")
        .password(None)
        .attached("arn:aws:iam::aws:policy/ReadOnlyAccess")
        .key(KeySpec::new().created(days(400)).used(days(200), "s3", "N/A"))
        .key(KeySpec::new().created(days(300)).inactive())
        .add();
    sim.user(MEMBER, COMMA_USER).created(days(100)).add();
    let idle = sim.user(MEMBER, "idle").created(days(100)).key(KeySpec::new()).add();
    let foreign = sim.user(OTHER, "elsewhere").key(KeySpec::new()).add();
    let idle_key = idle.keys.concat();
    (0..3).for_each(|_| sim.use_key(&idle_key, "ec2", "eu-west-1"));
    Stage { sim, user, idle_key, foreign_key: foreign.keys.concat() }
}

impl Stage {
    /// What the clients must see, from the simulator's getters and not from its wire.
    fn truth(&self, endpoint: &str) -> Value {
        let keys = self.sim.keys_of(&self.user.account, &self.user.name);
        let keys = keys.iter().map(|key| {
            json!({ "id": key.key_id, "status": key.status, "created": key.created,
                "used": key.last_use.as_ref().map(|used| used.at) })
        });
        let (id, secret, _) = self.sim.hub_credentials();
        json!({
            "endpoint": endpoint,
            "management": "100000000000",
            "hub": { "access_key_id": id, "secret_access_key": secret },
            "accounts": self.sim.account_ids(),
            "member": MEMBER,
            "suspended": SUSPENDED,
            "ou": self.sim.ou_id("Workloads/Prod"),
            "user": { "name": self.user.name, "user_id": self.user.user_id, "keys": keys.collect::<Vec<_>>() },
            "users": ["ci-deploy", COMMA_USER, "idle"],
            "comma_user": COMMA_USER,
            "idle_key": self.idle_key,
            "foreign_key": self.foreign_key,
        })
    }
}

/// The AWS CLI with the credentials of somebody.
struct Cli {
    program: PathBuf,
    endpoint: String,
    credentials: Vec<(&'static str, String)>,
}

async fn mk_venv() -> Result<PathBuf, String> {
    let target = target_dir()?;
    let venv = tokio::task::spawn_blocking(move || ensure_venv(&target)).await;
    venv.map_err(|error| format!("make the environment: {error}"))?
}

async fn finish(command: &mut Command) -> Result<Output, String> {
    let output = command.env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true).output();
    let output = tokio::time::timeout(CLIENT, output).await;
    let output = output.map_err(|_| format!("a client did not end within {CLIENT:?}"))?;
    output.map_err(|error| format!("start a client: {error}"))
}

impl Cli {
    fn of_hub(venv: &Path, sim: &Sim, endpoint: String) -> Self {
        let (id, secret, _) = sim.hub_credentials();
        let credentials = vec![("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
        Self { program: tool(venv, "aws"), endpoint, credentials }
    }

    async fn run(&self, arguments: &[&str]) -> Result<Output, String> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .envs([("AWS_ENDPOINT_URL", self.endpoint.as_str()), ("AWS_DEFAULT_REGION", "us-east-1")])
            // One attempt: a retry would hide an answer that the CLI did not like.
            .envs([("AWS_DEFAULT_OUTPUT", "json"), ("AWS_PAGER", ""), ("AWS_MAX_ATTEMPTS", "1")])
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.credentials.iter().map(|(name, value)| (name, value)));
        finish(&mut command).await
    }

    /// What it printed as JSON; null where it printed nothing.
    async fn done(&self, arguments: &[&str]) -> Result<Value, String> {
        let output = self.run(arguments).await?;
        if !output.status.success() {
            return Err(format!("aws {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)));
        }
        if output.stdout.trim_ascii().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("aws {}: {error}", arguments.join(" ")))
    }

    /// It must fail, naming this error code.
    async fn refused(&self, code: &str, arguments: &[&str]) -> Result<(), String> {
        let output = self.run(arguments).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "aws {} was not refused", arguments.join(" "));
        assert!(said.contains(&format!("({code})")), "aws {}: {said}", arguments.join(" "));
        Ok(())
    }

    /// The same CLI inside the member account.
    async fn assume(&self) -> Result<Self, String> {
        let role = format!("arn:aws:iam::{MEMBER}:role/keysweep/KeysweepScan");
        let assume = [
            "sts",
            "assume-role",
            "--role-session-name",
            "check",
            "--external-id",
            "x1",
            "--role-arn",
            &role,
        ];
        let answer = self.done(&assume).await?;
        assert_eq!(
            answer.pointer("/AssumedRoleUser/Arn"),
            Some(&json!(format!("arn:aws:sts::{MEMBER}:assumed-role/KeysweepScan/check")))
        );
        let text = |name: &str| {
            let text = answer.pointer(&format!("/Credentials/{name}")).and_then(Value::as_str);
            text.map(str::to_owned).ok_or_else(|| format!("aws sts assume-role: no {name}"))
        };
        let credentials = vec![
            ("AWS_ACCESS_KEY_ID", text("AccessKeyId")?),
            ("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey")?),
            ("AWS_SESSION_TOKEN", text("SessionToken")?),
        ];
        Ok(Self { program: self.program.clone(), endpoint: self.endpoint.clone(), credentials })
    }
}

/// The values of one field in a list that the CLI printed.
fn column<'a>(answer: &'a Value, list: &str, field: &str) -> Vec<&'a str> {
    let rows = answer.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    rows.iter().filter_map(|row| row.get(field)?.as_str()).collect()
}

#[tokio::test]
async fn boto3_understands_every_answer_of_the_simulator() -> Result<(), String> {
    let venv = mk_venv().await?;
    let stage = mk_stage();
    let server = stage.sim.serve().await.map_err(|error| format!("serve: {error}"))?;
    let mut command = Command::new(python(&venv));
    command.arg(scripts().join("clients.py")).arg(stage.truth(&server.endpoint()).to_string());
    let output = finish(command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true")).await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [deleted, kept] = [0, 1].map(|index| stage.sim.key_exists(&stage.user.keys[index]));
    assert_eq!((deleted, kept), (false, true), "what boto3 asked for really happened, to that key alone");
    server.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn the_aws_cli_reads_the_organization_of_the_simulator() -> Result<(), String> {
    let venv = mk_venv().await?;
    let stage = mk_stage();
    let server = stage.sim.serve().await.map_err(|error| format!("serve: {error}"))?;
    let hub = Cli::of_hub(&venv, &stage.sim, server.endpoint());

    let identity = hub.done(&["sts", "get-caller-identity"]).await?;
    assert_eq!(identity["Account"], json!("100000000000"));
    let accounts = hub.done(&["organizations", "list-accounts"]).await?;
    let mut listed = column(&accounts, "Accounts", "Id");
    listed.sort_unstable();
    assert_eq!(listed, stage.sim.account_ids(), "the CLI follows NextToken past empty pages");
    let member = accounts["Accounts"].as_array().and_then(|all| all.iter().find(|one| one["Id"] == MEMBER));
    assert_eq!(
        member.map(|member| (&member["Name"], &member["State"])),
        Some((&json!(ACCOUNT), &json!("ACTIVE")))
    );
    let roots = hub.done(&["organizations", "list-roots"]).await?;
    let root = column(&roots, "Roots", "Id").concat();
    let units =
        hub.done(&["organizations", "list-organizational-units-for-parent", "--parent-id", &root]).await?;
    assert_eq!(column(&units, "OrganizationalUnits", "Name"), ["Workloads"]);
    let parents = hub.done(&["organizations", "list-parents", "--child-id", MEMBER]).await?;
    assert_eq!(column(&parents, "Parents", "Id"), [stage.sim.ou_id("Workloads/Prod")]);

    let analyzer = "arn:aws:access-analyzer:us-east-1:100000000000:analyzer/unused";
    stage.sim.set_analyzer(analyzer, "ORGANIZATION_UNUSED_ACCESS", "ACTIVE");
    let finding = |n: u32| AnalyzerFinding {
        id: format!("finding-{n}"),
        resource: format!("arn:aws:iam::{MEMBER}:user/team/ci-{}", n % 2),
        key_id: format!("AKIAOFFICIALCLIENT{n:02}"),
        status: "ACTIVE".to_owned(),
        last_accessed: Some(NOW),
        updated_at: NOW,
    };
    (0..4).for_each(|n| stage.sim.set_analyzer_finding(analyzer, finding(n)));
    let shown = hub.done(&["accessanalyzer", "get-analyzer", "--analyzer-name", "unused"]).await?;
    assert_eq!(
        (&shown["analyzer"]["arn"], &shown["analyzer"]["configuration"]["unusedAccess"]["unusedAccessAge"]),
        (&json!(analyzer), &json!(90))
    );
    let filter = json!({ "findingType": { "eq": ["UnusedIAMUserAccessKey"] },
        "resource": { "eq": [format!("arn:aws:iam::{MEMBER}:user/team/ci-1")] } });
    let list = ["accessanalyzer", "list-findings-v2", "--analyzer-arn", analyzer, "--page-size", "1"];
    let listed = hub.done(&[&list[..], &["--filter", &filter.to_string()]].concat()).await?;
    assert_eq!(column(&listed, "findings", "id"), ["finding-1", "finding-3"], "the CLI follows nextToken");
    let get = ["accessanalyzer", "get-finding-v2", "--analyzer-arn", analyzer, "--id", "finding-3"];
    let details = &hub.done(&get).await?["findingDetails"][0]["unusedIamUserAccessKeyDetails"];
    assert_eq!(details["accessKeyId"], json!("AKIAOFFICIALCLIENT03"));
    assert!(details["lastAccessed"].as_str().is_some_and(|at| at.starts_with("2026-")), "{details}");
    let missing = ["accessanalyzer", "get-analyzer", "--analyzer-name", "none"];
    hub.refused("ResourceNotFoundException", &missing).await?;

    let role = format!("arn:aws:iam::{MEMBER}:role/keysweep/KeysweepScan");
    let without_external_id = ["sts", "assume-role", "--role-session-name", "check", "--role-arn", &role];
    hub.refused("AccessDenied", &without_external_id).await?;
    server.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn the_aws_cli_reads_and_changes_keys_of_the_simulator() -> Result<(), String> {
    let venv = mk_venv().await?;
    let stage = mk_stage();
    let server = stage.sim.serve().await.map_err(|error| format!("serve: {error}"))?;
    let member = Cli::of_hub(&venv, &stage.sim, server.endpoint()).assume().await?;
    let (name, [key, sibling]) =
        (stage.user.name.as_str(), [0, 1].map(|index| stage.user.keys[index].as_str()));

    let users = member.done(&["iam", "list-users", "--page-size", "1"]).await?;
    let mut listed = column(&users, "Users", "UserName");
    listed.sort_unstable();
    assert_eq!(listed, [name, "idle", COMMA_USER]);
    let keys = member.done(&["iam", "list-access-keys", "--user-name", name]).await?;
    assert_eq!(column(&keys, "AccessKeyMetadata", "AccessKeyId"), [key, sibling]);
    assert_eq!(column(&keys, "AccessKeyMetadata", "Status"), ["Active", "Inactive"]);

    let used = member.done(&["iam", "get-access-key-last-used", "--access-key-id", key]).await?;
    assert_eq!((&used["UserName"], &used["AccessKeyLastUsed"]["ServiceName"]), (&json!(name), &json!("s3")));
    let never = member.done(&["iam", "get-access-key-last-used", "--access-key-id", sibling]).await?;
    assert_eq!(never["AccessKeyLastUsed"], json!({ "ServiceName": "N/A", "Region": "N/A" }));
    let unknown = ["iam", "get-access-key-last-used", "--access-key-id", "AKIANOBODYSKEY000000"];
    member.refused("AccessDenied", &unknown).await?;

    member.refused("ReportNotPresent", &["iam", "get-credential-report"]).await?;
    for state in ["STARTED", "INPROGRESS", "COMPLETE"] {
        let generated = member.done(&["iam", "generate-credential-report"]).await?;
        assert_eq!(generated["State"], json!(state));
        if state == "STARTED" {
            member.refused("ReportInProgress", &["iam", "get-credential-report"]).await?;
        }
    }
    let report = member.done(&["iam", "get-credential-report"]).await?;
    assert!(report["Content"].as_str().is_some_and(|content| !content.is_empty()), "{report}");

    let change = ["--user-name", name, "--access-key-id", key];
    member.done(&[&["iam", "update-access-key", "--status", "Inactive"], &change[..]].concat()).await?;
    assert_eq!(stage.sim.key_status(key).as_deref(), Some("Inactive"));
    member.done(&[&["iam", "delete-access-key"], &change[..]].concat()).await?;
    assert!(!stage.sim.key_exists(key) && stage.sim.key_exists(sibling));
    member.refused("NoSuchEntity", &[&["iam", "delete-access-key"], &change[..]].concat()).await?;
    server.shutdown().await;
    Ok(())
}
