//! AWS CloudTrail: `{"Records":[…]}` objects, bare lists of records, JSON Lines, or one record.
//!
//! Each record becomes one event that keeps the record's exact bytes. [`records`] cuts them out of the
//! stream, [`record`] reads one. What is no record, cannot be parsed or is nested deeper than serde_json
//! allows (128 levels) becomes `unparsed` events that hold the bytes. A byte that is not UTF-8 does not
//! hide a record: it is read as U+FFFD, as it is shown.
//!
//! Ids: a record is known by (recipient account, `eventID`, content), wherever it is read, so that the doubles of
//! organisation trails and overlapping listings are one event. Another record under the same `eventID` is a
//! revision, or a forgery that was put there before the true one arrives: both are kept, whatever object each lies in.
//! A record without an `eventID`, and bytes that are no record, are known by their place.

mod beginning;
mod exposure;
mod insight;
mod record;
mod records;
mod scan;
mod tree;
mod what;
mod who;

use std::borrow::Cow;

use sha2::{Digest, Sha256};

pub use self::beginning::is_cloudtrail;
use self::records::{Cut, CutKind, Records};
use self::tree::Tree;
use super::ids::Ids;
use super::plain::UNPARSED;
use super::{Decoder, Stream};
use crate::event::{Event, EventId, Family, Stamp, tag};

/// Decodes a CloudTrail object.
pub struct Cloudtrail {
    records: Records,
    reader: Reader,
}

impl Cloudtrail {
    pub fn new(stream: Stream) -> Self {
        let reader = Reader { ids: Ids::new(&stream), stream };
        Self { records: Records::new(reader.stream.start), reader }
    }
}

impl Decoder for Cloudtrail {
    fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        let Self { records, reader } = self;
        records.push(bytes, |cut| out.push(reader.event(cut, observed)));
    }

    fn finish(&mut self, observed: Stamp, out: &mut Vec<Event>) {
        let Self { records, reader } = self;
        records.finish(|cut| out.push(reader.event(cut, observed)));
    }

    fn next(&self) -> u64 {
        self.records.next()
    }
}

struct Reader {
    stream: Stream,
    ids: Ids,
}

impl Reader {
    fn event(&mut self, cut: Cut<'_>, observed: Stamp) -> Event {
        let source = self.stream.source(cut.pos, cut.pos + cut.bytes.len() as u64);
        // Looking for what is no UTF-8 piece by piece takes four times as long.
        let text = match std::str::from_utf8(cut.bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(cut.bytes),
        };
        let record = if cut.kind.is_record() { Tree::parse(&text) } else { None };
        let content = record.as_ref().map_or_else(|| Sha256::digest(cut.bytes).into(), Tree::sha256);
        let by_place = self.ids.next(cut.pos, &content);
        let mut event = match &record {
            Some(record) => {
                let id = id_of(record, &content).unwrap_or(by_place);
                record::event(record, id, observed, source, self.stream.world)
            }
            None => Event::new(by_place, UNPARSED, observed, observed, source),
        };
        event.keep_raw(cut.bytes);
        match cut.kind {
            CutKind::Record | CutKind::Other => {}
            CutKind::Salvaged => event.tag(tag::SALVAGED),
            CutKind::Piece => event.tag(tag::LINE_PIECE),
        }
        event
    }
}

/// The id of a record that has an `eventID`, given the hash of what it says.
fn id_of(record: &Tree<'_>, content: &[u8; 32]) -> Option<EventId> {
    let event_id = record.text("eventID")?;
    let account = record.text("recipientAccountId").unwrap_or_default();
    Some(EventId::new(Family::Cloudtrail, &[account.as_bytes(), event_id.as_bytes(), content], 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::stream;

    const RECORD: &str = concat!(
        r#"{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/A/b","#,
        r#""accountId":"1","sessionContext":{"sessionIssuer":{"userName":"A"}}},"eventTime":"2026-11-20T10:00:00Z","#,
        r#""eventSource":"ec2.amazonaws.com","eventName":"AuthorizeSecurityGroupIngress","sourceIPAddress":"::1","#,
        r#""requestParameters":{"groupId":"sg-1","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"#,
        r#""ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]}}]}},"responseElements":{"_return":true},"#,
        r#""eventID":"e-1","resources":[{"ARN":"arn:x"}],"recipientAccountId":"1"}"#
    );

    fn decode(input: &[u8]) -> Vec<Event> {
        let mut decoder = Cloudtrail::new(stream(Family::Cloudtrail));
        let observed = Stamp::from_unix(1_795_176_000, 0);
        let mut events = Vec::new();
        decoder.push(input, observed, &mut events);
        decoder.finish(observed, &mut events);
        assert_eq!(decoder.next(), input.len() as u64);
        events
    }

    #[test]
    fn a_record_is_known_wherever_and_however_it_is_written() {
        let twice = decode(format!("{{\"Records\":[{RECORD},{RECORD}]}}").as_bytes());
        let id = twice[0].id;
        assert_eq!(twice[1].id, id);
        assert_eq!(decode(format!("\n\n{RECORD}").as_bytes())[0].id, id);
        let spread = RECORD.replace(',', " ,\r\n").replace("\"e-1\"", "\"\\u0065-1\"").replace("arn:", "arn\\u003a");
        assert_eq!(decode(spread.as_bytes())[0].id, id);
    }

    #[test]
    fn another_record_of_the_same_event_id_is_kept() {
        let other = RECORD.replace("0.0.0.0/0", "10.0.0.0/8");
        let events = decode(format!("[{RECORD},{other},{other},{RECORD}]").as_bytes());
        assert!(events[0].id != events[1].id && events[1].id == events[2].id && events[3].id == events[0].id);
        assert_eq!(decode(other.as_bytes())[0].id, events[1].id, "also in another object, before the first");
        let addendum = RECORD.replace("\"eventID\"", "\"addendum\":{\"reason\":\"UPDATED_DATA\"},\"eventID\"");
        assert_ne!(decode(addendum.as_bytes())[0].id, events[0].id);
    }

    #[test]
    fn nesting_takes_no_stack_and_keeps_its_bytes() {
        for depth in [200, 10_000, 1_000_000] {
            let deep = format!("{{\"eventName\":\"A\",\"deep\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            let events = decode(format!("{{\"Records\":[{deep},{RECORD}]}}").as_bytes());
            assert_eq!((events.len(), events[0].what.action.as_str()), (2, UNPARSED));
            assert_eq!(events[0].raw.as_deref(), Some(deep.as_str()));
            assert_eq!(events[1].what.action, "AuthorizeSecurityGroupIngress");
        }
    }

    #[test]
    fn a_byte_that_is_not_utf_8_hides_no_record() {
        let mut record = RECORD.as_bytes().to_vec();
        let at = RECORD.find("sg-1").expect("there");
        record[at] = 0xff;
        let events = decode(&record);
        assert_eq!(events[0].what.object.as_deref(), Some("\u{fffd}g-1"));
        assert_eq!(events[0].raw_base64.as_deref(), Some(data_encoding::BASE64.encode(&record).as_str()));
        assert_eq!(events[0].what.exposes.len(), 1);
    }

    /// Each value of a record in turn becomes something else.
    #[test]
    fn no_type_is_relied_on() {
        let record: serde_json::Value = serde_json::from_str(RECORD).expect("JSON");
        let mut paths = Vec::new();
        walk(&record, String::new(), &mut paths);
        assert!(paths.len() > 20);
        for path in &paths {
            for other in
                ["null", "true", "-1.5e300", "\"\"", "\"x:/ \"", "[]", "[[{}]]", "{}", "{\"items\":{\"items\":1}}"]
            {
                let mut changed = record.clone();
                *changed.pointer_mut(path).expect("there") = serde_json::from_str(other).expect("JSON");
                let text = changed.to_string();
                let events = decode(text.as_bytes());
                assert_eq!(events.len(), 1, "{text}");
                assert_eq!(events[0].raw.as_deref(), Some(text.as_str()));
            }
        }
    }

    fn walk(value: &serde_json::Value, path: String, paths: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                map.iter().for_each(|(key, value)| walk(value, format!("{path}/{key}"), paths));
            }
            serde_json::Value::Array(items) => {
                items.iter().enumerate().for_each(|(i, value)| walk(value, format!("{path}/{i}"), paths));
            }
            _ => {}
        }
        if !path.is_empty() {
            paths.push(path);
        }
    }
}
