//! How things stand.

use jiff::SignedDuration;
use keysweep_api::{BreakerDocument, BreakerKey, CountRow, PauseRow, StatusDocument, SweepRow, TrendPoint};
use keysweep_core::ticket::Planned;

use super::{Cast, ago, key_id, now};

/// How things stand.
pub(in crate::serve::page) fn status(cast: Cast) -> StatusDocument {
    let rows = cast.rows > 0;
    let count = |name: &str, meaning: &str, count: u64, urgent| CountRow {
        name: name.into(),
        meaning: cast.name(0, meaning),
        count,
        urgent,
    };
    let states = [("flagged", 310), ("deactivated", 86), ("deleted", 1_204), ("gone", 7)];
    let idle = [("0-30d", 1_120), ("90-180d", 140), ("365d-", 88)];
    let day = |index: usize| TrendPoint {
        day: (now() - SignedDuration::from_hours(24 * (90 - i64::try_from(index).unwrap())))
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date(),
        stale: 900 - 6 * index as u64 + (index as u64 % 7) * 4,
    };
    StatusDocument {
        generated_at: now(),
        version: "0.1.0".into(),
        mode: "deactivate".into(),
        mode_means: "deactivates stale keys, and deletes none".into(),
        stops: Vec::new(),
        pauses: if rows {
            vec![PauseRow {
                number: 88,
                by: cast.name(0, "ann"),
                reason: cast.name(1, "incident 42"),
                since: ago(3),
            }]
        } else {
            Vec::new()
        },
        missing: if rows { vec![cast.name(1, "the last sweep is older than 2 hours")] } else { Vec::new() },
        sweeping: false,
        next_sweep_at: Some(ago(-5)),
        data_dir: Some("/var/lib/keysweep".into()),
        sweep: rows.then(|| SweepRow {
            at: ago(1),
            took_seconds: 93,
            scanned: 1_498,
            failed: 3,
            skipped: 12,
            unknown_keys: 2,
        }),
        states: if rows { states.map(|(name, n)| count(name, "", n, false)).to_vec() } else { Vec::new() },
        findings: if rows {
            vec![
                count("unused", "was used, and is idle past the threshold", 261, false),
                count("never_used", "not used since creation, past the threshold", 87, false),
                count("over_age", "in use, and older than the policy permits", 530, false),
                count("incident", "AWS considers the key compromised", 1, true),
                count("exempt", "stale, and excluded by an exemption", 14, false),
                count("something_new", "a count that this page does not know", 3, false),
            ]
        } else {
            Vec::new()
        },
        idle: if rows { idle.map(|(name, n)| count(name, "", n, false)).to_vec() } else { Vec::new() },
        approvals: cast.rows as u64,
        without_owner: 41,
        undeliverable: u64::from(rows),
        trend: (0..cast.rows.min(90)).map(day).collect(),
    }
}

/// The circuit breaker, open.
pub(in crate::serve::page) fn breaker(cast: Cast) -> BreakerDocument {
    let key = |index| BreakerKey {
        account_id: cast.account(index).0,
        user_name: cast.user(index),
        access_key_id: key_id(index),
        action: Planned::Deactivate,
    };
    BreakerDocument {
        open: Some(cast.name(1, "90 keys became due in one sweep; the limit is 20")),
        count: cast.rows as u64,
        confirm: Some("90-1f2e3d4c".into()),
        keys: cast.indexes().map(key).collect(),
    }
}
