//! The syntax tree that every engine compiles: one meaning, three engines.
//!
//! A leaf is a [`Test`] on one field. The parser has already resolved names and aliases, checked that
//! the field's kind knows the test, and turned text into values; so an engine never meets a test that
//! it would have to refuse. What each test means is the table in `docs/query.md`.

use std::net::IpAddr;
use std::ops::Bound;

use ipnet::IpNet;

use crate::event::Stamp;
use crate::event::fields::FieldRef;

#[derive(Debug, Clone, PartialEq)]
pub enum Ast {
    /// `*` or an empty query.
    All,
    /// Matches nothing: an empty `()` cannot be written, but a rewrite may arrive here.
    Nothing,
    And(Vec<Ast>),
    Or(Vec<Ast>),
    Not(Box<Ast>),
    Leaf {
        field: FieldRef,
        test: Test,
    },
}

/// What one value of a field must be; a list matches if any element does.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The field has a value: `field:*`, `_exists_:field`.
    Exists,
    /// Keyword: the whole value, case-sensitive (already cut to the searchable length).
    Keyword(String),
    /// Text: these words in this order, next to each other (one word or more, already lower-cased).
    Words(Vec<String>),
    /// Keyword: the pattern matches the whole value. Text: it matches one word.
    Wildcard(Wildcard),
    /// The expression matches the whole value (keyword) or one whole word (text).
    Regex(Regex),
    /// Keyword, by the order of bytes.
    KeywordRange(Bound<String>, Bound<String>),
    Number(i64),
    NumberRange(Bound<i64>, Bound<i64>),
    Ip(IpAddr),
    /// A network of the same version: `10.0.0.0/8`.
    Cidr(IpNet),
    IpRange(Bound<IpAddr>, Bound<IpAddr>),
    /// Instants; date math and rounding are already resolved.
    TimeRange(Bound<Stamp>, Bound<Stamp>),
}

/// `*` any run of characters, `?` one character, `\` takes the next one as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard {
    pub parts: Vec<WildcardPart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WildcardPart {
    Literal(String),
    /// `?`
    One,
    /// `*`
    Many,
}

/// A regular expression that compiled; `source` is what was written between the slashes
/// (there a slash needs a backslash, here it has none).
#[derive(Debug, Clone)]
pub struct Regex {
    pub source: String,
    /// Anchored at both ends; dot matches newline.
    pub compiled: regex::Regex,
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}
