//! Regular expressions in Lucene's dialect (`org.apache.lucene.util.automaton.RegExp`).
//!
//! What is printed is the meaning of an expression, not its text: classes become ranges of code points,
//! and every character that is no letter or digit takes a backslash. Lucene, too, always matches a whole
//! term. Its extra operators are to be switched off (`"flags": "NONE"`).

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use crate::query::ast::Regex;

/// `index.max_regex_length`, unless somebody raised it.
const CHARS_MAX: usize = 1_000;

/// The same expression for Lucene; none if it would be too long there, or cannot be written.
pub(super) fn expression(regex: &Regex) -> Option<String> {
    let hir = regex_syntax::parse(regex.compiled.as_str()).ok()?;
    let mut printed = String::new();
    print(&hir, &mut printed)?;
    (printed.chars().count() <= CHARS_MAX).then_some(printed)
}

fn print(hir: &Hir, to: &mut String) -> Option<()> {
    // Classes of Unicode have thousands of ranges.
    if to.len() > 4 * CHARS_MAX {
        return None;
    }
    match hir.kind() {
        // The anchors at both ends, which Lucene implies: queries hold no others.
        HirKind::Empty | HirKind::Look(_) => to.push_str("()"),
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok()?.chars().for_each(|c| push(c, to)),
        HirKind::Class(class) => print_class(class, to)?,
        HirKind::Repetition(repetition) => print_repetition(repetition, to)?,
        HirKind::Capture(capture) => print_group(&capture.sub, to)?,
        HirKind::Concat(all) => all.iter().try_for_each(|part| match part.kind() {
            HirKind::Alternation(_) => print_group(part, to),
            HirKind::Look(_) => Some(()),
            _ => print(part, to),
        })?,
        HirKind::Alternation(any) => {
            for (number, part) in any.iter().enumerate() {
                if number > 0 {
                    to.push('|');
                }
                print_group(part, to)?;
            }
        }
    }
    Some(())
}

fn print_group(hir: &Hir, to: &mut String) -> Option<()> {
    to.push('(');
    print(hir, to)?;
    to.push(')');
    Some(())
}

fn print_repetition(repetition: &Repetition, to: &mut String) -> Option<()> {
    print_group(&repetition.sub, to)?;
    match (repetition.min, repetition.max) {
        (0, None) => to.push('*'),
        (1, None) => to.push('+'),
        (0, Some(1)) => to.push('?'),
        (min, None) => to.push_str(&format!("{{{min},}}")),
        (min, Some(max)) => to.push_str(&format!("{{{min},{max}}}")),
    }
    Some(())
}

fn print_class(class: &Class, to: &mut String) -> Option<()> {
    let Class::Unicode(class) = class else { return None };
    // No surrogate is in a text, so two ranges around them are everything.
    let is_any = class.ranges().first().is_some_and(|range| range.start() == '\0')
        && class.ranges().last().is_some_and(|range| range.end() == char::MAX)
        && class.ranges().windows(2).all(|pair| {
            pair.iter().map(|range| u32::from(range.start())).max().unwrap_or(0)
                == pair.iter().map(|range| u32::from(range.end())).min().unwrap_or(0) + 1
        });
    match class.ranges() {
        [] => None,
        _ if is_any => {
            to.push('.');
            Some(())
        }
        ranges => {
            to.push('[');
            ranges.iter().for_each(|range| print_range(range.start(), range.end(), to));
            to.push(']');
            Some(())
        }
    }
}

/// Since Lucene 10 a character with a backslash is no end of a range: those that need one stand alone.
fn print_range(mut start: char, mut end: char, to: &mut String) {
    let needs_backslash = |c: char| matches!(c, '\\' | ']' | '[' | '^' | '-');
    let beside = |c: char, step: i32| u32::from(c).checked_add_signed(step).and_then(char::from_u32);
    while needs_backslash(start) && start < end {
        push(start, to);
        start = beside(start, 1).unwrap_or(end);
    }
    while needs_backslash(end) && start < end {
        push(end, to);
        end = beside(end, -1).unwrap_or(start);
    }
    match start == end {
        true if needs_backslash(start) => push(start, to),
        true => to.push(start),
        false => to.extend([start, '-', end]),
    }
}

fn push(c: char, to: &mut String) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() {
        to.push('\\');
    }
    to.push(c);
}

#[cfg(test)]
mod tests {
    use crate::event::Stamp;
    use crate::query::ast::{Ast, Test};
    use crate::query::parse;

    fn of(written: &str) -> Option<String> {
        let query = format!("who.name:/{written}/");
        match parse(&query, Stamp::from_micros(0)).expect("a query") {
            Ast::Leaf { test: Test::Regex(regex), .. } => super::expression(&regex),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_expression_is_printed_by_its_meaning() {
        for (written, lucene) in [
            ("svc-[0-9]+", r"svc\-([0-9])+"),
            ("a|bc", "((a)|(bc))"),
            ("x(a|bc)?y", "x(((a)|(bc)))?y"),
            (".*", "(.)*"),
            ("a{2,5}", "(a){2,5}"),
            ("a{3}", "(a){3,3}"),
            ("(?i)ab", "[Aa][Bb]"),
            (r"\/etc\/.*", r"\/etc\/(.)*"),
            ("[^a]", "[\u{0}-`b-\u{10ffff}]"),
            (r"[\[-_]", r"[\[\\\]\^_]"),
            (r"[A-\]]", r"[\]\\\[A-Z]"),
            ("", ""),
            ("[#&@~<>]", "[#&<>@~]"),
        ] {
            assert_eq!(of(written).as_deref(), Some(lucene), "{written}");
        }
    }

    #[test]
    fn what_lucene_would_refuse_is_none() {
        assert_eq!(of(r"\w+"), None);
        assert_eq!(of(r"[a&&b]"), None);
    }
}
