use jiff::SignedDuration;
use keysweep_aws::report::join;
use keysweep_aws::{Access, FaultKind, Reader, Report, ReportFault, ReportState};
use keysweep_core::facts::LastUse;
use keysweep_sim::{Fault, KeySpec, Rule};

use crate::support::{PROD, World, id, mk_world, name};

const MAX_AGE: SignedDuration = SignedDuration::from_hours(6);

async fn fetch(world: &World, reader: &Reader) -> Result<Report, ReportFault> {
    reader.fetch_report(world.clock.now(), MAX_AGE).await
}

#[tokio::test(start_paused = true)]
async fn a_ready_report_costs_three_calls_and_one_to_be_made_four() {
    let world = mk_world();
    world.sim.make_report(PROD);
    let reader = world.reader().await;
    assert_eq!(reader.request_report().await.unwrap(), ReportState::Ready);
    fetch(&world, &reader).await.unwrap();
    assert_eq!(world.sim.account_calls(PROD), 3);

    let world = mk_world();
    let reader = world.reader().await;
    assert_eq!(reader.request_report().await.unwrap(), ReportState::Pending);
    assert_eq!(reader.request_report().await.unwrap(), ReportState::Ready);
    fetch(&world, &reader).await.unwrap();
    assert_eq!(world.sim.account_calls(PROD), 4);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_too_old_is_not_used() {
    let world = mk_world();
    world.sim.make_report(PROD);
    let generated_at = world.clock.now();
    world.clock.advance(MAX_AGE);
    let reader = world.reader().await;
    assert_eq!(fetch(&world, &reader).await.unwrap().generated_at(), generated_at);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(fetch(&world, &reader).await.unwrap_err(), ReportFault::TooOld { generated_at });
}

#[tokio::test(start_paused = true)]
async fn why_there_is_no_report_is_told_apart() {
    let world = mk_world();
    let reader = world.reader().await;
    assert!(matches!(fetch(&world, &reader).await, Err(ReportFault::NotThere(_))));
    reader.request_report().await.unwrap();
    assert!(matches!(fetch(&world, &reader).await, Err(ReportFault::NotThere(_))));
    world.sim.fault(Rule::new(Fault::report_capacity()).action("iam:GenerateCredentialReport"));
    assert!(matches!(reader.request_report().await, Err(ReportFault::NoCapacity(_))));
    world.sim.clear_faults();
    world.sim.deny(Some(PROD), "iam:GetCredentialReport");
    let denied = fetch(&world, &reader).await.unwrap_err();
    assert!(matches!(denied, ReportFault::Call(fault) if fault.kind() == FaultKind::Denied));
}

#[tokio::test(start_paused = true)]
async fn an_empty_or_foreign_report_is_unreadable() {
    let world = mk_world();
    let reader = world.reader().await;
    for bytes in ["", "user,arn\nx,y"] {
        world.sim.override_report(PROD, Some(bytes.as_bytes().to_vec().into()));
        assert!(matches!(fetch(&world, &reader).await, Err(ReportFault::Unreadable(_))), "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_report_says_is_what_is_true() {
    let world = mk_world();
    let user = world.stale_user("o'neil,sean+x@corp");
    world.sim.set_root_keys(PROD, 1);
    world.sim.make_report(PROD);
    let reader = world.reader().await;
    let report = fetch(&world, &reader).await.unwrap();
    let rows = report.into_rows().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(rows.iter().filter(|row| row.root && row.keys().count() == 1).count(), 1);
    let row = rows.iter().find(|row| !row.root).unwrap();
    assert_eq!((row.user_name.as_str(), row.path.as_str()), ("o'neil,sean+x@corp", "/ci/"));
    assert_eq!(row.created, Some(world.ago(500)));
    assert_eq!(row.keys().count(), 1);

    let keys = reader.list_access_keys(&row.user_name, world.clock.now()).await.unwrap();
    assert_eq!(keys[0].key.as_str(), user.keys[0]);
    let told = join(row, &keys);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].as_ref().and_then(LastUse::at), Some(world.ago(200)));
}

#[tokio::test(start_paused = true)]
async fn a_user_with_three_keys_is_marked_and_none_of_them_is_joined() {
    let world = mk_world();
    let key = |days| KeySpec::new().created(world.ago(days));
    world.sim.user(PROD, "many").key(key(1)).key(key(2)).key(key(3)).add();
    world.sim.user(PROD, "few").key(key(1)).key(key(2)).add();
    world.sim.make_report(PROD);
    let reader = world.aws().await.reader(id(PROD), Access::Assume).await.unwrap();
    let report = fetch(&world, &reader).await.unwrap();
    for row in report.into_rows().map(Result::unwrap).filter(|row| !row.root) {
        let keys = reader.list_access_keys(&row.user_name, world.clock.now()).await.unwrap();
        let many = row.user_name == name("many");
        assert_eq!(row.more_than_two, many);
        assert_eq!(join(&row, &keys).iter().all(Option::is_none), many);
        assert_eq!(join(&row, &keys).len(), keys.len());
    }
}
