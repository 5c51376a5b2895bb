//! Messages that say what they are by `MESSAGE_ID`, and their fields.
//!
//! The numbers are those of systemd's `sd-messages.h`; `journalctl --catalog` explains each. Of a unit only what
//! became of it is an event of its own kind: that it is about to start or stop is not.

use std::borrow::Cow;

use super::record::Record;
use crate::event::{Event, Named, Outcome};

/// What a message is, and which program alone sends it.
pub(super) struct Kind {
    pub(super) id: &'static str,
    /// As [`super::trust`] knows it.
    pub(super) sender: &'static str,
    fill: fn(&Record<'_>, &mut Event),
}

/// The message of a record that has one of these numbers.
pub(super) fn of(record: &Record<'_>) -> Option<&'static Kind> {
    let id = record.text("MESSAGE_ID")?;
    KINDS.iter().find(|kind| kind.id == id)
}

impl Kind {
    /// Puts what the fields say into an event that already has what the text says.
    pub(super) fn fill(&self, record: &Record<'_>, event: &mut Event) {
        (self.fill)(record, event);
    }
}

const LOGIND: &str = "systemd-logind";
const SYSTEMD: &str = "systemd";
const JOURNALD: &str = "systemd-journald";

const KINDS: &[Kind] = &[
    Kind { id: "8d45620c1a4348dbb17410da57c60c66", sender: LOGIND, fill: |r, e| session("session.start", r, e) },
    Kind { id: "3354939424b4456d9802ca8333ed424a", sender: LOGIND, fill: |r, e| session("session.remove", r, e) },
    Kind { id: "fcbefc5da23d428093f97c82a9290f7b", sender: LOGIND, fill: |r, e| host("host.seat", r, e) },
    Kind { id: "e7852bfe46784ed0accde04bc864c2d5", sender: LOGIND, fill: |r, e| host("host.seat", r, e) },
    Kind { id: "98268866d1d54a499c4e98921d93bc40", sender: LOGIND, fill: |r, e| host("system.shutdown", r, e) },
    Kind { id: "39f53479d3a045ac8e11786248231fbf", sender: SYSTEMD, fill: |r, e| unit("unit.start", r, e) },
    Kind { id: "9d1aaa27d60140bd96365438aad20286", sender: SYSTEMD, fill: |r, e| unit("unit.stop", r, e) },
    Kind { id: "7b05ebc668384222baa8881179cfda54", sender: SYSTEMD, fill: |r, e| unit("unit.reload", r, e) },
    Kind { id: "be02cf6855d2428ba40df7e9d022f03d", sender: SYSTEMD, fill: |r, e| unit("unit.fail", r, e) },
    Kind { id: "d9b373ed55a64feb8242e02dbe79a49c", sender: SYSTEMD, fill: |r, e| unit("unit.fail", r, e) },
    Kind { id: "b07a249cd024414a82dd00cd181378ff", sender: SYSTEMD, fill: |r, e| host("system.boot", r, e) },
    Kind { id: "c7a787079b354eaaa9e77b371893cd27", sender: SYSTEMD, fill: |r, e| host("clock.change", r, e) },
    Kind { id: "fc2e22bc6ee647b6b90729ab34a250b1", sender: "systemd-coredump", fill: coredump },
    Kind { id: "f77379a8490b408bbe5f6940505a777b", sender: JOURNALD, fill: |r, e| host("journal.start", r, e) },
    Kind { id: "d93fb3c9c24d451a97cea615ce59c00b", sender: JOURNALD, fill: |r, e| host("journal.stop", r, e) },
    Kind { id: super::DROPPED, sender: JOURNALD, fill: lost },
    Kind { id: super::MISSED, sender: JOURNALD, fill: lost },
];

/// `USER_ID` is a name.
fn session(action: &str, record: &Record<'_>, event: &mut Event) {
    event.what.action = action.to_owned();
    event.what.category = vec!["session".to_owned()];
    event.outcome = Outcome::Success;
    event.who.session = owned(record, "SESSION_ID").or_else(|| event.who.session.take());
    if let Some(user) = owned(record, "USER_ID") {
        event.who.kind = Some(if user == "root" { "root" } else { "user" }.to_owned());
        event.who.name = Some(user);
    }
    if let Some(leader) = record.number("LEADER") {
        event.set_detail("leader", leader);
    }
    event.place.tty = owned(record, "TTY").or_else(|| event.place.tty.take());
}

fn unit(action: &str, record: &Record<'_>, event: &mut Event) {
    event.what.action = action.to_owned();
    event.what.category = vec!["process".to_owned()];
    event.outcome = match (action, record.text("JOB_RESULT").as_deref()) {
        ("unit.fail", _) | (_, Some("failed" | "timeout" | "dependency")) => Outcome::Failure,
        _ => Outcome::Success,
    };
    event.what.object = owned(record, "UNIT").or_else(|| owned(record, "USER_UNIT"));
    if event.outcome == Outcome::Failure {
        event.reason = owned(record, "UNIT_RESULT").or_else(|| owned(record, "JOB_RESULT"));
    }
}

fn host(action: &str, record: &Record<'_>, event: &mut Event) {
    event.what.action = action.to_owned();
    event.what.category = vec!["host".to_owned()];
    event.what.object = owned(record, "SEAT_ID").or_else(|| event.what.object.take());
    event.reason = owned(record, "MESSAGE");
}

fn coredump(record: &Record<'_>, event: &mut Event) {
    event.what.action = "process.coredump".to_owned();
    event.what.category = vec!["process".to_owned()];
    event.outcome = Outcome::Failure;
    event.who.id = owned(record, "COREDUMP_UID");
    event.who.kind = event.who.id.as_deref().map(|id| if id == "0" { "root" } else { "user" }.to_owned());
    event.who.session = owned(record, "COREDUMP_SESSION");
    event.what.object = owned(record, "COREDUMP_EXE").or_else(|| owned(record, "COREDUMP_COMM"));
    event.what.command = owned(record, "COREDUMP_CMDLINE");
    event.place.pid = record.number("COREDUMP_PID").and_then(|pid| u32::try_from(pid).ok());
    event.place.cwd = owned(record, "COREDUMP_CWD");
    event.reason = owned(record, "COREDUMP_SIGNAL_NAME").or_else(|| owned(record, "COREDUMP_SIGNAL"));
    if let Some(group) = owned(record, "COREDUMP_GID") {
        event.what.group = Some(Named { name: None, id: Some(group) });
    }
}

/// journald says that it has not got, or not kept, messages.
fn lost(record: &Record<'_>, event: &mut Event) {
    event.what.action = super::LOST.to_owned();
    event.what.category = vec!["host".to_owned()];
    event.outcome = Outcome::Failure;
    event.what.object = owned(record, "UNIT");
    event.reason = owned(record, "MESSAGE");
}

fn owned(record: &Record<'_>, name: &str) -> Option<String> {
    record.text(name).map(Cow::into_owned)
}
