//! What a message of the queue says: which objects are new. Pure.
//!
//! Four envelopes lead to the same objects: S3's own (`Records[].s3`, keys URL-encoded), the same inside the
//! `Message` of SNS, CloudTrail's own (`s3Bucket`, `s3ObjectKey[]`), and EventBridge's (`detail`). SNS may have
//! wrapped any of them, or not (raw delivery).
//!
//! Whoever may send to the queue wrote it, so nothing in it is believed beyond a name, and every length is bounded.

use serde_json::{Map, Value as Json};

use crate::collect::s3::keys::url_decoded;

/// SQS takes no longer message (Amazon SQS Developer Guide, "Message quotas").
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// SNS wraps once; EventBridge may hand to SNS. More is no way that a message comes.
const WRAPPED_MAX: usize = 2;

/// An S3 key has at most so many bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects").
const KEY_BYTES_MAX: usize = 1_024;
const BUCKET_BYTES_MAX: usize = 255;

/// What `PutBucketNotification` and `CreateTrail` send to see whether the queue takes it.
const TRAIL_TEST: &str = "CloudTrail validation message.";

/// An object that a message names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) key: String,
}

impl Place {
    pub(super) fn address(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// What a message says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// New objects, each once, in the message's order.
    pub(super) objects: Vec<Place>,
    /// Happenings that bring no new object (`ObjectRemoved:Delete`), and how many of them.
    pub(super) others: usize,
    /// Only a test of the way.
    pub(super) is_test: bool,
}

/// Why a message says nothing that can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unclear {
    #[error("is longer than 1 MiB, which no message of SQS is")]
    TooLong,
    #[error("is no JSON object (or is nested deeper than 128 levels)")]
    NoJson,
    #[error("is wrapped more than twice")]
    Wrapped,
    #[error("is in none of the forms of S3, SNS, CloudTrail and EventBridge")]
    NoForm,
    #[error("asks to confirm a subscription of SNS: open the SubscribeURL that it holds, if the topic is yours")]
    Subscription,
    #[error("is an event of EventBridge about something else than S3 objects: correct the rule's pattern")]
    OtherEvent,
    #[error("names no bucket, or one with a name that no bucket has")]
    Bucket,
    #[error("names no key, or one that no object has")]
    Key,
}

/// Reads the body of one message.
pub(super) fn read(body: &str) -> Result<Told, Unclear> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Unclear::TooLong);
    }
    unwrapped(body, 0)
}

fn unwrapped(text: &str, depth: usize) -> Result<Told, Unclear> {
    if text.trim() == TRAIL_TEST {
        return Ok(Told { is_test: true, ..Told::default() });
    }
    let Ok(Json::Object(message)) = serde_json::from_str(text) else { return Err(Unclear::NoJson) };
    match message.get("Type").and_then(Json::as_str) {
        Some("Notification") if depth == WRAPPED_MAX => return Err(Unclear::Wrapped),
        Some("Notification") => {
            let inner = message.get("Message").and_then(Json::as_str).ok_or(Unclear::NoForm)?;
            return unwrapped(inner, depth + 1);
        }
        Some("SubscriptionConfirmation" | "UnsubscribeConfirmation") => return Err(Unclear::Subscription),
        _ => {}
    }
    let mut told = if let Some(Json::Array(records)) = message.get("Records") {
        of_s3(records)?
    } else if message.get("Event").and_then(Json::as_str) == Some("s3:TestEvent") {
        Told { is_test: true, ..Told::default() }
    } else if message.contains_key("s3ObjectKey") {
        of_cloudtrail(&message)?
    } else if message.contains_key("detail-type") {
        of_event_bridge(&message)?
    } else {
        return Err(Unclear::NoForm);
    };
    let mut seen = std::collections::HashSet::new();
    told.objects.retain(|object| seen.insert(object.clone()));
    Ok(told)
}

/// `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":…},"object":{"key":…}}}]}`
fn of_s3(records: &[Json]) -> Result<Told, Unclear> {
    let mut told = Told::default();
    for record in records {
        let s3 = record.get("s3").ok_or(Unclear::NoForm)?;
        // Other services that speak S3 put `s3:` before it.
        let name = record.get("eventName").and_then(Json::as_str).unwrap_or_default();
        if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
            told.others += 1;
            continue;
        }
        let key = text(s3, "/object/key").and_then(decoded).ok_or(Unclear::Key)?;
        told.objects.push(place(text(s3, "/bucket/name"), &key)?);
    }
    Ok(told)
}

/// `{"s3Bucket":"audit","s3ObjectKey":["AWSLogs/…"]}`, keys as they are.
fn of_cloudtrail(message: &Map<String, Json>) -> Result<Told, Unclear> {
    let bucket = message.get("s3Bucket").and_then(Json::as_str);
    let keys = message.get("s3ObjectKey").and_then(Json::as_array).ok_or(Unclear::Key)?;
    let objects = keys.iter().map(|key| place(bucket, key.as_str().unwrap_or_default()));
    Ok(Told { objects: objects.collect::<Result<_, _>>()?, ..Told::default() })
}

/// `{"detail-type":"Object Created","detail":{"bucket":{"name":…},"object":{"key":…}}}`, the key as it is.
fn of_event_bridge(message: &Map<String, Json>) -> Result<Told, Unclear> {
    let is_s3 = message.get("source").and_then(Json::as_str) == Some("aws.s3");
    match message.get("detail-type").and_then(Json::as_str) {
        Some("Object Created") => {}
        Some(kind) if is_s3 && kind.starts_with("Object ") => return Ok(Told { others: 1, ..Told::default() }),
        _ => return Err(Unclear::OtherEvent),
    }
    let detail = message.get("detail").ok_or(Unclear::NoForm)?;
    let object = place(text(detail, "/bucket/name"), text(detail, "/object/key").unwrap_or_default())?;
    Ok(Told { objects: vec![object], ..Told::default() })
}

fn text<'j>(json: &'j Json, pointer: &str) -> Option<&'j str> {
    json.pointer(pointer).and_then(Json::as_str)
}

fn place(bucket: Option<&str>, key: &str) -> Result<Place, Unclear> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let bucket = bucket.filter(|name| (1..=BUCKET_BYTES_MAX).contains(&name.len()) && name.chars().all(is_name));
    let bucket = bucket.ok_or(Unclear::Bucket)?.to_owned();
    match (1..=KEY_BYTES_MAX).contains(&key.len()) && !key.contains('\0') {
        true => Ok(Place { bucket, key: key.to_owned() }),
        false => Err(Unclear::Key),
    }
}

/// A key as S3's own notifications write it.
fn decoded(encoded: &str) -> Option<String> {
    // Three bytes may stand for one; more is no key, and not worth the work.
    if encoded.len() > 3 * KEY_BYTES_MAX { None } else { url_decoded(encoded) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KEY: &str = "AWSLogs/o-1/111122223333/CloudTrail/eu-west-1/2026/11/20/a b+c=ä.json.gz";
    const ENCODED: &str = "AWSLogs/o-1/111122223333/CloudTrail/eu-west-1/2026/11/20/a+b%2Bc%3D%C3%A4.json.gz";

    fn named(keys: &[&str]) -> Result<Told, Unclear> {
        let objects = keys.iter().map(|key| Place { bucket: "audit".to_owned(), key: (*key).to_owned() });
        Ok(Told { objects: objects.collect(), ..Told::default() })
    }

    fn of_json(message: &Json) -> Result<Told, Unclear> {
        read(&message.to_string())
    }

    fn s3(event: &str, key: &str) -> Json {
        json!({"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventName": event,
               "s3": {"bucket": {"name": "audit", "arn": "arn:aws:s3:::audit"}, "object": {"key": key, "size": 9}}})
    }

    fn sns(message: &Json) -> Json {
        json!({"Type": "Notification", "MessageId": "22b8", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:audit",
               "Subject": "Amazon S3 Notification", "Message": message.to_string()})
    }

    fn event_bridge(kind: &str) -> Json {
        json!({"version": "0", "id": "17", "detail-type": kind, "source": "aws.s3", "account": "111122223333",
               "detail": {"version": "0", "bucket": {"name": "audit"}, "object": {"key": KEY, "size": 9}}})
    }

    #[test]
    fn each_envelope_leads_to_the_same_object() {
        let direct = json!({"Records": [s3("ObjectCreated:Put", ENCODED)]});
        let of_trail = json!({"s3Bucket": "audit", "s3ObjectKey": [KEY]});
        for message in [
            direct.clone(),
            sns(&direct),
            of_trail.clone(),
            sns(&of_trail),
            event_bridge("Object Created"),
            sns(&event_bridge("Object Created")),
            json!({"EventName": "s3:ObjectCreated:Put", "Records": [s3("s3:ObjectCreated:Put", ENCODED)]}),
        ] {
            assert_eq!(of_json(&message), named(&[KEY]), "{message}");
        }
    }

    #[test]
    fn only_s3_encodes_its_keys() {
        let of_trail = json!({"s3Bucket": "audit", "s3ObjectKey": ["a+b%20c.json.gz", "b", "b"]});
        assert_eq!(of_json(&of_trail), named(&["a+b%20c.json.gz", "b"]), "as it is, and each once");
        let direct = json!({"Records": [s3("ObjectCreated:CompleteMultipartUpload", "a+b%20c")]});
        assert_eq!(of_json(&direct), named(&["a b c"]));
        for broken in ["a%", "a%4", "a%zz", "a%+1", "%ff", "", "a%00b"] {
            assert_eq!(of_json(&json!({"Records": [s3("ObjectCreated:Put", broken)]})), Err(Unclear::Key), "{broken}");
        }
    }

    #[test]
    fn what_only_tests_the_way_is_known() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "audit"});
        let told = Ok(Told { is_test: true, ..Told::default() });
        assert_eq!(of_json(&test), told);
        assert_eq!(of_json(&sns(&test)), told);
        assert_eq!(read("CloudTrail validation message."), told);
        let wrapped = json!({"Type": "Notification", "Message": "CloudTrail validation message."});
        assert_eq!(of_json(&wrapped), told);
    }

    #[test]
    fn what_brings_no_object_is_counted() {
        let mixed = json!({"Records": [s3("ObjectRemoved:Delete", "x"), s3("ObjectCreated:Put", "y"), s3("", "z")]});
        let objects = named(&["y"]).expect("one").objects;
        assert_eq!(of_json(&mixed), Ok(Told { objects, others: 2, is_test: false }));
        assert_eq!(of_json(&event_bridge("Object Deleted")), Ok(Told { others: 1, ..Told::default() }));
        assert_eq!(of_json(&event_bridge("Object Tags Added")), Ok(Told { others: 1, ..Told::default() }));
        assert_eq!(of_json(&json!({"Records": []})), Ok(Told::default()));
    }

    #[test]
    fn what_says_nothing_is_told_apart() {
        let deep = "[".repeat(100_000);
        let deeper = format!("{{\"Records\":{}", "[".repeat(100_000));
        for text in ["", "null", "7", "[]", "{", "hello", &deep, &deeper] {
            assert_eq!(read(text), Err(Unclear::NoJson));
        }
        assert_eq!(read(&format!("\"{}\"", "x".repeat(BODY_BYTES_MAX))), Err(Unclear::TooLong));
        let wrapped = |times: usize| (0..times).fold(json!({"Records": []}), |inner, _| sns(&inner));
        assert_eq!(of_json(&wrapped(2)), Ok(Told::default()));
        assert_eq!(of_json(&wrapped(3)), Err(Unclear::Wrapped));
        let confirm = json!({"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.example.com/"});
        assert_eq!(of_json(&confirm), Err(Unclear::Subscription));
        let call = json!({"source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "detail": {}});
        assert_eq!(of_json(&call), Err(Unclear::OtherEvent));
        for message in [
            json!({}),
            json!({"Records": {}}),
            json!({"Records": [7]}),
            json!({"Records": [{"eventSource": "aws:ses"}]}),
            json!({"Type": "Notification"}),
            json!({"Type": "Notification", "Message": {"Records": []}}),
            json!({"detail-type": "Object Created", "source": "aws.s3"}),
        ] {
            assert_eq!(of_json(&message), Err(Unclear::NoForm), "{message}");
        }
    }

    #[test]
    fn names_that_nothing_has_are_refused() {
        let of_trail = |bucket: Json, keys: Json| of_json(&json!({"s3Bucket": bucket, "s3ObjectKey": keys}));
        for bucket in [json!(null), json!(""), json!("a/b"), json!("arn:aws:s3:x"), json!("é"), json!("b".repeat(256))]
        {
            assert_eq!(of_trail(bucket.clone(), json!(["k"])), Err(Unclear::Bucket), "{bucket}");
        }
        for keys in [json!(null), json!("k"), json!([7]), json!([""]), json!(["k".repeat(1_025)]), json!(["ok", null])]
        {
            assert_eq!(of_trail(json!("audit"), keys.clone()), Err(Unclear::Key), "{keys}");
        }
        assert_eq!(of_trail(json!("audit"), json!([])), Ok(Told::default()));
    }

    proptest! {
        #[test]
        fn any_key_comes_through_the_encoding(key in "[^\0]{1,200}") {
            let encoded: String = key.bytes().map(|byte| match byte {
                b' ' => "+".to_owned(),
                b'a'..=b'z' | b'/' | b'.' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            }).collect();
            prop_assert_eq!(of_json(&json!({"Records": [s3("ObjectCreated:Put", &encoded)]})), named(&[&key]));
        }

        #[test]
        fn nothing_panics(body in any::<String>(), key in ".{0,40}", event in ".{0,20}") {
            drop(read(&body));
            drop(of_json(&json!({"Records": [s3(&event, &key)], "Type": event})));
        }
    }
}
