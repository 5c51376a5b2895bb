//! A tree of fewer and larger parts: what lies in its like is one with it, what says the same of one field is
//! one list, and no NOT lies in another.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Effort;
use super::clause::{self, Clause, Meaning};
use crate::query::ast::Ast;

/// A part of a query.
#[derive(Debug)]
pub(super) enum Node {
    All,
    Nothing,
    /// At least two, and at most one of them a NOT.
    And(Vec<Node>),
    /// At least two.
    Or(Vec<Node>),
    Not(Box<Node>),
    Test(Clause),
}

impl Node {
    pub(super) fn of(ast: &Ast, effort: Effort) -> Self {
        let each = |asts: &[Ast]| asts.iter().map(|ast| Self::of(ast, effort)).collect();
        match ast {
            Ast::All => Self::All,
            Ast::Nothing => Self::Nothing,
            Ast::And(all) => Self::and(each(all)),
            Ast::Or(any) => Self::or(each(any)),
            Ast::Not(ast) => Self::of(ast, effort).not(),
            Ast::Leaf { field, test } => Self::Test(clause::clause(field, test, effort)),
            Ast::Places(places) => Self::Test(super::places::clause(places)),
        }
    }

    fn not(self) -> Self {
        match self {
            Self::All => Self::Nothing,
            Self::Nothing => Self::All,
            Self::Not(within) => *within,
            node => Self::Not(Box::new(node)),
        }
    }

    fn and(all: Vec<Self>) -> Self {
        let (mut parts, mut without) = (Vec::new(), Vec::new());
        for part in all {
            match part {
                Self::All => {}
                Self::Nothing => return Self::Nothing,
                Self::And(within) => {
                    for part in within {
                        match part {
                            Self::Not(part) => without.push(*part),
                            part => parts.push(part),
                        }
                    }
                }
                Self::Not(part) => without.push(*part),
                part => parts.push(part),
            }
        }
        match Self::or(without).not() {
            Self::All => {}
            // An OR of what cannot be, for one: it never gets here with parts of its own.
            Self::Nothing => return Self::Nothing,
            node => parts.push(node),
        }
        Self::only(parts, Self::All, Self::And)
    }

    fn or(any: Vec<Self>) -> Self {
        let mut parts = Vec::new();
        // What finds more tells paths below `detail` apart, which share a field.
        let mut lists = BTreeMap::<(String, String), (Vec<Json>, Json)>::new();
        let mut add = |part: Self| match part {
            Self::Test(Clause { meaning: Meaning::AnyOf { field, values }, more, .. }) => {
                let list = lists.entry((field, more.to_string())).or_insert_with(|| (Vec::new(), more));
                list.0.extend(values);
            }
            part => parts.push(part),
        };
        for part in any {
            match part {
                Self::All => return Self::All,
                Self::Nothing => {}
                Self::Or(within) => within.into_iter().for_each(&mut add),
                part => add(part),
            }
        }
        let lists =
            lists.into_iter().map(|((field, _), (values, more))| Self::Test(Clause::any_of(field, values, more)));
        parts.extend(lists);
        Self::only(parts, Self::Nothing, Self::Or)
    }

    fn only(mut parts: Vec<Self>, none: Self, many: fn(Vec<Self>) -> Self) -> Self {
        match parts.len() {
            0 => none,
            1 => parts.remove(0),
            _ => many(parts),
        }
    }

    /// How many clauses a cluster counts for it at most.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::All | Self::Nothing => 1,
            // A NOT alone is taken from everything.
            Self::Not(within) => 1 + within.weight(),
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::weight).sum(),
            Self::Test(clause) => clause.weight,
        }
    }
}
