//! What a cluster says of each document of a request.

use serde::Deserialize;

/// The answer of `_bulk`, of which only this is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    #[serde(alias = "index")]
    create: Result,
}

#[derive(Debug, Deserialize)]
struct Result {
    status: u16,
    error: Option<Problem>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    reason: String,
    caused_by: Option<Box<Problem>>,
}

/// What to do about one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is there.
    Confirmed,
    /// Something is there under its id.
    Conflict,
    /// Once more, in a while.
    Busy(String),
    /// Nothing is taken there until somebody, or the cluster itself, lifts it.
    Blocked(String),
    /// Not in this form.
    Unfit(String),
    /// Nor in any other.
    Refused { status: u16, kind: String, reason: String },
}

/// What the address says of the answer's form.
pub(super) const FILTER: &str = "filter_path=items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.type,items.*.error.caused_by.reason";

impl Answer {
    /// One for each document, in their order; none if the answer is about others.
    pub(super) fn outcomes(self, documents: usize) -> Option<Vec<Outcome>> {
        (self.items.len() == documents).then(|| self.items.into_iter().map(|item| outcome(item.create)).collect())
    }
}

fn outcome(result: Result) -> Outcome {
    let Result { status, error } = result;
    let (kind, reason) = error.map(Problem::said).unwrap_or_default();
    match status {
        200 | 201 => Outcome::Confirmed,
        409 => Outcome::Conflict,
        408 | 429 | 500 | 502 | 503 | 504 if kind.contains("block_exception") => Outcome::Blocked(reason),
        408 | 429 | 500 | 502 | 503 | 504 => Outcome::Busy(format!("{status}: {reason}")),
        403 if kind.contains("block_exception") => Outcome::Blocked(reason),
        413 => Outcome::Unfit(reason),
        400 if is_of_document(&kind, &reason) => Outcome::Unfit(reason),
        // Too many shards, an index that somebody closed, a pipeline that is not there: another day it is taken.
        400 => Outcome::Blocked(reason),
        _ => Outcome::Refused { status, kind, reason },
    }
}

/// Whether it is the document that is refused.
fn is_of_document(kind: &str, reason: &str) -> bool {
    match kind {
        "mapper_parsing_exception" | "document_parsing_exception" | "strict_dynamic_mapping_exception" => true,
        "illegal_argument_exception" => {
            ["field", "term", "value", "depth", "nested"].iter().any(|word| reason.contains(word))
                && !["pipeline", "alias", "shards"].iter().any(|word| reason.contains(word))
        }
        _ => false,
    }
}

impl Problem {
    fn said(self) -> (String, String) {
        let mut reason = self.reason;
        if let Some(cause) = self.caused_by {
            reason = format!("{reason}: {}", cause.reason);
        }
        (self.kind, reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARS_MAX).collect())
    }
}

const REASON_CHARS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outcomes(items: serde_json::Value, documents: usize) -> Option<Vec<Outcome>> {
        serde_json::from_value::<Answer>(json!({"items": items})).expect("an answer").outcomes(documents)
    }

    #[test]
    fn every_document_has_its_outcome() {
        let error = |kind: &str, reason: &str| json!({"type": kind, "reason": reason});
        let items = json!([
            {"create": {"status": 201}},
            {"index": {"status": 200}},
            {"create": {"status": 409, "error": error("version_conflict_engine_exception", "[a]: version conflict")}},
            {"create": {"status": 429, "error": error("es_rejected_execution_exception", "queue is full")}},
            {"create": {"status": 429, "error": error("cluster_block_exception", "disk usage exceeded flood-stage watermark")}},
            {"create": {"status": 403, "error": error("cluster_block_exception", "index write (api)")}},
            {"create": {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "failed to parse", "caused_by": {"type": "x", "reason": "not an IP"}}}},
            {"create": {"status": 400, "error": error("validation_exception", "this cluster currently has [1000]/[1000] maximum normal shards open")}},
            {"create": {"status": 400, "error": error("index_closed_exception", "closed")}},
            {"create": {"status": 400, "error": error("illegal_argument_exception", "pipeline with id [x] does not exist")}},
            {"create": {"status": 400, "error": error("illegal_argument_exception", "Document contains at least one immense term in field=\"x\"")}},
            {"create": {"status": 404, "error": error("index_not_found_exception", "no such index")}},
        ]);
        let expected = [
            Outcome::Confirmed,
            Outcome::Confirmed,
            Outcome::Conflict,
            Outcome::Busy("429: queue is full".to_owned()),
            Outcome::Blocked("disk usage exceeded flood-stage watermark".to_owned()),
            Outcome::Blocked("index write (api)".to_owned()),
            Outcome::Unfit("failed to parse: not an IP".to_owned()),
            Outcome::Blocked("this cluster currently has [1000]/[1000] maximum normal shards open".to_owned()),
            Outcome::Blocked("closed".to_owned()),
            Outcome::Blocked("pipeline with id [x] does not exist".to_owned()),
            Outcome::Unfit("Document contains at least one immense term in field=\"x\"".to_owned()),
            Outcome::Refused {
                status: 404,
                kind: "index_not_found_exception".to_owned(),
                reason: "no such index".to_owned(),
            },
        ];
        assert_eq!(outcomes(items.clone(), 12).expect("twelve"), expected);
        assert_eq!(outcomes(items, 8), None);
        assert_eq!(outcomes(json!([]), 1), None);
    }
}
