//! What is wrong with a query, where, and what to write instead.

use std::fmt;
use std::ops::Range;

use ipnet::IpNet;
use unicode_width::UnicodeWidthStr;

use super::time::TimeProblem;
use super::{DEPTH_MAX, QUERY_BYTES_MAX, REGEX_BYTES_MAX, REGEXES_MAX, TESTS_MAX, WILDCARD_BYTES_MAX};
use crate::event::escape;
use crate::event::fields::{FieldRef, Kind};

/// A query that was refused. `Display` shows the line, a caret under the place, and the way out.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryError {
    query: String,
    span: Range<usize>,
    problem: Box<Problem>,
}

/// A problem and its bytes in the query, before the query's text is known.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) problem: Box<Problem>,
}

/// What is wrong. The text of each stands in `docs/query.md` and in the table of refusals in the tests.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    #[error("the query is {0} bytes long; at most {QUERY_BYTES_MAX} are read")]
    TooLong(usize),
    #[error("more than {DEPTH_MAX} parentheses or NOTs inside each other")]
    TooDeep,
    #[error("more than {TESTS_MAX} tests in one query")]
    TooManyTests,
    #[error("more than {REGEXES_MAX} regular expressions in one query")]
    TooManyRegexes,

    #[error("unknown field \"{}\"{}", escape::line(name), did_you_mean(*suggestion))]
    UnknownField { name: String, suggestion: Option<&'static str> },
    #[error("there is no list \"{}\"{}", escape::line(name), did_you_mean(suggestion.as_deref()))]
    UnknownList { name: String, suggestion: Option<String> },
    #[error("the list \"{list}\" holds \"{}\": {problem}", escape::line(value))]
    ListValue { list: String, value: String, problem: Box<Problem> },
    #[error("the name of a field cannot hold wildcards")]
    WildcardInName,
    #[error("no field is named before the \":\"")]
    NoName,
    #[error("_exists_ takes the name of one field")]
    ExistsWhat,
    #[error("\"{}\" needs a value", escape::line(.0))]
    NoValue(String),
    #[error("\"{}{operator}\" compares nothing", escape::line(field))]
    NoColon { field: String, operator: char },
    #[error("a test of {} stands among the values of {}", escape::line(inner), escape::line(outer))]
    FieldAmongValues { inner: String, outer: String },

    #[error("values of {} stand side by side without AND or OR", escape::line(.0))]
    SideBySide(String),

    #[error("nothing follows {0}")]
    NothingAfter(&'static str),
    #[error("nothing stands before {0}")]
    NothingBefore(&'static str),
    #[error("the parentheses are empty")]
    Empty,
    #[error("\"{0}\" is never closed")]
    Unclosed(char),
    #[error("\"{0}\" closes nothing")]
    Unopened(char),
    #[error("\"{}\" follows a value without a space", escape::line(&next.to_string()))]
    Glued { next: char, after_slash: bool },
    #[error("\"\\\" at the end takes no character")]
    LoneBackslash,
    #[error("\"{0}\" must stand directly before one value, field or parenthesis")]
    LoneSign(char),
    #[error("\"{0}\" beside OR could be read in two ways")]
    SignBesideOr(char),
    #[error("\"{sign}\" before a value could be read in two ways")]
    SignedValue { field: String, sign: char },
    #[error("\"{}\" is an operator only in capitals", escape::line(.0))]
    SmallOperator(String),
    #[error("fuzzy and proximity search (~) are not part of this language")]
    Fuzzy,
    #[error("boosts (^) are not part of this language: hits are ordered by time")]
    Boost,

    #[error("a range is written [a TO b], [* TO b] or {{a TO b}}")]
    RangeShape,
    #[error("the range is empty: its end lies before its start")]
    RangeEmpty,
    #[error("the bound of a range cannot hold wildcards")]
    RangeWildcard,
    #[error("the bound of a range cannot be a list")]
    RangeList,
    #[error("{} {}: it knows no {construct}", escape::line(field), kind.is())]
    KindCannot { field: String, kind: FieldKind, construct: Construct },

    #[error("\"{}\" holds no word", escape::line(.0))]
    NoWord(String),
    #[error("a phrase of more than {0} words")]
    TooManyWords(usize),
    #[error("\"{}\" is never part of a word, and a pattern on text matches one word", escape::line(&.0.to_string()))]
    NotInWord(char),
    #[error("\"{}\" is no whole number", escape::line(.0))]
    Number(String),
    #[error("\"{}\" is no address or network", escape::line(.0))]
    Address(String),
    #[error("an address has no wildcards; a network is written as CIDR")]
    AddressWildcard(Option<IpNet>),
    #[error("the bound of a range must be one address, not a network")]
    NetworkBound,
    #[error("the range mixes IPv4 and IPv6")]
    MixedVersions,
    #[error("\"{}\" is no time: {reason}", escape::line(text))]
    Time { text: String, reason: TimeProblem },

    #[error("a wildcard pattern of more than {WILDCARD_BYTES_MAX} bytes")]
    WildcardTooLong,
    #[error("a regular expression of more than {REGEX_BYTES_MAX} bytes")]
    RegexTooLong,
    #[error("the regular expression is wrong: {0}")]
    Regex(String),
    #[error("the regular expression is too large when compiled")]
    RegexTooBig,
    #[error("a regular expression must match the whole {0}: ^ $ \\b and the like have no place in it")]
    RegexLook(&'static str),
    #[error("words are lower-case: \"{}\" never matches", escape::line(&.0.to_string()))]
    RegexCapital(char),
}

/// What a kind of field may not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Construct {
    Range,
    Wildcard,
    Regex,
}

/// A field's kind, and the one kind that the table of fields does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Known(Kind),
    /// A path below `detail`.
    Detail,
}

impl FieldKind {
    pub(super) fn of(field: &FieldRef) -> Self {
        match field {
            FieldRef::Known(known) => Self::Known(known.kind),
            FieldRef::Detail(_) => Self::Detail,
        }
    }

    fn is(self) -> &'static str {
        match self {
            Self::Known(Kind::Keyword) => "is a keyword",
            Self::Known(Kind::Text) => "is text",
            Self::Known(Kind::Number) => "is a number",
            Self::Known(Kind::Ip) => "is an address",
            Self::Known(Kind::Time) => "is a time",
            Self::Detail => "lies below detail",
        }
    }
}

impl fmt::Display for Construct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Range => "ranges",
            Self::Wildcard => "wildcards",
            Self::Regex => "regular expressions",
        })
    }
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!(": did you mean \"{name}\"?")).unwrap_or_default()
}

impl Problem {
    /// What to do about it, where the message does not say it already.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::UnknownField { suggestion: None, .. } => {
                "`whodid query fields` lists them; to search for the text itself, put it in quotes"
            }
            Self::UnknownList { suggestion: None, .. } => {
                "name it under [lists]; if the sign is part of the value, put that in quotes"
            }
            Self::ListValue { list, .. } => return Some(format!("mend `{list}` under [lists]")),
            Self::RangeList => "if the sign is part of the value, put that in quotes",
            Self::WildcardInName => "write one test per field, joined with OR",
            Self::NoName => "write name:value without a space; if the colon is part of the text, put that in quotes",
            Self::ExistsWhat => "write _exists_:who.name",
            Self::NoValue(field) => return Some(format!("write {field}:value, {field}:\"two words\" or {field}:*")),
            Self::NoColon { field, operator: '=' } => return Some(format!("write {field}:value")),
            Self::NoColon { field, operator } => return Some(format!("write {field}:{operator}value")),
            Self::FieldAmongValues { .. } => "close the parenthesis first, or put the value in quotes",
            Self::Unclosed('/') | Self::Glued { after_slash: true, .. } => REGEX_OR_PATH,
            Self::Unclosed(_) => "close it; if it is part of a value, put that in quotes or write \\ before it",
            Self::Unopened(_) => "if it is part of a value, put that in quotes or write \\ before it",
            Self::Glued { .. } => GLUED,
            Self::SideBySide(field) => return Some(format!("write {field}:(a OR b)")),
            Self::LoneBackslash => "write \\\\ for a backslash",
            Self::LoneSign(_) => "put the text in quotes or write \\ before the sign if it is part of it",
            Self::SignBesideOr('+') => "leave it out and group with parentheses: a AND (b OR c)",
            Self::SignBesideOr(_) => "write NOT, or group with parentheses: -a (b OR c)",
            Self::SignedValue { field, sign } => {
                return Some(format!(
                    "write -{field}:value to exclude it, {field}:\\{sign}value if the sign is part of it"
                ));
            }
            Self::SmallOperator(word) => {
                return Some(format!("write {}, or \"{word}\" in quotes to search for the word", word.to_uppercase()));
            }
            Self::Fuzzy => "use wildcards, or write \\~ if the sign is part of the value",
            Self::Boost => "leave it out, or write \\^ if the sign is part of the value",
            Self::RangeWildcard => "only a lone * may stand for an open end",
            Self::KindCannot { kind, construct, .. } => return kind_help(*kind, *construct),
            Self::NoWord(_) => "words are runs of letters and digits",
            Self::NotInWord(_) => "put several words in quotes, or search one of them: ssh*",
            Self::AddressWildcard(Some(network)) => return Some(format!("write {network}")),
            Self::AddressWildcard(None) => "write 10.0.0.0/8 or 2001:db8::/32",
            Self::Address(_) => "write 203.0.113.7, 2001:db8::1 or a network such as 10.0.0.0/8",
            Self::NetworkBound => "write the network without a range: who.ip:10.0.0.0/8",
            Self::Time { .. } => {
                "write 2026-11-20, 2026-11-20T10:11, 2026-11-20T10:11:12Z, now-15m, now/d or 2026-11-20||+1d/d"
            }
            Self::RegexLook(_) => "leave them out; write .* where anything may stand",
            Self::RegexCapital(_) => "write it in lower case, or (?i) at the start",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

const REGEX_OR_PATH: &str = "/…/ is a regular expression; put a path in quotes: \"/usr/bin/apt\"";
const GLUED: &str = "put a space before it, put all of the value in quotes, or write \\ before the character";

fn kind_help(kind: FieldKind, construct: Construct) -> Option<String> {
    let text = match (kind, construct) {
        (FieldKind::Known(Kind::Text), Construct::Range) => "put the text in quotes if the sign is part of it",
        (FieldKind::Detail, Construct::Range) => "values there are compared as text, where 9 comes after 10",
        (FieldKind::Detail, Construct::Regex) => "use wildcards: * and ?",
        (FieldKind::Known(Kind::Number), _) => "use a range: >=1024, [1 TO 1023]",
        (FieldKind::Known(Kind::Ip), _) => "use a network: 10.0.0.0/8",
        (FieldKind::Known(Kind::Time), _) => "write a part of the date for all of it: 2026, 2026-11, 2026-11-20",
        _ => return None,
    };
    Some(text.to_owned())
}

impl Fault {
    pub(super) fn new(span: Range<usize>, problem: Problem) -> Self {
        Self { span, problem: Box::new(problem) }
    }
}

impl QueryError {
    pub(super) fn new(query: &str, fault: Fault) -> Self {
        Self { query: query.to_owned(), span: fault.span, problem: fault.problem }
    }

    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    pub fn help(&self) -> Option<String> {
        self.problem.help()
    }

    /// The bytes of the query that are wrong; empty where something is missing.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The line of the query that holds the place, from 1.
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// The character of that line, from 1.
    pub fn column(&self) -> usize {
        self.line_before().chars().count() + 1
    }

    fn before(&self) -> &str {
        self.query.get(..self.span.start).unwrap_or(&self.query)
    }

    fn line_before(&self) -> &str {
        let before = self.before();
        before.rsplit_once('\n').map_or(before, |(_, last)| last)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        let after = self.query.get(self.span.start..).unwrap_or_default().lines().next().unwrap_or_default();
        let wrong = after.get(..self.span.len().min(after.len())).unwrap_or(after);
        let rest = after.get(wrong.len()..).unwrap_or_default();
        let before = tail(&escape::line(self.line_before()));
        let (wrong, rest) = (head(&escape::line(wrong)), head(&escape::line(rest)));
        let carets = "^".repeat(wrong.width().max(1));
        write!(f, "\n  {before}{wrong}{rest}\n  {:indent$}{carets}", "", indent = before.width())?;
        match self.problem.help() {
            Some(help) => write!(f, "\n  {}", escape::line(&help)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for QueryError {}

/// Of a long query, this many characters are shown on each side of the place.
const SHOWN_CHARS: usize = 60;

fn head(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or(text)),
        None => text.to_owned(),
    }
}

fn tail(text: &str) -> String {
    match text.char_indices().nth_back(SHOWN_CHARS) {
        Some((cut, c)) => format!("…{}", text.get(cut + c.len_utf8()..).unwrap_or(text)),
        None => text.to_owned(),
    }
}
