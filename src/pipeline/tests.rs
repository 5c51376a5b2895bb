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
        world: Default::default(),
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

/// Who was behind what, by the newest links of a trail.
fn newest_links(folder: &std::path::Path) -> std::collections::BTreeMap<EventId, Vec<String>> {
    let reader = Reader::open(&folder.join("data")).expect("a trail");
    let events = reader.scan(0).expect("readable").map(|entry| entry.expect("an event").1);
    events
        .filter_map(|event| crate::event::link::Link::of(&event))
        .map(|link| (link.target, link.facts.chain))
        .collect()
}

async fn once(folder: &std::path::Path, plan: &Plan, lines: &[&str], link: bool) -> Added {
    use std::io::Write as _;
    let log = fs::OpenOptions::new().append(true).open(folder.join("auth.log"));
    log.and_then(|mut log| log.write_all(lines.concat().as_bytes())).expect("written");
    let config = Config { link, ..plan.config.clone() };
    let plan = Plan { config, sources: plan.sources.clone(), mode: Mode::Once, progress: Arc::default(), views: true };
    let (_stop, stopped) = signal::channel(false);
    run(plan, stopped).await.expect("an end").added
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_end_the_same_whatever_a_run_could_still_say() {
    let lines = [
        "2026-11-20T09:00:00Z web-1 sshd[100]: Accepted password for ana from 203.0.113.7 port 50122 ssh2\n",
        "2026-11-20T09:00:01Z web-1 sshd[101]: Starting session: shell on pts/0 for ana from 203.0.113.7 port 50122 id 0\n",
        "2026-11-20T09:01:00Z web-1 sudo[110]: ana : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/bash\n",
        "2026-11-20T09:02:00Z web-1 useradd[111]: new user: name=eve, UID=9, GID=9, home=/, shell=/bin/sh, from=/dev/pts/0\n",
    ];
    let straight = tempfile::tempdir().expect("a folder");
    let whole = plan(straight.path());
    let added = once(straight.path(), &whole, &lines, true).await;
    let expected = newest_links(straight.path());
    assert_eq!(expected.values().filter(|chain| **chain == ["ana@203.0.113.7", "root"]).count(), 2, "{expected:?}");
    assert!(added.own >= 2, "{added:?}");
    for cut in 0..=lines.len() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = plan(folder.path());
        // As if it was killed before it could say anything.
        once(folder.path(), &plan, &lines[..cut], false).await;
        once(folder.path(), &plan, &lines[cut..], true).await;
        assert_eq!(newest_links(folder.path()), expected, "{cut}");
        assert_eq!(once(folder.path(), &plan, &[], true).await, Added::default(), "{cut}");
    }
}
