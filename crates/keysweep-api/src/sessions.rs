//! Sessions of people who have logged in to the page.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Done, Operation, Role, Verb};

/// Sessions that are not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListSessions {}

impl Operation for ListSessions {
    type Reply = SessionsDocument;
    const NAME: &'static str = "list_sessions";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/sessions";
    // It says where people are.
    const ROLE: Role = Role::Operator;
}

/// The output of `keysweep sessions list --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionsDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// Oldest first.
    pub sessions: Vec<SessionRow>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRow {
    /// Number, as in `keysweep sessions revoke NUMBER`.
    pub number: u64,
    /// Who has logged in.
    pub person: String,
    /// The highest role that the configuration gives them now; null for none.
    pub role: Option<Role>,
    /// When they logged in.
    pub since: Timestamp,
    /// When the session was last used, to about a minute.
    pub seen: Timestamp,
    /// Address of the client at login.
    pub client: String,
}

/// End sessions. The people concerned have to log in again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeSessions {
    /// Number of the session; null for all.
    #[serde(default)]
    pub number: Option<u64>,
    /// Why, for the log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
}

impl Operation for RevokeSessions {
    type Reply = Done;
    const NAME: &'static str = "revoke_sessions";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/sessions/revoke";
}
