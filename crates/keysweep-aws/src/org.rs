//! The organization: its accounts, and what stands above them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use aws_sdk_organizations::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_organizations::types::Account as SdkAccount;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use keysweep_core::facts::{Ou, Tags};
use keysweep_core::ids::{AccountId, OuId};

use crate::aws::{Aws, passes};
use crate::convert::{named, parsed, told};
use crate::fault::Fault;
use crate::pages::{Page, Pages, paged};

/// Where an account is in its life: `State`, or `Status` where there is no `State`.
///
/// AWS retired `Status` on 2026-09-09 and had shown both for a year before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountState {
    /// Created, and not yet usable.
    PendingActivation,
    /// The only state in which an account is scanned.
    Active,
    /// Access is restricted by AWS.
    Suspended,
    /// Being closed.
    PendingClosure,
    /// Closed.
    Closed,
    /// A state that this version does not know.
    Other(String),
    /// AWS told neither.
    Missing,
}

impl AccountState {
    fn of(account: &SdkAccount) -> Self {
        let told = match (account.state(), account.status()) {
            (Some(state), _) => state.as_str(),
            (None, Some(status)) => status.as_str(),
            (None, None) => return Self::Missing,
        };
        match told {
            "PENDING_ACTIVATION" => Self::PendingActivation,
            "ACTIVE" => Self::Active,
            "SUSPENDED" => Self::Suspended,
            "PENDING_CLOSURE" => Self::PendingClosure,
            "CLOSED" => Self::Closed,
            other => Self::Other(other.to_owned()),
        }
    }

    /// As AWS writes it; `unknown` where AWS told nothing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
            Self::Closed => "CLOSED",
            Self::Other(text) => text,
            Self::Missing => "unknown",
        }
    }
}

/// An account, as `ListAccounts` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAccount {
    /// The account.
    pub id: AccountId,
    /// Its name; may be empty.
    pub name: String,
    /// Its root e-mail; may be empty.
    pub email: String,
    /// Where it is in its life.
    pub state: AccountState,
}

/// Root and OUs of an organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Those above each account, from the root down.
    pub above: HashMap<AccountId, Vec<Ou>>,
    /// All of them, with accounts or without.
    pub ous: BTreeSet<OuId>,
}

/// More OUs above one another than this are a circle: Organizations nests at most five (user guide, "Quotas").
const MAX_DEPTH: usize = 16;

const LIST_PARENTS: &str = "organizations:ListParents";

impl Aws {
    /// Every account of the organization, page by page.
    #[must_use]
    pub fn accounts(&self) -> AccountPages {
        AccountPages { aws: self.clone(), pages: Pages::default(), token: None, ended: false }
    }

    /// The management account; `organizations:DescribeOrganization`.
    ///
    /// # Errors
    /// If the call fails, or there is no organization.
    pub async fn management_account(&self) -> Result<AccountId, Fault> {
        let operation = || "describe the organization".to_owned();
        let call = || self.hub.organizations.describe_organization().send();
        let answer = self.organizations("organizations:DescribeOrganization", operation, call).await?;
        let id = answer.organization().and_then(|organization| organization.master_account_id());
        parsed("MasterAccountId", id)
            .map_err(|what| Fault::bug("organizations:DescribeOrganization", operation(), what))
    }

    /// Root and OUs above every account, from the root down.
    ///
    /// Walked top-down (`ListRoots`, `ListOrganizationalUnitsForParent`, `ListAccountsForParent`): that costs two
    /// calls or more per OU, where asking for the parents of each account costs one or more per account.
    ///
    /// # Errors
    /// If any part of the tree cannot be read.
    pub async fn tree(&self) -> Result<Tree, Fault> {
        let Tree { mut above, ous: mut seen } = Tree::default();
        let mut open = self.roots().await?.into_iter().map(|root| vec![root]).collect::<VecDeque<_>>();
        while let Some(path) = open.pop_front() {
            // A tree has no circles; an answer that makes one must not keep us busy for ever.
            let Some(parent) = path.last().map(|ou| ou.id.clone()).filter(|id| seen.insert(id.clone()))
            else {
                continue;
            };
            for account in self.accounts_under(&parent).await? {
                above.insert(account, path.clone());
            }
            for child in self.ous_under(&parent).await? {
                let mut longer = path.clone();
                longer.push(child);
                open.push_back(longer);
            }
        }
        Ok(Tree { above, ous: seen })
    }

    /// Root and OUs above one account as they are now, from the root down and without their names: one call for each
    /// (`organizations:ListParents`), where the whole tree costs two or more for every OU there is.
    ///
    /// # Errors
    /// If any of them cannot be read.
    pub async fn parents(&self, account: AccountId) -> Result<Vec<Ou>, Fault> {
        let operation = || format!("list parents of account {account}");
        let bug = |what: String| Fault::bug(LIST_PARENTS, operation(), what);
        let (mut child, mut above) = (account.to_string(), Vec::new());
        while above.len() < MAX_DEPTH {
            let parent = self.parent(&child, &operation).await?;
            let is_root = parent.as_str().starts_with("r-");
            child = parent.as_str().to_owned();
            above.push(Ou { id: parent, name: String::new() });
            if is_root {
                above.reverse();
                return Ok(above);
            }
        }
        Err(bug(format!("no root within {MAX_DEPTH} parents")))
    }

    /// The one parent of an account or OU.
    async fn parent(&self, child: &str, operation: &impl Fn() -> String) -> Result<OuId, Fault> {
        let mut parents = Vec::new();
        let call = |token| self.hub.organizations.list_parents().child_id(child).set_next_token(token).send();
        self.paged(LIST_PARENTS, operation, call, |page| {
            for parent in told("Parents", page.parents.as_deref())? {
                parents.push(parsed("Id of a parent", parent.id())?);
            }
            Ok(())
        })
        .await?;
        match (parents.pop(), parents.is_empty()) {
            (Some(parent), true) => Ok(parent),
            (Some(_) | None, _) => {
                Err(Fault::bug(LIST_PARENTS, operation(), format!("{child} has no parent or more than one")))
            }
        }
    }

    /// Tags of an account; `organizations:ListTagsForResource`.
    ///
    /// # Errors
    /// If any page cannot be read.
    pub async fn account_tags(&self, account: AccountId) -> Result<Tags, Fault> {
        let operation = || format!("list tags of account {account}");
        let mut tags = BTreeMap::new();
        let call = |token| {
            let call = self.hub.organizations.list_tags_for_resource();
            call.resource_id(account.to_string()).set_next_token(token).send()
        };
        self.paged("organizations:ListTagsForResource", operation, call, |page| {
            for tag in told("Tags", page.tags.as_deref())? {
                tags.extend([named(tag.key(), tag.value())?]);
            }
            Ok(())
        })
        .await?;
        Ok(tags.into())
    }

    async fn roots(&self) -> Result<Vec<Ou>, Fault> {
        let operation = || "list roots of the organization".to_owned();
        let mut roots = Vec::new();
        let call = |token| self.hub.organizations.list_roots().set_next_token(token).send();
        self.paged("organizations:ListRoots", operation, call, |page| {
            for root in told("Roots", page.roots.as_deref())? {
                roots.push(ou_of(root.id(), root.name())?);
            }
            Ok(())
        })
        .await?;
        Ok(roots)
    }

    async fn ous_under(&self, parent: &OuId) -> Result<Vec<Ou>, Fault> {
        let operation = || format!("list organizational units under {parent}");
        let mut ous = Vec::new();
        let call = |token| {
            let call = self.hub.organizations.list_organizational_units_for_parent();
            call.parent_id(parent.as_str()).set_next_token(token).send()
        };
        self.paged("organizations:ListOrganizationalUnitsForParent", operation, call, |page| {
            for ou in told("OrganizationalUnits", page.organizational_units.as_deref())? {
                ous.push(ou_of(ou.id(), ou.name())?);
            }
            Ok(())
        })
        .await?;
        Ok(ous)
    }

    async fn accounts_under(&self, parent: &OuId) -> Result<Vec<AccountId>, Fault> {
        let operation = || format!("list accounts under {parent}");
        let mut accounts = Vec::new();
        let call = |token| {
            let call = self.hub.organizations.list_accounts_for_parent();
            call.parent_id(parent.as_str()).set_next_token(token).send()
        };
        self.paged("organizations:ListAccountsForParent", operation, call, |page| {
            for account in told("Accounts", page.accounts.as_deref())? {
                accounts.push(parsed("Id of an account", account.id())?);
            }
            Ok(())
        })
        .await?;
        Ok(accounts)
    }

    /// Every page of a listing of Organizations.
    async fn paged<P, E, F>(
        &self,
        api: &'static str,
        operation: impl Fn() -> String,
        call: impl Fn(Option<String>) -> F,
        take: impl FnMut(&P) -> Result<(), String>,
    ) -> Result<(), Fault>
    where
        P: Page,
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<P, SdkError<E, HttpResponse>>>,
    {
        let (operation, call) = (&operation, &call);
        let ask = |token: Option<String>| self.organizations(api, operation, move || call(token.clone()));
        paged(api, operation, ask, take).await
    }

    /// One Organizations call, each attempt in its turn.
    async fn organizations<T, E, F>(
        &self,
        api: &'static str,
        operation: impl FnOnce() -> String,
        call: impl Fn() -> F,
    ) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        // Waiting for the first turn is no time of the call.
        let first = std::sync::Mutex::new(Some(self.hub.limits.organizations().await));
        let attempt = || async {
            let taken = first.lock().ok().and_then(|mut first| first.take());
            let _in_flight = match taken {
                Some(turn) => turn,
                None => self.hub.limits.organizations().await,
            };
            call().await
        };
        self.hub.observed(api, operation, self.hub.patiently(attempt, passes)).await
    }
}

/// The accounts of an organization, as `organizations:ListAccounts` pages through them. Whoever has not seen the end
/// has seen no organization.
pub struct AccountPages {
    aws: Aws,
    pages: Pages,
    /// What the next page is asked for with; absent for the first.
    token: Option<String>,
    ended: bool,
}

impl AccountPages {
    /// The next page, which may be empty; `None` after the last.
    ///
    /// # Errors
    /// If the page cannot be read or an account has no valid ID: a list that is not complete is no list.
    pub async fn next(&mut self) -> Result<Option<Vec<ListedAccount>>, Fault> {
        let operation = || "list accounts of the organization".to_owned();
        if self.ended {
            return Ok(None);
        }
        let call = || self.aws.hub.organizations.list_accounts().set_next_token(self.token.clone()).send();
        let page = self.aws.organizations("organizations:ListAccounts", operation, call).await?;
        let listed = accounts_of(page.accounts.as_deref())
            .and_then(|accounts| Ok((accounts, self.pages.next(&page)?)));
        let (accounts, token) =
            listed.map_err(|what| Fault::bug("organizations:ListAccounts", operation(), what))?;
        self.ended = token.is_none();
        self.token = token;
        Ok(Some(accounts))
    }
}

fn accounts_of(shown: Option<&[SdkAccount]>) -> Result<Vec<ListedAccount>, String> {
    let accounts = told("Accounts", shown)?.iter().map(|account| {
        let id = parsed("Id of an account", account.id())?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let (name, email) = (text(account.name()), text(account.email()));
        Ok(ListedAccount { id, name, email, state: AccountState::of(account) })
    });
    accounts.collect()
}

fn ou_of(id: Option<&str>, name: Option<&str>) -> Result<Ou, String> {
    Ok(Ou {
        id: parsed("Id of a root or organizational unit", id)?,
        name: name.unwrap_or_default().to_owned(),
    })
}
