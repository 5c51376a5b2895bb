//! Stages of a measurement, each run in a process of its own, so that its peak memory is its own.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Returns how many events there were, and after how many seconds the last one was.
    pub(crate) run: fn(&Path) -> (u64, f64),
}

/// What a stage's process says on stdout: events, seconds, processor seconds, peak KiB.
pub(crate) struct Measured {
    pub(crate) events: f64,
    pub(crate) seconds: f64,
    pub(crate) processor: f64,
    pub(crate) peak_kib: f64,
}

/// Does what this process was started for, if it is one stage of a measurement or no measurement at all.
pub(crate) fn was_asked<'s>(stages: impl IntoIterator<Item = &'s Stage>) -> bool {
    let args: Vec<String> = std::env::args().collect();
    let asked = args.iter().position(|arg| arg == "--stage");
    if let Some(at) = asked {
        let stage = stages.into_iter().find(|stage| stage.name == args[at + 1]).expect("a known stage");
        let (events, seconds) = (stage.run)(Path::new(&args[at + 2]));
        println!("{events} {seconds} {} {}", processor_seconds(), peak_kib());
    }
    // `cargo test --benches` only wants to know that it starts.
    asked.is_some() || args.iter().any(|arg| arg == "--test")
}

/// Runs a stage on an input of so many bytes, and prints what it took.
pub(crate) fn in_own_process(stage: &Stage, input: &Path, bytes: f64) -> Measured {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).arg("--stage").arg(stage.name).arg(input).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [events, seconds, processor, peak_kib] = numbers[..] else {
        panic!("{} said {said:?} {}", stage.name, String::from_utf8_lossy(&output.stderr));
    };
    println!(
        "{:<11} {:>9.0} events/s {:>7.1} MB/s {:>6.2} µs of processor each, peak {:>4.0} MiB   {}",
        stage.name,
        events / seconds,
        bytes / seconds / 1e6,
        processor * 1e6 / events,
        peak_kib / 1024.0,
        stage.what,
    );
    Measured { events, seconds, processor, peak_kib }
}

/// What each stage adds to the one before it, in processor time.
pub(crate) fn shares(stages: &[Stage], results: &[Measured]) {
    let cost = |measured: &Measured| measured.processor * 1e6 / measured.events;
    let whole = results.last().map_or(1.0, cost);
    let mut before = 0.0;
    for (stage, measured) in stages.iter().zip(results) {
        let added = cost(measured) - before;
        before = cost(measured);
        println!("share of {:<11} {added:>6.2} µs {:>3.0} %", stage.name, 100.0 * added / whole);
    }
    let peak = results.iter().map(|measured| measured.peak_kib).fold(0.0, f64::max);
    let slowest = results.iter().map(|measured| measured.events / measured.seconds).fold(f64::INFINITY, f64::min);
    println!("slowest {slowest:.0} events/s, largest {:.0} MiB", peak / 1024.0);
}

pub(crate) fn timed(run: impl FnOnce() -> u64) -> (u64, f64) {
    let begin = Instant::now();
    let events = run();
    (events, begin.elapsed().as_secs_f64())
}

/// Of this process, user and system.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|at| fields[*at].parse::<f64>().expect("ticks")).sum();
    // USER_HZ is 100 on every architecture that Debian has.
    ticks / 100.0
}

fn peak_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches(" kB").parse().expect("a number")
}
