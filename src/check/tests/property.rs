//! The sweep against a slow count, over generated stories.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::config::alert::Late;

/// Minute of the hour, action, name and object; few of each, so that they meet.
fn story() -> impl Strategy<Value = Vec<(u32, u8, u8, u8)>> {
    vec((0..60_u32, 0..3_u8, 0..3_u8, 0..3_u8), 0..40)
}

fn told(story: &[(u32, u8, u8, u8)]) -> Memory {
    let told = story.iter().map(|(minute, action, who, object)| {
        let action = ["run.start", "run.finish", "ssh.login"][usize::from(*action)];
        let who = ["", "alice", "bob"][usize::from(*who)];
        let event = event(&format!("10:{minute:02}"), action, who);
        if *object == 0 { event } else { on(event, ["", "web-1", "web-2"][usize::from(*object)]) }
    });
    memory(told)
}

/// Counted by going through all events anew, for one window and one group at a time.
fn slowly(alert: &Alert, memory: &Memory, seen: u64, slot: Stamp) -> BTreeMap<Option<String>, u64> {
    let begin = |span: Duration| slot.minus(super::question::delta(span));
    let mut ordered: Vec<(u64, &Event)> = (0..).zip(&memory.events).filter(|(seq, _)| *seq < seen).collect();
    ordered.sort_by_key(|(seq, event)| (event.when, *seq));
    let inside = |event: &Event| event.when > begin(alert.window) && event.when <= slot;
    let group =
        |event: &Event| if alert.by.is_empty() { None } else { Some(event.who.name.clone().unwrap_or_default()) };
    let mut groups: BTreeMap<Option<String>, u64> = BTreeMap::new();
    let mut add = |event: &Event, n: u64| *groups.entry(group(event)).or_default() += n;
    match &alert.measure {
        Measure::Count => ordered.iter().filter(|(_, event)| inside(event)).for_each(|(_, event)| add(event, 1)),
        Measure::Distinct(_) | Measure::New { .. } => {
            let mut counted = BTreeSet::new();
            for (_, event) in ordered.iter().filter(|(_, event)| inside(event)) {
                let Some(object) = &event.what.object else { continue };
                let is_known = match &alert.measure {
                    Measure::New { known, .. } => ordered.iter().any(|(_, before)| {
                        before.what.object.as_ref() == Some(object)
                            && group(before) == group(event)
                            && before.when <= begin(alert.window)
                            && before.when > begin(alert.window + *known)
                    }),
                    _ => false,
                };
                if !is_known && counted.insert((group(event), object)) {
                    add(event, 1);
                }
            }
        }
        Measure::Unmatched(unmatched) => {
            let mut open: Vec<(u64, &Event)> = Vec::new();
            for (seq, event) in ordered.iter().filter(|(_, event)| event.when <= slot) {
                match event.what.action.as_str() {
                    "run.start" => open.push((*seq, event)),
                    "run.finish" => {
                        let newest = open.iter().rposition(|(_, start)| start.what.object == event.what.object);
                        let limit = super::question::delta(unmatched.within);
                        let in_time = |at: &usize| open[*at].1.when.plus(limit) >= event.when;
                        if let Some(newest) = newest.filter(|at| unmatched.late == Late::Ends || in_time(at)) {
                            open.remove(newest);
                        }
                    }
                    _ => {}
                }
            }
            let limit = super::question::delta(unmatched.within);
            open.iter()
                .filter(|(_, start)| inside(start) && start.when.plus(limit) <= slot)
                .for_each(|(_, start)| add(start, 1));
        }
    }
    groups.retain(|_, value| *value > 0);
    groups
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A window that moves, and one that is made anew at each slot, hold the same.
    #[test]
    fn a_sweep_counts_what_a_slow_count_counts(
        story in story(), measure in 0..5_u8, by in any::<bool>(), seen in 0..40_u64, window in 2..40_u64,
    ) {
        let memory = told(&story);
        let measure = match measure {
            0 => Measure::Count,
            1 => Measure::Distinct(field("what.object")),
            2 => Measure::New { field: field("what.object"), known: minutes(window / 2) },
            3 => unfinished(minutes(window / 2)),
            _ => unmatched(minutes(window / 2)),
        };
        let by = if by { vec![field("who.name")] } else { vec![] };
        let alert = Alert { measure, by, window: minutes(window), ..alert("x") };
        let query = saved("x", "*");
        let question = Question::new(&alert, &query);
        let slots: Vec<Stamp> = (0..16).map(|n| at("09:58").plus(chrono::TimeDelta::minutes(n * 7))).collect();
        let shown = |tally: &Tally<'_>| -> BTreeMap<Option<String>, u64> {
            let name = |key: &Key| match key {
                Key::Values(parts) => Some(parts[0].value.as_deref().unwrap_or_default().to_owned()),
                _ => None,
            };
            tally.levels().filter(|(_, level)| level.value > 0).map(|(key, level)| (name(key), level.value)).collect()
        };
        let mut judged = Vec::new();
        sweep(&question, &memory, &slots, Some(seen), &mut |at| {
            let before = shown(at.before.expect("both were asked for"));
            judged.push((at.slot, shown(at.now), before, at.now.verdict()));
        }).expect("an answer");
        prop_assert_eq!(judged.len(), slots.len());
        for (slot, now, before, verdict) in judged {
            let expected = slowly(&alert, &memory, u64::MAX, slot);
            prop_assert_eq!(verdict.value, expected.values().copied().max().unwrap_or(0), "{:?} at {}", alert.measure, slot);
            prop_assert_eq!(now, expected, "{:?} at {}", alert.measure, slot);
            prop_assert_eq!(before, slowly(&alert, &memory, seen, slot), "before {} at {}", seen, slot);
            // One slot alone is judged alike, by whichever way.
            prop_assert_eq!(evaluate(&question, &memory, slot).answer.expect("an answer").verdict, verdict);
        }
    }

    /// An index that cannot answer makes every alert unknown.
    #[test]
    fn a_broken_index_is_never_ok(story in story(), measure in 0..4_u8, by in any::<bool>(), limit in 0..9_u64) {
        let memory = Memory { is_broken: true, ..told(&story) };
        let measure = match measure {
            0 => Measure::Count,
            1 => Measure::Distinct(field("what.object")),
            2 => Measure::New { field: field("what.object"), known: minutes(20) },
            _ => unmatched(minutes(10)),
        };
        let by = if by { vec![field("who.name")] } else { vec![] };
        let alert = Alert { measure, by, limits: limits(None, limit), ..alert("x") };
        let query = saved("x", "*");
        prop_assert_eq!(evaluate(&Question::new(&alert, &query), &memory, at("10:30")).state(), State::Unknown);
    }
}
