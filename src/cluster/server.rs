//! Which software answers.

use elasticsearch::http::Method;
use serde_json::Value as Json;

use super::{Body, Cluster, Failure};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    Elasticsearch,
    OpenSearch,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub distribution: Distribution,
    /// Major and minor.
    pub version: (u32, u32),
    /// As it says itself.
    pub text: String,
    /// Of the cluster: another one that answers at the same address has another.
    pub cluster: String,
}

impl Server {
    /// Composable index templates came with Elasticsearch 7.8, `_bulk` with typeless `create` before; 7.10 is where
    /// OpenSearch came from, and what Amazon's service calls itself for old clients.
    pub fn is_known(&self) -> bool {
        match self.distribution {
            Distribution::Elasticsearch => (7, 10) <= self.version && self.version.0 <= 9,
            Distribution::OpenSearch => (1..=3).contains(&self.version.0),
        }
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.distribution {
            Distribution::Elasticsearch => "Elasticsearch",
            Distribution::OpenSearch => "OpenSearch",
        };
        write!(f, "{name} {}", self.text)
    }
}

/// Asks `GET /`; where nobody may ask that, or the cluster has no such page, a node.
pub(super) fn of(cluster: &Cluster) -> Result<Server, Failure> {
    let server = match cluster.ask_again(Method::Get, "/", Body::None) {
        Ok(page) => of_page(&page).zip(page.get("cluster_uuid").and_then(Json::as_str).map(str::to_owned)),
        Err(Failure::Refused { .. } | Failure::Denied { .. }) => {
            let nodes = cluster.ask_again(
                Method::Get,
                "/_nodes/_local?filter_path=nodes.*.version,nodes.*.build_flavor",
                Body::None,
            )?;
            let state =
                cluster.ask_again(Method::Get, "/_cluster/state/version?filter_path=cluster_uuid", Body::None)?;
            of_nodes(&nodes).zip(state.get("cluster_uuid").and_then(Json::as_str).map(str::to_owned))
        }
        Err(failure) => return Err(failure),
    };
    match server {
        // A node that has no master yet speaks for no cluster.
        Some((_, uuid)) if matches!(uuid.as_str(), "" | "_na_") => {
            let (node, reason) = (cluster.name(), "it has no master".to_owned());
            Err(Failure::Busy { node, status: 503, reason, after: None })
        }
        Some((server, cluster)) if server.is_known() => Ok(Server { cluster, ..server }),
        Some((server, _)) => Err(Failure::Version { node: cluster.name(), found: server.to_string() }),
        None => Err(Failure::Garbled { node: cluster.name() }),
    }
}

fn of_page(page: &Json) -> Option<Server> {
    let version = page.get("version")?;
    let text = version.get("number")?.as_str()?;
    let distribution = match version.get("distribution").and_then(Json::as_str) {
        Some("opensearch") => Distribution::OpenSearch,
        _ => Distribution::Elasticsearch,
    };
    of_text(distribution, text)
}

/// Only Elasticsearch names the flavour of its build.
fn of_nodes(answer: &Json) -> Option<Server> {
    let node = answer.get("nodes")?.as_object()?.values().next()?;
    let text = node.get("version")?.as_str()?;
    let is_elastic = node.get("build_flavor").is_some();
    of_text(if is_elastic { Distribution::Elasticsearch } else { Distribution::OpenSearch }, text)
}

fn of_text(distribution: Distribution, text: &str) -> Option<Server> {
    let mut numbers = text.split(['.', '-']).map(|part| part.parse::<u32>().ok());
    let version = (numbers.next()??, numbers.next()??);
    Some(Server {
        distribution,
        version,
        text: text.chars().filter(|c| c.is_ascii_graphic()).take(40).collect(),
        cluster: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_server_is_known_by_what_it_says() {
        let page = |number: &str, distribution: Json| {
            of_page(&json!({"version": {"number": number, "distribution": distribution}})).expect("a server")
        };
        let opensearch = page("3.3.0", json!("opensearch"));
        assert_eq!((opensearch.to_string().as_str(), opensearch.is_known()), ("OpenSearch 3.3.0", true));
        for (number, is_known) in
            [("7.9.3", false), ("7.10.2", true), ("8.0.0-rc1", true), ("9.1.0", true), ("10.0.0", false)]
        {
            assert_eq!(page(number, Json::Null).is_known(), is_known, "{number}");
        }
        assert!(!page("4.0.0", json!("opensearch")).is_known());
        assert_eq!(of_page(&json!({"version": {"number": "x"}})), None);
        assert_eq!(of_page(&json!([])), None);
        let node = json!({"nodes": {"a": {"version": "9.1.0", "build_flavor": "default"}}});
        assert_eq!(of_nodes(&node).expect("a server").to_string(), "Elasticsearch 9.1.0");
    }
}
