//! Why a cluster did not do what was asked.

use std::time::Duration;

use elasticsearch::Error;
use serde::Deserialize;

use super::Reply;

/// A kind of failure, and who said so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    // Mend what is named, then ask again.
    #[error("the cluster cannot be spoken to: {0}")]
    Setup(String),
    #[error("{node} does not take the login ({reason}): look at the user, the key and its rights")]
    Denied { node: String, reason: String },
    #[error("{node} answers what is no JSON: is it Elasticsearch or OpenSearch?")]
    Garbled { node: String },
    #[error("{node} answers with more than {most} bytes")]
    TooLong { node: String, most: u64 },
    #[error("{node} is {found}; whodid knows Elasticsearch 7.10 to 9 and OpenSearch 1 to 3")]
    Version { node: String, found: String },

    // Ask again later.
    #[error("{node} cannot be reached: {problem}")]
    Unreachable { node: String, problem: String },
    #[error("{node} gave no whole answer: {problem}")]
    Cut { node: String, problem: String },
    #[error("{node} has too much to do ({status}: {reason})")]
    Busy { node: String, status: u16, reason: String, after: Option<Duration> },

    /// Of `kind`, as the cluster calls it: `index_not_found_exception`.
    #[error("{node} answers {status}: {kind}: {reason}")]
    Refused { node: String, status: u16, kind: String, reason: String },
}

impl Failure {
    /// Whether it may go better in a while, without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Cut { .. } | Self::Busy { .. })
    }

    /// The status of the answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Busy { status, .. } | Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the cluster calls it so.
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Self::Refused { kind, .. } if kind == name)
    }
}

/// Clusters say much; the first words say it.
const REASON_CHARS_MAX: usize = 400;

/// The `error` of an answer: an object, or for some a text.
#[derive(Deserialize)]
struct Said {
    error: Option<Problem>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Problem {
    Told {
        #[serde(rename = "type", default)]
        kind: Option<String>,
        #[serde(default)]
        reason: Option<String>,
        #[serde(default)]
        root_cause: Vec<Cause>,
    },
    Text(String),
}

#[derive(Deserialize)]
pub(super) struct Cause {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

/// The error that a status means.
pub(super) fn of_status(node: &str, reply: &Reply) -> Result<(), Failure> {
    let Reply { status, retry_after, body } = reply;
    if *status < 400 {
        return Ok(());
    }
    let (kind, reason) = said(body);
    let node = node.to_owned();
    Err(match status {
        401 | 403 if kind != "cluster_block_exception" && kind != "index_create_block_exception" => {
            Failure::Denied { node, reason: format!("{status}: {reason}") }
        }
        408 | 429 | 500 | 502 | 503 | 504 => Failure::Busy { node, status: *status, reason, after: *retry_after },
        _ => Failure::Refused { node, status: *status, kind, reason },
    })
}

/// Its type and its reason; of several the root of all.
fn said(body: &[u8]) -> (String, String) {
    let problem = serde_json::from_slice::<Said>(body).ok().and_then(|said| said.error);
    let (kind, reason) = match problem {
        Some(Problem::Told { kind, reason, root_cause }) => match root_cause.into_iter().next() {
            Some(cause) => (cause.kind.or(kind), cause.reason.or(reason)),
            None => (kind, reason),
        },
        Some(Problem::Text(text)) => (None, Some(text)),
        None => (None, Some(String::from_utf8_lossy(body).trim().to_owned())),
    };
    (kind.unwrap_or_default(), cut(&reason.unwrap_or_default()))
}

pub(super) fn of_error(node: &str, error: &Error, sent: usize) -> Failure {
    let node = node.to_owned();
    let problem = causes(error);
    if error.is_timeout() {
        return Failure::Cut { node, problem: format!("not in time, for {sent} bytes that were sent") };
    }
    let lower = problem.to_ascii_lowercase();
    // What a certificate lacks, nobody mends by waiting.
    if lower.contains("certificate") || lower.contains("invalid url") {
        return Failure::Setup(format!("{node}: {problem}"));
    }
    // Of hyper's words for the steps of a request; a connection that was closed later is another matter.
    if lower.contains("(connect)") { Failure::Unreachable { node, problem } } else { Failure::Cut { node, problem } }
}

/// An error with its causes, each said once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    cut(&text)
}

/// Somebody else's words, in one line and not too many.
fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        let reply = Reply { status, retry_after: None, body: body.to_owned().into() };
        of_status("http://one:9200", &reply).expect_err("a failure")
    }

    #[test]
    fn what_a_cluster_says_is_sorted_by_what_to_do() {
        let blocked = r#"{"error":{"root_cause":[{"type":"cluster_block_exception","reason":"index [a] blocked by: [FORBIDDEN/8/index write (api)];"}],"type":"x","reason":"y"},"status":403}"#;
        assert!(failure(403, blocked).is("cluster_block_exception"));
        let denied = failure(401, r#"{"error":{"type":"security_exception","reason":"missing authentication"}}"#);
        assert_eq!(
            denied.to_string(),
            "http://one:9200 does not take the login (401: missing authentication): look at the user, the key and its rights"
        );
        assert!(!denied.is_passing());
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(failure(status, "<html>").is_passing(), "{status}");
        }
        let old = failure(400, r#"{"error":"no handler found for uri [/x]"}"#);
        assert_eq!(old.to_string(), "http://one:9200 answers 400: : no handler found for uri [/x]");
        assert_eq!(failure(404, "a\nb\u{1b}").to_string(), "http://one:9200 answers 404: : a b ");
        let long = failure(400, &"x".repeat(10_000)).to_string();
        assert!(long.len() < 500, "{}", long.len());
    }
}
