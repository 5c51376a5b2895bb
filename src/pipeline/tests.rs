//! The parts together, where one of them ends.

use std::fs;

use super::*;
use crate::check::bench;
use crate::config::source::{DECOMPRESSED_BYTES_MAX, From, Source};
use crate::event::Family;
use crate::sources::zone::Zone;

fn plan(folder: &std::path::Path) -> Plan {
    let mut config = bench::config(bench::alert("linux/ssh"), "what.action:sshd.refused");
    (config.data, config.keys) = (folder.join("data"), folder.join("keys"));
    config.alerts.clear();
    let log = folder.join("auth.log");
    fs::File::create_new(&log).expect("a file");
    let source = Source {
        name: "auth".to_owned(),
        family: Family::Auth,
        from: From::Files { paths: vec![log.to_string_lossy().into_owned()] },
        host: None,
        zone: Zone::UTC,
        year: None,
        decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
    };
    Plan { config, sources: vec![source], mode: Mode::Follow, progress: Arc::default(), views: true }
}

/// Its collectors have nothing to read, so nothing would tell them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_stops_when_the_writer_cannot_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan(folder.path());
    // In the way of the first signature.
    fs::create_dir_all(folder.path().join("data/trail/tile")).expect("a folder");
    fs::File::create_new(folder.path().join("data/trail/tile/0")).expect("a file");
    let (_stop, stopped) = signal::channel(false);
    let ended = tokio::time::timeout(Duration::from_secs(30), run(plan, stopped)).await.expect("an end");
    assert!(matches!(ended, Err(PipelineError::Trail(TrailError::Io { .. }))), "{ended:?}");
}
