//! Signs requests to a service that has no client here (SigV4, AWS General Reference), as this machine is set up.

use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use tokio::sync::Mutex;

use super::{Failure, chain};

/// Credentials of a role are renewed this long before they end.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);

/// Of one region and service.
pub struct Signer {
    region: String,
    service: String,
    known: Mutex<Option<Credentials>>,
}

/// One request as it will be sent.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'r> {
    pub method: &'r str,
    pub url: &'r str,
    pub headers: &'r [(&'r str, &'r str)],
    pub body: &'r [u8],
}

impl Signer {
    pub fn new(region: &str, service: &str) -> Self {
        Self { region: region.to_owned(), service: service.to_owned(), known: Mutex::default() }
    }

    /// The headers that prove who asks; `now` is part of what is signed.
    pub async fn headers(&self, request: Signable<'_>, now: SystemTime) -> Result<Vec<(String, String)>, Failure> {
        let credentials = self.credentials(now).await?;
        let wrong = |error: &dyn std::error::Error| Failure::Other { code: "SigV4".to_owned(), message: chain(error) };
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(now)
            .settings(settings)
            .build()
            .map_err(|error| wrong(&error))?
            .into();
        let Signable { method, url, headers, body } = request;
        let signable = SignableRequest::new(method, url, headers.iter().copied(), SignableBody::Bytes(body))
            .map_err(|error| wrong(&error))?;
        let (instructions, _) = sign(signable, &params).map_err(|error| wrong(&error))?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    async fn credentials(&self, now: SystemTime) -> Result<Credentials, Failure> {
        let mut known = self.known.lock().await;
        let lasts = |credentials: &Credentials| credentials.expiry().is_none_or(|end| end > now + RENEWED_BEFORE);
        if let Some(credentials) = known.as_ref().filter(|credentials| lasts(credentials)) {
            return Ok(credentials.clone());
        }
        let loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(self.region.clone()));
        let shared = loader.load().await;
        let provider = shared.credentials_provider().ok_or(Failure::NoCredentials)?;
        let fresh = provider.provide_credentials().await.map_err(|_| Failure::NoCredentials)?;
        Ok(known.insert(fresh).clone())
    }
}
