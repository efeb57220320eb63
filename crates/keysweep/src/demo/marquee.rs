//! What is said at the start and stays true: what runs, and where to look.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use keysweep_core::ids::AccessKeyId;

use secrecy::ExposeSecret as _;

use super::stage::Stage;

/// What runs, and where to look.
#[derive(Debug, Clone)]
pub(super) struct Marquee {
    /// The organization, in numbers.
    pub(super) organization: String,
    /// How fast policy time runs.
    pub(super) speed: String,
    /// Where the page is; the metrics are below it.
    pub(super) page: String,
    /// What to log in with there, to decide.
    pub(super) token: String,
    /// The command that brings another terminal to this daemon.
    pub(super) join: String,
    /// How this program was called.
    pub(super) program: String,
}

impl Marquee {
    pub(super) fn of(stage: &Stage, http: SocketAddr) -> Self {
        let keys = stage.demo.sim.keys();
        let users: BTreeSet<_> = keys.iter().map(|key| &key.user_id).collect();
        let accounts = stage.demo.sim.account_ids().len();
        Self {
            organization: format!(
                "{accounts} accounts, {} users with {} access keys",
                users.len(),
                keys.len()
            ),
            speed: stage.calendar.speed(),
            page: format!("http://{http}/"),
            token: stage.token.expose_secret().to_owned(),
            join: format!("export KEYSWEEP_CONFIG={}", stage.config_file().display()),
            program: std::env::args().next().unwrap_or_else(|| "keysweep".to_owned()),
        }
    }

    /// The command that shows the evidence of a deletion.
    pub(super) fn evidence(&self, key: &AccessKeyId) -> String {
        format!("{} evidence {key} --format html > evidence.html", self.program)
    }

    /// Where the metrics are.
    pub(super) fn metrics(&self) -> String {
        format!("{}metrics", self.page)
    }
}
