//! What is proven of the object that a record of CloudTrail was read from: `source.digest`.
//!
//! A verdict is an event about an object ([`crate::event::delivery::Judged`]), and the newest counts. It has the time
//! of the object's delivery, and an object holds nothing from more than a day after that: older verdicts are not asked for.
//! An object that is named as CloudTrail names its own and has no verdict is `pending`.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::TimeDelta;

use crate::event::delivery::{Judged, Verdict};
use crate::event::fields::{FieldRef, searchable};
use crate::event::own::action;
use crate::event::{Event, Family, Stamp};
use crate::query::ast::{Ast, Test};
use crate::query::matcher::Subject;

use super::own::{either, is, known};
use super::{any_of, passes};

const PENDING: &str = "pending";

/// `ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_RANDOM.json.gz`
const FORM: &str = "source.kind:cloudtrail AND source.origin:*_CloudTrail_*T????Z_*.json*";

static IS_OBJECT: LazyLock<Ast> = LazyLock::new(|| {
    // The text is a constant and a test parses it.
    crate::query::parse(FORM, Stamp::from_micros(0)).unwrap_or(Ast::Nothing)
});

const ORIGIN: &str = "source.origin";

/// From when on verdicts can matter for events from `first` on.
pub fn since(first: Stamp) -> Stamp {
    first.minus(TimeDelta::days(1))
}

/// The verdicts about some objects.
pub fn about(origins: impl IntoIterator<Item = String>) -> Ast {
    let origins = origins.into_iter().map(|origin| searchable(&origin).to_owned());
    Ast::And(vec![is_verdict(), any_of(known("what.object"), origins)])
}

/// Every verdict.
pub fn is_verdict() -> Ast {
    Ast::And(vec![
        is("source.kind", Family::Whodid.name().to_owned()),
        is("what.action", action::DIGEST_VERDICT.to_owned()),
    ])
}

/// Whether something can be proven of where it was read from.
pub fn is_provable(event: &Event) -> bool {
    event.source.kind == Family::Cloudtrail
}

/// The newest verdict about each object.
#[derive(Debug, Default)]
pub struct Proven(HashMap<String, (u64, Verdict)>);

impl Proven {
    /// Takes a verdict in. Others are left alone.
    pub fn take(&mut self, seq: u64, event: &Event) {
        let Some(judged) = Judged::of(event) else { return };
        let slot = self.0.entry(searchable(&judged.origin).to_owned()).or_insert((seq, judged.verdict));
        if slot.0 <= seq {
            *slot = (seq, judged.verdict);
        }
    }

    /// `source.digest` of an event.
    pub fn of(&self, event: &Event) -> Option<&'static str> {
        if !is_provable(event) {
            return None;
        }
        match self.0.get(searchable(&event.source.origin)) {
            Some((_, verdict)) => Some(verdict.as_str()),
            None => Subject::new(event).matches(&IS_OBJECT).then_some(PENDING),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The query that finds the verdicts to take for some tests.
    pub(super) fn wanted<'t>(tests: impl Iterator<Item = &'t Test>) -> Ast {
        let detail = |name: &str| FieldRef::Detail(format!("{}.{name}", Family::Whodid.detail_key()));
        let mut words: Vec<String> = Vec::new();
        for test in tests {
            if passes(test, PENDING) {
                return is_verdict();
            }
            words.extend(
                Verdict::ALL
                    .iter()
                    .map(|verdict| verdict.as_str())
                    .filter(|word| passes(test, word))
                    .map(str::to_owned),
            );
        }
        let replaces = Ast::Leaf { field: detail("replaces"), test: Test::Exists };
        Ast::And(vec![is_verdict(), Ast::Or(vec![replaces, any_of(detail("verdict"), words)])])
    }

    /// What a test of `source.digest` comes to.
    pub(super) fn test(&self, test: &Test) -> Ast {
        let passing = self.0.iter().filter(|(_, (_, verdict))| passes(test, verdict.as_str()));
        let mut any = vec![any_of(known(ORIGIN), passing.map(|(origin, _)| origin.clone()))];
        if passes(test, PENDING) {
            let judged = any_of(known(ORIGIN), self.0.keys().cloned());
            any.push(Ast::And(vec![IS_OBJECT.clone(), Ast::Not(Box::new(judged))]));
        }
        Ast::And(vec![is("source.kind", Family::Cloudtrail.name().to_owned()), either(any)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_an_object_is_a_query_and_known() {
        assert!(crate::query::parse(FORM, Stamp::from_micros(0)).is_ok());
        let Ast::And(all) = &*IS_OBJECT else { panic!("{IS_OBJECT:?}") };
        let Some(Ast::Leaf { test, .. }) = all.last() else { panic!("{all:?}") };
        let key = "AWSLogs/o-1/111122223333/CloudTrail/eu-west-1/2026/11/20/111122223333_CloudTrail_eu-west-1_20261120T1000Z_AbCdEf.json.gz";
        assert!(passes(test, &format!("s3://audit/{key}")) && passes(test, &format!("/var/log/{key}")));
        for other in ["-", "records.json", "s3://audit/AWSLogs/CloudTrail/x.json.gz"] {
            assert!(!passes(test, other), "{other}");
        }
    }
}
