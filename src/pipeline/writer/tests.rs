//! A disk that is full for a while.

use std::io;

use super::*;
use crate::check::bench;
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
        opening: Opening::new(&config, crate::collect::Mode::Once, &opened, &InForce::default()),
        clock: config.clock,
        reached: tx,
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
