//! How a file, a list of records and a record begin.

/// Whether the head of a file is CloudTrail's: JSON with a list `Records`, or with the keys of a record.
pub fn is_cloudtrail(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let inside = head.strip_prefix(b"[").unwrap_or(head).trim_ascii_start();
    let Some(object) = inside.strip_prefix(b"{") else { return false };
    let records = object.trim_ascii_start().strip_prefix(b"\"Records\"").map(<[u8]>::trim_ascii_start);
    if let Some(b':') = records.and_then(<[u8]>::first) {
        return true;
    }
    let has = |key: &str| memchr::memmem::find(object, format!("\"{key}\"").as_bytes()).is_some();
    has("eventSource") && has("eventName") && (has("userIdentity") || has("eventID"))
}

/// What a brace is the beginning of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    Record,
    Envelope,
    Other,
    /// Too few bytes to tell.
    Unclear,
}

/// More blanks than this before the first key are no pretty printer's work.
const INDENT_MAX: usize = 64;

/// What the brace that these bytes begin with is the beginning of.
pub(super) fn beginning(bytes: &[u8]) -> Beginning {
    let inside = bytes.get(1..).unwrap_or_default();
    let blanks = inside.iter().take(INDENT_MAX).take_while(|b| b.is_ascii_whitespace()).count();
    let key = match inside.get(blanks) {
        None => return Beginning::Unclear,
        Some(b'"') => inside.get(blanks + 1..).unwrap_or_default(),
        Some(_) => return Beginning::Other,
    };
    for first in FIRST_KEYS {
        if key.strip_prefix(*first).and_then(<[u8]>::first) == Some(&b'"') {
            return if *first == b"Records" { Beginning::Envelope } else { Beginning::Record };
        }
    }
    let is_short = FIRST_KEYS.iter().any(|first| first.starts_with(key));
    if is_short { Beginning::Unclear } else { Beginning::Other }
}

/// Keys a record begins with: as CloudTrail writes it, and the first ones when keys are sorted.
const FIRST_KEYS: &[&[u8]] = &[
    b"Records",
    b"eventVersion",
    b"userIdentity",
    b"additionalEventData",
    b"addendum",
    b"apiVersion",
    b"awsRegion",
    b"errorCode",
    b"eventCategory",
    b"eventID",
    b"eventName",
    b"eventSource",
    b"eventTime",
    b"eventType",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_cloudtrail_is_known_by_its_head() {
        let record = r#"{"awsRegion":"eu-central-1","eventID":"1","eventName":"A","eventSource":"iam.amazonaws.com""#;
        let heads =
            ["{\"Records\":[", "\u{feff} { \"Records\" :\n [", record, &format!("[{record}"), &format!("\n{record}")];
        for head in heads {
            assert!(is_cloudtrail(head.as_bytes()), "{head}");
        }
        let own = r#"{"v":1,"raw":"{\"eventID\":\"1\",\"eventName\":\"A\",\"eventSource\":\"iam\"}"}"#;
        for head in ["", "{", "{}", "Nov 20 10:00:00 web-1 sshd[1]: x", "{\"Recordss\":[", "{\"logFiles\":[]}", own] {
            assert!(!is_cloudtrail(head.as_bytes()), "{head}");
        }
    }

    #[test]
    fn a_record_is_known_by_its_first_key() {
        for (text, expected) in [
            ("{\"eventVersion\":", Beginning::Record),
            ("{\n    \"awsRegion\":", Beginning::Record),
            ("{\"Records\":[", Beginning::Envelope),
            ("{\"eventVersions\":", Beginning::Other),
            ("{\"type\":", Beginning::Other),
            ("{}", Beginning::Other),
            ("{", Beginning::Unclear),
            ("{ \"event", Beginning::Unclear),
        ] {
            assert_eq!(beginning(text.as_bytes()), expected, "{text}");
        }
    }
}
