use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::{Fact, KeyStatus, LastUse};
use proptest::prelude::*;

use super::{Report, ReportError, Row, RowError, join};
use crate::reader::ListedKey;

const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

const NO_KEY: &str = "false,N/A,N/A,N/A,N/A";

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn mk_row(user: &str, first: &str, second: &str) -> String {
    let arn = format!("arn:aws:iam::111122223333:user/ci/{user}");
    mk_row_of(user, &arn, "2024-01-01T00:00:00Z,false,N/A", first, second)
}

fn mk_row_of(user: &str, arn: &str, begin: &str, first: &str, second: &str) -> String {
    format!("{},{},{begin},N/A,N/A,false,{first},{second},false,N/A,false,N/A", quoted(user), quoted(arn))
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn mk_report(rows: &[String]) -> Report {
    parse([&[HEADER.to_owned()], rows].concat().join("\n").into_bytes()).unwrap()
}

fn parse(bytes: Vec<u8>) -> Result<Report, ReportError> {
    Report::parse(bytes, "111122223333".parse().unwrap(), now(), now())
}

fn rows(report: Report) -> Vec<Result<Row, RowError>> {
    report.into_rows().collect()
}

fn one(first: &str, second: &str) -> Result<Row, RowError> {
    rows(mk_report(&[mk_row("svc", first, second)])).remove(0)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn both_spellings_of_utc_are_dates() {
    for date in ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"] {
        let row = one(&format!("true,{date},{date},N/A,s3"), NO_KEY).unwrap();
        assert_eq!(row.slots[0].last_rotated, Some(at("2026-01-02T03:04:05Z")));
        let expected =
            LastUse::At { at: at("2026-01-02T03:04:05Z"), service: Some("s3".into()), region: None };
        assert_eq!(row.slots[0].last_used, Fact::Known(expected));
        assert_eq!(row.keys().count(), 1);
    }
}

#[test]
fn never_used_is_told_from_not_known() {
    let row =
        one("true,2026-01-02T03:04:05Z,N/A,N/A,N/A", "true,2026-01-02T03:04:05Z,no_information,N/A,N/A");
    let row = row.unwrap();
    assert_eq!(row.slots[0].last_used, Fact::Known(LastUse::Never));
    assert!(matches!(&row.slots[1].last_used, Fact::Unknown(why) if why.contains("no_information")));
    let row =
        one("true,2026-01-02T03:04:05Z,not_supported,N/A,N/A", "true,2026-01-02T03:04:05Z,,N/A,N/A").unwrap();
    assert!(row.slots.iter().all(|slot| slot.last_used.known().is_none()));
}

#[test]
fn an_inactive_slot_with_a_date_holds_a_key_and_one_without_does_not() {
    let row = one("false,2026-01-02T03:04:05Z,N/A,N/A,N/A", NO_KEY).unwrap();
    assert_eq!(row.slots.each_ref().map(super::Slot::holds_key), [true, false]);
    let row = one("true,N/A,N/A,N/A,N/A", NO_KEY).unwrap();
    assert!(row.slots[0].holds_key() && row.slots[0].last_rotated.is_none());
}

#[test]
fn the_root_row_is_marked() {
    let key = "true,2020-01-01T00:00:00Z,N/A,N/A,N/A";
    let begin = "2019-01-01T00:00:00Z,not_supported,no_information";
    let row = mk_row_of("<root_account>", "arn:aws:iam::111122223333:root", begin, key, NO_KEY);
    let row = rows(mk_report(&[row])).remove(0).unwrap();
    assert!(row.root && row.keys().count() == 1);
    assert_eq!(row.password_enabled, None);
    assert!(row.password_last_used.known().is_none());
}

#[test]
fn case_never_matters_in_a_boolean_or_a_word() {
    let guide = "<root_account>,arn:aws:iam::111122223333:root,2016-03-31T18:00:00+00:00,not_supported,\
        2020-06-01T00:00:00+00:00,NOT_SUPPORTED,not_supported,TRUE,TRUE,2020-06-01T00:00:00+00:00,N/A,N/A,N/A,\
        FALSE,N/A,N/A,N/A,N/A,False,N/A,FALSE,n/a";
    let user = "svc,arn:aws:iam::111122223333:user/svc,2019-01-01T00:00:00+00:00,False,n/a,n/a,n/a,FALSE,True,\
        2020-06-01T00:00:00+00:00,No_Information,n/a,n/a,n/a,N/A,N/A,N/A,N/A,FALSE,N/A,FALSE,N/A";
    let rows = rows(mk_report(&[guide.to_owned(), user.to_owned()]));
    let [root, user] = [0, 1].map(|n| rows[n].clone().unwrap());
    assert!(root.root && root.keys().filter(|slot| slot.active).count() == 1, "{root:?}");
    assert_eq!(root.slots[0].last_used, Fact::Known(LastUse::Never));
    assert_eq!((user.root, user.password_enabled), (false, Some(false)));
    assert_eq!(user.password_last_used, Fact::Known(None));
    assert_eq!(user.slots.each_ref().map(|slot| slot.active), [true, false]);
    assert!(user.slots[0].last_used.known().is_none());
}

#[test]
fn an_unreadable_root_row_is_told_from_a_lost_user() {
    let arn = "arn:aws:iam::111122223333:root";
    let begin = "2019-01-01T00:00:00Z,not_supported,no_information";
    let root = |arn: &str, key: &str| {
        rows(mk_report(&[mk_row_of("<ROOT_account>", arn, begin, key, NO_KEY)])).remove(0)
    };
    assert!(root(arn, "TRUE,2020-01-01T00:00:00Z,N/A,N/A,N/A").unwrap().root);
    for key in
        ["maybe,N/A,N/A,N/A,N/A", "true,yesterday,N/A,N/A,N/A", "false,N/A,2020-01-01T00:00:00Z,N/A,N/A"]
    {
        assert!(root(arn, key).unwrap_err().is_root(), "{key}");
    }
    // What has swallowed a column or bears the ARN of a user may be somebody's.
    assert!(!root(arn, "true").unwrap_err().is_root());
    for arn in ["arn:aws:iam::111122223333:user/svc", "arn:aws:iam::444455556666:root"] {
        assert!(!root(arn, "true,2020-01-01T00:00:00Z,N/A,N/A,N/A").unwrap_err().is_root(), "{arn}");
    }
}

#[test]
fn columns_are_found_by_name_whatever_their_order_and_unknown_ones_are_left_alone() {
    let names = HEADER.split(',').rev().chain(["brand_new"]).collect::<Vec<_>>().join(",");
    let row = mk_row("svc", "true,2026-01-02T03:04:05Z,N/A,N/A,N/A", NO_KEY);
    let values = row.split(',').rev().chain(["whatever"]).collect::<Vec<_>>().join(",");
    let report = parse(format!("{names}\n{values}").into_bytes()).unwrap();
    let row = rows(report).remove(0).unwrap();
    assert_eq!((row.user_name.as_str(), row.path.as_str(), row.keys().count()), ("svc", "/ci/", 1));
}

#[test]
fn a_missing_column_is_named() {
    for column in ["user", "arn", "user_creation_time", "access_key_2_last_rotated", "password_enabled"] {
        let header = HEADER.split(',').filter(|name| *name != column).collect::<Vec<_>>().join(",");
        assert_eq!(parse(header.into_bytes()).err(), Some(ReportError::MissingColumn(column)));
    }
    assert_eq!(parse(format!("{HEADER},user").into_bytes()).err(), Some(ReportError::RepeatedColumn("user")));
    assert_eq!(parse(Vec::new()).err(), Some(ReportError::Empty));
}

#[test]
fn a_23rd_column_tells_who_has_more_than_two_keys() {
    let key = "true,2026-01-02T03:04:05Z,N/A,N/A,N/A";
    let mut text = format!("{HEADER},additional_credentials_info");
    for (user, additional) in
        [("many", "1 additional access key(s); use ListAccessKeys"), ("few", "N/A"), ("none", "")]
    {
        let _ = write!(text, "\n{},{additional}", mk_row(user, key, key));
    }
    let many = rows(parse(text.into_bytes()).unwrap()).into_iter().map(|row| row.unwrap().more_than_two);
    assert_eq!(many.collect::<Vec<_>>(), [true, false, false]);
}

#[test]
fn a_row_that_cannot_be_read_names_nobody_and_the_others_go_on() {
    let good = mk_row("good", NO_KEY, NO_KEY);
    let key = |date: &str| format!("true,{date},N/A,N/A,N/A");
    for (bad, reason) in [
        (mk_row("svc", &key("2026-13-02T03:04:05Z"), NO_KEY), "no date"),
        (mk_row("svc", &key("yesterday"), NO_KEY), "no date"),
        (mk_row("svc", &key("2026-11-21T12:05:01Z"), NO_KEY), "future"),
        (mk_row("svc", "maybe,N/A,N/A,N/A,N/A", NO_KEY), "neither true nor false"),
        (mk_row("svc", "true", NO_KEY), "columns"),
        (
            mk_row_of("svc", "arn:aws:iam::444455556666:user/svc", "N/A,false,N/A", NO_KEY, NO_KEY),
            "another account",
        ),
        (
            mk_row_of("svc", "arn:aws:iam::111122223333:user/other", "N/A,false,N/A", NO_KEY, NO_KEY),
            "something else",
        ),
        (
            mk_row_of("svc", "arn:aws:iam::111122223333:user/ci/SVC", "N/A,false,N/A", NO_KEY, NO_KEY),
            "something else",
        ),
        (mk_row_of("svc", "arn:aws:s3::111122223333:user/svc", "N/A,false,N/A", NO_KEY, NO_KEY), "ARN"),
        (mk_row("svc", &key("1970-01-01T00:00:00Z"), NO_KEY), "before there was AWS"),
        (mk_row("svc", &key("0001-01-01T00:00:00Z"), NO_KEY), "before there was AWS"),
        (mk_row("svc", NO_KEY, "N/A,2025-01-02T03:04:05Z,N/A,N/A,N/A"), "whether a key is active"),
        (mk_row("svc", NO_KEY, ",N/A,N/A,N/A,N/A"), "whether a key is active"),
        (mk_row("svc", NO_KEY, "false,N/A,2025-01-02T03:04:05Z,us-east-1,s3"), "never made"),
        (mk_row("svc", "true,2025-01-02T03:04:05Z,N/A,us-east-1,s3", NO_KEY), "without a date"),
        (mk_row("svc", &key("2023-12-31T23:44:59Z"), NO_KEY), "older than its user"),
        (
            mk_row("svc", "true,2025-01-02T03:04:05Z,2023-12-31T23:44:59Z,us-east-1,s3", NO_KEY),
            "older than its user",
        ),
    ] {
        let report = mk_report(&[bad, good.clone()]);
        let rows = rows(report);
        let error = rows[0].as_ref().unwrap_err();
        assert!(error.to_string().starts_with("row 1 of the credential report (\"svc\") "), "{error}");
        assert!(error.to_string().contains(reason) && !error.is_root(), "{error}");
        assert_eq!(rows[1].as_ref().unwrap().user_name.as_str(), "good");
    }
}

#[test]
fn a_date_that_clocks_may_explain_is_not_in_the_future() {
    assert!(one("true,2026-11-21T12:05:00Z,N/A,N/A,N/A", NO_KEY).is_ok());
    let late = now() + SignedDuration::from_secs(301);
    let content = HEADER.as_bytes().to_vec();
    let report = Report::parse(content, "111122223333".parse().unwrap(), late, now());
    assert_eq!(report.err(), Some(ReportError::Future(late)));
}

#[test]
fn a_name_that_is_not_utf8_is_still_reported() {
    let mut text = format!("{HEADER}\n").into_bytes();
    text.extend(b"s\xffc");
    text.extend(mk_row("", NO_KEY, NO_KEY).as_bytes());
    let error = rows(parse(text).unwrap()).remove(0).unwrap_err();
    assert!(error.to_string().contains("s\u{fffd}c"), "{error}");
    assert_eq!(error.reason(), "is not UTF-8 in user");
    let report = mk_report(&[mk_row("", NO_KEY, NO_KEY)]);
    assert!(!report.names_every_user());
    assert!(rows(report).remove(0).is_err());
}

#[test]
fn a_user_with_two_rows_is_unreadable_in_both() {
    let row = |user| mk_row(user, NO_KEY, NO_KEY);
    for again in ["twice", "Twice", "TWICE"] {
        let rows = rows(mk_report(&[row("twice"), row("once"), row(again)]));
        assert_eq!(rows.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(rows[0].as_ref().unwrap_err().reason(), "has more than one row");
    }
}

#[test]
fn a_quoted_comma_is_part_of_the_name() {
    let rows = rows(mk_report(&[mk_row("o'neil,sean", NO_KEY, NO_KEY)]));
    assert_eq!(rows[0].as_ref().unwrap().user_name.as_str(), "o'neil,sean");
}

fn mk_key(id: &str, status: KeyStatus, created: &str) -> ListedKey {
    ListedKey { key: format!("AKIA{id:0>12}").parse().unwrap(), status, created: at(created) }
}

const FIRST: &str = "2024-01-01T00:00:00Z";
const SECOND: &str = "2025-01-01T00:00:00Z";

#[test]
fn keys_and_slots_are_matched_by_date_whatever_their_order() {
    let row = one(
        &format!("true,{SECOND},N/A,N/A,N/A"),
        &format!("false,{FIRST},2025-06-01T00:00:00Z,us-east-1,s3"),
    );
    let keys = [mk_key("1", KeyStatus::Inactive, FIRST), mk_key("2", KeyStatus::Active, SECOND)];
    let told = join(&row.unwrap(), &keys);
    assert_eq!(told[0].as_ref().and_then(LastUse::at), Some(at("2025-06-01T00:00:00Z")));
    assert_eq!(told[1], Some(LastUse::Never));
}

#[test]
fn wherever_there_is_doubt_the_key_is_asked_about_itself() {
    let active = |date: &str| format!("true,{date},N/A,N/A,N/A");
    let key = |id, date| mk_key(id, KeyStatus::Active, date);
    let cases = [
        ("two slots of one second", one(&active(FIRST), &active(FIRST)), vec![key("1", FIRST)]),
        ("two keys of one second", one(&active(FIRST), NO_KEY), vec![key("1", FIRST), key("2", FIRST)]),
        ("no slot of that second", one(&active(SECOND), NO_KEY), vec![key("1", FIRST)]),
        ("no slot at all", one(NO_KEY, NO_KEY), vec![key("1", FIRST)]),
        ("statuses differ", one(&active(FIRST), NO_KEY), vec![mk_key("1", KeyStatus::Inactive, FIRST)]),
        (
            "status unknown",
            one(&active(FIRST), NO_KEY),
            vec![mk_key("1", KeyStatus::Other("Expired".to_owned()), FIRST)],
        ),
        ("use unknown", one(&format!("true,{FIRST},no_information,N/A,N/A"), NO_KEY), vec![key("1", FIRST)]),
        (
            "three keys",
            one(&active(FIRST), &active(SECOND)),
            vec![key("1", FIRST), key("2", SECOND), key("3", "2026-01-01T00:00:00Z")],
        ),
    ];
    for (what, row, keys) in cases {
        assert!(join(&row.unwrap(), &keys).iter().all(Option::is_none), "{what}");
    }
    let mut more = one(&active(FIRST), NO_KEY).unwrap();
    more.more_than_two = true;
    assert_eq!(join(&more, &[key("1", FIRST)]), [None]);
}

fn any_slot() -> impl Strategy<Value = (bool, Option<i64>, Option<i64>)> {
    let date = || proptest::option::of(1_300_000_000_i64..1_790_000_000);
    (any::<bool>(), date(), date())
}

fn told((active, rotated, used): (bool, Option<i64>, Option<i64>)) -> String {
    let date = |seconds: Option<i64>| {
        seconds.map_or_else(|| "N/A".to_owned(), |s| Timestamp::from_second(s).unwrap().to_string())
    };
    // What was used was made, and what was never used has no service.
    let rotated = rotated.or(used);
    let service = if used.is_some() { "s3" } else { "N/A" };
    format!("{active},{},{},N/A,{service}", date(rotated), date(used))
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for content in [bytes.clone(), [HEADER.as_bytes(), b"\n", &bytes].concat()] {
            if let Ok(report) = parse(content) {
                for row in report.into_rows().flatten() {
                    let keys = [mk_key("1", KeyStatus::Active, FIRST)];
                    prop_assert_eq!(join(&row, &keys).len(), 1);
                }
            }
        }
    }

    #[test]
    fn no_row_vanishes_whatever_is_in_it(
        garbled in "[^\r\n\"]{1,40}",
        position in 0_usize..22,
    ) {
        let row = mk_row("svc", NO_KEY, NO_KEY);
        let mut fields = row.split(',').collect::<Vec<_>>();
        fields[position] = &garbled;
        let report = mk_report(&[mk_row("a", NO_KEY, NO_KEY), fields.join(","), mk_row("z", NO_KEY, NO_KEY)]);
        prop_assert_eq!(rows(report).len(), 3);
    }

    #[test]
    fn what_is_written_is_read(
        user in "[A-Za-z0-9+=,.@_-]{1,64}",
        first in any_slot(),
        second in any_slot(),
    ) {
        let arn = format!("arn:aws:iam::111122223333:user/ci/{user}");
        let row = mk_row_of(&user, &arn, "2011-01-01T00:00:00Z,false,N/A", &told(first), &told(second));
        let row = rows(mk_report(&[row])).remove(0).unwrap();
        prop_assert_eq!(row.user_name.as_str(), user);
        for (slot, (active, rotated, used)) in row.slots.iter().zip([first, second]) {
            prop_assert_eq!(slot.active, active);
            prop_assert_eq!(slot.last_rotated.map(Timestamp::as_second), rotated.or(used));
            prop_assert_eq!(slot.last_used.known().unwrap().at().map(Timestamp::as_second), used);
        }
    }
}
