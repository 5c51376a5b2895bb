//! Collecting: whatever happens to the files and wherever it is killed, every line arrives once.
//!
//! A small trail in memory stands for the real one: it folds positions from its events, answers for
//! seen ids, and refuses what would double.

mod bench;
mod follow;
mod hostile;
mod once;
