//! What the cluster says: a number, or why there is none.

use serde::Deserialize;
use serde_json::{Number, Value as Json};
use thiserror::Error;

use crate::event::escape;

/// What was answered, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Why nothing can be said: one line, safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct Failure {
    text: String,
    /// The cluster knows of no such thing (404).
    pub(super) is_missing: bool,
    /// The cluster does not take the request (400).
    pub(super) is_refused: bool,
}

/// Of somebody else's words; they say it at the beginning.
const TEXT_CHARS_MAX: usize = 500;

/// Far more than a thousand cut documents take.
pub(super) const ANSWER_BYTES_MAX: usize = 16 << 20;

impl Failure {
    pub fn new(text: impl AsRef<str>) -> Self {
        let text: String = text.as_ref().chars().take(TEXT_CHARS_MAX).collect();
        Self { text: escape::line(text.trim()).into_owned(), is_missing: false, is_refused: false }
    }
}

/// What a query found, and how much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) count: u64,
    /// None: there is no index of these names.
    pub(super) shards: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Averaged {
    /// None: no document has a value there.
    pub(super) value: Option<Number>,
    pub(super) shards: u64,
}

#[derive(Deserialize)]
struct Answer {
    count: Option<u64>,
    #[serde(rename = "_shards")]
    shards: Option<Shards>,
    #[serde(default)]
    timed_out: bool,
    #[serde(default)]
    terminated_early: bool,
    hits: Option<Hits>,
    aggregations: Option<Json>,
    /// Of one search of several.
    status: Option<u16>,
    error: Option<Json>,
    responses: Option<Vec<Answer>>,
    found: Option<bool>,
    fields: Option<serde_json::Map<String, Json>>,
}

#[derive(Deserialize)]
struct Shards {
    total: u64,
    failed: u64,
    #[serde(default)]
    failures: Vec<Json>,
}

#[derive(Deserialize)]
struct Hits {
    total: Option<Total>,
    #[serde(default)]
    hits: Vec<Json>,
}

/// A number until 6, an object since.
#[derive(Deserialize)]
#[serde(untagged)]
enum Total {
    Plain(u64),
    Counted { value: u64, relation: String },
}

impl Reply {
    pub(super) fn counted(&self) -> Result<Counted, Failure> {
        let (answer, shards) = self.whole()?;
        let count = match (answer.count, answer.hits.and_then(|hits| hits.total)) {
            (Some(count), _) | (None, Some(Total::Plain(count))) => count,
            (None, Some(Total::Counted { value, relation })) if relation == "eq" => value,
            _ => return Err(self.strange()),
        };
        Ok(Counted { count, shards })
    }

    pub(super) fn averaged(&self) -> Result<Averaged, Failure> {
        let (answer, shards) = self.whole()?;
        let value = match answer.aggregations.as_ref().and_then(|all| all.get("average")?.get("value")) {
            Some(Json::Number(value)) => Some(value.clone()),
            Some(Json::Null) => None,
            // Where no index is, there are no aggregations either.
            None if shards == 0 => None,
            _ => return Err(self.strange()),
        };
        Ok(Averaged { value, shards })
    }

    /// The documents of a search, as they are.
    pub(super) fn documents(&self) -> Result<Vec<Json>, Failure> {
        let (answer, _) = self.whole()?;
        Ok(answer.hits.ok_or_else(|| self.strange())?.hits)
    }

    /// Of one document.
    pub(super) fn found(&self) -> Result<bool, Failure> {
        match (self.status, self.parsed()) {
            (200 | 404, Ok(Answer { found: Some(found), .. })) => Ok(found),
            (200, _) => Err(self.strange()),
            _ => Err(self.refusal()),
        }
    }

    /// Whether any index has the field that was asked for.
    pub(super) fn has_field(&self) -> Result<bool, Failure> {
        let answer = self.parsed()?;
        answer.fields.map(|fields| !fields.is_empty()).ok_or_else(|| self.strange())
    }

    /// An answer that all shards gave, and how many those are.
    fn whole(&self) -> Result<(Answer, u64), Failure> {
        if self.status >= 300 {
            return Err(self.refusal());
        }
        let mut answer = self.parsed()?;
        if let Some(mut responses) = answer.responses.take() {
            answer = responses.pop().filter(|_| responses.is_empty()).ok_or_else(|| self.strange())?;
        }
        if let Some(error) = &answer.error {
            return Err(refused(answer.status.unwrap_or(self.status), error));
        }
        let shards = answer.shards.take().ok_or_else(|| self.strange())?;
        if shards.failed > 0 {
            let why = shards.failures.first().and_then(|failure| failure.get("reason")).map(reason).unwrap_or_default();
            return Err(Failure::new(format!("{} of {} shards did not answer: {why}", shards.failed, shards.total)));
        }
        // A search says so too where OpenSearch 3 reads an average from its summaries, which is exact.
        if answer.timed_out || (answer.terminated_early && answer.count.is_some()) {
            return Err(Failure::new("the cluster did not look through all of it in time"));
        }
        Ok((answer, shards.total))
    }

    fn parsed(&self) -> Result<Answer, Failure> {
        if self.body.len() > ANSWER_BYTES_MAX {
            return Err(Failure::new(format!("the answer has more than {ANSWER_BYTES_MAX} bytes")));
        }
        serde_json::from_slice(&self.body).map_err(|_| self.strange())
    }

    fn strange(&self) -> Failure {
        let text = String::from_utf8_lossy(&self.body);
        let begin: String = text.trim().chars().take(60).collect();
        Failure::new(format!(
            "[{}] no answer of Elasticsearch or OpenSearch: \"{begin}\": look at -h, -p and -s",
            self.status
        ))
    }

    fn refusal(&self) -> Failure {
        let said: Option<Json> = serde_json::from_slice(&self.body).ok();
        let mut failure = match said.as_ref().and_then(|said| said.get("error")) {
            Some(error) => refused(self.status, error),
            None => self.strange(),
        };
        failure.is_missing = self.status == 404;
        failure.is_refused = self.status == 400;
        failure
    }
}

fn refused(status: u16, error: &Json) -> Failure {
    let hint = match status {
        401 | 403 => ": look at -u, -P and -H",
        429 | 503 => ": the cluster has too much to do",
        _ => "",
    };
    Failure::new(format!("[{status}] {}{hint}", reason(error)))
}

/// The innermost reason: type and text. `error` is a text or an object, by version.
fn reason(error: &Json) -> String {
    if let Some(text) = error.as_str() {
        return text.to_owned();
    }
    let inner = error.get("root_cause").and_then(|causes| causes.get(0)).unwrap_or(error);
    let part = |name: &str| inner.get(name).and_then(Json::as_str).unwrap_or_default();
    match (part("type"), part("reason")) {
        ("", "") => String::from("no reason is given"),
        ("", reason) => reason.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, reason) => format!("{kind}: {reason}"),
    }
}
