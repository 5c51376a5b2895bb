//! What has to be there before anything is written: a cluster that is known, the template, and the index itself with
//! the fields of this version.
//!
//! A template that is gone, or an index that somebody made, would let the cluster guess what fields are: then queries
//! would mean something else there.

use serde_json::Value as Json;
use tracing::info;

use crate::cluster::{Body, Cluster, Failure, Method};
use crate::config::index::Elastic;
use crate::index::IndexError;
use crate::index::elastic::template::{fingerprint, marked_for, template};

/// The name of the template; its pattern is behind it, so that two configurations do not fight.
fn name(settings: &Elastic) -> String {
    settings.names.all().trim_end_matches(['*', '-', '.', '_']).to_owned()
}

/// Returns the cluster's own id.
pub(super) fn prepare(cluster: &Cluster, settings: &Elastic) -> Result<String, IndexError> {
    let server = cluster.server()?;
    let path = format!("/_index_template/{}", name(settings));
    let wanted = template(settings);
    if settings.puts_template {
        if !is_there(cluster, &path, &wanted)? {
            cluster.ask_again(Method::Put, &path, Body::json(&wanted))?;
            info!(cluster = cluster.name(), %server, "The index template was put there.");
        }
    } else if !is_there(cluster, &path, &wanted)? {
        let what = format!(
            "the index template {} is not the one of this version: put there what `whodid index template` prints, or set put_template = true",
            name(settings)
        );
        return Err(Failure::Setup(what).into());
    }
    Ok(server.cluster)
}

/// Whether the template of this version is there, by the mark in its `_meta`.
fn is_there(cluster: &Cluster, path: &str, wanted: &Json) -> Result<bool, IndexError> {
    let answer = match cluster.ask_again(Method::Get, path, Body::None) {
        Ok(answer) => answer,
        Err(failure) if failure.status() == Some(404) => return Ok(false),
        Err(failure) => return Err(failure.into()),
    };
    let mark = answer.pointer("/index_templates/0/index_template/_meta");
    Ok(mark.is_some() && mark == wanted.get("_meta"))
}

/// Makes an index ready to be written to, or says why it cannot be.
pub(super) async fn ensure(cluster: &Cluster, settings: &Elastic, index: &str) -> Result<(), Failure> {
    if marks(cluster, index).await?.is_none() {
        let made = template(settings);
        let body = made.get("template").map(Body::json).unwrap_or(Body::None);
        match cluster.ask_again_async(Method::Put, &format!("/{index}"), body).await {
            Ok(_) => {}
            // Another writer was first.
            Err(failure) if failure.is("resource_already_exists_exception") => {}
            Err(failure) => return Err(blocked(failure)),
        }
    }
    let marks = marks(cluster, index).await?.unwrap_or_default();
    if marks.iter().any(|mark| mark == fingerprint()) {
        return Ok(());
    }
    // Fields may be added, but none can become another.
    let all = marks.iter().map(String::as_str).chain([fingerprint()]);
    let added = cluster.ask_again_async(Method::Put, &format!("/{index}/_mapping"), Body::json(&marked_for(all))).await;
    match added {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_passing() => Err(failure),
        Err(failure) => Err(Failure::Setup(format!(
            "the index {index} has other fields than this version writes ({failure}): delete it, or name another `pattern` under [index]"
        ))),
    }
}

/// Whether an index is there with the fields of this version.
pub(super) async fn is_ready(cluster: &Cluster, index: &str) -> Result<bool, Failure> {
    let marks = marks(cluster, index).await?.unwrap_or_default();
    Ok(marks.iter().any(|mark| mark == fingerprint()))
}

/// Too many indices, or a cluster that takes nothing for now: somebody, or the cluster itself, lifts that.
fn blocked(failure: Failure) -> Failure {
    match failure {
        Failure::Refused { node, status, kind, reason }
            if kind.contains("block_exception") || kind == "validation_exception" || reason.contains("shards open") =>
        {
            Failure::Busy { node, status, reason, after: None }
        }
        other => other,
    }
}

/// The versions whose fields an index has; none if it is not there.
async fn marks(cluster: &Cluster, index: &str) -> Result<Option<Vec<String>>, Failure> {
    let path = format!("/{index}/_mapping?filter_path=*.mappings._meta");
    match cluster.ask_again_async(Method::Get, &path, Body::None).await {
        Ok(answer) => {
            let schemas = answer.get(index).and_then(|index| index.pointer("/mappings/_meta/schemas"));
            let schemas = schemas.and_then(Json::as_array).into_iter().flatten();
            Ok(Some(schemas.filter_map(Json::as_str).map(str::to_owned).collect()))
        }
        Err(failure) if failure.status() == Some(404) => Ok(None),
        Err(failure) => Err(failure),
    }
}
