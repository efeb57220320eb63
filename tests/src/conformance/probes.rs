//! Every call that keysweep makes, asked of one AWS through keysweep's own client: what it understood, question by
//! question. Two AWSes with the same organization in them must give the same.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use keysweep::clock::Clock;
use keysweep_aws::{
    Access, Aws, CallOutcome, Cause, Fault, Reader, ReportFault, Settings, StaticCredentials,
};
use keysweep_core::facts::{Fact, LastUse};
use keysweep_core::ids::{AccountId, KeyIdentity, UserName};
use keysweep_core::quarantine::QuarantinePolicy;
use keysweep_core::ticket::Action;

use super::moto::{Account, Truth, User};
use super::orders::change;

/// Answers by question.
pub type Answers = BTreeMap<String, String>;

/// A user that nobody has.
const NOBODY: &str = "nobody-at-all";

/// A key that nobody has.
const NO_KEY: &str = "AKIANOBODYSKEY000000";

/// An AWS, and who asks it.
#[derive(Debug, Clone)]
pub struct Side {
    /// Where it listens.
    pub endpoint: String,
    /// Access key ID of the hub.
    pub access_key_id: String,
    /// Secret access key of the hub.
    pub secret_access_key: String,
}

/// Asks everything, changes last.
///
/// # Errors
/// If something could not even be asked: the truth is not as it should be, or no session was to be had.
pub async fn ask_everything(side: &Side, truth: &Truth) -> Result<Answers, String> {
    let mut asking = Asking { aws: connect(side, &truth.external_id).await?, answers: Answers::new() };
    asking.hub(side, truth).await?;
    asking.organization(truth).await?;
    let scanned = |account: &&Account| truth.expected_accounts.scanned.contains(&account.account_id);
    for account in truth.accounts.iter().filter(scanned) {
        asking.account(account, truth).await?;
    }
    asking.changes(truth).await?;
    Ok(asking.answers)
}

async fn connect(side: &Side, external_id: &str) -> Result<Aws, String> {
    let clock = Clock::system();
    let settings = Settings {
        external_id: Some(external_id.into()),
        endpoint: Some(side.endpoint.clone()),
        credentials: Some(StaticCredentials {
            access_key_id: side.access_key_id.clone(),
            secret_access_key: side.secret_access_key.clone().into(),
            session_token: None,
        }),
        ..Settings::new(Arc::new(move || clock.now()))
    };
    Aws::connect(settings).await.map_err(|error| error.to_string())
}

fn now() -> Timestamp {
    Clock::system().now()
}

struct Asking {
    aws: Aws,
    answers: Answers,
}

impl Asking {
    fn note<T: Debug>(&mut self, question: impl Into<String>, answer: Result<T, Fault>) {
        let answer = match answer {
            Ok(answer) => format!("{answer:?}"),
            Err(fault) => told(&fault),
        };
        self.answers.insert(question.into(), answer);
    }

    /// Who we are, and into which roles we come.
    async fn hub(&mut self, side: &Side, truth: &Truth) -> Result<(), String> {
        let caller = self.aws.caller().await;
        self.note("who the hub is", caller);
        let stranger = Side { access_key_id: NO_KEY.to_owned(), ..side.clone() };
        let caller = connect(&stranger, &truth.external_id).await?.caller().await;
        self.note("who a stranger is", caller);
        for account in &truth.accounts {
            let reader = self.aws.reader(id(&account.account_id)?, Access::Assume).await.map(|_| "a session");
            self.note(format!("the role in {}", account.account_name), reader);
        }
        let scanned = truth.expected_accounts.scanned.first().ok_or("no account is scanned")?;
        let wrong = connect(side, "another-external-id").await?;
        let reader = wrong.reader(id(scanned)?, Access::Assume).await.map(|_| "a session");
        self.note("a role with another external ID", reader);
        let reader = self.aws.reader(id("999999999999")?, Access::Assume).await.map(|_| "a session");
        self.note("the role in an account that is none", reader);
        Ok(())
    }

    async fn organization(&mut self, truth: &Truth) -> Result<(), String> {
        let management = self.aws.management_account().await;
        self.note("the management account", management);
        let (mut pages, mut listed) = (self.aws.accounts(), Vec::new());
        while let Some(page) = pages.next().await.map_err(explain)? {
            listed.extend(page);
        }
        listed.sort_by_key(|account| account.id);
        for account in listed {
            self.note(format!("account {}", account.id), Ok(account));
        }
        // IDs of OUs are made up by whoever holds them; names and order are ours.
        let tree = self.aws.tree().await.map(|tree| {
            let names = tree
                .above
                .into_iter()
                .map(|(account, above)| (account, above.into_iter().map(|ou| ou.name).collect::<Vec<_>>()));
            names.collect::<BTreeMap<_, _>>()
        });
        self.note("the tree of OUs", tree);
        for account in &truth.accounts {
            let parents = self.aws.parents(id(&account.account_id)?).await.map(|parents| parents.len());
            self.note(format!("number of parents of {}", account.account_name), parents);
            let tags = self.aws.account_tags(id(&account.account_id)?).await;
            self.note(format!("tags of {}", account.account_name), tags);
        }
        let tags = self.aws.account_tags(id("999999999999")?).await;
        self.note("tags of an account that is none", tags);
        Ok(())
    }

    /// Everything that can be read of an account.
    async fn account(&mut self, account: &Account, truth: &Truth) -> Result<(), String> {
        let name = &account.account_name;
        let reader = self.reader(&account.account_id).await?;
        self.report(&reader, name).await?;

        self.note(format!("root keys of {name}"), reader.has_root_keys().await);
        let users = reader.list_users(now()).await.map(|mut users| {
            users.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
            users
        });
        self.note(format!("users of {name}"), users);
        let details = reader.user_details(|_| true).await;
        self.note(format!("details of the users of {name}"), details);
        self.note(format!("the first detail of {name}"), reader.first_user_detail().await);
        for user in &account.users {
            self.user(&reader, account, user).await?;
        }

        self.doctor(account, truth).await?;
        self.quarantine_policy(&reader, name).await;
        let nobody = user_name(NOBODY)?;
        self.note(format!("password of nobody of {name}"), reader.has_password(&nobody).await);
        self.note(format!("user nobody of {name}"), reader.user(&nobody).await);
        self.note(format!("keys of nobody of {name}"), reader.list_access_keys(&nobody, now()).await);
        self.note(format!("policies of nobody of {name}"), reader.attached_policies(&nobody).await);
        let no_key = NO_KEY.parse().map_err(|error| format!("{error:?}"))?;
        self.note(format!("last use of no key of {name}"), reader.last_use(&no_key, &nobody, now()).await);
        let foreign = truth.keys().find(|(other, _, _)| other.account_id != account.account_id);
        let (_, user, key) = foreign.ok_or("there is one account only")?;
        let (user, key) = (user_name(&user.user_name)?, key.access_key_id.parse());
        let key = key.map_err(|error| format!("{error:?}"))?;
        self.note(format!("last use of a foreign key in {name}"), reader.last_use(&key, &user, now()).await);
        Ok(())
    }

    /// The policy of a quarantine, there and not.
    async fn quarantine_policy(&mut self, reader: &Reader, name: &str) {
        let shipped = QuarantinePolicy::default();
        // Both begin to count versions at 1.
        let version = reader.policy_version(&shipped).await;
        self.note(format!("the quarantine policy of {name}"), version);
        self.note(format!("what the quarantine policy of {name} does"), reader.policy_denies(&shipped).await);
        let version = reader.version_denies(&shipped, "v9").await;
        self.note(format!("a version of the quarantine policy of {name} that is none"), version);
        if let Ok(missing) = "keysweep-quarantine-of-nobody".parse() {
            self.note(
                format!("a quarantine policy that {name} lacks"),
                reader.policy_version(&missing).await,
            );
        }
    }

    /// What is asked of an account only to see what may be done there.
    async fn doctor(&mut self, account: &Account, truth: &Truth) -> Result<(), String> {
        let (name, account) = (&account.account_name, id(&account.account_id)?);
        let entered = self.aws.try_enforce_role(account).await;
        self.note(format!("the role that changes keys in {name}"), entered);
        let examiner = self.aws.examiner(account, Access::Assume).await.map_err(explain)?;
        let first = examiner.first_users(1).await.map(|users| users.len());
        self.note(format!("the first user of {name}"), first);
        let role = format!("arn:aws:iam::{account}:role/{}", truth.roles.enforce);
        let user = format!("arn:aws:iam::{account}:user/{NOBODY}");
        let actions = ["iam:UpdateAccessKey", "iam:DeleteAccessKey"];
        let told = examiner.simulate(&role, &actions, &user, None).await;
        self.note(format!("what would be allowed in {name}"), told);
        Ok(())
    }

    async fn user(&mut self, reader: &Reader, account: &Account, user: &User) -> Result<(), String> {
        let (name, who) =
            (user_name(&user.user_name)?, format!("{} of {}", user.user_name, account.account_name));
        self.note(format!("user {who}"), reader.user(&name).await);
        let keys = reader.list_access_keys(&name, now()).await.map(|mut keys| {
            keys.sort_by(|a, b| a.key.cmp(&b.key));
            keys
        });
        self.note(format!("keys of {who}"), keys);
        self.note(format!("policies of {who}"), reader.attached_policies(&name).await);
        self.note(format!("password of {who}"), reader.has_password(&name).await);
        for key in &user.keys {
            let id = key.access_key_id.parse().map_err(|error| format!("{error:?}"))?;
            self.note(
                format!("last use of {} of {who}", key.access_key_id),
                reader.last_use(&id, &name, now()).await,
            );
        }
        Ok(())
    }

    async fn report(&mut self, reader: &Reader, name: &str) -> Result<(), String> {
        let day = SignedDuration::from_hours(24);
        let early = reader.fetch_report(now(), day).await.map(|_| "a report");
        self.note_report(format!("the report of {name} before it was asked for"), early);
        let first = reader.request_report().await;
        self.note_report(format!("the first request for a report of {name}"), first);
        let pending = reader.fetch_report(now(), day).await.map(|_| "a report");
        self.note_report(format!("the report of {name} right after it was asked for"), pending);
        let again = reader.request_report().await;
        self.note_report(format!("the second request for a report of {name}"), again);
        let report = reader.fetch_report(now(), day).await.map_err(|fault| format!("{fault:?}"))?;
        for row in report.into_rows() {
            let row = row.map_err(|error| error.to_string())?;
            let who = format!("{} in the report of {name}", row.user_name);
            let seen = (row.root, &row.path, row.created, row.password_enabled);
            self.note(format!("row {who}"), Ok(seen));
            self.note(format!("password use of {who}"), Ok(&row.password_last_used));
            self.note(format!("more than two keys of {who}"), Ok(row.more_than_two));
            for (number, slot) in (1..).zip(&row.slots) {
                let key = (slot.active, slot.last_rotated, date_of(&slot.last_used));
                self.note(format!("key {number} of {who}"), Ok(key));
                self.note(format!("place of use of key {number} of {who}"), Ok(place_of(&slot.last_used)));
            }
        }
        Ok(())
    }

    fn note_report<T: Debug>(&mut self, question: String, answer: Result<T, ReportFault>) {
        let answer = match answer {
            Ok(answer) => format!("{answer:?}"),
            Err(ReportFault::Call(fault)) => told(&fault),
            Err(ReportFault::NotThere(fault)) => format!("not there, {}", told(&fault)),
            Err(ReportFault::NoCapacity(fault)) => format!("no capacity, {}", told(&fault)),
            Err(fault @ (ReportFault::TooOld { .. } | ReportFault::Unreadable(_))) => format!("{fault:?}"),
        };
        self.answers.insert(question, answer);
    }

    /// What becomes of a key that is changed in every way, and of changes that must not be.
    async fn changes(&mut self, truth: &Truth) -> Result<(), String> {
        let of = |name: &str| {
            let found = truth.keys().find(|(_, user, _)| user.user_name == name);
            let (account, user, key) = found.ok_or_else(|| format!("there is no user {name} with a key"))?;
            let identity = KeyIdentity {
                account: id(&account.account_id)?,
                user_id: user.user_id.parse().map_err(|error| format!("{error:?}"))?,
                key: key.access_key_id.parse().map_err(|error| format!("{error:?}"))?,
                created: key.created_at,
            };
            Ok::<_, String>((identity, user_name(&user.user_name)?, user.path.clone()))
        };
        let (identity, user, path) = of("deep")?;
        let reader = self.reader(&identity.account.to_string()).await?;
        for (question, action, path) in [
            ("1 deactivate, with a session for another path", Action::Deactivate, "/another/"),
            ("2 deactivate", Action::Deactivate, &*path),
            ("3 deactivate what is Inactive", Action::Deactivate, &*path),
            ("4 reactivate", Action::Reactivate, &*path),
            ("5 reactivate what is Active", Action::Reactivate, &*path),
            ("6 delete what is Active", Action::Delete, &*path),
            ("7 delete what is deleted", Action::Delete, &*path),
            ("8 deactivate what is deleted", Action::Deactivate, &*path),
            ("9 reactivate what is deleted", Action::Reactivate, &*path),
        ] {
            let outcome = change(&self.aws, &identity, &user, path, action, now()).await;
            self.note_change(question, outcome);
            let left = reader.list_access_keys(&user, now()).await;
            self.note(format!("{question}: what is left"), left);
            let used = reader.last_use(&identity.key, &user, now()).await;
            self.note(format!("{question}: its last use"), used);
        }
        // The right key under the name of a user who does not hold it, and of one who is not there.
        let (other, holder, others_path) = of("s3-only")?;
        for (question, name, path) in
            [("of another user", user.as_str(), &path), ("of nobody", NOBODY, &others_path)]
        {
            for action in [Action::Deactivate, Action::Delete] {
                let outcome = change(&self.aws, &other, &user_name(name)?, path, action, now()).await;
                self.note_change(&format!("{action} a key {question}"), outcome);
            }
        }
        let reader_of_other = self.reader(&other.account.to_string()).await?;
        for (question, action, path) in [
            ("1 attach, with a session for another path", Action::Quarantine, "/another/"),
            ("2 detach what is not attached", Action::EndQuarantine, &*others_path),
            ("3 attach", Action::Quarantine, &*others_path),
            ("4 attach what is attached", Action::Quarantine, &*others_path),
            ("5 detach", Action::EndQuarantine, &*others_path),
            ("6 detach what was detached", Action::EndQuarantine, &*others_path),
        ] {
            let outcome = change(&self.aws, &other, &holder, path, action, now()).await;
            self.note_change(question, outcome);
            let attached = reader_of_other.attached_policies(&holder).await;
            self.note(format!("{question}: what is attached"), attached);
        }
        self.note("a key that nobody was allowed to change", reader.list_access_keys(&holder, now()).await);
        let failed = truth.expected_accounts.failed.first().ok_or("no account fails")?;
        let roleless = KeyIdentity { account: id(failed)?, ..other };
        let outcome = change(&self.aws, &roleless, &holder, &others_path, Action::Delete, now()).await;
        self.note_change("delete without a role", outcome);
        Ok(())
    }

    fn note_change(&mut self, question: &str, outcome: Result<CallOutcome, Fault>) {
        let outcome = outcome.map(|outcome| match outcome {
            CallOutcome::Accepted { request_id } => {
                format!("accepted, {} request ID", if request_id.is_some() { "with a" } else { "without a" })
            }
            // After the code comes prose, which every AWS words in its own way.
            CallOutcome::Refused { kind, detail, .. } => format!("refused, {kind}: {}", code(&detail)),
            CallOutcome::Unclear { detail } => format!("unclear: {detail}"),
        });
        self.note(question, outcome);
    }

    async fn reader(&self, account: &str) -> Result<Reader, String> {
        self.aws.reader(id(account)?, Access::Assume).await.map_err(explain)
    }
}

/// What failed, and how.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn explain(fault: Fault) -> String {
    format!("{fault} ({})", fault.cause())
}

/// A fault as keysweep acts on it, with what AWS said: its status and its code, and not its prose.
fn told(fault: &Fault) -> String {
    match fault.cause() {
        Cause::Answer { status, code, .. } => format!("{}: {status} {code}", fault.kind()),
        cause @ (Cause::Timeout
        | Cause::Connection(_)
        | Cause::NotSent(_)
        | Cause::Unreadable { .. }
        | Cause::Contract(_)) => format!("{}: {cause}", fault.kind()),
    }
}

fn code(detail: &str) -> &str {
    detail.split(':').next().unwrap_or_default()
}

fn date_of(last_use: &Fact<LastUse>) -> String {
    match last_use {
        Fact::Known(LastUse::At { at, .. }) => at.to_string(),
        other => format!("{other:?}"),
    }
}

fn place_of(last_use: &Fact<LastUse>) -> String {
    match last_use {
        Fact::Known(LastUse::At { service, region, .. }) => format!("{service:?} {region:?}"),
        Fact::Known(LastUse::Never) | Fact::Unknown(_) | Fact::NotRead => "none".to_owned(),
    }
}

fn id(text: &str) -> Result<AccountId, String> {
    text.parse().map_err(|error| format!("{text}: {error:?}"))
}

fn user_name(text: &str) -> Result<UserName, String> {
    text.parse().map_err(|error| format!("{text}: {error:?}"))
}
