//! One POST of a JSON document.
//!
//! Whoever knows the address can post there: it is in no error, no log and no event. A receiver's answer
//! is not read beyond its status, and no redirection is followed: it would carry the headers elsewhere.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, redirect};

use crate::config::alert::Webhook;

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    #[error("the receiver answered {0}")]
    Status(u16),
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("no connection: {0}")]
    Connection(String),
    #[error("it cannot be sent at all: {0}")]
    Setup(String),
}

/// Posts to one address.
pub(super) struct Poster {
    /// Why it cannot, where it cannot.
    client: Result<Client, Refused>,
    webhook: Webhook,
}

/// Causes of an error that are named; a chain has three or four.
const CAUSES_MAX: usize = 6;

impl Refused {
    /// Another attempt would end the same way.
    pub fn is_final(&self) -> bool {
        match self {
            // Request Timeout and Too Many Requests pass; so may everything that is the receiver's own fault.
            Self::Status(code) => !matches!(code, 408 | 429 | 500..=599),
            Self::Timeout(_) | Self::Connection(_) => false,
            Self::Setup(_) => true,
        }
    }
}

impl Poster {
    pub(super) fn new(webhook: &Webhook) -> Self {
        Self { client: client(webhook), webhook: webhook.clone() }
    }

    pub(super) async fn post(&self, body: &str) -> Result<(), Refused> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let request = client.post(self.webhook.url.secret()).body(body.to_owned());
        let answer = request.send().await.map_err(|error| self.refused(error))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(Refused::Status(StatusCode::as_u16(&status))),
        }
    }

    fn refused(&self, error: reqwest::Error) -> Refused {
        match error {
            error if error.is_timeout() => Refused::Timeout(self.webhook.timeout),
            error if error.is_builder() => Refused::Setup(causes(error)),
            error => Refused::Connection(causes(error)),
        }
    }
}

fn client(webhook: &Webhook) -> Result<Client, Refused> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for header in &webhook.headers {
        let name = HeaderName::from_bytes(header.name().as_bytes());
        let value = HeaderValue::from_str(header.secret());
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(Refused::Setup(format!("the header {} is not valid", header.name())));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let client = Client::builder()
        .user_agent(concat!("whodid/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .timeout(webhook.timeout)
        .redirect(redirect::Policy::none())
        // Settings come from the configuration, not from the environment.
        .no_proxy()
        .build();
    client.map_err(|error| Refused::Setup(causes(error)))
}

/// The whole chain, without the address.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    chain.take(CAUSES_MAX).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
