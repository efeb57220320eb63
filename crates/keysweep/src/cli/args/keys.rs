//! `keysweep keys`.

use clap::{Args, Subcommand, ValueEnum};
use keysweep_core::ids::{AccessKeyId, AccountId};

use super::{FormatArgs, reason};
use crate::config::period::Period;

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
    /// Approve the pending change of a key
    Approve(DecisionArgs),
    /// Deny the pending change of a key, and hold the key
    Deny(DecisionArgs),
    /// Hold a key: no automatic changes
    Hold {
        #[command(flatten)]
        decision: DecisionArgs,
        /// Length of the hold, such as 30d [default: until released]
        #[arg(long = "for", value_name = "LENGTH")]
        length: Option<Period>,
    },
    /// Release a key from its hold
    Release(DecisionArgs),
    /// Undo: reactivate a key immediately, and hold it
    Reactivate {
        /// Key ID
        key: AccessKeyId,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT", value_parser = reason, default_value = "undo")]
        reason: String,
    },
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

/// Base state, as used by `keys list --state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum StateName {
    /// Recorded for an overlay only
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

impl StateName {
    /// Its name in records.
    pub(in crate::cli) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Flagged => "flagged",
            Self::Deactivating => "deactivating",
            Self::Deactivated => "deactivated",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Gone => "gone",
        }
    }
}
