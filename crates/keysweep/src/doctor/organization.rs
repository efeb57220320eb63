//! What can be asked of Organizations, and which accounts that leaves to be examined.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use keysweep_aws::{Aws, Caller, Fault, FaultKind, ListedAccount};
use keysweep_core::facts::{AccountFacts, Collection, Fact, Outcome};
use keysweep_core::ids::{AccountId, OuId};
use keysweep_core::references::{self, Reference};
use keysweep_core::render::NotScanned;

use super::Inputs;
use super::answer::{Answer, By, Refusal};
use super::document::{CheckName, Problem, Verdict};
use super::group::Raised;
use super::policies::{Policies, Whose, grant};
use crate::collect::{NotEntered, Scope, Target, above, mk_account};
use crate::config::Config;
use crate::sweep::choice;

/// An account was named that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("account {0} is not in the organization")]
pub struct NotInOrganization(pub AccountId);

/// The accounts, and what was wrong with listing them.
pub(super) struct Listed {
    /// To be examined.
    pub(super) targets: Vec<Target>,
    pub(super) skipped: Vec<NotScanned>,
    /// In all.
    pub(super) accounts: u64,
    pub(super) raised: Vec<Raised>,
}

/// Lists the accounts, by the same rules as a sweep. Where Organizations cannot be read, accounts that were named are
/// examined all the same.
pub(super) async fn list(
    inputs: Inputs<'_>,
    aws: &Aws,
    caller: &Caller,
    policies: &Policies,
) -> Result<Listed, NotInOrganization> {
    let Inputs { config, only, .. } = inputs;
    let asking = Asking { aws, config, caller, policies, now: inputs.clock.now() };
    let (there, mut raised) = if config.organization.accounts.is_empty() {
        asking.organization().await
    } else {
        (Some(Scope::of(config).static_targets(Some(caller.account)).collect()), Vec::new())
    };
    let complete = there.is_some();
    let mut all: Vec<Target> = there.unwrap_or_default();
    if config.policy.reads_account_tags()
        && let Some(target) = all.iter().find(|target| target.entry.is_ok())
    {
        let id = target.account.id;
        raised
            .extend(asking.refused("organizations:ListTagsForResource", aws.account_tags(id).await.as_ref()));
    }
    let known: HashSet<AccountId> = all.iter().map(|target| target.account.id).collect();
    for id in only.iter().filter(|id| !known.contains(id)) {
        if complete {
            return Err(NotInOrganization(*id));
        }
        all.push(Target { account: named(*id), entry: Ok(keysweep_aws::Access::Assume) });
    }
    let accounts = u64::try_from(all.len()).unwrap_or(u64::MAX);
    all.retain(|target| only.is_empty() || only.contains(&target.account.id));
    let (targets, skipped): (Vec<Target>, Vec<Target>) = all.into_iter().partition(|one| one.entry.is_ok());
    for Target { account, entry } in &skipped {
        if let Err(NotEntered::Unknown(why)) = entry {
            raised.push(Raised::of(account.id, undecided(why)));
        }
    }
    let skipped = skipped.into_iter().filter_map(|Target { account, entry }| {
        Some(NotScanned { account_id: account.id.to_string(), reason: entry.err()?.why().to_owned() })
    });
    let mut skipped: Vec<NotScanned> = skipped.collect();
    skipped.sort_by(|a, b| a.account_id.cmp(&b.account_id));
    Ok(Listed { targets, skipped, accounts, raised })
}

fn named(id: AccountId) -> AccountFacts {
    mk_account(id, false)
}

#[derive(Clone, Copy)]
struct Asking<'a> {
    aws: &'a Aws,
    config: &'a Config,
    caller: &'a Caller,
    policies: &'a Policies,
    now: Timestamp,
}

impl Asking<'_> {
    /// Every account; `None` if there is no list that a sweep would go by.
    async fn organization(self) -> (Option<Vec<Target>>, Vec<Raised>) {
        let Self { aws, config, .. } = self;
        let mut raised = Vec::new();
        let management = aws.management_account().await;
        raised.extend(self.refused("organizations:DescribeOrganization", management.as_ref()));
        let listed = list_accounts(aws).await;
        raised.extend(self.refused("organizations:ListAccounts", listed.as_ref()));
        let settings = &config.organization;
        let chooses_by_ou = !settings.include_ous.is_empty() || !settings.exclude_ous.is_empty();
        let tree = if chooses_by_ou || config.policy.reads_ous() { Some(aws.tree().await) } else { None };
        if let Some(tree) = &tree {
            raised.extend(self.refused("organizations:ListRoots", tree.as_ref()));
        }
        let (Ok(management), Ok(listed)) = (management, listed) else { return (None, raised) };
        if listed.is_empty() {
            raised.push(empty());
        }
        if (chooses_by_ou || config.policy.change_reads_ous())
            && let Some(first) = listed.first()
        {
            raised.extend(self.refused("organizations:ListParents", aws.parents(first.id).await.as_ref()));
        }
        let targets = listed.into_iter().map(|ListedAccount { id, name, email, state }| {
            let ous = tree.as_ref().map_or(Fact::NotRead, |tree| above(tree, id));
            let email = Fact::Known(email);
            let account = AccountFacts { name, email, ous, ..mk_account(id, id == management) };
            let entry = Scope::of(config).entry(&account, &state);
            Target { account, entry }
        });
        let targets: Vec<Target> = targets.collect();
        let ous = tree.and_then(Result::ok).map(|tree| Fact::Known(tree.ous));
        raised.extend(self.references(&targets, ous));
        (Some(targets), raised)
    }

    /// Accounts and OUs that rules name and that do not exist, or hold nothing. Users are looked up by each sweep, which
    /// sees them all.
    fn references(self, targets: &[Target], ous: Option<Fact<BTreeSet<OuId>>>) -> Vec<Raised> {
        let unseen = |target: &Target| {
            let reason = String::new();
            let outcome = match &target.entry {
                Ok(_) => Outcome::Failed { reason },
                Err(_) => Outcome::Skipped { reason },
            };
            (target.account.clone(), outcome)
        };
        let (at, accounts) = (self.now, targets.iter().map(unseen).collect());
        let collection = Collection { at, accounts, complete: true, ous, skew: None };
        let Some(report) = references::check(&self.config.policy, at, &choice(self.config), &collection)
        else {
            return Vec::new();
        };
        let raised = |verdict, reference: &Reference, what: &str, remedy: &str| {
            Raised::once(Problem {
                check: CheckName::Organization,
                verdict,
                what: format!("{reference} {what}"),
                actions: Vec::new(),
                statement: None,
                reason: None,
                remedy: remedy.into(),
                accounts: Vec::new(),
            })
        };
        let missing = report.missing.iter().map(|reference| {
            let remedy = "correct the rule: a mode that changes keys stops every automatic change until then, or until \
                          an operator acknowledges it with `keysweep rules acknowledge`";
            raised(Verdict::Gap, reference, "does not exist", remedy)
        });
        let idle = report.idle.iter().map(|reference| {
            raised(Verdict::Note, reference, "matches nothing", "see whether the rule means something else")
        });
        missing.chain(idle).collect()
    }

    /// The problem with a call of Organizations, if there is one.
    fn refused<T>(self, action: &str, result: Result<T, &Fault>) -> Option<Raised> {
        let fault = result.as_ref().err().copied()?;
        let operation = fault.operation();
        // The tree is read by three.
        let action = fault.api().unwrap_or(action);
        // Whoever may ask and gets no list has none all the same.
        let (verdict, by, reason) = match Answer::of(result) {
            Answer::Missing(Refusal { by, reason }) => (Verdict::Gap, Some(by), reason),
            Answer::Failed(reason) => (Verdict::Failed, None, reason),
            Answer::Permitted => (Verdict::Gap, None, fault.cause().to_string()),
        };
        let statement = self.policies.statement(Whose::Hub, action);
        let remedy = match by {
            Some(By::NoPolicy) => format!(
                "{} to {}; only the management account and delegated administrators may list accounts, others need \
                 organization.accounts",
                grant(statement.as_ref(), Whose::Hub),
                self.caller.arn
            ),
            Some(by @ (By::Denial | By::Boundary | By::Above)) => by.remedy(&self.caller.arn, ""),
            None if fault.kind() == FaultKind::Gone => format!(
                "{} is in no organization: use credentials of an account that is, or list the accounts in \
                 organization.accounts",
                self.caller.account
            ),
            None => "run doctor again; if it stays, see what AWS answered".into(),
        };
        let actions = if by.is_some() { vec![action.to_owned()] } else { Vec::new() };
        Some(Raised::once(Problem {
            check: CheckName::Organization,
            verdict,
            what: format!("keysweep could not {operation}"),
            actions,
            statement: statement.filter(|_| by.is_some()),
            reason: Some(reason),
            remedy,
            accounts: Vec::new(),
        }))
    }
}

/// An account that a sweep counts as failed, because what decides whether to scan it is unknown.
fn undecided(why: &str) -> Problem {
    Problem {
        check: CheckName::Organization,
        verdict: Verdict::Failed,
        what: "keysweep cannot tell whether an account is to be scanned".into(),
        actions: Vec::new(),
        statement: None,
        reason: Some(why.to_owned()),
        remedy: "see what Organizations says of the account; one that is not to be scanned belongs in \
                 organization.exclude_accounts"
            .into(),
        accounts: Vec::new(),
    }
}

fn empty() -> Raised {
    Raised::once(Problem {
        check: CheckName::Organization,
        verdict: Verdict::Gap,
        what: "the organization lists no account at all".into(),
        actions: Vec::new(),
        statement: None,
        reason: None,
        remedy: "an organization has at least its management account: check that the response comes from AWS"
            .into(),
        accounts: Vec::new(),
    })
}

async fn list_accounts(aws: &Aws) -> Result<Vec<ListedAccount>, Fault> {
    let (mut pages, mut all) = (aws.accounts(), Vec::new());
    while let Some(page) = pages.next().await? {
        all.extend(page);
    }
    Ok(all)
}
