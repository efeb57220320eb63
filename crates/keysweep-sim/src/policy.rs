//! An evaluator of IAM policies: what permissions, session and trust policies need of the language, and no more.
//!
//! What it does not know (an element, an operator, a condition key, a policy variable) is an error when the policy is
//! given: an oracle must not wave through what it cannot judge.

mod condition;
mod context;
mod pattern;

use serde_json::Value;

use condition::Condition;
pub(crate) use context::{Caller, Context, RequestKeys};
use pattern::{Pattern, Reading};

/// A policy document that is none, or that cannot be judged here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is not JSON.
    #[error("parse policy document: not json at line {line}, column {column}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// The JSON is no policy.
    #[error("parse policy document: {0}")]
    Shape(String),
    /// It may be a policy, and holds something that keysweep-sim does not know.
    #[error("parse policy document: keysweep-sim cannot judge {0}")]
    Unsupported(String),
}

impl PolicyError {
    fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }
}

/// A parsed document.
#[derive(Debug)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

/// What a policy is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An identity or a session: it says on which resources.
    Identity,
    /// A role: it says who may assume it.
    Trust,
}

#[derive(Debug)]
struct Statement {
    allow: bool,
    /// None: an identity policy, which speaks of whom it is attached to.
    principals: Option<Vec<String>>,
    actions: Patterns,
    /// None: a trust policy, which speaks of the role it is attached to.
    resources: Option<Patterns>,
    conditions: Vec<Condition>,
}

/// `NotAction` and `NotResource` are the negated ones.
#[derive(Debug)]
struct Patterns {
    negated: bool,
    any: Vec<Pattern>,
}

/// What a call asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) context: &'a Context<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allow,
    /// No statement allows it.
    ImplicitDeny,
    ExplicitDeny,
}

impl Policy {
    /// A policy of an identity or a session.
    pub(crate) fn parse(text: &str) -> Result<Self, PolicyError> {
        Self::parse_as(text, Kind::Identity)
    }

    /// A policy that says who may assume a role.
    pub(crate) fn parse_trust(text: &str) -> Result<Self, PolicyError> {
        Self::parse_as(text, Kind::Trust)
    }

    fn parse_as(text: &str, kind: Kind) -> Result<Self, PolicyError> {
        let document: Value = serde_json::from_str(text)
            .map_err(|error| PolicyError::NotJson { line: error.line(), column: error.column() })?;
        only(&document, &["Version", "Id", "Statement"])?;
        let statements: Vec<Statement> = match document.get("Statement") {
            Some(Value::Array(list)) => list.iter().map(|one| Statement::parse(one, kind)).collect(),
            Some(one @ Value::Object(_)) => Statement::parse(one, kind).map(|one| vec![one]),
            _ => Err(PolicyError::Shape("Statement is missing".to_owned())),
        }?;
        let version = document.get("Version").map(|version| version.as_str().unwrap_or_default());
        if version.is_some_and(|version| !["2012-10-17", "2008-10-17"].contains(&version)) {
            return Err(PolicyError::Shape("Version is none".to_owned()));
        }
        if version != Some("2012-10-17") && statements.iter().any(Statement::has_variables) {
            return Err(PolicyError::unsupported("variables in a policy without Version 2012-10-17"));
        }
        let mut sids: Vec<&str> = match document.get("Statement") {
            Some(Value::Array(list)) => {
                list.iter().filter_map(|one| one.get("Sid").and_then(Value::as_str)).collect()
            }
            _ => Vec::new(),
        };
        let given = sids.len();
        sids.sort_unstable();
        sids.dedup();
        let fits = |sid: &&str| sid.bytes().all(|b| b.is_ascii_alphanumeric());
        if sids.len() != given || !sids.iter().all(fits) {
            return Err(PolicyError::Shape("a Sid is letters and digits, and unique".to_owned()));
        }
        Ok(Self { statements })
    }

    pub(crate) fn decide(&self, ask: &Ask<'_>) -> Decision {
        let action = ask.action.to_ascii_lowercase();
        let mut decision = Decision::ImplicitDeny;
        for statement in &self.statements {
            if !statement.applies(&action, ask) {
                continue;
            }
            if !statement.allow {
                return Decision::ExplicitDeny;
            }
            decision = Decision::Allow;
        }
        decision
    }
}

impl Statement {
    fn parse(value: &Value, kind: Kind) -> Result<Self, PolicyError> {
        let (own, foreign) = match kind {
            Kind::Identity => (["Resource", "NotResource"].as_slice(), "Principal"),
            Kind::Trust => (["Principal"].as_slice(), "Resource"),
        };
        if value.get(foreign).is_some() {
            return Err(PolicyError::Shape(format!("{foreign} has no place in such a policy")));
        }
        only(value, &[&["Sid", "Effect", "Action", "NotAction", "Condition"], own].concat())?;
        let allow = match value.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err(PolicyError::Shape("Effect must be Allow or Deny".to_owned())),
        };
        let actions = Patterns::parse(value, "Action", "NotAction", true)?;
        if actions.any.iter().any(Pattern::has_variables) {
            return Err(PolicyError::unsupported("a variable in Action"));
        }
        let (principals, resources) = match kind {
            Kind::Identity => (None, Some(Patterns::parse(value, "Resource", "NotResource", false)?)),
            Kind::Trust => (Some(principals(value)?), None),
        };
        let conditions = value.get("Condition").map_or(Ok(Vec::new()), Condition::parse_all)?;
        Ok(Self { allow, principals, actions, resources, conditions })
    }

    fn has_variables(&self) -> bool {
        self.resources.as_ref().is_some_and(|patterns| patterns.any.iter().any(Pattern::has_variables))
            || self.conditions.iter().any(Condition::has_variables)
    }

    fn applies(&self, action: &str, ask: &Ask<'_>) -> bool {
        let context = ask.context;
        // What cannot be told, for want of a value for a variable, is held against the caller.
        let told = |answer: Option<bool>| answer.unwrap_or(!self.allow);
        self.principals.as_ref().is_none_or(|any| any.iter().any(|one| names(one, &context.caller)))
            && told(self.actions.matches(action, context))
            && self.resources.as_ref().is_none_or(|any| told(any.matches(ask.resource, context)))
            && self.conditions.iter().all(|condition| told(condition.holds(context)))
    }
}

/// Whether a principal of a trust policy is this caller: its ARN, the role behind its session, or its account.
fn names(principal: &str, caller: &Caller<'_>) -> bool {
    let root = principal.split_once(":iam::").and_then(|(_, rest)| rest.strip_suffix(":root"));
    principal == "*"
        || principal == caller.arn
        || Some(principal) == caller.role_arn
        || principal == caller.account
        || root == Some(caller.account)
}

fn principals(value: &Value) -> Result<Vec<String>, PolicyError> {
    let shape = || PolicyError::Shape("Principal must be \"*\" or AWS and ARNs".to_owned());
    let found = value.get("Principal").ok_or_else(shape)?;
    if found == "*" {
        return Ok(vec!["*".to_owned()]);
    }
    only(found, &["AWS"])?;
    found.get("AWS").and_then(strings).ok_or_else(shape)
}

/// Fails if an object has another member than these.
fn only(value: &Value, known: &[&str]) -> Result<(), PolicyError> {
    let members = value.as_object().ok_or_else(|| PolicyError::Shape("expected an object".to_owned()))?;
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(PolicyError::unsupported(format!("element {key}"))),
        None => Ok(()),
    }
}

impl Patterns {
    fn parse(value: &Value, name: &str, negated: &str, lower: bool) -> Result<Self, PolicyError> {
        let (found, is_negated) = match (value.get(name), value.get(negated)) {
            (Some(found), None) => (found, false),
            (None, Some(found)) => (found, true),
            _ => return Err(PolicyError::Shape(format!("exactly one of {name} and {negated} is needed"))),
        };
        let texts = strings(found)
            .filter(|texts| !texts.is_empty())
            .ok_or_else(|| PolicyError::Shape(format!("{name} must be text or a list of it")))?;
        let pattern = |text: String| {
            let text = if lower { text.to_ascii_lowercase() } else { text };
            Pattern::parse(&text, Reading::Wildcards)
        };
        Ok(Self { negated: is_negated, any: texts.into_iter().map(pattern).collect::<Result<_, _>>()? })
    }

    fn matches(&self, text: &str, context: &Context<'_>) -> Option<bool> {
        let mut matched = false;
        for pattern in &self.any {
            matched |= pattern.matches(text, context)?;
        }
        Some(matched != self.negated)
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        single => one(single).map(|text| vec![text]),
    }
}

#[cfg(test)]
mod tests;
