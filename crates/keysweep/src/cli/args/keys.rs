//! `keysweep keys`.

use clap::{Args, Subcommand, ValueEnum};
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::ticket::Planned;

use super::{FormatArgs, reason};
use crate::config::period::Period;
use keysweep_api::RequestRef;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeysCommand {
    /// List the records
    List {
        /// Only keys in this state: active, flagged, deactivating, deactivated, deleting, deleted, or gone; repeatable
        #[arg(long, value_enum, value_name = "STATE", hide_possible_values = true)]
        state: Vec<StateName>,
        /// Only keys of this account; repeatable
        #[arg(long, value_name = "ID")]
        account: Vec<AccountId>,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Show one key: facts, effective policy, next step, history
    Show {
        /// Key ID
        key: AccessKeyId,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Approve the pending change of a key, exactly as it is shown
    Approve {
        #[command(flatten)]
        decision: DecisionArgs,
        #[command(flatten)]
        request: RequestArgs,
    },
    /// Deny the pending change of a key, and hold the key
    Deny {
        #[command(flatten)]
        decision: DecisionArgs,
        #[command(flatten)]
        request: RequestArgs,
    },
    /// Hold a key: no automatic changes
    Hold {
        #[command(flatten)]
        decision: DecisionArgs,
        /// Length of the hold, such as 30d [default: until released]
        #[arg(long = "for", value_name = "LENGTH")]
        length: Option<Period>,
    },
    /// Release a key from one hold
    Release {
        #[command(flatten)]
        decision: DecisionArgs,
        /// Number of the hold, as `keys show` lists it [default: the only one, if an operator placed it]
        #[arg(long, value_name = "NUMBER")]
        hold: Option<u64>,
    },
    /// Clear the reactivations of a key, so that they no longer require approval of its changes
    ClearReactivations(DecisionArgs),
    /// Undo: reactivate a key immediately, and hold it
    #[command(visible_alias = "undo")]
    Reactivate(UndoArgs),
    /// Deactivate a key now, regardless of mode, notice, and change window
    Deactivate(DecisionArgs),
    /// Delete a key permanently; only after a full grace period
    Delete {
        #[command(flatten)]
        decision: DecisionArgs,
        /// Key ID again, to confirm; a deletion cannot be undone
        #[arg(long, value_name = "KEY")]
        confirm: Option<String>,
    },
    /// Drop the record of a key that is deleted, gone, or out of reach
    Forget(DecisionArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DecisionArgs {
    /// Key ID
    pub(in crate::cli) key: AccessKeyId,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(in crate::cli) reason: String,
}

/// An undo. In a hurry, nobody has to give a reason.
#[derive(Debug, Args)]
pub(in crate::cli) struct UndoArgs {
    /// Key ID
    pub(in crate::cli) key: AccessKeyId,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT", value_parser = reason, default_value = "undo")]
    pub(in crate::cli) reason: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RequestArgs {
    /// Requested change; required without a terminal, unless --request is given
    #[arg(long, value_enum, value_name = "ACTION")]
    pub(in crate::cli) action: Option<AskedAction>,
    /// Number of the request, or NUMBER-HASH, as `keys show` and `plan` show it
    #[arg(long, value_name = "NUMBER")]
    pub(in crate::cli) request: Option<RequestRef>,
}

/// A change that can need approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum AskedAction {
    /// Set the key Inactive
    Deactivate,
    /// Delete it
    Delete,
}

impl From<AskedAction> for Planned {
    fn from(action: AskedAction) -> Self {
        match action {
            AskedAction::Deactivate => Self::Deactivate,
            AskedAction::Delete => Self::Delete,
        }
    }
}

/// A base state, as `keys list --state` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(in crate::cli) enum StateName {
    /// Recorded for an overlay, or because it was deactivated before
    Active,
    /// Stale, not changed yet
    Flagged,
    /// Being deactivated
    Deactivating,
    /// Inactive, observed
    Deactivated,
    /// Being deleted
    Deleting,
    /// Deleted by keysweep
    Deleted,
    /// Deleted by someone else
    Gone,
}
