//! Whenever events come in, and however often whodid is restarted: what is said in the end is true.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// An event of somebody, with when it happened and before which round it came in.
#[derive(Debug, Clone)]
struct Arrival {
    minute: i64,
    who: u8,
    round: usize,
}

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let arrival = (0..360_i64, 0..3_u8, 0..ROUNDS).prop_map(|(minute, who, round)| Arrival { minute, who, round });
    vec(arrival, 0..30)
}

const ROUNDS: usize = 12;

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whenever_events_come_in_every_slot_ends_with_its_true_verdict(
        arrivals in arrivals(),
        restarts in vec(any::<bool>(), ROUNDS),
        is_grouped in any::<bool>(),
    ) {
        let by = if is_grouped { vec![bench::field("who.name")] } else { Vec::new() };
        let mut bench = Bench::new(Alert { by, limits: limits(1, 3), ..alert() });
        let begin = at("08:00");
        let mut stated = bench.round("08:00");
        for (round, restart) in restarts.iter().enumerate() {
            for arrival in arrivals.iter().filter(|arrival| arrival.round == round) {
                let when = begin.plus(TimeDelta::minutes(arrival.minute)).to_string();
                bench.add(&when, &format!("user-{}", arrival.who));
            }
            if *restart {
                bench.restart();
            }
            let now = begin.plus(TimeDelta::minutes(30 * (round as i64 + 1))).to_string();
            stated.extend(bench.round(&now));
            prop_assert!(bench.round(&now).is_empty(), "nothing is said twice");
        }
        let now = begin.plus(TimeDelta::minutes(30 * ROUNDS as i64));
        stated.extend(bench.engine.flush(now));
        let alert = &bench.config.alerts[ID];
        let question = crate::check::Question::new(alert, &bench.config.queries[ID]);

        let mut said = BTreeMap::new();
        for evaluated in evaluated(&stated) {
            let before = evaluated.from.unwrap_or(evaluated.slot).minus(TimeDelta::seconds(1));
            for slot in alert.schedule.slots_between(before, evaluated.slot, 1_000).slots {
                said.insert(slot, evaluated.verdict());
            }
        }
        let slots: Vec<Stamp> = said.keys().copied().collect();
        prop_assert_eq!(slots.len(), 12 * ROUNDS / 2 + 1, "every slot has a verdict");
        let mut truth = BTreeMap::new();
        crate::check::sweep(&question, &bench.trail, &slots, None, &mut |at| {
            truth.insert(at.slot, Some(at.now.verdict()));
        }).expect("answered");
        prop_assert_eq!(said, truth);

        // Who fires now is known, and whoever fired at some time was told of.
        let mut fired = BTreeSet::new();
        let mut firing = BTreeMap::new();
        crate::check::sweep(&question, &bench.trail, &slots, None, &mut |at| {
            let levels = at.now.levels().filter(|(_, level)| level.state != State::Ok);
            firing = levels.map(|(key, level)| (key.clone(), level.state)).collect();
            fired.extend(firing.iter().map(|(key, state)| (key.clone(), *state)));
        }).expect("answered");
        let memory = bench.engine.memory().of(ID).expect("evaluated");
        let known: BTreeMap<Key, State> =
            memory.groups.iter().map(|(key, standing)| (key.clone(), standing.state)).collect();
        prop_assert_eq!(known, firing);
        let worst_told = |key: &Key| {
            changes(&stated).iter().filter(|change| change.group == *key).map(|change| change.to).max()
        };
        for (key, state) in fired {
            prop_assert!(worst_told(&key) >= Some(state), "{} was {}", key, state);
        }
    }
}
