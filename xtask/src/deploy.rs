//! `cargo xtask check-deploy`: what packages are made from is held to the judges of its own kind.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};

use crate::command::{cargo, output, root, say, target_dir};
use crate::tools::{PYTHON, SHELLCHECK, SYSTEMD_ANALYZE, TERRAFORM, hadolint, require};

const UNIT: &str = "deploy/systemd/keysweep.service";
const DOCKERFILE: &str = "deploy/container/Dockerfile";
/// Scripts besides those of `deploy/` that are called so.
const SCRIPTS: [&str; 3] = [".ci/run", "deploy/debian/postinst", "deploy/debian/postrm"];
/// What `systemd-analyze security` may find at most, in tenths of its 0 (safe) to 10.
const EXPOSURE: u32 = 15;
/// How packages are built: the arguments of cargo.
pub(crate) const PACKAGED: &str = "build --release --locked --package keysweep --no-default-features";

type Check = fn() -> anyhow::Result<()>;

/// Checks everything, and says at once all that is wrong.
pub(crate) fn check() -> anyhow::Result<()> {
    require(&[&PYTHON, &SHELLCHECK, &SYSTEMD_ANALYZE])?;
    let mut checks: Vec<(&str, Check)> = vec![
        ("the unit is understood", unit_is_understood),
        ("the unit is locked down", unit_is_locked_down),
        ("the scripts pass shellcheck", scripts),
        ("the Dockerfile passes hadolint", dockerfile),
        ("the files of the Debian package are there", crate::deb::assets_are_there),
        ("packages hold no simulator", packages_hold_no_simulator),
    ];
    let terraform = "Terraform applies the module to moto";
    if TERRAFORM.is_there() {
        checks.push((terraform, module_is_applied));
    } else {
        say(&format!("NOT RUN {terraform}: terraform is not installed"));
    }
    let mut failed = 0;
    for (what, check) in &checks {
        match check() {
            Ok(()) => say(&format!("ok      {what}")),
            Err(error) => {
                failed += 1;
                say(&format!("FAILED  {what}: {error:#}"));
            }
        }
    }
    ensure!(failed == 0, "{failed} of {} checks failed", checks.len());
    Ok(())
}

/// `systemd-analyze verify` ends well even for keys that it does not know: whatever it says is a failure.
fn unit_is_understood() -> anyhow::Result<()> {
    let text = fs::read_to_string(root().join(UNIT)).with_context(|| format!("read {UNIT}"))?;
    // The program is not installed where the unit is checked, and another must stand in for it.
    let text = text.replace("/usr/bin/keysweep", "/bin/true");
    let folder = target_dir()?.join("check-deploy");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let copy = folder.join("keysweep.service");
    fs::write(&copy, text).with_context(|| format!("write {}", copy.display()))?;
    let (_, said) = output(SYSTEMD_ANALYZE.command().args(["verify", "--man=no"]).arg(&copy))?;
    ensure!(said.trim().is_empty(), "{}", said.trim());
    Ok(())
}

fn unit_is_locked_down() -> anyhow::Result<()> {
    let judged = output(
        SYSTEMD_ANALYZE
            .command()
            .args(["security", "--no-pager", "--offline=true", &format!("--threshold={EXPOSURE}")])
            .arg(root().join(UNIT)),
    );
    // What is in order fills pages.
    judged.map(|_| ()).map_err(|error| {
        let text = error.to_string();
        let wrong: Vec<&str> = text.lines().filter(|line| !line.starts_with('✓')).collect();
        anyhow!("{}", wrong.join("\n"))
    })
}

fn scripts() -> anyhow::Result<()> {
    let mut scripts: Vec<PathBuf> = SCRIPTS.iter().map(|script| root().join(script)).collect();
    find_scripts(&root().join("deploy"), &mut scripts)?;
    output(SHELLCHECK.command().args(&scripts))?;
    Ok(())
}

fn find_scripts(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let told = || format!("list {}", folder.display());
    for entry in fs::read_dir(folder).with_context(told)? {
        let path = entry.with_context(told)?.path();
        if path.is_dir() {
            find_scripts(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "sh") {
            found.push(path);
        }
    }
    Ok(())
}

fn module_is_applied() -> anyhow::Result<()> {
    // The features of all tests, so that nothing is compiled for this one.
    let test = ["test", "--quiet", "--workspace", "--all-features", "--locked", "--test", "all"];
    let (said, _) = output(cargo().args(test).args(["terraform::", "--", "--ignored"]))?;
    ensure!(said.contains("1 passed"), "the check is blind: {said}");
    Ok(())
}

fn dockerfile() -> anyhow::Result<()> {
    output(hadolint()?.args(["--no-color", "--strict-labels"]).arg(root().join(DOCKERFILE)))?;
    Ok(())
}

/// Packages are built without the feature `demo`, and then nothing leads to the simulator.
fn packages_hold_no_simulator() -> anyhow::Result<()> {
    let tree = ["tree", "--locked", "--package", "keysweep", "--edges", "normal", "--prefix", "none"];
    let (with, _) = output(cargo().args(tree))?;
    ensure!(with.contains("keysweep-sim"), "the check is blind: the demo does not show the simulator either");
    let (without, _) = output(cargo().args(tree).arg("--no-default-features"))?;
    for forbidden in ["keysweep-sim", "keysweep-tests", "wiremock", "proptest"] {
        ensure!(!without.contains(forbidden), "keysweep without its default features depends on {forbidden}");
    }
    let recipe = fs::read_to_string(root().join(DOCKERFILE)).with_context(|| format!("read {DOCKERFILE}"))?;
    if !recipe.lines().any(|line| line.contains(PACKAGED)) {
        bail!("{DOCKERFILE} does not build by `cargo {PACKAGED}`");
    }
    Ok(())
}
