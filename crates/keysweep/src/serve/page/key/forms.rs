//! Which decisions about a key make sense.

use keysweep_api::{ApprovalRow, KeyRow};
use keysweep_core::ticket::Planned;

use crate::serve::page::frame::Frame;
use crate::serve::page::words::When;

/// Which forms the view of a key has. The operation checks again.
#[allow(clippy::struct_excessive_bools, reason = "each form is there or not, whatever the others are")]
pub(super) struct Forms {
    pub(super) undo: bool,
    /// Whether the undo ends a quarantine, and the key itself is Active.
    pub(super) undo_of_quarantine: bool,
    pub(super) deactivate: bool,
    pub(super) delete: bool,
    pub(super) forget: bool,
    pub(super) clear: bool,
}

impl Forms {
    pub(super) fn of(state: &str, record: Option<&KeyRow>, out_of_reach: bool) -> Self {
        let quarantined = record.is_some_and(|record| record.quarantine.is_some());
        let stopped = matches!(state, "deactivating" | "deactivated");
        Self {
            undo: stopped || quarantined,
            undo_of_quarantine: quarantined && !stopped,
            deactivate: matches!(state, "active" | "flagged"),
            delete: state == "deactivated",
            forget: record.is_some() && (out_of_reach || matches!(state, "gone" | "deleted")),
            clear: record.is_some_and(|record| record.reactivations_need_approval),
        }
    }

    pub(super) fn any_dangerous(&self) -> bool {
        self.deactivate || self.delete || self.forget || self.clear
    }
}

/// A request for approval that waits for a decision.
pub(in crate::serve::page) struct Request<'a> {
    pub(in crate::serve::page) row: &'a ApprovalRow,
    /// The change as a noun.
    pub(in crate::serve::page) what: &'static str,
    pub(in crate::serve::page) asked: When,
    pub(in crate::serve::page) expires: When,
    pub(in crate::serve::page) last_used: Option<When>,
    pub(in crate::serve::page) approved_by: String,
    pub(in crate::serve::page) claim: Option<(&'a str, When)>,
}

impl<'a> Request<'a> {
    /// The request; `None` if it is granted.
    pub(in crate::serve::page) fn of(frame: &Frame, row: &'a ApprovalRow) -> Option<Self> {
        let given = u32::try_from(row.approved_by.len()).unwrap_or(u32::MAX);
        if given >= row.approvals_needed.max(1) {
            return None;
        }
        let claimed =
            row.claimed_by.as_deref().zip(row.claimed_until).filter(|(_, until)| *until > frame.now);
        Some(Self {
            row,
            what: match row.action {
                Planned::Deactivate => "deactivation",
                Planned::Delete => "deletion",
            },
            asked: frame.when(row.asked_at),
            expires: frame.when(row.expires_at),
            last_used: frame.maybe(row.last_used_at),
            approved_by: row.approved_by.join(", "),
            claim: claimed.map(|(by, until)| (by, frame.when(until))),
        })
    }
}
