//! Alerts about persons: what root did counts for whoever logged in, and a link that comes in late changes
//! what was said.

use super::*;
use crate::event::link::{Confidence, Facts, Link};
use crate::index::Joined;
use crate::query::People;
use crate::query::people::Person;

fn people() -> std::sync::Arc<People> {
    let person = Person { name: "Ana Example".into(), unix: vec!["ana".into()], ..Person::default() };
    People::new(vec![person]).into()
}

fn acted(time: &str, action: &str, who: &str) -> Event {
    let mut event = event(time, action, who);
    event.who.kind = Some(if who == "root" { "root" } else { "user" }.to_owned());
    event
}

fn link(memory: &Memory, target: u64, chain: &[&str]) -> Event {
    let about = &memory.events[target as usize];
    let mut facts = Facts::new(target, Confidence::Medium);
    facts.chain = chain.iter().map(|hop| (*hop).to_owned()).collect();
    facts.account = chain.first().and_then(|hop| hop.split('@').next()).map(str::to_owned);
    facts.ip = "203.0.113.7".parse().ok();
    let (target, when, observed) = (about.id, about.when, about.observed);
    Link { target, when, observed, is_suspect: false, facts }.to_event()
}

/// Two acts of root, one behind a login of ana, and what ana and ben did by themselves.
fn story() -> Memory {
    let mut memory = memory([
        acted("11:40", "user.add", "root"),
        acted("11:41", "user.add", "root"),
        acted("11:42", "sudo.command", "ana"),
        acted("11:43", "sudo.command", "ben"),
    ]);
    memory.push(link(&memory, 0, &["ana@203.0.113.7", "ana", "root"]));
    memory
}

fn groups(alert: &Alert, query: &SavedQuery, index: &dyn Index) -> Vec<(String, u64)> {
    let answer = evaluate(&Question::new(alert, query), index, at("12:00")).answer.expect("an answer");
    answer.groups.iter().map(|group| (group.key.to_string(), group.level.value)).collect()
}

#[test]
fn persons_are_groups_and_values() {
    let query = saved("x", "what.action:(user.add OR sudo.command)");
    let index = Joined::new(story(), people());
    let by = Alert { by: vec![field("who.person")], ..alert("x") };
    let expected = [("who.person=Ana Example", 2), ("no who.person", 1), ("who.person=ben", 1)];
    assert_eq!(groups(&by, &query, &index), expected.map(|(key, value)| (key.to_owned(), value)));
    let by = Alert { by: vec![field("who.chain")], ..alert("x") };
    assert_eq!(groups(&by, &query, &index).len(), 4);
    let distinct = Alert { measure: Measure::Distinct(field("who.person")), ..alert("x") };
    assert_eq!(groups(&distinct, &query, &index), [(String::new(), 2)]);
    let asked = saved("x", "who.person:\"Ana Example\"");
    assert_eq!(groups(&alert("x"), &asked, &index), [(String::new(), 2)]);
}

#[test]
fn a_row_says_who_logged_in() {
    let query = saved("x", "what.action:user.add");
    let index = Joined::new(story(), people());
    for by in [vec![], vec![field("what.action")]] {
        let alert = Alert { by, ..alert("x") };
        let answer = evaluate(&Question::new(&alert, &query), &index, at("12:00")).answer.expect("an answer");
        let texts: Vec<String> = answer.groups[0].rows.iter().map(Row::text).collect();
        assert_eq!(
            texts,
            [
                "root user.add at 2026-11-20T11:41:00Z",
                "Ana Example: ana@203.0.113.7 > root user.add at 2026-11-20T11:40:00Z",
            ]
        );
        assert_eq!(answer.groups[0].rows[1].person, ["Ana Example"]);
    }
}

/// What an earlier pass had seen is told apart from what a later link says of the same events.
#[test]
fn a_late_link_changes_what_was_known() {
    let mut memory = story();
    memory.push(link(&memory, 1, &["ben@203.0.113.7", "root"]));
    let index = Joined::new(memory, people());
    let by = Alert { by: vec![field("who.person")], ..alert("x") };
    let counted = |alert: &Alert, text: &str, seen: u64| {
        let query = saved("x", text);
        let mut values = Vec::new();
        sweep(&Question::new(alert, &query), &index, &[at("12:00")], Some(seen), &mut |at| {
            let of = |tally: &Tally<'_>| {
                tally.levels().map(|(key, level)| (key.to_string(), level.value)).collect::<Vec<_>>()
            };
            values.push((of(at.now), at.before.map(of).unwrap_or_default()));
        })
        .expect("an answer");
        values.pop().expect("one slot")
    };
    let named = |list: &[(&str, u64)]| list.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect::<Vec<_>>();
    let (now, before) = counted(&by, "what.action:user.add", 5);
    assert_eq!(now, named(&[("who.person=Ana Example", 1), ("who.person=ben", 1)]));
    assert_eq!(before, named(&[("no who.person", 1), ("who.person=Ana Example", 1)]));
    let (now, before) = counted(&alert("x"), "who.person:ben", 5);
    assert_eq!((now, before), (named(&[("", 2)]), named(&[("", 1)])));
}
