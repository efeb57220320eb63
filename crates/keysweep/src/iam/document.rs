//! An IAM policy document as data: only what our policies use of the language.

use std::collections::BTreeMap;

use serde::Serialize;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    /// Letters and digits, and unique within a policy.
    sid: String,
    effect: Effect,
    /// In trust policies alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
    action: Vec<&'static str>,
    /// Empty in trust policies alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<Operator, BTreeMap<String, Values>>,
}

/// Values of a condition key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Values {
    /// For an operator that takes one.
    One(&'static str),
    Any(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Principal {
    #[serde(rename = "AWS")]
    aws: String,
}

/// A condition operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Operator {
    /// One of the values, letter by letter.
    StringEquals,
    /// One of the values, in which `*` and `?` are wildcards.
    StringLike,
    /// One of the values, an ARN in each of whose parts `*` and `?` are wildcards.
    ArnLike,
    /// Whether the key is absent: "true" or "false".
    Null,
    /// Before the value, a time in RFC 3339.
    DateLessThan,
}

impl Document {
    pub(super) fn new(statement: Vec<Statement>) -> Self {
        Self { version: "2012-10-17", statement }
    }

    /// The Sid of the statement that allows this action.
    #[must_use]
    pub fn allows(&self, action: &str) -> Option<&str> {
        let of = |one: &&Statement| one.effect == Effect::Allow && one.action.contains(&action);
        self.statement.iter().find(of).map(|one| one.sid.as_str())
    }

    /// How long AWS takes it to be: it does not count white space.
    #[must_use]
    pub fn characters(&self) -> usize {
        serde_json::to_string(self)
            .map_or(usize::MAX, |text| text.chars().filter(|c| !c.is_whitespace()).count())
    }
}

impl Statement {
    /// Allows these actions on every resource, unless [`Statement::on`] says on which.
    pub(super) fn allow(sid: &str, action: impl Into<Vec<&'static str>>) -> Self {
        Self {
            sid: sid.to_owned(),
            effect: Effect::Allow,
            principal: None,
            action: action.into(),
            resource: vec!["*".to_owned()],
            condition: BTreeMap::new(),
        }
    }

    /// Denies these actions, whatever else allows them.
    pub(super) fn deny(sid: &str, action: impl Into<Vec<&'static str>>) -> Self {
        Self { effect: Effect::Deny, ..Self::allow(sid, action) }
    }

    /// Lets this principal do something with the role that the policy belongs to.
    pub(super) fn trust(sid: &str, principal: &str, action: &'static str) -> Self {
        let principal = Some(Principal { aws: principal.to_owned() });
        Self { principal, resource: Vec::new(), ..Self::allow(sid, [action]) }
    }

    pub(super) fn on(mut self, resource: impl Into<Vec<String>>) -> Self {
        self.resource = resource.into();
        self
    }

    /// Holds only while the condition key has one of these values, as the operator means it.
    pub(super) fn when(
        mut self,
        operator: Operator,
        key: impl Into<String>,
        values: impl IntoIterator<Item = String>,
    ) -> Self {
        let values = Values::Any(values.into_iter().collect());
        self.condition.entry(operator).or_default().insert(key.into(), values);
        self
    }

    /// Holds only for requests without this condition key.
    pub(super) fn when_absent(mut self, key: &str) -> Self {
        self.condition.entry(Operator::Null).or_default().insert(key.to_owned(), Values::One("true"));
        self
    }
}
