//! What IAM says it would allow, without anything being done.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use keysweep_core::quarantine::QuarantinePolicy;

use crate::fault::{Fault, short};
use crate::reader::Reader;
use crate::session_policy::policy_arn;

/// What IAM would say to an action. Conditions that look at something which was not told count as not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simulated {
    /// It is allowed.
    Allowed,
    /// No policy of the role allows it.
    NotAllowed,
    /// A policy of the role denies it.
    Denied,
    /// The organization denies it to the whole account (a service control policy).
    DeniedFromAbove,
}

impl Reader {
    /// What IAM would say if this user or role of the account asked for these actions on this resource;
    /// `iam:SimulatePrincipalPolicy`. One answer for each action, in their order.
    ///
    /// Neither session policies nor policies of the resource are looked at. `quarantine` is the policy that they would
    /// attach or detach.
    ///
    /// # Errors
    /// If the call fails, which it does with `Denied` unless the role that scans was given the permission, or an
    /// answer is missing.
    pub async fn simulate(
        &self,
        principal_arn: &str,
        actions: &[&str],
        resource_arn: &str,
        quarantine: Option<&QuarantinePolicy>,
    ) -> Result<Vec<Simulated>, Fault> {
        let operation = || format!("simulate what {} may do", short(principal_arn));
        let attaches = quarantine.map(|policy| {
            let arn = policy_arn(self.hub.partition, self.account.id, policy);
            let entry = ContextEntry::builder().context_key_name("iam:PolicyARN").context_key_values(arn);
            vec![entry.context_key_type(ContextKeyTypeEnum::String).build()]
        });
        let call = |iam: &aws_sdk_iam::Client| {
            iam.simulate_principal_policy()
                .policy_source_arn(principal_arn)
                .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
                .resource_arns(resource_arn)
                .set_context_entries(attaches.clone())
                .send()
        };
        let answer = self.call("iam:SimulatePrincipalPolicy", operation, call).await?;
        let results = answer.evaluation_results();
        let of = |action: &&str| results.iter().find(|result| result.eval_action_name() == *action);
        let told = actions.iter().map(|action| {
            let result = of(action).ok_or_else(|| format!("answer lacks {action}"))?;
            simulated(result)
        });
        told.collect::<Result<_, String>>()
            .map_err(|what| Fault::bug("iam:SimulatePrincipalPolicy", operation(), what))
    }
}

fn simulated(result: &EvaluationResult) -> Result<Simulated, String> {
    let from_above = result.organizations_decision_detail();
    match result.eval_decision() {
        PolicyEvaluationDecisionType::Allowed => Ok(Simulated::Allowed),
        PolicyEvaluationDecisionType::ImplicitDeny | PolicyEvaluationDecisionType::ExplicitDeny
            if from_above.is_some_and(|detail| !detail.allowed_by_organizations()) =>
        {
            Ok(Simulated::DeniedFromAbove)
        }
        PolicyEvaluationDecisionType::ImplicitDeny => Ok(Simulated::NotAllowed),
        PolicyEvaluationDecisionType::ExplicitDeny => Ok(Simulated::Denied),
        // The SDK's enum is open.
        other => Err(format!("answer's EvalDecision is {:?}", short(other.as_str()))),
    }
}
