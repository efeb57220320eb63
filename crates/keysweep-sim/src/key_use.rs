//! One use of an access key, and what CloudTrail makes of it.

use std::borrow::Cow;

use crate::origin::Origin;

/// Data events by service, the most common one first. LookupEvents shows none of them: it knows management events only
/// (CloudTrail user guide, Logging data events).
const DATA_EVENTS: &[(&str, &[&str])] = &[
    (
        "dynamodb",
        &[
            "GetItem",
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "ExecuteStatement",
            "PutItem",
            "Query",
            "Scan",
            "TransactGetItems",
            "TransactWriteItems",
            "UpdateItem",
        ],
    ),
    ("ebs", &["GetSnapshotBlock", "ListSnapshotBlocks", "PutSnapshotBlock"]),
    ("kinesis", &["PutRecords", "GetRecords", "PutRecord"]),
    ("lambda", &["Invoke"]),
    ("monitoring", &["PutMetricData", "GetMetricData"]),
    (
        "s3",
        &[
            "GetObject",
            "CopyObject",
            "DeleteObject",
            "DeleteObjects",
            "HeadBucket",
            "HeadObject",
            "ListObjects",
            "PutObject",
            "UploadPart",
        ],
    ),
    ("ses", &["SendEmail", "SendRawEmail"]),
    ("ses-smtp", &["SendRawEmail"]),
    ("sns", &["Publish", "PublishBatch"]),
    ("sqs", &["SendMessage", "DeleteMessage", "ReceiveMessage", "SendMessageBatch"]),
];

/// The event that a plain use of a service leaves, where it is a management event.
const MANAGEMENT_EVENTS: &[(&str, &str)] = &[
    ("cloudformation", "DescribeStacks"),
    ("ec2", "DescribeInstances"),
    ("ecr", "GetAuthorizationToken"),
    ("iam", "ListUsers"),
    ("sts", "GetCallerIdentity"),
];

/// The event of any other service.
const OTHER_EVENT: &str = "ListTagsForResource";

/// How the names of events begin that only read.
const READS: &[&str] =
    &["BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Scan", "Search", "Simulate"];

/// A use of a key by a program: with what, where, and from where.
///
/// ```
/// use keysweep_sim::KeyUse;
///
/// let denied = KeyUse::new("AKIASVCA000000000001", "ec2", "eu-west-1")
///     .event("DescribeInstances")
///     .address("203.0.113.9")
///     .user_agent("aws-cli/2.31.0")
///     .error("Client.UnauthorizedOperation");
/// # let _ = denied;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    pub(crate) key_id: String,
    pub(crate) service: String,
    pub(crate) region: String,
    event: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) error: Option<String>,
    pub(crate) reaches_iam: bool,
}

impl KeyUse {
    /// A use that AWS allows, with the most common event of the service, by a program of the organization.
    pub fn new(key_id: impl Into<String>, service: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            key_id: key_id.into(),
            service: service.into(),
            region: region.into(),
            event: None,
            origin: Origin::program(),
            error: None,
            reaches_iam: true,
        }
    }

    /// The name of the event: `ListBuckets`. It decides whether the use is a data event.
    #[must_use]
    pub fn event(mut self, name: impl Into<String>) -> Self {
        self.event = Some(name.into());
        self
    }

    /// The source address.
    #[must_use]
    pub fn address(mut self, address: impl Into<Cow<'static, str>>) -> Self {
        self.origin.address = address.into();
        self
    }

    /// The user agent.
    #[must_use]
    pub fn user_agent(mut self, agent: impl Into<Cow<'static, str>>) -> Self {
        self.origin.user_agent = agent.into();
        self
    }

    /// Source address and user agent at once.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// AWS knows the caller and refuses the call with this code, such as `AccessDenied`. The last use moves nevertheless.
    #[must_use]
    pub fn error(mut self, code: impl Into<String>) -> Self {
        self.error = Some(code.into());
        self
    }

    /// IAM never reports it as the last use: its records lag by hours, and this one for good.
    #[must_use]
    pub fn unknown_to_iam(mut self) -> Self {
        self.reaches_iam = false;
        self
    }

    /// The name of its event.
    pub(crate) fn event_name(&self) -> &str {
        let management = || find(MANAGEMENT_EVENTS, &self.service).copied();
        let usual = || self.data_events().first().copied().or_else(management).unwrap_or(OTHER_EVENT);
        self.event.as_deref().unwrap_or_else(usual)
    }

    /// Whether CloudTrail counts it as a data event, which LookupEvents does not show.
    pub(crate) fn is_data_event(&self) -> bool {
        self.data_events().contains(&self.event_name())
    }

    fn data_events(&self) -> &'static [&'static str] {
        find(DATA_EVENTS, &self.service).copied().unwrap_or_default()
    }
}

/// Whether an event of that name only reads.
pub(crate) fn only_reads(event: &str) -> bool {
    READS.iter().any(|prefix| event.starts_with(prefix))
}

fn find<T>(table: &'static [(&str, T)], service: &str) -> Option<&'static T> {
    table.iter().find(|(own, _)| *own == service).map(|(_, found)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_use(service: &str) -> KeyUse {
        KeyUse::new("AKIA", service, "us-east-1")
    }

    #[test]
    fn objects_and_messages_are_data_events_and_buckets_are_not() {
        assert!(mk_use("s3").is_data_event());
        assert!(mk_use("lambda").is_data_event());
        assert!(!mk_use("s3").event("ListBuckets").is_data_event());
        assert!(!mk_use("ec2").is_data_event());
        assert!(!mk_use("ec2").event("GetObject").is_data_event());
    }

    #[test]
    fn a_plain_use_has_the_usual_event_of_its_service() {
        assert_eq!(mk_use("sqs").event_name(), "SendMessage");
        assert_eq!(mk_use("sts").event_name(), "GetCallerIdentity");
        assert_eq!(mk_use("rds").event_name(), OTHER_EVENT);
        assert_eq!(mk_use("rds").event("StopDBInstance").event_name(), "StopDBInstance");
    }

    #[test]
    fn the_name_of_an_event_tells_whether_it_only_reads() {
        assert!(only_reads("DescribeInstances") && only_reads("GetCallerIdentity"));
        assert!(!only_reads("UpdateAccessKey") && !only_reads("PutObject"));
    }
}
