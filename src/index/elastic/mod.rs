//! The index beyond one machine: Elasticsearch 7.10 and later, OpenSearch 1 to 3.
//!
//! A document holds what the embedded index holds, one term for one term, so that a query means the same
//! there: keywords as they are, texts as our own words, addresses, numbers and instants by value, and
//! everything below `detail` as terms of path and value in one field, however many paths there are. `trail`
//! and `seq` lead back to the entry, and `leaf` is its hash there: what is shown is read from the trail.

mod access;
mod document;
mod forget;
mod lower;
mod position;
mod reconcile;
mod search;
mod tally;
mod template;
mod write;

pub use document::document;
pub use lower::{Effort, Lowered, lower};
pub use position::{Held, Position, folder};
pub use reconcile::{Day, Report, Scope, reconcile};
pub use search::Searcher;
pub use template::template;
pub use write::Writer;

/// Names of fields beside those of the one table.
mod field {
    /// The name of the trail.
    pub(super) const TRAIL: &str = "trail";
    /// The place in the trail.
    pub(super) const SEQ: &str = "seq";
    /// The hash of the entry: its leaf in the tree, in hex.
    pub(super) const LEAF: &str = "leaf";
    /// Which version of the fields a document was made for.
    pub(super) const SCHEMA: &str = "schema";
    /// `detail`: path and value.
    pub(super) const DETAIL: &str = "detail";
    /// The text fields that have a value: one without a word leaves no term.
    pub(super) const HAS: &str = "has";
    /// The UTC day of `when`.
    pub(super) const DAY: &str = "day";
    /// True where the cluster refused the whole document: what the event says is to be read from the trail.
    pub(super) const REDUCED: &str = "reduced";
    /// Why it did; kept, not searched.
    pub(super) const INDEX_ERROR: &str = "index_error";
    /// Below it, the words of each text field.
    pub(super) const WORDS: &str = "words";
    /// Below it, each time in microseconds: `date` has milliseconds.
    pub(super) const MICROS: &str = "micros";
}

/// The field in which values of this field are compared.
fn compared(field: &crate::event::fields::Field) -> String {
    use crate::event::fields::Kind;
    match field.kind {
        Kind::Keyword | Kind::Number | Kind::Ip => field.name.to_owned(),
        Kind::Text => format!("{}.{}", field::WORDS, field.name),
        Kind::Time => format!("{}.{}", field::MICROS, field.name),
    }
}
