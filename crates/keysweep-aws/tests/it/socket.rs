use keysweep_aws::{Access, Aws, CallOutcome, FaultKind};
use keysweep_core::ticket::Action;

use crate::support::{PROD, id, list_accounts, mk_world};

#[tokio::test]
async fn our_own_http_client_talks_to_an_endpoint_of_the_settings() {
    let world = mk_world();
    let user = world.stale_user("ci-deploy");
    let server = world.sim.serve().await.unwrap();
    let mut settings = world.settings();
    settings.http = None;
    settings.endpoint = Some(server.endpoint());
    let aws = Aws::connect(settings).await.unwrap();
    assert_eq!(list_accounts(&aws).await.unwrap().len(), 3);
    let reader = aws.reader(id(PROD), Access::Assume).await.unwrap();
    assert_eq!(reader.list_users(world.clock.now()).await.unwrap().len(), 1);
    let prepared = aws.prepare(&world.warrant(&user, Action::Deactivate, &[]), "/ci/").await.unwrap();
    let outcome = prepared.send(world.order(&user, Action::Deactivate)).await;
    assert!(matches!(outcome, CallOutcome::Accepted { .. }), "{outcome:?}");
    server.shutdown().await;
}

#[tokio::test]
async fn where_nobody_listens_the_fault_is_transient() {
    let world = mk_world();
    let server = world.sim.serve().await.unwrap();
    let mut settings = world.settings();
    settings.http = None;
    settings.endpoint = Some(server.endpoint());
    settings.operation_timeout = std::time::Duration::from_millis(700);
    server.shutdown().await;
    let fault = Aws::connect(settings).await.unwrap().caller().await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Transient);
    assert_eq!(fault.to_string(), "get caller identity of the hub: transient");
}
