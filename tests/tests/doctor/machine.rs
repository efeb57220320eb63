//! Credentials, the clock and data_dir.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use keysweep::connect::connect;
use keysweep::doctor::{CheckName, Inputs, Verdict, examine};
use keysweep::metrics::Metrics;
use keysweep_sim::{Fault, Rule};

use super::company::{PROD, examined, mk_company, of, verdict};

#[tokio::test(start_paused = true)]
async fn what_could_not_be_asked_is_neither_fine_nor_missing() {
    let company = mk_company("").await;
    company.sim.fault(Rule::new(Fault::Hang).account(PROD).action("iam:GetUser"));
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!((problem.verdict, &problem.accounts[..]), (Verdict::Failed, &[PROD.to_owned()][..]));
    assert!(document.has_gaps());
}

#[tokio::test(start_paused = true)]
async fn credentials_that_aws_does_not_take_end_the_questions_there() {
    let company = mk_company("").await;
    let (config, metrics) = (company.config(), Metrics::new());
    let mut given = company.given();
    given.credentials.as_mut().unwrap().access_key_id = "AKIANOBODYSKEY000000".into();
    let aws = connect(&config, &company.clock, metrics.clone(), given).await;
    let inputs = Inputs { config: &config, clock: &company.clock, metrics: &metrics, only: &[] };
    let document = examine(inputs, aws, &()).await.unwrap();
    assert_eq!(verdict(&document, CheckName::Credentials), Verdict::Gap);
    assert_eq!(document.problems.len(), 1, "{:?}", document.problems);
    for check in [CheckName::Organization, CheckName::ScanRole, CheckName::EnforceRole] {
        assert_eq!(verdict(&document, check), Verdict::CannotTell);
    }
    assert_eq!(verdict(&document, CheckName::DataDir), Verdict::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_a_gap_beyond_five_minutes() {
    for (minutes, expected) in [(4, Verdict::Ok), (-4, Verdict::Ok), (6, Verdict::Gap), (-6, Verdict::Gap)] {
        let mut company = mk_company("").await;
        let clock = company.clock.clone();
        let off = SignedDuration::from_mins(minutes);
        company.sim = company.sim.clone().with_wall_clock(Arc::new(move || clock.operational() + off));
        let document = examined(&company).await;
        assert_eq!(verdict(&document, CheckName::Clock), expected, "{minutes}");
        assert_eq!(document.clock_skew_seconds, Some(minutes * 60));
    }
}

#[tokio::test(start_paused = true)]
async fn a_data_dir_that_is_open_is_not_disturbed() {
    let company = mk_company("").await;
    let engine = company.open().await;
    let document = examined(&company).await;
    let process = format!("process {}", std::process::id());
    assert_eq!(document.data_dir.held_by.as_deref(), Some(process.as_str()));
    assert_eq!(document.data_dir.writable, Some(true));
    // No daemon listens here: that is worth knowing.
    assert_eq!(verdict(&document, CheckName::DataDir), Verdict::Note);
    company.days(&engine, 1).await;
    engine.close().await.unwrap();
    assert_eq!(examined(&company).await.data_dir.held_by, None);
    company.open().await.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_data_dir_that_is_none_or_broken_is_told_and_left_as_it_is() {
    let company = mk_company("").await;
    // The last line of a journal has nothing behind it that would tell of it.
    company.open().await.close().await.unwrap();
    let segment = company.data_dir.path().join("journal").join(format!("{:020}.jsonl", 1));
    let whole = fs::read_to_string(&segment).unwrap();
    fs::write(&segment, whole.replacen("started", "starved", 1)).unwrap();
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::DataDir)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(problem.verdict, Verdict::Gap);
    assert!(problem.reason.as_ref().unwrap().contains("restore the file from a backup"), "{problem:?}");

    fs::write(&segment, &whole).unwrap();
    let torn = whole.clone() + "{\"seq\":";
    fs::write(&segment, &torn).unwrap();
    let document = examined(&company).await;
    assert_eq!(verdict(&document, CheckName::DataDir), Verdict::Note, "{:?}", document.problems);
    assert_eq!(fs::read_to_string(&segment).unwrap(), torn, "doctor changed the journal");

    let of_path = async |path: &Path| {
        let mut config = company.config();
        config.data_dir = path.to_owned();
        let metrics = Metrics::new();
        let aws = connect(&config, &company.clock, metrics.clone(), company.given()).await;
        let inputs = Inputs { config: &config, clock: &company.clock, metrics: &metrics, only: &[] };
        examine(inputs, aws, &()).await.unwrap()
    };
    let file = of_path(&segment).await;
    assert_eq!(verdict(&file, CheckName::DataDir), Verdict::Gap);
    let below = of_path(&segment.join("data")).await;
    assert_eq!(verdict(&below, CheckName::DataDir), Verdict::Gap);
    let nowhere = company.data_dir.path().join("nowhere");
    let missing = of_path(&nowhere).await;
    assert_eq!(verdict(&missing, CheckName::DataDir), Verdict::Note);
    assert!(!nowhere.exists() && !missing.has_gaps());
}
