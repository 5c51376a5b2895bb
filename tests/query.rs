//! The query language from the outside: queries and the events they match, refusals and their carets,
//! and properties over generated trees and events.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use whodid::query::ast::Ast;
use whodid::query::{DEPTH_MAX, Problem, QUERY_BYTES_MAX, Query, REGEXES_MAX, TESTS_MAX, explain, matches, parse};

use crate::generate;

mod cases;
mod matching;

proptest! {
    #[test]
    fn printing_and_parsing_gives_the_same_tree(ast in generate::ast()) {
        let text = ast.to_string();
        match parse(&text, generate::now()) {
            Ok(again) => prop_assert_eq!(again, ast, "{}", text),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in prop_oneof![generate::query_text(), any::<String>()]) {
        match Query::parse(&text) {
            Ok(query) => {
                let ast = query.at(generate::now());
                prop_assert!(!explain(&ast).is_empty());
                prop_assert_eq!(parse(&ast.to_string(), generate::now()), Ok(ast));
            }
            Err(error) => {
                prop_assert!(text.get(error.span()).is_some(), "{:?}", error.span());
                let shown = error.to_string();
                prop_assert!(shown.lines().all(|line| !line.chars().any(char::is_control)), "{}", shown);
            }
        }
    }

    #[test]
    fn de_morgan_holds(a in generate::ast(), b in generate::ast(), events in generate::events(4)) {
        let not = |ast: &Ast| Ast::Not(Box::new(ast.clone()));
        for event in &events {
            let both = not(&Ast::And(vec![a.clone(), b.clone()]));
            prop_assert_eq!(matches(&both, event), matches(&Ast::Or(vec![not(&a), not(&b)]), event));
            prop_assert_eq!(matches(&not(&not(&a)), event), matches(&a, event));
        }
    }
}

#[track_caller]
fn refused(text: &str, expected: &Problem) {
    let error = Query::parse(text).expect_err("the query is too large");
    assert_eq!(error.problem(), expected);
    assert!(error.to_string().chars().count() < 1_000, "a long query is not shown whole");
}

#[test]
fn what_is_too_large_is_refused_before_it_costs_anything() {
    for opening in ["(", "!", "NOT ", "-("] {
        refused(&opening.repeat(QUERY_BYTES_MAX / opening.len()), &Problem::TooDeep);
    }
    refused(&"(".repeat(100_000), &Problem::TooLong(100_000));
    refused(&"a ".repeat(TESTS_MAX + 1), &Problem::TooManyTests);
    refused(&"/a/ ".repeat(REGEXES_MAX + 1), &Problem::TooManyRegexes);
    refused(&format!("\"{}\"", "a ".repeat(1_000)), &Problem::TooManyWords(256));
    refused(&format!("who.name:{}*", "a".repeat(2_000)), &Problem::WildcardTooLong);
    refused(&format!("who.name:/{}/", "a".repeat(2_000)), &Problem::RegexTooLong);

    let deepest = format!("{}a{}", "(".repeat(DEPTH_MAX), ")".repeat(DEPTH_MAX));
    assert_eq!(parse(&deepest, generate::now()), parse("a", generate::now()));
    assert!(Query::parse(&"a ".repeat(TESTS_MAX)).is_ok());
}

#[test]
fn a_long_line_is_shown_around_the_place() {
    let text = format!("{} x.y:z {}", "a ".repeat(200), "b ".repeat(200));
    let error = Query::parse(&text).expect_err("x.y is no field");
    let shown: Vec<_> = error.to_string().lines().map(str::to_owned).collect();
    let (line, caret) = (&shown[1], &shown[2]);
    assert!(line.starts_with("  …") && line.ends_with('…'), "{line}");
    let place: String = line.chars().skip(caret.find('^').expect("a caret")).take(3).collect();
    assert_eq!((place.as_str(), error.column()), ("x.y", 402));
}

#[test]
fn what_hides_is_shown() {
    let error = Query::parse("a AND wh\u{202e}o.name:x").expect_err("a bidi mark is part of no name");
    let expected = r#"unknown field "wh\u{202e}o.name": did you mean "who.name"?
  a AND wh\u{202e}o.name:x
        ^^^^^^^^^^^^^^^^"#;
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_query_knows_whether_it_depends_on_now() {
    let depends = |text: &str| Query::parse(text).expect(text).depends_on_now();
    assert!(depends("a OR NOT (b AND when:>now-15m)"));
    assert!(!depends("a OR NOT (b AND when:>2026-11-20||-15m)"));
    let query = Query::parse("when:>=now/d").expect("a query");
    let tomorrow = generate::now().plus(chrono::TimeDelta::days(1));
    assert_eq!(query.at(tomorrow).to_string(), "when:[2026-11-21T00:00:00Z TO *]");
}

#[test]
fn a_tree_is_explained_in_words() {
    let text = "what.action:ssh.login -who.ip:10.0.0.0/8 (raw:(\"invalid user\" OR fail*) OR NOT who.port:[1 TO 1024}) \
                when:2026-11-20 who.name:/a.*/ where.tty:* where.host:\"a\u{202e}b\"";
    let expected = r#"all of:
  what.action is "ssh.login"
  not: who.ip is in 10.0.0.0/8: 10.0.0.0 to 10.255.255.255
  any of:
    any of:
      raw has the words "invalid user" next to each other
      raw has a word like fail*
    not: who.port is at least 1 and less than 1024
  when is at or after 2026-11-20T00:00:00Z and before 2026-11-21T00:00:00Z
  who.name is a value that /a.*/ matches whole
  where.tty has a value
  where.host is "a\u{202e}b""#;
    assert_eq!(explain(&parse(text, generate::now()).expect("a query")), expected);
}

/// The differential tests are worth what their hits are worth.
#[test]
fn generated_tests_often_hit() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (generate::leaf(), generate::events(12));
    let (mut with_hits, mut with_misses) = (0, 0);
    for _ in 0..400 {
        let (leaf, events) = strategy.new_tree(&mut runner).expect("a strategy gives values").current();
        let hits = events.iter().filter(|event| matches(&leaf, event)).count();
        with_hits += usize::from(hits > 0);
        with_misses += usize::from(hits < events.len());
    }
    assert!(with_hits > 130 && with_misses > 130, "{with_hits} with hits, {with_misses} with misses");
}
