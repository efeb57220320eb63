use std::time::Duration;

use jiff::SignedDuration;
use keysweep_aws::{Access, Aws, Cause, FaultKind};
use keysweep_core::facts::{KeyStatus, LastUse};
use keysweep_sim::{Fault, KeySpec, Rule};
use tokio::time::Instant;

use crate::support::{DEV, PROD, id, mk_world, name};

#[tokio::test(start_paused = true)]
async fn every_page_of_users_is_read() {
    let world = mk_world();
    for n in 0..25 {
        world.sim.user(PROD, format!("user-{n:02}")).add();
    }
    world.sim.configure(|settings| settings.iam_page = Some(10));
    world.sim.fault(Rule::new(Fault::EmptyPage).action("iam:ListUsers").first(1));
    let users = world.reader().await.list_users(world.clock.now()).await.unwrap();
    assert_eq!(users.len(), 25);
    assert!(world.sim.call_count(PROD, "iam:ListUsers") >= 4);
}

#[tokio::test(start_paused = true)]
async fn keys_of_a_user_are_read_whatever_their_status_and_number() {
    let world = mk_world();
    let key = |days| KeySpec::new().created(world.ago(days));
    let user = world
        .sim
        .user(PROD, "many")
        .key(key(9))
        .key(key(8).inactive())
        .key(key(7).status("Expired"))
        .key(key(6))
        .add();
    world.sim.configure(|settings| settings.iam_page = Some(3));
    let keys = world.reader().await.list_access_keys(&name("many"), world.clock.now()).await.unwrap();
    let statuses = keys.iter().map(|key| key.status.clone()).collect::<Vec<_>>();
    let expired = KeyStatus::Other("Expired".to_owned());
    assert_eq!(statuses, [KeyStatus::Active, KeyStatus::Inactive, expired, KeyStatus::Active]);
    assert_eq!(keys.iter().map(|key| key.key.to_string()).collect::<Vec<_>>(), user.keys);
    let created = keys.iter().map(|key| key.created).collect::<Vec<_>>();
    assert_eq!(created, [9, 8, 7, 6].map(|days| world.ago(days)));
}

#[tokio::test(start_paused = true)]
async fn a_user_that_is_not_there_is_gone() {
    let world = mk_world();
    let reader = world.reader().await;
    let fault = reader.list_access_keys(&name("nobody"), world.clock.now()).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Gone);
    assert_eq!(fault.to_string(), "list access keys of user nobody in 111122223333: gone");
    assert_eq!(reader.user(&name("nobody")).await.unwrap_err().kind(), FaultKind::Gone);
}

/// Pages that something between keysweep and AWS may answer with.
const PAGES: [&str; 10] = [
    "",
    "404 page not found",
    "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>",
    "<!doctype html><title>404",
    "{\"code\":\"NoSuchEntity\",\"message\":\"no such user\"}",
    "{\"message\":\"Forbidden\"}",
    "<?xml version=\"1.0\"?><Error><Code>NoSuchEntity</Code></Error>",
    "<html><Error><Code>NoSuchEntity</Code></Error></html>",
    "<ErrorResponse><Error><Code>NoSuchEntity</Code></Error>",
    "<ErrorResponse><Error><Code>NotFound</Code></Error></ErrorResponse>",
];

#[tokio::test(start_paused = true)]
async fn absence_and_denial_are_never_those_of_a_proxy() {
    let world = mk_world();
    world.sim.user(PROD, "svc").add();
    let reader = world.reader().await;
    let now = world.clock.now();
    for body in PAGES {
        for status in [401, 403, 404, 407, 410, 500, 502] {
            world.sim.clear_faults();
            world.sim.fault(Rule::new(Fault::Page { status, body: body.to_owned() }).action("iam:*"));
            let faults = [
                reader.user(&name("svc")).await.unwrap_err(),
                reader.list_access_keys(&name("svc"), now).await.unwrap_err(),
                reader.list_users(now).await.unwrap_err(),
                reader.attached_policies(&name("svc")).await.unwrap_err(),
                reader.has_root_keys().await.unwrap_err(),
            ];
            for fault in faults {
                let what = format!("{status} {body}: {fault:?}");
                assert_ne!(fault.kind(), FaultKind::Gone, "{what}");
                if body.contains("NotFound<") {
                    continue;
                }
                assert_eq!(fault.kind(), FaultKind::Transient, "{what}");
                let told = fault.cause().to_string();
                assert_eq!(told, format!("response {status} did not come from AWS (proxy?)"), "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_proxy_is_no_answer_whatever_its_status() {
    let world = mk_world();
    let reader = world.reader().await;
    for body in
        PAGES.iter().copied().chain(["<html></html>", "<ok>1</ok>", "<GetUserResponse></GetUserResponse>"])
    {
        world.sim.clear_faults();
        world.sim.fault(Rule::new(Fault::Page { status: 200, body: body.to_owned() }).action("iam:*"));
        assert!(reader.list_users(world.clock.now()).await.is_err(), "{body}");
        assert!(reader.has_root_keys().await.is_err(), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn root_keys_are_told_without_a_report() {
    let world = mk_world();
    assert!(!world.reader().await.has_root_keys().await.unwrap());
    world.sim.set_root_keys(PROD, 2);
    assert!(world.reader().await.has_root_keys().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn who_a_user_is_comes_with_path_and_tags() {
    let world = mk_world();
    let user = world.sim.user(PROD, "svc").path("/ci/").tag("team", "ci").add();
    let facts = world.reader().await.user(&name("svc")).await.unwrap();
    assert_eq!(facts.user_id.as_str(), user.user_id);
    assert_eq!((facts.path.as_str(), facts.tags.get("team")), ("/ci/", Some("ci")));
}

#[tokio::test(start_paused = true)]
async fn last_use_tells_never_from_at() {
    let world = mk_world();
    let used = world.stale_user("used");
    let unused = world.sim.user(PROD, "unused").key(KeySpec::new()).add();
    let reader = world.reader().await;
    let now = world.clock.now();
    let last_use = reader.last_use(&used.keys[0].parse().unwrap(), &name("used"), now).await.unwrap();
    assert_eq!(last_use.at(), Some(world.ago(200)));
    let last_use = reader.last_use(&unused.keys[0].parse().unwrap(), &name("unused"), now).await.unwrap();
    assert_eq!(last_use, LastUse::Never);
}

#[tokio::test(start_paused = true)]
async fn a_denied_call_is_unknown_and_not_never_used() {
    let world = mk_world();
    let reader = world.reader().await;
    let unknown = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
    let fault = reader.last_use(&unknown, &name("nobody"), world.clock.now()).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Denied);
}

#[tokio::test(start_paused = true)]
async fn last_use_of_a_key_of_someone_else_is_a_fault() {
    let world = mk_world();
    let user = world.stale_user("owner");
    let key = user.keys[0].parse().unwrap();
    let fault = world.reader().await.last_use(&key, &name("other"), world.clock.now()).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Bug);
    assert!(fault.cause().to_string().contains("owner"));
}

#[tokio::test(start_paused = true)]
async fn dates_in_the_future_are_faults_once_clocks_cannot_explain_them() {
    let world = mk_world();
    let now = world.clock.now();
    let ahead = |minutes| {
        KeySpec::new().created(world.ago(9)).used(now + SignedDuration::from_mins(minutes), "s3", "x")
    };
    let user = world.sim.user(PROD, "ahead").key(ahead(-1)).key(ahead(-20)).add();
    let reader = world.reader().await;
    let key = user.keys[0].parse().unwrap();
    assert!(reader.last_use(&key, &name("ahead"), now - SignedDuration::from_mins(5)).await.is_ok());
    let fault = reader.last_use(&key, &name("ahead"), now - SignedDuration::from_mins(7)).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Bug);
    let long_ago = world.ago(10);
    assert!(reader.list_access_keys(&name("ahead"), now).await.is_ok());
    assert!(reader.list_access_keys(&name("ahead"), long_ago).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn policies_that_mark_a_compromise_are_found_among_others() {
    let world = mk_world();
    world.sim.user(PROD, "leaked").add();
    for policy in [
        "ReadOnlyAccess",
        "AWSCompromisedKeyQuarantineV3",
        "AWSCompromisedKeyQuarantine",
        "AWSExposedCredentialPolicy_DO_NOT_REMOVE",
        "awscompromisedkeyquarantinev9",
        "NotAWSCompromisedKeyQuarantine",
    ] {
        world.sim.attach_policy(PROD, "leaked", &format!("arn:aws:iam::aws:policy/{policy}"));
    }
    let reader = world.reader().await;
    let found = reader.attached_policies(&name("leaked")).await.unwrap();
    let detail = reader.user_details(|_| true).await.unwrap().remove(&name("leaked")).unwrap();
    assert_eq!(detail.policies, found);
    let marks = found.iter().filter(|policy| policy.marks_a_compromise());
    let mut found: Vec<&str> = marks.map(|policy| policy.name.as_str()).collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "AWSCompromisedKeyQuarantine",
            "AWSCompromisedKeyQuarantineV3",
            "AWSExposedCredentialPolicy_DO_NOT_REMOVE",
            "awscompromisedkeyquarantinev9",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn users_at_once_are_the_users_one_by_one() {
    let world = mk_world();
    for n in 0..7 {
        world.sim.user(PROD, format!("svc-{n}")).path("/ci/").tag("number", n.to_string()).add();
    }
    world.sim.configure(|settings| settings.iam_page = Some(3));
    let reader = world.reader().await;
    let details = reader.user_details(|name| name.as_str() != "svc-4").await.unwrap();
    assert_eq!(world.sim.call_count(PROD, "iam:GetAccountAuthorizationDetails"), 3);
    assert_eq!(details.len(), 6);
    for (name, detail) in details {
        assert_eq!(detail.facts, reader.user(&name).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_leads_in_circles_or_breaks_off_is_no_listing_of_users() {
    let world = mk_world();
    world.sim.user(PROD, "svc").add();
    let reader = world.reader().await;
    for fault in [Fault::MalformedBody, Fault::GarbageBody, Fault::AccessDenied] {
        world.sim.clear_faults();
        world.sim.fault(Rule::new(fault).action("iam:GetAccountAuthorizationDetails"));
        assert!(reader.user_details(|_| true).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_read_is_tried_again_and_no_more_than_three_times() {
    let world = mk_world();
    let reader = world.reader().await;
    world.sim.fault(Rule::new(Fault::Throttle).action("iam:ListUsers").first(2));
    assert!(reader.list_users(world.clock.now()).await.is_ok());
    assert_eq!(world.sim.call_count(PROD, "iam:ListUsers"), 3);
    world.sim.clear_faults();
    world.sim.fault(Rule::new(Fault::Throttle).action("iam:ListUsers"));
    let fault = reader.list_users(world.clock.now()).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Throttled);
    assert_eq!(world.sim.call_count(PROD, "iam:ListUsers"), 6);
}

#[tokio::test(start_paused = true)]
async fn one_throttled_account_takes_no_retries_from_another() {
    let world = mk_world();
    let mut settings = world.settings();
    // Two retries and no more.
    settings.retry_budget = 10;
    let aws = Aws::connect(settings).await.unwrap();
    let prod = aws.reader(id(PROD), Access::Assume).await.unwrap();
    let dev = aws.reader(id(DEV), Access::Assume).await.unwrap();
    world.sim.fault(Rule::new(Fault::Throttle).account(PROD));
    for _ in 0..5 {
        assert!(prod.list_users(world.clock.now()).await.is_err());
    }
    // Five first attempts, and two retries out of the budget.
    assert_eq!(world.sim.call_count(PROD, "iam:ListUsers"), 7);
    world.sim.fault(Rule::new(Fault::Throttle).account(DEV).first(2));
    assert!(dev.list_users(world.clock.now()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_budget_of_an_account_outlives_the_reader() {
    let world = mk_world();
    let mut settings = world.settings();
    settings.retry_budget = 10;
    let aws = Aws::connect(settings).await.unwrap();
    world.sim.fault(Rule::new(Fault::Throttle).account(PROD).action("iam:*"));
    for _ in 0..3 {
        let reader = aws.reader(id(PROD), Access::Assume).await.unwrap();
        assert!(reader.list_users(world.clock.now()).await.is_err());
    }
    // Three first attempts and two retries, and one retry more for each reader that was dropped: with its client
    // the SDK gives back what the last retry took. With budgets of their own it would be nine.
    assert_eq!(world.sim.call_count(PROD, "iam:ListUsers"), 7);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_ends_with_a_fault_in_time() {
    let world = mk_world();
    let reader = world.reader().await;
    world.sim.fault(Rule::new(Fault::Hang).action("iam:GetUser"));
    let start = Instant::now();
    let fault = reader.user(&name("svc")).await.unwrap_err();
    assert_eq!((fault.kind(), fault.cause()), (FaultKind::Transient, &Cause::Timeout));
    assert!(start.elapsed() <= Duration::from_secs(30), "{:?}", start.elapsed());
    let (api, result, elapsed) = *world.told.calls.lock().unwrap().last().unwrap();
    assert_eq!((api, result), ("iam:GetUser", Err(FaultKind::Transient)));
    assert!(elapsed >= Duration::from_secs(10), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_survived_by_a_retry() {
    let world = mk_world();
    world.sim.user(PROD, "svc").add();
    let reader = world.reader().await;
    world.sim.fault(Rule::new(Fault::Hang).action("iam:GetUser").first(1));
    assert!(reader.user(&name("svc")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_one_of_aws_is_a_fault_and_nothing_panics() {
    let world = mk_world();
    world.sim.user(PROD, "svc").add();
    let reader = world.reader().await;
    for fault in [Fault::MalformedBody, Fault::GarbageBody, Fault::ServiceFailure, Fault::ResetBefore] {
        world.sim.clear_faults();
        world.sim.fault(Rule::new(fault.clone()).action("iam:*"));
        let found = reader.user(&name("svc")).await.unwrap_err();
        assert!(matches!(found.kind(), FaultKind::Transient | FaultKind::Bug), "{fault:?}: {found:?}");
        assert!(reader.list_users(world.clock.now()).await.is_err(), "{fault:?}");
        assert!(reader.list_access_keys(&name("svc"), world.clock.now()).await.is_err(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reactivation_is_the_newest_one_of_its_span_and_of_no_other() {
    let world = mk_world();
    let key = world.stale_user("svc-old").keys[0].clone();
    let other = world.stale_user("svc-other").keys[0].clone();
    let mut moments = Vec::new();
    for _ in 0..2 {
        world.sim.set_key_status(&key, "Inactive");
        world.sim.set_key_status(&key, "Active");
        moments.push(world.clock.now());
        world.clock.advance(SignedDuration::from_hours(1));
    }
    let reader = world.reader().await;
    let found = async |from: SignedDuration, until: SignedDuration| {
        // Two lookups a second pass.
        world.clock.advance(SignedDuration::from_secs(1));
        let span = (moments[0] + from, moments[0] + until);
        // One lookup is made for all keys of the account, from the earliest of their spans on.
        let earliest = (moments[0] - SignedDuration::from_hours(1), moments[0]);
        let keys = [(key.parse().unwrap(), span), (other.parse().unwrap(), earliest)].into();
        let found = reader.reactivations(&keys, "us-east-1").await.unwrap();
        found.into_values().next().map(|call| call.at)
    };
    let minutes = SignedDuration::from_mins;
    assert_eq!(found(minutes(-5), minutes(90)).await, Some(moments[1]));
    assert_eq!(found(minutes(-5), minutes(30)).await, Some(moments[0]), "the later one was not meant");
    assert_eq!(found(minutes(30), minutes(90)).await, Some(moments[1]));
    assert_eq!(found(minutes(30), minutes(45)).await, None, "neither before nor after");
}
