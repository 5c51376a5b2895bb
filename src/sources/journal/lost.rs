//! What journald says of messages that it does not hold.

use super::record::Record;
use super::{DROPPED, MISSED};

/// Messages that are not in the journal, in journald's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// How many, where it says that.
    pub count: Option<u64>,
    pub words: String,
}

impl Lost {
    pub(super) fn of(record: &Record<'_>) -> Self {
        let words = record.text("MESSAGE").unwrap_or_default().into_owned();
        let count = match record.text("MESSAGE_ID").as_deref() {
            Some(DROPPED) => record.number("N_DROPPED").or_else(|| first_number(&words)),
            Some(MISSED) => first_number(&words),
            _ => None,
        };
        Self { count, words }
    }
}

/// Sentences without a number of their own, of journald about its files and of the kernel about its auditing.
pub(super) fn is_lost(record: &Record<'_>) -> bool {
    let text = record.text("MESSAGE").unwrap_or_default();
    match record.text("SYSLOG_IDENTIFIER").as_deref() {
        Some("systemd-journald") => {
            text.contains("corrupted or uncleanly shut down")
                || text.starts_with("Failed to write entry") && text.contains("ignoring")
        }
        Some("kernel") => {
            record.trusted("_TRANSPORT").as_deref() == Some("kernel") && text.starts_with("audit: audit_lost=")
        }
        _ => false,
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}
