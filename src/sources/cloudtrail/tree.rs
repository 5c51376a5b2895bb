//! Reads a record's tree, whatever its types have drifted to.
//!
//! The same field is `22` here and `"22"` there, a list is `{"items":[…]}`, `[…]`, or a single object
//! where it has one item, and what is missing is `null`, `""` or `{}`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use sha2::{Digest as _, Sha256};

/// A record's tree, with its text where it stands in the record: half the time of [`serde_json::Value`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree<'a> {
    Null,
    Flag(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    /// In the order of the record.
    Map(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Tree<'a> {
    /// `None` for what is no JSON, or nested deeper than 128 levels.
    pub(super) fn parse(record: &'a str) -> Option<Self> {
        serde_json::from_str(record).ok()
    }

    /// A member of a map; of several with one name the last one, as everybody reads them.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A member of a map that may not be there.
    pub(super) fn member(&self, name: &str) -> &Self {
        self.get(name).unwrap_or(&Self::Null)
    }

    /// A member by its name in any case: EC2, RDS and their newer forms each write it otherwise.
    pub(super) fn any_case(&self, name: &str) -> Option<&Self> {
        self.members().iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn members(&self) -> &[(Cow<'a, str>, Self)] {
        match self {
            Self::Map(members) => members,
            _ => &[],
        }
    }

    /// Nothing is in it: it is missing, or no map.
    pub(super) fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The scalar at a path of keys with dots between them, as text; an empty one is none.
    /// A list on the way stands for its first item.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let (key, rest) = step(path);
        match (self.first().get(key)?, rest) {
            (below, Some(rest)) => below.text(rest),
            (scalar, None) => scalar.scalar(),
        }
    }

    fn scalar(&self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text.clone().into_owned()),
            Self::Number(number) => Some(number.to_string()),
            Self::Flag(flag) => Some(flag.to_string()),
            _ => None,
        }
    }

    /// Hands every scalar at a path to `sink`, of every item of the lists on the way.
    pub(super) fn each_text(&self, path: &str, sink: &mut dyn FnMut(Cow<'_, str>)) {
        match self {
            Self::List(items) => items.iter().for_each(|item| item.each_text(path, sink)),
            Self::Map(members) if !members.is_empty() => match step(path) {
                (key, Some(rest)) => self.member(key).each_text(rest, sink),
                (key, None) => self.member(key).each_scalar(sink),
            },
            _ => {}
        }
    }

    fn each_scalar(&self, sink: &mut dyn FnMut(Cow<'_, str>)) {
        match self {
            Self::List(items) => items.iter().for_each(|item| item.each_scalar(sink)),
            Self::Text(text) if !text.is_empty() => sink(Cow::Borrowed(text)),
            Self::Number(number) => sink(Cow::Owned(number.to_string())),
            _ => {}
        }
    }

    /// The first of several paths that leads to text.
    pub(super) fn first_text(&self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| self.text(path))
    }

    fn first(&self) -> &Self {
        match self {
            Self::List(items) => items.first().unwrap_or(&Self::Null),
            other => other,
        }
    }

    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// True for `true` and `"true"`.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Flag(flag) => *flag,
            Self::Text(text) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// The items of what stands for a list.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Map(members) if members.is_empty() => &[],
            Self::Map(_) => match self.get("items").or_else(|| self.get("item")) {
                Some(inner) => inner.items(),
                None => std::slice::from_ref(self),
            },
            _ => &[],
        }
    }
}

impl Tree<'_> {
    /// Of what it says, however that is written.
    pub(super) fn sha256(&self) -> [u8; 32] {
        // One block of SHA-256 after another out of one buffer: most pieces are a few bytes long.
        let mut text = Vec::with_capacity(4_096);
        self.write(&mut text);
        Sha256::digest(&text).into()
    }

    /// Each kind with a letter, and each text with its length: no two trees give the same bytes.
    fn write(&self, to: &mut Vec<u8>) {
        fn text(to: &mut Vec<u8>, letter: u8, text: &str) {
            to.push(letter);
            to.extend_from_slice(&(text.len() as u64).to_le_bytes());
            to.extend_from_slice(text.as_bytes());
        }
        match self {
            Self::Null => to.push(b'z'),
            Self::Flag(flag) => to.push(if *flag { b't' } else { b'f' }),
            Self::Number(number) => text(to, b'n', &number.to_string()),
            Self::Text(content) => text(to, b's', content),
            Self::List(items) => {
                to.push(b'[');
                items.iter().for_each(|item| item.write(to));
                to.push(b']');
            }
            Self::Map(members) => {
                to.push(b'{');
                for (key, value) in members {
                    text(to, b'k', key);
                    value.write(to);
                }
                to.push(b'}');
            }
        }
    }
}

/// The first key of a path, and the rest. Most have one key, and are asked for in every record: twice as fast as
/// looking for a character.
fn step(path: &str) -> (&str, Option<&str>) {
    match path.as_bytes().iter().position(|b| *b == b'.') {
        Some(dot) => (path.get(..dot).unwrap_or(path), path.get(dot + 1..)),
        None => (path, None),
    }
}

impl<'de> Deserialize<'de> for Tree<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree<'de>, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree<'de>, E> {
        Ok(Number::from_f64(number).map_or(Tree::Null, Tree::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Key(key), value)) = map.next_entry()? {
            members.push((key, value));
        }
        Ok(Tree::Map(members))
    }
}

/// A name that is borrowed where it has no escapes; serde's own `Cow` never is.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Name).map(Key)
    }
}

struct Name;

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(json: &str) -> Tree<'_> {
        Tree::parse(json).expect("JSON")
    }

    #[test]
    fn drifted_types_are_read_all_the_same() {
        let tree =
            tree(r#"{"a":{"items":[{"b":22},{"b":23}]},"c":"","d":"true","e":"443","f":true,"g":1.5,"h":"\u00e9"}"#);
        assert_eq!(tree.text("a.items.b").as_deref(), Some("22"));
        assert_eq!(tree.text("c"), None);
        assert_eq!(tree.text("a"), None);
        assert_eq!(tree.first_text(&["c", "f"]).as_deref(), Some("true"));
        assert_eq!(tree.first_text(&["x", "g"]).as_deref(), Some("1.5"));
        assert_eq!(tree.text("h").as_deref(), Some("é"));
        assert_eq!(tree.member("e").number(), Some(443));
        assert!(tree.member("d").is_true() && tree.member("f").is_true() && !tree.member("e").is_true());
        assert!(tree.any_case("E").is_some() && tree.get("E").is_none());
    }

    #[test]
    fn every_item_of_a_list_is_found() {
        let tree = tree(r#"{"a":[{"b":["x",""]},{"b":"y"},{"b":{"b":"no"}},{"c":1},[{"b":3}]]}"#);
        let mut found = Vec::new();
        tree.each_text("a.b", &mut |text| found.push(text.into_owned()));
        assert_eq!(found, ["x", "y", "3"]);
    }

    #[test]
    fn the_last_of_several_members_counts() {
        assert_eq!(tree(r#"{"a":1,"a":2}"#).text("a").as_deref(), Some("2"));
    }

    #[test]
    fn a_list_has_three_forms_and_an_empty_one() {
        let one = r#"{"a":1}"#;
        for list in
            [format!("[{one}]"), format!("{{\"items\":[{one}]}}"), format!("{{\"items\":{one}}}"), one.to_owned()]
        {
            assert_eq!(tree(&list).items(), [tree(one)], "{list}");
        }
        for none in ["{}", "null", r#"{"items":{}}"#, "\"a\"", "[]"] {
            assert!(tree(none).items().is_empty(), "{none}");
        }
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_none() {
        assert_eq!(Tree::parse("{\"a\":tru}"), None);
        assert_eq!(Tree::parse(&"[".repeat(100_000)), None);
    }
}
