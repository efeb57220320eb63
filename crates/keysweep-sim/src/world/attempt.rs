//! Attempts to alter the world: each ends in the ledger, and those on IAM also in CloudTrail.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::trail::{Event, EventError, Identity};
use super::{Actor, Refusal, Signed, World, home_region, mint_role_id, mint_session_key_id};
use crate::ledger::{Change, Who};
use crate::origin::Origin;

/// The role of people of the organization who are no IAM users.
const PEOPLE_ROLE: &str =
    "aws-reserved/sso.amazonaws.com/AWSReservedSSO_AdministratorAccess_0123456789abcdef";

/// IAM's error codes that CloudTrail spells with a suffix.
const SUFFIXED: &[&str] =
    &["DeleteConflict", "EntityAlreadyExists", "InvalidInput", "LimitExceeded", "NoSuchEntity"];

/// What the ledger keeps of an attempt, and what only CloudTrail shows.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) change: Change,
    signed: Option<Signed>,
    /// `requestParameters`, except for what the change says already.
    parameters: Value,
    /// Whether it came as far as IAM.
    arrived: bool,
}

impl Attempt {
    pub(crate) fn new(change: Change, actor: &Actor) -> Self {
        Self { change, signed: actor.signed.clone(), parameters: Value::Null, arrived: true }
    }

    #[must_use]
    pub(crate) fn with(mut self, parameters: Value) -> Self {
        self.parameters = parameters;
        self
    }

    /// It never came as far as IAM: no trail has it.
    #[must_use]
    pub(crate) fn lost(mut self) -> Self {
        self.arrived = false;
        self
    }

    /// The call of IAM, if it is one that CloudTrail shows.
    fn call(&self) -> Option<&str> {
        self.change.action.strip_prefix("iam:").filter(|_| self.arrived)
    }

    fn request_parameters(&self, call: &str) -> Value {
        let change = &self.change;
        let mut shown = match &self.parameters {
            Value::Object(own) => own.clone(),
            _ => Map::new(),
        };
        let mut show = |name: &str, value: Option<&String>| {
            if let Some(value) = value {
                shown.insert(name.to_owned(), json!(value));
            }
        };
        show("userName", change.user_name.as_ref());
        match call {
            "CreateAccessKey" => {}
            "DeleteRole" => show("roleName", change.old.as_ref()),
            "UpdateUser" => show("newUserName", change.new.as_ref().filter(|_| change.new != change.old)),
            _ => {
                show("accessKeyId", change.key_id.as_ref());
                show("status", change.new.as_ref());
            }
        }
        Value::Object(shown)
    }

    fn response(&self, call: &str) -> Value {
        let Change { user_name, user_id, key_id, new, at, .. } = &self.change;
        let created = at.strftime("%b %-d, %Y %-I:%M:%S %p").to_string();
        match call {
            _ if !self.change.applied => Value::Null,
            "CreateAccessKey" => json!({ "accessKey": {
                "accessKeyId": key_id, "userName": user_name, "status": new, "createDate": created,
            }}),
            "CreateUser" => {
                json!({ "user": { "userName": user_name, "userId": user_id, "createDate": created } })
            }
            _ => Value::Null,
        }
    }

    fn resources(&self) -> Vec<(&'static str, String)> {
        let Change { user_name, key_id, .. } = &self.change;
        let policy = self.parameters.get("policyArn").and_then(Value::as_str).map(str::to_owned);
        let all = [
            ("AWS::IAM::AccessKey", key_id.clone()),
            ("AWS::IAM::Policy", policy),
            ("AWS::IAM::User", user_name.clone()),
        ];
        all.into_iter().filter_map(|(kind, name)| Some((kind, name?))).collect()
    }
}

impl World {
    /// Writes down how an attempt ended and wakes what waits for it.
    pub(crate) fn finish<T>(
        &mut self,
        mut attempt: Attempt,
        outcome: Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        match &outcome {
            Ok(_) => attempt.change.applied = true,
            Err(refusal) => attempt.change.error = Some(refusal.code.clone()),
        }
        if attempt.change.applied {
            self.wake(&attempt.change);
        }
        self.record_attempt(&attempt, outcome.as_ref().err());
        self.ledger.record(attempt.change);
        outcome
    }

    fn record_attempt(&mut self, attempt: &Attempt, refusal: Option<&Refusal>) {
        let Some(call) = attempt.call() else { return };
        let change = &attempt.change;
        let number = self.next_event();
        let (identity, origin) = match (&attempt.signed, &change.who) {
            (Some(signed), _) => (signed.identity(), self.caller_origin(signed.user_agent.as_deref())),
            (None, Who::Script(who)) => self.person(&change.account, who, number),
            (None, Who::Session { .. } | Who::Direct(_)) => return,
        };
        let event = Event {
            at: change.at,
            number,
            region: self.word(home_region(&self.settings.partition)),
            service: self.word("iam"),
            name: self.word(call),
            identity,
            origin,
            error: refusal.map(|refusal| EventError {
                code: error_code(&refusal.code),
                message: Some(refusal.message.clone()),
            }),
            parameters: attempt.request_parameters(call),
            response: attempt.response(call),
            resources: attempt.resources(),
            request_id: change.request_id.clone(),
        };
        self.record_event(&change.account, event);
    }

    /// Where a caller on the wire calls from.
    pub(crate) fn caller_origin(&self, user_agent: Option<&str>) -> Origin {
        Origin::new(self.settings.caller_address.clone(), user_agent.unwrap_or("-").to_owned())
    }

    /// Somebody of the organization: the IAM user of that name, or an administrator from the company's directory.
    fn person(&self, account: &str, who: &str, number: u64) -> (Identity, Origin) {
        let partition = &self.settings.partition;
        let name: Arc<str> = who.into();
        let (principal_id, arn, role_arn) = match self.find_user(account, who) {
            Ok(user) => (user.id.clone(), user.arn(partition, account), None),
            Err(_) => {
                let role = PEOPLE_ROLE.rsplit('/').next().unwrap_or(PEOPLE_ROLE);
                let id = format!("{}:{who}", mint_role_id(0));
                let arn = format!("arn:{partition}:sts::{account}:assumed-role/{role}/{who}");
                (id.into(), arn, Some(format!("arn:{partition}:iam::{account}:role/{PEOPLE_ROLE}")))
            }
        };
        let identity = Identity {
            account: account.into(),
            principal_id,
            arn: arn.into(),
            name,
            key_id: mint_session_key_id(number).into(),
            role_arn: role_arn.map(Into::into),
        };
        let origin = self.origins.get(who).unwrap_or(&self.settings.people);
        (identity, origin.clone())
    }
}

fn error_code(code: &str) -> String {
    if SUFFIXED.contains(&code) { format!("{code}Exception") } else { code.to_owned() }
}
