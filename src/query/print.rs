//! A tree as the text of a query, so that parsing the text gives the same tree.
//!
//! Holds for every tree the parser can make. Others are printed as the nearest one it can: a list of
//! one as that one, an empty AND as `*`, an empty OR as `NOT *`.

use std::fmt::{self, Display, Write as _};
use std::ops::Bound;

use super::ast::{Ast, Test, Wildcard, WildcardPart};
use crate::event::fields::{FieldRef, Kind};

impl Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_char('*'),
            Self::Nothing => f.write_str("NOT *"),
            Self::And(all) => list(f, all, " AND ", "*"),
            Self::Or(any) => list(f, any, " OR ", "NOT *"),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                operand(f, inner)
            }
            Self::Leaf { field, test } => leaf(f, field, test),
            // No query says it; like this it can be read at least.
            Self::Places(places) => write!(f, "<{} places of the trail>", places.len()),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, operands: &[Ast], operator: &str, empty: &str) -> fmt::Result {
    match operands {
        [] => f.write_str(empty),
        [only] => only.fmt(f),
        [first, rest @ ..] => {
            operand(f, first)?;
            rest.iter().try_for_each(|ast| {
                f.write_str(operator)?;
                operand(f, ast)
            })
        }
    }
}

fn operand(f: &mut fmt::Formatter<'_>, ast: &Ast) -> fmt::Result {
    match ast {
        Ast::And(_) | Ast::Or(_) | Ast::Nothing => write!(f, "({ast})"),
        _ => ast.fmt(f),
    }
}

fn leaf(f: &mut fmt::Formatter<'_>, field: &FieldRef, test: &Test) -> fmt::Result {
    escaped(f, &field.name())?;
    f.write_char(':')?;
    match test {
        Test::Exists => f.write_char('*'),
        Test::Keyword(value) => value_text(f, value),
        Test::AnyOf(values) => {
            f.write_char('(')?;
            for (i, value) in values.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { " OR " })?;
                value_text(f, value)?;
            }
            f.write_char(')')
        }
        Test::Words(words) => value_text(f, &upper_dots(&words.join(" "))),
        Test::Wildcard(pattern) => Pattern(pattern, field.kind()).fmt(f),
        Test::Regex(regex) => write!(f, "/{}/", escape_slashes(&regex.source)),
        Test::Number(value) => value.fmt(f),
        Test::Ip(address) => address.fmt(f),
        Test::Cidr(network) => network.fmt(f),
        Test::KeywordRange(lower, upper) => range(f, lower.as_ref(), upper.as_ref(), |f, value| quoted(f, value)),
        Test::NumberRange(lower, upper) => range(f, lower.as_ref(), upper.as_ref(), |f, value| value.fmt(f)),
        Test::IpRange(lower, upper) => range(f, lower.as_ref(), upper.as_ref(), |f, value| value.fmt(f)),
        Test::TimeRange(lower, upper) => range(f, lower.as_ref(), upper.as_ref(), |f, value| value.fmt(f)),
    }
}

fn range<T>(
    f: &mut fmt::Formatter<'_>,
    lower: Bound<&T>,
    upper: Bound<&T>,
    value: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(if matches!(lower, Bound::Excluded(_)) { '{' } else { '[' })?;
    match lower {
        Bound::Included(lower) | Bound::Excluded(lower) => value(f, lower)?,
        Bound::Unbounded => f.write_char('*')?,
    }
    f.write_str(" TO ")?;
    match upper {
        Bound::Included(upper) | Bound::Excluded(upper) => value(f, upper)?,
        Bound::Unbounded => f.write_char('*')?,
    }
    f.write_char(if matches!(upper, Bound::Excluded(_)) { '}' } else { ']' })
}

/// As it is where nothing in it can be misread, else in quotes.
fn value_text(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    let plain = value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ':' | '/'))
        && !["and", "or", "not"].iter().any(|word| value.eq_ignore_ascii_case(word));
    if plain { f.write_str(value) } else { quoted(f, value) }
}

fn quoted(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

/// A pattern as it stands in a query about a field of this kind.
pub(super) struct Pattern<'a>(pub(super) &'a Wildcard, pub(super) Kind);

impl Display for Pattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.parts.iter().try_for_each(|part| match part {
            WildcardPart::One => f.write_char('?'),
            WildcardPart::Many => f.write_char('*'),
            WildcardPart::Literal(text) if self.1 == Kind::Text => escaped(f, &upper_dots(text)),
            WildcardPart::Literal(text) => escaped(f, text),
        })
    }
}

/// With a backslash before whatever is no letter and no digit; `-` means something only at the start.
fn escaped(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    for (at, c) in text.char_indices() {
        if !c.is_alphanumeric() && !matches!(c, '.' | '_') && (c != '-' || at == 0) {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    Ok(())
}

/// The one letter whose lower case holds something that is no letter: `İ` becomes `i` and a dot, and
/// the dot alone would end the word.
fn upper_dots(words: &str) -> String {
    words.replace("i\u{307}", "İ")
}

fn escape_slashes(source: &str) -> String {
    source.replace('/', "\\/")
}

#[cfg(test)]
mod tests {
    use crate::event::text;

    /// What [`super::upper_dots`] relies on.
    #[test]
    fn one_letter_alone_has_a_lower_case_that_is_no_word() {
        let broken = (char::MIN..=char::MAX).filter(|c| c.is_alphanumeric()).filter(|c| {
            let lower = c.to_lowercase().to_string();
            text::words(&lower).next().is_none_or(|word| word != lower)
        });
        assert_eq!(broken.collect::<String>(), "İ");
    }
}
