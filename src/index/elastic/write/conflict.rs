//! What lies under an id already: the same entry, written before an answer was lost, or something else.

use serde_json::{Value as Json, json};
use tracing::warn;

use super::batch::{Document, Operation};
use crate::cluster::{Body, Cluster, Failure, Method};
use crate::index::elastic::field;
use crate::index::elastic::template::fingerprint;

/// Those of `documents` that have to be sent again: where nothing lies any more, and where what lies there is not the
/// entry of the trail. With a problem, that is not before a pause.
pub(super) async fn resolve(
    cluster: &Cluster,
    documents: Vec<Document>,
) -> Result<(Vec<Document>, Option<Failure>), (Vec<Document>, Failure)> {
    let wanted: Vec<Json> = documents
        .iter()
        .map(|document| json!({"_index": document.index, "_id": document.id, "_source": [field::SEQ, field::LEAF, field::SCHEMA]}))
        .collect();
    let asked = cluster.ask_again_async(Method::Post, "/_mget", Body::json(&json!({"docs": wanted}))).await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(failure) => return Err((documents, failure)),
    };
    let found = answer.get("docs").and_then(Json::as_array).filter(|found| found.len() == documents.len());
    let Some(found) = found else {
        let problem = "the answer does not speak of every document".to_owned();
        return Err((documents, Failure::Cut { node: cluster.name(), problem }));
    };
    let (mut again, mut problem) = (Vec::new(), None);
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
            // It was deleted since, its shard did not answer, or it may not be read: after a pause that shows.
            None => {
                let reason =
                    found.pointer("/error/reason").and_then(Json::as_str).unwrap_or("it is there and not there");
                let reason = format!("{}: {reason}", document.index);
                problem = Some(Failure::Busy { node: cluster.name(), status: 409, reason, after: None });
                again.push(document);
            }
        }
    }
    Ok((again, problem))
}

fn is_same(document: &Document, source: &Json) -> bool {
    source.get(field::SEQ).and_then(Json::as_u64) == Some(document.seq)
        && source.get(field::LEAF).and_then(Json::as_str) == Some(&document.leaf)
        // Of an earlier version: the same entry, found by other terms.
        && source.get(field::SCHEMA).and_then(Json::as_str) == Some(fingerprint())
}
