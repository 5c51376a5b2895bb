//! One alert at one instant: which slots are due, what they say, and what to state of it.
//!
//! Due are the slots after the last verdict, those missed while whodid was down among them, and earlier
//! ones into whose windows events came in since. Nothing here is remembered: [`Recall`] goes in, events
//! and a verdict that may still wait for its like come out.

use std::collections::BTreeMap;
use std::ops::Bound;

use chrono::TimeDelta;

use crate::check::{Key, Question, Row, State, Unknown, Verdict, rows, sweep};
use crate::event::{Event, Stamp};
use crate::index::{Index, Search};

use super::change::{Change, Evaluated, Superseded};
use super::memory::Recall;
use super::track::{Judgement, SIGHTS_MAX, Step, Track, standing};

/// Slots of one evaluation; of more the newest. A week of every minute.
pub(super) const SLOTS_MAX: usize = 10_080;

/// A verdict of the future is from a clock that was wrong; one that was a little ahead is waited for.
const AHEAD: TimeDelta = TimeDelta::minutes(10);

/// How often the slots are judged again because of what came in meanwhile.
const TRIES: usize = 3;

/// For how many slots a state lasted is counted so far.
const OCCURRENCES_MAX: usize = 1_000;

/// For how long equal verdicts share one event.
const SHARED: TimeDelta = TimeDelta::hours(1);

/// An alert to evaluate.
pub(super) struct Round<'a> {
    pub(super) question: Question<'a>,
    pub(super) recall: &'a Recall,
    /// Verdicts since the last one written, which it covers.
    pub(super) held: Option<&'a Held>,
    pub(super) now: Stamp,
}

/// A verdict that was not written yet, because it is the one that was written last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    pub(super) evaluated: Evaluated,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) events: Vec<Event>,
    pub(super) held: Option<Held>,
    /// The index may answer if it is asked again soon.
    pub(super) is_transient: bool,
}

/// What the index was asked, and said.
struct Judged {
    judgements: Vec<Judgement>,
    steps: Vec<(Step, Vec<Row>)>,
    seq: u64,
    left_out: usize,
}

/// What came in late.
struct Late {
    /// Oldest first.
    slots: Vec<Stamp>,
    hits: u64,
    complete_to: u64,
}

impl Round<'_> {
    /// `None` when nothing is due.
    pub(super) fn run(&self, index: &dyn Index) -> Option<Outcome> {
        let last = self.question.alert.schedule.last_due(self.now)?;
        let (new, is_cut) = self.new_slots(last);
        let mut late = match self.late(index) {
            Ok(late) => late,
            Err(unknown) => return self.unknown(last, &unknown),
        };
        for rest in (0..TRIES).rev() {
            if new.is_empty() && late.slots.is_empty() {
                return None;
            }
            let slots: Vec<Stamp> = late.slots.iter().chain(&new).copied().collect();
            let judged = self.judge(index, &slots).and_then(|judged| Ok((judged, self.late(index)?)));
            match judged {
                // The verdicts cover what came in between the two questions, and none of it was late.
                Ok((judged, then)) if then.hits == late.hits => return Some(self.known(judged, is_cut)),
                // Some of it was: what was not asked about is found the next time.
                Ok((judged, _)) if rest == 0 => {
                    let seq = judged.seq.min(late.complete_to);
                    return Some(self.known(Judged { seq, ..judged }, is_cut));
                }
                Ok((_, then)) => late = then,
                // One window that is too full must not hide the present one.
                Err(Unknown::TooMany { .. }) if slots.len() > 1 && !new.is_empty() => {
                    return match self.judge(index, &[last]) {
                        Ok(judged) => Some(self.skipping(judged, &slots)),
                        Err(unknown) => self.unknown(last, &unknown),
                    };
                }
                Err(unknown) => return self.unknown(last, &unknown),
            }
        }
        None
    }

    fn last(&self) -> Option<Stamp> {
        let held = self.held.filter(|held| held.evaluated.state != State::Unknown).map(|held| held.evaluated.slot);
        held.max(self.recall.judged.last).filter(|last| !is_ahead(*last, self.now))
    }

    /// The slots after the last verdict; the first time only the newest.
    fn new_slots(&self, last: Stamp) -> (Vec<Stamp>, bool) {
        match self.last() {
            Some(judged) => {
                let slots = self.question.alert.schedule.slots_between(judged, last, SLOTS_MAX);
                (slots.slots, slots.is_cut)
            }
            None => (vec![last], false),
        }
    }

    /// What the verdicts cover; none where they are those of another definition.
    fn seen(&self) -> Option<u64> {
        let judged = &self.recall.judged;
        let held = self.held.filter(|held| held.evaluated.state != State::Unknown).map(|held| held.evaluated.seq);
        (judged.definition == self.definition()).then(|| judged.seen.max(held.unwrap_or(0)))
    }

    /// Slots judged before into whose windows events came in since, and with them the last one.
    fn late(&self, index: &dyn Index) -> Result<Late, Unknown> {
        let (Some(first), Some(last), Some(seen)) = (self.recall.judged.first, self.last(), self.seen()) else {
            return Ok(Late { slots: Vec::new(), hits: 0, complete_to: u64::MAX });
        };
        let question = &self.question;
        let query = if question.is_fixed() { question.base(last) } else { question.scope() };
        let since = Bound::Excluded(first.minus(question.reach()));
        let search = Search { query, since, until: Bound::Included(last), from_seq: seen };
        let window = question.window();
        let mut spans: Vec<(Stamp, Stamp)> = Vec::new();
        let mut hits = 0;
        let complete_to = index.each(&search, &mut |hit| {
            hits += 1;
            let when = hit.event.when;
            match spans.last_mut() {
                Some((_, end)) if when <= *end => *end = when.plus(window),
                _ => spans.push((when, when.plus(window))),
            }
            true
        })?;
        Ok(Late { slots: self.slots_in(&spans, first, last), hits, complete_to })
    }

    /// The slots of spans in which an event counts: from its instant on, until the window has passed.
    fn slots_in(&self, spans: &[(Stamp, Stamp)], first: Stamp, last: Stamp) -> Vec<Stamp> {
        let mut slots = Vec::new();
        if spans.is_empty() {
            return slots;
        }
        slots.push(last);
        for (begin, end) in spans.iter().rev() {
            let most = SLOTS_MAX.saturating_sub(slots.len());
            let instant = TimeDelta::microseconds(1);
            let from = begin.minus(instant).max(first.minus(instant));
            // Spans may share a slot: the later one has it.
            let until = end.minus(instant).min(slots.last().map_or(last, |slot| slot.minus(instant)));
            let found = self.question.alert.schedule.slots_between(from, until, most);
            slots.extend(found.slots.into_iter().rev());
        }
        slots.reverse();
        slots
    }

    fn judge(&self, index: &dyn Index, slots: &[Stamp]) -> Result<Judged, Unknown> {
        let current = self.recall.groups.iter().map(|(key, group)| (key.clone(), (group.state, group.since)));
        let mut track = Track::new(&self.question, self.last(), current);
        // Without late events there is nothing to compare with.
        let is_late = slots.first().copied() <= self.last();
        let seen = if is_late { self.seen() } else { None };
        let seq = sweep(&self.question, index, slots, seen, &mut |at| track.take(&at))?;
        let (steps, left_out) = track.kept();
        let mut sights: Vec<_> = steps.iter().rev().flat_map(|step| step.sights.iter().copied()).collect();
        sights.truncate(SIGHTS_MAX);
        let rows = rows(&self.question, index, &sights)?;
        let with_rows = |step: Step| {
            let rows = step.sights.iter().filter_map(|sight| rows.get(&sight.seq).cloned()).collect();
            (step, rows)
        };
        let steps = steps.into_iter().map(with_rows).collect();
        Ok(Judged { judgements: track.judgements, steps, seq, left_out })
    }

    /// The answer, and that it is known again.
    fn known(&self, judged: Judged, is_cut: bool) -> Outcome {
        let mut outcome = Outcome::default();
        let changes = self.changes(&judged);
        let is_changed = !changes.is_empty();
        let id = &self.question.alert.id;
        outcome.events.extend(changes.iter().map(|change| change.event(id, self.now)));
        if judged.left_out > 0 {
            tracing::warn!(alert = %id, left_out = judged.left_out, "Changes of state are too many to be stated.");
        }
        let (late, new): (Vec<Judgement>, Vec<Judgement>) =
            judged.judgements.iter().partition(|judgement| judgement.before.is_some());
        let superseding = self.superseding(&late, judged.seq);
        let mut runs = self.runs(&new, judged.seq);
        if is_cut && let Some(first) = runs.first_mut() {
            first.cut = true;
        }
        let held = self.held.map(|held| held.evaluated.clone());
        let runs = match superseding.is_empty() {
            true => joined(held, runs),
            // A verdict is written before the one that takes its place.
            false => held.into_iter().chain(superseding).chain(runs).collect(),
        };
        outcome.held = self.write(runs, is_changed, &mut outcome.events);
        outcome
    }

    /// Writes all verdicts but the last, which may wait for its like.
    fn write(&self, mut runs: Vec<Evaluated>, is_changed: bool, events: &mut Vec<Event>) -> Option<Held> {
        let written = match runs.len() {
            0 => return None,
            1 => self.recall.judged.written.clone(),
            n => runs.get(n - 2).cloned(),
        };
        let last = runs.last().filter(|last| {
            let is_changed = is_changed || last.supersedes.is_some();
            let is_near = |written: &Evaluated| written.slot < last.slot && last.slot.minus(SHARED) < written.slot;
            !is_changed && written.is_some_and(|written| says_same(&written, last) && is_near(&written))
        });
        let held = last.cloned().map(|evaluated| Held { evaluated });
        if held.is_some() {
            runs.pop();
        }
        events.extend(runs.iter().map(|run| run.event(&self.question.alert.id, self.now)));
        held
    }

    /// The last slot can be judged, those before it cannot.
    fn skipping(&self, judged: Judged, slots: &[Stamp]) -> Outcome {
        let bare = Self { held: None, question: self.question, recall: self.recall, now: self.now };
        let mut outcome = bare.known(judged, false);
        if let [from, .., until, _] | [from @ until, _] = slots {
            let reason = "the windows of these slots hold too many events, so the last slot alone was judged";
            let mut evaluated = self.not_known(reason.to_owned(), *until);
            (evaluated.from, evaluated.slots) = ((from != until).then_some(*from), slots.len() as u64 - 1);
            outcome.events.insert(0, evaluated.event(&self.question.alert.id, self.now));
        }
        let held = self.held.map(|held| held.evaluated.event(&self.question.alert.id, self.now));
        held.into_iter().for_each(|event| outcome.events.insert(0, event));
        outcome
    }

    /// The index could not answer: that is stated, and the slots stay due.
    fn unknown(&self, last: Stamp, unknown: &Unknown) -> Option<Outcome> {
        let is_transient = matches!(unknown, Unknown::Index(error) if error.is_transient());
        let judged = &self.recall.judged;
        let written = judged.written.as_ref().map(|written| written.slot);
        let known = self.held.map(|held| held.evaluated.slot).max(written).max(judged.last);
        let new = match known {
            Some(known) => self.question.alert.schedule.slots_between(known, last, SLOTS_MAX).slots,
            None => vec![last],
        };
        let id = &self.question.alert.id;
        let mut outcome = Outcome { is_transient, ..Outcome::default() };
        let mut is_changed = false;
        if self.recall.doubt.is_none() {
            is_changed = true;
            let mut change = self.bare(self.recall.worst(), State::Unknown, last);
            change.reason = Some(unknown.to_string());
            (change.message, change.notify) = self.addressed();
            outcome.events.push(change.event(id, self.now));
        }
        let mut runs = Vec::new();
        if let (Some(from), Some(until)) = (new.first(), new.last()) {
            let mut evaluated = self.not_known(unknown.to_string(), *until);
            (evaluated.from, evaluated.slots) = ((from != until).then_some(*from), new.len() as u64);
            runs.push(evaluated);
        }
        let runs = joined(self.held.map(|held| held.evaluated.clone()), runs);
        outcome.held = self.write(runs, is_changed, &mut outcome.events);
        Some(outcome)
    }

    fn not_known(&self, reason: String, slot: Stamp) -> Evaluated {
        Evaluated {
            definition: self.definition(),
            from: None,
            slot,
            slots: 1,
            state: State::Unknown,
            value: None,
            firing: None,
            seq: self.recall.judged.seen,
            reason: Some(reason),
            supersedes: None,
            cut: false,
        }
    }

    /// The changes to state, with whom to tell of each.
    fn changes(&self, judged: &Judged) -> Vec<Change> {
        let steps: Vec<Step> = judged.steps.iter().map(|(step, _)| step.clone()).collect();
        let stands = standing(&steps);
        let oldest = self.now.minus(TimeDelta::from_std(self.question.alert.lateness).unwrap_or(TimeDelta::MAX));
        let mut told: BTreeMap<_, bool> =
            self.recall.groups.iter().map(|(key, group)| (key.clone(), group.is_told)).collect();
        let mut changes: Vec<Change> = self.known_again(judged).into_iter().collect();
        for (i, (step, rows)) in judged.steps.iter().enumerate() {
            let was_told = told.get(&step.key).copied().unwrap_or(false);
            let is_rise = step.to > step.from;
            let is_told = match (is_rise, step.over) {
                // What is over can still be told, what goes on must be.
                (true, _) => step.slot >= oldest || stands.contains(&i),
                (false, _) => was_told,
            };
            if !step.over {
                told.insert(step.key.clone(), (was_told || is_told) && step.to != State::Ok);
            }
            let mut change = self.bare(step.from, step.to, step.slot);
            change.group.clone_from(&step.key);
            (change.value, change.late, change.over) = (step.value, step.late, step.over);
            change.withheld = is_rise && !is_told;
            if let Some(since) = step.since {
                change.since = Some(since);
                change.occurrences = self.occurrences(since, step.slot);
            }
            change.rows.clone_from(rows);
            if is_told {
                (change.message, change.notify) = self.addressed();
            }
            changes.push(change);
        }
        changes
    }

    /// The end of not knowing, told to whom its beginning was.
    fn known_again(&self, judged: &Judged) -> Option<Change> {
        let doubt = self.recall.doubt.as_ref()?;
        let judgement = judged.judgements.last()?;
        let mut change = self.bare(State::Unknown, self.recall.worst(), judgement.slot);
        change.value = judgement.now.value;
        change.since = Some(doubt.since);
        change.occurrences = self.occurrences(doubt.since, judgement.slot);
        if doubt.is_told {
            (change.message, change.notify) = self.addressed();
        }
        Some(change)
    }

    fn bare(&self, from: State, to: State, slot: Stamp) -> Change {
        Change {
            group: Key::Whole,
            from,
            to,
            slot,
            since: None,
            occurrences: 0,
            value: 0,
            late: false,
            over: false,
            withheld: false,
            reason: None,
            rows: Vec::new(),
            message: None,
            notify: Vec::new(),
        }
    }

    fn addressed(&self) -> (Option<Stamp>, Vec<String>) {
        let notify = &self.question.alert.notify;
        ((!notify.is_empty()).then_some(self.now), notify.clone())
    }

    /// How many slots there were from one to before another.
    fn occurrences(&self, since: Stamp, slot: Stamp) -> u64 {
        let instant = TimeDelta::microseconds(1);
        let (after, until) = (since.minus(instant), slot.minus(instant));
        self.question.alert.schedule.slots_between(after, until, OCCURRENCES_MAX).slots.len() as u64
    }

    /// The verdicts of new slots; equal ones that follow each other share an hour.
    fn runs(&self, judgements: &[Judgement], seq: u64) -> Vec<Evaluated> {
        let runs = judgements.iter().map(|judgement| self.evaluated(judgement.slot, judgement.now, seq)).collect();
        joined(None, runs)
    }

    /// New verdicts for slots that had another.
    fn superseding(&self, judgements: &[Judgement], seq: u64) -> Vec<Evaluated> {
        let superseding = |judgement: &Judgement| {
            let before = judgement.before.filter(|before| *before != judgement.now)?;
            let mut evaluated = self.evaluated(judgement.slot, judgement.now, seq);
            evaluated.supersedes = Some(Superseded { state: before.state, value: before.value });
            Some(evaluated)
        };
        let mut joined: Vec<Evaluated> = Vec::new();
        let next_after = |slot| self.question.alert.schedule.next_after(slot);
        for run in judgements.iter().filter_map(superseding) {
            match joined.last_mut() {
                Some(last) if says_same(last, &run) && next_after(last.slot) == Some(run.slot) => extend(last, &run),
                _ => joined.push(run),
            }
        }
        joined
    }

    fn evaluated(&self, slot: Stamp, verdict: Verdict, seq: u64) -> Evaluated {
        Evaluated {
            definition: self.definition(),
            from: None,
            slot,
            slots: 1,
            state: verdict.state,
            value: Some(verdict.value),
            firing: Some(verdict.firing),
            seq,
            reason: None,
            supersedes: None,
            cut: false,
        }
    }

    fn definition(&self) -> String {
        definition(&self.question)
    }
}

pub(super) fn is_ahead(slot: Stamp, now: Stamp) -> bool {
    slot.minus(AHEAD) > now
}

/// What a verdict rests on: another alert or query of the same id is another one.
pub(super) fn definition(question: &Question<'_>) -> String {
    let short = |sha256: &str| sha256.get(..DIGITS).unwrap_or(sha256).to_owned();
    format!("{}-{}", short(&question.alert.sha256), short(&question.query.sha256))
}

/// 128 bits of a hash tell definitions apart; the whole one is in the event that defined it.
const DIGITS: usize = 32;

/// Equal verdicts that follow each other, up to an hour of them.
fn joined(held: Option<Evaluated>, runs: Vec<Evaluated>) -> Vec<Evaluated> {
    let mut joined: Vec<Evaluated> = held.into_iter().collect();
    for run in runs {
        match joined.last_mut() {
            Some(last)
                if says_same(last, &run)
                    && run.slot > last.slot
                    && run.slot.minus(SHARED) < last.from.unwrap_or(last.slot) =>
            {
                extend(last, &run);
            }
            _ => joined.push(run),
        }
    }
    joined
}

fn extend(run: &mut Evaluated, by: &Evaluated) {
    run.from = run.from.or(Some(run.slot));
    run.slot = by.slot;
    run.slots += by.slots;
    run.seq = run.seq.max(by.seq);
}

fn says_same(a: &Evaluated, b: &Evaluated) -> bool {
    let said = |evaluated: &Evaluated| (evaluated.state, evaluated.value, evaluated.firing, evaluated.supersedes);
    // Why it is not known may be told in other words each time.
    said(a) == said(b) && a.definition == b.definition
}
