//! (being built)

pub mod output;
