//! Queries of lists: every row once, numbers as text, and nothing that is silently ignored.

use std::collections::BTreeSet;

use keysweep::token::Role;
use serde_json::Value;

use crate::http::stage::{Running, Stage, mk_token, post, with_token, within_minutes};

const BOSS: &str = "keysweep_token_boss";
const ACCOUNT: &str = "111122223333";
const USERS: usize = 23;

/// A daemon that has seen more stale keys than fit on a page.
async fn mk_daemon(stage: &Stage) -> Running {
    let company = stage.company();
    company.account(ACCOUNT);
    for number in 0..USERS {
        // Some are equal in all that the list is sorted by.
        company.stale_user(ACCOUNT, &format!("svc-{number}"), 200 + i64::try_from(number / 5).unwrap());
    }
    let role =
        format!("role.external_id_file = {:?}\nscan.report_max_age = \"24h\"\n", company.external_id());
    let running = stage.daemon("127.0.0.1", &(role + &mk_token("boss", Role::Operator, BOSS))).await;
    assert!(within_minutes(|| async { running.daemon.engine().latest().is_some() }).await);
    running
}

async fn get(running: &Running, path: &str) -> Value {
    let answer = running.ask(&with_token("GET", path, BOSS)).await;
    answer.is(200, "");
    serde_json::from_str(answer.body()).unwrap()
}

/// What tells each row of all pages, in order.
async fn all(running: &Running, path: &str, rows: &str, id: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(running, &format!("{path}{cursor}")).await;
        found.extend(page[rows].as_array().unwrap().iter().map(|row| row.pointer(id).unwrap().to_string()));
        let Some(next) = page["next_cursor"].as_str() else { return found };
        let encoded: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        cursor = format!("&cursor={encoded}");
        assert!(found.len() <= 500, "no end: {found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_leads_through_every_row_once() {
    let stage = Stage::new();
    let running = mk_daemon(&stage).await;
    for sort in ["priority", "idle", "age", "next", "account", "owner"] {
        let whole =
            all(&running, &format!("/api/v1/findings?sort={sort}&limit=1000"), "findings", "/access_key_id")
                .await;
        assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), whole.len(), "{sort}");
        assert!(whole.len() >= USERS, "{sort}: {whole:?}");
        let paged =
            all(&running, &format!("/api/v1/findings?sort={sort}&limit=7"), "findings", "/access_key_id")
                .await;
        assert_eq!(paged, whole, "{sort}");
    }
    let whole = all(&running, "/api/v1/journal?limit=1000", "entries", "/entry/seq").await;
    let paged = all(&running, "/api/v1/journal?limit=3", "entries", "/entry/seq").await;
    assert!(whole.len() > 10, "{whole:?}");
    assert_eq!(paged, whole);
    assert_eq!(paged.iter().collect::<BTreeSet<_>>().len(), paged.len());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_is_misspelt_is_refused() {
    let stage = Stage::new();
    let running = mk_daemon(&stage).await;
    for list in [
        "findings",
        "approvals",
        "holds",
        "exemptions",
        "accounts",
        "journal",
        "notices",
        "keys",
        "calendar",
        "status",
    ] {
        for query in
            ["stat=flagged", "STATE=flagged", "filter=x", "filter.state=flagged", "state%20=flagged", "=x"]
        {
            let answer = running.ask(&with_token("GET", &format!("/api/v1/{list}?{query}"), BOSS)).await;
            answer.is(400, "malformed");
        }
    }
    for query in ["state=flagged&state=flagged", "limit=7&limit=8"] {
        running
            .ask(&with_token("GET", &format!("/api/v1/findings?{query}"), BOSS))
            .await
            .is(400, "is given twice");
    }
    let body = |filter: &str| {
        format!(r#"{{"filter":{filter},"approve":true,"count":0,"requests":[],"reason":"x"}}"#)
    };
    let path = "/api/v1/approvals/decisions";
    running.ask(&post(path, BOSS, &body(r#"{"stat":"flagged"}"#))).await.is(400, "stat");
    running
        .ask(&post(path, BOSS, &body(r#"{"state":"flagged","state":"x"}"#)))
        .await
        .is(400, "is given twice");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_number_in_a_query_is_text_that_is_a_number() {
    let stage = Stage::new();
    let running = mk_daemon(&stage).await;
    for (limit, rows) in [("7", 7), ("007", 7), ("1", 1)] {
        let page = get(&running, &format!("/api/v1/findings?limit={limit}")).await;
        assert_eq!(page["findings"].as_array().unwrap().len(), rows, "{limit}");
        assert!(page["total"].as_u64().unwrap() >= u64::try_from(USERS).unwrap(), "{limit}");
    }
    for limit in ["0", "1001", "-1", "7.0", "1e2", "", "seven", "99999999999999999999", "0x7"] {
        let answer = running.ask(&with_token("GET", &format!("/api/v1/findings?limit={limit}"), BOSS)).await;
        answer.is(400, "malformed");
    }
    running.stop().await;
}
