//! What has to be there before anything is written: a cluster that is known, and the template.

use serde_json::Value as Json;
use tracing::info;

use crate::cluster::{Body, Cluster, Failure, Method};
use crate::config::index::Elastic;
use crate::index::IndexError;
use crate::index::elastic::template;

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
            cluster.ask(Method::Put, &path, Body::json(&wanted))?;
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
    let answer = match cluster.ask(Method::Get, path, Body::None) {
        Ok(answer) => answer,
        Err(failure) if failure.status() == Some(404) => return Ok(false),
        Err(failure) => return Err(failure.into()),
    };
    let mark = answer.pointer("/index_templates/0/index_template/_meta");
    Ok(mark.is_some() && mark == wanted.get("_meta"))
}
