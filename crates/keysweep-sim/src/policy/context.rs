//! What a request brings along that conditions may look at.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

/// A condition key that can be judged here. Their names know no case, tag keys of IAM users among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    CurrentTime,
    PrincipalAccount,
    PrincipalArn,
    PrincipalOrgId,
    ResourceAccount,
    ResourceOrgId,
    ResourceTag(String),
    ExternalId,
    PolicyArn,
    RoleSessionName,
    SourceIdentity,
}

/// The request, as far as conditions go.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    pub(crate) caller: Caller<'a>,
    /// The account that owns the resource; None for `*`.
    pub(crate) resource_account: Option<&'a str>,
    pub(crate) resource_organization: Option<&'a str>,
    pub(crate) resource_tags: &'a BTreeMap<String, String>,
    pub(crate) request: RequestKeys<'a>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// As messages show it: for a session the ARN of the session.
    pub(crate) arn: &'a str,
    /// The role behind a session.
    pub(crate) role_arn: Option<&'a str>,
    pub(crate) account: &'a str,
    /// None where the account is in no organization.
    pub(crate) organization: Option<&'a str>,
}

/// What parameters of a request bring along.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RequestKeys<'a> {
    /// The policy that is to be attached or detached.
    pub(crate) policy_arn: Option<&'a str>,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) session_name: Option<&'a str>,
    pub(crate) source_identity: Option<&'a str>,
}

impl Key {
    /// None for a key that is not known here.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some((prefix, tag)) = text.split_once('/') {
            let known =
                ["aws:resourcetag", "iam:resourcetag"].contains(&prefix.to_ascii_lowercase().as_str());
            return (known && !tag.is_empty()).then(|| Self::ResourceTag(tag.to_owned()));
        }
        Some(match text.to_ascii_lowercase().as_str() {
            "aws:currenttime" => Self::CurrentTime,
            "aws:principalaccount" => Self::PrincipalAccount,
            "aws:principalarn" => Self::PrincipalArn,
            "aws:principalorgid" => Self::PrincipalOrgId,
            "aws:resourceaccount" => Self::ResourceAccount,
            "aws:resourceorgid" => Self::ResourceOrgId,
            "iam:policyarn" => Self::PolicyArn,
            "sts:externalid" => Self::ExternalId,
            "sts:rolesessionname" => Self::RoleSessionName,
            "sts:sourceidentity" => Self::SourceIdentity,
            _ => return None,
        })
    }
}

impl Context<'_> {
    /// The value of a key in this request, if it has one.
    pub(super) fn value(&self, key: &Key) -> Option<Cow<'_, str>> {
        let text = match key {
            Key::CurrentTime => return Some(self.now.to_string().into()),
            Key::PrincipalAccount => Some(self.caller.account),
            // For a session this key holds the role (IAM user guide, aws:PrincipalArn).
            Key::PrincipalArn => Some(self.caller.role_arn.unwrap_or(self.caller.arn)),
            Key::PrincipalOrgId => self.caller.organization,
            Key::ResourceAccount => self.resource_account,
            Key::ResourceOrgId => self.resource_organization,
            Key::ResourceTag(tag) => {
                let found = self.resource_tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(tag));
                found.map(|(_, value)| value.as_str())
            }
            Key::ExternalId => self.request.external_id,
            Key::PolicyArn => self.request.policy_arn,
            Key::RoleSessionName => self.request.session_name,
            Key::SourceIdentity => self.request.source_identity,
        };
        text.map(Cow::Borrowed)
    }
}

/// A request of the hub about its own account, without tags.
#[cfg(test)]
pub(super) fn mk_context() -> Context<'static> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    Context {
        now: "2026-06-01T12:00:00Z".parse().expect("a time"),
        caller: Caller {
            arn: "arn:aws:sts::100000000000:assumed-role/hub/s",
            role_arn: Some("arn:aws:iam::100000000000:role/hub"),
            account: "100000000000",
            organization: Some("o-keysweepsim"),
        },
        resource_account: Some("100000000000"),
        resource_organization: Some("o-keysweepsim"),
        resource_tags: &NONE,
        request: RequestKeys::default(),
    }
}
