//! CloudTrail's digest files: proof of what was delivered, and that nothing in between is missing.
//!
//! Every hour CloudTrail writes, for each account, region and trail, a signed list of what it delivered with the hashes
//! of it, and names the list before (`docs/cloudtrail-digests.md`). This room reads such files, checks who signed them,
//! and knows nothing of where they are kept: no clock, no I/O.

mod file;
mod hours;
mod judge;
mod key;
mod known;
mod name;
mod report;
mod scope;
mod spans;
#[cfg(test)]
mod tests;

pub use judge::{Bounds, Conclusion, Judge, LetGo};
pub use key::Relied;
pub use known::Looked;
pub use report::{Counts, Place, Report, Told, TrailReport};
