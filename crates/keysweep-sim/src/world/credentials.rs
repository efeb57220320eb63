//! Who calls: the hub, sessions from AssumeRole, and users with keys of their own.

use std::sync::Arc;

use jiff::Timestamp;

use super::Identity;
use crate::ledger::Who;
use crate::policy::Policy;

/// An authenticated caller.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) account: Arc<str>,
    /// As GetCallerIdentity and error messages show it.
    pub(crate) arn: String,
    /// As GetCallerIdentity shows it.
    pub(crate) user_id: String,
    /// Role credentials: UserName cannot be left out, and assuming a role is chaining.
    pub(crate) role: Option<RoleSession>,
    /// A user of the world with a key of its own: holds no permission but GetCallerIdentity.
    pub(crate) powerless: bool,
    /// What it may do; None: everything.
    pub(crate) policy: Option<Attached>,
}

/// A permissions policy, and what it is called where decisions are counted.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) name: Arc<str>,
    pub(crate) policy: Arc<Policy>,
}

/// What a session from AssumeRole carries.
#[derive(Debug, Clone)]
pub(crate) struct RoleSession {
    pub(crate) role_arn: String,
    pub(crate) session_name: String,
    pub(crate) source_identity: Option<String>,
    pub(crate) session_policy: Option<Arc<Policy>>,
    /// Somebody has revoked the sessions of the role that were active then: a policy of the role denies it everything.
    pub(crate) revoked: bool,
}

/// Issued temporary credentials.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) token: String,
    /// By the wall clock. None: never (the hub's own).
    pub(crate) expires: Option<Timestamp>,
    pub(crate) principal: Arc<Principal>,
}

/// A signed request, as far as CloudTrail shows it.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) principal: Arc<Principal>,
    pub(crate) key_id: Arc<str>,
    pub(crate) user_agent: Option<Arc<str>>,
}

impl Signed {
    pub(crate) fn identity(&self) -> Identity {
        let principal = &self.principal;
        let user = || principal.arn.rsplit('/').next().unwrap_or_default();
        let name = principal.role.as_ref().map_or_else(user, |role| &role.session_name);
        Identity {
            account: principal.account.clone(),
            principal_id: principal.user_id.as_str().into(),
            arn: principal.arn.as_str().into(),
            name: name.into(),
            key_id: self.key_id.clone(),
            role_arn: principal.role.as_ref().map(|role| role.role_arn.as_str().into()),
        }
    }
}

impl Principal {
    pub(crate) fn who(&self) -> Who {
        match &self.role {
            Some(role) => Who::Session {
                role_arn: role.role_arn.clone(),
                session_name: role.session_name.clone(),
                source_identity: role.source_identity.clone(),
            },
            None => Who::Direct(self.arn.clone()),
        }
    }
}
