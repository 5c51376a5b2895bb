//! A disk that is full for a while, and a day that ends.

use std::io;

use super::*;
use crate::check::bench;
use crate::event::own;
use crate::pipeline::opening::InForce;
use crate::trail::{Open, Reader};

fn stage(folder: &std::path::Path, shutdown: watch::Receiver<bool>) -> (Stage, watch::Receiver<Reached>) {
    let mut config = bench::config(bench::alert("linux/ssh"), "what.action:sshd.refused");
    config.data = folder.join("data");
    let open = Open::new(&config.data, folder.join("keys"), "example.org", "web-1", config.clock.now());
    let (trail, opened) = Writer::open(open).expect("a trail");
    let seen = Seen::open(&config.data, &Reader::open(&config.data).expect("a trail")).expect("a set");
    let (tx, reached) = watch::channel(Reached::default());
    let stage = Stage {
        trail,
        seen: Arc::new(Mutex::new(seen)),
        positions: Positions::new(),
        alerts: Memory::default(),
        anchors: anchor::Memory::default(),
        opening: Opening::new(&config, crate::collect::Mode::Once, &opened, &InForce::default()),
        day: config.clock.now().day(),
        clock: config.clock,
        reached: tx,
        signed: watch::Sender::new(0),
        shutdown,
        added: Added::default(),
    };
    (stage, reached)
}

fn full() -> TrailError {
    TrailError::Full { path: "segment".into(), source: io::Error::from(io::ErrorKind::StorageFull) }
}

#[test]
fn the_writer_waits_until_there_is_room_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let (stop, stopped) = watch::channel(false);
    let (mut stage, reached) = stage(folder.path(), stopped);
    let mut tries = 0;
    let done = stage.patiently(runtime.handle(), |_| {
        tries += 1;
        assert_eq!(reached.borrow().is_full, tries > 1);
        if tries < 2 { Err(full()) } else { Ok(tries) }
    });
    assert_eq!((done.expect("room"), reached.borrow().is_full), (2, false));
    stop.send_replace(true);
    let stopped = stage.patiently(runtime.handle(), |_| Err::<(), _>(full()));
    assert!(matches!(stopped, Err(PipelineError::Trail(TrailError::Full { .. }))));
}

#[test]
fn a_day_that_ended_ends_its_segment_if_that_holds_anything_to_speak_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let (_stop, stopped) = watch::channel(false);
    let (mut stage, reached) = stage(folder.path(), stopped);
    let today = stage.day;
    let write = |stage: &mut Stage, day, text: &str| {
        stage.day = day;
        let mut group = Group::default();
        let event = own::event(own::action::GAP, text, stage.clock.now());
        stage.encode(vec![event], &mut group).expect("an event");
        stage.write(group, runtime.handle()).expect("room");
        (reached.borrow().segments, stage.day)
    };
    let yesterday = today.pred_opt().expect("a day");
    let (little, much) = ("x".repeat(1_000), "x".repeat(50_000));
    assert_eq!(write(&mut stage, yesterday, &little), (0, yesterday));
    assert_eq!(write(&mut stage, today, &much), (0, today));
    assert_eq!(write(&mut stage, today, &much), (0, today));
    assert_eq!(write(&mut stage, yesterday, &little), (1, today));
    assert_eq!(write(&mut stage, yesterday, &little), (1, yesterday));
}
