//! Evidence bundles: no deletion without one, what they tell, and whether anybody can alter one unnoticed.

use std::fs;
use std::path::{Path, PathBuf};

use keysweep::engine::Engine;
use keysweep_api::{Bundle, BundleFile, GatherEvidence, Refusal, ShowEvidence, ShowPlan};
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::{Change, Note, Purpose};
use keysweep_core::state::{Body, Entry};
use keysweep_sim::{Fault, Rule};
use keysweep_tests::company::{Company, DELETE, ask, delete, look, state_of};
use keysweep_tests::site::Site;
use rustix::process::Signal;

const PROD: &str = "111122223333";

/// RFC 8032, section 7.1, test 1, as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write it.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
                       MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                       -----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
                      MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                      -----END PUBLIC KEY-----\n";

/// A key that is deleted on day 21.
async fn mk_company(toml: &str) -> (Company, String) {
    let company = Company::new(&format!("{DELETE}{toml}"));
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    (company, key)
}

fn evidence(company: &Company) -> PathBuf {
    company.config().data_dir.join("evidence")
}

fn parsed(file: &str) -> Bundle {
    let file: BundleFile = serde_json::from_str(file).unwrap();
    serde_json::from_str(file.bundle.get()).unwrap()
}

async fn history(engine: &Engine, key: &str) -> Vec<Entry> {
    engine.store().told(&key.parse().unwrap()).await.unwrap().history
}

async fn next(engine: &Engine, key: &str) -> String {
    let plan = look(engine, ShowPlan {}).await;
    let row = plan.keys.into_iter().find(|row| row.access_key_id.as_deref() == Some(key)).unwrap();
    row.next_action_reason
}

#[tokio::test(start_paused = true)]
async fn a_deletion_leaves_a_bundle_that_the_journal_named_before_its_intent() {
    let (company, key) =
        mk_company("[[policy.override]]\nmatch = { users = [\"svc-*\"] }\nnotice = \"7d\"\n").await;
    let engine = company.begin().await;
    company.days(&engine, 7).await;
    assert!(!evidence(&company).exists(), "a deactivation can be undone");
    company.days(&engine, 15).await;
    assert_eq!(company.status(&key), "deleted");
    let document = look(&engine, ShowEvidence { key: key.parse().unwrap() }).await;
    let file = evidence(&company).join(format!("{}.json", document.sha256));
    assert_eq!(fs::read_to_string(file).unwrap(), document.file);
    assert_eq!(fs::read_dir(evidence(&company)).unwrap().count(), 1);

    let entries = history(&engine, &key).await;
    let named = entries.iter().position(|entry| {
        matches!(&entry.body, Body::Key { event: KeyEvent::Record(Note::BundleWritten { bundle, purpose: Purpose::Deletion }), .. }
            if bundle.as_str() == document.sha256)
    });
    let intent = entries.iter().position(|entry| {
        let Body::Key { event: KeyEvent::Change(Change::Intent { action, .. }), .. } = &entry.body else {
            return false;
        };
        action.as_str() == "delete"
    });
    assert_eq!(named.map(|at| at + 1), intent);

    let bundle = parsed(&document.file);
    assert_eq!((bundle.v, bundle.purpose), (1, Purpose::Deletion));
    assert_eq!((bundle.key.access_key_id.as_str(), bundle.key.account_id.as_str()), (key.as_str(), PROD));
    let before: Vec<_> =
        entries[..named.unwrap()].iter().map(|entry| serde_json::to_value(entry).unwrap()).collect();
    assert_eq!(bundle.history, before);
    assert!(bundle.decision.unwrap().ordered_by.is_none());
    for told in ["noticed", "intent", "accepted", "request_id", "deactivated"] {
        assert!(document.file.contains(told), "{told}");
    }
    let fact = |name: &str| bundle.facts.iter().find(|row| row.fact == name).unwrap();
    assert_eq!(fact("status").value.as_deref(), Some("Inactive"));
    assert!(fact("last_use").value.as_ref().unwrap().ends_with("s3 in us-east-1"), "{:?}", fact("last_use"));
    assert_eq!(fact("last_use").source, "iam:GetAccessKeyLastUsed");
    assert_eq!(fact("account_tags").unknown.as_deref(), Some("not read"));
    assert!(
        bundle.facts.iter().all(|row| row.value.is_some() != row.unknown.is_some()),
        "{:?}",
        bundle.facts
    );
    assert_eq!((bundle.cloudtrail.regions.len(), bundle.cloudtrail.missing.as_deref()), (17, None));
    let term = |name: &str| bundle.policy.iter().find(|term| term.term == name).unwrap();
    assert_eq!(
        (term("notice").set_by.as_str(), term("grace").set_by.as_str()),
        ("policy.override[1]", "policy")
    );
    assert!(bundle.lifecycle.watched_seconds.unwrap() >= 14 * 86_400);
    for limit in ["no data events", "calls with an Inactive key", "no notice to an owner was delivered"] {
        assert!(bundle.limits.iter().any(|told| told.contains(limit)), "{limit}: {:?}", bundle.limits);
    }
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_region_that_was_not_read_is_told() {
    let (company, key) = mk_company(
        "[[policy.override]]\nmatch = { users = [\"svc-*\"] }\nincomplete_evidence = \"ignore\"\n[evidence]\nregions = [\"us-east-1\", \"eu-west-1\", \"sa-east-1\"]\n",
    )
    .await;
    company.sim.fault(Rule::new(Fault::AccessDenied).action("cloudtrail:LookupEvents").region("sa-east-1"));
    let engine = company.begin().await;
    company.days(&engine, 22).await;
    assert_eq!(company.status(&key), "deleted");
    let bundle = parsed(&look(&engine, ShowEvidence { key: key.parse().unwrap() }).await.file);
    assert!(
        bundle.cloudtrail.missing.as_ref().unwrap().contains("1 of 3 Regions"),
        "{:?}",
        bundle.cloudtrail
    );
    let region = bundle.cloudtrail.regions.iter().find(|row| row.region == "sa-east-1").unwrap();
    assert!(
        region.events.is_none() && region.problem.as_ref().unwrap().contains("AccessDenied"),
        "{region:?}"
    );
    assert!(bundle.limits.iter().any(|limit| limit.contains("us-east-1, eu-west-1, sa-east-1")));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_bundle_of_an_order_says_who_gave_it_and_why() {
    let deactivates = "[[policy.override]]\nmatch = { users = [\"svc-*\"] }\nmode = \"deactivate\"\n";
    let (company, key) = mk_company(deactivates).await;
    let engine = company.begin().await;
    company.days(&engine, 22).await;
    assert_eq!(company.status(&key), "Inactive");
    let (done, why) = delete(&engine, &key).await;
    assert!(done, "{why}");
    let bundle = parsed(&look(&engine, ShowEvidence { key: key.parse().unwrap() }).await.file);
    let decision = bundle.decision.unwrap();
    assert_eq!(
        (decision.ordered_by.as_deref(), decision.order_reason.as_deref()),
        (Some("alice"), Some("the test says so"))
    );
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_bundle_that_cannot_be_written_stops_the_deletion_and_nothing_else() {
    let (company, key) = mk_company("").await;
    let engine = company.begin().await;
    company.days(&engine, 20).await;
    let later = company.stale_user(PROD, "svc-later", 300).keys[0].clone();
    fs::write(evidence(&company), "in the way").unwrap();
    company.days(&engine, 9).await;
    assert_eq!(
        (company.status(&key).as_str(), state_of(&engine, &key).as_str()),
        ("Inactive", "deactivated")
    );
    assert_eq!(company.status(&later), "Inactive", "a deactivation needs no bundle");
    let why = next(&engine, &key).await;
    assert!(why.contains("could not write the evidence bundle of the deletion: "), "{why}");
    assert!(why.contains(evidence(&company).to_str().unwrap()), "{why}");
    let (done, why) = delete(&engine, &key).await;
    assert!(!done && why.contains("evidence bundle"), "{why}");
    company.sim.reset_calls();
    company.days(&engine, 1).await;
    assert_eq!(
        company.sim.call_count(PROD, "cloudtrail:LookupEvents"),
        0,
        "nothing is collected that has no place"
    );
    let written = |entry: &Entry| {
        matches!(entry.body, Body::Key { event: KeyEvent::Record(Note::BundleWritten { .. }), .. })
    };
    assert!(!history(&engine, &key).await.iter().any(written), "the journal names none");

    fs::remove_file(evidence(&company)).unwrap();
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "deleted");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn bundles_have_a_limit_together_and_none_is_removed_for_it() {
    let (company, key) = mk_company("[evidence]\nmax_megabytes = 1\n").await;
    let engine = company.begin().await;
    fs::create_dir(evidence(&company)).unwrap();
    let old = evidence(&company).join(format!("{}.json", "0".repeat(64)));
    fs::write(&old, vec![b' '; 999_000]).unwrap();
    company.days(&engine, 22).await;
    assert_eq!(company.status(&key), "Inactive");
    let why = next(&engine, &key).await;
    assert!(why.contains("evidence.max_megabytes allows"), "{why}");
    fs::remove_file(old).unwrap();
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "deleted");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_bundle_made_on_request_permits_nothing() {
    let (company, key) = mk_company("").await;
    let engine = company.begin().await;
    let asked = || GatherEvidence { key: key.parse().unwrap() };
    let document = ask(&engine, asked()).await.unwrap();
    let bundle = parsed(&document.file);
    assert_eq!((bundle.purpose, bundle.lifecycle.state.as_str()), (Purpose::Request, "flagged"));
    assert_eq!(bundle.cloudtrail.regions.len(), 17);
    let entry = history(&engine, &key).await.pop().unwrap();
    assert_eq!(entry.actor.to_string(), "alice");
    company.days(&engine, 20).await;
    assert_eq!(state_of(&engine, &key), "deactivated");
    ask(&engine, asked()).await.unwrap();
    assert!(!delete(&engine, &key).await.0, "grace is not over");
    company.days(&engine, 2).await;
    assert_eq!(company.status(&key), "deleted");
    assert_eq!(fs::read_dir(evidence(&company)).unwrap().count(), 3);
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_gathered_says_why() {
    let (company, key) = mk_company("").await;
    let engine = company.begin().await;
    let asked = |key: &str| GatherEvidence { key: key.parse().unwrap() };
    let shown = |key: &str| ShowEvidence { key: key.parse().unwrap() };
    let refusal = keysweep::operator::look(&engine, &keysweep_tests::company::caller("alice"), shown(&key))
        .await
        .unwrap_err();
    assert!(matches!(&refusal, Refusal::NotFound(why) if why.contains("--gather")), "{refusal}");
    for refusal in [
        ask(&engine, asked("AKIAIOSFODNN7EXAMPLE")).await.unwrap_err(),
        keysweep::operator::look(
            &engine,
            &keysweep_tests::company::caller("alice"),
            shown("AKIAIOSFODNN7EXAMPLE"),
        )
        .await
        .unwrap_err(),
    ] {
        assert!(matches!(&refusal, Refusal::NotFound(why) if why.starts_with("unknown key")), "{refusal}");
    }
    company.sim.fault(Rule::new(Fault::AccessDenied).action("iam:ListAccessKeys"));
    let refusal = ask(&engine, asked(&key)).await.unwrap_err();
    assert!(matches!(&refusal, Refusal::Aws(why) if why.contains("ListAccessKeys")), "{refusal}");
    assert!(!evidence(&company).exists());
    // Lookups that are denied are part of what is told.
    company.sim.clear_faults();
    company.sim.fault(Rule::new(Fault::AccessDenied).action("account:ListRegions"));
    let bundle = parsed(&ask(&engine, asked(&key)).await.unwrap().file);
    assert!(bundle.cloudtrail.missing.as_ref().unwrap().contains("AccessDenied"), "{:?}", bundle.cloudtrail);
    engine.close().await.unwrap();
}

/// A site with a flagged key, and keys to sign with.
async fn mk_site() -> (Site, String) {
    let site = Site::new("").await;
    let signing = site.at("signing.pem");
    fs::write(&signing, PRIVATE).unwrap();
    fs::write(site.at("signing.pub"), PUBLIC).unwrap();
    site.configure(&format!("[evidence]\nsigning_key_file = \"{}\"\n", signing.display()));
    site.account(PROD);
    let key = site.stale_key(PROD, "svc-old");
    site.sim.make_reports();
    (site, key)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_prints_a_bundle_and_verifies_it_against_journal_and_key() {
    let (site, key) = mk_site().await;
    let mut daemon = site.daemon();
    daemon.says("sweep finished").await;
    let (code, file, messages) = site.run(&["evidence", &key, "--gather"]).await;
    assert_eq!(code, 0, "{messages}");
    assert_eq!(file.lines().count(), 1, "{file}");
    assert_eq!(site.run(&["evidence", &key]).await.1, file, "the newest one");
    let path = site.at("bundle.json");
    fs::write(&path, &file).unwrap();

    let (code, data, messages) = site.run(&["evidence", "verify", text(&path)]).await;
    assert_eq!(code, 0, "{messages}");
    assert!(data.contains("names this bundle") && data.contains(&key), "{data}");
    assert!(messages.contains("--public-key"), "{messages}");
    let public = site.at("signing.pub");
    let with_key = ["evidence", "verify", text(&path), "--public-key", text(&public)];
    let (code, data, messages) = site.run(&with_key).await;
    assert!(code == 0 && data.contains("the signature is valid"), "{data}{messages}");

    let (code, page, messages) = site.run(&["evidence", &key, "--format", "html"]).await;
    assert_eq!(code, 0, "{messages}");
    assert!(page.starts_with("<!doctype html>") && page.contains("svc-old") && page.contains("iam:GetUser"));
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"), "{page}");

    // Somebody improves it.
    fs::write(&path, file.replace("svc-old", "svc-new")).unwrap();
    let (code, _, messages) = site.run(&["evidence", "verify", text(&path)]).await;
    assert!(code == 1 && messages.contains("no entry of the journal"), "{messages}");
    let (code, _, messages) = site.run(&with_key).await;
    assert!(code == 1 && messages.contains("the bundle was altered"), "{messages}");
    fs::write(&path, "{}").unwrap();
    let (code, _, messages) = site.run(&with_key).await;
    assert!(code == 1 && messages.contains("not an evidence bundle"), "{messages}");
    let (code, _, messages) = site.run(&["evidence", "verify", text(&site.at("none.json"))]).await;
    assert!(code == 1 && messages.contains("none.json"), "{messages}");

    // The same works without a daemon. With the public key, verification needs neither a daemon nor a configuration.
    daemon.signal(Signal::TERM);
    assert!(daemon.ends().await.0.success());
    fs::write(&path, &file).unwrap();
    assert_eq!(site.run(&["evidence", &key]).await.1, file);
    assert_eq!(site.run(&["evidence", "verify", text(&path)]).await.0, 0);
    fs::remove_file(site.at("keysweep.toml")).unwrap();
    assert_eq!(site.run(&with_key).await.0, 0);
    assert_eq!(site.run(&["evidence", "verify", text(&path)]).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_key_that_is_none_is_a_mistake_of_the_configuration() {
    let (site, _) = mk_site().await;
    fs::write(site.at("signing.pem"), PUBLIC).unwrap();
    let (code, _, messages) = site.run(&["config", "check"]).await;
    assert_eq!(code, 2, "{messages}");
    assert!(
        messages.contains("evidence.signing_key_file") && messages.contains("openssl genpkey"),
        "{messages}"
    );
    let (status, log) = site.daemon().ends().await;
    assert_eq!(status.code(), Some(2), "{}", log.join("\n"));
    // An undo does not wait for it.
    assert_ne!(site.run(&["pause", "--reason", "freeze"]).await.0, 2);
}
