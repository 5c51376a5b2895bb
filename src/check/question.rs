//! What an alert asks of an index: its saved query, restricted to the families it is about.
//!
//! An alert looks at the events of its query; of these `start` and `finish` tell two kinds apart. What
//! whodid writes of its own evaluations is never among them: a verdict about verdicts would not settle.

use std::time::Duration;

use chrono::TimeDelta;

use super::State;
use crate::config::SavedQuery;
use crate::config::alert::{Alert, Compare, Measure};
use crate::event::fields::{self, FieldRef};
use crate::event::{Family, Stamp, own};
use crate::query::ast::{Ast, Test};
use crate::query::{Query, Unset, people};

/// An alert and the query it names.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub alert: &'a Alert,
    pub query: &'a SavedQuery,
}

impl<'a> Question<'a> {
    pub fn new(alert: &'a Alert, query: &'a SavedQuery) -> Self {
        Self { alert, query }
    }

    /// What is looked for, with the date math of the query reckoned from the slot.
    pub fn base(&self, slot: Stamp) -> Ast {
        let Ast::And(mut all) = self.scope() else { return Ast::Nothing };
        all.insert(0, self.query.query.at(slot));
        if let Some(either) = self.pair(slot) {
            all.push(Ast::Or(either.into()));
        }
        Ast::And(all)
    }

    /// Everything that its query could find at some slot: the families, without its own verdicts.
    pub fn scope(&self) -> Ast {
        let mut all = Vec::new();
        let families = &self.query.sources;
        if !families.is_empty() {
            all.push(Ast::Or(families.iter().map(|family| is("source.kind", family.name())).collect()));
        }
        if families.is_empty() || families.contains(&Family::Whodid) {
            let is_verdict = [own::action::ALERT_EVALUATED, own::action::ALERT_RESTATED]
                .map(|action| Ast::And(vec![is("source.kind", Family::Whodid.name()), is("what.action", action)]));
            all.push(Ast::Not(Box::new(Ast::Or(is_verdict.into()))));
        }
        Ast::And(all)
    }

    /// Fails where it names a list that is not set.
    pub fn answerable(&self) -> Result<(), Unset> {
        let pair = match &self.alert.measure {
            Measure::Unmatched(unmatched) => Some([&unmatched.start, &unmatched.finish]),
            _ => None,
        };
        Unset::check(pair.into_iter().flatten().chain([&self.query.query]).flat_map(Query::unset))
    }

    /// The queries of a start and of a finish.
    pub(super) fn pair(&self, slot: Stamp) -> Option<[Ast; 2]> {
        match &self.alert.measure {
            Measure::Unmatched(unmatched) => Some([unmatched.start.at(slot), unmatched.finish.at(slot)]),
            _ => None,
        }
    }

    /// Whether its numbers depend on who was behind the events, or on what is proven of where they were read, so
    /// that each has to be looked up.
    pub fn is_joined(&self) -> bool {
        self.asks_for(&FieldRef::is_joined)
    }

    /// Whether they depend on what is proven.
    pub fn is_proven(&self) -> bool {
        self.asks_for(&|field| field.name() == fields::DIGEST)
    }

    fn asks_for(&self, is_it: &dyn Fn(&FieldRef) -> bool) -> bool {
        let measured = match &self.alert.measure {
            Measure::Count | Measure::Unmatched(_) => None,
            Measure::Distinct(field) | Measure::New { field, .. } => Some(field),
        };
        let keyed = match &self.alert.measure {
            Measure::Unmatched(unmatched) => Some(&unmatched.key),
            _ => None,
        };
        let finished = match &self.alert.measure {
            Measure::Unmatched(unmatched) => unmatched.finish_key.as_ref(),
            _ => None,
        };
        let mut fields = self.alert.by.iter().chain(measured).chain(keyed).chain(finished);
        fields.any(is_it) || people::asks_for(&self.base(Stamp::from_micros(0)), is_it)
    }

    /// Whether it asks the same at every slot, so that one pass over the events serves many.
    pub fn is_fixed(&self) -> bool {
        let depends = match &self.alert.measure {
            Measure::Unmatched(unmatched) => unmatched.start.depends_on_now() || unmatched.finish.depends_on_now(),
            _ => false,
        };
        !depends && !self.query.query.depends_on_now()
    }

    pub fn window(&self) -> TimeDelta {
        delta(self.alert.window)
    }

    /// How far before a slot the events lie that it depends on.
    pub fn reach(&self) -> TimeDelta {
        match &self.alert.measure {
            Measure::New { known, .. } => self.window() + delta(*known),
            Measure::Count | Measure::Distinct(_) | Measure::Unmatched(_) => self.window(),
        }
    }

    /// Whether more events can only make the number larger, and a larger number only worse.
    pub fn only_grows(&self) -> bool {
        matches!(self.alert.measure, Measure::Count | Measure::Distinct(_))
            && matches!(self.alert.compare, Compare::Greater | Compare::AtLeast)
    }

    pub fn judge(&self, value: u64) -> State {
        let passes = |limit: Option<u64>| limit.is_some_and(|limit| self.alert.compare.holds(value, limit));
        match () {
            () if passes(self.alert.limits.critical()) => State::Critical,
            () if passes(self.alert.limits.warn()) => State::Warning,
            () => State::Ok,
        }
    }

    /// What the number is called in metrics.
    pub fn measure_name(&self) -> &'static str {
        match self.alert.measure {
            Measure::Count => "count",
            Measure::Distinct(_) => "distinct",
            Measure::New { .. } => "new",
            Measure::Unmatched(_) => "unmatched",
        }
    }
}

/// A span of the configuration, which is at most a hundred years.
pub(super) fn delta(span: Duration) -> TimeDelta {
    TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX)
}

fn is(name: &str, value: &str) -> Ast {
    match fields::named(name) {
        Some(field) => Ast::Leaf { field: FieldRef::Known(field), test: Test::Keyword(value.to_owned()) },
        // The names above stand in the table of fields, as the test says.
        None => Ast::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_it_names_are_there() {
        assert_ne!(is("source.kind", "auth"), Ast::Nothing);
        assert_ne!(is("what.action", "x"), Ast::Nothing);
    }
}
