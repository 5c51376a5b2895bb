//! Messages: who hears what, and what they look like.

use super::*;

#[test]
fn a_state_that_lasts_is_told_again() {
    let renotify = Some(Duration::from_secs(600));
    let mut bench = Bench::new(Alert { renotify, ..alert() });
    bench.add("11:58", "mallory");
    bench.round("12:00");
    assert_eq!(bench.deliver("12:00").len(), 1);
    bench.round("12:05");
    assert_eq!(bench.deliver("12:05"), NOTHING);
    bench.round("12:10");
    let message = bench.engine.messages(at("12:10"));
    assert_eq!(message.iter().map(|message| message.kind).collect::<Vec<_>>(), [Kind::Reminder]);
    assert!(message[0].text().contains("since 2026-11-20T12:00:00Z"), "{}", message[0].text());
    assert!(bench.engine.messages(at("12:11")).is_empty(), "it is on its way");
    bench.restart();
    assert!(bench.deliver("12:12")[0].starts_with("still CRITICAL linux/ssh"));
    bench.restart();
    assert_eq!(bench.deliver("12:20"), NOTHING);
    assert_eq!(bench.deliver("12:22").len(), 1);
}

#[test]
fn a_message_that_was_not_taken_is_sent_after_a_restart() {
    let mut bench = Bench::new(Alert { notify: vec!["log".into(), "oncall".into()], ..alert() });
    bench.add("11:58", "mallory");
    bench.round("12:00");
    let message = bench.engine.messages(at("12:00")).remove(0);
    let taken = Told { message: message.id, channel: "log".into(), kind: message.kind, attempts: 1, error: None };
    let event = bench.engine.told(ID, &taken, at("12:00"));
    bench.store(&[event]);
    bench.restart();
    let left = bench.engine.messages(at("12:01")).remove(0);
    assert_eq!(left.channels.iter().collect::<Vec<_>>(), ["oncall"]);
    assert_eq!((left.text(), left.changes.len()), (message.text(), 1));
    let refused =
        Told { channel: "oncall".into(), attempts: 6, error: Some("the receiver answered 404".into()), ..taken };
    let event = bench.engine.told(ID, &refused, at("12:02"));
    assert_eq!(event.what.action, action::NOTIFY_FAILED);
    bench.store(&[event]);
    bench.restart();
    assert!(bench.engine.messages(at("12:03")).is_empty());
}

#[test]
fn what_an_attacker_wrote_does_not_reach_a_terminal() {
    let mut bench = Bench::new(alert());
    bench.add("11:58", "\u{1b}[31mmallory\u{202e}\nOK");
    bench.round("12:00");
    let message = bench.engine.messages(at("12:00")).remove(0);
    for text in [message.headline(), message.text(), message.json()] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&message.json()).expect("JSON");
    assert_eq!(json["changes"][0]["rows"][0]["who"], "\u{1b}[31mmallory\u{202e}\nOK");
    assert_eq!(json["state"], "CRITICAL");
}

/// Every name in a document, with its path.
fn names(json: &serde_json::Value, path: &str, names: &mut BTreeSet<String>) {
    match json {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                names.insert(format!("{path}.{name}"));
                self::names(value, &format!("{path}.{name}"), names);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| self::names(item, path, names)),
        _ => {}
    }
}

#[test]
fn the_document_is_the_one_in_the_manual() {
    let manual = include_str!("../../../docs/alerts.md");
    let (_, rest) = manual.split_once("```json\n").expect("a document");
    let (text, _) = rest.split_once("```").expect("its end");
    let mut described = BTreeSet::new();
    names(&serde_json::from_str(text).expect("JSON"), "", &mut described);

    let mut bench = Bench::new(Alert { by: vec![bench::field("who.ip")], limits: limits(1, 3), ..alert() });
    let mut hit = with_ip(event("11:58", "sshd.refused", "root"), "203.0.113.7");
    hit.place.host = Some("web-1".to_owned());
    bench.trail.push(hit);
    bench.round("12:00");
    let message = bench.engine.messages(at("12:00")).remove(0);
    let mut sent = BTreeSet::new();
    names(&serde_json::from_str(&message.json()).expect("JSON"), "", &mut sent);
    assert_eq!(described, sent);
}

#[test]
fn messages_of_an_alert_that_is_gone_come_to_their_end() {
    let mut bench = Bench::new(alert());
    bench.add("11:58", "mallory");
    bench.round("12:00");
    Arc::make_mut(&mut bench.config).alerts.clear();
    bench.restart();
    let events = bench.round("12:01");
    assert_eq!(events.iter().map(|event| event.what.action.as_str()).collect::<Vec<_>>(), [action::NOTIFY_FAILED]);
    bench.restart();
    assert_eq!((bench.round("12:02"), bench.engine.memory().unsent()), (vec![], 0));
}

#[test]
fn a_group_with_an_endless_name_fits_into_the_trail() {
    let mut bench = Bench::new(Alert { by: vec![bench::field("who.name"), bench::field("what.object")], ..alert() });
    let long = "\u{1}".repeat(9_000);
    bench.trail.push(bench::on(event("11:58", "sshd.refused", &long), &long));
    assert_eq!(told(&bench.round("12:00")), ["12:00 OK>CRITICAL 1 all others told"]);
    bench.restart();
    assert_eq!(bench.round("12:00"), []);
}
