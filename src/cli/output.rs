//! Events on their way out: as they are stored, for Elasticsearch, for people, for spreadsheets.
//!
//! Everything in an event was written by somebody. Invariants: to a terminal goes no character that moves
//! the cursor, reorders or hides text; a table or CSV line is one event; no cell begins a formula; JSON is
//! the same document however it is escaped.

mod cells;
pub(super) mod counts;
mod rows;
mod shown;

use std::io::{self, Write};

use clap::ValueEnum;

use crate::event::{Event, escape};
use crate::query::Attribution;

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line, as the trail has it, with who was behind it (who.person, who.chain, link)
    Whodid,
    /// One JSON object a line in the Elastic Common Schema
    Ecs,
    /// Columns for people: when, who, what, object, from, where, outcome
    Table,
    /// RFC 4180, for spreadsheets
    Csv,
}

/// Prints events, one after the other.
pub struct Printer<W: Write> {
    to: To<W>,
}

enum To<W: Write> {
    Json { out: W, shape: fn(&Event, &Attribution) -> serde_json::Result<String>, is_terminal: bool },
    Table { out: W, table: rows::Table },
    Csv(Box<csv::Writer<W>>),
}

impl<W: Write> Printer<W> {
    /// A CSV begins with its header at once; a table once its columns have a width.
    pub fn new(format: Format, out: W, is_terminal: bool) -> io::Result<Self> {
        let columns = is_terminal.then(terminal_columns);
        Self::with_columns(format, out, columns)
    }

    /// `columns`: how wide the terminal is, if it is one.
    fn with_columns(format: Format, out: W, columns: Option<usize>) -> io::Result<Self> {
        let is_terminal = columns.is_some();
        let to = match format {
            Format::Whodid => To::Json { out, shape: shown::json, is_terminal },
            Format::Ecs => To::Json { out, shape: shown::ecs, is_terminal },
            Format::Table => To::Table { out, table: rows::Table::new(columns) },
            Format::Csv => {
                let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
                csv.write_record(cells::HEADER)?;
                To::Csv(Box::new(csv))
            }
        };
        Ok(Self { to })
    }

    /// `by` stands beside the event, whose own fields are as they were stored.
    pub fn event(&mut self, event: &Event, by: &Attribution) -> io::Result<()> {
        match &mut self.to {
            To::Json { out, shape, is_terminal } => {
                let json = shape(event, by)?;
                match is_terminal {
                    true => writeln!(out, "{}", escape::json(&json)),
                    false => writeln!(out, "{json}"),
                }
            }
            To::Table { out, table } => table.add(event, by, out),
            To::Csv(csv) => Ok(csv.write_record(cells::of(event, by))?),
        }
    }

    /// Shows everything so far: no more events are at hand.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Json { out, .. } => out.flush(),
            To::Table { out, table } => {
                table.write(out)?;
                out.flush()
            }
            To::Csv(csv) => csv.flush(),
        }
    }

    /// Shows everything: no more events will come.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()
    }
}

/// How wide the terminal is; the usual width where it does not say.
fn terminal_columns() -> usize {
    const USUAL: usize = 80;
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => USUAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr as _;

    use crate::event::link::{Confidence, Facts};
    use crate::event::{EventId, Exposure, Family, Named, Outcome, Source, Stamp};
    use crate::query::people::Tie;

    fn event(action: &str) -> Event {
        let source = Source {
            name: "auth".into(),
            kind: Family::Auth,
            origin: "auth.log".into(),
            lineage: None,
            generation: 0,
            pos: Some(0),
            next: Some(9),
        };
        let when = Stamp::from_unix(1_795_075_200, 250_000_000);
        let mut event = Event::new(EventId::from_bytes([0; 16]), action, when, when, source);
        event.place.host = Some("web-1".to_owned());
        event
    }

    /// Hostile in every way at once.
    fn hostile() -> Event {
        let mut event = event("ssh.login");
        event.who.name = Some("\u{1b}[2Jroot\u{202e}".to_owned());
        event.who.ip = "203.0.113.7".parse().ok();
        event.what.object = Some("=cmd|'/c calc'!A1".to_owned());
        event.what.command = Some("a,\"b\"\r\nc\u{9b}31m".to_owned());
        event.outcome = Outcome::Failure;
        event.reason = Some("\t+1".to_owned());
        event.tag("when_guessed");
        event.tag("redacted");
        event.raw = Some("raw\n".to_owned());
        event
    }

    fn aws() -> Event {
        let mut event = event("AuthorizeSecurityGroupIngress");
        event.who.name = Some("alice".to_owned());
        event.who.as_ = Some(Named::name("admin"));
        event.place.host = None;
        event.place.account = Some("111122223333".to_owned());
        event.place.region = Some("eu-central-1".to_owned());
        event.what.provider = Some("ec2.amazonaws.com".to_owned());
        event.what.object = Some("sg-1".to_owned());
        let open = |cidr: &str, from, to| Exposure {
            cidr: Some(cidr.to_owned()),
            protocol: Some("tcp".to_owned()),
            from,
            to,
            ..Exposure::default()
        };
        event.what.exposes = vec![open("0.0.0.0/0", Some(22), Some(22)), open("::/0", Some(8000), Some(8080))];
        event.outcome = Outcome::Success;
        event
    }

    fn member() -> Event {
        let mut event = event("group.member.add");
        event.what.target = Some(Named::name("bob"));
        event.what.group = Some(Named::name("sudo"));
        event.who.host = Some("desk-7".to_owned());
        event
    }

    fn print(format: Format, columns: Option<usize>, events: &[Event]) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::with_columns(format, &mut out, columns).expect("memory");
        events.iter().try_for_each(|event| printer.event(event, &Attribution::default())).expect("memory");
        printer.finish().expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn json_is_the_same_document_with_nothing_a_terminal_obeys() {
        for format in [Format::Whodid, Format::Ecs] {
            let plain = print(format, None, &[hostile(), aws()]);
            let shown = print(format, Some(80), &[hostile(), aws()]);
            assert!(plain.contains('\u{202e}') && plain.contains('\u{9b}'));
            assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{9b}']));
            assert!(shown.contains(r"\u001b[2Jroot\u202e") && shown.contains(r"c\u009b31m"));
            let parse = |text: &str| -> Vec<serde_json::Value> {
                text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
            };
            assert_eq!(parse(&plain), parse(&shown));
        }
        let line = print(Format::Whodid, Some(80), &[hostile()]);
        assert_eq!(Event::decode(line.as_bytes()).expect("an event"), hostile());
    }

    fn unparsed() -> Event {
        let mut event = event("unparsed");
        event.raw = Some("a line\u{7} that nobody knows".to_owned());
        event
    }

    #[test]
    fn a_table_is_one_line_an_event() {
        let events = [hostile(), aws(), member(), unparsed()];
        let got = print(Format::Table, None, &events);
        let expected = [
            r"when                  who                    what                           object                         from         where                      outcome",
            r#"2026-11-19T08:00:00Z  \u{1b}[2Jroot\u{202e}  ssh.login                      a,"b"\r\nc\u{9b}31m            203.0.113.7  web-1                      failure: \t+1"#,
            r"2026-11-19T08:00:00Z  alice as admin         AuthorizeSecurityGroupIngress  sg-1 (0.0.0.0/0, ::/0)                      111122223333 eu-central-1  success",
            r"2026-11-19T08:00:00Z                         group.member.add               bob in sudo                    desk-7       web-1                      unknown",
            r"2026-11-19T08:00:00Z                         unparsed                       a line\u{7} that nobody knows               web-1                      unknown",
        ];
        assert_eq!(got.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_table_is_no_wider_than_its_terminal() {
        let events = [hostile(), aws(), member(), unparsed()];
        let got = print(Format::Table, Some(100), &events);
        let expected = [
            "when                  who          what         object       from         where         outcome",
            r#"2026-11-19T08:00:00Z  \u{1b}[2Jr…  ssh.login    a,"b"\r\nc…  203.0.113.7  web-1         failure: \t…"#,
            "2026-11-19T08:00:00Z  alice as a…  AuthorizeS…  sg-1 (0.0.…               11112222333…  success",
            "2026-11-19T08:00:00Z               group.memb…  bob in sudo  desk-7       web-1         unknown",
            r"2026-11-19T08:00:00Z               unparsed     a line\u{7…               web-1         unknown",
        ];
        assert_eq!(got.lines().collect::<Vec<_>>(), expected);
        for columns in 0..200 {
            let got = print(Format::Table, Some(columns), &events);
            assert!(got.lines().all(|line| line.width() <= columns), "{columns}");
            assert_eq!(got.lines().count(), 5);
        }
        let mut wide = event("漢字");
        wide.what.object = Some(format!("x{}", "\u{301}".repeat(100_000)));
        let got = print(Format::Table, Some(40), &[wide]);
        assert!(got.lines().all(|line| line.width() <= 40) && got.len() < 1_000);
    }

    #[test]
    fn who_logged_in_stands_before_the_account() {
        let facts = Facts {
            chain: ["ana@203.0.113.7", "ana", "root"].map(str::to_owned).to_vec(),
            account: Some("ana".to_owned()),
            ip: "203.0.113.7".parse().ok(),
            ..Facts::new(7, Confidence::Medium)
        };
        let by = Attribution {
            person: vec!["Ana Example".to_owned()],
            link: Some(Tie { seq: 9, facts }),
            ..Attribution::default()
        };
        let mut event = member();
        event.who.host = None;
        let shown = |format| {
            let mut out = Vec::new();
            let mut printer = Printer::with_columns(format, &mut out, None).expect("memory");
            printer.event(&event, &by).expect("memory");
            printer.finish().expect("memory");
            String::from_utf8(out).expect("text").lines().last().map(str::to_owned).unwrap_or_default()
        };
        let row = "2026-11-19T08:00:00Z  Ana Example: ana@203.0.113.7 > root (medium)  group.member.add  bob in sudo  \
                   203.0.113.7  web-1  unknown";
        let words =
            |line: &str| line.split("  ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect();
        let (got, expected): (Vec<String>, Vec<String>) = (words(&shown(Format::Table)), words(row));
        assert_eq!(got, expected);
        let row = "2026-11-19T08:00:00.250Z,,,,Ana Example,ana@203.0.113.7 > ana > root,medium,group.member.add,";
        assert!(shown(Format::Csv).starts_with(row));
    }

    #[test]
    fn later_rows_keep_the_columns() {
        let mut out = Vec::new();
        let mut printer = Printer::with_columns(Format::Table, &mut out, None).expect("memory");
        for events in [vec![hostile(), aws()], vec![member(), aws()]] {
            events.iter().try_for_each(|event| printer.event(event, &Attribution::default())).expect("memory");
            printer.flush().expect("memory");
        }
        printer.finish().expect("memory");
        let whole = print(Format::Table, None, &[hostile(), aws(), member(), aws()]);
        assert_eq!(String::from_utf8(out).expect("text"), whole);
        assert_eq!(print(Format::Table, None, &[]), "");
    }

    #[test]
    fn a_spreadsheet_runs_nothing() {
        let expected = [
            "when,who,who_id,as,person,chain,confidence,action,object,command,target,group,exposes,outcome,reason,ip,from,host,service,pid,tty,\
             account,region,provider,trust,source,origin,digest,pos,tags,id,raw",
            r#"2026-11-19T08:00:00.250Z,\u{1b}[2Jroot\u{202e},,,,,,ssh.login,'=cmd|'/c calc'!A1,"a,""b""\r\nc\u{9b}31m",,,,failure,'\t+1,203.0.113.7,,web-1,,,,,,,claimed,auth,auth.log,,0,when_guessed redacted,aaaaaaaaaaaaaaaaaaaaaaaaaa,raw\n"#,
            "2026-11-19T08:00:00.250Z,alice,,admin,,,,AuthorizeSecurityGroupIngress,sg-1,,,,\
             0.0.0.0/0 tcp 22; ::/0 tcp 8000-8080,success,,,,,,,,111122223333,eu-central-1,ec2.amazonaws.com,claimed,\
             auth,auth.log,,0,,aaaaaaaaaaaaaaaaaaaaaaaaaa,",
            "2026-11-19T08:00:00.250Z,,,,,,,group.member.add,,,bob,sudo,,unknown,,,desk-7,web-1,,,,,,,claimed,auth,\
             auth.log,,0,,aaaaaaaaaaaaaaaaaaaaaaaaaa,",
            "",
        ];
        assert_eq!(print(Format::Csv, Some(80), &[hostile(), aws(), member()]), expected.join("\r\n"));
        assert_eq!(print(Format::Csv, None, &[]).matches("\r\n").count(), 1);
    }
}
