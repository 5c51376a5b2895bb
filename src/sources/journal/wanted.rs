//! Which records of a journal are about who was on the machine.
//!
//! What an auth log holds (the facilities auth and authpriv), what the programs of that family say under
//! whatever facility (cron says `CMD` under cron), and what such a log cannot hold: sessions, units, dumped cores
//! and losses by their numbers, and the kernel's auditing. A claim is enough: who only calls himself sshd
//! is wanted most of all.

use super::record::Record;
use super::{kind, lost};
use crate::sources::syslog::Message;

/// auth and authpriv (RFC 5424 §6.2.1).
const FACILITIES: [u64; 2] = [4, 10];

/// Units whose every word counts, by the beginnings of their names.
const UNITS: &[&str] =
    &["ssh.service", "sshd.service", "ssh@", "sshd@", "systemd-logind.service", "polkit.service", "polkitd.service"];

pub(super) fn is_wanted(record: &Record<'_>) -> bool {
    if record.number("SYSLOG_FACILITY").is_some_and(|facility| FACILITIES.contains(&facility)) {
        return true;
    }
    let text = record.text("MESSAGE").unwrap_or_default();
    let is_of_auth = |program: &str| Message { program: Some(program), text: &text }.is_of_auth();
    record.text("SYSLOG_IDENTIFIER").as_deref().is_some_and(is_of_auth)
        || record.trusted("_COMM").as_deref().is_some_and(is_of_auth)
        || kind::of(record).is_some()
        || record.trusted("_TRANSPORT").as_deref() == Some("audit")
        || record.trusted("_SYSTEMD_UNIT").is_some_and(|unit| UNITS.iter().any(|known| unit.starts_with(known)))
        || lost::is_lost(record)
}
