//! Made-up documents for tests of the views.

#[cfg(feature = "demo")]
pub(super) mod demo;
mod history;
mod keys;
mod lists;
mod status;

use jiff::{SignedDuration, Timestamp};
use keysweep_api::{
    AccountsDocument, ApprovalsDocument, CalendarDocument, ExemptionsDocument, FindingsDocument,
    HoldsDocument, JournalDocument, NoticesDocument, SessionsDocument, StopRow,
};
use keysweep_core::facts::Source;
use keysweep_core::finding::{FindingKind, Severity, SubjectKind};
use keysweep_core::owner::{Confidence, OwnerSource};
use keysweep_core::render::{FindingRow, NextAction};

use super::frame::{Can, Frame, Person, Refresh};
use super::groups::{Grouped, Groups};
use super::query::KeysQuery;
use crate::operator::Glance;

pub(super) use self::history::{every_body, every_key_event};
pub(super) use self::keys::{key, request};
pub(super) use self::status::{breaker, status};

/// What everything here is told as of.
pub(super) fn now() -> Timestamp {
    "2026-11-22T02:30:00Z".parse().unwrap()
}

/// So many hours before [`now`].
pub(super) fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

/// Names as a hostile user of AWS would choose them.
pub(super) const NASTY: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'&amp;",
    "safe\u{202e}gpj.exe",
    "two\r\nlines\u{0}\u{7}",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

/// How a set of documents is made up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast {
    /// Rows in each document.
    pub(super) rows: usize,
    /// Whether names are hostile.
    pub(super) nasty: bool,
}

const USERS: [&str; 7] = [
    "ci-deploy",
    "backup-uploader",
    "ses-smtp-user.20190312-101530",
    "alice",
    "jenkins",
    "bi-export",
    "söhne",
];
const ACCOUNTS: [(&str, &str); 4] = [
    ("111122223333", "prod-payments"),
    ("222233334444", "shared-services"),
    ("333344445555", "sandbox-data-science"),
    ("444455556666", "legacy"),
];
const OWNERS: [&str; 3] = ["Dana Reyes", "team-payments@example.com", "platform"];

impl Cast {
    /// A name: the given one, or a hostile one.
    pub(super) fn name(self, index: usize, usual: &str) -> String {
        if self.nasty { NASTY[index % NASTY.len()].to_owned() } else { usual.to_owned() }
    }

    pub(super) fn user(self, index: usize) -> String {
        self.name(index, USERS[index % USERS.len()])
    }

    pub(super) fn account(self, index: usize) -> (String, Option<String>) {
        let (id, name) = ACCOUNTS[index % ACCOUNTS.len()];
        (id.to_owned(), Some(self.name(index + 1, name)))
    }

    pub(super) fn owner(self, index: usize) -> Option<String> {
        (index % 4 != 3).then(|| self.name(index + 2, OWNERS[index % OWNERS.len()]))
    }

    /// Every count from 0.
    pub(super) fn indexes(self) -> std::ops::Range<usize> {
        0..self.rows
    }
}

/// A key ID.
pub(super) fn key_id(index: usize) -> String {
    format!("AKIAIOSFODNN7{index:07}")
}

/// A frame of somebody who may do everything.
pub(super) fn operator(cast: Cast, here: &str) -> Frame {
    Frame {
        now: now(),
        version: "0.1.0".into(),
        mode: "deactivate".into(),
        mode_means: "deactivates stale keys, and deletes none".into(),
        stops: Vec::new(),
        person: Some(Person { name: cast.name(0, "Ann Example"), role: "operator".into() }),
        csrf: Some("c5rf".into()),
        can: Can { approve: true, operate: true, own: true },
        said: None,
        login: true,
        more: Vec::new(),
        refresh: Refresh::MINUTE,
        here: here.into(),
    }
}

/// A frame of somebody who has not logged in, and could.
pub(super) fn visitor(cast: Cast, here: &str) -> Frame {
    Frame { person: None, csrf: None, can: Can::default(), ..operator(cast, here) }
}

/// What stops all changes.
pub(super) fn stops(cast: Cast) -> Vec<StopRow> {
    vec![
        StopRow {
            title: "Paused".into(),
            reason: format!("by {}: {}", cast.name(0, "ann"), cast.name(1, "incident 42, we look first")),
            since: ago(3),
            remedy: "keysweep resume 88 --reason TEXT".into(),
        },
        StopRow {
            title: "Circuit breaker open".into(),
            reason: "90 keys became due in one sweep; the limit is 20".into(),
            since: ago(26),
            remedy: "keysweep breaker show".into(),
        },
    ]
}

/// One finding.
pub(super) fn finding(cast: Cast, index: usize) -> FindingRow {
    let (account_id, account_name) = cast.account(index);
    let used = !index.is_multiple_of(3);
    let owner = cast.owner(index);
    let steps = [
        (NextAction::Deactivate, Some(-70), "notice given; the notice period ends 2026-11-24T20:30:00Z"),
        (NextAction::Approval, Some(-240), "waits for approval until 2026-12-02T02:30:00Z: an SES SMTP user"),
        (NextAction::Delete, Some(1), "unused; seen Inactive for 14d of 14d"),
        (NextAction::Wait, None, "held by ann until released: audit"),
        (NextAction::Notice, None, "waiting since 2026-11-21T02:30:00Z for a channel to accept the notice"),
        (NextAction::None, None, ""),
    ];
    let (next_action, hours, why) = steps[index % steps.len()];
    let finding = [FindingKind::Unused, FindingKind::NeverUsed, FindingKind::OverAge][index % 3];
    let overlays: &[&str] = [&[][..], &["hold"], &["incident"], &["exempt", "out_of_reach"]][index % 4];
    FindingRow {
        subject: SubjectKind::Key,
        account_id,
        account_name,
        user_name: cast.user(index),
        user_id: Some(format!("AIDAIOSFODNN7{index:07}")),
        access_key_id: Some(key_id(index)),
        status: "Active".into(),
        created_at: Some(ago(24 * 900)),
        last_used_at: used.then(|| ago(24 * (100 + 37 * (i64::try_from(index).unwrap() % 20)))),
        last_used_service: used.then(|| cast.name(index, "s3")),
        last_used_region: used.then(|| "eu-central-1".into()),
        idle_days: Some(140),
        age_days: Some(900),
        finding: Some(finding),
        severity: Some([Severity::High, Severity::Medium, Severity::Critical, Severity::Low][index % 4]),
        compliance: vec!["CIS 1.12".into(), "IAM.22".into()],
        remediation: vec![format!(
            "aws iam update-access-key --access-key-id {} --status Inactive",
            key_id(index)
        )],
        state: ["flagged", "flagged", "deactivated", "active"][index % 4].into(),
        overlays: overlays.iter().map(|&overlay| overlay.into()).collect(),
        unknown: if index % 5 == 4 {
            vec![cast.name(index, "tags of the user: throttled")]
        } else {
            Vec::new()
        },
        next_action,
        next_action_at: hours.map(ago),
        next_action_reason: if why.is_empty() { String::new() } else { cast.name(index, why) },
        approval_request: (next_action == NextAction::Approval).then(|| "120-1f2e3d4c".into()),
        reactivations: 0,
        owner_source: owner.as_ref().map(|_| OwnerSource::UserTags),
        owner_confidence: owner.as_ref().map(|_| Confidence::High),
        owner_left: (index % 6 == 1).then(|| cast.name(index, "Eve Former")),
        owner,
        source: Source::Report,
        report_generated_at: Some(ago(5)),
        warnings: if index % 4 == 2 {
            vec![cast.name(index, "tag terraform=true: managed as code")]
        } else {
            Vec::new()
        },
    }
}

/// One page of findings.
pub(super) fn findings(cast: Cast) -> FindingsDocument {
    let mut findings: Vec<FindingRow> = cast.indexes().map(|index| finding(cast, index)).collect();
    if let Some(root) = findings.get_mut(5) {
        let id = (FindingKind::RootKey, "<root_account>".to_owned());
        (root.subject, root.finding, root.user_name) = (SubjectKind::RootKey, Some(id.0), id.1);
        root.access_key_id = None;
    }
    let rows = findings.len() as u64;
    FindingsDocument {
        generated_at: now(),
        collected_at: (cast.rows > 0).then(|| ago(1)),
        total: if rows > 20 { 12_345 } else { rows },
        findings,
        next_cursor: (rows > 20).then(|| "c+/=&".into()),
    }
}

/// The findings by group. The OU of every second account is known.
pub(super) fn groups(cast: Cast, query: &KeysQuery) -> Vec<Grouped> {
    let Some(by) = query.group else { return Vec::new() };
    let mut groups = Groups::new(by, query);
    for (index, row) in findings(cast).findings.iter().enumerate() {
        let ou = cast.name(index, "Root/Workloads");
        groups.add(Glance {
            account: row.account_id.parse().unwrap(),
            account_name: row.account_name.as_deref().unwrap_or_default(),
            ou_path: if index.is_multiple_of(2) { &ou } else { "" },
            owner: row.owner.as_deref(),
            finding: row.finding,
            severity: row.severity,
            asked: row.approval_request.is_some(),
        });
    }
    groups.finish()
}

pub(super) fn approvals(cast: Cast) -> ApprovalsDocument {
    lists::approvals(cast)
}

pub(super) fn holds(cast: Cast) -> (HoldsDocument, ExemptionsDocument) {
    lists::holds(cast)
}

pub(super) fn accounts(cast: Cast) -> AccountsDocument {
    lists::accounts(cast)
}

pub(super) fn calendar(cast: Cast) -> CalendarDocument {
    lists::calendar(cast)
}

pub(super) fn notices(cast: Cast) -> NoticesDocument {
    lists::notices(cast)
}

pub(super) fn sessions(cast: Cast) -> SessionsDocument {
    lists::sessions(cast)
}

pub(super) fn journal(cast: Cast) -> JournalDocument {
    lists::journal(cast)
}
