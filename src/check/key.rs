//! What tells the groups of an alert apart.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

/// The values of `by` that a group shares.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The alert itself: the one group without `by`, and with it the state of not knowing.
    Whole,
    /// By the field's name.
    Values(Vec<Part>),
    /// All groups beyond those that are told apart.
    Others,
}

/// One field of `by` and its value; an event without the field has a group too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Part {
    pub field: Arc<str>,
    pub value: Option<Box<str>>,
}

impl Key {
    /// As `detail.whodid.group` of an event: `{"who.ip":"203.0.113.7"}`; none for the alert itself.
    pub fn to_json(&self) -> Option<Json> {
        match self {
            Self::Whole => None,
            Self::Others => Some(Json::String(OTHERS.to_owned())),
            Self::Values(parts) => {
                let value = |part: &Part| part.value.as_deref().map_or(Json::Null, Json::from);
                Some(Json::Object(parts.iter().map(|part| (part.field.to_string(), value(part))).collect()))
            }
        }
    }

    /// The reverse of it; none for what [`Self::to_json`] does not write.
    pub fn from_json(json: Option<&Json>) -> Option<Self> {
        match json {
            None => Some(Self::Whole),
            Some(Json::String(text)) => (text == OTHERS).then_some(Self::Others),
            Some(Json::Object(map)) => parts(map).map(Self::Values),
            Some(_) => None,
        }
    }

    /// How long its values are.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Whole | Self::Others => 0,
            Self::Values(parts) => parts.iter().filter_map(|part| part.value.as_deref()).map(str::len).sum(),
        }
    }
}

fn parts(map: &Map<String, Json>) -> Option<Vec<Part>> {
    // A map of serde_json is sorted by name, and so are the fields of a question.
    let part = |(field, json): (&String, &Json)| {
        let value = match json {
            Json::Null => None,
            Json::String(text) => Some(text.as_str().into()),
            _ => return None,
        };
        Some(Part { field: field.as_str().into(), value })
    };
    map.iter().map(part).collect()
}

const OTHERS: &str = "others";

/// `who.ip=203.0.113.7 who.name=root`; not escaped.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = match self {
            Self::Whole => return Ok(()),
            Self::Others => return f.write_str("all others"),
            Self::Values(parts) => parts,
        };
        for (i, Part { field, value }) in parts.iter().enumerate() {
            let separator = if i == 0 { "" } else { " " };
            match value {
                Some(value) => write!(f, "{separator}{field}={value}")?,
                None => write!(f, "{separator}no {field}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_into_events_and_come_back() {
        let parts = vec![
            Part { field: "who.ip".into(), value: Some("203.0.113.7".into()) },
            Part { field: "who.name".into(), value: None },
        ];
        for key in [Key::Whole, Key::Others, Key::Values(parts.clone())] {
            assert_eq!(Key::from_json(key.to_json().as_ref()), Some(key));
        }
        assert_eq!(Key::Values(parts).to_string(), "who.ip=203.0.113.7 no who.name");
        assert_eq!(Key::from_json(Some(&Json::from(7))), None);
    }
}
