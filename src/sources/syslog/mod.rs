//! The auth log of syslog: `auth.log`, `secure`.

use super::plain::Plain;
use super::{Decoder, Stream};
use crate::event::{Event, Stamp};

/// Decodes an auth log.
pub struct Syslog(Plain);

impl Syslog {
    pub fn new(stream: Stream) -> Self {
        Self(Plain::new(stream))
    }
}

impl Decoder for Syslog {
    fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        self.0.push(bytes, observed, out);
    }

    fn finish(&mut self, observed: Stamp, out: &mut Vec<Event>) {
        self.0.finish(observed, out);
    }

    fn next(&self) -> u64 {
        self.0.next()
    }
}

/// Whether the head of a file is that of an auth log.
pub fn is_auth(_head: &[u8]) -> bool {
    false
}
