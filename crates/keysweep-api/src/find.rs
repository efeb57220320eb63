//! Findings and keys in the lifecycle: filtered, sorted, and page by page.

use jiff::Timestamp;
use keysweep_core::render::FindingRow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Operation, Verb, number};

/// Which keys. Every given field must match; text is compared without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyFilter {
    /// Part of the key ID, the user name, the account ID or name, or the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Account ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How the path of OUs of the account begins, such as `Root/Workloads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ou: Option<String>,
    /// Owner; `-` for keys without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Finding, such as `unused`; `stale` for `unused` and `never_used`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// Base state, such as `flagged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Overlay, such as `hold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// What comes next, such as `approval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Order of a list of keys.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum KeyOrder {
    /// Incidents, then severity, then the longest idle.
    #[default]
    Priority,
    /// The longest idle first.
    Idle,
    /// The oldest first.
    Age,
    /// What comes next, the earliest first.
    Next,
    /// By account, then user.
    Account,
    /// By owner, then account.
    Owner,
}

/// Findings, and keys in the lifecycle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListFindings {
    /// Which keys.
    #[serde(flatten)]
    pub filter: KeyFilter,
    /// In which order.
    #[serde(default)]
    pub sort: KeyOrder,
    /// How many rows at most: 1 to 1000, 100 by default.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number::optional")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Operation for ListFindings {
    type Reply = FindingsDocument;
    const NAME: &'static str = "list_findings";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/findings";
}

/// One page of findings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FindingsDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// When the last sweep collected the facts; null before the first sweep of this process.
    pub collected_at: Option<Timestamp>,
    /// How many rows match on all pages.
    pub total: u64,
    /// The rows of this page.
    pub findings: Vec<FindingRow>,
    /// For the next page; null on the last one.
    pub next_cursor: Option<String>,
}
