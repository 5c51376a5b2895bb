//! A query in words, one test a line: what `whodid query explain` shows.

use std::fmt::Display;
use std::ops::Bound;

use super::ast::{Ast, Places, Test};
use super::print::Pattern;
use crate::event::escape;
use crate::event::fields::Kind;

/// The tree in words, indented, without a line end after the last line.
pub fn explain(ast: &Ast) -> String {
    let mut lines = Vec::new();
    describe(ast, 0, "", &mut lines);
    lines.join("\n")
}

fn describe(ast: &Ast, depth: usize, prefix: &str, lines: &mut Vec<String>) {
    let mut line = |text: &str| lines.push(format!("{:indent$}{prefix}{}", "", escape::line(text), indent = 2 * depth));
    let below = match ast {
        Ast::All => return line("every event"),
        Ast::Nothing => return line("no event"),
        Ast::Leaf { field, test } => return line(&format!("{} {}", field.name(), words(test, field.kind()))),
        Ast::Places(places) => return line(&place_words(places)),
        Ast::Not(inner) => return describe(inner, depth, &format!("{prefix}not: "), lines),
        Ast::And(all) => {
            line("all of:");
            all
        }
        Ast::Or(any) => {
            line("any of:");
            any
        }
    };
    below.iter().for_each(|ast| describe(ast, depth + 1, "", lines));
}

fn place_words(places: &Places) -> String {
    match places.ranges() {
        [] => "at no place of the trail".to_owned(),
        [only] if only.start == 0 => format!("before place {} of the trail", only.end),
        _ => format!("at one of {} places of the trail", places.len()),
    }
}

fn words(test: &Test, kind: Kind) -> String {
    let text = kind == Kind::Text;
    match test {
        Test::Exists => "has a value".to_owned(),
        Test::Keyword(value) => format!("is \"{value}\""),
        Test::AnyOf(values) => {
            format!("is one of {}", values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", "))
        }
        Test::Words(words) => match words.as_slice() {
            [only] => format!("has the word \"{only}\""),
            phrase => format!("has the words \"{}\" next to each other", phrase.join(" ")),
        },
        Test::Wildcard(pattern) => {
            format!("{} {}", if text { "has a word like" } else { "is like" }, Pattern(pattern, kind))
        }
        Test::Regex(regex) => {
            format!("{} /{}/ matches whole", if text { "has a word that" } else { "is a value that" }, regex.source)
        }
        Test::KeywordRange(lower, upper) => {
            let quoted = |bound: &Bound<String>| bound.as_ref().map(|value| format!("\"{value}\""));
            format!("{}, by the order of bytes", range(&quoted(lower), &quoted(upper), AMOUNTS))
        }
        Test::Number(value) => format!("is {value}"),
        Test::NumberRange(lower, upper) => range(lower, upper, AMOUNTS),
        Test::Ip(address) => format!("is {address}"),
        Test::Cidr(network) => format!("is in {network}: {} to {}", network.network(), network.broadcast()),
        Test::IpRange(lower, upper) => range(lower, upper, AMOUNTS),
        Test::TimeRange(lower, upper) => range(lower, upper, TIMES),
    }
}

/// Words for: closed lower, open lower, closed upper, open upper bound.
struct BoundWords([&'static str; 4]);

const AMOUNTS: BoundWords = BoundWords(["at least", "more than", "at most", "less than"]);
const TIMES: BoundWords = BoundWords(["at or after", "after", "at or before", "before"]);

fn range<T: Display>(lower: &Bound<T>, upper: &Bound<T>, BoundWords([from, above, to, below]): BoundWords) -> String {
    let lower = match lower {
        Bound::Included(value) => Some(format!("{from} {value}")),
        Bound::Excluded(value) => Some(format!("{above} {value}")),
        Bound::Unbounded => None,
    };
    let upper = match upper {
        Bound::Included(value) => Some(format!("{to} {value}")),
        Bound::Excluded(value) => Some(format!("{below} {value}")),
        Bound::Unbounded => None,
    };
    let bounds: Vec<_> = [lower, upper].into_iter().flatten().collect();
    if bounds.is_empty() { "has a value".to_owned() } else { format!("is {}", bounds.join(" and ")) }
}
