//! Damage, loss and refusal: the index repairs itself from the trail, and until then it says so.

use std::fs;
use std::path::PathBuf;

use whodid::index::embedded::{Searcher, Writer, folder};
use whodid::index::{Index as _, IndexError, Search, TAIL_EVENTS_MAX};
use whodid::query::ast::Ast;

use super::{Draw, ORIGIN, Reference, Trail, data, position, put};

/// An index of everything, and its partitions.
fn indexed(trail: &Trail) -> (tempfile::TempDir, Vec<PathBuf>) {
    let data = data();
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    writer.catch_up(&trail, trail.events.len() as u64).expect("it takes in");
    let listed = fs::read_dir(folder(data.path())).expect("a folder").map(|entry| entry.expect("readable").path());
    let mut partitions: Vec<PathBuf> = listed.filter(|path| path.is_dir()).collect();
    partitions.sort();
    assert!(partitions.len() > 5, "the generated events are of several days");
    (data, partitions)
}

/// What it is, and how it is done to a partition.
type Damage = (&'static str, fn(&PathBuf));

const DAMAGES: [Damage; 5] = [
    ("a partition is gone", |partition| fs::remove_dir_all(partition).expect("removable")),
    ("its list of segments is gone", |partition| fs::remove_file(partition.join("meta.json")).expect("removable")),
    ("its list of segments is cut", |partition| put(&partition.join("meta.json"), "{")),
    ("a segment is gone", |partition| {
        for entry in fs::read_dir(partition).expect("readable") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|ending| ending == "term") {
                fs::remove_file(path).expect("removable");
            }
        }
    }),
    ("its last commit is lost", |partition| {
        let meta = fs::read_to_string(partition.join("meta.json")).expect("readable");
        let lost = meta.replace("\"payload\": \"300\"", "\"payload\": \"299\"");
        assert!(meta != lost, "the payload is the position");
        put(&partition.join("meta.json"), lost);
    }),
];

#[test]
fn what_is_damaged_is_an_error_until_it_is_made_anew() {
    let mut draw = Draw::new();
    let trail = Trail::new(draw.events(300));
    let reference = Reference::new(&trail);
    let everything = Search::all(Ast::All);
    for (what, damage) in DAMAGES {
        let (data, partitions) = indexed(&trail);
        damage(&partitions[partitions.len() / 2]);
        let searcher = Searcher::open(data.path(), &trail);
        let error = searcher.count(&everything).expect_err(what);
        assert!(error.needs_rebuild(), "{what}: {error}");
        assert!(error.to_string().contains("whodid index rebuild"), "{what}: {error}");

        // Until all is taken in again, the matcher in memory answers for it.
        let mut writer = Writer::open(data.path(), ORIGIN).expect(what);
        assert_eq!(writer.complete_to(), 0, "{what}");
        reference.check_many(&mut draw, &searcher, 5);
        writer.catch_up(&&trail, 150).expect(what);
        reference.check_many(&mut draw, &searcher, 20);
        writer.catch_up(&&trail, 300).expect(what);
        reference.check_many(&mut draw, &searcher, 20);
    }
}

#[test]
fn a_position_that_is_lost_costs_time_and_nothing_else() {
    let mut draw = Draw::new();
    let trail = Trail::new(draw.events(200));
    let reference = Reference::new(&trail);
    for content in [None, Some(""), Some("{\"format\":1}")] {
        let (data, _) = indexed(&trail);
        match content {
            None => fs::remove_file(position(data.path())).expect("removable"),
            Some(text) => put(&position(data.path()), text),
        }
        let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
        writer.catch_up(&&trail, 200).expect("it takes in");
        reference.check_many(&mut draw, &Searcher::open(data.path(), &trail), 10);
    }
}

#[test]
fn an_index_of_more_than_the_trail_has_is_refused_and_made_anew() {
    let mut draw = Draw::new();
    let trail = Trail::new(draw.events(100));
    let (data, _) = indexed_few(&trail);
    trail.acknowledge(40);
    let searcher = Searcher::open(data.path(), &trail);
    let error = searcher.count(&Search::all(Ast::All)).expect_err("the trail is shorter");
    assert!(error.needs_rebuild(), "{error}");
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    assert_eq!(writer.catch_up(&&trail, 40).expect("it takes in"), 40);
    Reference::new(&trail).check_many(&mut draw, &searcher, 20);
}

#[test]
fn an_index_of_another_trail_is_refused_and_made_anew() {
    let trail = Trail::new(Draw::new().events(30));
    let data = data();
    let mut writer = Writer::open(data.path(), "example.org/web-1/before").expect("an index");
    writer.catch_up(&&trail, 30).expect("it takes in");
    let searcher = Searcher::open(data.path(), &trail);
    let error = searcher.count(&Search::all(Ast::All)).expect_err("another trail");
    assert!(error.needs_rebuild() && error.to_string().contains("another trail"), "{error}");
    drop(writer);
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    assert_eq!(writer.complete_to(), 0);
    writer.catch_up(&&trail, 30).expect("it takes in");
    Reference::new(&trail).check_many(&mut Draw::new(), &searcher, 20);
}

fn indexed_few(trail: &Trail) -> (tempfile::TempDir, Writer) {
    let data = data();
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    writer.catch_up(&trail, trail.events.len() as u64).expect("it takes in");
    (data, writer)
}

#[test]
fn a_trail_far_ahead_of_the_index_is_no_answer() {
    let event = Draw::new().events(1).remove(0);
    let trail = Trail::new(vec![event; 3]);
    trail.acknowledge(TAIL_EVENTS_MAX + 2);
    let data = data();
    let error = Searcher::open(data.path(), &trail).count(&Search::all(Ast::All)).expect_err("too far behind");
    assert!(matches!(error, IndexError::Behind { by } if by == TAIL_EVENTS_MAX + 2), "{error}");
    assert!(error.is_transient());
}

#[test]
fn two_writers_do_not_write_one_partition() {
    let trail = Trail::new(Draw::new().events(5));
    let (data, mut writer) = indexed_few(&trail);
    let mut other = Writer::open(data.path(), ORIGIN).expect("opening reads only");
    let more = Trail::new(Draw::new().events(10));
    let error = other.catch_up(&&more, 10).expect_err("the first one holds the partition");
    assert!(matches!(error, IndexError::Busy(_)), "{error}");

    // An error loses nothing: the same call succeeds later.
    writer.catch_up(&&more, 10).expect("it takes in");
    drop(writer);
    other.catch_up(&&more, 10).expect("it takes in");
    let mut draw = Draw::new();
    Reference::new(&more).check_many(&mut draw, &Searcher::open(data.path(), &more), 20);
}

#[test]
fn entries_out_of_order_are_refused() {
    let events = Draw::new().events(2);
    let data = data();
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    writer.take_in(0, &events[0]).expect("the first");
    writer.take_in(1, &events[1]).expect("the second");
    assert!(matches!(writer.take_in(1, &events[1]), Err(IndexError::Order { seq: 1, next: 2 })));
}

#[test]
fn partitions_that_vanish_under_the_writer_are_made_anew() {
    let trail = Trail::new(Draw::new().events(200));
    let data = data();
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    writer.catch_up(&&trail, 100).expect("it takes in");
    for entry in fs::read_dir(folder(data.path())).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            fs::remove_dir_all(path).expect("removable");
        }
    }
    // The first call meets files that are gone, and says so; it may be made again.
    if let Err(error) = writer.catch_up(&&trail, 200) {
        assert!(error.is_transient(), "{error}");
        writer.catch_up(&&trail, 200).expect("it takes in");
    }
    Reference::new(&trail).check_many(&mut Draw::new(), &Searcher::open(data.path(), &trail), 40);
}

/// tantivy keeps some files for their owner alone; then a monitoring user could not search.
#[test]
fn whoever_may_read_the_position_may_read_the_partitions() {
    use std::os::unix::fs::PermissionsExt as _;

    let trail = Trail::new(Draw::new().events(20));
    let (data, _writer) = indexed_few(&trail);
    let mode = |path: &PathBuf| fs::metadata(path).expect("a file").permissions().mode() & 0o444;
    let expected = mode(&position(data.path()));
    let partitions = fs::read_dir(folder(data.path())).expect("a folder").map(|entry| entry.expect("readable").path());
    for partition in partitions.filter(|path| path.is_dir()) {
        for entry in fs::read_dir(partition).expect("a folder") {
            let path = entry.expect("readable").path();
            assert_eq!(mode(&path) & expected, expected, "{}", path.display());
        }
    }
}
