//! Which statement of the policies that keysweep prints grants what.

use jiff::Timestamp;

use super::document::StatementSeen;
use crate::config::Config;
use crate::iam::{self, Deletion, Document};

/// The printed policies of a configuration. One that would be too long for AWS names no statement.
pub(super) struct Policies {
    hub: Option<Document>,
    scan: Option<Document>,
    enforce: Option<Document>,
}

/// Whose policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// keysweep's own.
    Hub,
    /// Of the role that scans.
    Scan,
    /// Of the role that changes keys.
    Enforce,
}

impl Policies {
    pub(super) fn of(config: &Config, now: Timestamp) -> Self {
        Self {
            hub: iam::hub(config).ok(),
            scan: iam::scan(config).ok(),
            enforce: iam::enforce(config, now, Deletion::Allowed).ok(),
        }
    }

    /// The statement that allows this action.
    pub(super) fn statement(&self, whose: Whose, action: &str) -> Option<StatementSeen> {
        let document = match whose {
            Whose::Hub => &self.hub,
            Whose::Scan => &self.scan,
            Whose::Enforce => &self.enforce,
        };
        let sid = document.as_ref()?.allows(action)?;
        Some(StatementSeen { command: whose.command().to_owned(), sid: sid.to_owned() })
    }
}

impl Whose {
    /// The command that prints it.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Hub => "keysweep iam hub",
            Self::Scan => "keysweep iam scan",
            Self::Enforce => "keysweep iam enforce",
        }
    }
}

/// What to do with a statement, before the words to whom: ``add Sid of `keysweep iam hub` ``.
pub(super) fn grant(statement: Option<&StatementSeen>, whose: Whose) -> String {
    match statement {
        Some(StatementSeen { command, sid }) => format!("add {sid} of `{command}`"),
        None => format!("add `{}`", whose.command()),
    }
}
