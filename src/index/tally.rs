//! How often each value, or each combination of values, is among the matches: exact counts, by any index.
//!
//! An event with several values in a field counts for each of them, once; one without a value counts for none.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::{Hit, IndexError};
use crate::event::detail;
use crate::event::fields::{self, FieldRef, Value};

/// What matches are counted by.
#[derive(Debug, Clone, PartialEq)]
pub struct By {
    pub fields: Vec<FieldRef>,
    /// By the UTC day of `when`, too.
    pub per_day: bool,
}

/// What the events of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    pub day: Option<NaiveDate>,
    /// As the fields stand in [`By`]; none where an event has no value. As far as engines compare them.
    pub values: Vec<Option<String>>,
}

/// How many matches each group has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub groups: BTreeMap<Group, u64>,
    /// The answer covers the trail up to here.
    pub complete_to: u64,
}

/// Groups of one answer: some hundred bytes each.
pub const GROUPS_MAX: usize = 1_000_000;

/// Combinations that one event may belong to.
const COMBINATIONS_MAX: usize = 10_000;

impl Tally {
    pub(super) fn add(&mut self, group: Group, count: u64) -> Result<(), IndexError> {
        *self.groups.entry(group).or_default() += count;
        match self.groups.len() <= GROUPS_MAX {
            true => Ok(()),
            false => Err(IndexError::Groups { most: GROUPS_MAX }),
        }
    }

    pub(super) fn add_hit(&mut self, by: &By, hit: &Hit) -> Result<(), IndexError> {
        groups(by, hit)?.into_iter().try_for_each(|group| self.add(group, 1))
    }
}

/// Counts what `each` hands over.
pub(super) fn of_each(
    by: &By,
    each: impl FnOnce(&mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError>,
) -> Result<Tally, IndexError> {
    let (mut tally, mut problem) = (Tally::default(), None);
    let complete_to = each(&mut |hit| match tally.add_hit(by, &hit) {
        Ok(()) => true,
        Err(error) => {
            problem = Some(error);
            false
        }
    })?;
    match problem {
        Some(error) => Err(error),
        None => Ok(Tally { complete_to, ..tally }),
    }
}

fn groups(by: &By, hit: &Hit) -> Result<Vec<Group>, IndexError> {
    let day = by.per_day.then(|| hit.event.when.day());
    let mut groups = vec![Group { day, values: Vec::with_capacity(by.fields.len()) }];
    for field in &by.fields {
        let found = values_of(field, hit);
        let values: Vec<Option<String>> = match found.is_empty() {
            true => vec![None],
            false => found.into_iter().map(Some).collect(),
        };
        if groups.len() * values.len() > COMBINATIONS_MAX {
            return Err(IndexError::Groups { most: COMBINATIONS_MAX });
        }
        let with = |group: &Group, value: &Option<String>| {
            let mut group = group.clone();
            group.values.push(value.clone());
            group
        };
        groups = groups.iter().flat_map(|group| values.iter().map(move |value| with(group, value))).collect();
    }
    Ok(groups)
}

fn values_of(field: &FieldRef, Hit { event, by, .. }: &Hit) -> BTreeSet<String> {
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

fn text(value: Value<'_>) -> String {
    match value {
        Value::Str(text) => fields::searchable(text).to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Ip(address) => address.to_canonical().to_string(),
        Value::Time(at) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventId, Family, Source, Stamp};

    fn hit(seq: u64, when: &str, name: Option<&str>, categories: &[&str]) -> Hit {
        let source = Source {
            name: "s".into(),
            kind: Family::Auth,
            origin: "o".into(),
            lineage: None,
            generation: 0,
            pos: None,
            next: None,
        };
        let when = Stamp::parse(when).expect("an instant");
        let mut event = Event::new(EventId::PENDING, "x", when, when, source);
        event.who.name = name.map(str::to_owned);
        event.what.category = categories.iter().map(|category| (*category).to_owned()).collect();
        Hit::new(seq, event)
    }

    fn by(names: &[&str], per_day: bool) -> By {
        By { fields: names.iter().map(|name| fields::resolve(name).expect("a field")).collect(), per_day }
    }

    fn tally(by: &By, hits: &[Hit]) -> Result<Tally, IndexError> {
        of_each(by, |each| {
            hits.iter().cloned().all(each);
            Ok(7)
        })
    }

    #[test]
    fn every_combination_counts_once_and_no_value_is_one_too() {
        let hits = [
            hit(0, "2026-11-20T23:59:59.999999Z", Some("alice"), &["a", "b", "a"]),
            hit(1, "2026-11-21T00:00:00Z", Some("alice"), &["b"]),
            hit(2, "2026-11-21T10:00:00Z", None, &[]),
        ];
        let found = tally(&by(&["who.name", "what.category"], true), &hits).expect("countable");
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let shown = |(group, count): (&Group, &u64)| {
            let day = group.day.map(|day| day.to_string()).unwrap_or_default();
            format!("{day} {} {count}", group.values.iter().map(text).collect::<Vec<_>>().join(" "))
        };
        let expected = ["2026-11-20 alice a 1", "2026-11-20 alice b 1", "2026-11-21 - - 1", "2026-11-21 alice b 1"];
        assert_eq!(found.groups.iter().map(shown).collect::<Vec<_>>(), expected);
        assert_eq!(found.complete_to, 7);
        let found = tally(&by(&["user.name"], false), &hits).expect("countable");
        assert_eq!(found.groups.iter().map(shown).collect::<Vec<_>>(), [" - 1", " alice 2"]);
    }

    #[test]
    fn an_event_with_too_many_combinations_is_an_error() {
        let many: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let hits = [hit(0, "2026-11-20T00:00:00Z", None, &many)];
        assert!(tally(&by(&["what.category"], false), &hits).is_ok());
        let twice = By { fields: vec![fields::resolve("what.category").expect("a field"); 2], per_day: false };
        assert!(matches!(tally(&twice, &hits), Err(IndexError::Groups { most: COMBINATIONS_MAX })));
    }
}
