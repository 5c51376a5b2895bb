//! An answer that is longer than any answer should be is refused before it fills the memory.
//!
//! The SDK reads the whole body of an answer. This wraps it in one that fails behind so many bytes, whatever the
//! answer says of its length.

use std::pin::Pin;
use std::task::{Context, Poll};

use aws_sdk_cloudtrail::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_cloudtrail::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudtrail::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// More came than is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its answer is longer than {0} bytes, and was not read")]
pub(super) struct TooLong(pub(super) u64);

/// No answer is read beyond so many bytes.
#[derive(Debug)]
pub(super) struct Bounded(pub(super) u64);

impl Intercept for Bounded {
    fn name(&self) -> &'static str {
        "Bounded"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Self(most) = *self;
        let body = context.response_mut().body_mut();
        let inner = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(BoundedBody { inner, left: most, most });
        Ok(())
    }
}

struct BoundedBody {
    inner: SdkBody,
    left: u64,
    most: u64,
}

impl Body for BoundedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Body::poll_frame(Pin::new(&mut self.inner), cx);
        let Poll::Ready(Some(Ok(frame))) = frame else { return frame };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => Poll::Ready(Some(Err(TooLong(self.most).into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        Body::is_end_stream(&self.inner)
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.inner)
    }
}
