//! All integration tests in one binary: each further one costs a link and its disk space.

mod generate;
mod query;
