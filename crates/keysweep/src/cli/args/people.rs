//! `keysweep approvals`, `holds`, `exemptions`, and `sessions`.

use clap::{Args, Subcommand};
use keysweep_api::{KeyFilter, RequestRef, Until};
use keysweep_core::ids::{AccessKeyId, AccountId};

use super::{FormatArgs, ReasonArgs};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ApprovalsCommand {
    /// Show what waits for approval, the earliest to expire first
    List {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Approve requests as they were shown
    Approve(RequestsArgs),
    /// Deny requests; keysweep holds their keys
    Deny(RequestsArgs),
    /// Show others that you are looking at requests; anyone can still decide
    Claim {
        /// Request, as `keysweep approvals list` shows it; repeatable
        #[arg(value_name = "REQUEST", required = true)]
        requests: Vec<RequestRef>,
        /// For how long, in minutes
        #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1440))]
        minutes: u32,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RequestsArgs {
    /// Request, as `keysweep approvals list` shows it; repeatable
    #[arg(value_name = "REQUEST", required_unless_present = "all")]
    pub(in crate::cli) requests: Vec<RequestRef>,
    /// All requests that match the filter, if there are exactly this many
    #[arg(long, value_name = "COUNT", conflicts_with = "requests")]
    pub(in crate::cli) all: Option<u32>,
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    #[command(flatten)]
    pub(in crate::cli) reason: ReasonArgs,
}

/// Which keys; every given filter must match.
#[derive(Debug, Default, Clone, Args)]
pub(in crate::cli) struct FilterArgs {
    /// Only this account
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) account: Option<AccountId>,
    /// Only accounts below this path of OUs, such as Root/Workloads
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) ou: Option<String>,
    /// Only keys of this owner; - for keys without an owner
    #[arg(long, value_name = "OWNER", allow_hyphen_values = true)]
    pub(in crate::cli) owner: Option<String>,
    /// Only this finding, such as never_used
    #[arg(long, value_name = "FINDING")]
    pub(in crate::cli) finding: Option<String>,
}

impl From<FilterArgs> for KeyFilter {
    fn from(args: FilterArgs) -> Self {
        let FilterArgs { account, ou, owner, finding } = args;
        Self { account: account.map(|account| account.to_string()), ou, owner, finding, ..Self::default() }
    }
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum HoldsCommand {
    /// Show every hold, those that end first at the top
    List {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        format: FormatArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ExemptionsCommand {
    /// Show exemptions, configured and granted, and the findings that each of them matches now
    List {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Exempt a key: no changes until the exemption ends, except the undo
    Add {
        /// Key ID
        key: AccessKeyId,
        /// Last day of the exemption, or its length, such as 2027-03-01 or 90d; at most a year ahead
        #[arg(long, value_name = "DATE|LENGTH")]
        until: Until,
        #[command(flatten)]
        reason: ReasonArgs,
        /// Exempt the user of the key with every key that they have and will have
        #[arg(long)]
        whole_user: bool,
    },
    /// End an exemption that was granted; those of the configuration end there
    End {
        /// Number of the exemption, as `keysweep exemptions list` shows it
        #[arg(value_name = "NUMBER")]
        number: u64,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SessionsCommand {
    /// Show who is logged in to the page
    List {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// End a session, or all sessions
    Revoke {
        /// Number of the session, as `keysweep sessions list` shows it
        #[arg(value_name = "NUMBER", required_unless_present = "all")]
        number: Option<u64>,
        /// All sessions
        #[arg(long, conflicts_with = "number")]
        all: bool,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}
