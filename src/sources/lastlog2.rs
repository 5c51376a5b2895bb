//! lastlog2(8): when each user logged in last, in the table `Lastlog2` of `/var/lib/lastlog/lastlog2.db`.
//!
//! ```text
//! {"Name":"alice","Time":1795176000,"TTY":"pts/0","RemoteHost":"203.0.113.7","Service":"sshd"}
//! ```
//!
//! A login overwrites the user's row. Each state of it that was seen is one event; what was overwritten
//! before anybody looked is not there.

use super::remote_host;
use super::rows::{Read, Row, Rows};
use crate::event::{Event, Outcome, Stamp};

/// Decodes lastlog2's rows.
pub type Lastlog2 = Rows<Last>;

/// [`Read`]s the rows of the table `Lastlog2`.
pub enum Last {}

impl Read for Last {
    const COLUMNS: &'static [&'static str] = &["Name", "Time", "TTY", "RemoteHost", "Service"];

    fn events(row: &Row<'_>) -> Vec<Event> {
        let when = row.number("Time").filter(|seconds| *seconds != 0).map(|seconds| Stamp::from_unix(seconds, 0));
        let mut event = row.event("login.last", when, Self::COLUMNS, 0);
        event.what.category = vec!["session".to_owned()];
        event.outcome = if when.is_some() { Outcome::Success } else { Outcome::Unknown };
        event.who.kind = Some("user".to_owned());
        event.who.name = row.text("Name").map(str::to_owned);
        remote_host::enter(&mut event.who, row.text("RemoteHost").unwrap_or_default());
        event.place.tty = row.text("TTY").map(str::to_owned);
        event.place.service = row.text("Service").map(str::to_owned);
        vec![event]
    }
}
