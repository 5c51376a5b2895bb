//! All integration tests in one binary: each further one costs a link and its disk space.

mod agreement;
mod anchors;
mod ansible;
mod auth_data;
mod aws_queries;
mod cloudtrail_data;
mod collect;
mod config;
mod docs;
mod ecs;
#[cfg(feature = "elastic")]
mod es_query;
mod exposures;
mod generate;
mod hostile;
mod index;
mod interop;
mod journal;
mod kibana;
mod killed;
mod logins;
mod program;
mod query;
mod quickstart;
mod random;
mod real_logs;
mod rotations;
mod servers;
mod shipped;
mod sources;
mod tidy;
mod utmp;
mod utmp_data;
mod verdicts;
mod witness;
