//! A small evaluator of IAM policies: enough for session policies, role policies and tag conditions.
//!
//! What it does not know (an operator, a condition key, a policy variable) makes the whole policy deny, with a message
//! that says what was not understood: an oracle must not wave through what it cannot judge.

use std::collections::BTreeMap;

use serde_json::Value;
use wildmatch::WildMatch;

/// A policy document that is none.
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
}

/// A parsed document.
#[derive(Debug)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
    /// What was not understood: everything is denied then.
    unsupported: Option<String>,
}

#[derive(Debug)]
struct Statement {
    allow: bool,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

/// `NotAction` and `NotResource` are the negated ones.
#[derive(Debug)]
struct Patterns {
    negated: bool,
    any: Vec<WildMatch>,
}

#[derive(Debug)]
struct Condition {
    operator: Operator,
    if_exists: bool,
    /// The key of the resource tag it looks at.
    tag: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    StringEquals,
    StringNotEquals,
    StringEqualsIgnoreCase,
    StringNotEqualsIgnoreCase,
    StringLike,
    StringNotLike,
    Null,
}

/// What a call asks for.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) resource_tags: &'a BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    Allow,
    /// No statement allows it.
    ImplicitDeny,
    ExplicitDeny,
    /// The policy holds something unknown.
    Unsupported(String),
}

impl Policy {
    pub(crate) fn parse(text: &str) -> Result<Self, PolicyError> {
        let document: Value = serde_json::from_str(text)
            .map_err(|error| PolicyError::NotJson { line: error.line(), column: error.column() })?;
        let mut unsupported = None;
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) => {
                list.iter().map(|one| Statement::parse(one, &mut unsupported)).collect()
            }
            Some(one @ Value::Object(_)) => Statement::parse(one, &mut unsupported).map(|one| vec![one]),
            _ => Err(PolicyError::Shape("Statement is missing".to_owned())),
        }?;
        Ok(Self { statements, unsupported })
    }

    pub(crate) fn decide(&self, ask: &Ask<'_>) -> Decision {
        if let Some(what) = &self.unsupported {
            return Decision::Unsupported(what.clone());
        }
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
    fn parse(value: &Value, unsupported: &mut Option<String>) -> Result<Self, PolicyError> {
        let allow = match value.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err(PolicyError::Shape("Effect must be Allow or Deny".to_owned())),
        };
        let actions = Patterns::parse(value, "Action", "NotAction", true)?;
        let resources = Patterns::parse(value, "Resource", "NotResource", false)?;
        let mut conditions = Vec::new();
        for (operator, keys) in value.get("Condition").and_then(Value::as_object).into_iter().flatten() {
            for (key, values) in keys.as_object().into_iter().flatten() {
                match Condition::parse(operator, key, values) {
                    Some(condition) => conditions.push(condition),
                    None => *unsupported = Some(format!("condition {operator} on {key}")),
                }
            }
        }
        if ["Principal", "NotPrincipal"].iter().any(|key| value.get(key).is_some()) {
            return Err(PolicyError::Shape("Principal has no place in an identity policy".to_owned()));
        }
        if value.to_string().contains("${") {
            *unsupported = Some("a policy variable".to_owned());
        }
        Ok(Self { allow, actions, resources, conditions })
    }

    fn applies(&self, action: &str, ask: &Ask<'_>) -> bool {
        self.actions.matches(action)
            && self.resources.matches(ask.resource)
            && self.conditions.iter().all(|condition| condition.holds(ask))
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
            .ok_or_else(|| PolicyError::Shape(format!("{name} must be text or a list of it")))?;
        let pattern = |text: String| WildMatch::new(&if lower { text.to_ascii_lowercase() } else { text });
        Ok(Self { negated: is_negated, any: texts.into_iter().map(pattern).collect() })
    }

    fn matches(&self, text: &str) -> bool {
        self.any.iter().any(|pattern| pattern.matches(text)) != self.negated
    }
}

impl Condition {
    fn parse(operator: &str, key: &str, values: &Value) -> Option<Self> {
        let (operator, if_exists) = match operator.strip_suffix("IfExists") {
            Some(operator) => (operator, true),
            None => (operator, false),
        };
        let operator = match operator {
            "StringEquals" => Operator::StringEquals,
            "StringNotEquals" => Operator::StringNotEquals,
            "StringEqualsIgnoreCase" => Operator::StringEqualsIgnoreCase,
            "StringNotEqualsIgnoreCase" => Operator::StringNotEqualsIgnoreCase,
            "StringLike" => Operator::StringLike,
            "StringNotLike" => Operator::StringNotLike,
            "Null" if !if_exists => Operator::Null,
            _ => return None,
        };
        // Condition keys are not case-sensitive; tag keys in them are not either (IAM user guide, tags).
        let (prefix, tag) = key.split_once('/')?;
        if !["aws:resourcetag", "iam:resourcetag"].contains(&prefix.to_ascii_lowercase().as_str()) {
            return None;
        }
        Some(Self { operator, if_exists, tag: tag.to_owned(), values: strings(values)? })
    }

    fn holds(&self, ask: &Ask<'_>) -> bool {
        let found = ask.resource_tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(&self.tag));
        let found = found.map(|(_, value)| value.as_str());
        if self.operator == Operator::Null {
            return self.values.iter().any(|wanted| (wanted == "true") == found.is_none());
        }
        let Some(found) = found else {
            // A key that is absent matches no positive operator and every negated one, and "IfExists" always.
            return self.if_exists || self.operator.negated();
        };
        let any = self.values.iter().any(|wanted| match self.operator {
            Operator::StringEquals | Operator::StringNotEquals => wanted == found,
            Operator::StringEqualsIgnoreCase | Operator::StringNotEqualsIgnoreCase => {
                wanted.eq_ignore_ascii_case(found)
            }
            Operator::StringLike | Operator::StringNotLike => WildMatch::new(wanted).matches(found),
            Operator::Null => false,
        });
        any != self.operator.negated()
    }
}

impl Operator {
    fn negated(self) -> bool {
        match self {
            Self::StringNotEquals | Self::StringNotEqualsIgnoreCase | Self::StringNotLike => true,
            Self::StringEquals | Self::StringEqualsIgnoreCase | Self::StringLike | Self::Null => false,
        }
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
mod tests {
    use super::*;

    const SVC: &str = "arn:aws:iam::111122223333:user/ci/svc";

    fn mk_tags(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn decide(policy: &str, action: &str, resource: &str, tags: &[(&str, &str)]) -> Decision {
        let policy =
            Policy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{policy}}}"#)).expect("a policy");
        policy.decide(&Ask { action, resource, resource_tags: &mk_tags(tags) })
    }

    #[test]
    fn what_nobody_allows_is_denied() {
        let policy = r#"{"Effect":"Allow","Action":["iam:Get*","iam:ListUsers"],"Resource":"*"}"#;
        assert_eq!(decide(policy, "iam:GetUser", SVC, &[]), Decision::Allow);
        assert_eq!(decide(policy, "IAM:listusers", SVC, &[]), Decision::Allow);
        assert_eq!(decide(policy, "iam:UpdateAccessKey", SVC, &[]), Decision::ImplicitDeny);
    }

    #[test]
    fn a_deny_wins_over_every_allow() {
        let policy = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},
                         {"Effect":"Deny","NotAction":"iam:Get*","Resource":"*"}]"#;
        assert_eq!(decide(policy, "iam:GetUser", SVC, &[]), Decision::Allow);
        assert_eq!(decide(policy, "iam:DeleteUser", SVC, &[]), Decision::ExplicitDeny);
    }

    #[test]
    fn a_resource_names_one_user() {
        let policy = r#"{"Effect":"Allow","Action":"iam:UpdateAccessKey","Resource":"arn:aws:iam::111122223333:user/ci/svc"}"#;
        assert_eq!(decide(policy, "iam:UpdateAccessKey", SVC, &[]), Decision::Allow);
        let other = "arn:aws:iam::111122223333:user/ci/svc2";
        assert_eq!(decide(policy, "iam:UpdateAccessKey", other, &[]), Decision::ImplicitDeny);
    }

    #[test]
    fn tags_decide_through_conditions() {
        let with = |condition: &str| {
            format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#)
        };
        let holds = |condition: &str, tags: &[(&str, &str)]| {
            decide(&with(condition), "iam:DeleteAccessKey", SVC, tags) == Decision::Allow
        };
        let null = r#"{"Null":{"aws:ResourceTag/keysweep:exempt":"true"}}"#;
        assert!(holds(null, &[]));
        assert!(!holds(null, &[("keysweep:exempt", "yes")]));
        assert!(!holds(null, &[("KeySweep:Exempt", "yes")]));
        let equals = r#"{"StringEquals":{"aws:ResourceTag/env":["dev","test"]}}"#;
        assert!(holds(equals, &[("env", "test")]));
        assert!(!holds(equals, &[("env", "prod")]));
        assert!(!holds(equals, &[]));
        assert!(holds(r#"{"StringEqualsIfExists":{"aws:ResourceTag/env":"dev"}}"#, &[]));
        let unlike = r#"{"StringNotLike":{"aws:ResourceTag/env":["p*","q*"]}}"#;
        assert!(holds(unlike, &[]));
        assert!(holds(unlike, &[("env", "dev")]));
        assert!(!holds(unlike, &[("env", "prod")]));
    }

    #[test]
    fn what_is_not_understood_denies_even_where_it_would_deny_less() {
        let policy = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},
            {"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]"#;
        assert_eq!(
            decide(policy, "iam:GetUser", SVC, &[]),
            Decision::Unsupported("condition IpAddress on aws:SourceIp".to_owned())
        );
    }

    #[test]
    fn a_document_that_is_no_policy_is_refused() {
        assert!(matches!(Policy::parse("{"), Err(PolicyError::NotJson { .. })));
        assert!(matches!(Policy::parse("{}"), Err(PolicyError::Shape(_))));
        assert!(matches!(Policy::parse(r#"{"Statement":[{"Effect":"Maybe"}]}"#), Err(PolicyError::Shape(_))));
    }
}
