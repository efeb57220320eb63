//! `keysweep notices`.

use clap::{Args, Subcommand, ValueEnum};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::notice::NoticeKind;

use super::{FormatArgs, ReasonArgs};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum NoticesCommand {
    /// List pending, delivered, and undeliverable messages of the last seven days
    List {
        /// Only messages with this status: pending, delivered, or undeliverable; repeatable
        #[arg(long, value_enum, value_name = "STATUS", hide_possible_values = true)]
        status: Vec<StatusName>,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Print a notice as recipients would read it; sends nothing
    Preview(PreviewArgs),
    /// Send a test message about an invented key
    Send {
        /// Channel (email, slack, or webhook: all its recipients in notices.notify), or one address
        #[arg(long, value_name = "CHANNEL", required = true)]
        test: String,
    },
    /// Retry an undeliverable message
    Retry {
        /// Number of the message, as `keysweep notices list` shows it
        #[arg(value_name = "NUMBER")]
        message: u64,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PreviewArgs {
    /// Kind of notice, such as deactivation_ahead [default: one of each kind]
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub(in crate::cli) kind: Option<NoticeKind>,
    /// A tracked key [default: an invented one]
    #[arg(long, value_name = "KEY")]
    pub(in crate::cli) key: Option<AccessKeyId>,
    /// What to print: text, html, slack, teams, or webhook
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub(in crate::cli) format: PreviewFormat,
}

/// A status in `notices list --status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum StatusName {
    /// No channel has accepted it yet
    Pending,
    /// A channel accepted it
    Delivered,
    /// keysweep gave up
    Undeliverable,
}

/// What `notices preview` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PreviewFormat {
    /// Subject and text of the e-mail
    Text,
    /// HTML of the e-mail
    Html,
    /// Blocks of the Slack message
    Slack,
    /// Adaptive Card for Microsoft Teams
    Teams,
    /// Body of the webhook request
    Webhook,
}

fn kind(text: &str) -> Result<NoticeKind, String> {
    let kinds = <NoticeKind as strum::VariantArray>::VARIANTS;
    let names = || kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let found = kinds.iter().find(|kind| kind.as_str() == text).copied();
    found.ok_or_else(|| format!("expected one of {}", names()))
}
