//! How a decision names the request that it is about.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// A request for approval as it was shown: its number, and the hash of the facts shown with it. Written `NUMBER` or
/// `NUMBER-HASH`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RequestRef {
    /// The sequence number of the entry that asked.
    pub number: u64,
    /// The hash; `None` compares the number alone.
    pub hash: Option<String>,
}

impl std::fmt::Display for RequestRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.hash {
            Some(hash) => write!(f, "{}-{hash}", self.number),
            None => write!(f, "{}", self.number),
        }
    }
}

impl From<RequestRef> for String {
    fn from(request: RequestRef) -> Self {
        request.to_string()
    }
}

impl TryFrom<String> for RequestRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for RequestRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, hash) = text.split_once('-').map_or((text, None), |(number, hash)| (number, Some(hash)));
        let wrong =
            || format!("expected the request as it is shown, such as 120-1f2e3d4c, and found {text:?}");
        let number = number.parse().map_err(|_| wrong())?;
        let is_hash = |hash: &str| !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hash.is_some_and(|hash| !is_hash(hash)) {
            return Err(wrong());
        }
        Ok(Self { number, hash: hash.map(str::to_ascii_lowercase) })
    }
}

impl JsonSchema for RequestRef {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RequestRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A number alone is for people who type commands on the machine of the daemon.
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]{1,19}-[0-9a-fA-F]+$" })
    }
}
