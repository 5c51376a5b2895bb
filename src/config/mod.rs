//! (being built)

pub mod source;

pub use source::Source;
