//! What a message says about each kind of notice: one sentence per section, and how to answer.

use keysweep_core::notice::{Audience, Item, NoticeKind};
use keysweep_core::ticket::Planned;

/// Every kind, most urgent first: the order of the sections.
pub(super) const BY_URGENCY: [NoticeKind; 12] = [
    NoticeKind::Reactivated,
    NoticeKind::Deactivated,
    NoticeKind::DeactivationAhead,
    NoticeKind::DeletionAhead,
    NoticeKind::Reminder,
    NoticeKind::ApprovalRequest,
    NoticeKind::Outcome,
    NoticeKind::Undeliverable,
    NoticeKind::OwnerMissing,
    NoticeKind::HoldEnding,
    NoticeKind::ExemptionEnding,
    NoticeKind::Deleted,
];

/// The position among the sections.
pub(super) fn urgency(kind: NoticeKind) -> usize {
    BY_URGENCY.iter().position(|other| *other == kind).unwrap_or(BY_URGENCY.len())
}

/// The heading of a section.
pub(super) fn title(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Reactivated => "Active again",
        NoticeKind::Deactivated => "Deactivated",
        NoticeKind::DeactivationAhead => "Will be deactivated",
        NoticeKind::DeletionAhead => "Will be deleted",
        NoticeKind::Reminder => "Reminder",
        NoticeKind::ApprovalRequest => "Approval needed",
        NoticeKind::Outcome => "Updates",
        NoticeKind::Undeliverable => "Notice not delivered",
        NoticeKind::OwnerMissing => "No owner",
        NoticeKind::HoldEnding => "Hold ends soon",
        NoticeKind::ExemptionEnding => "Exemption ends soon",
        NoticeKind::Deleted => "Deleted",
    }
}

/// What a section is about, in one or two sentences.
pub(super) fn about(kind: NoticeKind, keys: usize) -> &'static str {
    let (one, many) = match kind {
        NoticeKind::Reactivated => (
            "keysweep had deactivated this key. It is Active again.",
            "keysweep had deactivated these keys. They are Active again.",
        ),
        NoticeKind::Deactivated => (
            "AWS now rejects every request signed with this key. It can be reactivated until it is deleted.",
            "AWS now rejects every request signed with these keys. They can be reactivated until they are deleted.",
        ),
        NoticeKind::DeactivationAhead => (
            "keysweep will deactivate this key because it is unused. It can be reactivated until it is deleted.",
            "keysweep will deactivate these keys because they are unused. They can be reactivated until they are \
             deleted.",
        ),
        NoticeKind::DeletionAhead => (
            "keysweep will delete this Inactive key. A deleted key cannot be restored.",
            "keysweep will delete these Inactive keys. Deleted keys cannot be restored.",
        ),
        NoticeKind::Reminder => (
            "You were notified of this change before. It is due soon.",
            "You were notified of these changes before. They are due soon.",
        ),
        NoticeKind::ApprovalRequest => (
            "keysweep does not make this change without an approval.",
            "keysweep does not make these changes without an approval.",
        ),
        NoticeKind::Outcome => (
            "keysweep announced a change to this key, or asked for approval of it. Here is the outcome.",
            "keysweep announced changes to these keys, or asked for approval of them. Here is the outcome.",
        ),
        NoticeKind::Undeliverable => (
            "keysweep could not deliver a notice about this key. While notices are required, the change that it \
             announces does not happen.",
            "keysweep could not deliver notices about these keys. While notices are required, the changes that they \
             announce do not happen.",
        ),
        NoticeKind::OwnerMissing => (
            "keysweep found nobody to notify about this key. Name its owner, for example in the tag Owner of the \
             user.",
            "keysweep found nobody to notify about these keys. Name their owners, for example in the tag Owner of \
             each user.",
        ),
        NoticeKind::HoldEnding => (
            "After the hold ends, keysweep continues with this key if it is still unused.",
            "After a hold ends, keysweep continues with the key if it is still unused.",
        ),
        NoticeKind::ExemptionEnding => (
            "After the exemption ends, keysweep treats this key like any other.",
            "After an exemption ends, keysweep treats the key like any other.",
        ),
        NoticeKind::Deleted => (
            "keysweep deleted this key. It cannot be restored.",
            "keysweep deleted these keys. They cannot be restored.",
        ),
    };
    if keys == 1 { one } else { many }
}

/// How many notices of a kind there are, in a few words.
pub(super) fn tally(kind: NoticeKind, count: usize) -> String {
    let one = count == 1;
    let what = match kind {
        NoticeKind::Reactivated => "Active again",
        NoticeKind::Deactivated => "deactivated",
        NoticeKind::DeactivationAhead => "to be deactivated",
        NoticeKind::DeletionAhead => "to be deleted",
        NoticeKind::Reminder if one => "reminder",
        NoticeKind::Reminder => "reminders",
        NoticeKind::ApprovalRequest => "waiting for approval",
        NoticeKind::Outcome if one => "update",
        NoticeKind::Outcome => "updates",
        NoticeKind::Undeliverable if one => "undelivered notice",
        NoticeKind::Undeliverable => "undelivered notices",
        NoticeKind::OwnerMissing => "without an owner",
        NoticeKind::HoldEnding if one => "hold ending",
        NoticeKind::HoldEnding => "holds ending",
        NoticeKind::ExemptionEnding if one => "exemption ending",
        NoticeKind::ExemptionEnding => "exemptions ending",
        NoticeKind::Deleted => "deleted",
    };
    format!("{count} {what}")
}

/// Whether what would make the key unnecessary is worth a sentence: the key is still there, and somebody may need it.
pub(super) fn deserves_advice(kind: NoticeKind) -> bool {
    match kind {
        NoticeKind::Reactivated
        | NoticeKind::Deactivated
        | NoticeKind::DeactivationAhead
        | NoticeKind::DeletionAhead
        | NoticeKind::Reminder
        | NoticeKind::HoldEnding
        | NoticeKind::ExemptionEnding => true,
        NoticeKind::ApprovalRequest
        | NoticeKind::Outcome
        | NoticeKind::Undeliverable
        | NoticeKind::OwnerMissing
        | NoticeKind::Deleted => false,
    }
}

const DECIDE: &str = "List the requests with `keysweep approvals list`, then decide with `keysweep approvals approve` or \
    `keysweep approvals deny`.";

/// What somebody can do about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// It is Active: say that it is needed.
    Keep,
    /// It is Inactive: have it reactivated.
    Reactivate,
    /// A hold is about to end: have it extended.
    Extend,
    /// Decide a request.
    Decide,
    /// Nothing that keysweep offers.
    None,
}

impl Remedy {
    pub(super) fn of(item: &Item) -> Self {
        match item.kind {
            NoticeKind::DeactivationAhead => Self::Keep,
            NoticeKind::Deactivated | NoticeKind::DeletionAhead => Self::Reactivate,
            NoticeKind::Reminder if item.change == Some(Planned::Delete) => Self::Reactivate,
            NoticeKind::Reminder => Self::Keep,
            NoticeKind::HoldEnding => Self::Extend,
            NoticeKind::ApprovalRequest => Self::Decide,
            NoticeKind::Outcome
            | NoticeKind::Deleted
            | NoticeKind::ExemptionEnding
            | NoticeKind::Reactivated
            | NoticeKind::OwnerMissing
            | NoticeKind::Undeliverable => Self::None,
        }
    }

    /// How to answer where no link does.
    pub(super) fn answer(self, audience: Audience, keys: usize) -> Option<&'static str> {
        let (one, many) = match (self, audience) {
            (Self::Keep, Audience::Owner) => (
                "If you still need it, tell your security team before the date shown.",
                "If you still need one of them, tell your security team before the date shown.",
            ),
            (Self::Reactivate, Audience::Owner) => (
                "If you still need it, send the key ID to your security team and ask them to reactivate it.",
                "If you still need one of them, send its key ID to your security team and ask them to reactivate it.",
            ),
            (Self::Extend, Audience::Owner) => (
                "If you need more time, ask your security team to extend the hold.",
                "If you need more time, ask your security team to extend the holds.",
            ),
            (Self::Decide, Audience::Team | Audience::Protect) => (DECIDE, DECIDE),
            (Self::Decide, Audience::Owner) => (
                "Log in to keysweep to approve or deny it. If you still need the key, deny the request.",
                "Log in to keysweep to approve or deny them. If you still need a key, deny its request.",
            ),
            (Self::Keep | Self::Reactivate | Self::Extend, Audience::Team | Audience::Protect)
            | (Self::None, _) => return None,
        };
        Some(if keys == 1 { one } else { many })
    }

    /// The command with which the security team does it.
    pub(super) fn command(self, item: &Item) -> Option<String> {
        let does = match self {
            Self::Keep | Self::Extend => "hold",
            Self::Reactivate => "reactivate",
            Self::Decide | Self::None => return None,
        };
        Some(format!("keysweep keys {does} {} --reason TEXT", item.key))
    }
}
