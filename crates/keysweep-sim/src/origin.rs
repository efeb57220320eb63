//! Where calls come from, as CloudTrail shows it.

use std::borrow::Cow;

/// The source address and the user agent of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `sourceIPAddress`: an address, or the name of an AWS service that called on somebody's behalf.
    pub address: Cow<'static, str>,
    /// `userAgent`.
    pub user_agent: Cow<'static, str>,
}

impl Origin {
    /// Any address and user agent.
    pub fn new(address: impl Into<Cow<'static, str>>, user_agent: impl Into<Cow<'static, str>>) -> Self {
        Self { address: address.into(), user_agent: user_agent.into() }
    }

    /// A person at the AWS console.
    pub fn console() -> Self {
        Self::new("203.0.113.17", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    }

    /// A program that uses boto3.
    pub fn program() -> Self {
        Self::new("198.51.100.20", "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.12 lang/python#3.13.1")
    }

    /// Terraform, run by a person or a pipeline.
    pub fn terraform() -> Self {
        let agent = "APN/1.0 HashiCorp/1.0 Terraform/1.14.0 (+https://www.terraform.io) terraform-provider-aws/6.20.0 \
                     aws-sdk-go-v2/1.40.0 ua/2.1 os/linux lang/go#1.25.4";
        Self::new("198.51.100.80", agent)
    }

    /// CloudFormation, which calls from inside AWS.
    pub fn cloudformation() -> Self {
        Self::new("cloudformation.amazonaws.com", "cloudformation.amazonaws.com")
    }
}
