//! CloudTrail's own API as a way in: its event history, how trails fare, and the keys of digests.
//!
//! It is asked from owned threads, which wait for it and for the end of the program.

mod keys;
mod lookup;
#[cfg(test)]
mod moto;
#[cfg(test)]
mod tests;
mod trails;
mod window;

use super::wire::{self, Wire};
use crate::aws::cloudtrail::{Access, Api, ApiError};
use crate::config::source;

pub(super) use keys::{Wants, beside as with_keys};
pub(super) use lookup::read as read_lookup;
pub use trails::look as look_at_trail;
pub(super) use trails::{is_of_api, read as read_trail};

/// Why asking stopped before its end.
type Halt = wire::Halt<ApiError>;

/// The API of a region.
fn open(wire: &Wire, api: &source::Api, region: Option<&str>) -> Result<Api, Halt> {
    let access = Access { region, endpoint: api.endpoint.as_deref(), profile: api.profile.as_deref() };
    wire.wait(Api::open(access))
}
