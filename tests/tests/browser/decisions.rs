//! Decisions by the forms of the page, and what became of them in AWS.

use keysweep_api::ListApprovals;
use keysweep_tests::company::{held, look};
use serde_json::json;

use crate::browser::driver::Browser;
use crate::browser::stage::{APPROVER, Door, FORMULA, HOSTILE, OPERATOR, Running, Stage, VIEWS};

fn pauses(running: &Running) -> usize {
    running.daemon.engine().store().read(|state| state.control().pauses.len())
}

/// How many requests for approval are open.
async fn open_requests(running: &Running) -> usize {
    look(running.daemon.engine(), ListApprovals::default()).await.approvals.len()
}

/// The card of a key among the requests.
fn card(key: &str) -> String {
    format!(".cards > li:has(a[href$='{key}'])")
}

#[tokio::test(start_paused = true)]
async fn a_request_is_claimed_denied_and_approved() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, APPROVER).await;
    let engine = running.daemon.engine();
    let [denied, approved] = [&stage.keys.waiting[0], &stage.keys.waiting[1]];

    browser.goto("/approvals").await;
    assert_eq!(browser.count(".cards > li").await, 6);
    browser.press_in(&card(denied), "I am looking at it").await;
    assert!(browser.text(&card(denied)).await.contains("token bob is looking at it"));
    assert_eq!(browser.count(&format!("{} button[value=claim]", card(denied))).await, 0);

    browser.check(&card(denied), "Deny, and hold the key").await;
    browser.fill_in(&card(denied), "Reason, for the audit log", HOSTILE).await;
    assert_eq!(browser.press_in(&card(denied), "Record the decision").await, "/approvals");
    assert!(browser.count("#said.good").await == 1, "{}", browser.said().await);
    assert_eq!(browser.count(&card(denied)).await, 0);
    assert!(held(engine, denied));

    browser.check(&card(approved), "Approve").await;
    browser.fill_in(&card(approved), "Reason, for the audit log", "agreed").await;
    browser.press_in(&card(approved), "Record the decision").await;
    assert!(browser.count("#said.good").await == 1, "{}", browser.said().await);
    assert!(!held(engine, approved));
    assert_eq!(open_requests(&running).await, 4);
    // The reason is text wherever it shows.
    browser.goto(&format!("/keys/{denied}")).await;
    assert!(browser.text("main").await.contains(HOSTILE));
    browser.goto("/audit").await;
    assert!(browser.text("main").await.contains(HOSTILE));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_requests_are_approved_only_by_their_right_number() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, APPROVER).await;
    let form = "form[action='/approvals/decide']";
    browser.goto("/approvals").await;
    for (count, left) in [("5", 6), ("6", 0)] {
        browser.check(form, "Approve all").await;
        browser.fill_in(form, "Type the number of requests", count).await;
        browser.fill_in(form, "Reason, for the audit log", "the list is right").await;
        assert_eq!(browser.press_in(form, "Record all decisions").await, "/approvals");
        let said = browser.said().await;
        assert_eq!(browser.count("#said.bad").await, u64::from(left > 0), "{said}");
        assert_eq!(open_requests(&running).await, left, "{said}");
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_placed_and_released() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, APPROVER).await;
    let engine = running.daemon.engine();
    let key = &stage.keys.flagged[0];
    let form = "form:has(input[value=hold])";
    browser.goto(&format!("/keys/{key}")).await;
    browser.fill("Days (empty: until released)", "3").await;
    browser.fill_in(form, "Reason, for the audit log", "migration").await;
    assert_eq!(browser.press("Hold the key").await, format!("/keys/{key}"));
    assert!(held(engine, key));

    browser.goto("/holds").await;
    let row = format!("tr:has(a[href$='{key}'])");
    assert!(browser.text(&row).await.contains("migration"));
    browser.open_details(&row).await;
    browser.fill_in(&row, "Reason, for the audit log", "done").await;
    let button = browser.text(&format!("{row} button")).await;
    assert_eq!(browser.press_in(&row, &button).await, "/holds");
    assert!(!held(engine, key), "{}", browser.said().await);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deactivated_key_is_undone_by_the_first_form_of_its_page() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, APPROVER).await;
    let key = &stage.keys.deactivated[0];
    browser.goto(&format!("/keys/{key}")).await;
    let first = browser.act(json!({
        "act": "attribute", "selector": "main form >> input[name=decision]", "name": "value",
    }));
    assert_eq!(first.await, "reactivate");
    browser.fill_in(".undo", "Reason, for the audit log", "it broke").await;
    browser.press("Reactivate now").await;
    assert_eq!(browser.count("#said.good").await, 1, "{}", browser.said().await);
    assert_eq!(stage.company.status(key), "Active");
    assert!(held(running.daemon.engine(), key));
    assert_eq!(browser.count(".undo").await, 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_an_operator_deactivates_can_be_undone_at_once() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, OPERATOR).await;
    let key = &stage.keys.flagged[1];
    let form = "details:has(input[value=deactivate])";
    browser.goto(&format!("/keys/{key}")).await;
    browser.open_details(form).await;
    browser.fill_in(form, "Reason, for the audit log", "leaked").await;
    browser.press("Deactivate now").await;
    assert_eq!(browser.count("#said.good").await, 1, "{}", browser.said().await);
    assert_eq!(stage.company.status(key), "Inactive");
    assert_eq!(browser.count(".undo form").await, 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_shows_on_every_view_until_it_is_ended() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, OPERATOR).await;
    let key = format!("/keys/{}", stage.keys.deactivated[0]);
    let views = || VIEWS.map(str::to_owned).into_iter().chain(["/sessions".to_owned(), key.clone()]);
    browser.fill("Reason to pause all automatic changes", HOSTILE).await;
    assert_eq!(browser.press_in("#stops", "Pause").await, "/");
    assert_eq!(pauses(&running), 1);
    for view in views() {
        browser.goto(&view).await;
        let alarm = browser.text(".alarm").await;
        assert!(alarm.contains("no automatic change starts") && alarm.contains(HOSTILE), "{view}: {alarm}");
    }
    browser.goto("/").await;
    browser.fill("Reason to end this pause", "it is over").await;
    let button = browser.text("form[action='/resume'] button").await;
    browser.press(&button).await;
    assert_eq!(pauses(&running), 0, "{}", browser.said().await);
    for view in views() {
        browser.goto(&view).await;
        assert_eq!(browser.count(".alarm").await, 0, "{view}");
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_list_is_saved_as_csv_that_a_spreadsheet_takes_for_text() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Public).await;
    let mut browser = Browser::as_(&running, OPERATOR).await;
    browser.goto("/keys?finding=stale").await;
    let file = browser.download("CSV").await;
    assert_eq!(file.name, "keys.csv");
    let mut reader = csv::Reader::from_reader(file.text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (key, user) = (column("access_key_id"), column("user_name"));
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    let shown = browser.count("main tbody tr").await;
    assert_eq!(u64::try_from(rows.len()).unwrap(), shown);
    let formula = rows.iter().find(|row| row[key] == *stage.keys.flagged[0]).unwrap();
    assert_eq!(formula[user], format!("'{FORMULA}"));
    running.stop().await;
}
