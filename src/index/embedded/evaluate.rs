//! The syntax tree, evaluated on one segment, with exactly the meaning of the matcher in memory.
//!
//! Each part of the tree narrows a set of documents. tantivy's term dictionaries, postings, positions
//! and columns are used for the leaves, its query types are not: their AND, OR and phrase skip ahead of
//! each other by a protocol (`seek_danger`) that has given wrong hits (tantivy issues 2811 and 3086;
//! version 0.27 fails its own assertion in our property test). A set of bits costs a few milliseconds
//! for a million documents, and cannot be wrong by skipping.

use tantivy::SegmentReader;
use tantivy::schema::Field;

use super::leaf::{self, columns, phrase, postings};
use super::schema::{Layout, SEQ, WHEN};
use super::set::Set;
use crate::event::fields::{self, FieldRef, Kind};
use crate::index::span::Span;
use crate::index::term;
use crate::query::ast::{Ast, Test};

/// One segment of a partition.
pub(super) struct Segment<'s> {
    pub(super) reader: &'s SegmentReader,
    pub(super) layout: &'static Layout,
    /// The times of its partition.
    pub(super) held: Span,
}

impl Segment<'_> {
    pub(super) fn all(&self) -> Set {
        Set::full(self.reader.max_doc())
    }

    /// Leaves in `within` what matches.
    pub(super) fn narrow(&self, within: &mut Set, ast: &Ast) -> tantivy::Result<()> {
        match ast {
            Ast::All => Ok(()),
            Ast::Nothing => {
                within.clear();
                Ok(())
            }
            Ast::And(all) => self.narrow_to_all(within, all),
            Ast::Or(any) => self.narrow_to_any(within, any),
            Ast::Not(ast) => {
                let mut found = within.clone();
                self.narrow(&mut found, ast)?;
                within.subtract(&found);
                Ok(())
            }
            Ast::Leaf { field: FieldRef::Known(known), test } => match self.layout.field(known) {
                Some(field) => self.known(within, known, field, test),
                None => {
                    within.clear();
                    Ok(())
                }
            },
            Ast::Leaf { field: FieldRef::Detail(path), test } => {
                let mut start = String::new();
                term::push_path(&mut start, path);
                leaf::keyword(within, self.reader, self.layout.detail, &start, test)
            }
            Ast::Places(places) => columns::places(within, self.reader, SEQ, places),
        }
    }

    /// Leaves in `within` the events of a span of `when`.
    pub(super) fn narrow_to_times(&self, within: &mut Set, span: Span) -> tantivy::Result<()> {
        if span.covers(self.held) {
            return Ok(());
        }
        columns::signed(within, self.reader, WHEN, span.first..=span.last)
    }

    /// Leaves in `within` the events at places of the trail from `first` on and before `end`.
    pub(super) fn narrow_to_places(&self, within: &mut Set, first: u64, end: u64) -> tantivy::Result<()> {
        match end.checked_sub(1) {
            Some(last) => columns::unsigned(within, self.reader, SEQ, first..=last),
            None => {
                within.clear();
                Ok(())
            }
        }
    }

    fn narrow_to_all(&self, within: &mut Set, all: &[Ast]) -> tantivy::Result<()> {
        let mut all: Vec<&Ast> = all.iter().collect();
        all.sort_by_key(|ast| cost(ast));
        for ast in all {
            if within.is_empty() {
                break;
            }
            self.narrow(within, ast)?;
        }
        Ok(())
    }

    fn narrow_to_any(&self, within: &mut Set, any: &[Ast]) -> tantivy::Result<()> {
        let mut found = within.empty_like();
        for ast in any {
            if within.is_empty() {
                break;
            }
            let mut part = within.clone();
            self.narrow(&mut part, ast)?;
            within.subtract(&part);
            found.unite(&part);
        }
        *within = found;
        Ok(())
    }

    fn known(&self, within: &mut Set, known: &fields::Field, field: Field, test: &Test) -> tantivy::Result<()> {
        match (known.kind, test) {
            (Kind::Keyword, test) => leaf::keyword(within, self.reader, field, "", test),
            (Kind::Ip, test) => leaf::address(within, self.reader, field, test),
            (Kind::Text, Test::Exists) => {
                postings::exactly(within, self.reader, self.layout.has, known.name.as_bytes())
            }
            (Kind::Text, Test::Words(words)) => phrase::words(within, self.reader, field, words),
            (Kind::Text, test) => leaf::word(within, self.reader, field, test),
            (Kind::Number, test) => leaf::number(within, self.reader, self.layout.schema.get_field_name(field), test),
            (Kind::Time, Test::TimeRange(lower, upper)) if known.name == WHEN => {
                self.narrow_to_times(within, Span::between(lower, upper))
            }
            (Kind::Time, test) => leaf::time(within, self.reader, self.layout.schema.get_field_name(field), test),
        }
    }
}

/// What is cheap comes first, and what is dear then looks at fewer documents.
fn cost(ast: &Ast) -> u8 {
    match ast {
        Ast::All | Ast::Nothing => 0,
        Ast::Places(_) => 2,
        Ast::Leaf { test, .. } => match test {
            Test::Keyword(_) | Test::Ip(_) => 1,
            Test::Cidr(_) | Test::IpRange(..) | Test::TimeRange(..) | Test::Number(_) | Test::NumberRange(..) => 2,
            Test::Words(words) if words.len() < 2 => 1,
            Test::AnyOf(_) => 2,
            Test::Exists | Test::KeywordRange(..) | Test::Words(_) => 3,
            Test::Wildcard(_) | Test::Regex(_) => 4,
        },
        Ast::And(all) => all.iter().map(cost).min().unwrap_or(0),
        Ast::Or(any) => any.iter().map(cost).max().unwrap_or(0),
        Ast::Not(ast) => cost(ast),
    }
}
