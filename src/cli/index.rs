//! `whodid index rebuild|reconcile|template`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use chrono::NaiveDate;
use clap::Subcommand;

use super::progress::Bar;
use super::say;
use super::settings::Place;
use crate::config::Config;
use crate::index::STEP_EVENTS;
use crate::pipeline::views;
use crate::trail::{Lock, Reader};

/// Make the index anew from the trail
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Delete the index and make it anew from the trail, which has everything
    ///
    /// Not while `whodid run` works there. Until it is done, searches go through the trail itself.
    Rebuild,
    Reconcile(Reconcile),
    /// Print the index template that the cluster needs, for whoever may put it there
    Template,
}

/// Compare a cluster with the trail, day by day, and mend it from the trail
///
/// Every document is compared with what its entry makes. Not while `whodid run` works there. Exit 0 if all was the
/// same, 1 if not: what was mended is said.
#[derive(Debug, clap::Args)]
struct Reconcile {
    /// Events that happened on this day (UTC) or later
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,

    /// Events that happened on this day or earlier
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,

    /// Compare only
    #[arg(long)]
    check: bool,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        match self.command {
            Command::Rebuild => rebuild(&config),
            Command::Reconcile(args) => elastic::reconcile(&config, &args),
            Command::Template => elastic::template(&config),
        }
    }
}

fn rebuild(config: &Config) -> anyhow::Result<ExitCode> {
    let trail = Reader::open(&config.data)?;
    let _lock = Lock::take(&config.data, "whodid index rebuild", config.clock.now())?;
    let size = trail.acknowledged()?;
    let mut writer = views::rebuild(config, trail.origin())?;
    let done = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&done);
    let _bar = Bar::of_count(Arc::new(move || (seen.load(Relaxed), size, "events".to_owned())));
    let mut complete_to = 0;
    while complete_to < size {
        complete_to = writer.catch_up(&trail, complete_to.saturating_add(STEP_EVENTS).min(size), config.clock.now())?;
        done.store(complete_to, Relaxed);
    }
    say::aside(format_args!("{complete_to} events can be searched"));
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "elastic"))]
mod elastic {
    use super::*;

    const WITHOUT: &str = "this whodid was built without Elasticsearch: build it with the feature `elastic`";

    pub(super) fn reconcile(_: &Config, _: &Reconcile) -> anyhow::Result<ExitCode> {
        anyhow::bail!(WITHOUT)
    }

    pub(super) fn template(_: &Config) -> anyhow::Result<ExitCode> {
        anyhow::bail!(WITHOUT)
    }
}

#[cfg(feature = "elastic")]
mod elastic {
    use std::io::{self, Write as _};
    use std::ops::Bound;

    use anyhow::Context as _;
    use chrono::{Days, NaiveTime};

    use super::*;
    use crate::cli::table::table;
    use crate::config::Index;
    use crate::config::index::Elastic;
    use crate::event::Stamp;
    use crate::index::elastic::{self, Report, Scope};

    fn settings(config: &Config) -> anyhow::Result<&Elastic> {
        match &config.index {
            Index::Elastic(settings) => Ok(settings),
            Index::Embedded => anyhow::bail!("the index is on this machine: `type` under [index] is not \"elastic\""),
        }
    }

    pub(super) fn template(config: &Config) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &elastic::template(settings(config)?))?;
        writeln!(out)?;
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn reconcile(config: &Config, args: &Reconcile) -> anyhow::Result<ExitCode> {
        let settings = settings(config)?;
        let trail = Reader::open(&config.data)?;
        let _lock = Lock::take(&config.data, "whodid index reconcile", config.clock.now())?;
        let midnight = |day: NaiveDate| Stamp::from_micros(day.and_time(NaiveTime::MIN).and_utc().timestamp_micros());
        let next = |day: NaiveDate| day.checked_add_days(Days::new(1)).context("the last day of all has no next one");
        let scope = Scope {
            since: args.from.map_or(Bound::Unbounded, |day| Bound::Included(midnight(day))),
            until: args.to.map(next).transpose()?.map_or(Bound::Unbounded, |day| Bound::Excluded(midnight(day))),
            mends: !args.check,
        };
        let report = elastic::reconcile(&config.data, settings, &trail, scope)?;
        print(&report)?;
        if report.compared_to < report.acknowledged {
            let (reached, all) = (report.compared_to, report.acknowledged);
            say::aside(format_args!("compared to entry {reached} of {all}: the cluster does not have the others yet"));
        }
        let is_same = report.is_same();
        match (is_same, args.check) {
            (true, _) => say::aside(format_args!("the cluster has what the trail has")),
            (false, true) => say::aside(format_args!("the cluster has something else than the trail")),
            (false, false) => say::aside(format_args!("the cluster had something else than the trail: it was mended")),
        }
        Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn print(report: &Report) -> io::Result<()> {
        const SHOWN: usize = 16;
        let header = ["day", "trail", "cluster", "missing", "changed", "extra", "trail sha256", "cluster sha256"];
        let rows = report.days.iter().map(|(day, found)| {
            let [trail, cluster] =
                [found.trail_hash(), found.cluster_hash()].map(|hash| hash.chars().take(SHOWN).collect::<String>());
            let numbers = [found.entries, found.documents, found.missing, found.changed, found.extra];
            let [entries, documents, missing, changed, extra] = numbers.map(|number| number.to_string());
            [day.to_string(), entries, documents, missing, changed, extra, trail, cluster]
        });
        io::stdout().lock().write_all(table(header, rows).as_bytes())
    }
}
