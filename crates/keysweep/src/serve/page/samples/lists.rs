//! Documents that are lists.

use jiff::SignedDuration;
use keysweep_api::{
    AccountRow, AccountsDocument, ApprovalsDocument, CalendarDay, CalendarDocument, CalendarEvent,
    ExemptionRow, ExemptionsDocument, HeldKey, HoldsDocument, JournalDocument, JournalRow, MessageItem,
    MessageRow, MessageStatus, NoticesDocument, PendingApproval, Role, SessionRow, SessionsDocument,
};
use keysweep_core::lifecycle::HoldKind;
use keysweep_core::notice::NoticeKind;
use keysweep_core::state::Body;

use super::{Cast, ago, every_body, every_key_event, key_id, now, request};

pub(super) fn approvals(cast: Cast) -> ApprovalsDocument {
    let pending = |index| {
        let (account_id, account_name) = cast.account(index);
        PendingApproval {
            account_id,
            account_name,
            user_name: cast.user(index),
            access_key_id: key_id(index),
            state: "flagged".into(),
            owner: cast.owner(index),
            not_needed_at: (index % 3 == 2).then(|| ago(9)),
            finding: "never_used".into(),
            overlays: if index % 5 == 1 { vec!["hold".into()] } else { Vec::new() },
            approval: request(cast, index),
        }
    };
    ApprovalsDocument { generated_at: now(), approvals: cast.indexes().map(pending).collect() }
}

pub(super) fn holds(cast: Cast) -> (HoldsDocument, ExemptionsDocument) {
    let kinds = [HoldKind::Operator, HoldKind::Owner, HoldKind::Reactivated, HoldKind::Quarantine];
    let held = |index: usize| {
        let (account_id, account_name) = cast.account(index);
        HeldKey {
            account_id,
            account_name,
            user_name: cast.user(index),
            access_key_id: key_id(index),
            state: "out_of_reach".into(),
            owner: cast.owner(index),
            number: 70 + index as u64,
            kind: kinds[index % kinds.len()],
            by: cast.name(index, "ann"),
            reason: cast.name(index + 1, "needed for the migration until the end of the year"),
            since: ago(48),
            until: index.is_multiple_of(2).then(|| ago(-90)),
        }
    };
    let exemption = |index: usize| ExemptionRow {
        number: (index > 2).then_some(120 + index as u64),
        by: (index > 2).then(|| cast.name(index, "ada")),
        since: (index > 2).then(|| ago(24 * 5)),
        rule: if index > 2 {
            format!("exemption {}", 120 + index)
        } else {
            format!("policy.exempt[{index}]")
        },
        matches: cast.name(index, "user = \"break-glass-*\""),
        reason: cast.name(index + 1, "break-glass users"),
        until: if index > 2 { ago(-40).to_string() } else { "2026-12-31".into() },
        lapsed: index == 2,
        findings: (index != 3).then_some(if index == 0 { 3 } else { 0 }),
        examples: if index == 0 { vec![key_id(1), key_id(2)] } else { Vec::new() },
        idle_since: match index {
            1 => Some(ago(24 * 120)),
            2 => Some(ago(24 * 4)),
            _ => None,
        },
    };
    (
        HoldsDocument { generated_at: now(), holds: cast.indexes().map(held).collect() },
        ExemptionsDocument {
            generated_at: now(),
            exemptions: (0..cast.rows.min(4)).map(exemption).collect(),
        },
    )
}

pub(super) fn accounts(cast: Cast) -> AccountsDocument {
    let account = |index: usize| {
        let reach = ["failed", "skipped", "left", "scanned"][index % 4];
        let parked = index % 8 == 3;
        AccountRow {
            account_id: format!("{:012}", 111_122_223_333_u64 + index as u64),
            name: cast.account(index).1,
            ou_path: cast.name(index, "Root/Workloads/Production"),
            reach: reach.into(),
            reason: (reach != "scanned")
                .then(|| cast.name(index, "assume role keysweep/KeysweepScan: denied")),
            since: (reach != "scanned").then(|| ago(50)),
            scanned_at: (reach != "skipped").then(|| ago(51)),
            unknown_keys: 1,
            stale: 1_200 + index as u64,
            deactivated: index as u64 % 2,
            parked_until: parked.then(|| ago(-5)),
            parked_because: parked.then(|| cast.name(index, "AWS refused to deactivate a key: denied")),
        }
    };
    let accounts: Vec<AccountRow> = cast.indexes().map(account).collect();
    AccountsDocument {
        generated_at: now(),
        total: accounts.len() as u64,
        next_cursor: (accounts.len() > 20).then(|| "next&page".into()),
        accounts,
    }
}

pub(super) fn calendar(cast: Cast) -> CalendarDocument {
    let what = ["quarantine", "deactivate", "delete", "approval_expires", "hold_ends", "exemption_ends"];
    let event = |index: usize| {
        let (account_id, account_name) = cast.account(index);
        CalendarEvent {
            at: ago(-20),
            what: what[index % what.len()].into(),
            account_id,
            account_name,
            user_name: cast.user(index),
            access_key_id: key_id(index),
        }
    };
    let first = (now() + SignedDuration::from_hours(20)).to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |index: usize| CalendarDay {
        day: first.checked_add(jiff::Span::new().days(i64::try_from(index).unwrap())).unwrap(),
        events: (0..7.min(cast.rows)).map(event).collect(),
        more: if index == 1 { 1_234 } else { 0 },
    };
    CalendarDocument {
        generated_at: now(),
        time_zone: "Europe/Berlin".into(),
        days: (0..cast.rows.min(5)).map(day).collect(),
    }
}

pub(super) fn notices(cast: Cast) -> NoticesDocument {
    let statuses = [MessageStatus::Pending, MessageStatus::Undeliverable, MessageStatus::Delivered];
    let item = |index: usize| MessageItem {
        kind: NoticeKind::DeactivationAhead,
        account_id: cast.account(index).0,
        user_name: cast.user(index),
        access_key_id: key_id(index),
        stands: index.is_multiple_of(2),
    };
    let message = |index: usize| {
        let status = statuses[index % statuses.len()];
        let delivered = status == MessageStatus::Delivered;
        let failed = status == MessageStatus::Undeliverable;
        MessageRow {
            message: 300 + index as u64,
            status,
            recipient: cast.name(index, "Dana Reyes"),
            addresses: vec![cast.name(index + 1, "U024BE7LH"), cast.name(index + 2, "dana@example.com")],
            composed_at: ago(26),
            send_from: ago(-6),
            give_up_at: ago(-20),
            closed_at: (status != MessageStatus::Pending).then(|| ago(2)),
            delivered_to: delivered.then(|| cast.name(index, "dana@example.com")),
            why: failed.then(|| cast.name(index, "550 no such mailbox")),
            items: if delivered { Vec::new() } else { (0..2).map(item).collect() },
            count: 2,
        }
    };
    NoticesDocument {
        generated_at: now(),
        can_send: cast.rows > 0,
        waiting: cast.rows as u64,
        messages: cast.indexes().map(message).collect(),
    }
}

pub(super) fn sessions(cast: Cast) -> SessionsDocument {
    let session = |index: usize| SessionRow {
        number: 1 + index as u64,
        person: cast.name(index, "Ann Example (OIDC 00u1)"),
        role: [Some(Role::Operator), Some(Role::Viewer), None][index % 3],
        since: ago(7),
        seen: ago(0),
        client: cast.name(index, "192.0.2.7"),
    };
    SessionsDocument { generated_at: now(), sessions: cast.indexes().map(session).collect() }
}

pub(super) fn journal(cast: Cast) -> JournalDocument {
    let every = every_key_event(cast).into_iter().chain(every_body(cast)).rev();
    let row = |entry: keysweep_core::state::Entry| {
        let (account, key) = match &entry.body {
            Body::Key { account, key, .. } => (Some(account.to_string()), Some(key.to_string())),
            _ => (None, None),
        };
        JournalRow {
            channel: entry.actor.channel().into(),
            actor: entry.actor.to_string(),
            event: entry.body.name().into(),
            account_id: account,
            access_key_id: key,
            entry,
        }
    };
    JournalDocument {
        generated_at: now(),
        entries: every.take(cast.rows * 4).map(row).collect(),
        next_cursor: (cast.rows > 20).then(|| "1200".into()),
    }
}
