//! Signatures of Amazon OpenSearch Service, where this program knows AWS.

#[cfg(feature = "aws")]
pub(super) use known::Signer;
#[cfg(not(feature = "aws"))]
pub(super) use unknown::Signer;

#[cfg(feature = "aws")]
mod known {
    use elasticsearch::http::Method;
    use elasticsearch::http::headers::{CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
    use std::time::{Duration, SystemTime};
    use url::Url;

    use crate::aws::{self, Signable};
    use crate::clock::Clock;
    use crate::cluster::Failure;

    pub(in crate::cluster) struct Signer(aws::Signer);

    impl Signer {
        pub(in crate::cluster) fn new(region: &str, service: &str) -> Self {
            Self(aws::Signer::new(region, service))
        }

        /// Adds to `headers` what proves who asks.
        pub(in crate::cluster) async fn sign(
            &self,
            method: Method,
            url: &Url,
            body: &[u8],
            headers: &mut HeaderMap,
        ) -> Result<(), Failure> {
            // Only these are signed: what lies between may add others.
            let packed = headers.get(CONTENT_ENCODING).map(|_| ("content-encoding", "gzip"));
            let signed: Vec<(&str, &str)> = packed.into_iter().collect();
            let request = Signable { method: name(method), url: url.as_str(), headers: &signed, body };
            let micros = u64::try_from(Clock::System.now().micros()).unwrap_or_default();
            let now = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
            let made = self.0.headers(request, now).await;
            for (name, value) in made.map_err(|failure| Failure::Setup(failure.to_string()))? {
                let bad = |_| Failure::Setup(format!("the signature's {name} is no header"));
                let value = HeaderValue::try_from(&value).map_err(|_| bad(()))?;
                headers.insert(HeaderName::try_from(&name).map_err(|_| bad(()))?, value);
            }
            Ok(())
        }
    }

    fn name(method: Method) -> &'static str {
        match method {
            Method::Get => "GET",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Delete => "DELETE",
            Method::Head => "HEAD",
        }
    }
}

#[cfg(not(feature = "aws"))]
mod unknown {
    use elasticsearch::http::Method;
    use elasticsearch::http::headers::HeaderMap;
    use url::Url;

    use crate::cluster::Failure;

    pub(in crate::cluster) struct Signer;

    impl Signer {
        pub(in crate::cluster) fn new(_: &str, _: &str) -> Self {
            Self
        }

        pub(in crate::cluster) async fn sign(
            &self,
            _: Method,
            _: &Url,
            _: &[u8],
            _: &mut HeaderMap,
        ) -> Result<(), Failure> {
            Err(Failure::Setup("this whodid was built without AWS: build it with the feature `aws`".to_owned()))
        }
    }
}
