//! Why a service of AWS did not do what was asked: one sorting of its codes for all services.
//!
//! What a kind means for a service, and what to do about it, is said by the room that asked.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::{NoRegion, chain, is_about_credentials};

/// A kind of failure, with what the service said. The words go behind the name of what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The code, and the action that is not allowed where the service names it.
    #[error("access is denied ({0})")]
    Denied(String),
    /// None were found.
    #[error("no AWS credentials were found: give them as for the AWS CLI (environment, ~/.aws, or the machine's role)")]
    NoCredentials,
    /// They were found, and the service does not take them.
    #[error("the AWS credentials are not accepted ({0}): renew them")]
    BadCredentials(String),
    #[error("does not take requests of another time ({0}): set this machine's clock")]
    WrongClock(String),
    #[error("no AWS region is known: set region for this source")]
    NoRegion,
    #[error("lies in another region: set region for this source")]
    WrongRegion,
    #[error("asks to slow down ({0}): it is tried again")]
    Throttled(String),
    /// There was no answer.
    #[error("cannot be reached, and is tried again: {0}")]
    Unreachable(String),
    /// Codes of that service alone, and what nobody foresaw.
    #[error("answered {code}: {message}")]
    Other { code: String, message: String },
}

impl From<NoRegion> for Failure {
    fn from(NoRegion: NoRegion) -> Self {
        Self::NoRegion
    }
}

impl Failure {
    /// Whether it may go better in a while, without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::Unreachable(_) => true,
            Self::Other { code, .. } => matches!(
                code.as_str(),
                "InternalError"
                    | "InternalFailure"
                    | "InternalServerError"
                    | "ServiceUnavailable"
                    | "500"
                    | "502"
                    | "504"
            ),
            _ => false,
        }
    }

    pub fn of<E>(error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                let code = answer.err().code().map_or_else(|| status.to_string(), str::to_owned);
                Self::of_code(code, answer.err().message().unwrap_or("no reason given"))
            }
            SdkError::ResponseError(answer) => {
                Self::of_code(answer.raw().status().as_u16().to_string(), "its answer cannot be read")
            }
            other => Self::of_chain(&chain(other)),
        }
    }

    /// By the names of all services: S3's, those of the query protocol, and those of JSON 1.0 and 1.1.
    pub fn of_code(code: String, message: &str) -> Self {
        match code.as_str() {
            "AccessDenied"
            | "AccessDeniedException"
            | "AllAccessDisabled"
            | "AccountProblem"
            | "KmsAccessDenied"
            | "KMS.AccessDeniedException"
            | "UnauthorizedOperation"
            | "403" => Self::Denied(match action_in(message) {
                Some(action) => format!("{code}: {action}"),
                None => code,
            }),
            "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "RequestExpired" => Self::BadCredentials(code),
            "RequestTimeTooSkewed" => Self::WrongClock(code),
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" | "301" => {
                Self::WrongRegion
            }
            "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "RequestLimitExceeded"
            | "KmsThrottled"
            | "TooManyRequests"
            | "TooManyRequestsException"
            | "429"
            | "503" => Self::Throttled(code),
            _ => Self::Other { code, message: message.to_owned() },
        }
    }

    /// What went wrong before there was an answer; the SDK tells it in words only.
    fn of_chain(text: &str) -> Self {
        if is_about_credentials(text) {
            Self::NoCredentials
        } else if text.to_ascii_lowercase().contains("region") {
            Self::NoRegion
        } else {
            Self::Unreachable(text.to_owned())
        }
    }
}

/// `… is not authorized to perform: kms:Decrypt on resource: …`: what is to be allowed.
fn action_in(message: &str) -> Option<&str> {
    let (_, after) = message.split_once("not authorized to perform: ")?;
    let action = after.split_whitespace().next()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == ':';
    (action.len() < 64 && action.contains(':') && action.chars().all(fits)).then_some(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_sorted_whichever_service_says_it() {
        let of = |code: &str| Failure::of_code(code.to_owned(), "m");
        assert_eq!(of("AccessDeniedException"), Failure::Denied("AccessDeniedException".to_owned()));
        assert_eq!(
            of("UnrecognizedClientException"),
            Failure::BadCredentials("UnrecognizedClientException".to_owned())
        );
        assert_eq!(of("RequestThrottled"), Failure::Throttled("RequestThrottled".to_owned()));
        assert_eq!(of("301"), Failure::WrongRegion);
        assert!(of("RequestTimeTooSkewed").to_string().ends_with("set this machine's clock"));
        assert_eq!(of("NoSuchKey"), Failure::Other { code: "NoSuchKey".to_owned(), message: "m".to_owned() });
    }

    #[test]
    fn the_action_that_is_not_allowed_is_named_and_nothing_else_of_the_message() {
        let of = |message: &str| Failure::of_code("AccessDenied".to_owned(), message);
        let text = "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: kms:Decrypt on resource: x";
        assert_eq!(of(text), Failure::Denied("AccessDenied: kms:Decrypt".to_owned()));
        for other in ["Access Denied", "is not authorized to perform: ", "is not authorized to perform: <b>:x on y"] {
            assert_eq!(of(other), Failure::Denied("AccessDenied".to_owned()), "{other}");
        }
    }

    #[test]
    fn without_an_answer_the_words_tell() {
        assert_eq!(Failure::of_chain("the credential provider was not enabled"), Failure::NoCredentials);
        assert_eq!(Failure::of_chain("Invalid Configuration: Missing Region"), Failure::NoRegion);
        assert_eq!(
            Failure::of_chain("dispatch failure: refused"),
            Failure::Unreachable("dispatch failure: refused".to_owned())
        );
    }
}
