//! The query language: text -> [`ast::Ast`] -> an engine.
//!
//! [`Query::parse`] reads Lucene's query-string syntax (`docs/query.md`) and reports every mistake
//! there is, at its column; [`Query::at`] then fixes `now` and gives the tree that engines compile.
//! [`matcher`] is the engine in memory and the reference for the others.
//!
//! It knows fields and values only from `event::fields`, reads no clock and does no I/O.
//!
//! Invariants: a tree that came from here holds no test that its field's kind does not know, so no
//! engine has anything to refuse; printing such a tree and parsing the text gives the same tree, but for
//! lists ([`Lists`]), which are printed as their values.

pub mod ast;
mod error;
mod explain;
mod leaf;
pub mod lists;
pub mod matcher;
mod network;
mod node;
mod parse;
mod pattern;
pub mod people;
mod print;
mod scan;
mod time;

pub use error::{Problem, QueryError};
pub use explain::explain;
pub use lists::{Lists, Unset};
pub use matcher::{Subject, matches};
pub use people::{Attribution, People};
pub use time::{TimeProblem, bounds};

use crate::event::Stamp;
use ast::Ast;
use node::Node;

/// The longest query. A generated one (Sigma, a list of addresses) is long; a pasted log file is no query.
pub const QUERY_BYTES_MAX: usize = 65_536;

/// How deep parentheses and NOTs may be nested: deeper ones would exhaust the stack of an engine.
pub const DEPTH_MAX: usize = 64;

/// How many tests a query may have: Lucene's own limit of clauses, so that every engine takes it.
pub const TESTS_MAX: usize = 1_024;

/// How many regular expressions a query may have; each may take [`pattern::REGEX_COMPILED_BYTES_MAX`].
pub const REGEXES_MAX: usize = 32;

pub use pattern::{REGEX_BYTES_MAX, REGEX_COMPILED_BYTES_MAX, WILDCARD_BYTES_MAX};

/// A query that is known to be right, before it is known when "now" is.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    text: String,
    root: Node,
    lists: lists::Named,
}

impl Query {
    /// Reads a query; whatever is wrong with it is found here, not later.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Self::parse_with(text, &Lists::default())
    }

    /// The same where lists can be named.
    pub fn parse_with(text: &str, lists: &Lists) -> Result<Self, QueryError> {
        let (root, lists) = parse::parse(text, lists).map_err(|fault| QueryError::new(text, fault))?;
        Ok(Self { text: text.to_owned(), root, lists })
    }

    /// The lists that it names.
    pub fn lists(&self) -> &lists::Named {
        &self.lists
    }

    /// Fails where one of them is not set: the tree is then no answer to what is asked.
    pub fn answerable(&self) -> Result<(), Unset> {
        Unset::check(self.unset())
    }

    /// Those that are not set.
    pub fn unset(&self) -> impl Iterator<Item = &str> {
        self.lists.iter().filter(|(_, values)| values.is_none()).map(|(name, _)| name.as_str())
    }

    /// The tree, with date math reckoned from `now`.
    pub fn at(&self, now: Stamp) -> Ast {
        self.root.at(now)
    }

    /// False where [`Self::at`] gives the same tree at any time.
    pub fn depends_on_now(&self) -> bool {
        self.root.depends_on_now()
    }

    /// The query as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// [`Query::parse`] and [`Query::at`] in one, for a query that is asked once.
pub fn parse(text: &str, now: Stamp) -> Result<Ast, QueryError> {
    Query::parse(text).map(|query| query.at(now))
}
