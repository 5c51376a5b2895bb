//! What lies under an id already: the same entry, written before an answer was lost, or something else.

use serde_json::{Value as Json, json};
use tracing::warn;

use super::batch::{Document, Operation};
use crate::cluster::{Body, Cluster, Failure, Method};
use crate::index::elastic::field;

/// Those of `documents` that have to be sent again: where nothing lies any more, and where what lies there is not the
/// entry of the trail.
pub(super) async fn resolve(
    cluster: &Cluster,
    documents: Vec<Document>,
) -> Result<Vec<Document>, (Vec<Document>, Failure)> {
    let wanted: Vec<Json> = documents
        .iter()
        .map(|document| json!({"_index": document.index, "_id": document.id, "_source": [field::SEQ, field::LEAF]}))
        .collect();
    let asked = cluster.ask_async(Method::Post, "/_mget", Body::json(&json!({"docs": wanted}))).await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(failure) => return Err((documents, failure)),
    };
    let found = answer.get("docs").and_then(Json::as_array).filter(|found| found.len() == documents.len());
    let Some(found) = found else {
        let problem = "the answer does not speak of every document".to_owned();
        return Err((documents, Failure::Cut { node: cluster.name(), problem }));
    };
    let mut again = Vec::new();
    for (mut document, found) in documents.into_iter().zip(found) {
        match found.get("_source").filter(|_| found.get("found") == Some(&Json::Bool(true))) {
            Some(source) if is_same(&document, source) => {}
            Some(_) => {
                warn!(
                    seq = document.seq,
                    index = document.index,
                    "Another document lies where an event belongs: it is replaced."
                );
                document.operation = Operation::Replace;
                again.push(document);
            }
            // It was deleted since, or its shard did not answer: creating it again shows which.
            None => again.push(document),
        }
    }
    Ok(again)
}

fn is_same(document: &Document, source: &Json) -> bool {
    source.get(field::SEQ).and_then(Json::as_u64) == Some(document.seq)
        && source.get(field::LEAF).and_then(Json::as_str) == Some(&document.leaf)
}
