//! A query as Elasticsearch and OpenSearch take it (Query DSL).
//!
//! Every construct has a counterpart that means the same for our documents. What a cluster would refuse (an
//! expression that Lucene cannot take, a list beyond its limits, a tree that is too deep or has too many
//! clauses) is replaced by what finds more than was meant, and the query says so: whoever searches looks at
//! each hit once more. What asks for more inside a NOT would find less, so there less is asked.
//!
//! Invariant: whatever the tree, what comes out is within [`CLAUSES_MAX`] and [`DEPTH_MAX`].

mod clause;
mod lucene;
mod places;
mod tree;

use std::collections::HashSet;

use serde_json::{Value as Json, json};

use crate::query::ast::Ast;
pub(super) use clause::range;
use tree::Node;

/// A query in their terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered {
    pub query: Json,
    /// Whether it finds just what was asked for, and not more.
    pub is_exact: bool,
}

/// How much is asked of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// All that clusters take with the settings they come with.
    Fine,
    /// For one that refused that: no patterns, which may be too complex there, and a small tree.
    Coarse,
}

/// Of the 1,024 that a cluster counts (`indices.query.bool.max_clause_count`, since Lucene 9 over the whole tree),
/// the rest is for what a searcher adds. See [`clause::CLAUSE`].
const CLAUSES_MAX: usize = 960;

/// Elasticsearch 7.17 takes 20 levels (`indices.query.bool.max_nested_depth`), later ones 30; a searcher adds some.
const DEPTH_MAX: usize = 16;

const COARSE_CLAUSES_MAX: usize = 100;
const COARSE_DEPTH_MAX: usize = 6;

/// The query for a tree.
pub fn lower(ast: &Ast, effort: Effort) -> Lowered {
    let (clauses, depth) = match effort {
        Effort::Fine => (CLAUSES_MAX, DEPTH_MAX),
        Effort::Coarse => (COARSE_CLAUSES_MAX, COARSE_DEPTH_MAX),
    };
    let mut fitting = Fitting { is_exact: true };
    let query = fitting.fit(&Node::of(ast, effort), More, clauses, depth);
    // What finds more in the place of a test may be more than its share.
    match counted(&query) <= CLAUSES_MAX {
        true => Lowered { query, is_exact: fitting.is_exact },
        false => Lowered { query: everything(), is_exact: false },
    }
}

/// Which side to err on where a test cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    More,
    Less,
}
use Side::{Less, More};

impl Side {
    fn other(self) -> Self {
        match self {
            More => Less,
            Less => More,
        }
    }
}

struct Fitting {
    is_exact: bool,
}

impl Fitting {
    /// The query of a node in at most so many clauses and levels.
    fn fit(&mut self, node: &Node, side: Side, clauses: usize, depth: usize) -> Json {
        match node {
            Node::All => everything(),
            Node::Nothing => nothing(),
            Node::Test(clause) => match clause.exact() {
                Some(exact) if clause.weight <= clauses => exact,
                _ => self.inexact(&clause.more, side, clauses),
            },
            // No level is left for what is within.
            _ if depth == 0 => self.inexact(&everything(), side, 0),
            Node::Not(within) => {
                bool_of(vec![], vec![self.fit(within, side.other(), clauses.saturating_sub(1), depth - 1)])
            }
            Node::And(all) => {
                // Fewer parts of an AND find more: those that fit are enough.
                let shares = if side == More { greedy(all, clauses) } else { even(all, clauses) };
                let (mut must, mut must_not) = (Vec::new(), Vec::new());
                for (part, share) in all.iter().zip(shares) {
                    match part {
                        Node::Not(within) => {
                            must_not.push(self.fit(within, side.other(), share.saturating_sub(1), depth - 1));
                        }
                        part => must.push(self.fit(part, side, share, depth - 1)),
                    }
                }
                bool_of(must, must_not)
            }
            Node::Or(any) => {
                let shares = if side == Less { greedy(any, clauses) } else { even(any, clauses) };
                let parts = any.iter().zip(shares).map(|(part, share)| self.fit(part, side, share, depth - 1));
                any_of(parts.collect())
            }
        }
    }

    fn inexact(&mut self, more: &Json, side: Side, clauses: usize) -> Json {
        self.is_exact = false;
        match side {
            // Where even this is too much, parts beside it that ask the same become one.
            More if clauses > 0 => more.clone(),
            More => everything(),
            Less => nothing(),
        }
    }
}

/// Of so many clauses, what each part needs as long as it lasts, the small parts first.
fn greedy(parts: &[Node], clauses: usize) -> Vec<usize> {
    shares(parts, clauses, |_, left| left - left % clause::CLAUSE)
}

/// The same, but no part takes from what others need: none of them may be left out.
fn even(parts: &[Node], clauses: usize) -> Vec<usize> {
    shares(parts, clauses, |waiting, left| (left / waiting).max(1))
}

fn shares(parts: &[Node], clauses: usize, most: impl Fn(usize, usize) -> usize) -> Vec<usize> {
    let mut by_weight: Vec<(usize, usize)> = parts.iter().map(Node::weight).zip(0..).collect();
    by_weight.sort_unstable();
    let mut given = vec![0; parts.len()];
    let (mut left, mut waiting) = (clauses, parts.len());
    for (weight, at) in by_weight {
        let share = weight.min(most(waiting, left));
        if let Some(given) = given.get_mut(at) {
            *given = share;
        }
        left = left.saturating_sub(share);
        waiting -= 1;
    }
    given
}

fn everything() -> Json {
    json!({"match_all": {}})
}

fn nothing() -> Json {
    json!({"match_none": {}})
}

fn is(query: &Json, name: &str) -> bool {
    query.get(name).is_some()
}

fn is_everything(query: &Json) -> bool {
    is(query, "match_all")
}

fn is_nothing(query: &Json) -> bool {
    is(query, "match_none")
}

/// All of these, and none of those.
fn bool_of(must: Vec<Json>, must_not: Vec<Json>) -> Json {
    if must.iter().any(is_nothing) || must_not.iter().any(is_everything) {
        return nothing();
    }
    let mut must: Vec<Json> = unlike(must).filter(|query| !is_everything(query)).collect();
    let must_not: Vec<Json> = unlike(must_not).filter(|query| !is_nothing(query)).collect();
    match (must.len(), must_not.len()) {
        (0, 0) => everything(),
        (1, 0) => must.remove(0),
        (0, _) => json!({"bool": {"must_not": must_not}}),
        (_, 0) => json!({"bool": {"filter": must}}),
        _ => json!({"bool": {"filter": must, "must_not": must_not}}),
    }
}

/// Any of these.
fn any_of(any: Vec<Json>) -> Json {
    if any.iter().any(is_everything) {
        return everything();
    }
    let mut any: Vec<Json> = unlike(any).filter(|query| !is_nothing(query)).collect();
    match any.len() {
        0 => nothing(),
        1 => any.remove(0),
        _ => json!({"bool": {"should": any, "minimum_should_match": 1}}),
    }
}

/// Of those that stand for several tests, each once.
fn unlike(queries: Vec<Json>) -> impl Iterator<Item = Json> {
    let mut seen = HashSet::new();
    queries.into_iter().filter(move |query| {
        let stands_for_several = ["exists", "prefix", "term"].iter().any(|name| is(query, name));
        !stands_for_several || seen.insert(query.to_string())
    })
}

/// How many clauses a cluster counts at most.
fn counted(query: &Json) -> usize {
    let Some(Json::Object(parts)) = query.get("bool") else {
        let words = query.pointer("/match_phrase").and_then(Json::as_object).and_then(|phrase| phrase.values().next());
        let words = words.and_then(|phrase| phrase.get("query")).and_then(Json::as_str);
        return clause::CLAUSE.max(words.map_or(0, |words| words.split(' ').count()));
    };
    // A NOT alone is taken from everything.
    let alone = usize::from(parts.keys().all(|part| part == "must_not"));
    alone + parts.values().filter_map(Json::as_array).flatten().map(counted).sum::<usize>()
}

#[cfg(test)]
mod tests;
