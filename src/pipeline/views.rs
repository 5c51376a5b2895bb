//! Which index there is, by the configuration.

use std::sync::Arc;

use crate::config::{Config, Index as Chosen};
#[cfg(feature = "elastic")]
use crate::index::elastic;
use crate::index::{Entries, Index, IndexError, Joined, View, embedded};

/// Answers queries about a trail, with who was behind what.
pub fn searcher(config: &Config, trail: impl Entries + 'static) -> Joined<Box<dyn Index>> {
    Joined::new(plain_searcher(config, trail), Arc::clone(&config.people))
}

/// The same of events alone.
pub fn plain_searcher(config: &Config, trail: impl Entries + 'static) -> Box<dyn Index> {
    match &config.index {
        #[cfg(feature = "elastic")]
        Chosen::Elastic(settings) => Box::new(elastic::Searcher::open(&config.data, trail, settings)),
        _ => Box::new(embedded::Searcher::open(&config.data, trail)),
    }
}

/// Takes the trail of `origin` in.
pub(super) fn writer(config: &Config, origin: &str) -> Result<Box<dyn View>, IndexError> {
    Ok(match &config.index {
        #[cfg(feature = "elastic")]
        Chosen::Elastic(settings) => Box::new(elastic::Writer::open(&config.data, origin, settings)?),
        _ => Box::new(embedded::Writer::open(&config.data, origin)?),
    })
}

/// Deletes the index and begins one.
pub fn rebuild(config: &Config, origin: &str) -> Result<Box<dyn View>, IndexError> {
    Ok(match &config.index {
        #[cfg(feature = "elastic")]
        Chosen::Elastic(settings) => Box::new(elastic::Writer::rebuild(&config.data, origin, settings)?),
        _ => Box::new(embedded::Writer::rebuild(&config.data, origin)?),
    })
}
