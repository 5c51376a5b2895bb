//! Deletes what the cluster has of one trail.

use serde_json::{Value as Json, json};
use tracing::info;

use super::field;
use crate::cluster::{Body, Cluster, Failure, Method};
use crate::config::index::Names;
use crate::index::IndexError;

/// How many documents are deleted by one request.
const AT_ONCE: usize = 5_000;

/// Indices of one pattern: a day each for centuries.
const INDICES_MAX: usize = 100_000;

/// Everything of a trail, whatever index it lies in. An index that holds nothing else goes as a whole.
pub(super) fn forget_all(cluster: &Cluster, names: &Names, origin: &str) -> Result<(), IndexError> {
    let all = names.all();
    refresh(cluster, &all)?;
    for index in holding(cluster, &all, origin)? {
        refresh(cluster, &index)?;
        match count(cluster, &index, &json!({"bool": {"must_not": [is_of(origin)]}}))? {
            0 => {
                cluster.ask(Method::Delete, &format!("/{index}"), Body::None)?;
                info!(index, "An index of the cluster is deleted, to be made anew.");
            }
            _ => while forget_some(cluster, &index, &is_of(origin))? > 0 {},
        }
    }
    Ok(())
}

/// An index of events that need not be found any more: as a whole, unless another trail has newer ones there.
pub(super) fn forget_before(cluster: &Cluster, index: &str, origin: &str, kept_from: i64) -> Result<(), IndexError> {
    let newer = json!({"range": {format!("{}.when", field::MICROS): {"gte": kept_from}}});
    let counted = refresh(cluster, index).and_then(|()| count(cluster, index, &newer));
    match counted {
        // Another writer into the same cluster was first.
        Err(IndexError::Cluster(failure)) if failure.status() == Some(404) => Ok(()),
        Err(error) => Err(error),
        Ok(0) => match cluster.ask(Method::Delete, &format!("/{index}"), Body::None) {
            Err(failure) if failure.status() != Some(404) => Err(failure.into()),
            _ => Ok(()),
        },
        Ok(_) => {
            while forget_some(cluster, index, &is_of(origin))? > 0 {}
            Ok(())
        }
    }
}

/// How many documents of a trail there are from a place on.
pub(super) fn count_from(cluster: &Cluster, names: &Names, origin: &str, place: u64) -> Result<u64, IndexError> {
    let all = names.all();
    refresh(cluster, &all)?;
    let from = json!({"range": {field::SEQ: {"gte": place}}});
    count(cluster, &all, &json!({"bool": {"filter": [is_of(origin), from]}}))
}

fn refresh(cluster: &Cluster, indices: &str) -> Result<(), IndexError> {
    cluster.ask(Method::Post, &format!("/{indices}/_refresh?allow_no_indices=true"), Body::None)?;
    Ok(())
}

pub(super) fn is_of(origin: &str) -> Json {
    json!({"term": {field::TRAIL: origin}})
}

/// The indices that have documents of a trail.
fn holding(cluster: &Cluster, all: &str, origin: &str) -> Result<Vec<String>, IndexError> {
    let body = json!({
        "size": 0,
        "query": is_of(origin),
        "aggs": {"indices": {"terms": {"field": "_index", "size": INDICES_MAX}}},
    });
    let path = format!("/{all}/_search?allow_no_indices=true&allow_partial_search_results=false");
    let answer = cluster.ask(Method::Post, &path, Body::json(&body))?;
    // Where there is no index at all there are no aggregations either.
    if answer.pointer("/_shards/total").and_then(Json::as_u64) == Some(0) {
        return Ok(Vec::new());
    }
    let buckets = answer.pointer("/aggregations/indices/buckets").and_then(Json::as_array);
    let names = buckets.ok_or_else(|| garbled(cluster))?.iter().filter_map(|bucket| bucket.get("key")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

fn count(cluster: &Cluster, index: &str, query: &Json) -> Result<u64, IndexError> {
    let answer = cluster.ask(
        Method::Post,
        &format!("/{index}/_count?allow_no_indices=true"),
        Body::json(&json!({"query": query})),
    )?;
    let whole = answer.pointer("/_shards/failed").and_then(Json::as_u64) == Some(0);
    let count = answer.get("count").and_then(Json::as_u64).filter(|_| whole);
    Ok(count.ok_or_else(|| Failure::Cut { node: cluster.name(), problem: "some shards did not answer".to_owned() })?)
}

fn forget_some(cluster: &Cluster, index: &str, query: &Json) -> Result<usize, IndexError> {
    let body = json!({"size": AT_ONCE, "_source": false, "query": query, "sort": ["_doc"]});
    let path = format!("/{index}/_search?allow_partial_search_results=false");
    let answer = cluster.ask(Method::Post, &path, Body::json(&body))?;
    let hits = answer.pointer("/hits/hits").and_then(Json::as_array);
    let hits = hits.ok_or_else(|| garbled(cluster))?;
    let ids: Vec<&str> = hits.iter().filter_map(|hit| hit.get("_id")?.as_str()).collect();
    delete(cluster, ids.iter().map(|id| (index, *id)))?;
    refresh(cluster, index)?;
    Ok(ids.len())
}

/// Deletes documents by index and id.
pub(super) fn delete<'d>(
    cluster: &Cluster,
    documents: impl IntoIterator<Item = (&'d str, &'d str)>,
) -> Result<(), IndexError> {
    let (mut lines, mut sent) = (String::new(), 0);
    for (index, id) in documents {
        lines.push_str(&json!({"delete": {"_index": index, "_id": id}}).to_string());
        lines.push('\n');
        sent += 1;
    }
    if lines.is_empty() {
        return Ok(());
    }
    let answer =
        cluster.ask(Method::Post, "/_bulk?filter_path=items.*.status,items.*.error", Body::Lines(lines.into()))?;
    let items = answer.get("items").and_then(Json::as_array).filter(|items| items.len() == sent);
    let items = items.ok_or_else(|| garbled(cluster))?;
    let failed = items.iter().filter_map(|item| item.get("delete")).find(|item| {
        let status = item.get("status").and_then(Json::as_u64).unwrap_or(500);
        status >= 300 && status != 404
    });
    match failed {
        None => Ok(()),
        Some(item) => {
            let reason = item.pointer("/error/reason").and_then(Json::as_str).unwrap_or("a document cannot be deleted");
            Err(Failure::Busy { node: cluster.name(), status: 429, reason: reason.to_owned(), after: None }.into())
        }
    }
}

fn garbled(cluster: &Cluster) -> IndexError {
    Failure::Garbled { node: cluster.name() }.into()
}
