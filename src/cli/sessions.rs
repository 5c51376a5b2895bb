//! `whodid sessions`.

use std::io::{self, Write as _};
use std::ops::{Bound, RangeBounds as _};
use std::process::ExitCode;

use super::say;
use super::settings::Place;
use super::span::Span;
use super::table::table;
use crate::index::{Index as _, Search};
use crate::pipeline::views;
use crate::query::Query;
use crate::sessions::{ACTIONS, Ending, Session, Sessions};
use crate::trail::Reader;

/// Who was logged in, from when to when, newest first
///
/// Logins are paired with their ends as `last` does it, over all login records of the trail (wtmp, wtmpdb, auth
/// logs, the journal): on a terminal each record ends what came before it, and a boot ends everything. A
/// login that several sources recorded is listed for each.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    span: Span,

    /// Only sessions of this account; `reboot` for boots
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Only sessions on this machine
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        let now = config.clock.now();
        let (since, until) = self.span.bounds(now)?;
        let query = format!("what.action:({})", ACTIONS.join(" OR "));
        // What ends a session may come after the time that was asked for, but never before it.
        let search = Search { since, ..Search::all(Query::parse(&query)?.at(now)) };
        let index = views::plain_searcher(&config, Reader::open(&config.data)?);
        let mut sessions = Sessions::default();
        let complete_to = index.each(&search, &mut |hit| {
            sessions.take(hit.seq, &hit.event);
            true
        })?;
        let is_before_end = |session: &Session| (Bound::Unbounded, until).contains(&session.login);
        let mut sessions = sessions.paired();
        sessions.retain(|session| {
            let is_of = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
            is_of(&self.user, &session.user) && is_of(&self.host, &session.host) && is_before_end(session)
        });
        self.print(&sessions)?;
        say::aside(format_args!("{} sessions, complete to {complete_to}", sessions.len()));
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, sessions: &[Session]) -> anyhow::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            for session in sessions {
                serde_json::to_writer(&mut out, session)?;
                out.write_all(b"\n")?;
            }
        } else if !sessions.is_empty() {
            let header = ["user", "tty", "from", "host", "login", "end", "how", "duration", "source"];
            out.write_all(table(header, sessions.iter().map(row)).as_bytes())?;
        }
        Ok(out.flush()?)
    }
}

fn row(session: &Session) -> [String; 9] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let how = match session.ending {
        Ending::Open => "no logout".to_owned(),
        other => other.as_str().to_owned(),
    };
    [
        session.user.clone(),
        text(&session.tty),
        text(&session.from),
        session.host.clone(),
        session.login.to_string(),
        session.end.map(|end| end.to_string()).unwrap_or_default(),
        how,
        session.duration_s.map(duration).unwrap_or_default(),
        session.source.name().to_owned(),
    ]
}

/// `2d 03:04:05`.
fn duration(seconds: i64) -> String {
    let (sign, seconds) = if seconds < 0 { ("-", seconds.unsigned_abs()) } else { ("", seconds.unsigned_abs()) };
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let days = if days > 0 { format!("{days}d ") } else { String::new() };
    format!("{sign}{days}{hours:02}:{minutes:02}:{:02}", seconds % 60)
}
