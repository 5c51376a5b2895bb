//! A parsed query whose times are not yet reckoned: an [`Ast`] but for tests that depend on now.

use std::ops::Bound;

use super::ast::{Ast, Test};
use super::time::Time;
use crate::event::Stamp;
use crate::event::fields::FieldRef;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Done(Ast),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Time { field: FieldRef, lower: Bound<Time>, upper: Bound<Time> },
}

impl Node {
    pub(super) fn leaf(field: &FieldRef, test: Test) -> Self {
        Self::Done(Ast::Leaf { field: field.clone(), test })
    }

    /// One operand is itself; `make` joins more.
    pub(super) fn join(mut nodes: Vec<Self>, make: fn(Vec<Self>) -> Self) -> Self {
        match nodes.pop() {
            Some(only) if nodes.is_empty() => only,
            Some(last) => {
                nodes.push(last);
                make(nodes)
            }
            None => Self::Done(Ast::All),
        }
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Done(Ast::All) => Self::Done(Ast::Nothing),
            other => Self::Not(Box::new(other)),
        }
    }

    pub(super) fn at(&self, now: Stamp) -> Ast {
        let all = |nodes: &[Self]| nodes.iter().map(|node| node.at(now)).collect();
        match self {
            Self::Done(ast) => ast.clone(),
            Self::And(nodes) => Ast::And(all(nodes)),
            Self::Or(nodes) => Ast::Or(all(nodes)),
            Self::Not(node) => Ast::Not(Box::new(node.at(now))),
            Self::Time { field, lower, upper } => {
                let (lower, upper) = range_at(lower, upper, now);
                Ast::Leaf { field: field.clone(), test: Test::TimeRange(lower, upper) }
            }
        }
    }

    pub(super) fn depends_on_now(&self) -> bool {
        match self {
            Self::Done(_) => false,
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().any(Self::depends_on_now),
            Self::Not(node) => node.depends_on_now(),
            Self::Time { lower, upper, .. } => [lower, upper].into_iter().any(|bound| match bound {
                Bound::Included(time) | Bound::Excluded(time) => time.depends_on_now(),
                Bound::Unbounded => false,
            }),
        }
    }
}

/// A time that names a whole unit (a day, a minute) is inside a closed bound with all of it, and
/// outside an open one with all of it.
pub(super) fn range_at(lower: &Bound<Time>, upper: &Bound<Time>, now: Stamp) -> (Bound<Stamp>, Bound<Stamp>) {
    let lower = match lower {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(time) => Bound::Included(time.at(now).start),
        Bound::Excluded(time) => {
            let span = time.at(now);
            span.end.map_or(Bound::Excluded(span.start), Bound::Included)
        }
    };
    let upper = match upper {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Excluded(time) => Bound::Excluded(time.at(now).start),
        Bound::Included(time) => {
            let span = time.at(now);
            span.end.map_or(Bound::Included(span.start), Bound::Excluded)
        }
    };
    (lower, upper)
}
