//! Evidence from CloudTrail about a key, read immediately before a change. It can prevent the change and never
//! justifies one: event history has no data events (objects, messages, items) and no calls signed with an Inactive key.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::LastUse;
use crate::ids::UserName;

/// One call signed with the key, as recorded by CloudTrail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Activity {
    /// `EventTime`, to the second.
    pub at: Timestamp,
    /// The Region whose event history has it.
    pub region: String,
    /// `EventSource`, such as `ec2.amazonaws.com`; absent where the event does not say.
    pub source: Option<String>,
    /// `EventName`, such as `DescribeInstances`; absent where the event does not say.
    pub name: Option<String>,
    /// `sourceIPAddress`, an address or the name of an AWS service; absent where the event does not say.
    pub address: Option<String>,
    /// `userAgent`; absent where the event does not say.
    pub user_agent: Option<String>,
    /// `errorCode`, such as `AccessDenied`; absent where the call succeeded, or the event does not say.
    pub error: Option<String>,
    /// `EventId`, by which CloudTrail finds the event again; absent where the event does not say.
    pub event_id: Option<String>,
}

/// The `source` of a use that IAM Access Analyzer shows: it tells when, and neither service nor Region. No `eventSource` of
/// CloudTrail is like it: a call of Access Analyzer by the key itself has `access-analyzer.amazonaws.com`.
pub const ANALYZER: &str = "IAM Access Analyzer";

impl Activity {
    /// A use that IAM Access Analyzer shows, in an analyzer of this Region.
    #[must_use]
    pub fn of_analyzer(at: Timestamp, region: &str) -> Self {
        let source = Some(ANALYZER.to_owned());
        let region = region.to_owned();
        Self { at, region, source, name: None, address: None, user_agent: None, error: None, event_id: None }
    }

    /// Whether IAM Access Analyzer shows it, and not CloudTrail.
    #[must_use]
    pub fn is_of_analyzer(&self) -> bool {
        self.source.as_deref() == Some(ANALYZER)
    }

    /// The same as a use of the key.
    #[must_use]
    pub fn as_last_use(&self) -> LastUse {
        if self.is_of_analyzer() {
            return LastUse::At { at: self.at, service: None, region: None };
        }
        let service = |source: &String| source.strip_suffix(".amazonaws.com").unwrap_or(source).into();
        LastUse::At {
            at: self.at,
            service: self.source.as_ref().map(service),
            region: Some(self.region.as_str().into()),
        }
    }
}

/// A call to IAM about a user or a key, as recorded by CloudTrail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TracedCall {
    /// `EventTime`, to the second.
    pub at: Timestamp,
    /// ARN of the caller or, without one, another identifier of `userIdentity`.
    pub by: String,
    /// `sourceIPAddress`, an address or the name of an AWS service; absent where the event does not say.
    pub address: Option<String>,
    /// `userAgent`; absent where the event does not say.
    pub user_agent: Option<String>,
    /// `EventId`, by which CloudTrail finds the event again; absent where the event does not say.
    pub event_id: Option<String>,
}

/// Who created a key. CloudTrail tells for 90 days; keysweep keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// Name of the user whose key it is, at that time.
    pub user_name: UserName,
    /// The call of `CreateAccessKey`.
    pub call: TracedCall,
}

impl Creation {
    /// Whether another IAM user created the key. It cannot be told of a caller that is a role.
    #[must_use]
    pub fn is_by_another_user(&self) -> bool {
        // The ARN of a user has its path between the two (IAM user guide, "IAM identifiers").
        let user = self.call.by.split_once(":user/").map(|(_, user)| user);
        user.and_then(|user| user.rsplit('/').next()).is_some_and(|user| user != self.user_name.as_str())
    }
}

/// A change of a user whose key keysweep deactivated, or whom it quarantined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UserChange {
    /// `EventName`, such as `CreateAccessKey`.
    pub name: String,
    /// The call.
    pub call: TracedCall,
}

/// A tool that sets what it manages as its code says, each time it runs. Its call is neither a person's objection nor
/// their consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// HashiCorp Terraform and OpenTofu, whose AWS provider names itself in the user agent.
    Terraform,
    /// AWS CloudFormation, and AWS CDK by it: it calls as a service.
    CloudFormation,
    /// Pulumi, whose AWS provider names itself in the user agent.
    Pulumi,
    /// Ansible, whose modules name themselves in the user agent.
    Ansible,
}

impl Tool {
    /// What its user agent contains, in lower case.
    fn mark(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::CloudFormation => "cloudformation.amazonaws.com",
            Self::Pulumi => "pulumi",
            Self::Ansible => "ansible",
        }
    }

    /// What to change in its code, so that the key stays Inactive.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Terraform => {
                "set status = \"Inactive\" in its aws_iam_access_key resource; removing the resource deletes the key"
            }
            Self::CloudFormation => {
                "set Status: Inactive in its AWS::IAM::AccessKey resource; removing the resource deletes the key unless it is retained"
            }
            Self::Pulumi => {
                "set status to Inactive in its aws.iam.AccessKey resource; removing the resource deletes the key unless it is retained"
            }
            Self::Ansible => "remove the task that sets the key Active, or set active: false there",
        }
    }
}

impl TracedCall {
    /// The tool that made the call, if it is a known one.
    #[must_use]
    pub fn tool(&self) -> Option<Tool> {
        let agent = self.user_agent.as_ref()?.to_lowercase();
        // Pulumi's provider is built from Terraform's and names both.
        let mut tools = [Tool::Pulumi, Tool::Terraform, Tool::CloudFormation, Tool::Ansible].into_iter();
        tools.find(|tool| agent.contains(tool.mark()))
    }
}

/// What the event history of one Region shows of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionTrail {
    /// Its newest events, newest first; empty where there are none.
    Read(Vec<Activity>),
    /// Could not be read, with the reason. `incomplete_evidence = "ignore"` permits the change without it.
    Unread(String),
    /// Contains an event that keysweep cannot interpret and that may be a use of the key, with the reason. It always
    /// prevents the change.
    Unclear(String),
}

impl RegionTrail {
    fn activities(&self) -> &[Activity] {
        match self {
            Self::Read(activities) => activities,
            Self::Unread(_) | Self::Unclear(_) => &[],
        }
    }
}

/// How long after a use IAM Access Analyzer may resolve its finding because of it: it evaluates findings again every 24 hours.
const RESOLVED_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_hours(48);

/// What IAM Access Analyzer says of one key, which its organization-wide analyzer of unused access watches. It evaluates
/// findings again every 24 hours (Security Hub user guide, "Understanding unused access findings").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// It has no finding about the key, which means nothing: it may not watch it, or not for long enough.
    None,
    /// It finds the key unused.
    Unused {
        /// The last use that it knows, if it knows one.
        last_use: Option<Activity>,
    },
    /// It resolved its finding: the key was used, is Inactive, or its configuration has changed.
    Resolved {
        /// When.
        at: Timestamp,
        /// The last use that it knows, if it knows one.
        last_use: Option<Activity>,
    },
    /// It could not be asked, with the reason.
    Unread(String),
}

impl Opinion {
    fn last_use(&self) -> Option<&Activity> {
        match self {
            Self::Unused { last_use } | Self::Resolved { last_use, .. } => last_use.as_ref(),
            Self::None | Self::Unread(_) => None,
        }
    }
}

/// What CloudTrail shows of one key, Region by Region, and what IAM Access Analyzer says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// Start of the lookup. Events of about the last five minutes are not available yet.
    pub at: Timestamp,
    /// Start of the searched period, at most 90 days ago: CloudTrail keeps no older events.
    pub since: Timestamp,
    /// Every Region that is enabled in the account, or that the configuration names.
    pub regions: BTreeMap<String, RegionTrail>,
    /// What IAM Access Analyzer says; absent where it is not asked.
    #[serde(default)]
    pub analyzer: Option<Opinion>,
}

impl Trail {
    /// The newest event of all Regions, or the use that IAM Access Analyzer shows if that is later. IAM records a use for
    /// a span, and so does Access Analyzer: within that of an event, it is the same.
    #[must_use]
    pub fn newest(&self) -> Option<&Activity> {
        let event =
            self.regions.values().flat_map(RegionTrail::activities).max_by_key(|activity| activity.at);
        let used = self.analyzer.as_ref().and_then(Opinion::last_use);
        match (event, used) {
            (Some(event), Some(used)) if used.at > event.at => {
                let same = event.as_last_use().is_same_use(&used.as_last_use());
                Some(if same { event } else { used })
            }
            (event, used) => event.or(used),
        }
    }

    /// What IAM Access Analyzer says against a change of a key that works and was last used then, as far as is known. A
    /// finding that it resolved because of that use is no news.
    #[must_use]
    pub fn objection(&self, last_use: Option<Timestamp>) -> Option<Gap> {
        let known = last_use.max(self.newest().map(|newest| newest.at));
        match self.analyzer {
            Some(Opinion::Resolved { at, .. })
                if known.is_none_or(|used| at.duration_since(used) > RESOLVED_WITHIN) =>
            {
                Some(Gap::NoLongerUnused { since: at })
            }
            Some(Opinion::None | Opinion::Unused { .. } | Opinion::Resolved { .. } | Opinion::Unread(_))
            | None => None,
        }
    }

    /// What is missing for an answer about every Region; `None` if nothing is.
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        let unclear = self.regions.iter().find_map(|(region, trail)| match trail {
            RegionTrail::Unclear(why) => Some(Gap::Unclear { region: region.clone(), why: why.clone() }),
            RegionTrail::Read(_) | RegionTrail::Unread(_) => None,
        });
        unclear.or_else(|| {
            let unread = self.regions.iter().filter_map(|(region, trail)| match trail {
                RegionTrail::Unread(why) => Some((region.clone(), why.clone())),
                RegionTrail::Read(_) | RegionTrail::Unclear(_) => None,
            });
            let unread: BTreeMap<_, _> = unread.collect();
            let of = self.regions.len();
            match (unread.is_empty(), of, &self.analyzer) {
                (_, 0, _) => Some(Gap::NoRegion),
                (true, _, Some(Opinion::Unread(why))) => Some(Gap::Analyzer(why.clone())),
                (true, _, _) => None,
                (false, of, _) => Some(Gap::Unread { regions: unread, of }),
            }
        })
    }
}

/// Why CloudTrail does not show the whole of what it could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The key was not looked up.
    NotRead,
    /// The list of Regions could not be read, with the reason.
    Regions(String),
    /// No Region to search.
    NoRegion,
    /// Some Regions could not be read.
    Unread {
        /// Which, and why.
        regions: BTreeMap<String, String>,
        /// Of how many.
        of: usize,
    },
    /// IAM Access Analyzer could not be asked, with the reason.
    Analyzer(String),
    /// IAM Access Analyzer resolved its finding that the key is unused.
    NoLongerUnused {
        /// When.
        since: Timestamp,
    },
    /// The evidence bundle of the deletion could not be written, with the reason.
    NoBundle(String),
    /// A Region shows something that cannot be understood.
    Unclear {
        /// Which.
        region: String,
        /// What.
        why: String,
    },
}

impl Gap {
    /// Whether `incomplete_evidence = "ignore"` goes on with it: some Regions could not be read, and others were.
    #[must_use]
    pub fn may_be_ignored(&self) -> bool {
        match self {
            Self::Unread { regions, of } => regions.len() < *of,
            Self::Analyzer(_) => true,
            Self::NotRead
            | Self::Regions(_)
            | Self::NoRegion
            | Self::NoLongerUnused { .. }
            | Self::NoBundle(_)
            | Self::Unclear { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_activity(region: &str, at: &str) -> Activity {
        Activity {
            at: at.parse().unwrap(),
            region: region.to_owned(),
            source: Some("ec2.amazonaws.com".to_owned()),
            name: Some("DescribeInstances".to_owned()),
            address: Some("203.0.113.7".to_owned()),
            user_agent: Some("aws-cli/2.31".to_owned()),
            error: None,
            event_id: None,
        }
    }

    fn mk_trail(regions: Vec<(&str, RegionTrail)>) -> Trail {
        let at: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let regions = regions.into_iter().map(|(region, trail)| (region.to_owned(), trail)).collect();
        Trail { at, since: at, regions, analyzer: None }
    }

    #[test]
    fn the_newest_event_is_that_of_all_regions() {
        let old = mk_activity("eu-west-1", "2026-10-01T00:00:00Z");
        let new = mk_activity("us-east-1", "2026-11-01T00:00:00Z");
        let trail = mk_trail(vec![
            ("eu-west-1", RegionTrail::Read(vec![old])),
            ("sa-east-1", RegionTrail::Unread("throttled".to_owned())),
            ("us-east-1", RegionTrail::Read(vec![new.clone()])),
        ]);
        assert_eq!(trail.newest(), Some(&new));
    }

    #[test]
    fn a_later_use_in_access_analyzer_is_the_newest() {
        let event = mk_activity("us-east-1", "2026-11-01T00:00:00Z");
        let used = |at: &str| Activity::of_analyzer(at.parse().unwrap(), "us-east-1");
        let with = |events: Vec<Activity>, analyzer| Trail {
            analyzer: Some(analyzer),
            ..mk_trail(vec![("us-east-1", RegionTrail::Read(events))])
        };
        let unused = |at| Opinion::Unused { last_use: Some(used(at)) };
        let later = with(vec![event.clone()], unused("2026-11-02T00:00:00Z"));
        assert_eq!(later.newest(), Some(&used("2026-11-02T00:00:00Z")));
        for at in ["2026-11-01T00:01:00Z", "2026-10-01T00:00:00Z"] {
            assert_eq!(with(vec![event.clone()], unused(at)).newest(), Some(&event), "{at}");
        }
        let alone = with(Vec::new(), unused("2026-10-01T00:00:00Z"));
        assert_eq!(alone.newest(), Some(&used("2026-10-01T00:00:00Z")));
        let last_use = alone.newest().unwrap().as_last_use();
        let at = "2026-10-01T00:00:00Z".parse().unwrap();
        assert_eq!(last_use, LastUse::At { at, service: None, region: None }, "which it does not tell");
        for silent in [Opinion::None, Opinion::Unused { last_use: None }, Opinion::Unread("denied".into())] {
            assert_eq!(with(Vec::new(), silent).newest(), None);
        }
        // A call of Access Analyzer by the key itself is a call like any other.
        let source = Some("access-analyzer.amazonaws.com".to_owned());
        assert!(!Activity { source, ..event }.is_of_analyzer());
    }

    #[test]
    fn only_an_unread_analyzer_can_be_ignored() {
        let with = |analyzer| Trail {
            analyzer: Some(analyzer),
            ..mk_trail(vec![("us-east-1", RegionTrail::Read(Vec::new()))])
        };
        let unread = with(Opinion::Unread("denied".into()));
        let gap = unread.gap().unwrap();
        assert!(gap == Gap::Analyzer("denied".into()) && gap.may_be_ignored());
        let since = Timestamp::UNIX_EPOCH;
        let resolved = with(Opinion::Resolved { at: since, last_use: None });
        let objection = resolved.objection(None).unwrap();
        assert!(objection == Gap::NoLongerUnused { since } && !objection.may_be_ignored());
        assert_eq!((resolved.gap(), unread.objection(None)), (None, None));
        let used = |hours: i64| Some(since - jiff::SignedDuration::from_hours(hours));
        assert_eq!(resolved.objection(used(48)), None, "the use that resolved it is known");
        assert!(resolved.objection(used(49)).is_some());
        for silent in [Opinion::None, Opinion::Unused { last_use: None }] {
            assert_eq!((with(silent.clone()).gap(), with(silent).objection(None)), (None, None));
        }
    }

    #[test]
    fn tools_that_manage_keys_name_themselves() {
        let tool = |agent: &str| {
            let call = TracedCall {
                at: Timestamp::UNIX_EPOCH,
                by: "arn:aws:iam::111122223333:user/ci".to_owned(),
                address: None,
                user_agent: Some(agent.to_owned()),
                event_id: None,
            };
            call.tool()
        };
        let terraform =
            "APN/1.0 HashiCorp/1.0 Terraform/1.14.0 (+https://www.terraform.io) aws-sdk-go-v2/1.40.0";
        assert_eq!(tool(terraform), Some(Tool::Terraform));
        assert_eq!(tool("cloudformation.amazonaws.com"), Some(Tool::CloudFormation));
        assert_eq!(tool("APN/1.0 Pulumi/1.0 PulumiAWS/7.0 terraform-provider-aws/6.2"), Some(Tool::Pulumi));
        assert_eq!(tool("Boto3/1.44 Ansible/2.19"), Some(Tool::Ansible));
        assert_eq!(tool("Mozilla/5.0 (X11; Linux x86_64)"), None);
        assert_eq!(tool("aws-cli/2.31.0"), None);
        let code = ["aws_iam_access_key", "AWS::IAM::AccessKey", "aws.iam.AccessKey", "active: false"];
        let tools = [Tool::Terraform, Tool::CloudFormation, Tool::Pulumi, Tool::Ansible];
        for (tool, code) in tools.into_iter().zip(code) {
            assert!(tool.remedy().contains(code), "{tool:?}");
        }
    }

    #[test]
    fn what_was_not_understood_weighs_more_than_what_was_not_read() {
        let unread = ("eu-west-1", RegionTrail::Unread("throttled".to_owned()));
        let unclear = ("us-east-1", RegionTrail::Unclear("an event without a time".to_owned()));
        let empty = ("us-west-2", RegionTrail::Read(Vec::new()));
        assert_eq!(mk_trail(vec![empty.clone()]).gap(), None);
        assert_eq!(mk_trail(vec![]).gap(), Some(Gap::NoRegion));
        let gap = mk_trail(vec![empty.clone(), unread.clone()]).gap().unwrap();
        assert!(matches!(&gap, Gap::Unread { of: 2, .. }) && gap.may_be_ignored(), "{gap:?}");
        let nothing = mk_trail(vec![unread.clone()]).gap().unwrap();
        assert!(!nothing.may_be_ignored(), "{nothing:?}");
        let gap = mk_trail(vec![empty, unread, unclear]).gap().unwrap();
        assert!(matches!(gap, Gap::Unclear { .. }) && !gap.may_be_ignored(), "{gap:?}");
    }
}
