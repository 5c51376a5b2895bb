//! One test: what a word, a phrase, a range or an expression means for a field of a given kind.
//!
//! This is the table of `docs/query.md` in code: whatever a kind does not know is refused here.

use std::collections::BTreeSet;
use std::ops::{Bound, Range};

use super::ast::{Ast, Test, Wildcard, WildcardPart};
use super::error::{Construct, Fault, FieldKind, Problem};
use super::node::{Node, range_at};
use super::pattern::{self, Against};
use super::scan::{Text, Word};
use super::time::Time;
use super::{WILDCARD_BYTES_MAX, network};
use crate::event::fields::{self, FieldRef, Kind};
use crate::event::{Stamp, text};

/// Words of one phrase: more is a pasted text.
pub(super) const PHRASE_WORDS_MAX: usize = 256;

/// An unquoted word; `written` is its text in the query.
pub(super) fn word(field: &FieldRef, word: &Word, written: &str) -> Result<Node, Fault> {
    if word.is_any() {
        return Ok(Node::leaf(field, Test::Exists));
    }
    match word.plain() {
        Some(text) => value(field, text, &word.span),
        None => wildcard(field, word, written),
    }
}

/// A whole value, quoted or not.
pub(super) fn value(field: &FieldRef, text: &str, span: &Range<usize>) -> Result<Node, Fault> {
    let fault = |problem| Fault::new(span.clone(), problem);
    let test = match field.kind() {
        Kind::Keyword => Test::Keyword(fields::searchable(text).to_owned()),
        Kind::Text => Test::Words(words(text).map_err(fault)?),
        Kind::Number => Test::Number(number(text).map_err(fault)?),
        Kind::Ip => network::parse(text).ok_or_else(|| fault(Problem::Address(text.to_owned())))?,
        Kind::Time => {
            let time = time(text).map_err(fault)?;
            return Ok(time_range(field, Bound::Included(time.clone()), Bound::Included(time)));
        }
    };
    Ok(Node::leaf(field, test))
}

/// The values of a list: those of a keyword that stand for themselves are one test, all others one each.
pub(super) fn list(field: &FieldRef, name: &str, values: &[String], span: &Range<usize>) -> Result<Vec<Node>, Fault> {
    let mut tests = Vec::new();
    let mut plain = BTreeSet::new();
    for text in values {
        let word = Word { span: 0..text.len(), parts: pattern::parts(text) };
        match word.plain() {
            Some(value) if field.kind() == Kind::Keyword => {
                plain.insert(fields::searchable(value).to_owned());
            }
            _ => tests.push(self::word(field, &word, text).map_err(|fault| {
                let problem = fault.problem;
                let problem = Problem::ListValue { list: name.to_owned(), value: text.clone(), problem };
                Fault::new(span.clone(), problem)
            })?),
        }
    }
    let test = match plain.len() {
        0 => return Ok(tests),
        1 => Test::Keyword(plain.pop_first().unwrap_or_default()),
        _ => Test::AnyOf(plain.into()),
    };
    tests.insert(0, Node::leaf(field, test));
    Ok(tests)
}

pub(super) fn regex(field: &FieldRef, written: &Text) -> Result<Node, Fault> {
    let against = match (FieldKind::of(field), field.kind()) {
        (FieldKind::Known(_), Kind::Keyword) => Against::Value,
        (FieldKind::Known(_), Kind::Text) => Against::Word,
        _ => return Err(cannot(field, Construct::Regex, &written.span)),
    };
    let regex = pattern::regex(&written.text, against).map_err(|bad| {
        let inside = written.span.start + 1;
        let span = bad.place.map_or(written.span.clone(), |place| inside + place.start..inside + place.end);
        Fault::new(span, bad.problem)
    })?;
    Ok(Node::leaf(field, Test::Regex(regex)))
}

/// `span` covers the whole range.
pub(super) fn range(
    field: &FieldRef,
    lower: Bound<Text>,
    upper: Bound<Text>,
    span: &Range<usize>,
) -> Result<Node, Fault> {
    let kind = FieldKind::of(field);
    if kind == FieldKind::Detail || kind == FieldKind::Known(Kind::Text) {
        return Err(cannot(field, Construct::Range, span));
    }
    if matches!((&lower, &upper), (Bound::Unbounded, Bound::Unbounded)) {
        return Ok(Node::leaf(field, Test::Exists));
    }
    let empty = || Fault::new(span.clone(), Problem::RangeEmpty);
    let test = match field.kind() {
        Kind::Keyword | Kind::Text => {
            let cut = |text: &str| Ok(fields::searchable(text).to_owned());
            let bounds = ordered(read(lower, cut)?, read(upper, cut)?).ok_or_else(empty)?;
            Test::KeywordRange(bounds.0, bounds.1)
        }
        Kind::Number => {
            let bounds = ordered(read(lower, number)?, read(upper, number)?).ok_or_else(empty)?;
            Test::NumberRange(bounds.0, bounds.1)
        }
        Kind::Ip => {
            let (lower, upper) = (read(lower, address)?, read(upper, address)?);
            if let (Some(a), Some(b)) = (inner(&lower), inner(&upper))
                && a.is_ipv4() != b.is_ipv4()
            {
                return Err(Fault::new(span.clone(), Problem::MixedVersions));
            }
            let bounds = ordered(lower, upper).ok_or_else(empty)?;
            Test::IpRange(bounds.0, bounds.1)
        }
        Kind::Time => {
            let node = time_range(field, read(lower, time)?, read(upper, time)?);
            let reversed = match &node {
                Node::Done(Ast::Leaf { test: Test::TimeRange(lower, upper), .. }) => ordered(*lower, *upper).is_none(),
                _ => false,
            };
            return if reversed { Err(empty()) } else { Ok(node) };
        }
    };
    Ok(Node::leaf(field, test))
}

fn time_range(field: &FieldRef, lower: Bound<Time>, upper: Bound<Time>) -> Node {
    let node = Node::Time { field: field.clone(), lower, upper };
    match &node {
        Node::Time { lower, upper, .. } if !node.depends_on_now() => {
            let (lower, upper) = range_at(lower, upper, Stamp::from_micros(0));
            Node::leaf(field, Test::TimeRange(lower, upper))
        }
        _ => node,
    }
}

fn read<T>(bound: Bound<Text>, parse: impl FnOnce(&str) -> Result<T, Problem>) -> Result<Bound<T>, Fault> {
    let parse = |text: Text| parse(&text.text).map_err(|problem| Fault::new(text.span, problem));
    Ok(match bound {
        Bound::Included(text) => Bound::Included(parse(text)?),
        Bound::Excluded(text) => Bound::Excluded(parse(text)?),
        Bound::Unbounded => Bound::Unbounded,
    })
}

/// The bounds, unless nothing can lie between them.
fn ordered<T: Ord>(lower: Bound<T>, upper: Bound<T>) -> Option<(Bound<T>, Bound<T>)> {
    let both_closed = matches!((&lower, &upper), (Bound::Included(_), Bound::Included(_)));
    match (inner(&lower), inner(&upper)) {
        (Some(a), Some(b)) if a > b || (a == b && !both_closed) => None,
        _ => Some((lower, upper)),
    }
}

fn inner<T>(bound: &Bound<T>) -> Option<&T> {
    match bound {
        Bound::Included(value) | Bound::Excluded(value) => Some(value),
        Bound::Unbounded => None,
    }
}

fn wildcard(field: &FieldRef, word: &Word, written: &str) -> Result<Node, Fault> {
    let fault = |problem| Fault::new(word.span.clone(), problem);
    let parts = match field.kind() {
        Kind::Keyword => word.parts.clone(),
        Kind::Text => lower_case(&word.parts).map_err(fault)?,
        Kind::Ip => return Err(fault(Problem::AddressWildcard(network::of_wildcard(written)))),
        Kind::Number | Kind::Time => return Err(cannot(field, Construct::Wildcard, &word.span)),
    };
    if word.span.len() > WILDCARD_BYTES_MAX {
        return Err(fault(Problem::WildcardTooLong));
    }
    Ok(Node::leaf(field, Test::Wildcard(Wildcard { parts })))
}

/// A pattern as words are: lower-case, and of letters and digits only.
fn lower_case(parts: &[WildcardPart]) -> Result<Vec<WildcardPart>, Problem> {
    let lower = |part: &WildcardPart| match part {
        WildcardPart::Literal(text) => match text.chars().find(|c| !c.is_alphanumeric()) {
            Some(c) => Err(Problem::NotInWord(c)),
            None => Ok(WildcardPart::Literal(text.chars().flat_map(char::to_lowercase).collect())),
        },
        other => Ok(other.clone()),
    };
    parts.iter().map(lower).collect()
}

fn words(value: &str) -> Result<Vec<String>, Problem> {
    let words: Vec<String> = text::words(value).map(String::from).collect();
    match words.len() {
        0 => Err(Problem::NoWord(value.to_owned())),
        n if n > PHRASE_WORDS_MAX => Err(Problem::TooManyWords(PHRASE_WORDS_MAX)),
        _ => Ok(words),
    }
}

fn number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Problem::Number(text.to_owned()))
}

fn address(text: &str) -> Result<std::net::IpAddr, Problem> {
    match network::parse(text) {
        Some(Test::Ip(address)) => Ok(address),
        Some(_) => Err(Problem::NetworkBound),
        None => Err(Problem::Address(text.to_owned())),
    }
}

fn time(text: &str) -> Result<Time, Problem> {
    Time::parse(text).map_err(|reason| Problem::Time { text: text.to_owned(), reason })
}

fn cannot(field: &FieldRef, construct: Construct, span: &Range<usize>) -> Fault {
    Fault::new(span.clone(), Problem::KindCannot { field: field.name(), kind: FieldKind::of(field), construct })
}
