//! What one event adds to the numbers of an alert: its groups and its values.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::key::Part;
use super::{Key, Question, Unknown};
use crate::config::alert::Measure;
use crate::event::detail;
use crate::event::fields::{self, FieldRef, Value};
use crate::index::Hit;
use crate::query::Subject;
use crate::query::ast::Ast;

/// One event, seen through an alert.
#[derive(Debug)]
pub(super) struct Fact {
    /// Microseconds since 1970, as indexes compare.
    pub(super) when: i64,
    pub(super) seq: u64,
    pub(super) keys: Vec<Rc<Key>>,
    /// Values of the measure's field; for a start none stands for an event without the key.
    pub(super) values: Vec<Option<Rc<str>>>,
    /// Keys of the starts that it finishes, in the same way.
    pub(super) finishes: Vec<Option<Rc<str>>>,
    pub(super) is_start: bool,
}

/// Reads facts out of events.
pub(super) struct Facts<'q> {
    /// By name.
    by: Vec<(Arc<str>, &'q FieldRef)>,
    field: Option<&'q FieldRef>,
    finish_field: Option<&'q FieldRef>,
    /// Start and finish.
    pair: Option<[Ast; 2]>,
}

/// An event with lists in several fields of `by` belongs to each combination.
const COMBINATIONS_MAX: usize = 10_000;

impl<'q> Facts<'q> {
    pub(super) fn new(question: &Question<'q>, pair: Option<[Ast; 2]>) -> Self {
        let mut by: Vec<(Arc<str>, &FieldRef)> =
            question.alert.by.iter().map(|field| (field.name().into(), field)).collect();
        by.sort_by(|a, b| a.0.cmp(&b.0));
        by.dedup_by(|a, b| a.0 == b.0);
        let field = match &question.alert.measure {
            Measure::Count => None,
            Measure::Distinct(field) | Measure::New { field, .. } => Some(field),
            Measure::Unmatched(unmatched) => Some(&unmatched.key),
        };
        let finish_field = match &question.alert.measure {
            Measure::Unmatched(unmatched) => unmatched.finish_key.as_ref().or(field),
            _ => None,
        };
        Self { by, field, finish_field, pair }
    }

    pub(super) fn of(&self, hit: &Hit) -> Result<Fact, Unknown> {
        let values = |field: Option<&FieldRef>| -> Vec<Option<Rc<str>>> {
            let found = field.map(|field| values_of(field, hit)).unwrap_or_default();
            found.into_iter().map(|value| Some(value.into())).collect()
        };
        let keyed = |field: Option<&FieldRef>| Some(values(field)).filter(|all| !all.is_empty()).unwrap_or(vec![None]);
        let (keys, when, seq) = (self.keys(hit)?, hit.event.when.micros(), hit.seq);
        let Some([start, finish]) = &self.pair else {
            return Ok(Fact { when, seq, keys, values: values(self.field), finishes: Vec::new(), is_start: true });
        };
        let subject = Subject::new(&hit.event).by(&hit.by);
        let finishes = if subject.matches(finish) { keyed(self.finish_field) } else { Vec::new() };
        Ok(Fact { when, seq, keys, values: keyed(self.field), finishes, is_start: subject.matches(start) })
    }

    fn keys(&self, hit: &Hit) -> Result<Vec<Rc<Key>>, Unknown> {
        if self.by.is_empty() {
            return Ok(vec![Rc::new(Key::Whole)]);
        }
        let mut combinations = vec![Vec::with_capacity(self.by.len())];
        for (name, field) in &self.by {
            let found = values_of(field, hit);
            let values: Vec<Option<Box<str>>> = match found.is_empty() {
                true => vec![None],
                false => found.into_iter().map(Some).collect(),
            };
            if combinations.len() * values.len() > COMBINATIONS_MAX {
                return Err(Unknown::TooMany { what: "groups of one event", most: COMBINATIONS_MAX });
            }
            let with = |before: &Vec<Part>, value: &Option<Box<str>>| {
                let mut combination = before.clone();
                combination.push(Part { field: Arc::clone(name), value: value.clone() });
                combination
            };
            combinations =
                combinations.iter().flat_map(|before| values.iter().map(move |value| with(before, value))).collect();
        }
        Ok(combinations.into_iter().map(|values| Rc::new(Key::Values(values))).collect())
    }
}

/// The different values of a field, as text, as far as engines compare them.
fn values_of(field: &FieldRef, Hit { event, by, .. }: &Hit) -> BTreeSet<Box<str>> {
    let mut found = BTreeSet::new();
    match field {
        FieldRef::Known(known) if known.is_joined() => {
            found.extend(by.values(known).iter().map(|value| text(Value::Str(value))));
        }
        FieldRef::Known(known) => known.each(event, &mut |value| {
            found.insert(text(value));
        }),
        FieldRef::Detail(path) => detail::each(event, &mut |at, value| {
            if at == path {
                found.insert(text(Value::Str(value)));
            }
        }),
    }
    found
}

fn text(value: Value<'_>) -> Box<str> {
    match value {
        Value::Str(text) => fields::searchable(text).into(),
        Value::Number(number) => number.to_string().into(),
        Value::Ip(address) => address.to_canonical().to_string().into(),
        Value::Time(at) => at.to_string().into(),
    }
}
