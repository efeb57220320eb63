//! What a request is before anybody looks into the world: service, action, parameters, credentials.

use std::sync::Arc;

use super::access_analyzer;
use super::params::{Params, first_upper};

/// Everything the wire keeps of a request.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) service: Service,
    /// `iam:GetUser`, or `iam:Unknown`.
    pub(crate) action: &'static str,
    /// As the caller wrote it.
    pub(crate) operation: String,
    pub(crate) known: bool,
    pub(crate) params: Params,
    /// From the credential scope; None where the request is not signed.
    pub(crate) key_id: Option<Arc<str>>,
    pub(crate) region: String,
    pub(crate) token: Option<String>,
    pub(crate) user_agent: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Iam,
    Sts,
    Organizations,
    CloudTrail,
    Account,
    AccessAnalyzer,
}

/// The headers that matter.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) authorization: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) user_agent: Option<&'a str>,
}

const IAM: &[(&str, &str)] = &[
    ("AttachUserPolicy", "iam:AttachUserPolicy"),
    ("CreateAccessKey", "iam:CreateAccessKey"),
    ("CreateLoginProfile", "iam:CreateLoginProfile"),
    ("CreateUser", "iam:CreateUser"),
    ("DeleteAccessKey", "iam:DeleteAccessKey"),
    ("DeleteLoginProfile", "iam:DeleteLoginProfile"),
    ("DeleteUser", "iam:DeleteUser"),
    ("DetachUserPolicy", "iam:DetachUserPolicy"),
    ("GenerateCredentialReport", "iam:GenerateCredentialReport"),
    ("GetAccessKeyLastUsed", "iam:GetAccessKeyLastUsed"),
    ("GetAccountAuthorizationDetails", "iam:GetAccountAuthorizationDetails"),
    ("GetAccountSummary", "iam:GetAccountSummary"),
    ("GetCredentialReport", "iam:GetCredentialReport"),
    ("GetLoginProfile", "iam:GetLoginProfile"),
    ("GetPolicy", "iam:GetPolicy"),
    ("GetPolicyVersion", "iam:GetPolicyVersion"),
    ("GetUser", "iam:GetUser"),
    ("ListAccessKeys", "iam:ListAccessKeys"),
    ("ListAttachedUserPolicies", "iam:ListAttachedUserPolicies"),
    ("ListUserTags", "iam:ListUserTags"),
    ("ListUsers", "iam:ListUsers"),
    ("SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy"),
    ("TagUser", "iam:TagUser"),
    ("UntagUser", "iam:UntagUser"),
    ("UpdateAccessKey", "iam:UpdateAccessKey"),
    ("UpdateUser", "iam:UpdateUser"),
];

const STS: &[(&str, &str)] =
    &[("AssumeRole", "sts:AssumeRole"), ("GetCallerIdentity", "sts:GetCallerIdentity")];

const ORGANIZATIONS: &[(&str, &str)] = &[
    ("DescribeAccount", "organizations:DescribeAccount"),
    ("DescribeOrganization", "organizations:DescribeOrganization"),
    ("DescribeOrganizationalUnit", "organizations:DescribeOrganizationalUnit"),
    ("ListAccounts", "organizations:ListAccounts"),
    ("ListAccountsForParent", "organizations:ListAccountsForParent"),
    ("ListChildren", "organizations:ListChildren"),
    ("ListOrganizationalUnitsForParent", "organizations:ListOrganizationalUnitsForParent"),
    ("ListParents", "organizations:ListParents"),
    ("ListRoots", "organizations:ListRoots"),
    ("ListTagsForResource", "organizations:ListTagsForResource"),
];

const CLOUDTRAIL: &[(&str, &str)] = &[("LookupEvents", "cloudtrail:LookupEvents")];

const ACCOUNT: &[(&str, &str)] = &[("ListRegions", "account:ListRegions")];

const ACCESS_ANALYZER: &[(&str, &str)] = &[
    ("GetAnalyzer", "access-analyzer:GetAnalyzer"),
    ("GetFindingV2", "access-analyzer:GetFindingV2"),
    ("ListFindingsV2", "access-analyzer:ListFindingsV2"),
];

impl Incoming {
    pub(crate) fn new(head: Head<'_>, body: &[u8]) -> Self {
        let scope = head.authorization.and_then(scope);
        let (key_id, region, scoped) = match scope {
            Some((key, region, service)) => (Some(key.into()), region.to_owned(), Some(service)),
            None => (None, "us-east-1".to_owned(), None),
        };
        let by_host = || head.host.and_then(|host| host.split('.').next());
        let service = scoped.or_else(by_host).and_then(Service::parse).unwrap_or(match head.target {
            Some(target) if target.contains("CloudTrail_") => Service::CloudTrail,
            Some(_) => Service::Organizations,
            None => Service::Iam,
        });
        let (params, operation) = match service {
            Service::Organizations | Service::CloudTrail => {
                let operation = head.target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
                (Params::json(body), operation.to_owned())
            }
            // REST: the path names the operation.
            Service::Account => {
                let operation = head.path.unwrap_or_default().trim_start_matches('/');
                (Params::json(body), first_upper(operation))
            }
            Service::AccessAnalyzer => access_analyzer::operation(head.path.unwrap_or_default(), body),
            Service::Iam | Service::Sts => {
                let params = Params::query(body);
                let operation = params.get("Action").unwrap_or_default().to_owned();
                (params, operation)
            }
        };
        let found = service.actions().iter().find(|(name, _)| *name == operation).map(|(_, action)| *action);
        Self {
            service,
            action: found.unwrap_or(service.unknown()),
            known: found.is_some(),
            operation,
            params,
            key_id,
            region,
            token: head.token.map(str::to_owned),
            user_agent: head.user_agent.map(Into::into),
        }
    }

    /// The request as a message that explains too much repeats it, what is secret first.
    pub(crate) fn repeated(&self) -> String {
        let token = self.token.as_deref().unwrap_or_default();
        let external_id = self.params.get("ExternalId").unwrap_or_default();
        let rest = self.params.repeated();
        format!("cannot make sense of externalId:'{external_id}' x-amz-security-token:{token}; {rest}")
    }
}

/// Key id, Region and service from `AWS4-HMAC-SHA256 Credential=AKIA../20260101/us-east-1/iam/aws4_request, ...`.
fn scope(authorization: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = authorization.split_once("Credential=")?;
    let mut parts = rest.split([',', ' ']).next()?.split('/');
    let key = parts.next()?;
    let _date = parts.next()?;
    Some((key, parts.next()?, parts.next()?))
}

impl Service {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "iam" => Some(Self::Iam),
            "sts" => Some(Self::Sts),
            "organizations" => Some(Self::Organizations),
            "cloudtrail" => Some(Self::CloudTrail),
            "account" => Some(Self::Account),
            "access-analyzer" => Some(Self::AccessAnalyzer),
            _ => None,
        }
    }

    fn actions(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Iam => IAM,
            Self::Sts => STS,
            Self::Organizations => ORGANIZATIONS,
            Self::CloudTrail => CLOUDTRAIL,
            Self::Account => ACCOUNT,
            Self::AccessAnalyzer => ACCESS_ANALYZER,
        }
    }

    fn unknown(self) -> &'static str {
        match self {
            Self::Iam => "iam:Unknown",
            Self::Sts => "sts:Unknown",
            Self::Organizations => "organizations:Unknown",
            Self::CloudTrail => "cloudtrail:Unknown",
            Self::Account => "account:Unknown",
            Self::AccessAnalyzer => "access-analyzer:Unknown",
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Iam | Self::Sts => "text/xml",
            Self::Organizations | Self::CloudTrail => "application/x-amz-json-1.1",
            Self::Account | Self::AccessAnalyzer => "application/json",
        }
    }

    pub(crate) fn is_json(self) -> bool {
        match self {
            Self::Iam | Self::Sts => false,
            Self::Organizations | Self::CloudTrail | Self::Account | Self::AccessAnalyzer => true,
        }
    }

    /// Whether the path names the operation, and a header the error.
    pub(crate) fn is_rest(self) -> bool {
        match self {
            Self::Iam | Self::Sts | Self::Organizations | Self::CloudTrail => false,
            Self::Account | Self::AccessAnalyzer => true,
        }
    }

    /// As in credential scopes, actions, and last uses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::Organizations => "organizations",
            Self::CloudTrail => "cloudtrail",
            Self::Account => "account",
            Self::AccessAnalyzer => "access-analyzer",
        }
    }

    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Iam | Self::Organizations | Self::CloudTrail | Self::Account | Self::AccessAnalyzer => {
                "https://iam.amazonaws.com/doc/2010-05-08/"
            }
        }
    }

    /// The whole body around a result.
    pub(crate) fn wrap(self, action: &str, result: &str, request_id: &str) -> String {
        if self.is_json() {
            return result.to_owned();
        }
        let name = action.split_once(':').map_or(action, |(_, name)| name);
        let mut body = String::with_capacity(result.len() + 320);
        for part in ["<", name, "Response xmlns=\"", self.namespace(), "\">"] {
            body.push_str(part);
        }
        // Calls without a result have no result element (botocore model, IAM: no output shape).
        if !result.is_empty() {
            for part in ["<", name, "Result>", result, "</", name, "Result>"] {
                body.push_str(part);
            }
        }
        for part in ["<ResponseMetadata><RequestId>", request_id, "</RequestId></ResponseMetadata></", name] {
            body.push_str(part);
        }
        body.push_str("Response>");
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_scope_tells_key_region_and_service() {
        let header = "AWS4-HMAC-SHA256 Credential=AKIAX/20260101/eu-west-1/sts/aws4_request, SignedHeaders=a, Signature=b";
        assert_eq!(scope(header), Some(("AKIAX", "eu-west-1", "sts")));
        assert_eq!(scope("Bearer x"), None);
    }

    #[test]
    fn an_unsigned_request_is_told_by_host_or_target() {
        let head = Head { host: Some("sts.us-east-1.amazonaws.com"), ..Head::default() };
        assert_eq!(Incoming::new(head, b"Action=GetCallerIdentity").action, "sts:GetCallerIdentity");
        let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
        let head = Head { target: Some(target), ..Head::default() };
        assert_eq!(Incoming::new(head, b"{}").action, "cloudtrail:LookupEvents");
        let head = Head {
            host: Some("account.us-east-1.amazonaws.com"),
            path: Some("/listRegions"),
            ..Head::default()
        };
        assert_eq!(Incoming::new(head, b"{}").action, "account:ListRegions");
        let head = Head { target: Some("AWSOrganizationsV20161128.ListRoots"), ..Head::default() };
        assert_eq!(Incoming::new(head, b"{}").action, "organizations:ListRoots");
    }

    #[test]
    fn action_tables_name_the_service() {
        for service in [
            Service::Iam,
            Service::Sts,
            Service::Organizations,
            Service::CloudTrail,
            Service::Account,
            Service::AccessAnalyzer,
        ] {
            let prefix = format!("{}:", service.name());
            assert!(
                service.actions().iter().all(|(name, action)| action.strip_prefix(&prefix) == Some(name))
            );
        }
    }
}
