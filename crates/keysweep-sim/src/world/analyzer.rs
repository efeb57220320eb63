//! Analyzers of IAM Access Analyzer, and what they have found.

use jiff::Timestamp;

/// An analyzer, as its owner set it up.
#[derive(Debug, Clone)]
pub(crate) struct Analyzer {
    /// Such as `ORGANIZATION_UNUSED_ACCESS`.
    pub(crate) kind: String,
    /// Such as `ACTIVE`.
    pub(crate) status: String,
    /// After how many days it finds something unused.
    pub(crate) age_days: u32,
    /// In the order in which it found them.
    pub(crate) findings: Vec<AnalyzerFinding>,
}

/// A finding that a key of a user is unused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyzerFinding {
    /// Its ID.
    pub id: String,
    /// ARN of the user.
    pub resource: String,
    /// The key.
    pub key_id: String,
    /// `ACTIVE`, `ARCHIVED`, or `RESOLVED`; words that AWS does not know yet are taken as they are.
    pub status: String,
    /// The last use that it knows.
    pub last_accessed: Option<Timestamp>,
    /// When it said so.
    pub updated_at: Timestamp,
}

impl AnalyzerFinding {
    /// The value that a filter of this name looks at.
    pub(crate) fn shown(&self, filter: &str) -> &str {
        match filter {
            "resource" => &self.resource,
            "status" => &self.status,
            _ => "UnusedIAMUserAccessKey",
        }
    }
}
