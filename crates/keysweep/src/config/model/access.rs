//! `[[access]]`: who holds which role, and where.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::token::Role;

/// `[[access]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["role"]))]
pub struct AccessSection {
    /// A group of the identity provider. Set exactly one of oidc_group, oidc_subject, local_user, and slack_user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_group: Option<String>,
    /// One person, by the subject (`sub`) that the identity provider assigns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_subject: Option<String>,
    /// A user of this machine, who asks through http.socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_user: Option<String>,
    /// A user of Slack by ID, such as "U012AB3CD", who decides on requests for approval in Slack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack_user: Option<String>,
    /// Role: "viewer", "approver", or "operator". With several entries, each role counts in its own accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The accounts in which the role is held. Without this, it is held in the whole organization.
    #[serde(rename = "match", skip_serializing_if = "ScopeSection::is_empty")]
    pub scope: ScopeSection,
}

/// The accounts of a role. All given fields must match; in a list, one matching entry is enough. A role that depends on a
/// fact that keysweep could not read is not held.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScopeSection {
    /// IDs of OUs or roots, including descendants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<String>,
    /// Account IDs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Tags of the account: a tag key, and a glob for the value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub account_tags: BTreeMap<String, String>,
}

impl ScopeSection {
    /// Whether no field is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
