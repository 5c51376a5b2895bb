//! The whole program over one source, in a folder of its own.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use whodid::collect::{Mode, Progress};
use whodid::config::Config;
use whodid::pipeline::{self, Plan, Report};

/// All of the program but its arguments. `source`: the lines of its table; `views`: what was collected is searchable.
pub(crate) fn run(folder: &Path, source: &str, views: bool) -> Report {
    let text = format!(
        "data = \"data\"\nkeys = \"keys\"\norg = \"example.org\"\nhost = \"web-1\"\n[[source]]\nname = \"bench\"\n{source}\n"
    );
    let file = folder.join("whodid.toml");
    File::create(&file).and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
    let config = Config::discover(Some(&file), None).expect("a configuration");
    let sources = config.sources.clone();
    let plan = Plan { config, sources, mode: Mode::Once, progress: Arc::new(Progress::default()), views };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let (_stop, shutdown) = tokio::sync::watch::channel(false);
    runtime.block_on(pipeline::run(plan, shutdown)).expect("it runs")
}
