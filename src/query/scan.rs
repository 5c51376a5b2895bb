//! Characters of a query: where the parser stands, and the words, phrases and expressions it meets.
//!
//! There is no separate list of tokens: what ends a word depends on what the parser is reading (a
//! colon ends a field's name but not an address; `||` is OR but also joins a date to its math).

use std::ops::Range;

use super::ast::WildcardPart;
use super::error::{Fault, Problem};
use super::pattern;

pub(super) struct Scanner<'q> {
    text: &'q str,
    at: usize,
}

/// An unquoted word; escapes are resolved, wildcards stand out.
pub(super) struct Word {
    pub(super) span: Range<usize>,
    pub(super) parts: Vec<WildcardPart>,
}

/// Text with its place in the query.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) span: Range<usize>,
    pub(super) text: String,
}

/// What ends a word beside white space, brackets and quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// A colon: the word may be the name of a field.
    Colon,
    /// `&&` and `||`.
    Operator,
    /// The same, but `||` before math belongs to a date.
    Time,
}

impl Word {
    /// The text, unless it holds wildcards.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [WildcardPart::Literal(text)] => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_any(&self) -> bool {
        self.parts == [WildcardPart::Many]
    }
}

impl<'q> Scanner<'q> {
    pub(super) fn new(text: &'q str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a place it came from.
    pub(super) fn rewind(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn rest(&self) -> &'q str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn slice(&self, span: &Range<usize>) -> &'q str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// The place of the next character, or the end.
    pub(super) fn here(&self) -> Range<usize> {
        self.at..self.at + self.peek().map_or(0, char::len_utf8)
    }

    /// `AND` as a word of its own, not the start of `ANDROID`.
    pub(super) fn at_keyword(&self, keyword: &str) -> bool {
        self.rest().strip_prefix(keyword).is_some_and(|rest| {
            rest.chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"' | '[' | '{'))
        })
    }

    /// An unquoted word, perhaps an empty one.
    pub(super) fn word(&mut self, until: Until) -> Result<Word, Fault> {
        let start = self.at;
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if self.ends_word(c, until) {
                break;
            }
            let here = self.here();
            self.bump();
            match c {
                '~' => return Err(Fault::new(here, Problem::Fuzzy)),
                '^' => return Err(Fault::new(here, Problem::Boost)),
                '*' => pattern::push_many(&mut parts),
                '?' => parts.push(WildcardPart::One),
                '\\' => {
                    let taken = self.bump().ok_or_else(|| Fault::new(here, Problem::LoneBackslash))?;
                    pattern::push_char(&mut parts, taken);
                }
                c => pattern::push_char(&mut parts, c),
            }
        }
        Ok(Word { span: start..self.at, parts })
    }

    fn ends_word(&self, c: char, until: Until) -> bool {
        match c {
            '(' | ')' | '[' | ']' | '{' | '}' | '"' => true,
            ':' => until == Until::Colon,
            '&' => self.rest().starts_with("&&"),
            '|' => match self.rest().strip_prefix("||") {
                Some(rest) => until != Until::Time || !rest.starts_with(['+', '-', '/']),
                None => false,
            },
            c => c.is_whitespace(),
        }
    }

    /// What stands between two quotes; a backslash takes the next character as it is.
    pub(super) fn quoted(&mut self) -> Result<Text, Fault> {
        let start = self.at;
        let opening = self.here();
        self.bump();
        let mut text = String::new();
        loop {
            let here = self.here();
            match self.bump() {
                Some('"') => return Ok(Text { span: start..self.at, text }),
                Some('\\') => text.push(self.bump().ok_or_else(|| Fault::new(here, Problem::LoneBackslash))?),
                Some(c) => text.push(c),
                None => return Err(Fault::new(opening, Problem::Unclosed('"'))),
            }
        }
    }

    /// What stands between two slashes, as written: `\/` does not end it.
    pub(super) fn slashed(&mut self) -> Result<Text, Fault> {
        let start = self.at;
        let opening = self.here();
        self.bump();
        let inside = self.at;
        loop {
            let here = self.at;
            match self.bump() {
                Some('/') => {
                    let text = self.slice(&(inside..here)).to_owned();
                    return Ok(Text { span: start..self.at, text });
                }
                Some('\\') => {
                    self.bump();
                }
                Some(_) => {}
                None => return Err(Fault::new(opening, Problem::Unclosed('/'))),
            }
        }
    }
}
