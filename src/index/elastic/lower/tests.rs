//! Each construct, and each limit of a cluster.

use proptest::prelude::*;

use super::*;
use crate::event::Stamp;
use crate::event::fields;
use crate::query::ast::{Places, Test};
use crate::query::parse;

fn of(query: &str) -> Json {
    let lowered = lower(&parse(query, Stamp::from_micros(0)).expect(query), Effort::Fine);
    assert!(lowered.is_exact, "{query}");
    lowered.query
}

#[test]
fn each_construct_has_its_counterpart() {
    for (query, expected) in [
        ("*", json!({"match_all": {}})),
        ("who.name:root", json!({"term": {"who.name": "root"}})),
        ("user.name:ro*t?", json!({"wildcard": {"who.name": {"value": "ro*t?"}}})),
        (r"who.name:a\**", json!({"wildcard": {"who.name": {"value": r"a\**"}}})),
        ("Failed", json!({"term": {"words.raw": "failed"}})),
        (
            "\"Failed password\"",
            json!({"match_phrase": {"words.raw": {"query": "failed password", "analyzer": "whitespace"}}}),
        ),
        ("raw:*", json!({"term": {"has": "raw"}})),
        ("who.ip:*", json!({"exists": {"field": "who.ip"}})),
        ("who.port:>=1024", json!({"range": {"who.port": {"gte": 1024}}})),
        ("where.host:[a TO n}", json!({"range": {"where.host": {"gte": "a", "lt": "n"}}})),
        ("who.ip:10.0.0.0/8", json!({"range": {"who.ip": {"gte": "10.0.0.0", "lte": "10.255.255.255"}}})),
        ("who.ip:>10.0.0.1", json!({"range": {"who.ip": {"gt": "10.0.0.1", "lte": "255.255.255.255"}}})),
        (
            "who.ip:\"::/64\"",
            json!({"bool": {"filter": [{"range": {"who.ip": {"gte": "::", "lte": "::ffff:ffff:ffff:ffff"}}}],
                "must_not": [{"range": {"who.ip": {"gte": "0.0.0.0", "lte": "255.255.255.255"}}}]}}),
        ),
        ("when:1970-01-01T00:00:01", json!({"range": {"micros.when": {"gte": 1_000_000, "lt": 2_000_000}}})),
        ("auth.x\\=y:z", json!({"term": {"detail": r"auth.x\=y=z"}})),
        ("auth.x:*", json!({"prefix": {"detail": {"value": "auth.x="}}})),
        (r"auth.x\\:a?", json!({"wildcard": {"detail": {"value": r"auth.x\\\\=a?"}}})),
        (
            "a -b",
            json!({"bool": {"filter": [{"term": {"words.raw": "a"}}], "must_not": [{"term": {"words.raw": "b"}}]}}),
        ),
        ("a OR b", json!({"terms": {"words.raw": ["a", "b"]}})),
        ("who.name:/a+/", json!({"regexp": {"who.name": {"value": "(a)+", "flags": "NONE"}}})),
    ] {
        assert_eq!(of(query), expected, "{query}");
    }
}

#[test]
fn what_cannot_be_said_asks_for_more_and_inside_not_for_less() {
    let lowered = |query: &str| lower(&parse(query, Stamp::from_micros(0)).expect(query), Effort::Fine);
    let more = lowered(r"who.name:/\w+/");
    assert_eq!(more, Lowered { query: json!({"exists": {"field": "who.name"}}), is_exact: false });
    let not = lowered(r"NOT who.name:/\w+/");
    assert_eq!(not.query, json!({"match_all": {}}));
    let twice = lowered(r"NOT (NOT who.name:/\w+/)");
    assert_eq!(twice, more);
}

fn known(name: &str, test: Test) -> Ast {
    Ast::Leaf { field: fields::resolve(name).expect(name), test }
}

fn name(name: impl ToString) -> Ast {
    known("who.name", Test::Keyword(name.to_string()))
}

fn network(number: u32) -> Ast {
    let network = format!("10.{}.{}.0/24", number / 256, number % 256);
    known("who.ip", Test::Cidr(network.parse().expect("a network")))
}

fn levels(query: &Json) -> usize {
    match query {
        Json::Object(map) => usize::from(map.contains_key("bool")) + map.values().map(levels).max().unwrap_or_default(),
        Json::Array(items) => items.iter().map(levels).max().unwrap_or_default(),
        _ => 0,
    }
}

#[test]
fn the_same_of_one_field_is_one_list_wherever_it_stands() {
    let list = |from: u32, to: u32| (from..to).map(name).collect::<Vec<_>>();
    let names = |from: u32, to: u32| (from..to).map(|n| n.to_string()).collect::<Vec<_>>();
    let nested = Ast::Or(vec![Ast::Or(list(0, 900)), Ast::Or(vec![network(1), Ast::Or(list(900, 1_000))])]);
    let lowered = lower(&nested, Effort::Fine);
    assert!(lowered.is_exact);
    assert_eq!(lowered.query["bool"]["should"][1], json!({"terms": {"who.name": names(0, 1_000)}}));
    // The same said with NOTs.
    let not = |ast: Ast| Ast::Not(Box::new(ast));
    let none = Ast::And(list(0, 1_000).into_iter().map(not).chain([Ast::All]).collect());
    let none = lower(&none, Effort::Fine);
    assert_eq!(none.query, json!({"bool": {"must_not": [{"terms": {"who.name": names(0, 1_000)}}]}}));
    assert!(none.is_exact);
    // Paths below `detail` are fields of their own.
    let of = |path: &str| known(path, Test::Keyword("v".to_owned()));
    let paths = lower(&Ast::Or(vec![of("auth.a"), of("auth.b")]), Effort::Fine);
    assert_eq!(paths.query["bool"]["should"].as_array().map(Vec::len), Some(2));
}

#[test]
fn long_lists_are_asked_in_pieces() {
    let values = (0..100_000).map(|n| n.to_string()).collect::<std::collections::BTreeSet<_>>();
    let lowered = lower(&known("who.key", Test::AnyOf(values.into())), Effort::Fine);
    let pieces = lowered.query["bool"]["should"].as_array().cloned().unwrap_or_default();
    let lengths: Vec<_> = pieces.iter().map(|piece| piece["terms"]["who.key"].as_array().map(Vec::len)).collect();
    assert_eq!((lengths, lowered.is_exact), (vec![Some(65_536), Some(34_464)], true));
    let huge: Vec<String> = (0..700).map(|n| format!("{n:08000}")).collect();
    let lowered = lower(&known("who.key", Test::AnyOf(std::sync::Arc::new(huge.into_iter().collect()))), Effort::Fine);
    assert_eq!(lowered, Lowered { query: json!({"exists": {"field": "who.key"}}), is_exact: false });
}

#[test]
fn places_are_lists_and_ranges_and_beyond_that_a_span() {
    let of = |places: Vec<u64>| lower(&Ast::Places(Places::of(places)), Effort::Fine);
    assert_eq!(of(vec![]).query, json!({"match_none": {}}));
    assert_eq!(of((5..100).collect()).query, json!({"range": {"seq": {"gte": 5, "lt": 100}}}));
    assert_eq!(
        of(vec![1, 2, 9]).query,
        json!({"bool": {"minimum_should_match": 1, "should": [
        {"terms": {"seq": [1, 2, 9]}}]}})["bool"]["should"][0]
    );
    // Two hundred runs, of which the shortest are places.
    let many = of((0..200_u64).flat_map(|run| run * 100..run * 100 + 10 + run % 2).collect());
    let parts = many.query["bool"]["should"].as_array().cloned().unwrap_or_default();
    assert_eq!((parts.len(), many.is_exact), (129, true));
    let far = of((0..500_001_u64).map(|n| n * 2).collect());
    assert_eq!(far, Lowered { query: json!({"range": {"seq": {"gte": 0, "lt": 1_000_001}}}), is_exact: false });
    let most = of((0..500_000_u64).map(|n| n * 2).collect());
    assert!(most.is_exact && counted(&most.query) < CLAUSES_MAX);
    assert_eq!(lower(&Ast::Places(Places::before(u64::MAX)), Effort::Fine).query["range"]["seq"]["lt"], i64::MAX);
}

#[test]
fn what_is_too_much_keeps_what_finds_least() {
    // A thousand networks and a name: the name is asked for, and that there is an address.
    let networks: Vec<Ast> = (0..1_000).map(network).collect();
    let lowered = lower(&Ast::And(vec![Ast::Or(networks.clone()), name("alice")]), Effort::Fine);
    let exists = json!({"exists": {"field": "who.ip"}});
    let kept = json!({"bool": {"filter": [exists, {"term": {"who.name": "alice"}}]}});
    assert_eq!(lowered, Lowered { query: kept, is_exact: false });
    // Each of many pairs keeps a half.
    let pairs = (0..400).map(|n| Ast::And(vec![network(n), known("who.port", Test::Number(n.into()))]));
    let lowered = lower(&Ast::Or(pairs.collect()), Effort::Fine);
    assert!(!lowered.is_exact && counted(&lowered.query) > 700, "{}", counted(&lowered.query));
    // Inside a NOT less is asked: some of the networks, or none.
    let none = lower(&Ast::Not(Box::new(Ast::Or(networks))), Effort::Fine);
    let kept = none.query["bool"]["must_not"][0]["bool"]["should"].as_array().map(Vec::len);
    assert!(!none.is_exact && kept == Some(CLAUSES_MAX / clause::CLAUSE - 1), "{kept:?}");
}

#[test]
fn a_deep_tree_ends_in_what_finds_more() {
    let mut deep = name("x");
    for level in 0..60 {
        let beside = name(level);
        deep = if level % 2 == 0 { Ast::And(vec![beside, deep]) } else { Ast::Or(vec![beside, deep]) };
    }
    let lowered = lower(&deep, Effort::Fine);
    assert_eq!((levels(&lowered.query), lowered.is_exact), (DEPTH_MAX - 1, false));
    // NOTs in each other are no depth.
    let mut nots = name("x");
    for _ in 0..64 {
        nots = Ast::Not(Box::new(nots));
    }
    assert_eq!(lower(&nots, Effort::Fine).query, json!({"term": {"who.name": "x"}}));
}

#[test]
fn a_cluster_that_refused_is_asked_without_patterns() {
    let query = parse("who.name:a?b* who.id:/a+/ auth.x:*y who.port:22", Stamp::from_micros(0)).expect("a query");
    let coarse = lower(&query, Effort::Coarse);
    let expected = json!({"bool": {"filter": [
        {"exists": {"field": "who.name"}}, {"exists": {"field": "who.id"}},
        {"prefix": {"detail": {"value": "auth.x="}}}, {"term": {"who.port": 22}}]}});
    assert_eq!(coarse, Lowered { query: expected, is_exact: false });
}

/// Trees as bad as they come.
fn tree() -> impl Strategy<Value = Ast> {
    let leaf = prop_oneof![
        (0..2_000_u32).prop_map(network),
        (0..9_u32).prop_map(name),
        (0..9_usize).prop_map(|n| known("raw", Test::Words(vec!["w".to_owned(); n * 30]))),
        Just(Ast::All),
        Just(Ast::Nothing),
        (0..9_u64).prop_map(|n| Ast::Places(Places::of((0..400).map(|at| at * (n + 1))))),
    ];
    leaf.prop_recursive(24, 3_000, 40, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..40).prop_map(Ast::And),
            prop::collection::vec(inner.clone(), 0..40).prop_map(Ast::Or),
            inner.prop_map(|ast| Ast::Not(Box::new(ast))),
        ]
    })
}

proptest! {
    #[test]
    fn no_tree_is_more_than_a_cluster_takes(ast in tree()) {
        for effort in [Effort::Fine, Effort::Coarse] {
            let lowered = lower(&ast, effort);
            prop_assert!(counted(&lowered.query) <= CLAUSES_MAX);
            prop_assert!(levels(&lowered.query) <= DEPTH_MAX + 1);
        }
    }
}
