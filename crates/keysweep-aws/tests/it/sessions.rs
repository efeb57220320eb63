use std::sync::Arc;

use jiff::SignedDuration;
use keysweep_aws::{Access, Aws, FaultKind};
use keysweep_sim::{Fault, RoleSpec, Rule};

use crate::rewriting::mk_rewriting;
use crate::support::{DEV, PROD, id, mk_world, name};

const HUB: &str = "100000000000";

#[tokio::test(start_paused = true)]
async fn a_session_is_reused_until_five_minutes_before_it_expires() {
    let world = mk_world();
    let aws = world.aws().await;
    let assumed = || world.sim.call_count(PROD, "sts:AssumeRole");
    aws.reader(id(PROD), Access::Assume).await.unwrap();
    aws.reader(id(PROD), Access::Assume).await.unwrap();
    assert_eq!(assumed(), 1);
    world.clock.advance(SignedDuration::from_mins(54));
    aws.reader(id(PROD), Access::Assume).await.unwrap();
    assert_eq!(assumed(), 1);
    world.clock.advance(SignedDuration::from_mins(1));
    let reader = aws.reader(id(PROD), Access::Assume).await.unwrap();
    assert_eq!(assumed(), 2);
    assert!(reader.list_users(world.clock.now()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_denial_under_an_older_session_counts_once_a_new_one_is_denied() {
    let world = mk_world();
    let user = world.stale_user("ci-deploy");
    let aws = world.aws().await;
    let assumed = || world.sim.call_count(PROD, "sts:AssumeRole");
    aws.reader(id(PROD), Access::Assume).await.unwrap();
    for revoke in [keysweep_sim::Sim::revoke_sessions, keysweep_sim::Sim::expire_sessions] {
        let before = assumed();
        revoke(&world.sim);
        let reader = aws.reader(id(PROD), Access::Assume).await.unwrap();
        assert_eq!(reader.list_access_keys(&name("ci-deploy"), world.clock.now()).await.unwrap().len(), 1);
        assert!(reader.user(&name("ci-deploy")).await.is_ok());
        assert_eq!(assumed(), before + 1);
    }
    // In the middle of what a reader does.
    let reader = aws.reader(id(PROD), Access::Assume).await.unwrap();
    assert!(reader.user(&name("ci-deploy")).await.is_ok());
    world.sim.revoke_sessions();
    let key = user.keys[0].parse().unwrap();
    assert!(reader.last_use(&key, &name("ci-deploy"), world.clock.now()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_denial_that_stays_costs_one_session_and_is_told() {
    let world = mk_world();
    let aws = world.aws().await;
    let fresh = aws.reader(id(PROD), Access::Assume).await.unwrap();
    world.sim.fault(Rule::new(Fault::AccessDenied).action("iam:*"));
    // Made for this reader: there is nothing to try again under.
    assert_eq!(fresh.user(&name("x")).await.unwrap_err().kind(), FaultKind::Denied);
    assert_eq!(world.sim.call_count(PROD, "sts:AssumeRole"), 1);
    let reader = aws.reader(id(PROD), Access::Assume).await.unwrap();
    for _ in 0..3 {
        assert_eq!(reader.user(&name("x")).await.unwrap_err().kind(), FaultKind::Denied);
    }
    assert_eq!(world.sim.call_count(PROD, "sts:AssumeRole"), 2);
    assert_eq!(world.sim.call_count(PROD, "iam:GetUser"), 5);
}

#[tokio::test(start_paused = true)]
async fn two_readers_at_once_share_one_session() {
    let world = mk_world();
    let aws = world.aws().await;
    let (one, two) = tokio::join!(aws.reader(id(PROD), Access::Assume), aws.reader(id(PROD), Access::Assume));
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(world.sim.call_count(PROD, "sts:AssumeRole"), 1);
}

#[tokio::test(start_paused = true)]
async fn each_account_is_read_with_its_own_session() {
    let world = mk_world();
    world.sim.user(PROD, "in-prod").add();
    world.sim.user(DEV, "in-dev").add();
    let aws = world.aws().await;
    for (account, user) in [(PROD, "in-prod"), (DEV, "in-dev")] {
        let users =
            aws.reader(id(account), Access::Assume).await.unwrap().list_users(world.clock.now()).await;
        let names = users.unwrap().into_iter().map(|user| user.name).collect::<Vec<_>>();
        assert_eq!(names, [name(user)]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_external_id_the_role_is_denied() {
    let world = mk_world();
    for external_id in [None, Some("another")] {
        let mut settings = world.settings();
        settings.external_id = external_id.map(Into::into);
        let aws = Aws::connect(settings).await.unwrap();
        let fault = aws.reader(id(PROD), Access::Assume).await.err().unwrap();
        assert_eq!(fault.kind(), FaultKind::Denied);
        assert_eq!(
            fault.to_string(),
            "assume role arn:aws:iam::111122223333:role/keysweep/KeysweepScan: denied"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_another_account_opens_nothing() {
    let world = mk_world();
    let mut settings = world.settings();
    // A network that answers for DEV whatever role is asked for.
    settings.http = Some(mk_rewriting(world.sim.connector(), PROD, DEV));
    let aws = Aws::connect(settings).await.unwrap();
    let fault = aws.reader(id(PROD), Access::Assume).await.err().unwrap();
    assert_eq!(fault.kind(), FaultKind::Bug);
    assert!(fault.cause().to_string().contains("444455556666"), "{:?}", fault.cause());
}

#[tokio::test(start_paused = true)]
async fn a_scan_session_can_change_nothing_even_though_its_role_can() {
    let world = mk_world();
    let user = world.stale_user("ci-deploy");
    let change = format!("Action=UpdateAccessKey&Status=Inactive&AccessKeyId={}&", user.keys[0]);
    let mut settings = world.settings();
    settings.http = Some(mk_rewriting(world.sim.connector(), "Action=GetUser&", &change));
    let reader = Aws::connect(settings).await.unwrap().reader(id(PROD), Access::Assume).await.unwrap();
    assert_eq!(reader.user(&name("ci-deploy")).await.unwrap_err().kind(), FaultKind::Denied);
    assert_eq!(world.sim.call_count(PROD, "iam:UpdateAccessKey"), 1);
    assert_eq!(world.sim.key_status(&user.keys[0]).as_deref(), Some("Active"));
}

#[tokio::test(start_paused = true)]
async fn direct_access_is_for_the_account_of_the_hub_only() {
    let world = mk_world();
    let aws = world.aws().await;
    assert_eq!(aws.caller().await.unwrap().account, id(HUB));
    assert!(aws.reader(id(HUB), Access::Direct).await.unwrap().list_users(world.clock.now()).await.is_ok());
    let fault = aws.reader(id(PROD), Access::Direct).await.err().unwrap();
    assert_eq!(fault.to_string(), "open 111122223333 directly: denied");
    // Asked once, however often it is needed.
    assert_eq!(world.sim.call_count(HUB, "sts:GetCallerIdentity"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_refuses_the_source_identity_is_denied() {
    let world = mk_world();
    let role = RoleSpec::new("keysweep/KeysweepScan").external_id("an-external-id").refuses_source_identity();
    world.sim.set_role(PROD, role);
    let fault = world.aws().await.reader(id(PROD), Access::Assume).await.err().unwrap();
    assert_eq!(fault.kind(), FaultKind::Denied);
}

#[tokio::test(start_paused = true)]
async fn no_fault_shows_a_secret() {
    let world = mk_world();
    let aws = world.aws().await;
    world.sim.fault(Rule::new(Fault::MalformedBody).action("sts:AssumeRole"));
    let fault = aws.reader(id(PROD), Access::Assume).await.err().unwrap();
    world.sim.clear_faults();
    let refused = {
        let mut settings = world.settings();
        if let Some(credentials) = &mut settings.credentials {
            credentials.secret_access_key = "wrong-secret-wrong-secret".into();
        }
        let aws = Aws::connect(settings).await.unwrap();
        aws.caller().await.err()
    };
    for text in [format!("{fault:?} {fault} {}", fault.cause()), format!("{refused:?}")] {
        for secret in ["wrong-secret", "SecretAccessKey", "SessionToken", "FwoGZX", "IQoJ", "an-external-id"]
        {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_tells_how_far_the_clocks_are_apart() {
    let world = mk_world();
    let ours = keysweep_sim::HandClock::at(world.clock.now() - SignedDuration::from_mins(3));
    let mut settings = world.settings();
    settings.wall = ours.clock();
    settings.observer = Arc::clone(&world.told) as Arc<dyn keysweep_aws::Observer>;
    Aws::connect(settings).await.unwrap().reader(id(PROD), Access::Assume).await.unwrap();
    assert_eq!(*world.told.skews.lock().unwrap(), [SignedDuration::from_mins(3)]);
}
