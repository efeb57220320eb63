//! The least that AWS has to permit for a configuration to work, as IAM policies.
//!
//! The *hub* is keysweep's own identity. Everything else is done under the two roles of each account: the one that
//! scans reads, also right before and after each change, and the one that enforces changes keys and reads nothing.
//! Each session of these roles is narrowed further by a session policy of its own.

mod document;
mod principal;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use keysweep_aws::{
    ANALYZER_ACTIONS, EVIDENCE_ACTIONS, Partition, QUARANTINE_ACTIONS, READ_ACTIONS, REPORT_ACTIONS, api_of,
};
use keysweep_core::policy::{Exemption, Rule};
use keysweep_core::quarantine::PREFIX;
use keysweep_core::ticket::Action;
use secrecy::ExposeSecret as _;

pub use self::document::Document;
use self::document::{Operator, Statement};
pub use self::principal::{HubArn, OrganizationId, ParsePrincipalError};
use crate::config::{Config, ManagementAccount, ScanSource};

/// Characters of a managed policy (IAM user guide, "IAM and AWS STS quotas").
const MANAGED_POLICY: usize = 6144;

/// Characters of a trust policy, unless AWS has raised the quota (there).
const TRUST_POLICY: usize = 2048;

/// Why a configuration has no policy.
#[derive(Debug, thiserror::Error)]
pub enum IamError {
    /// AWS would not take it.
    #[error("the policy of the {of} has {characters} characters, and AWS takes {most}: {instead}")]
    TooLong {
        /// Whose.
        of: &'static str,
        /// As AWS counts.
        characters: usize,
        /// At most.
        most: usize,
        /// What can be done.
        instead: &'static str,
    },
    /// No account trusts an identity of another partition.
    #[error("hub {hub} is in another partition than the region {region}")]
    OtherPartition {
        /// Its ARN.
        hub: HubArn,
        /// `aws.region`.
        region: String,
    },
}

/// Whether a policy allows deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// By itself or by an operator's order, but for exempt users.
    Allowed,
    /// Never: AWS forbids it, whatever the configuration says.
    Never,
}

/// What the hub may do.
///
/// # Errors
/// If it is longer than AWS takes.
pub fn hub(config: &Config) -> Result<Document, IamError> {
    let partition = Partition::of_region(&config.aws.region);
    let (organization, policy) = (&config.organization, &config.policy);
    let lists = organization.accounts.is_empty();
    let chooses_by_ou = !organization.include_ous.is_empty() || !organization.exclude_ous.is_empty();
    let mut statements = Vec::new();
    if lists {
        let actions = ["organizations:DescribeOrganization", "organizations:ListAccounts"];
        statements.push(Statement::allow("ListAccounts", actions));
    }
    if lists && (chooses_by_ou || policy.reads_ous()) {
        let mut actions = vec![
            "organizations:ListRoots",
            "organizations:ListOrganizationalUnitsForParent",
            "organizations:ListAccountsForParent",
        ];
        // Right before a change.
        if chooses_by_ou || policy.change_reads_ous() {
            actions.push("organizations:ListParents");
        }
        statements.push(Statement::allow("ListOrganizationalUnits", actions));
    }
    if policy.reads_account_tags() {
        // Policies, OUs and roots have tags too, and they are nobody's business here.
        let accounts = format!("arn:{partition}:organizations::*:account/o-*/*");
        let read = Statement::allow("ReadAccountTags", ["organizations:ListTagsForResource"]);
        statements.push(read.on([accounts]));
    }
    if let Some(analyzer) = &config.evidence.access_analyzer {
        let read = Statement::allow("ReadAccessAnalyzer", ANALYZER_ACTIONS);
        statements.push(read.on([analyzer.to_string()]));
    }
    statements.push(assume_roles(config, partition));
    if organization.management_account == ManagementAccount::Direct {
        // The management account is entered without a role, to be read. Changes are for roles alone, in every account.
        statements.extend(reads(config));
    }
    let instead = "leave the list of accounts to AWS Organizations, or shorten [[policy.exempt]]";
    checked(statements, "hub", MANAGED_POLICY, instead)
}

/// What the role that scans may do.
///
/// # Errors
/// If it is longer than AWS takes.
pub fn scan(config: &Config) -> Result<Document, IamError> {
    let statements = reads(config).into_iter().chain(looks(config)).chain(quarantine_reads(config)).collect();
    checked(statements, "role that scans", MANAGED_POLICY, "this is a mistake of keysweep")
}

/// What the role that changes keys may do.
///
/// Exemptions that user tags decide are in it: while one is in force, IAM refuses to delete keys of such users, and to put
/// them in quarantine, to everybody who uses the role. `iam:UpdateAccessKey` is not restrained, since nothing may stand in the way of an
/// undo: a deactivation carries the tags in its session policy instead.
///
/// # Errors
/// If it is longer than AWS takes.
pub fn enforce(config: &Config, now: Timestamp, deletion: Deletion) -> Result<Document, IamError> {
    let statements = changes(config, now, deletion);
    checked(statements, "role that enforces", MANAGED_POLICY, "shorten [[policy.exempt]]")
}

/// The customer managed policy of a quarantine: it denies everything that is signed with a long-term key. Sessions that a
/// user opened by other means, such as in the console, go on.
#[must_use]
pub fn quarantine() -> Document {
    let deny = Statement::deny("DenyLongTermKeys", ["*"]);
    Document::new(vec![deny.when_absent("aws:TokenIssueTime")])
}

/// Who may assume the roles: the hub alone, with the external ID if there is one, under the source identity that
/// CloudTrail shows, and only from within the organization of the account, or from within the one that is named.
///
/// The document holds the external ID, as the trust policy in AWS does.
///
/// # Errors
/// If the hub is in another partition, or the policy is longer than AWS takes.
pub fn trust(
    config: &Config,
    hub: &HubArn,
    organization: Option<&OrganizationId>,
) -> Result<Document, IamError> {
    if hub.partition() != Partition::of_region(&config.aws.region).as_str() {
        return Err(IamError::OtherPartition { hub: hub.clone(), region: config.aws.region.clone() });
    }
    let within = match organization {
        Some(id) => Some(id.to_string()),
        // Accounts of a static list need not be in any organization.
        None if !config.organization.accounts.is_empty() => None,
        None => Some("${aws:ResourceOrgID}".to_owned()),
    };
    let mut assume = Statement::trust("AssumeRole", hub.as_str(), "sts:AssumeRole");
    if let Some(id) = &config.role.external_id {
        assume = assume.when(Operator::StringEquals, "sts:ExternalId", [id.expose_secret().to_owned()]);
    }
    if let Some(id) = within {
        assume = assume.when(Operator::StringEquals, "aws:PrincipalOrgID", [id]);
    }
    // It is nothing without the first, whose conditions therefore hold for both.
    let source = [config.role.session_name.clone()];
    let set_source = Statement::trust("SetSourceIdentity", hub.as_str(), "sts:SetSourceIdentity").when(
        Operator::StringEquals,
        "sts:SourceIdentity",
        source,
    );
    checked(vec![assume, set_source], "roles' trust", TRUST_POLICY, "use a shorter external ID")
}

fn assume_roles(config: &Config, partition: Partition) -> Statement {
    let roles = [&config.role.scan, &config.role.enforce].map(|role| role.arn_in_every_account(partition));
    let assume = Statement::allow("AssumeRoles", ["sts:AssumeRole", "sts:SetSourceIdentity"]).on(roles);
    let organization = &config.organization;
    if organization.accounts.is_empty() {
        let ours = "${aws:PrincipalOrgID}".to_owned();
        return assume.when(Operator::StringEquals, "aws:ResourceOrgID", [ours]);
    }
    let listed = organization.accounts.iter().map(ToString::to_string);
    assume.when(Operator::StringEquals, "aws:ResourceAccount", listed)
}

/// What is read of an account. Users are the only resource that any of these actions knows, and all of them are read:
/// naming them as the resource would gain nothing.
fn reads(config: &Config) -> Vec<Statement> {
    let report = match config.scan.source {
        ScanSource::Auto | ScanSource::Report => {
            Some(Statement::allow("ReadCredentialReport", REPORT_ACTIONS))
        }
        ScanSource::Live => None,
    };
    report.into_iter().chain([Statement::allow("ReadUsersAndKeys", READ_ACTIONS)]).collect()
}

/// What is looked at right before a change, besides IAM. Neither action knows a resource.
fn looks(config: &Config) -> Option<Statement> {
    config.policy.cloudtrail.then(|| Statement::allow("ReadCloudTrail", EVIDENCE_ACTIONS))
}

/// What is read for a quarantine.
fn quarantine_reads(config: &Config) -> Option<Statement> {
    config.policy.may_quarantine().then(|| Statement::allow("ReadForQuarantine", QUARANTINE_ACTIONS))
}

/// What is attached to users: one policy, and no other. What is detached is always permitted, and of any name that there
/// may have been: a quarantine that began under another configuration has to end.
fn quarantines(config: &Config, users: &[String]) -> Vec<Statement> {
    let (partition, policy) = (Partition::of_region(&config.aws.region), &config.policy.quarantine_policy);
    let owner = if policy.is_of_aws() { "aws" } else { "*" };
    let arn = format!("arn:{partition}:iam::{owner}:policy/{policy}");
    let any = format!("arn:{partition}:iam::*:policy/{PREFIX}*");
    let detached = [any].into_iter().chain(policy.is_of_aws().then(|| arn.clone()));
    let attach = Statement::allow("AttachQuarantinePolicy", [api_of(Action::Quarantine)]).on(users);
    let detach = Statement::allow("DetachQuarantinePolicy", [api_of(Action::EndQuarantine)]).on(users);
    let attach =
        config.policy.may_quarantine().then(|| attach.when(Operator::ArnLike, "iam:PolicyARN", [arn]));
    attach.into_iter().chain([detach.when(Operator::ArnLike, "iam:PolicyARN", detached)]).collect()
}

/// What is changed in an account.
fn changes(config: &Config, now: Timestamp, deletion: Deletion) -> Vec<Statement> {
    let users = [format!("arn:{}:iam::*:user/*", Partition::of_region(&config.aws.region))];
    let update = Statement::allow("UpdateKeys", [api_of(Action::Deactivate)]).on(users.clone());
    let quarantines = quarantines(config, &users);
    let delete = [api_of(Action::Delete)];
    let attach = config.policy.may_quarantine().then(|| api_of(Action::Quarantine));
    let deletes = deletion == Deletion::Allowed;
    let spared: Vec<&'static str> = delete.into_iter().filter(|_| deletes).chain(attach).collect();
    let exempt = config.policy.exemptions_in_force(now).filter_map(|(rule, exemption, end)| {
        let spared = (!spared.is_empty()).then(|| spared.clone())?;
        Some(spare(Statement::deny(&sid_of(&rule), spared).on(users.clone()), exemption)?.when(
            Operator::DateLessThan,
            "aws:CurrentTime",
            [end.to_string()],
        ))
    });
    let delete = deletes.then(|| Statement::allow("DeleteKeys", delete).on(users.clone()));
    [update].into_iter().chain(delete).chain(quarantines).chain(exempt).collect()
}

/// Narrows a denial to the users of an exemption that their tags decide, with or without the account.
///
/// What else an exemption may ask for, IAM cannot tell as we do (OUs and tags of the account, names without regard to
/// case): such rules are left to the re-check, so that IAM never refuses what the configuration wants.
fn spare(denial: Statement, exemption: &Exemption) -> Option<Statement> {
    let rule = &exemption.matches;
    let others = rule.ous.len() + rule.account_tags.len() + rule.users.len() + rule.paths.len();
    if rule.user_tags.is_empty() || others > 0 {
        return None;
    }
    let tagged = rule.user_tags.iter().fold(denial, |denial, (key, glob)| {
        // A dollar sign would begin a policy variable.
        let glob = glob.replace('$', "${$}");
        denial.when(Operator::StringLike, format!("aws:ResourceTag/{key}"), [glob])
    });
    if rule.accounts.is_empty() {
        return Some(tagged);
    }
    let accounts = rule.accounts.iter().map(ToString::to_string);
    Some(tagged.when(Operator::StringEquals, "aws:ResourceAccount", accounts))
}

/// The n-th `[[policy.exempt]]`, so that whoever reads the policy finds the rule.
fn sid_of(rule: &Rule) -> String {
    match rule {
        Rule::Exempt(n) => format!("SpareExempt{n}"),
        Rule::Granted(number) => format!("SpareGranted{number}"),
        Rule::Override(n) => format!("SpareOverride{n}"),
        Rule::Base => "Spare".to_owned(),
    }
}

fn checked(
    statements: Vec<Statement>,
    of: &'static str,
    most: usize,
    instead: &'static str,
) -> Result<Document, IamError> {
    let document = Document::new(statements);
    let characters = document.characters();
    if characters > most {
        return Err(IamError::TooLong { of, characters, most, instead });
    }
    Ok(document)
}
