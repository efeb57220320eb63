//! How each service words the refusals that all services know.

use super::Service;
use super::xml::escape_into;
use crate::world::Refusal;

impl Service {
    pub(crate) fn unknown_action(self, operation: &str) -> Refusal {
        match self {
            Self::Iam | Self::Sts => {
                let text = format!("Could not find operation {operation} for version of this service");
                Refusal::new(400, "InvalidAction", text)
            }
            Self::Organizations | Self::CloudTrail => Refusal::new(400, "UnknownOperationException", ""),
            Self::Account | Self::AccessAnalyzer => Refusal::new(404, "UnknownOperationException", ""),
        }
    }

    pub(crate) fn missing_token(self) -> Refusal {
        let status = match self {
            Self::Organizations | Self::CloudTrail => 400,
            Self::Iam | Self::Sts | Self::Account | Self::AccessAnalyzer => 403,
        };
        Refusal::new(status, "MissingAuthenticationToken", "Request is missing Authentication Token")
    }

    pub(crate) fn invalid_token(self) -> Refusal {
        let (status, code) = match self {
            Self::Iam | Self::Sts => (403, "InvalidClientTokenId"),
            Self::Organizations | Self::CloudTrail => (400, "UnrecognizedClientException"),
            Self::Account | Self::AccessAnalyzer => (403, "UnrecognizedClientException"),
        };
        Refusal::new(status, code, "The security token included in the request is invalid.")
    }

    pub(crate) fn expired_token(self) -> Refusal {
        let (status, code) = match self {
            Self::Iam | Self::Sts => (403, "ExpiredToken"),
            Self::Organizations | Self::CloudTrail => (400, "ExpiredTokenException"),
            Self::Account | Self::AccessAnalyzer => (403, "ExpiredTokenException"),
        };
        Refusal::new(status, code, "The security token included in the request is expired")
    }

    pub(crate) fn denied(self, message: String) -> Refusal {
        match self {
            Self::Iam | Self::Sts => Refusal::new(403, "AccessDenied", message),
            Self::Organizations | Self::CloudTrail => Refusal::new(400, "AccessDeniedException", message),
            Self::Account | Self::AccessAnalyzer => Refusal::new(403, "AccessDeniedException", message),
        }
    }

    pub(crate) fn throttled(self) -> Refusal {
        match self {
            Self::Iam | Self::Sts => Refusal::new(400, "Throttling", "Rate exceeded"),
            Self::Organizations => Refusal::new(
                400,
                "TooManyRequestsException",
                "AWS Organizations can't complete your request because another request is already in progress. \
                 Try again later.",
            ),
            Self::CloudTrail => Refusal::new(400, "ThrottlingException", "Rate exceeded"),
            Self::Account => Refusal::new(429, "TooManyRequestsException", "Too Many Requests"),
            Self::AccessAnalyzer => Refusal::new(429, "ThrottlingException", "Rate exceeded"),
        }
    }

    pub(crate) fn failed(self) -> Refusal {
        let code = match self {
            Self::Iam | Self::Sts => "ServiceFailure",
            Self::Organizations => "ServiceException",
            Self::CloudTrail => "InternalFailure",
            Self::Account | Self::AccessAnalyzer => "InternalServerException",
        };
        Refusal::new(500, code, "Internal failure")
    }

    /// The whole body of a refusal.
    pub(crate) fn error(self, refusal: &Refusal, request_id: &str) -> String {
        let Refusal { status, code, message } = refusal;
        match self {
            Self::Iam | Self::Sts => self.xml_error(*status, code, message, request_id),
            Self::Organizations => serde_json::json!({ "__type": code, "Message": message }).to_string(),
            Self::CloudTrail => serde_json::json!({ "__type": code, "message": message }).to_string(),
            // The code is in a header.
            Self::Account | Self::AccessAnalyzer => serde_json::json!({ "message": message }).to_string(),
        }
    }

    fn xml_error(self, status: u16, code: &str, message: &str, request_id: &str) -> String {
        let kind = if status < 500 { "Sender" } else { "Receiver" };
        let mut body = String::with_capacity(400 + message.len());
        for part in ["<ErrorResponse xmlns=\"", self.namespace(), "\"><Error><Type>", kind, "</Type><Code>"] {
            body.push_str(part);
        }
        escape_into(&mut body, code);
        body.push_str("</Code><Message>");
        escape_into(&mut body, message);
        for part in ["</Message></Error><RequestId>", request_id, "</RequestId></ErrorResponse>"] {
            body.push_str(part);
        }
        body
    }
}
