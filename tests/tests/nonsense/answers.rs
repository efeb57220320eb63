//! Answers of AWS, as the real clients of the SDK read them.

use jiff::{SignedDuration, Timestamp};
use keysweep_aws::{Access, Aws, Reader, Settings, StaticCredentials};
use keysweep_core::facts::LastUse;
use keysweep_core::ids::{AccountId, UserName};
use keysweep_sim::{HandClock, Sim};
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use super::damage::{check, corpus, mk_damage};
use super::garbling::Garbling;

const PROD: &str = "111122223333";

/// Everything that is read of AWS.
const OPERATIONS: [&str; 17] = [
    "AssumeRole",
    "DescribeOrganization",
    "GenerateCredentialReport",
    "GetAccessKeyLastUsed",
    "GetAccountAuthorizationDetails",
    "GetAccountSummary",
    "GetCallerIdentity",
    "GetCredentialReport",
    "GetUser",
    "ListAccessKeys",
    "ListAccounts",
    "ListAccountsForParent",
    "ListAttachedUserPolicies",
    "ListOrganizationalUnitsForParent",
    "ListRoots",
    "ListTagsForResource",
    "ListUsers",
];

/// An organization that is asked through a network that garbles. Time is paused: retries cost nothing.
struct World {
    runtime: Runtime,
    garbling: Garbling,
    settings: Settings,
    aws: Aws,
    reader: Reader,
    now: Timestamp,
}

fn mk_world() -> World {
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let clock = HandClock::at(now);
    let sim = Sim::new(clock.clock());
    sim.account(PROD).name("prod").role("keysweep/KeysweepScan", "an-external-id").add();
    let garbling = Garbling::default();
    let (access_key_id, secret, token) = sim.hub_credentials();
    let mut settings = Settings::new(clock.clock());
    settings.external_id = Some("an-external-id".into());
    settings.http = Some(garbling.over(sim.connector()));
    // Every case may spend all of its retries.
    settings.retry_budget = usize::MAX / 2;
    settings.credentials = Some(StaticCredentials {
        access_key_id,
        secret_access_key: secret.into(),
        session_token: token.map(Into::into),
    });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (aws, reader) = runtime.block_on(async {
        let aws = Aws::connect(settings.clone()).await.unwrap();
        let reader = aws.reader(account(), Access::Assume).await.unwrap();
        (aws, reader)
    });
    World { runtime, garbling, settings, aws, reader, now }
}

fn account() -> AccountId {
    PROD.parse().unwrap()
}

/// How much an answer told: an error tells why not.
type Told = Result<usize, String>;

impl World {
    /// Asks for what an operation tells, and has it answered with these bytes.
    fn ask(&self, operation: &str, status: u16, body: &[u8]) -> Told {
        self.garbling.answer(operation, status, body.to_vec());
        self.runtime.block_on(self.told(operation))
    }

    async fn told(&self, operation: &str) -> Told {
        let (aws, reader, now) = (&self.aws, &self.reader, self.now);
        let user: UserName = "ci-deploy".parse().unwrap();
        let in_words = |fault: keysweep_aws::Fault| fault.to_string();
        match operation {
            "AssumeRole" | "GetCallerIdentity" => {
                let access = if operation == "AssumeRole" { Access::Assume } else { Access::Direct };
                // A session that is there already is not asked for.
                let aws = Aws::connect(self.settings.clone()).await.map_err(|error| error.to_string())?;
                aws.reader(account(), access).await.map(|_| 1).map_err(in_words)
            }
            "DescribeOrganization" => aws.management_account().await.map(|_| 1).map_err(in_words),
            "GenerateCredentialReport" => {
                reader.request_report().await.map(|_| 1).map_err(|fault| fault.to_string())
            }
            "GetAccessKeyLastUsed" => {
                let key = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
                match reader.last_use(&key, &user, now).await.map_err(in_words)? {
                    LastUse::At { .. } => Ok(1),
                    LastUse::Never => Ok(0),
                }
            }
            "GetAccountAuthorizationDetails" => {
                let details = reader.user_details(|_| true).await.map_err(in_words)?;
                let each = |detail: &keysweep_aws::UserDetail| {
                    1 + detail.facts.tags.iter().count() + detail.policies.len()
                };
                Ok(details.values().map(each).sum())
            }
            "GetCredentialReport" => {
                let report = reader.fetch_report(now, SignedDuration::from_hours(6)).await;
                let report = report.map_err(|fault| fault.to_string())?;
                Ok(if report.names_every_user() { report.into_rows().count() } else { usize::MAX })
            }
            "GetAccountSummary" => reader.has_root_keys().await.map(|_| 1).map_err(in_words),
            "GetUser" => reader.user(&user).await.map(|user| 1 + user.tags.iter().count()).map_err(in_words),
            "ListAccessKeys" => {
                reader.list_access_keys(&user, now).await.map(|keys| keys.len()).map_err(in_words)
            }
            "ListAccounts" => {
                let (mut pages, mut count) = (aws.accounts(), 0);
                while let Some(page) = pages.next().await.map_err(in_words)? {
                    count += page.len();
                }
                Ok(count)
            }
            "ListAccountsForParent" | "ListOrganizationalUnitsForParent" | "ListRoots" => {
                aws.tree().await.map(|tree| tree.above.len()).map_err(in_words)
            }
            "ListAttachedUserPolicies" => {
                reader.attached_policies(&user).await.map(|names| names.len()).map_err(in_words)
            }
            "ListTagsForResource" => {
                aws.account_tags(account()).await.map(|tags| tags.iter().count()).map_err(in_words)
            }
            "ListUsers" => reader.list_users(now).await.map(|users| users.len()).map_err(in_words),
            other => panic!("{other} is not asked for"),
        }
    }
}

/// The answers of the corpus, by operation.
fn answers() -> Vec<(String, Vec<u8>)> {
    let operation = |name: &str| name.split('.').next().unwrap().to_owned();
    corpus("answers").into_iter().map(|(name, body)| (operation(&name), body)).collect()
}

#[test]
fn an_answer_of_the_corpus_is_read() {
    let world = mk_world();
    for (operation, body) in answers() {
        assert!(world.ask(&operation, 200, &body).unwrap() > 0, "{operation}");
    }
}

#[test]
fn garbage_is_a_fault_whatever_was_asked() {
    let world = mk_world();
    for (name, body) in corpus("garbage") {
        for (operation, status) in OPERATIONS.iter().flat_map(|o| [200, 204, 302, 400, 500].map(|s| (o, s))) {
            let told = world.ask(operation, status, &body);
            assert!(told.is_err(), "{name} as the {status} of {operation} told {told:?}");
        }
    }
}

#[test]
fn an_answer_that_nests_without_end_is_a_fault() {
    let world = mk_world();
    for (part, operation) in [
        ("{\"Accounts\":", "ListAccounts"),
        ("[", "ListAccounts"),
        ("{\"x\":", "ListTagsForResource"),
        ("<ListUsersResponse>", "ListUsers"),
        ("<ListAccessKeysResponse><ListAccessKeysResult>", "ListAccessKeys"),
    ] {
        assert!(world.ask(operation, 200, part.repeat(100_000).as_bytes()).is_err(), "{part}");
    }
}

#[test]
fn an_answer_without_what_was_asked_for_is_a_fault_and_not_none() {
    let world = mk_world();
    for operation in OPERATIONS {
        for body in [
            format!("<{operation}Response><{operation}Result></{operation}Result></{operation}Response>"),
            format!("<{operation}Response><{operation}Result/></{operation}Response>"),
            format!("<{operation}Response></{operation}Response>"),
            "{}".to_owned(),
            "{\"Accounts\":null,\"Roots\":null,\"Tags\":null,\"OrganizationalUnits\":null}".to_owned(),
            "{\"Tags\":[{}],\"Accounts\":[{}],\"Roots\":[{}],\"OrganizationalUnits\":[{}]}".to_owned(),
            "{\"Tags\":[null],\"Accounts\":[null],\"Roots\":[null],\"OrganizationalUnits\":[null]}"
                .to_owned(),
        ] {
            let told = world.ask(operation, 200, body.as_bytes());
            assert!(told.is_err(), "{body} told {told:?}");
        }
    }
}

#[test]
fn a_damaged_answer_is_a_fault_or_tells_something_and_a_slightly_damaged_one_as_much_as_before() {
    let world = mk_world();
    let whole = |operation: &str, body: &[u8]| world.ask(operation, 200, body).unwrap();
    let answers: Vec<_> = answers().into_iter().map(|(o, body)| (whole(&o, &body), o, body)).collect();
    check(400, &(select(answers), mk_damage()), |((before, operation, body), damage)| {
        let damaged = damage.done_to(&body);
        let told = world.ask(&operation, 200, &damaged);
        assert_ne!(told, Ok(0), "{operation}: {}", damaged.escape_ascii());
        // Rows of the report are another's to guard, and JSON ends a listing by saying nothing.
        let guarded = operation != "GetCredentialReport";
        if guarded && damage.is_slight() && told.is_ok() {
            assert_eq!(told, Ok(before), "{operation}: {}", damaged.escape_ascii());
        }
        if damaged != body {
            assert!(world.ask(&operation, 503, &damaged).is_err(), "{operation}");
        }
    });
}

#[test]
fn bytes_that_are_no_answer_are_faults() {
    let world = mk_world();
    let input = (select(OPERATIONS.to_vec()), 200_u16..600, prop::collection::vec(any::<u8>(), 0..300));
    check(300, &input, |(operation, status, body)| {
        assert!(world.ask(operation, status, &body).is_err(), "{operation}");
    });
}
