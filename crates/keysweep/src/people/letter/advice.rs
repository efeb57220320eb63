//! What makes a key unnecessary, by the service that it was last used with. Each is one sentence.

use keysweep_core::facts::LastUse;

const WORKLOAD: &str = "A workload on AWS can use an IAM role: an EC2 instance profile, an ECS task role, EKS Pod Identity \
    or IRSA, or a Lambda execution role.";

const PIPELINE: &str = "A pipeline such as GitHub Actions or GitLab CI can assume a role through OIDC federation, and people \
    can use `aws login` or IAM Identity Center.";

const PEOPLE: &str = "People can sign in with `aws login` or IAM Identity Center, which give the AWS CLI and SDKs temporary \
    credentials.";

const ASSUMES: &str = "A role can be assumed without an access key: from a workload's own role on AWS, from CI through OIDC \
    federation, or from other servers through IAM Roles Anywhere.";

const AGENT: &str = "An agent on EC2 or ECS can use the instance or task role, and a server outside AWS can get temporary \
    credentials through IAM Roles Anywhere.";

const SES: &str = "SES SMTP credentials need an IAM user with an access key, but an application that calls the SES API can \
    use an IAM role.";

const ECR: &str = "ECS and EKS pull images with the task execution role or the node role, and CI can push them through OIDC \
    federation.";

const EKS: &str = "`aws eks get-token` accepts any AWS credentials, so that people can use `aws login` or IAM Identity Center \
    for kubectl, and CI can use OIDC federation.";

const BEDROCK: &str = "A workload on AWS can call Bedrock with an IAM role, and developers can use `aws login` or a short-term \
    Bedrock API key.";

const CODECOMMIT: &str = "git-remote-codecommit works with temporary credentials from a role, `aws login`, or IAM Identity \
    Center.";

const GENERAL: &str = "Temporary credentials can replace an access key: an IAM role on AWS, OIDC federation for CI, IAM Roles \
    Anywhere for other servers, and `aws login` or IAM Identity Center for people.";

/// The sentence for a key with this last use.
pub(super) fn advice(last_use: Option<&LastUse>) -> &'static str {
    let service = match last_use {
        Some(LastUse::At { service: Some(service), .. }) => service.to_ascii_lowercase(),
        Some(LastUse::At { service: None, .. } | LastUse::Never) | None => return GENERAL,
    };
    match service.as_str() {
        "dynamodb" | "kinesis" | "firehose" | "kms" | "rds-data" | "s3" | "s3express" | "secretsmanager"
        | "sns" | "sqs" | "ssm" | "states" | "events" | "textract" | "rekognition" | "comprehend"
        | "translate" | "polly" => WORKLOAD,
        "apigateway"
        | "autoscaling"
        | "cloudformation"
        | "cloudfront"
        | "codeartifact"
        | "codebuild"
        | "codedeploy"
        | "codepipeline"
        | "ec2"
        | "ecs"
        | "elasticache"
        | "elasticbeanstalk"
        | "elasticloadbalancing"
        | "lambda"
        | "rds"
        | "route53" => PIPELINE,
        "account" | "billing" | "budgets" | "ce" | "iam" | "organizations" | "signin" | "sso" | "support" => {
            PEOPLE
        }
        "sts" => ASSUMES,
        "cloudwatch" | "monitoring" | "logs" | "xray" | "aps" => AGENT,
        "ses" | "email" | "sesv2" => SES,
        "ecr" | "ecr-public" => ECR,
        "eks" => EKS,
        "bedrock" | "bedrock-runtime" | "bedrock-mantle" => BEDROCK,
        "codecommit" => CODECOMMIT,
        _ => GENERAL,
    }
}
