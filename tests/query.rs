//! The query language from the outside: queries and the events they match, refusals and their carets,
//! and properties over generated trees and events.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use whodid::query::ast::Ast;
use whodid::query::{Query, explain, matches, parse};

use crate::generate;

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
