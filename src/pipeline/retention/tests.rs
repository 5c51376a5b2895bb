//! Runs over a trail that is kept for a while.

use std::fs;
use std::path::Path;

use super::*;
use crate::check::bench;
use crate::collect::Mode;
use crate::config::Config;
use crate::event::{self, EventId};
use crate::index::embedded::Searcher;
use crate::index::{Index as _, Search};
use crate::pipeline::{Plan, Report, hold, run};
use crate::query::ast::Ast;
use crate::trail::{Against, Exit, Line, Open, Writer, verify};

fn config(folder: &Path) -> Config {
    let mut config = bench::config(bench::alert("linux/ssh"), "what.action:sshd.refused");
    (config.data, config.keys) = (folder.join("data"), folder.join("keys"));
    config.alerts.clear();
    config
}

/// A trail of many small segments, as months leave it.
fn fill(config: &Config, count: u64) {
    let open = Open::new(&config.data, &config.keys, &config.org, &config.host, config.clock.now());
    let (mut writer, _) = Writer::open(Open { segment_bytes: 4_000, ..open }).expect("a trail");
    for n in 0..count {
        let mut event = own::event(action::GAP, &format!("source {n}"), config.clock.now());
        event.id = EventId::of_own(writer.origin(), writer.next_seq());
        let (bytes, blob) = event::encode(&mut event);
        writer.append(vec![Line::new(event.id, bytes, blob).expect("a line")]).expect("room");
        writer.commit().expect("room");
        if writer.wants_new_segment() {
            writer.end_segment().and_then(|()| writer.begin_segment()).expect("room");
        }
    }
    writer.sign().expect("room");
}

fn once(config: &Config) -> Report {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let plan =
        Plan { config: config.clone(), sources: vec![], mode: Mode::Once, progress: Arc::default(), views: true };
    let (_stop, stopped) = watch::channel(false);
    runtime.block_on(run(plan, stopped)).expect("a run")
}

fn reader(config: &Config) -> Reader {
    Reader::open(&config.data).expect("a trail")
}

fn verdict(config: &Config) -> (Exit, u64) {
    let (key, _) = reader(config).key_places(&config.keys);
    let key = Some(fs::read_to_string(key).expect("a key").trim().to_owned());
    let report = verify(&config.data, &Against { key, ..Against::default() }, &mut |_, _| {});
    assert_eq!(report.findings, []);
    (report.exit(), report.pruned)
}

/// How many events the index finds, and in another way.
fn found(config: &Config) -> (u64, u64) {
    let searcher = Searcher::open(&config.data, reader(config));
    let all = Search::all(Ast::All);
    let mut each = 0;
    searcher
        .each(&all, &mut |_| {
            each += 1;
            true
        })
        .expect("searchable");
    let hits = searcher.search(&all, 10_000).expect("searchable");
    assert_eq!((hits.newest.len() as u64, hits.total), (each, each));
    (searcher.count(&all).expect("countable").0, each)
}

#[test]
fn a_run_deletes_what_need_not_be_kept_and_says_so_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path());
    fill(&config, 300);
    let all = once(&config).size;
    assert_eq!((verdict(&config), found(&config)), ((Exit::Whole, 0), (all, all)));
    config.keep.bytes = Some(1);
    let size = once(&config).size;
    let first = reader(&config).first().expect("readable");
    assert!(first > 200 && size > all, "{first} {size}");
    assert_eq!(verdict(&config), (Exit::Whole, first));
    assert_eq!(found(&config), (size - first, size - first));
    let said: Vec<_> = reader(&config)
        .scan(first)
        .expect("readable")
        .map(|entry| entry.expect("an event").1)
        .filter(|event| event.what.action == action::PRUNED)
        .collect();
    let facts = said.iter().map(|event| event.detail["whodid"].clone()).collect::<Vec<_>>();
    assert_eq!((facts.len(), &facts[0]["to"], &facts[0]["from"]), (1, &json!(first), &json!(0)));
    assert_eq!(facts[0]["why"], json!("more than 1 bytes"));

    // An index that was deleted begins where the trail does.
    fs::remove_dir_all(config.data.join("index")).expect("deleted");
    let size = once(&config).size;
    assert_eq!(found(&config).0, size - first);
    assert_eq!(verdict(&config), (Exit::Whole, first));
}

#[test]
fn a_hold_is_recorded_and_obeyed_until_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path());
    fill(&config, 200);
    once(&config);
    config.keep.days = Some(1);
    config.keep.bytes = Some(1);
    hold(&config, true, " case 7 ").expect("nobody writes");
    once(&config);
    assert_eq!(reader(&config).first().expect("readable"), 0);
    assert!(hold(&config, false, " ").is_err());
    hold(&config, false, "case 7 is closed").expect("nobody writes");
    once(&config);
    let first = reader(&config).first().expect("readable");
    assert!(first > 0);
    let said: Vec<String> = reader(&config)
        .scan(first)
        .expect("readable")
        .map(|entry| entry.expect("an event").1)
        .filter(|event| event.what.action == action::HOLD)
        .map(|event| format!("{} {}", event.detail["whodid"]["hold"], event.detail["whodid"]["reason"]))
        .collect();
    assert_eq!(said, ["\"on\" \"case 7\"", "\"off\" \"case 7 is closed\""]);
    assert_eq!(verdict(&config), (Exit::Whole, first));
    // Somebody writes.
    let open = Open::new(&config.data, &config.keys, &config.org, &config.host, config.clock.now());
    let _writer = Writer::open(open).expect("a trail");
    let refused = hold(&config, true, "case 8").expect_err("held").to_string();
    assert!(refused.contains("stop that first"), "{refused}");
}
