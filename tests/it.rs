//! All integration tests in one binary: each further one costs a link and its disk space.

mod agreement;
mod anchors;
mod cloudtrail_data;
mod collect;
mod config;
mod docs;
mod ecs;
mod generate;
mod index;
mod interop;
mod killed;
mod logins;
mod program;
mod query;
mod quickstart;
mod random;
mod real_logs;
mod rotations;
mod shipped;
mod sources;
mod tidy;
mod utmp;
mod utmp_data;
mod verdicts;
mod witness;
