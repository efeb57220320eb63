//! Both roles in one account.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::SignedDuration;
use keysweep_aws::{
    Access, Aws, Caller, EVIDENCE_ACTIONS, Fault, QUARANTINE_ACTIONS, READ_ACTIONS, REPORT_ACTIONS, Reader,
    ReportFault, SIMULATE_ACTION, api_of,
};
use keysweep_core::ids::{AccountId, UserName};
use keysweep_core::policy::Mode;
use keysweep_core::ticket::Action;

use super::answer::{Answer, Refusal};
use super::document::{CheckName, Problem, Verdict};
use super::group::Raised;
use super::policies::{Policies, Whose, grant};
use super::role::not_assumed;
use crate::clock::Clock;
use crate::collect::Target;
use crate::config::{Config, ScanSource};

/// Users who are asked for a key, of which the last use can then be asked for.
const USERS_ASKED: u8 = 5;

/// A user that nobody has: what may be asked about it is asked where there is no other.
const NOBODY: &str = "keysweep-doctor-nobody";

/// A key that nobody has.
const NOBODYS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// Why nobody can be asked what a session of the hub may do.
const PATHLESS: &str = "the hub is a session, which does not show the path of its role";

/// What the examination of an account needs to know.
#[derive(Clone, Copy)]
pub(super) struct Examination<'a> {
    pub(super) aws: &'a Aws,
    pub(super) config: &'a Config,
    pub(super) clock: &'a Clock,
    pub(super) caller: &'a Caller,
    pub(super) policies: &'a Policies,
}

/// An account under examination.
struct Account<'a> {
    examination: Examination<'a>,
    id: AccountId,
    access: Access,
    /// The strongest mode that any rule could set here.
    mode: Mode,
    raised: Vec<Raised>,
}

impl Examination<'_> {
    /// Everything that is not well in an account.
    pub(super) async fn of(self, target: &Target) -> Vec<Raised> {
        let Ok(access) = target.entry else { return Vec::new() };
        let mode = self.config.policy.strongest_mode(&target.account);
        let mut account =
            Account { examination: self, id: target.account.id, access, mode, raised: Vec::new() };
        let reader = account.reader().await;
        if let Some(reader) = &reader {
            account.reads(reader).await;
            account.looks(reader).await;
        }
        account.changes(reader.as_ref()).await;
        account.raised
    }
}

impl Account<'_> {
    async fn reader(&mut self) -> Option<Reader> {
        match self.examination.aws.examiner(self.id, self.access).await {
            Ok(reader) => Some(reader),
            Err(fault) => {
                match self.access {
                    Access::Assume => {
                        self.raised.push(not_assumed(&self.examination, Whose::Scan, self.id, true, &fault));
                    }
                    Access::Direct => self.not_ours(&fault),
                }
                None
            }
        }
    }

    /// Whoever is to enter an account without a role must be at home there.
    fn not_ours(&mut self, fault: &Fault) {
        self.raise(Problem {
            check: CheckName::ScanRole,
            verdict: Verdict::Gap,
            what: "the management account cannot be entered with keysweep's own credentials".into(),
            actions: Vec::new(),
            statement: None,
            reason: Some(fault.cause().to_string()),
            remedy: "run keysweep with credentials of that account, or set organization.management_account to skip or \
                     assume"
                .into(),
            accounts: Vec::new(),
        });
    }

    /// Asks for what a scan and a re-check read.
    async fn reads(&mut self, reader: &Reader) {
        let mut missing = Vec::new();
        if let Err(Failed { action, reason }) = self.each_read(reader, &mut missing).await {
            self.could_not_check(action, reason);
        }
        self.missing(Whose::Scan, Verdict::Gap, missing);
    }

    fn could_not_check(&mut self, action: &str, reason: String) {
        self.raise(Problem {
            check: CheckName::ScanRole,
            verdict: Verdict::Failed,
            what: format!("could not check whether {} may {action}", self.scanner()),
            actions: vec![action.to_owned()],
            statement: None,
            reason: Some(reason),
            remedy: "run doctor again, with --account for this one alone".into(),
            accounts: Vec::new(),
        });
    }

    /// Asks for what is looked at right before a change, in every Region: organizations deny Regions.
    async fn looks(&mut self, reader: &Reader) {
        let Examination { config, clock, .. } = self.examination;
        if self.access == Access::Direct || !config.policy.cloudtrail {
            return;
        }
        let verdict = if self.mode == Mode::Observe { Verdict::Note } else { Verdict::Gap };
        let [list_regions, look_up] = EVIDENCE_ACTIONS;
        let mut missing = Vec::new();
        let listed = reader.enabled_regions().await;
        let mut failed = note(&mut missing, list_regions, Answer::of(listed.as_ref())).err();
        let mut regions = listed.unwrap_or_else(|_| vec![config.aws.region.clone()]);
        if !config.evidence.regions.is_empty() {
            regions.retain(|region| config.evidence.regions.contains(region));
        }
        let (now, nobodys) = (clock.now(), NOBODYS_KEY.parse());
        let since = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(now);
        let mut denied = BTreeMap::new();
        if let Ok(key) = &nobodys {
            let looks = regions.iter().map(async |region| {
                (region.clone(), Answer::of(reader.activity(key, region, since, now).await.as_ref()))
            });
            for (region, answer) in join_all(looks).await {
                match answer {
                    Answer::Permitted => {}
                    Answer::Missing(refusal) => {
                        denied.insert(region, refusal);
                    }
                    Answer::Failed(reason) => failed = failed.or(Some(Failed { action: look_up, reason })),
                }
            }
        }
        if denied.len() == regions.len() {
            let refusal = std::mem::take(&mut denied).into_values().next();
            missing.extend(refusal.map(|refusal| Missing { action: look_up, refusal }));
        }
        if let Some(Failed { action, reason }) = failed {
            self.could_not_check(action, reason);
        }
        self.missing(Whose::Scan, verdict, missing);
        self.some_regions_denied(verdict, look_up, denied);
    }

    /// What is permitted in other Regions is not a matter of the role.
    fn some_regions_denied(
        &mut self,
        verdict: Verdict,
        action: &'static str,
        denied: BTreeMap<String, Refusal>,
    ) {
        let regions: Vec<_> = denied.keys().cloned().collect();
        let Some(refusal) = denied.into_values().next() else { return };
        self.raise(Problem {
            check: CheckName::ScanRole,
            verdict,
            what: format!("{} may not {action} in {}", self.scanner(), regions.join(", ")),
            actions: vec![action.to_owned()],
            statement: None,
            reason: Some(refusal.reason),
            remedy: "permit it there in the service control policy that denies these Regions, list the other Regions in \
                     evidence.regions, or set policy.incomplete_evidence to ignore"
                .into(),
            accounts: Vec::new(),
        });
    }

    /// What is missing of the reads; an error as soon as one of them could not be asked, since the next ones would
    /// wait as long.
    async fn each_read(&mut self, reader: &Reader, missing: &mut Vec<Missing>) -> Result<(), Failed> {
        let [last_used, details, summary, get_user, list_keys, list_attached, list_users] = READ_ACTIONS;
        note(missing, summary, Answer::of(reader.has_root_keys().await.as_ref()))?;
        let listed = reader.first_users(USERS_ASKED).await;
        note(missing, list_users, Answer::of(listed.as_ref()))?;
        let mut users = listed.unwrap_or_default();
        note(missing, details, Answer::of(reader.first_user_detail().await.as_ref()))?;
        if users.is_empty() {
            users.extend(NOBODY.parse::<UserName>().ok());
        }
        if let Some(user) = users.first() {
            note(missing, get_user, Answer::of(reader.user(user).await.as_ref()))?;
            note(missing, list_attached, Answer::of(reader.attached_policies(user).await.as_ref()))?;
        }
        let policy = &self.examination.config.policy;
        if let Some(user) = users.first().filter(|_| policy.may_quarantine()) {
            let [profile, get_policy, get_version] = QUARANTINE_ACTIONS;
            note(missing, profile, Answer::of(reader.has_password(user).await.as_ref()))?;
            let version = reader.policy_version(&policy.quarantine_policy).await;
            note(missing, get_policy, Answer::of(version.as_ref()))?;
            match version {
                Ok(None) => self.no_quarantine_policy("does not exist"),
                Ok(Some(version)) => {
                    let denies = reader.version_denies(&policy.quarantine_policy, &version).await;
                    note(missing, get_version, Answer::of(denies.as_ref()))?;
                    if matches!(denies, Ok(false)) {
                        self.no_quarantine_policy("contains a statement that is not Deny");
                    }
                }
                Err(_) => {}
            }
        }
        let now = self.examination.clock.now();
        let mut of_key = None;
        for user in &users {
            let keys = reader.list_access_keys(user, now).await;
            let answer = Answer::of(keys.as_ref());
            let may = answer == Answer::Permitted;
            note(missing, list_keys, answer)?;
            let Some(key) = keys.ok().and_then(|keys| keys.into_iter().next()).filter(|_| may) else {
                // One denial tells of all.
                if may { continue } else { break }
            };
            of_key = Some(Answer::of(reader.last_use(&key.key, user, now).await.as_ref()));
            break;
        }
        match of_key {
            Some(answer) => note(missing, last_used, answer)?,
            None => self.last_use_without_a_key(reader, last_used, missing).await,
        }
        let [generate, get_report] = REPORT_ACTIONS;
        match self.examination.config.scan.source {
            ScanSource::Live => {}
            ScanSource::Auto | ScanSource::Report => {
                note(missing, generate, of_report(reader.request_report().await))?;
                // Whatever its age, it is not read.
                note(missing, get_report, of_report(reader.fetch_report(now, SignedDuration::ZERO).await))?;
            }
        }
        Ok(())
    }

    /// Users cannot be put in quarantine in this account.
    fn no_quarantine_policy(&mut self, what: &str) {
        let policy = self.examination.config.policy.quarantine_policy.clone();
        let verdict = if self.mode == Mode::Observe { Verdict::Note } else { Verdict::Gap };
        self.raise(Problem {
            check: CheckName::EnforceRole,
            verdict,
            what: format!("managed policy {policy} {what}; keysweep cannot quarantine users"),
            actions: vec![api_of(Action::Quarantine).to_owned()],
            statement: None,
            reason: None,
            remedy: "create it with the policy that `keysweep iam quarantine` prints (StackSet: AllowQuarantine=true), set \
                     evidence.quarantine_policy to AWSDenyAll, or set policy.quarantine to off"
                .into(),
            accounts: Vec::new(),
        });
    }

    /// AWS gives the same answer about keys that do not exist as to those who may not ask.
    async fn last_use_without_a_key(
        &mut self,
        reader: &Reader,
        action: &'static str,
        missing: &mut Vec<Missing>,
    ) {
        let told = match self.principal(Whose::Scan) {
            Some(arn) => self.simulate(reader, &arn, &[action]).await,
            None => Err(PATHLESS.into()),
        };
        match told.map(|answers| answers.into_iter().next()) {
            Ok(Some(Answer::Missing(refusal))) => missing.push(Missing { action, refusal }),
            Ok(Some(Answer::Permitted)) => {}
            Ok(Some(Answer::Failed(_)) | None) => {}
            Err(reason) => self.raise(Problem {
                check: CheckName::ScanRole,
                verdict: Verdict::CannotTell,
                what: format!(
                    "whether {} may {action}: no access key was found, among the first users, to ask about",
                    self.scanner()
                ),
                actions: vec![action.to_owned()],
                statement: self.examination.policies.statement(self.whose(Whose::Scan), action),
                reason: Some(reason),
                remedy: self.remedy_for_simulation(),
                accounts: Vec::new(),
            }),
        }
    }

    /// Asks for the role that changes keys, and what it may do.
    async fn changes(&mut self, reader: Option<&Reader>) {
        if self.access == Access::Direct {
            // It is only read.
            return;
        }
        let needed = self.mode != Mode::Observe;
        if let Err(fault) = self.examination.aws.try_enforce_role(self.id).await {
            self.raised.push(not_assumed(&self.examination, Whose::Enforce, self.id, needed, &fault));
            return;
        }
        let keys = [Action::Deactivate, Action::Delete].map(api_of);
        let users = [Action::Quarantine, Action::EndQuarantine].map(api_of);
        let quarantines = self.examination.config.policy.may_quarantine();
        let users = users.into_iter().filter(|_| quarantines);
        let actions: Vec<&'static str> = keys.into_iter().chain(users).collect();
        let told = match (reader, self.principal(Whose::Enforce)) {
            (Some(reader), Some(arn)) => {
                let told = self.simulate(reader, &arn, &actions).await;
                told.map_err(|reason| (reason, self.remedy_for_simulation()))
            }
            (Some(_), None) => Err((PATHLESS.into(), "nothing has to be done".into())),
            (None, _) => Err((
                "the role that scans, which would ask, cannot be assumed".into(),
                "fix the role that scans first".into(),
            )),
        };
        match told {
            Err((reason, remedy)) => self.raise(Problem {
                check: CheckName::EnforceRole,
                verdict: Verdict::CannotTell,
                what: format!("whether {} may change keys", self.enforcer()),
                actions: actions.iter().map(|action| (*action).to_owned()).collect(),
                statement: None,
                reason: Some(reason),
                remedy,
                accounts: Vec::new(),
            }),
            Ok(answers) => {
                for (action, answer) in actions.into_iter().zip(answers) {
                    if let Answer::Missing(refusal) = answer {
                        let verdict = self.verdict_without(action);
                        self.missing(Whose::Enforce, verdict, vec![Missing { action, refusal }]);
                    }
                }
            }
        }
    }

    /// How bad it is that a change is not allowed: by the mode that is configured.
    fn verdict_without(&self, action: &str) -> Verdict {
        let wanted = match self.mode {
            Mode::Observe => false,
            Mode::Deactivate => action != api_of(Action::Delete),
            Mode::Delete => true,
        };
        if wanted { Verdict::Gap } else { Verdict::Note }
    }

    async fn simulate(&self, reader: &Reader, arn: &str, actions: &[&str]) -> Result<Vec<Answer>, String> {
        let user = format!("arn:{}:iam::{}:user/{NOBODY}", self.examination.aws.partition(), self.id);
        let policy = &self.examination.config.policy;
        let quarantine = policy.may_quarantine().then_some(&policy.quarantine_policy);
        let told = reader.simulate(arn, actions, &user, quarantine).await;
        told.map(|told| told.into_iter().map(Answer::simulated).collect())
            .map_err(|fault| fault.cause().to_string())
    }

    /// One problem for each statement and each thing that stands in the way.
    fn missing(&mut self, whose: Whose, verdict: Verdict, mut missing: Vec<Missing>) {
        let whom = match whose {
            Whose::Hub | Whose::Scan => self.scanner(),
            Whose::Enforce => self.enforcer(),
        };
        let check = match whose {
            Whose::Hub | Whose::Scan => CheckName::ScanRole,
            Whose::Enforce => CheckName::EnforceRole,
        };
        let whose = self.whose(whose);
        let statement = |action: &str| self.examination.policies.statement(whose, action);
        while let Some(first) = missing.first() {
            let (of, by) = (statement(first.action), first.refusal.by);
            let (mut same, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut missing)
                .into_iter()
                .partition(|one| statement(one.action) == of && one.refusal.by == by);
            missing = rest;
            same.sort_by_key(|one| one.action);
            let actions: Vec<String> = same.iter().map(|one| one.action.to_owned()).collect();
            let grant = grant(of.as_ref(), whose);
            let problem = Problem {
                check,
                verdict,
                what: format!("{whom} may not {}", actions.join(", ")),
                actions,
                statement: of,
                reason: same.into_iter().next().map(|one| one.refusal.reason),
                remedy: by.remedy(&whom, &grant),
                accounts: Vec::new(),
            };
            let remedy = if verdict == Verdict::Note {
                format!("nothing, as long as policy.mode wants no such change here; then: {}", problem.remedy)
            } else {
                problem.remedy
            };
            self.raised.push(Raised::of(self.id, Problem { remedy, ..problem }));
        }
    }

    fn raise(&mut self, problem: Problem) {
        self.raised.push(Raised::of(self.id, problem));
    }

    /// Whose printed policy counts: where the hub enters an account itself, its own.
    fn whose(&self, whose: Whose) -> Whose {
        match self.access {
            Access::Assume => whose,
            Access::Direct => Whose::Hub,
        }
    }

    fn scanner(&self) -> String {
        self.shown(&self.examination.config.role.scan)
    }

    fn enforcer(&self) -> String {
        self.shown(&self.examination.config.role.enforce)
    }

    fn shown(&self, role: &keysweep_aws::RoleName) -> String {
        match self.access {
            Access::Assume => format!("the role {role}"),
            Access::Direct => self.examination.caller.arn.clone(),
        }
    }

    /// The ARN that a simulation takes; `None` for a session of the hub, which does not show the path of its role.
    fn principal(&self, whose: Whose) -> Option<String> {
        let Examination { aws, config, caller, .. } = self.examination;
        match (self.access, whose) {
            (Access::Assume, Whose::Hub | Whose::Scan) => {
                Some(config.role.scan.arn(aws.partition(), self.id))
            }
            (Access::Assume, Whose::Enforce) => Some(config.role.enforce.arn(aws.partition(), self.id)),
            (Access::Direct, _) => caller.arn.contains(":user/").then(|| caller.arn.clone()),
        }
    }

    fn remedy_for_simulation(&self) -> String {
        format!(
            "nothing required; to let doctor check, allow {SIMULATE_ACTION} on both roles to {}; no policy that \
             `keysweep iam` prints grants it",
            self.scanner()
        )
    }
}

/// A permission that is missing.
struct Missing {
    action: &'static str,
    refusal: Refusal,
}

/// A call that does not tell.
struct Failed {
    action: &'static str,
    reason: String,
}

fn note(missing: &mut Vec<Missing>, action: &'static str, answer: Answer) -> Result<(), Failed> {
    match answer {
        Answer::Permitted => Ok(()),
        Answer::Missing(refusal) => {
            missing.push(Missing { action, refusal });
            Ok(())
        }
        Answer::Failed(reason) => Err(Failed { action, reason }),
    }
}

/// Whatever is wrong with the report itself, it was asked for by somebody who may.
fn of_report<T>(result: Result<T, ReportFault>) -> Answer {
    match result {
        Ok(_)
        | Err(
            ReportFault::NoCapacity(_)
            | ReportFault::NotThere(_)
            | ReportFault::TooOld { .. }
            | ReportFault::Unreadable(_),
        ) => Answer::Permitted,
        Err(ReportFault::Call(fault)) => Answer::of(Err::<(), _>(&fault)),
    }
}
