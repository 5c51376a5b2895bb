//! What is asked of the cluster: the plugin's own request where it has one, so that both count the same documents.
//!
//! The plugin asks `_count` (`_search` for an average) with a query string and a range that excludes both ends. Where
//! names of indices no longer fit into an address (the limit of a server is 4,096 bytes; ten weeks of days reach it)
//! the same query goes by `_msearch`, whose body holds the names; the plugin fails there.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

use super::options::Options;
use super::window;
use chrono::{DateTime, Utc};

/// One round trip.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// With its query, and with everything encoded.
    pub path: String,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A GET.
    None,
    /// A POST.
    Json(Json),
    /// A POST of newline-delimited JSON.
    Lines(String),
}

/// Below the 4,096 bytes of `http.max_initial_line_length`, with room for what a proxy puts before it.
const PATH_BYTES_MAX: usize = 3_000;

/// What may stand in a part of a path (RFC 3986 §3.3), `*` and `,` among it.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'*').remove(b'@');

/// `*` alone finds what has the default field.
pub(super) const EVERYTHING: &str = "*:*";

/// Where is looked, and for which time.
pub(super) struct Scope<'o> {
    pub(super) options: &'o Options,
    pub(super) indices: Vec<String>,
    pub(super) end: DateTime<Utc>,
}

impl Scope<'_> {
    /// How many documents a query finds.
    pub(super) fn count(&self, query: &str) -> Request {
        // The plugin's own: without a window it sends no query, and so counts everything.
        if self.options.is_strict && self.start().is_none() {
            return Request { path: self.path("_count"), body: Body::None };
        }
        let path = self.path("_count");
        match path.len() <= PATH_BYTES_MAX {
            true => Request { path, body: Body::Json(json!({"query": self.query(query)})) },
            false => self.by_lines(json!({"size": 0, "track_total_hits": true, "query": self.query(query)})),
        }
    }

    /// The average of a field; the number of documents is not of interest.
    pub(super) fn average(&self, query: &str, field: &str) -> Request {
        self.search(json!({
            "size": 0,
            "query": self.query(query),
            "aggregations": {"average": {"avg": {"field": field}}}
        }))
    }

    /// The newest documents, and of them only what is shown.
    pub(super) fn newest(&self, query: Json, most: usize, fields: &[&str]) -> Request {
        let newest = json!({(self.options.timestamp_field.as_str()): {"order": "desc", "unmapped_type": "date"}});
        self.search(json!({"size": most, "query": query, "sort": [newest], "_source": fields}))
    }

    /// One document by its id, at once: not only what a refresh has shown. None where several indices are named.
    pub(super) fn document(&self, id: &str) -> Option<Request> {
        let [index] = self.indices.as_slice() else { return None };
        let is_one = index != "_all" && !index.is_empty() && !index.contains(['*', '?']) && !index.starts_with('-');
        let encode = |text| utf8_percent_encode(text, SEGMENT);
        let path = format!("/{}/_doc/{}?_source=false", encode(index), encode(id));
        is_one.then_some(Request { path, body: Body::None })
    }

    /// How many documents have this id, in all indices.
    pub(super) fn documents(&self, id: &str) -> Request {
        self.search(json!({"size": 0, "track_total_hits": true, "query": by_id(id)}))
    }

    /// Whether any index knows a field. None where the names do not fit.
    pub(super) fn field(&self, name: &str) -> Option<Request> {
        let path = format!("{}&fields={}", self.path("_field_caps"), utf8_percent_encode(name, SEGMENT));
        (path.len() <= PATH_BYTES_MAX).then_some(Request { path, body: Body::None })
    }

    /// The query, the window, and what the documents are.
    pub(super) fn query(&self, query: &str) -> Json {
        let Options { field, timestamp_field, types, .. } = self.options;
        let mut must = vec![json!({"query_string": {"default_field": field, "query": query}})];
        if let Some(start) = self.start() {
            must.push(json!({"range": {timestamp_field: {"gt": start, "lt": window::seconds(self.end)}}}));
        }
        match types.as_deref().and_then(of_types) {
            Some(filter) => json!({"bool": {"must": must, "filter": [filter]}}),
            None => json!({"bool": {"must": must}}),
        }
    }

    pub(super) fn start(&self) -> Option<String> {
        window::start_expression(self.options, self.end)
    }

    fn search(&self, body: Json) -> Request {
        let path = self.path("_search");
        match path.len() <= PATH_BYTES_MAX {
            true => Request { path, body: Body::Json(body) },
            false => self.by_lines(body),
        }
    }

    fn by_lines(&self, body: Json) -> Request {
        let header = json!({"index": self.indices, "ignore_unavailable": true});
        Request { path: "/_msearch".to_owned(), body: Body::Lines(format!("{header}\n{body}\n")) }
    }

    fn path(&self, api: &str) -> String {
        let names: Vec<String> =
            self.indices.iter().map(|name| utf8_percent_encode(name, SEGMENT).to_string()).collect();
        format!("/{}/{api}?ignore_unavailable=true", names.join(","))
    }
}

pub(super) fn by_id(id: &str) -> Json {
    json!({"ids": {"values": [id]}})
}

/// Types of documents are gone from the servers since 7; the documents of then carry theirs in the field `type`
/// (Logstash wrote both), those of whodid in `source.kind`. One that says neither is counted: nobody could tell.
fn of_types(types: &str) -> Option<Json> {
    let said = ["type", "source.kind"];
    let mut any: Vec<Json> = Vec::new();
    for name in types.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        any.extend(said.map(|field| json!({"match": {field: {"query": name, "operator": "and", "lenient": true}}})));
    }
    if any.is_empty() {
        return None;
    }
    any.push(json!({"bool": {"must_not": said.map(|field| json!({"exists": {"field": field}}))}}));
    Some(json!({"bool": {"should": any, "minimum_should_match": 1}}))
}
