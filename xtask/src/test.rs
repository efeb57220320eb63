//! `cargo xtask test`.

use crate::command::{cargo, run, say};
use crate::hunt::hunt_sample;
use crate::tools::{CHROMIUM, NODE, NPM, PROMETHEUS, PROMTOOL, PYTHON, UNSHARE, require};

/// Says what is missing before anything is compiled, then runs every test, those in the documentation included, and
/// tries whether the histories would notice a mistake.
pub(crate) fn run_tests() -> anyhow::Result<()> {
    require(&[&PYTHON, &NODE, &NPM, &CHROMIUM, &PROMTOOL, &PROMETHEUS, &UNSHARE])?;
    run(cargo().args(["test", "--workspace", "--all-features", "--locked"]))?;
    hunt_sample()?;
    say(NOT_RUN);
    Ok(())
}

/// What is too long for every day.
const NOT_RUN: &str = "\
not run here:
  cargo xtask soak --seeds 1000 --days 60    histories: 40 of 60 days were lived through
  cargo xtask hunt                           mutants: 3 of tests/mutants.toml were tried
  cargo xtask soak --kills 300               real processes under SIGKILL: 6 were killed
  cargo xtask soak --load 10000              accounts in trouble: one sweep of 600 accounts
  PROPTEST_CASES=20000 cargo test ...        properties and nonsense: a few hundred cases each
  WALK_TIME=10m cargo test ... random_walk   the page in a browser: 25 s of a random walk
  API_EXAMPLES=500 cargo test ... the_api_is the API: 15 random requests for each operation
  cargo xtask bench                          what a scan costs
  deploy/systemd/try.sh                      the Debian package under a real systemd, as root";
