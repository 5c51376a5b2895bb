//! States, changes of state, and telling people.
//!
//! [`Engine`] evaluates what is due and says what to store ([`change`]): every verdict, every change,
//! and what became of every message are whodid's own events. Its [`Memory`] is folded from them, so
//! nothing else is stored. [`notify`] carries messages out; [`history`] replays the past.
//!
//! It never writes the trail: whoever calls stores the events, and only then sends the messages. A
//! message that was neither taken nor refused for good is sent again after the next start.
//!
//! Invariant: what could not be answered is UNKNOWN and stays due; it is never OK.

pub mod change;
mod engine;
pub mod history;
mod memory;
mod message;
pub mod notify;
mod round;
mod track;

pub use change::{Change, Evaluated, Kind, Told};
pub use engine::{Engine, Evaluation, Patience, Skipped, Standing, Which};
pub use memory::{Memory, Recall};
pub use message::Message;

#[cfg(test)]
mod tests;
