//! The grammar: recursive descent over a [`Scanner`], bounded in depth and in tests.
//!
//! ```text
//! query    = [ any ]
//! any      = all { ("OR" | "||") all }
//! all      = unary { ["AND" | "&&"] unary }
//! unary    = ("NOT" | "!") unary | ["+" | "-"] clause
//! clause   = "(" any ")" | name ":" value | value
//! value    = "(" any ")" | quoted | "/" regex "/" | range | (">" ">=" "<" "<=") bound | word
//! range    = ("[" | "{") bound "TO" bound ("]" | "}")
//! ```
//!
//! Inside `name:( … )` every value is one of that field. After a field's name a word that begins with `$` names a
//! list ([`Lists`]).

use std::ops::{Bound, Range};

use super::ast::Ast;
use super::error::{Fault, Problem};
use super::leaf;
use super::lists::{self, Lists};
use super::node::Node;
use super::scan::{Scanner, Text, Until, Word};
use super::{DEPTH_MAX, QUERY_BYTES_MAX, REGEXES_MAX, TESTS_MAX};
use crate::event::fields::{self, FieldRef, Kind};

/// The query, and the lists that it names.
pub(super) fn parse(text: &str, lists: &Lists) -> Result<(Node, lists::Named), Fault> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(Fault::new(0..0, Problem::TooLong(text.len())));
    }
    let named = lists::Named::new();
    let mut parser = Parser { scan: Scanner::new(text), lists, named, depth: 0, tests: 0, regexes: 0 };
    parser.scan.skip_space();
    if parser.scan.peek().is_none() {
        return Ok((Node::Done(Ast::All), parser.named));
    }
    let node = parser.any(None)?;
    match parser.scan.peek() {
        None => Ok((node, parser.named)),
        Some(c) => Err(Fault::new(parser.scan.here(), Problem::Unopened(c))),
    }
}

struct Parser<'q> {
    scan: Scanner<'q>,
    lists: &'q Lists,
    named: lists::Named,
    depth: usize,
    tests: usize,
    regexes: usize,
}

/// The field of the values inside `name:( … )`; none outside.
type Scope<'f> = Option<&'f FieldRef>;

/// Where a value stands, and so how it may be misread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Without a field: it is about `raw`.
    Bare,
    /// Directly after `name:`.
    Named,
    /// Inside `name:( … )`.
    Among,
}

/// What an operand must follow, for the message when there is none.
struct Operator {
    name: &'static str,
    span: Range<usize>,
}

/// The first `+` or `-` of a list: beside an OR it is refused.
type Sign = Option<(char, Range<usize>)>;

impl Parser<'_> {
    fn any(&mut self, scope: Scope<'_>) -> Result<Node, Fault> {
        let mut sign = None;
        let mut nodes = vec![self.all(scope, None, &mut sign)?];
        while let Some(or) = self.operator("OR", "||") {
            nodes.push(self.all(scope, Some(or), &mut sign)?);
        }
        match sign {
            Some((sign, span)) if nodes.len() > 1 => Err(Fault::new(span, Problem::SignBesideOr(sign))),
            _ => Ok(Node::join(nodes, Node::Or)),
        }
    }

    fn all(&mut self, scope: Scope<'_>, after: Option<Operator>, sign: &mut Sign) -> Result<Node, Fault> {
        let mut nodes = vec![self.unary(scope, after, sign)?];
        loop {
            let and = self.operator("AND", "&&");
            if and.is_none() && (self.at_end() || self.at_operator("OR", "||")) {
                return Ok(Node::join(nodes, Node::And));
            }
            if and.is_none() {
                self.may_stand_beside(scope)?;
            }
            nodes.push(self.unary(scope, and, sign)?);
        }
    }

    /// `who.name:(alice bob)` is OR to Lucene, and as AND it would match nothing: one must be written.
    fn may_stand_beside(&self, scope: Scope<'_>) -> Result<(), Fault> {
        let signed = matches!(self.scan.peek(), Some('+' | '-' | '!')) || self.scan.at_keyword("NOT");
        match scope {
            Some(field) if field.kind() != Kind::Text && !signed => {
                Err(Fault::new(self.scan.here(), Problem::SideBySide(field.name())))
            }
            _ => Ok(()),
        }
    }

    fn unary(&mut self, scope: Scope<'_>, after: Option<Operator>, sign: &mut Sign) -> Result<Node, Fault> {
        self.operand(after)?;
        if let Some(not) = self.operator("NOT", "!") {
            self.deepen(&not.span)?;
            let node = self.unary(scope, Some(not), &mut None)?;
            self.depth -= 1;
            return Ok(node.negated());
        }
        let here = self.scan.here();
        let Some(found @ ('+' | '-')) = self.scan.peek() else { return self.clause(scope) };
        self.scan.bump();
        if self.at_end() || self.scan.peek().is_some_and(|c| c.is_whitespace() || matches!(c, '+' | '-' | '!')) {
            return Err(Fault::new(here, Problem::LoneSign(found)));
        }
        if let Some(field) = scope
            && field.kind() == Kind::Number
            && found == '-'
        {
            return Err(Fault::new(here, Problem::SignedValue { field: field.name(), sign: found }));
        }
        sign.get_or_insert((found, here));
        let node = self.clause(scope)?;
        Ok(if found == '-' { node.negated() } else { node })
    }

    /// Fails where no operand can begin.
    fn operand(&mut self, after: Option<Operator>) -> Result<(), Fault> {
        self.scan.skip_space();
        let here = self.scan.here();
        let stray = [("OR", "||"), ("AND", "&&")].into_iter().find(|(word, sign)| self.at_operator(word, sign));
        match (after, stray, self.scan.peek()) {
            (Some(after), Some(_), _) | (Some(after), None, None | Some(')')) => {
                Err(Fault::new(after.span, Problem::NothingAfter(after.name)))
            }
            (None, Some((name, _)), _) => Err(Fault::new(here, Problem::NothingBefore(name))),
            (None, None, Some(')')) if self.depth == 0 => Err(Fault::new(here, Problem::Unopened(')'))),
            (None, None, Some(')')) => Err(Fault::new(here, Problem::Empty)),
            _ => Ok(()),
        }
    }

    fn clause(&mut self, scope: Scope<'_>) -> Result<Node, Fault> {
        if self.scan.peek() == Some('(') {
            return self.group(scope);
        }
        match scope {
            Some(field) => self.value(field, Place::Among),
            None => self.clause_outside(),
        }
    }

    /// A clause that may name its field; without a name it is about the record itself.
    fn clause_outside(&mut self) -> Result<Node, Fault> {
        let start = self.scan.at();
        if !matches!(self.scan.peek(), Some('"' | '/' | '[' | '{' | '<' | '>')) {
            let name = self.scan.word(Until::Colon)?;
            if self.scan.eat(":") {
                return self.named(&name);
            }
            if name.is_any() {
                self.ends_value()?;
                return Ok(Node::Done(Ast::All));
            }
        }
        self.scan.rewind(start);
        let raw = fields::named("raw").map(FieldRef::Known);
        // `raw` stands in the table of fields.
        let raw = raw.ok_or_else(|| Fault::new(start..start, Problem::NoName))?;
        self.value(&raw, Place::Bare)
    }

    fn named(&mut self, name: &Word) -> Result<Node, Fault> {
        if name.is_any() && self.scan.eat("*") {
            self.ends_value()?;
            return Ok(Node::Done(Ast::All));
        }
        let text = match name.plain() {
            None => return Err(Fault::new(name.span.clone(), Problem::WildcardInName)),
            Some("") => return Err(Fault::new(name.span.start..name.span.end + 1, Problem::NoName)),
            Some("_exists_") => return self.exists(),
            Some(text) => text,
        };
        let field = resolve(text, &name.span)?;
        self.scan.skip_space();
        let missing = match self.scan.peek() {
            None | Some(')' | ']' | '}') => true,
            Some('(') => return self.group(Some(&field)),
            Some(_) => self.at_operator("AND", "&&") || self.at_operator("OR", "||") || self.scan.at_keyword("NOT"),
        };
        if missing {
            return Err(Fault::new(name.span.start..name.span.end + 1, Problem::NoValue(text.to_owned())));
        }
        if let Some(sign @ ('-' | '!')) = self.scan.peek()
            && (sign == '!' || field.kind() != Kind::Number)
        {
            return Err(Fault::new(self.scan.here(), Problem::SignedValue { field: text.to_owned(), sign }));
        }
        self.value(&field, Place::Named)
    }

    fn exists(&mut self) -> Result<Node, Fault> {
        self.scan.skip_space();
        let name = match self.scan.peek() {
            Some('"') => self.scan.quoted()?,
            _ => {
                let word = self.scan.word(Until::Operator)?;
                let text = word.plain().filter(|text| !text.is_empty()).map(str::to_owned);
                let text = text.ok_or_else(|| Fault::new(word.span.clone(), Problem::ExistsWhat))?;
                Text { span: word.span, text }
            }
        };
        self.count_test(&name.span)?;
        let field = resolve(&name.text, &name.span)?;
        self.ends_value()?;
        Ok(Node::leaf(&field, super::ast::Test::Exists))
    }

    /// `( … )`; the values inside are those of `scope`.
    fn group(&mut self, scope: Scope<'_>) -> Result<Node, Fault> {
        let opening = self.scan.here();
        self.scan.bump();
        self.deepen(&opening)?;
        self.scan.skip_space();
        let node = match self.scan.peek() {
            None => return Err(Fault::new(opening, Problem::Unclosed('('))),
            Some(_) => self.any(scope)?,
        };
        self.scan.skip_space();
        if !self.scan.eat(")") {
            let unclosed = self.scan.peek().is_none();
            return Err(match self.scan.peek() {
                Some(c) if !unclosed => Fault::new(self.scan.here(), Problem::Unopened(c)),
                _ => Fault::new(opening, Problem::Unclosed('(')),
            });
        }
        self.depth -= 1;
        self.no_suffix()?;
        Ok(node)
    }

    fn value(&mut self, field: &FieldRef, place: Place) -> Result<Node, Fault> {
        let start = self.scan.here();
        self.count_test(&start)?;
        let node = match self.scan.peek() {
            Some('"') => {
                let text = self.scan.quoted()?;
                leaf::value(field, &text.text, &text.span)?
            }
            Some('/') => {
                let written = self.scan.slashed()?;
                self.ends_value()?;
                self.regexes += 1;
                if self.regexes > REGEXES_MAX {
                    return Err(Fault::new(written.span, Problem::TooManyRegexes));
                }
                leaf::regex(field, &written)?
            }
            Some('[' | '{') => self.range(field)?,
            Some('<' | '>') => self.comparison(field)?,
            _ => self.word(field, place)?,
        };
        self.ends_value()?;
        Ok(node)
    }

    fn word(&mut self, field: &FieldRef, place: Place) -> Result<Node, Fault> {
        let word = self.scan.word(until(field))?;
        let written = self.scan.slice(&word.span);
        if word.parts.is_empty() {
            // A bracket that opens nothing here, or closes nothing.
            let here = self.scan.here();
            return Err(Fault::new(here, self.scan.peek().map_or(Problem::Empty, Problem::Unopened)));
        }
        let misread = match place {
            Place::Named => None,
            Place::Bare => small_operator(written).or_else(|| no_colon(written)),
            Place::Among => small_operator(written).or_else(|| field_among(field, written)),
        };
        if let Some((bytes, problem)) = misread {
            return Err(Fault::new(word.span.start..word.span.start + bytes, problem));
        }
        match written.strip_prefix(lists::SIGN).filter(|_| place != Place::Bare) {
            Some(name) => self.list(field, name, &word.span),
            None => leaf::word(field, &word, written),
        }
    }

    /// Any of the values of a list.
    fn list(&mut self, field: &FieldRef, name: &str, span: &Range<usize>) -> Result<Node, Fault> {
        let Some(values) = self.lists.find(name) else {
            let problem = Problem::UnknownList { name: name.to_owned(), suggestion: self.lists.suggest(name) };
            return Err(Fault::new(span.clone(), problem));
        };
        self.named.insert(name.to_owned(), values.cloned());
        let Some(values) = values else { return Ok(Node::Done(Ast::Nothing)) };
        let tests = leaf::list(field, name, values, span)?;
        // The first is counted already.
        for _ in tests.iter().skip(1) {
            self.count_test(span)?;
        }
        Ok(if tests.is_empty() { Node::Done(Ast::Nothing) } else { Node::join(tests, Node::Or) })
    }

    /// `>=x` and its like.
    fn comparison(&mut self, field: &FieldRef) -> Result<Node, Fault> {
        let start = self.scan.at();
        let operator = [">=", "<=", ">", "<"].into_iter().find(|sign| self.scan.eat(sign)).unwrap_or(">");
        let sign = start..self.scan.at();
        self.scan.skip_space();
        if self.at_end() {
            return Err(Fault::new(sign, Problem::NothingAfter(operator)));
        }
        let Some(text) = self.bound(field)? else {
            return Err(Fault::new(sign.start..self.scan.at(), Problem::RangeWildcard));
        };
        let (below, closed) = (operator.starts_with('<'), operator.ends_with('='));
        let bound = if closed { Bound::Included(text) } else { Bound::Excluded(text) };
        let (lower, upper) = if below { (Bound::Unbounded, bound) } else { (bound, Bound::Unbounded) };
        leaf::range(field, lower, upper, &(start..self.scan.at()))
    }

    fn range(&mut self, field: &FieldRef) -> Result<Node, Fault> {
        let opening = self.scan.here();
        let lower_closed = self.scan.bump() == Some('[');
        self.scan.skip_space();
        let lower = self.bound(field)?;
        self.scan.skip_space();
        if !(self.scan.at_keyword("TO") && self.scan.eat("TO")) {
            return Err(self.range_fault(&opening));
        }
        self.scan.skip_space();
        let upper = self.bound(field)?;
        self.scan.skip_space();
        let upper_closed = match self.scan.peek() {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(self.range_fault(&opening)),
        };
        self.scan.bump();
        let bound = |text: Option<Text>, closed| match (text, closed) {
            (None, _) => Bound::Unbounded,
            (Some(text), true) => Bound::Included(text),
            (Some(text), false) => Bound::Excluded(text),
        };
        leaf::range(field, bound(lower, lower_closed), bound(upper, upper_closed), &(opening.start..self.scan.at()))
    }

    fn range_fault(&self, opening: &Range<usize>) -> Fault {
        match self.scan.peek() {
            None => {
                let bracket = self.scan.slice(opening).chars().next().unwrap_or('[');
                Fault::new(opening.clone(), Problem::Unclosed(bracket))
            }
            Some(_) => Fault::new(opening.start..self.scan.here().end, Problem::RangeShape),
        }
    }

    /// The bound of a range; none for `*`.
    fn bound(&mut self, field: &FieldRef) -> Result<Option<Text>, Fault> {
        if self.scan.peek() == Some('"') {
            return self.scan.quoted().map(Some);
        }
        let word = self.scan.word(until(field))?;
        match word.plain() {
            _ if word.is_any() => Ok(None),
            None => Err(Fault::new(word.span, Problem::RangeWildcard)),
            Some("") => Err(Fault::new(self.scan.here(), Problem::RangeShape)),
            Some(_) if self.scan.slice(&word.span).starts_with(lists::SIGN) => {
                Err(Fault::new(word.span, Problem::RangeList))
            }
            Some(text) => Ok(Some(Text { text: text.to_owned(), span: word.span })),
        }
    }

    /// A value ends at white space, a closing parenthesis or an operator; all else was meant to be part of it.
    fn ends_value(&mut self) -> Result<(), Fault> {
        self.no_suffix()?;
        match self.scan.peek() {
            None | Some(')') => Ok(()),
            Some(c) if c.is_whitespace() => Ok(()),
            Some(_) if self.scan.rest().starts_with("&&") || self.scan.rest().starts_with("||") => Ok(()),
            Some(c @ (']' | '}')) => Err(Fault::new(self.scan.here(), Problem::Unopened(c))),
            Some(c) => {
                let after_slash = self.scan.slice(&(0..self.scan.at())).ends_with('/');
                Err(Fault::new(self.scan.here(), Problem::Glued { next: c, after_slash }))
            }
        }
    }

    fn no_suffix(&self) -> Result<(), Fault> {
        match self.scan.peek() {
            Some('~') => Err(Fault::new(self.scan.here(), Problem::Fuzzy)),
            Some('^') => Err(Fault::new(self.scan.here(), Problem::Boost)),
            _ => Ok(()),
        }
    }

    fn at_end(&self) -> bool {
        matches!(self.scan.peek(), None | Some(')'))
    }

    fn at_operator(&self, word: &str, sign: &str) -> bool {
        self.scan.at_keyword(word) || self.scan.rest().starts_with(sign)
    }

    /// Takes an operator, written as a word or as a sign, after any white space.
    fn operator(&mut self, word: &'static str, sign: &str) -> Option<Operator> {
        self.scan.skip_space();
        let start = self.scan.at();
        let found = (self.scan.at_keyword(word) && self.scan.eat(word)) || self.scan.eat(sign);
        found.then(|| Operator { name: word, span: start..self.scan.at() })
    }

    fn deepen(&mut self, span: &Range<usize>) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::new(span.clone(), Problem::TooDeep));
        }
        Ok(())
    }

    fn count_test(&mut self, span: &Range<usize>) -> Result<(), Fault> {
        self.tests += 1;
        if self.tests > TESTS_MAX {
            return Err(Fault::new(span.clone(), Problem::TooManyTests));
        }
        Ok(())
    }
}

fn until(field: &FieldRef) -> Until {
    if field.kind() == Kind::Time { Until::Time } else { Until::Operator }
}

fn resolve(name: &str, span: &Range<usize>) -> Result<FieldRef, Fault> {
    fields::resolve(name).ok_or_else(|| {
        let problem = Problem::UnknownField { name: name.to_owned(), suggestion: fields::suggest(name) };
        Fault::new(span.clone(), problem)
    })
}

/// How many bytes of a word are wrong, and why.
type Misread = Option<(usize, Problem)>;

fn small_operator(written: &str) -> Misread {
    let small = ["and", "or", "not"].iter().any(|word| written.eq_ignore_ascii_case(word));
    small.then(|| (written.len(), Problem::SmallOperator(written.to_owned())))
}

/// `who.name=root`: a field and the sign that other languages compare with.
fn no_colon(written: &str) -> Misread {
    let (name, rest) = written.split_at_checked(written.find(['=', '<', '>'])?)?;
    fields::resolve(name)?;
    let operator = rest.chars().next()?;
    Some((name.len() + operator.len_utf8(), Problem::NoColon { field: name.to_owned(), operator }))
}

/// `where.host:(web-1 OR who.name:root)`.
fn field_among(outer: &FieldRef, written: &str) -> Misread {
    let (inner, _) = written.split_once(':')?;
    fields::resolve(inner)?;
    Some((inner.len() + 1, Problem::FieldAmongValues { inner: inner.to_owned(), outer: outer.name() }))
}
