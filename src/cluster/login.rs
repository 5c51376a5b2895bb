//! Where a cluster is and how to log in there.

use std::fmt;
use std::time::Duration;

use elasticsearch::auth::Credentials;
use url::Url;
use zeroize::Zeroizing;

use super::sign::Signer;

/// Everything that a connection needs.
#[derive(Debug, Clone)]
pub struct Access {
    pub nodes: Vec<Url>,
    pub login: Login,
    /// Certificates (PEM) of an authority beside those of the system.
    pub ca: Option<Vec<u8>>,
    /// What is sent with every request besides.
    pub headers: Vec<(String, Secret)>,
    /// Of one request, from connecting to the last byte of the answer.
    pub timeout: Duration,
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Login {
    Nobody,
    Basic {
        user: String,
        password: Secret,
    },
    /// As the cluster gives it: base64 of id and key.
    ApiKey(Secret),
    /// Amazon OpenSearch Service: each request is signed (SigV4) with the credentials of the usual AWS chain.
    Aws {
        region: String,
    },
}

impl Login {
    pub(super) fn credentials(&self) -> Option<Credentials> {
        match self {
            Self::Nobody | Self::Aws { .. } => None,
            Self::Basic { user, password } => Some(Credentials::Basic(user.clone(), password.reveal().to_owned())),
            Self::ApiKey(key) => Some(Credentials::EncodedApiKey(key.reveal().to_owned())),
        }
    }

    pub(super) fn signer(&self) -> Option<Signer> {
        match self {
            Self::Aws { region } => Some(Signer::new(region, SERVICE)),
            _ => None,
        }
    }
}

/// What Amazon OpenSearch Service is called in signatures.
const SERVICE: &str = "es";

/// What is not shown anywhere, and does not stay behind in memory.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
