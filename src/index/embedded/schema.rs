//! The fields of a document, made from the one table of searchable fields.
//!
//! | kind | indexed as |
//! |---|---|
//! | keyword | the searchable part of the value, one term |
//! | text | its words with their positions, for phrases |
//! | address | 16 bytes, IPv4 inside IPv6, one term: a network is a range of terms |
//! | number, time | a column, times in microseconds; most numbers are nearly unique, a term for each would cost more |
//!
//! Beside these: `seq`, the place in the trail; `detail`, terms of path and value; `has`, the names of
//! the text fields that have a value, because a value without a word leaves no term.
//! Nothing is stored and nothing is scored: hits are ordered by time.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};
use tantivy::Index;
use tantivy::schema::{
    BytesOptions, Field, IndexRecordOption, NumericOptions, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use crate::event::fields::{self, FIELDS, Kind};
use crate::event::text;

/// The column of the place in the trail.
pub(super) const SEQ: &str = "seq";
/// The column of `when`.
pub(super) const WHEN: &str = "when";

const TOKENIZER: &str = "words";

pub(super) struct Layout {
    pub(super) schema: Schema,
    /// Of the schema and of how values become terms: another one needs a rebuild.
    pub(super) fingerprint: String,
    pub(super) seq: Field,
    pub(super) has: Field,
    pub(super) detail: Field,
    /// In the order of [`stored`].
    known: Vec<Field>,
}

/// To be raised when the same schema would hold other terms.
const TERMS_VERSION: u32 = 1;

impl Layout {
    pub(super) fn of_this_version() -> &'static Self {
        static LAYOUT: LazyLock<Layout> = LazyLock::new(Layout::new);
        &LAYOUT
    }

    fn new() -> Self {
        let mut builder = Schema::builder();
        let known = stored().map(|field| add(&mut builder, field)).collect();
        let seq = builder.add_u64_field(SEQ, NumericOptions::default().set_fast());
        let has = builder.add_bytes_field("has", term());
        let detail = builder.add_bytes_field("detail", term());
        let schema = builder.build();
        let fingerprint = fingerprint(&schema);
        Self { schema, fingerprint, seq, has, detail, known }
    }

    /// Every field of the table with its own.
    pub(super) fn known(&self) -> impl Iterator<Item = (&'static fields::Field, Field)> {
        stored().zip(self.known.iter().copied())
    }

    pub(super) fn field(&self, field: &fields::Field) -> Option<Field> {
        self.known().find(|(known, _)| *known == field).map(|(_, own)| own)
    }

    /// Makes an opened index cut text into our words.
    pub(super) fn prepare(index: &Index) {
        index.tokenizers().register(TOKENIZER, Words);
    }
}

/// The fields that events have values in.
fn stored() -> impl Iterator<Item = &'static fields::Field> {
    FIELDS.iter().filter(|field| !field.is_joined())
}

fn add(builder: &mut SchemaBuilder, field: &fields::Field) -> Field {
    // tantivy takes a dot for a step into JSON.
    let name = field.name.replace('.', "_");
    match field.kind {
        Kind::Keyword | Kind::Ip => builder.add_bytes_field(&name, term()),
        Kind::Text => builder.add_text_field(&name, words()),
        Kind::Number | Kind::Time => builder.add_i64_field(&name, NumericOptions::default().set_fast()),
    }
}

fn term() -> BytesOptions {
    BytesOptions::default().set_indexed()
}

fn words() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(TOKENIZER)
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    TextOptions::default().set_indexing_options(indexing)
}

fn fingerprint(schema: &Schema) -> String {
    let mut hash = Sha256::new();
    hash.update(TERMS_VERSION.to_be_bytes());
    // A schema is a list of names and options: it always serialises.
    hash.update(serde_json::to_vec(schema).unwrap_or_default());
    data_encoding::HEXLOWER.encode(&hash.finalize()[..8])
}

/// [`text::words`] as tantivy wants it.
#[derive(Clone)]
struct Words;

struct WordStream<'a> {
    words: text::Words<'a>,
    token: Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream { words: text::words(text), token: Token::default() }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(word) = self.words.next() else { return false };
        self.token.text.clear();
        self.token.text.push_str(&word);
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_their_positions_from_zero() {
        let mut tokenizer = Words;
        let mut stream = tokenizer.token_stream("Failed password for ÖL");
        let mut found = Vec::new();
        while stream.advance() {
            found.push((stream.token().position, stream.token().text.clone()));
        }
        let expected = [(0, "failed"), (1, "password"), (2, "for"), (3, "öl")].map(|(n, word)| (n, word.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn every_field_of_the_table_has_its_own() {
        let layout = Layout::of_this_version();
        assert_eq!(layout.known().count(), FIELDS.len() - fields::JOINED.len());
        assert_eq!(layout.schema.num_fields(), layout.known().count() + 3);
    }
}
