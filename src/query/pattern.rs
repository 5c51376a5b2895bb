//! Wildcards and regular expressions: how they are made, and what they match.
//!
//! Both always match a whole value or a whole word. Both are bounded: a wildcard by its length, a
//! regular expression by its length and by what it becomes when compiled.

use std::ops::Range;

use regex_syntax::hir::{Hir, HirKind};

use super::ast::{Regex, Wildcard, WildcardPart};
use super::error::Problem;

/// Nobody writes a longer one by hand, and matching takes (length x value) steps at worst.
pub const WILDCARD_BYTES_MAX: usize = 1_000;

/// Elasticsearch's own default (`index.max_regex_length`).
pub const REGEX_BYTES_MAX: usize = 1_000;

/// `\w` of Unicode takes about 30 KiB; a repetition of a hundred of them is refused.
pub const REGEX_COMPILED_BYTES_MAX: usize = 1 << 20;

/// Groups inside each other in one expression.
const REGEX_NEST_MAX: u32 = 50;

impl Wildcard {
    /// Whether the pattern matches all of `value`.
    pub fn matches(&self, value: &str) -> bool {
        let mut runs: Vec<_> = self.parts.split(|part| *part == WildcardPart::Many).collect();
        if runs.len() == 1 {
            return after(&self.parts, value).is_some_and(str::is_empty);
        }
        let last = runs.pop().unwrap_or_default();
        let mut between = runs.into_iter();
        let first = between.next().unwrap_or_default();
        let inner = after(first, value).and_then(|rest| before(last, rest));
        inner.is_some_and(|rest| between.try_fold(rest, |rest, run| find(run, rest)).is_some())
    }
}

/// What follows `run` at the start of `text`; a run holds no `*`.
fn after<'t>(run: &[WildcardPart], text: &'t str) -> Option<&'t str> {
    run.iter().try_fold(text, |rest, part| match part {
        WildcardPart::Literal(literal) => rest.strip_prefix(literal.as_str()),
        WildcardPart::One | WildcardPart::Many => {
            let mut chars = rest.chars();
            chars.next().map(|_| chars.as_str())
        }
    })
}

/// What stands before `run` at the end of `text`.
fn before<'t>(run: &[WildcardPart], text: &'t str) -> Option<&'t str> {
    run.iter().rev().try_fold(text, |rest, part| match part {
        WildcardPart::Literal(literal) => rest.strip_suffix(literal.as_str()),
        WildcardPart::One | WildcardPart::Many => {
            let mut chars = rest.chars();
            chars.next_back().map(|_| chars.as_str())
        }
    })
}

/// What follows the first place where `run` matches: taking the first loses no match.
fn find<'t>(run: &[WildcardPart], text: &'t str) -> Option<&'t str> {
    let mut rest = text;
    loop {
        if let Some(WildcardPart::Literal(literal)) = run.first() {
            rest = rest.get(rest.find(literal.as_str())?..)?;
        }
        if let Some(found) = after(run, rest) {
            return Some(found);
        }
        let mut chars = rest.chars();
        chars.next()?;
        rest = chars.as_str();
    }
}

pub(super) fn push_char(parts: &mut Vec<WildcardPart>, c: char) {
    match parts.last_mut() {
        Some(WildcardPart::Literal(text)) => text.push(c),
        _ => parts.push(WildcardPart::Literal(c.to_string())),
    }
}

/// A text with `*`, `?` and backslashes, all of it one pattern whatever else it holds.
pub(super) fn parts(text: &str) -> Vec<WildcardPart> {
    let mut parts = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => push_many(&mut parts),
            '?' => parts.push(WildcardPart::One),
            // One at the end stands for itself.
            '\\' => push_char(&mut parts, chars.next().unwrap_or(c)),
            c => push_char(&mut parts, c),
        }
    }
    parts
}

/// `**` is `*`.
pub(super) fn push_many(parts: &mut Vec<WildcardPart>) {
    if parts.last() != Some(&WildcardPart::Many) {
        parts.push(WildcardPart::Many);
    }
}

/// What an expression is matched against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    Value,
    Word,
}

/// Why an expression was refused, and the part of it that is wrong where that is known.
#[derive(Debug)]
pub(super) struct BadRegex {
    pub(super) place: Option<Range<usize>>,
    pub(super) problem: Problem,
}

impl From<Problem> for BadRegex {
    fn from(problem: Problem) -> Self {
        Self { place: None, problem }
    }
}

/// Compiles what was written between two slashes.
pub(super) fn regex(written: &str, against: Against) -> Result<Regex, BadRegex> {
    if written.len() > REGEX_BYTES_MAX {
        return Err(Problem::RegexTooLong.into());
    }
    let hir = regex_syntax::ParserBuilder::new()
        .nest_limit(REGEX_NEST_MAX)
        .dot_matches_new_line(true)
        .build()
        .parse(written)
        .map_err(|error| bad_syntax(&error))?;
    if !hir.properties().look_set().is_empty() {
        let whole = if against == Against::Word { "word" } else { "value" };
        return Err(Problem::RegexLook(whole).into());
    }
    if against == Against::Word
        && let Some(capital) = capital(&hir)
    {
        return Err(Problem::RegexCapital(capital).into());
    }
    // Printed from its meaning, so that nothing in the text (a comment, a flag) reaches the anchors.
    let compiled = regex::RegexBuilder::new(&format!("\\A(?:{hir})\\z"))
        .size_limit(REGEX_COMPILED_BYTES_MAX)
        .nest_limit(2 * REGEX_NEST_MAX)
        .build()
        .map_err(|_| Problem::RegexTooBig)?;
    Ok(Regex { source: unescape_slashes(written), compiled })
}

/// Slashes need a backslash only between slashes.
fn unescape_slashes(written: &str) -> String {
    let mut source = String::with_capacity(written.len());
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some('/')) => {}
            ('\\', Some(escaped)) => {
                source.push(c);
                source.push(escaped);
                chars.next();
            }
            _ => source.push(c),
        }
    }
    source
}

fn bad_syntax(error: &regex_syntax::Error) -> BadRegex {
    let (what, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
        other => return Problem::Regex(other.to_string()).into(),
    };
    BadRegex { place: Some(span.start.offset..span.end.offset), problem: Problem::Regex(what) }
}

/// A letter that must stand in the match and never stands in a word, because words are lower-case.
fn capital(hir: &Hir) -> Option<char> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            text.chars().find(|c| !c.to_lowercase().eq(std::iter::once(*c)))
        }
        HirKind::Repetition(repetition) if repetition.min > 0 => capital(&repetition.sub),
        HirKind::Capture(capture) => capital(&capture.sub),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().find_map(capital),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wildcard(text: &str) -> Wildcard {
        let mut parts = Vec::new();
        for c in text.chars() {
            match c {
                '*' => push_many(&mut parts),
                '?' => parts.push(WildcardPart::One),
                c => push_char(&mut parts, c),
            }
        }
        Wildcard { parts }
    }

    #[test]
    fn a_wildcard_matches_all_of_a_value() {
        for (pattern, hits, misses) in [
            ("a*", &["a", "ab", "a\nb"][..], &["", "ba"][..]),
            ("*a", &["a", "ba"], &["ab"]),
            ("a*a", &["aa", "aba"], &["a"]),
            ("?", &["ä", "漢"], &["", "ab"]),
            ("*?", &["a", "ab"], &[""]),
            ("a?c*e?", &["abcef", "abcdef", "aäceef"], &["abce", "ace"]),
            ("*ab*ab*", &["abab", "xabyabz", "aabab"], &["aba", "ab"]),
            ("*a?b*", &["aab", "aaab", "xaxb"], &["ab", "a"]),
            ("**", &["", "a"], &[]),
            ("ab", &["ab"], &["abc", "a"]),
        ] {
            let pattern = wildcard(pattern);
            hits.iter().for_each(|value| assert!(pattern.matches(value), "{pattern:?} {value}"));
            misses.iter().for_each(|value| assert!(!pattern.matches(value), "{pattern:?} {value}"));
        }
    }

    #[test]
    fn a_hostile_wildcard_takes_no_exponential_time() {
        let value = "a".repeat(8_000);
        assert!(!wildcard(&format!("{}b", "*a".repeat(400))).matches(&value));
        assert!(!wildcard(&format!("*{}b*", "a?".repeat(400))).matches(&value));
    }

    #[test]
    fn an_expression_matches_all_of_a_value() {
        let hit = |source: &str, value: &str| regex(source, Against::Value).expect(source).compiled.is_match(value);
        assert!(hit("a|bc", "bc") && !hit("a|bc", "abc"));
        assert!(hit("(?x) a # )", "a"));
        assert!(hit("a.b", "a\nb"));
        assert!(hit(r"\/usr\/.*", "/usr/bin"));
        assert!(hit("", "") && !hit("", "a"));
        assert_eq!(regex(r"\\/a\/b\.", Against::Value).expect("it compiles").source, r"\\/a/b\.");
    }

    #[test]
    fn large_deep_and_wrong_expressions_are_refused() {
        let problem = |source: &str| regex(source, Against::Word).expect_err("it is refused").problem;
        assert_eq!(problem(&"a".repeat(REGEX_BYTES_MAX + 1)), Problem::RegexTooLong);
        assert_eq!(problem(r"\w{1000}"), Problem::RegexTooBig);
        assert_eq!(problem("((a{99}){99}){99}"), Problem::RegexTooBig);
        assert!(matches!(problem(&"(".repeat(900)), Problem::Regex(_)));
        assert!(matches!(problem("a{"), Problem::Regex(_)));
        assert!(matches!(problem(r"(?-u:\xff)"), Problem::Regex(_)));
        assert_eq!(problem("^a"), Problem::RegexLook("word"));
        assert_eq!(problem("fooBar"), Problem::RegexCapital('B'));
        assert!(regex("(?i)fooBar|[A-Z]x|(Q)*", Against::Word).is_ok());
    }
}
