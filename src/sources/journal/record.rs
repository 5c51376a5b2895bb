//! One record of the journal, as a line of `journalctl -o json` has it.
//!
//! A value is a text, an array of numbers (bytes that are no text), `null` (left out for its length, without
//! `--all`), or an array of these for a field that stands several times in the record. The fields come in
//! another order each time; what makes two lines the same record is the set of their fields.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use sha2::{Digest as _, Sha256};

/// The fields of a record in the order of the line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record<'a> {
    fields: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
    LeftOut,
    Several(Vec<Value<'a>>),
}

/// Entries of one record: journald takes at most 1,024 fields, and doubles its own.
const FIELDS_MAX: usize = 4_096;

impl<'a> Record<'a> {
    /// None if the line is no record.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// The first value of a field that is not empty, as text.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.values(name);
        values.find_map(Value::text).filter(|text| !text.is_empty())
    }

    /// The value of a field that journald or the kernel sets. They set it once: what stands there twice is
    /// not theirs.
    pub(super) fn trusted(&self, name: &str) -> Option<Cow<'_, str>> {
        debug_assert!(name.starts_with('_'));
        let mut values = self.values(name);
        let first = values.next()?;
        if values.next().is_some() {
            return None;
        }
        first.text().filter(|text| !text.is_empty())
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &Value<'a>> {
        let named = self.fields.iter().filter(move |(field, _)| field == name);
        named.flat_map(|(_, value)| match value {
            Value::Several(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        })
    }

    /// The digest of everything but the record's address: the same wherever and in whatever order it stands.
    pub(super) fn content(&self) -> [u8; 32] {
        let mut parts: Vec<(&str, Option<&[u8]>)> = Vec::with_capacity(self.fields.len());
        for (name, _) in self.fields.iter().filter(|(name, _)| !name.starts_with("__")) {
            parts.extend(self.values(name).map(|value| (name.as_ref(), value.bytes())));
        }
        parts.sort_unstable();
        // A field that stands twice under its name was gone through twice.
        parts.dedup();
        let mut hash = Sha256::new();
        for (name, value) in parts {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            hash.update([u8::from(value.is_some())]);
            let value = value.unwrap_or_default();
            hash.update((value.len() as u64).to_be_bytes());
            hash.update(value);
        }
        hash.finalize().into()
    }

    /// Lets `each` replace values, given their names and bytes; true if it did.
    pub(super) fn replace(&mut self, mut each: impl FnMut(&str, &[u8]) -> Option<Vec<u8>>) -> bool {
        let mut is_replaced = false;
        for (name, value) in &mut self.fields {
            let values = match value {
                Value::Several(values) => values.as_mut_slice(),
                one => std::slice::from_mut(one),
            };
            for value in values {
                if let Some(new) = value.bytes().and_then(|bytes| each(name, bytes)) {
                    *value = match String::from_utf8(new) {
                        Ok(text) => Value::Text(Cow::Owned(text)),
                        Err(error) => Value::Bytes(error.into_bytes()),
                    };
                    is_replaced = true;
                }
            }
        }
        is_replaced
    }

    /// The line again, for a record of which something was replaced.
    pub(super) fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl<'a> Value<'a> {
    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Bytes(bytes) => Some(String::from_utf8_lossy(bytes)),
            Self::LeftOut => None,
            Self::Several(values) => values.first().and_then(Value::text),
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            Self::LeftOut => None,
            Self::Several(values) => values.first().and_then(Value::bytes),
        }
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.fields.len()))?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Bytes(bytes) => bytes.serialize(to),
            Self::LeftOut => to.serialize_none(),
            Self::Several(values) => values.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Record<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record of the journal")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
        let mut fields = Vec::with_capacity(32);
        while let Some(Name(name)) = map.next_key()? {
            if fields.len() == FIELDS_MAX {
                return Err(A::Error::custom("too many fields"));
            }
            fields.push((name, map.next_value()?));
        }
        Ok(Record { fields })
    }
}

/// Borrowed from the line unless it holds an escape.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match from.deserialize_str(Item)? {
            Value::Text(name) => Ok(Self(name)),
            _ => Err(D::Error::custom("a name is a text")),
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Item)
    }
}

struct Item;

impl<'de> Visitor<'de> for Item {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, an array or null")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::LeftOut)
    }

    // journalctl writes all numbers as texts; what passes the journal on may not.
    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(number.to_string())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let mut bytes: Vec<u8> = Vec::new();
        let mut values: Vec<Value<'de>> = Vec::new();
        while let Some(element) = items.next_element()? {
            match element {
                Element::Byte(byte) if values.is_empty() => bytes.push(byte),
                Element::Value(value) if bytes.is_empty() => values.push(value),
                _ => return Err(A::Error::custom("an array of both bytes and values")),
            }
        }
        Ok(if values.is_empty() { Value::Bytes(bytes) } else { Value::Several(values) })
    }
}

/// What stands in an array: bytes of one value, or values.
enum Element<'a> {
    Byte(u8),
    Value(Value<'a>),
}

impl<'de> Deserialize<'de> for Element<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte or a value")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Element<'de>, E> {
        u8::try_from(number).map(Element::Byte).map_err(|_| E::custom("more than a byte"))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Element<'de>, E> {
        Item.visit_borrowed_str(text).map(Element::Value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Element<'de>, E> {
        Item.visit_str(text).map(Element::Value)
    }

    fn visit_unit<E: Error>(self) -> Result<Element<'de>, E> {
        Ok(Element::Value(Value::LeftOut))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Element<'de>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(Element::Value(Value::Bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Record<'_> {
        Record::parse(line).expect("a record")
    }

    #[test]
    fn every_form_of_value_is_read() {
        let record = parse(r#"{"A":"a","B":[104,105,255],"C":["x",[121],null,"z"],"D":null,"E":"t\tb","F":[]}"#);
        assert_eq!(record.text("A").as_deref(), Some("a"));
        assert_eq!(record.text("B").as_deref(), Some("hi\u{fffd}"));
        assert_eq!(record.text("C").as_deref(), Some("x"));
        assert_eq!((record.text("D"), record.text("F"), record.text("G")), (None, None, None));
        assert_eq!(record.text("E").as_deref(), Some("t\tb"));
        assert_eq!(parse(&record.to_line()), record);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for line in ["", "{", "[]", "7", "{\"A\":{}}", "{\"A\":[256]}", "{\"A\":[1,\"x\"]}", "{\"A\":[[[1]]]}"] {
            assert_eq!(Record::parse(line), None, "{line}");
        }
        assert_eq!(Record::parse(&format!("{{\"A\":{}", "[".repeat(100_000))), None);
        let many: Vec<String> = (0..=FIELDS_MAX).map(|n| format!("\"F{n}\":\"\"")).collect();
        assert_eq!(Record::parse(&format!("{{{}}}", many.join(","))), None);
    }

    #[test]
    fn the_content_is_the_same_in_any_order_and_under_any_address() {
        let content = |line: &str| parse(line).content();
        let one = content(r#"{"__CURSOR":"s=1","A":"a","B":["x","y"],"C":"hi"}"#);
        assert_eq!(one, content(r#"{"C":[104,105],"B":["y","x"],"A":"a","__CURSOR":"s=2","__SEQNUM":"7"}"#));
        assert_eq!(one, content(r#"{"C":"hi","B":"y","B":"x","A":"a"}"#));
        for other in [r#"{"A":"a","B":["x","y"],"C":null}"#, r#"{"A":"aB","B":["x","y"],"C":"hi"}"#, r#"{"A":"a"}"#] {
            assert_ne!(one, content(other), "{other}");
        }
    }

    #[test]
    fn a_field_of_journald_stands_once() {
        let record = parse(r#"{"_UID":["0","1000"],"_EXE":"/usr/sbin/sshd","_PID":"1","_PID":"2"}"#);
        assert_eq!((record.trusted("_UID"), record.trusted("_PID")), (None, None));
        assert_eq!(record.trusted("_EXE").as_deref(), Some("/usr/sbin/sshd"));
    }

    #[test]
    fn values_are_replaced_where_they_stand() {
        let mut record = parse(r#"{"A":"a","B":["b",[255,98]],"C":null}"#);
        assert!(!record.clone().replace(|_, _| None));
        assert!(record.replace(|name, value| (name == "B" && value.contains(&b'b')).then(|| b"[R]".to_vec())));
        assert_eq!(record.to_line(), r#"{"A":"a","B":["[R]","[R]"],"C":null}"#);
    }
}
