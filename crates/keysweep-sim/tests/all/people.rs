//! Use over time, and what people do.

use jiff::SignedDuration;

use crate::support::*;
use keysweep_sim::{Happening, Trigger, Who};

const KEY: &str = "AKIASVCA000000000001";

fn mk_use() -> Happening {
    Happening::UseKey { key_id: KEY.to_owned(), service: "s3".to_owned(), region: "us-east-1".to_owned() }
}

#[test]
fn nothing_happens_before_its_time_and_all_of_it_after() {
    let clock = mk_clock();
    let (sim, _) = mk_sim(&clock);
    sim.every(SignedDuration::from_hours(24), mk_time("2026-06-02T12:07:00Z"), None, "program", mk_use());
    clock.set(mk_time("2026-06-02T12:06:59Z"));
    let last = || sim.key(KEY).and_then(|key| key.last_use).map(|used| used.at.to_string());
    assert_eq!(last().as_deref(), Some("2026-01-10T08:03:00Z"));
    clock.set(mk_time("2026-06-12T00:00:00Z"));
    assert_eq!(last().as_deref(), Some("2026-06-11T12:07:00Z"));
}

#[test]
fn a_use_of_an_inactive_key_fails_and_is_written_down() {
    let clock = mk_clock();
    let (sim, _) = mk_sim(&clock);
    sim.set_key_status(KEY, "Inactive");
    sim.use_key(KEY, "s3", "us-east-1");
    assert_eq!(
        sim.key(KEY).and_then(|key| key.last_use).map(|used| used.at),
        Some(mk_time("2026-01-10T08:03:00Z"))
    );
    let missed = sim.missed_uses();
    assert_eq!((missed.len(), missed[0].status.as_deref()), (1, Some("Inactive")));
    sim.delete_key(KEY);
    sim.use_key(KEY, "s3", "us-east-1");
    assert_eq!(sim.missed_uses()[1].status, None);
}

#[tokio::test]
async fn an_owner_answers_a_deactivation_hours_later_and_once() {
    let clock = mk_clock();
    let (sim, _) = mk_sim(&clock);
    sim.after(
        Trigger::KeyStatus { key_id: KEY.to_owned(), status: "Inactive".to_owned() },
        SignedDuration::from_hours(6),
        "owner",
        Happening::SetKeyStatus { key_id: KEY.to_owned(), status: "Active".to_owned() },
    );
    let caller = session(&sim).await;
    iam(&sim, &caller, &format!("UpdateAccessKey&UserName=svc-a&AccessKeyId={KEY}&Status=Inactive")).await;
    clock.advance(SignedDuration::from_mins(359));
    assert_eq!(sim.key_status(KEY).as_deref(), Some("Inactive"));
    clock.advance(SignedDuration::from_mins(1));
    assert_eq!(sim.key_status(KEY).as_deref(), Some("Active"));
    let change = sim.changes().pop().expect("a change");
    assert_eq!((change.who, change.applied), (Who::Script("owner".to_owned()), true));
    sim.set_key_status(KEY, "Inactive");
    clock.advance(days(2));
    assert_eq!(sim.key_status(KEY).as_deref(), Some("Inactive"));
}

#[test]
fn a_script_that_is_caught_up_with_acts_in_its_own_time() {
    let clock = mk_clock();
    let (sim, _) = mk_sim(&clock);
    let set = |status: &str| Happening::SetKeyStatus { key_id: KEY.to_owned(), status: status.to_owned() };
    sim.at(mk_time("2026-06-02T00:00:00Z"), "owner", set("Inactive"));
    let trigger = Trigger::KeyStatus { key_id: KEY.to_owned(), status: "Inactive".to_owned() };
    sim.after(trigger, SignedDuration::from_hours(2), "owner", set("Active"));
    clock.advance(days(30));
    assert_eq!(sim.key_status(KEY).as_deref(), Some("Active"));
    let times: Vec<String> = sim.changes().into_iter().map(|change| change.at.to_string()).collect();
    assert_eq!(times, ["2026-06-02T00:00:00Z", "2026-06-02T02:00:00Z"]);
}

#[tokio::test]
async fn credentials_of_an_account_that_left_are_invalid() {
    let (sim, _) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    sim.remove_account(PROD);
    assert_eq!(iam(&sim, &caller, "ListUsers").await.refusal(), (403, "InvalidClientTokenId"));
}

#[test]
fn what_cannot_be_done_any_more_is_in_the_ledger() {
    let clock = mk_clock();
    let (sim, _) = mk_sim(&clock);
    sim.at(
        mk_time("2026-06-02T00:00:00Z"),
        "owner",
        Happening::SetKeyStatus { key_id: KEY.to_owned(), status: "Active".to_owned() },
    );
    sim.delete_key(KEY);
    clock.advance(days(1));
    sim.settle();
    let change = sim.changes().pop().expect("a change");
    assert_eq!((change.applied, change.error.as_deref()), (false, Some("NoSuchEntity")));
}

#[test]
fn accounts_move_close_and_leave() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.move_account(PROD, "Security");
    sim.close_account(PROD);
    assert_eq!(sim.account_state(PROD).as_deref(), Some("CLOSED"));
    sim.remove_account(PROD);
    assert_eq!(sim.account_state(PROD), None);
    assert!(!sim.key_exists(KEY));
    let actions: Vec<String> = sim.changes().into_iter().map(|change| change.action).collect();
    assert_eq!(
        actions,
        [
            "organizations:MoveAccount",
            "organizations:CloseAccount",
            "organizations:RemoveAccountFromOrganization"
        ]
    );
}

#[tokio::test]
async fn credentials_of_a_closed_account_stop_to_work() {
    let (sim, _) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    sim.close_account(PROD);
    assert_eq!(iam(&sim, &caller, "ListUsers").await.refusal(), (403, "InvalidClientTokenId"));
    let form = format!("AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName=test&ExternalId=x1");
    assert_eq!(sts(&sim, &mk_hub(&sim), &form).await.refusal(), (403, "AccessDenied"));
}
