//! `--details`: who did what, where and when, for whoever is told at night.
//!
//! The newest documents of the query, those that say the same put together, the most frequent first. Everything in
//! them was written by somebody: it is cut, quoted and escaped, `|` too, behind which monitoring expects numbers.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::options::Options;
use super::request::{EVERYTHING, Request, Scope, by_id};
use super::{Failure, Kind, Reply, window};
use crate::event::{Stamp, escape};

/// So many documents are looked at …
const DOCUMENTS_MAX: usize = 200;

/// … and so many rows are shown.
const ROWS_MAX: usize = 10;

const VALUE_CHARS_MAX: usize = 80;

/// Where documents of whodid, of CloudTrail by Logstash, and of the Elastic Common Schema have it; the first counts.
const WHO: &[&str] = &[
    "who.name",
    "userIdentity.userName",
    "userIdentity.arn",
    "userIdentity.invokedBy",
    "userIdentity.principalId",
    "user.name",
    "aws.cloudtrail.user_identity.arn",
];
const FROM: &[&str] = &["who.ip", "who.host", "sourceIPAddress", "source.ip", "source.address"];
const WHAT: &[&str] = &["what.action", "eventName", "event.action"];
const OBJECT: &[&str] = &["what.object", "requestParameters.groupId"];
const WHERE: &[&str] =
    &["where.host", "where.account", "recipientAccountId", "host.name", "host.hostname", "host", "cloud.account.id"];
const REGION: &[&str] = &["where.region", "awsRegion", "cloud.region"];
const OUTCOME: &[&str] = &["outcome", "errorCode", "event.outcome"];
/// Of a document that says none of these things.
const TEXT: &[&str] = &["message", "event.original", "raw"];

/// The rows, without line feeds.
pub fn details(
    options: &Options,
    now: Stamp,
    ask: &mut dyn FnMut(&Request) -> Result<Reply, Failure>,
) -> Result<Vec<String>, Failure> {
    let end = window::end(options, now)?;
    let scope = Scope { options, indices: window::indices(options, end, &mut |_| ())?, end };
    let query = match (options.kind, &options.id) {
        (Kind::Exists, Some(id)) => by_id(id),
        (Kind::Ratio, _) => scope.query(options.dividend.as_deref().unwrap_or(EVERYTHING)),
        _ => scope.query(options.query.as_deref().unwrap_or(EVERYTHING)),
    };
    let times = [options.timestamp_field.as_str(), "when", "@timestamp", "eventTime"];
    let fields: Vec<&str> =
        [WHO, FROM, WHAT, OBJECT, WHERE, REGION, OUTCOME, TEXT, &times].into_iter().flatten().copied().collect();
    let documents = ask(&scope.newest(query, DOCUMENTS_MAX, &fields))?.documents()?;
    Ok(rows(&documents, &times))
}

fn rows(documents: &[Json], times: &[&str]) -> Vec<String> {
    // What is said to (how often, when last, in which order it came).
    let mut said: BTreeMap<String, (usize, String, usize)> = BTreeMap::new();
    for (at, source) in documents.iter().filter_map(|document| document.get("_source")).enumerate() {
        let (times_seen, _, _) =
            said.entry(sentence(source)).or_insert_with(|| (0, first(source, times).unwrap_or_default(), at));
        *times_seen += 1;
    }
    let mut rows: Vec<_> = said.into_iter().collect();
    rows.sort_by_key(|(_, (times_seen, _, at))| (std::cmp::Reverse(*times_seen), *at));
    let more = rows.len().saturating_sub(ROWS_MAX);
    let mut lines: Vec<String> = rows
        .into_iter()
        .take(ROWS_MAX)
        .map(|(text, (times_seen, last, _))| match (times_seen, last.as_str()) {
            (1, last) => format!("{last} {text}").trim().to_owned(),
            (_, last) => format!("{last} {text} ({times_seen} times)").trim().to_owned(),
        })
        .collect();
    if more > 0 {
        lines.push(format!("… and {more} more of the newest {}", documents.len()));
    }
    lines
}

/// alice from 198.51.100.7: AuthorizeSecurityGroupIngress sg-1 in 111122223333 eu-central-1 (failure)
fn sentence(source: &Json) -> String {
    let what = [first(source, WHAT), first(source, OBJECT)].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let who = first(source, WHO);
    if who.is_none() && what.is_empty() {
        return first(source, TEXT).unwrap_or_else(|| "a document without who and what".to_owned());
    }
    let mut text = who.unwrap_or_else(|| "somebody".to_owned());
    if let Some(from) = first(source, FROM) {
        text.push_str(&format!(" from {from}"));
    }
    text.push_str(": ");
    text.push_str(if what.is_empty() { "something" } else { &what });
    let place: Vec<String> = [first(source, WHERE), first(source, REGION)].into_iter().flatten().collect();
    if !place.is_empty() {
        text.push_str(&format!(" in {}", place.join(" ")));
    }
    if let Some(outcome) = first(source, OUTCOME).filter(|outcome| outcome != "success") {
        text.push_str(&format!(" ({outcome})"));
    }
    text
}

/// The first of these fields that has a value, safe to show.
fn first(source: &Json, fields: &[&str]) -> Option<String> {
    fields.iter().find_map(|field| shown(value(source, field)?))
}

/// Documents may write `user.name` as objects or as one name with a dot, and both at once.
fn value<'j>(source: &'j Json, field: &str) -> Option<&'j Json> {
    if let Some(value) = source.get(field) {
        return Some(value);
    }
    let dots = field.match_indices('.').map(|(at, _)| at);
    dots.filter_map(|at| field.split_at_checked(at))
        .find_map(|(object, rest)| value(source.get(object)?, rest.trim_start_matches('.')))
}

fn shown(value: &Json) -> Option<String> {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(is) => is.to_string(),
        Json::Array(list) => return list.first().and_then(shown),
        Json::Null | Json::Object(_) => return None,
    };
    let cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    let safe = escape::line(&cut).replace('|', "\\u{7c}");
    // With quotes where it could be taken for two values.
    let is_plain = !safe.is_empty() && !safe.contains(|c: char| c.is_whitespace() || c == '"');
    let safe = if is_plain { safe } else { format!("\"{}\"", safe.replace('"', "\\\"")) };
    (!text.is_empty()).then(|| safe + more)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(documents: Json, expected: &[&str]) {
        let documents: Vec<Json> =
            documents.as_array().expect("a list").iter().map(|source| json!({"_source": source})).collect();
        assert_eq!(rows(&documents, &["@timestamp", "when"]), expected);
    }

    #[test]
    fn documents_of_every_origin_are_told_alike() {
        check(
            json!([
                {"when": "2026-11-20T10:11:12Z", "who": {"name": "alice", "ip": "198.51.100.7"}, "what": {"action": "ssh.login"},
                 "where": {"host": "web-1"}, "outcome": "failure"},
                {"@timestamp": "2026-11-20T10:11:11.000Z", "eventName": "AuthorizeSecurityGroupIngress",
                 "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/Admin/bob"},
                 "sourceIPAddress": "198.51.100.8", "requestParameters": {"groupId": "sg-1"}, "awsRegion": "eu-central-1",
                 "recipientAccountId": "111122223333"},
                {"@timestamp": "2026-11-20T10:11:10Z", "user.name": "carol", "event": {"action": "added-user", "outcome": "success"},
                 "host": {"name": "db-1"}},
                {"message": "disk full"},
                {"x": 1}
            ]),
            &[
                "2026-11-20T10:11:12Z alice from 198.51.100.7: ssh.login in web-1 (failure)",
                "2026-11-20T10:11:11.000Z arn:aws:sts::111122223333:assumed-role/Admin/bob from 198.51.100.8: \
                 AuthorizeSecurityGroupIngress sg-1 in 111122223333 eu-central-1",
                "2026-11-20T10:11:10Z carol: added-user in db-1",
                "\"disk full\"",
                "a document without who and what",
            ],
        );
    }

    #[test]
    fn what_is_the_same_is_one_row_and_the_most_frequent_is_first() {
        let one = |who: &str, when: &str| json!({"when": when, "who": {"name": who}, "what": {"action": "a"}});
        check(
            json!([one("alice", "4"), one("bob", "3"), one("bob", "2"), one("carol", "1")]),
            &["3 bob: a (2 times)", "4 alice: a", "1 carol: a"],
        );
        let many: Vec<Json> = (0..40).map(|n| one(&format!("u{n}"), "1")).collect();
        let documents: Vec<Json> = many.iter().map(|source| json!({"_source": source})).collect();
        let rows = rows(&documents, &["when"]);
        assert_eq!(rows.len(), ROWS_MAX + 1);
        assert_eq!(rows.last().map(String::as_str), Some("… and 30 more of the newest 40"));
    }

    #[test]
    fn hostile_values_are_cut_quoted_and_escaped() {
        check(
            json!([{"who": {"name": "a\u{1b}[2J\n| 'x'=1"}, "what": {"action": "b".repeat(5_000)}, "where": {"host": "x\u{202e}y"}},
                   {"who": {"name": ["first", "second"]}, "what": {"action": {"not": "text"}}, "outcome": "say \"hi\""}]),
            &[
                &format!("\"a\\u{{1b}}[2J\\n\\u{{7c}} 'x'=1\": {}… in x\\u{{202e}}y", "b".repeat(80)),
                "first: something (\"say \\\"hi\\\"\")",
            ],
        );
    }
}
