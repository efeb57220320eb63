//! `keysweep keys`.

use clap::{Args, Subcommand, ValueEnum};
use keysweep_core::ids::{AccessKeyId, AccountId};

use super::{FormatArgs, reason};
use crate::config::period::Period;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeysCommand {
    /// List the records
    List {
        /// Only keys in this state: active, flagged, deactivating, deactivated, deleting, deleted or gone; may be
        /// given more than once
        #[arg(long, value_enum, value_name = "STATE", hide_possible_values = true)]
        state: Vec<StateName>,
        /// Only keys of this account; may be given more than once
        #[arg(long, value_name = "ID")]
        account: Vec<AccountId>,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Show one key: facts, the policy that applies, what comes next, history
    Show {
        /// Key ID
        key: AccessKeyId,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Approve what was asked
    Approve(DecisionArgs),
    /// Deny what was asked; the key is held
    Deny(DecisionArgs),
    /// Hold a key: nothing automatic happens to it
    Hold {
        #[command(flatten)]
        decision: DecisionArgs,
        /// For how long, such as 30d [default: until released]
        #[arg(long = "for", value_name = "LENGTH")]
        length: Option<Period>,
    },
    /// End the hold of a key
    Release(DecisionArgs),
    /// The undo: set a key Active at once and hold it
    Reactivate {
        /// Key ID
        key: AccessKeyId,
        /// Why; it stands in the journal
        #[arg(long, value_name = "TEXT", value_parser = reason, default_value = "undo")]
        reason: String,
    },
    /// Deactivate a key now, without waiting for mode, notice or window
    Deactivate(DecisionArgs),
    /// Delete a key for good, after a full grace period only
    Delete {
        #[command(flatten)]
        decision: DecisionArgs,
        /// The key ID again, since this cannot be undone
        #[arg(long, value_name = "KEY")]
        confirm: Option<String>,
    },
    /// Drop the record of a key that is deleted, gone or out of reach
    Forget(DecisionArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DecisionArgs {
    /// Key ID
    pub(in crate::cli) key: AccessKeyId,
    /// Why; it stands in the journal
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(in crate::cli) reason: String,
}

/// A base state, as `keys list --state` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum StateName {
    /// Recorded for an overlay only
    Active,
    /// On its way to deactivation
    Flagged,
    /// Being deactivated
    Deactivating,
    /// Inactive, under watch
    Deactivated,
    /// Being deleted
    Deleting,
    /// Deleted by keysweep
    Deleted,
    /// Deleted by somebody else
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
