//! One key, and a request for its approval.

use keysweep_api::{ApprovalRow, HoldRow, KeyDocument, KeyRow, OwnerRow, PolicyTerm};
use keysweep_core::finding::FindingKind;
use keysweep_core::lifecycle::HoldKind;
use keysweep_core::owner::{Confidence, OwnerSource};
use keysweep_core::render::NextAction;
use keysweep_core::ticket::Planned;

use super::{Cast, ago, every_key_event, finding, key_id, now};

/// A request for approval.
pub(in crate::serve::page) fn request(cast: Cast, index: usize) -> ApprovalRow {
    ApprovalRow {
        request: format!("{}-1f2e3d4c", 120 + index),
        action: if index.is_multiple_of(2) { Planned::Deactivate } else { Planned::Delete },
        asked_at: ago(30),
        expires_at: ago(-200),
        reason: cast.name(index, "an SES SMTP user"),
        last_used_at: (!index.is_multiple_of(3)).then(|| ago(24 * 200)),
        keys_of_user: 1,
        approved_by: if index % 3 == 1 { vec![cast.name(index, "bob (OIDC 00u1)")] } else { Vec::new() },
        approvals_needed: if index % 3 == 1 { 2 } else { 1 },
        owner_can_approve: index % 2 == 1,
        claimed_by: (index % 4 == 2).then(|| cast.name(index, "carol")),
        claimed_until: (index % 4 == 2).then(|| ago(-1)),
    }
}

/// A record in this state.
fn record(cast: Cast, state: &str) -> KeyRow {
    let (account_id, account_name) = cast.account(0);
    KeyRow {
        account_id,
        account_name,
        user_name: cast.user(0),
        user_id: "AIDAIOSFODNN7EXAMPLE".into(),
        access_key_id: key_id(0),
        created_at: ago(24 * 900),
        created_by: None,
        created_by_another_user: false,
        owner: Some(OwnerRow {
            name: cast.name(0, "Dana Reyes"),
            source: OwnerSource::UserTags,
            confidence: Confidence::High,
            email: Some(cast.name(1, "dana@example.com")),
            slack: Some(cast.name(2, "U024BE7LH")),
            webhook: None,
            left: Some(cast.name(1, "Eve Former")),
        }),
        state: state.into(),
        since: Some(ago(80)),
        overlays: vec!["hold".into()],
        finding: Some(FindingKind::Unused),
        hold: None,
        holds: vec![HoldRow {
            number: 77,
            kind: HoldKind::Operator,
            by: cast.name(3, "ann"),
            reason: cast.name(0, "quarterly audit"),
            since: ago(20),
            until: Some(ago(-300)),
        }],
        deactivated_by: (state == "deactivated").then(|| "keysweep".into()),
        reactivations: 1,
        reactivations_need_approval: true,
        reactivated_by: None,
        user_changes: Vec::new(),
        quarantine: None,
        past_quarantine: None,
        activity: None,
        watched_seconds: (state == "deactivated").then_some(5 * 86_400),
        not_needed_at: Some(ago(2)),
        approval_pending: Some(Planned::Delete),
        approval: Some(request(cast, 0)),
        next_action: NextAction::Approval,
        next_action_at: Some(ago(-200)),
        next_action_reason: "waits for approval".into(),
    }
}

/// One key in this state, with every kind of entry in its history.
pub(in crate::serve::page) fn key(cast: Cast, state: &str) -> KeyDocument {
    let mut facts = finding(cast, 1);
    facts.state = state.into();
    facts.access_key_id = Some(key_id(0));
    let term = |term: &str, value: &str, set_by: &str| PolicyTerm {
        term: term.into(),
        value: cast.name(0, value),
        set_by: set_by.into(),
    };
    KeyDocument {
        generated_at: now(),
        clock_skew_seconds: None,
        record: (cast.rows > 0).then(|| record(cast, state)),
        facts: (cast.rows != 1).then_some(facts),
        policy: if cast.rows > 0 {
            vec![
                term("unused_after", "90d", "policy"),
                term("notice", "14d", "policy.override[2]"),
                term("approval", "delete", "policy.override[0]"),
            ]
        } else {
            Vec::new()
        },
        exempt: (cast.rows > 1).then(|| cast.name(4, "policy.exempt[1] until 2026-12-31: break-glass")),
        history: if cast.rows > 0 { every_key_event(cast) } else { Vec::new() },
        caveats: vec!["No AWS log records a call with an Inactive key.".into()],
    }
}
