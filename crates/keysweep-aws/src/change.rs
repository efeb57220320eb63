//! One change of one key, sent at most once.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::RequestId;
use aws_sdk_iam::types::StatusType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;
use keysweep_core::ids::{KeyIdentity, UserName};
use keysweep_core::ticket::{Action, Order, Warrant};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::aws::Hub;
use crate::fault::{Cause, FaultKind, classify};
use crate::session_policy::api_of;

/// What is known of a change after its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// AWS said yes. Reading back is the caller's.
    Accepted {
        /// AWS's request ID, for the journal.
        request_id: Option<String>,
    },
    /// AWS said no, or it was never asked: certainly not applied.
    Refused {
        /// What the refusal means.
        kind: FaultKind,
        /// Code and message of AWS, or our own reason.
        detail: String,
        /// AWS's request ID.
        request_id: Option<String>,
    },
    /// No answer, a broken connection, an error on the side of AWS: it may have been applied, and only reading
    /// tells.
    Unclear {
        /// What happened.
        detail: String,
    },
}

/// A session that can make one change, waiting for the order.
///
/// It is made before the intent is written, so that a role that cannot be assumed leaves no open intent.
pub struct Prepared {
    hub: Arc<Hub>,
    client: aws_sdk_iam::Client,
    identity: KeyIdentity,
    action: Action,
    user_name: UserName,
    /// The ARN of the policy to attach or detach; absent for a change of the key.
    policy: Option<String>,
    /// By AWS's clock; absent for an undo while AWS's time was not known.
    deadline: Option<Timestamp>,
}

pub(crate) fn prepared(
    hub: Arc<Hub>,
    client: aws_sdk_iam::Client,
    warrant: &Warrant,
    policy: Option<String>,
    deadline: Option<Timestamp>,
) -> Prepared {
    Prepared {
        hub,
        client,
        identity: warrant.identity().clone(),
        action: warrant.action(),
        user_name: warrant.user_name().clone(),
        policy,
        deadline,
    }
}

impl Prepared {
    /// How long AWS will still carry the change out, by AWS's clock; `None` if it has no deadline.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| self.hub.time.left_until(deadline))
    }

    fn is_late(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }

    /// Sends the change: one attempt, within the limit of an attempt. Consumes session and order.
    pub async fn send(self, order: Order) -> CallOutcome {
        if order.identity() != &self.identity
            || order.action() != self.action
            || order.user_name() != &self.user_name
        {
            return CallOutcome::Refused {
                kind: FaultKind::Bug,
                detail: "the order is for another change than the session".to_owned(),
                request_id: None,
            };
        }
        if self.is_late() {
            return CallOutcome::Refused {
                kind: FaultKind::Transient,
                detail: "its deadline was over before it was sent".to_owned(),
                request_id: None,
            };
        }
        let start = Instant::now();
        let api = api_of(self.action);
        let span = tracing::debug_span!("call", otel.name = api, api);
        let outcome = match self.call().instrument(span).await {
            // Nothing is wrong with the role: the call took too long.
            CallOutcome::Refused { kind: FaultKind::Denied, detail, request_id } if self.is_late() => {
                let detail = format!("its deadline was over when it arrived: {detail}");
                CallOutcome::Refused { kind: FaultKind::Transient, detail, request_id }
            }
            outcome => outcome,
        };
        let told = match &outcome {
            CallOutcome::Accepted { .. } => Ok(()),
            CallOutcome::Refused { kind, .. } => Err(*kind),
            CallOutcome::Unclear { .. } => Err(FaultKind::Transient),
        };
        self.hub.observer().call(api, told, start.elapsed());
        outcome
    }

    async fn call(&self) -> CallOutcome {
        let (user, key) = (self.user_name.as_str(), self.identity.key.as_str());
        match self.action {
            Action::Quarantine => {
                let call = self.client.attach_user_policy().user_name(user);
                outcome_of(call.set_policy_arn(self.policy.clone()).send().await)
            }
            Action::EndQuarantine => {
                let call = self.client.detach_user_policy().user_name(user);
                outcome_of(call.set_policy_arn(self.policy.clone()).send().await)
            }
            Action::Deactivate => self.update(user, key, StatusType::Inactive).await,
            Action::Reactivate => self.update(user, key, StatusType::Active).await,
            Action::Delete => {
                let call = self.client.delete_access_key().user_name(user).access_key_id(key).send();
                outcome_of(call.await)
            }
        }
    }

    async fn update(&self, user: &str, key: &str, status: StatusType) -> CallOutcome {
        outcome_of(
            self.client.update_access_key().user_name(user).access_key_id(key).status(status).send().await,
        )
    }
}

fn outcome_of<T, E>(result: Result<T, SdkError<E, HttpResponse>>) -> CallOutcome
where
    T: RequestId,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match result {
        Ok(answer) => CallOutcome::Accepted { request_id: answer.request_id().map(str::to_owned) },
        Err(error) => {
            let (kind, cause) = classify(&error, None);
            let detail = cause.to_string();
            match cause {
                // 408 is the one status of the 400s that speaks of a request that was cut off on its way.
                Cause::Answer { status, request_id, .. } if (400..500).contains(&status) && status != 408 => {
                    CallOutcome::Refused { kind, detail, request_id }
                }
                Cause::NotSent(_) => CallOutcome::Refused { kind, detail, request_id: None },
                Cause::Answer { .. }
                | Cause::Timeout
                | Cause::Connection(_)
                | Cause::Unreadable { .. }
                | Cause::Contract(_) => CallOutcome::Unclear { detail },
            }
        }
    }
}
