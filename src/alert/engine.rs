//! All alerts of a configuration: which are due, what to state of them, and which messages to send.
//!
//! Pure: time is an argument and the index a trait. What it remembers beyond the trail's [`Memory`] are
//! verdicts that wait to be written with their like; whoever loses them evaluates those slots again.
//!
//! Invariant: what it goes on with is what the trail will say, because it folds its own events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::check::{self, Answer, Finding, Question, State, Unknown, status};
use crate::config::Config;
use crate::event::{Event, Family, Stamp};
use crate::index::{Index, IndexError};

use super::change::{Kind, Told};
use super::memory::{Memory, Recall};
use super::message::Message;
use super::round::{Held, Round, is_ahead};

/// See the module's text.
#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    /// Families that are collected.
    families: BTreeSet<Family>,
    memory: Memory,
    held: BTreeMap<String, Held>,
    /// Until where the alert was evaluated by this engine.
    looked: BTreeMap<String, Stamp>,
    /// Reminders on their way.
    reminded: BTreeMap<String, Stamp>,
}

/// Which alerts to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those with a slot since they were looked at.
    Due,
    /// All of them, for what came in late.
    All,
}

/// What an evaluation has to say.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// To be stored before any message is sent.
    pub events: Vec<Event>,
    /// Alerts that are not evaluated, because nobody watches what they are about.
    pub skipped: Vec<Skipped>,
    /// The index could not answer but may soon: nothing was stated yet.
    pub retry: bool,
}

/// An alert that does not apply here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub id: String,
    pub reason: String,
}

/// What to do when the index could not answer for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// State nothing: it is asked again.
    Again,
    /// State that it is not known.
    Over,
}

/// One alert for a summary: how it is at its last slot.
#[derive(Debug)]
pub struct Standing {
    pub id: String,
    pub title: String,
    pub state: State,
    /// Since when the trail says so; none for OK, and where it was not recorded.
    pub since: Option<Stamp>,
    /// The answer with its groups and rows; none where the alert does not apply here.
    pub finding: Option<Finding>,
    /// Why it does not.
    pub skipped: Option<String>,
}

impl Engine {
    pub fn new(config: Arc<Config>, memory: Memory) -> Self {
        let families = config.sources.iter().map(|source| source.family).collect();
        Self { config, families, memory, held: BTreeMap::new(), looked: BTreeMap::new(), reminded: BTreeMap::new() }
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The next slot of any alert.
    pub fn next_due(&self, after: Stamp) -> Option<Stamp> {
        self.config.alerts.values().filter_map(|alert| alert.schedule.next_after(after)).min()
    }

    /// Evaluates every slot that is due by now.
    pub fn evaluate(&mut self, now: Stamp, index: &dyn Index, which: Which, patience: Patience) -> Evaluation {
        let config = Arc::clone(&self.config);
        let mut evaluation = Evaluation { events: self.forsaken(now), ..Evaluation::default() };
        let mut watched = BTreeMap::new();
        for question in questions(&config) {
            if which == Which::Due && !self.is_due(&question, now) {
                continue;
            }
            let id = &question.alert.id;
            let families = &question.query.sources;
            let is_watched = watched.entry(families.clone()).or_insert_with(|| self.watches(families, index));
            if let Some(reason) = inapplicable(&question, matches!(is_watched, Ok(false))) {
                evaluation.skipped.push(Skipped { id: id.clone(), reason });
                self.looked.insert(id.clone(), now);
                continue;
            }
            let recall = self.memory.of(id).cloned().unwrap_or_default();
            let round = Round { question, recall: &recall, held: self.held.get(id), now };
            let Some(outcome) = round.run(index) else { continue };
            if outcome.is_transient && patience == Patience::Again {
                evaluation.retry = true;
                continue;
            }
            self.looked.insert(id.clone(), now);
            match outcome.held {
                Some(held) => drop(self.held.insert(id.clone(), held)),
                None => drop(self.held.remove(id)),
            }
            outcome.events.iter().for_each(|event| self.memory.fold(event));
            evaluation.events.extend(outcome.events);
        }
        evaluation
    }

    /// Verdicts that were not written yet: whoever ends states them.
    pub fn flush(&mut self, now: Stamp) -> Vec<Event> {
        let held = std::mem::take(&mut self.held);
        let events: Vec<Event> = held.iter().map(|(id, held)| held.evaluated.event(id, now)).collect();
        events.iter().for_each(|event| self.memory.fold(event));
        events
    }

    /// Every message that some channel has still to take, oldest first; reminders that are due among them.
    pub fn messages(&mut self, now: Stamp) -> Vec<Message> {
        let config = Arc::clone(&self.config);
        let mut messages = Vec::new();
        for question in questions(&config) {
            let Some(recall) = self.memory.of(&question.alert.id) else { continue };
            let unsent = recall.unsent.iter().map(|(id, unsent)| Message::of(&question, &config, recall, *id, unsent));
            messages.extend(unsent);
            if let Some(reminder) = self.reminder(&question, recall, now) {
                messages.push(reminder);
            }
        }
        for message in messages.iter().filter(|message| message.kind == Kind::Reminder) {
            self.reminded.insert(message.alert.clone(), message.id);
        }
        messages.sort_by_key(|message| message.id);
        messages
    }

    /// States what became of a message.
    pub fn told(&mut self, alert: &str, told: &Told, now: Stamp) -> Event {
        let event = told.event(alert, now);
        self.memory.fold(&event);
        event
    }

    /// How every alert is at its last slot, for people; nothing is stated.
    pub fn standings(&self, now: Stamp, index: &dyn Index) -> Vec<Standing> {
        questions(&self.config).map(|question| self.standing(&question, now, index)).collect()
    }

    fn standing(&self, question: &Question<'_>, now: Stamp, index: &dyn Index) -> Standing {
        let (alert, query) = (question.alert, question.query);
        let mut standing = Standing {
            id: alert.id.clone(),
            title: query.title.clone(),
            state: State::Unknown,
            since: None,
            finding: None,
            skipped: None,
        };
        standing.skipped = inapplicable(question, matches!(self.watches(&query.sources, index), Ok(false)));
        if standing.skipped.is_some() {
            return standing;
        }
        let slot = alert.schedule.last_due(now);
        standing.finding = slot.map(|slot| check::evaluate(question, index, slot));
        standing.state = standing.finding.as_ref().map_or(State::Unknown, Finding::state);
        let recorded = self.memory.of(&alert.id).map(Recall::state);
        standing.since = recorded.filter(|(state, _)| *state == standing.state).and_then(|(_, since)| since);
        standing
    }

    /// Messages of alerts that are not there any more come to their end.
    fn forsaken(&mut self, now: Stamp) -> Vec<Event> {
        let is_gone = |(id, _): &(&String, &Recall)| !self.config.alerts.contains_key(*id);
        let mut events = Vec::new();
        for (id, recall) in self.memory.alerts().filter(is_gone) {
            for (message, channel) in
                recall.unsent.iter().flat_map(|(id, unsent)| unsent.left.iter().map(move |to| (id, to)))
            {
                let error = Some("the alert is not configured any more".to_owned());
                let channel = channel.clone();
                let told = Told { message: *message, channel, kind: Kind::Changed, attempts: 0, error };
                events.push(told.event(id, now));
            }
        }
        events.iter().for_each(|event| self.memory.fold(event));
        events
    }

    fn is_due(&self, question: &Question<'_>, now: Stamp) -> bool {
        let id = &question.alert.id;
        let judged = self.memory.of(id).and_then(|recall| recall.judged.last);
        let done = self.looked.get(id).copied().max(judged);
        match done.filter(|done| !is_ahead(*done, now)) {
            Some(done) => question.alert.schedule.next_after(done).is_some_and(|next| next <= now),
            None => true,
        }
    }

    /// Whether anything of these families is collected, or ever was.
    fn watches(&self, families: &[Family], index: &dyn Index) -> Result<bool, IndexError> {
        let is_known = |family: &Family| *family == Family::Whodid || self.families.contains(family);
        match families.is_empty() || families.iter().any(is_known) {
            true => Ok(true),
            false => status::holds(index, families),
        }
    }

    /// A state that lasts is told again.
    fn reminder(&self, question: &Question<'_>, recall: &Recall, now: Stamp) -> Option<Message> {
        let after = question.alert.renotify.and_then(|after| chrono::TimeDelta::from_std(after).ok())?;
        let (state, _) = recall.state();
        let last = recall.judged.told.max(self.reminded.get(&question.alert.id).copied())?;
        let is_due = state != State::Ok && recall.unsent.is_empty() && last.plus(after) <= now;
        is_due.then(|| Message::reminder(question, &self.config, recall, now))
    }
}

impl Standing {
    /// The numbers; none where they are not known.
    pub fn answer(&self) -> Option<&Answer> {
        self.finding.as_ref()?.answer.as_ref().ok()
    }

    /// Why nothing is known.
    pub fn unknown(&self) -> Option<&Unknown> {
        self.finding.as_ref()?.answer.as_ref().err()
    }
}

/// Why an alert is not evaluated.
fn inapplicable(question: &Question<'_>, is_unwatched: bool) -> Option<String> {
    match is_unwatched {
        true => Some(Unknown::NoSource(question.query.sources.clone()).to_string()),
        false => question.answerable().err().map(|unset| unset.to_string()),
    }
}

/// Every alert with its query. The configuration has none without.
fn questions(config: &Config) -> impl Iterator<Item = Question<'_>> {
    config.alerts.values().filter_map(|alert| Some(Question::new(alert, config.queries.get(&alert.query)?)))
}
