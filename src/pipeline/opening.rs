//! What opens and closes a run in the trail: genesis, recovery, start, changed definitions, stop.
//!
//! A run that adds nothing leaves no trace: start and stop are written only around something else. What
//! whodid did to the trail itself (made it, recovered it) and definitions that changed are something else.
//! Which definitions were in force is folded from the trail, as positions are; each segment restates them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::collect::Mode;
use crate::config::{self, Config, Defined, Kind};
use crate::event::own::{self, action};
use crate::event::{Event, Family, Stamp};
use crate::trail::{self, Adopted, Open, Opened, Recovered, Rotated};

use super::Added;

/// The definitions that the trail says are in force: kind and id to hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct InForce(BTreeMap<(Kind, String), String>);

pub(super) struct Opening {
    command: &'static str,
    defined: Vec<Defined>,
    /// Genesis, recovery and changes: due whatever follows.
    due: Vec<Event>,
    /// The start of the run, while it is not written.
    started: Option<Event>,
}

/// How the trail of a configuration is opened for writing.
pub(super) fn how(config: &Config, command: &str) -> Open {
    let signing = match &config.signing {
        config::Signing::Own => trail::Signing::Own,
        config::Signing::File(path) => trail::Signing::File(path.clone()),
        config::Signing::Agent { socket, key } => trail::Signing::Agent { socket: socket.clone(), key: *key },
    };
    Open {
        mode: trail::Mode::new(config.clock.is_replay()),
        command: command.to_owned(),
        signing,
        ..Open::new(&config.data, &config.keys, &config.org, &config.host, config.clock.now())
    }
}

/// What `whodid run` is called in messages and events.
pub(super) fn command(mode: Mode) -> &'static str {
    match mode {
        Mode::Follow => "whodid run",
        Mode::Once => "whodid run --once",
        Mode::Ingest => "whodid ingest",
    }
}

const RESTATED: &str = "restated";
const REMOVED: &str = "removed";

impl InForce {
    /// Takes a line of the trail, in the trail's order. Most are not about definitions.
    pub(super) fn fold_line(&mut self, line: &[u8]) {
        if memmem::find(line, Family::Whodid.name().as_bytes()).is_none() {
            return;
        }
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        let Some(kind) = kind(&line.what.action).filter(|_| line.source.kind == Family::Whodid) else { return };
        let (Some(id), Some(detail)) = (line.what.object, line.detail) else { return };
        match (detail.whodid.change.as_deref(), detail.whodid.sha256) {
            (Some(REMOVED), _) | (_, None) => self.0.remove(&(kind, id)),
            (_, Some(sha256)) => self.0.insert((kind, id), sha256),
        };
    }

    /// An event for each definition that is new, different or gone.
    fn changes(&self, defined: &[Defined], now: Stamp) -> Vec<Event> {
        let mut gone = self.0.clone();
        let mut changes = Vec::new();
        for definition in defined {
            let before = gone.remove(&(definition.kind, definition.id.clone()));
            if before.as_ref() != Some(&definition.sha256) {
                let change = if before.is_some() { "changed" } else { "added" };
                let mut event = stated(definition, change, now);
                if let Some(before) = before {
                    event.set_detail("before", before);
                }
                changes.push(event);
            }
        }
        let removed = gone.into_iter().map(|((kind, id), before)| {
            own::with_detail(action_of(kind), &id, now, [("change", json!(REMOVED)), ("before", json!(before))])
        });
        changes.extend(removed);
        changes
    }
}

impl Opening {
    pub(super) fn new(config: &Config, mode: Mode, opened: &Opened, in_force: &InForce) -> Self {
        let now = config.clock.now();
        let mut due = Vec::new();
        if opened.is_new {
            due.push(genesis(config, opened, now));
        }
        due.extend(untold(opened, now));
        due.extend(in_force.changes(&config.files, now));
        let command = command(mode);
        let facts = [("version", json!(env!("CARGO_PKG_VERSION"))), ("command", json!(command))];
        let mut started = own::with_detail(action::STARTED, command, now, facts);
        started.place.pid = Some(std::process::id());
        started.place.host = Some(config.host.clone());
        if mode == Mode::Follow {
            // A daemon's start is news by itself.
            due.insert(usize::from(opened.is_new), started.clone());
            return Self { command, defined: config.files.clone(), due, started: None };
        }
        Self { command, defined: config.files.clone(), due, started: Some(started) }
    }

    /// Something must be in the trail even if nothing else will be.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// What goes before the first event of the run; nothing the second time.
    pub(super) fn take(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.due);
        if let Some(started) = self.started.take() {
            let after_genesis = events.first().is_some_and(|event| event.what.action == action::GENESIS);
            events.insert(usize::from(after_genesis), started);
        }
        events
    }

    /// The definitions in force, for the beginning of a segment.
    pub(super) fn in_force(&self, now: Stamp) -> Vec<Event> {
        self.defined.iter().map(|definition| stated(definition, RESTATED, now)).collect()
    }

    /// The last event, if this run wrote any.
    pub(super) fn closing(&self, added: Added, now: Stamp) -> Option<Event> {
        let is_open = self.started.is_none();
        let facts = [("records", json!(added.records)), ("known", json!(added.known))];
        is_open.then(|| own::with_detail(action::STOPPED, self.command, now, facts))
    }
}

fn recovered(recovered: &Recovered, origin: &str, now: Stamp) -> Event {
    let files: Vec<_> = recovered.files.iter().map(|path| path.to_string_lossy()).collect();
    let facts = [
        ("at", json!(recovered.at)),
        ("bytes", json!(recovered.bytes)),
        ("lines", json!(recovered.lines)),
        ("lost", json!(recovered.lost)),
        ("files", json!(files)),
    ];
    own::with_detail(action::RECOVERED, origin, now, facts)
}

/// What happened to the trail itself and no entry tells of.
pub(super) fn untold(opened: &Opened, now: Stamp) -> Vec<Event> {
    let recovered = opened.recovered.iter().map(|recovered| self::recovered(recovered, &opened.origin, now));
    let rotated = opened.rotated.iter().map(|rotated| self::rotated(rotated, &opened.origin, now));
    let adopted = opened.adopted.iter().map(|adopted| self::adopted(adopted, now));
    adopted.chain(recovered).chain(rotated).collect()
}

fn adopted(adopted: &Adopted, now: Stamp) -> Event {
    let facts = [
        ("from", json!(adopted.from)),
        ("size", json!(adopted.size)),
        ("found", json!(adopted.found)),
        ("known", json!(adopted.known)),
        ("lost", json!(adopted.lost)),
        ("forked", json!(adopted.forked)),
        ("old_key", json!(adopted.with_old_key)),
        ("reason", json!(adopted.reason)),
    ];
    own::with_detail(action::ADOPTED, &adopted.to, now, facts)
}

pub(super) fn rotated(rotated: &Rotated, origin: &str, now: Stamp) -> Event {
    let facts = [
        ("number", json!(rotated.number)),
        ("size", json!(rotated.size)),
        ("before", json!(rotated.before)),
        ("key", json!(rotated.key)),
    ];
    own::with_detail(action::KEY_ROTATED, origin, now, facts)
}

fn genesis(config: &Config, opened: &Opened, now: Stamp) -> Event {
    let facts = [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("replay", json!(config.clock.is_replay())),
        ("org", json!(config.org)),
        ("host", json!(config.host)),
    ];
    let mut event = own::with_detail(action::GENESIS, &opened.origin, now, facts);
    event.place.host = Some(config.host.clone());
    event
}

fn stated(definition: &Defined, change: &'static str, now: Stamp) -> Event {
    let facts: [(&str, Json); 3] = [
        ("change", json!(change)),
        ("sha256", json!(definition.sha256)),
        ("path", json!(definition.path.to_string_lossy())),
    ];
    own::with_detail(action_of(definition.kind), &definition.id, now, facts)
}

fn action_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Config => action::CONFIG_CHANGED,
        Kind::Query => action::QUERY_CHANGED,
        Kind::Alert => action::ALERT_DEFINED,
    }
}

fn kind(action: &str) -> Option<Kind> {
    [Kind::Config, Kind::Query, Kind::Alert].into_iter().find(|kind| action_of(*kind) == action)
}

/// As much of an event as definitions need.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    what: What<'l>,
    source: Source,
    detail: Option<Detail>,
}

#[derive(Deserialize)]
struct What<'l> {
    #[serde(borrow)]
    action: Cow<'l, str>,
    object: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    kind: Family,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    whodid: Facts,
}

#[derive(Deserialize, Default)]
struct Facts {
    change: Option<String>,
    sha256: Option<String>,
}
