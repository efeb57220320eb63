//! Exemptions: those of the configuration, and those that operators grant.

use jiff::Timestamp;
use keysweep_core::ids::AccessKeyId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Done, Operation, Until, Verb};

/// Exemptions, configured and granted, and what they match now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListExemptions {}

impl Operation for ListExemptions {
    type Reply = ExemptionsDocument;
    const NAME: &'static str = "list_exemptions";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/exemptions";
}

/// The output of `keysweep exemptions list --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExemptionsDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// One row per rule `[[policy.exempt]]`, then one per granted exemption, oldest first.
    pub exemptions: Vec<ExemptionRow>,
}

/// An exemption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExemptionRow {
    /// Its key in the configuration, such as `policy.exempt[1]`, or its name if it was granted, such as `exemption 120`.
    pub rule: String,
    /// Its match, as configured, or the key or user to which it was granted.
    pub matches: String,
    /// Reason.
    pub reason: String,
    /// Last day; of a granted exemption, the instant at which it ends.
    pub until: String,
    /// Whether it has ended.
    pub lapsed: bool,
    /// How many findings it exempts now; null before the first sweep of this process.
    pub findings: Option<u64>,
    /// Key IDs of some of them.
    pub examples: Vec<String>,
    /// Since when it has matched no finding; null while it matches one, or if that is not known.
    pub idle_since: Option<Timestamp>,
    /// Number of a granted exemption; null for a configured one.
    #[serde(default)]
    pub number: Option<u64>,
    /// Who granted it; null for a configured one.
    #[serde(default)]
    pub by: Option<String>,
    /// When it was granted; null for a configured one.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// Exempt a key, or its user with every key that they have and will have: no change until the exemption ends, except the
/// undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantExemption {
    /// Key ID.
    #[schemars(schema_with = "crate::pattern::access_key")]
    pub key: AccessKeyId,
    /// Whether to exempt the user of the key, and not this key alone.
    #[serde(default)]
    pub whole_user: bool,
    /// When it ends: a date, whose day is included, or a number of days such as `90d`; at most a year ahead.
    pub until: Until,
    /// Why, for the audit log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
}

impl Operation for GrantExemption {
    type Reply = Done;
    const NAME: &'static str = "grant_exemption";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/keys/{key}/exemptions";
}

/// End an exemption that was granted. One of the configuration ends there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndExemption {
    /// Number of the exemption.
    #[serde(deserialize_with = "crate::number::required")]
    pub number: u64,
    /// Why, for the audit log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
}

impl Operation for EndExemption {
    type Reply = Done;
    const NAME: &'static str = "end_exemption";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/exemptions/{number}/end";
}
