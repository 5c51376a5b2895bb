//! Speaks HTTP to an Elasticsearch or OpenSearch cluster: several nodes, TLS, logins, and errors in words.
//!
//! Blocking, as whoever asks an index is: callers in async code use `spawn_blocking`. It knows paths and
//! bodies, and nothing of events. Anything that was asked may be asked again: whoever writes names what
//! is written by id.

mod failure;
mod login;
mod server;
mod sign;

pub use failure::Failure;
pub use login::{Access, Login, Secret};
pub use server::{Distribution, Server};

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::headers::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use elasticsearch::http::transport::{SingleNodeConnectionPool, Transport, TransportBuilder};
use serde_json::Value as Json;
use tokio::runtime::{Builder, Runtime};
use url::Url;

pub use elasticsearch::http::Method;

use sign::Signer;

/// Answers beyond this are refused where the cluster says ahead how long they are; what is asked for is far smaller.
pub const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// A node that was not there is asked last for so long.
const SHUNNED: Duration = Duration::from_secs(60);

/// One question, with pauses of four seconds in all.
const TRIES: u32 = 7;
const AGAIN_AFTER: Duration = Duration::from_millis(50);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(2);

/// A connection to one cluster; shared by whoever speaks to it.
pub struct Cluster {
    nodes: Vec<Node>,
    /// Whose turn it is.
    turn: AtomicUsize,
    signer: Option<Signer>,
    timeout: Duration,
    runtime: &'static Runtime,
}

struct Node {
    /// Until then the others are asked first.
    shunned: Mutex<Option<Instant>>,
    url: Url,
    /// For messages: without a login.
    name: String,
    transport: Transport,
}

/// What is sent along.
#[derive(Debug, Clone)]
pub enum Body {
    None,
    Json(Bytes),
    /// Newline-delimited JSON, packed with gzip.
    PackedLines(Bytes),
    /// The same as it is.
    Lines(Bytes),
}

impl Body {
    pub fn json(value: &Json) -> Self {
        Self::Json(value.to_string().into())
    }

    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Json(bytes) | Self::PackedLines(bytes) | Self::Lines(bytes) => bytes.len(),
        }
    }

    fn describe(&self, headers: &mut HeaderMap) {
        let kind = match self {
            Self::None | Self::Json(_) => "application/json",
            Self::PackedLines(_) | Self::Lines(_) => "application/x-ndjson",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if matches!(self, Self::PackedLines(_)) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }

    fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::None => None,
            Self::Json(bytes) | Self::PackedLines(bytes) | Self::Lines(bytes) => Some(bytes.clone()),
        }
    }
}

/// What was answered, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

impl Cluster {
    /// Makes the clients; asks nothing yet.
    pub fn new(access: &Access) -> Result<Self, Failure> {
        let headers = headers_of(&access.headers)?;
        let node = |url: &Url| {
            let mut builder =
                TransportBuilder::new(SingleNodeConnectionPool::new(url.clone())).headers(headers.clone());
            builder = builder.enable_meta_header(false);
            if let Some(credentials) = access.login.credentials() {
                builder = builder.auth(credentials);
            }
            if let Some(pem) = &access.ca {
                let chain = Certificate::from_pem(pem)
                    .map_err(|error| Failure::Setup(format!("the certificate authority: {error}")))?;
                builder = builder.cert_validation(CertificateValidation::Full(chain));
            }
            let transport = builder.build().map_err(|error| Failure::Setup(error.to_string()))?;
            Ok(Node { shunned: Mutex::default(), url: url.clone(), name: named(url), transport })
        };
        let nodes = access.nodes.iter().map(node).collect::<Result<Vec<_>, Failure>>()?;
        if nodes.is_empty() {
            return Err(Failure::Setup("no node is named".to_owned()));
        }
        Ok(Self {
            nodes,
            turn: AtomicUsize::new(0),
            signer: access.login.signer(),
            timeout: access.timeout,
            runtime: runtime()?,
        })
    }

    /// Asks and takes the answer as JSON; a status of 400 and more is an error.
    pub fn ask(&self, method: Method, path: &str, body: Body) -> Result<Json, Failure> {
        self.block_on(self.ask_async(method, path, body))
    }

    pub async fn ask_async(&self, method: Method, path: &str, body: Body) -> Result<Json, Failure> {
        let (node, reply) = self.send(method, path, body).await?;
        failure::of_status(node, &reply)?;
        serde_json::from_slice(&reply.body).map_err(|_| Failure::Garbled { node: node.to_owned() })
    }

    /// The same, and once more where the answer was lost or the cluster has too much to do: for a single question
    /// before much work, or after it, which would have to be done again.
    pub fn ask_again(&self, method: Method, path: &str, body: Body) -> Result<Json, Failure> {
        self.block_on(self.ask_again_async(method, path, body))
    }

    pub async fn ask_again_async(&self, method: Method, path: &str, body: Body) -> Result<Json, Failure> {
        let mut pause = AGAIN_AFTER;
        for _ in 1..TRIES {
            let wait = match self.ask_async(method, path, body.clone()).await {
                Err(Failure::Busy { after, .. }) => after.unwrap_or(pause).clamp(pause, AGAIN_AFTER_MAX),
                Err(Failure::Cut { .. }) => pause,
                // Who cannot be reached now cannot be in a second.
                answer => return answer,
            };
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(AGAIN_AFTER_MAX);
        }
        self.ask_async(method, path, body).await
    }

    /// Asks and takes whatever is answered.
    pub fn reply(&self, method: Method, path: &str, body: Body) -> Result<Reply, Failure> {
        self.block_on(self.send(method, path, body)).map(|(_, reply)| reply)
    }

    /// The same for whoever has several requests on their way.
    pub async fn reply_async(&self, method: Method, path: &str, body: Body) -> Result<Reply, Failure> {
        self.send(method, path, body).await.map(|(_, reply)| reply)
    }

    /// Fails where the status of an answer says that it was not done.
    pub fn check(&self, reply: &Reply) -> Result<(), Failure> {
        failure::of_status(&self.name(), reply)
    }

    /// Does several things at a time on the threads that drive the connections.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Of an answer to several requests, one that has a status of its own.
    pub fn judge(&self, part: &Json) -> Result<(), Failure> {
        let status = part.get("status").and_then(Json::as_u64).and_then(|status| u16::try_from(status).ok());
        match (status, part.get("error")) {
            (Some(status), None) if status < 400 => Ok(()),
            // Where none is given, something is wrong.
            (status, _) => {
                let body = Bytes::from(part.to_string());
                failure::of_status(
                    &self.name(),
                    &Reply { status: status.unwrap_or(500).max(400), retry_after: None, body },
                )
            }
        }
    }

    /// Which software answers, and its version.
    pub fn server(&self) -> Result<Server, Failure> {
        server::of(self)
    }

    /// All nodes, for messages.
    pub fn name(&self) -> String {
        self.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// To the next node; where one cannot be reached or gives no whole answer, to the others, once each.
    async fn send(&self, method: Method, path: &str, body: Body) -> Result<(&str, Reply), Failure> {
        let mut failure = None;
        for node in self.in_turn() {
            match self.send_to(node, method, path, &body).await {
                Ok(reply) => return Ok((&node.name, reply)),
                Err(absent @ (Failure::Unreachable { .. } | Failure::Cut { .. })) => {
                    node.shun(Instant::now() + SHUNNED);
                    failure = Some(absent);
                }
                Err(other) => return Err(other),
            }
        }
        Err(failure.unwrap_or_else(|| Failure::Setup("no node is named".to_owned())))
    }

    /// The nodes, another one first each time, and those last that were not there lately.
    fn in_turn(&self) -> impl Iterator<Item = &Node> {
        let first = self.turn.fetch_add(1, Relaxed) % self.nodes.len().max(1);
        let (behind, ahead) = self.nodes.split_at(first);
        let now = Instant::now();
        let mut nodes: Vec<&Node> = ahead.iter().chain(behind).collect();
        nodes.sort_by_key(|node| node.is_shunned(now));
        nodes.into_iter()
    }

    async fn send_to(&self, node: &Node, method: Method, path: &str, body: &Body) -> Result<Reply, Failure> {
        let mut headers = HeaderMap::new();
        body.describe(&mut headers);
        // Packed answers do not say how long they are.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(signer) = &self.signer {
            let url = node.url.join(path.trim_start_matches('/')).map_err(|error| Failure::Setup(error.to_string()))?;
            signer.sign(method, &url, &body.bytes().unwrap_or_default(), &mut headers).await?;
        }
        let sent = node.transport.send(method, path, headers, None::<&()>, body.bytes(), Some(self.timeout)).await;
        let response = sent.map_err(|error| failure::of_error(&node.name, &error, body.len()))?;
        if response.content_length().is_some_and(|length| length > ANSWER_BYTES_MAX) {
            return Err(Failure::TooLong { node: node.name.clone(), most: ANSWER_BYTES_MAX });
        }
        let status = response.status_code().as_u16();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.bytes().await.map_err(|error| failure::of_error(&node.name, &error, body.len()))?;
        Ok(Reply { status, retry_after: retry_after.map(Duration::from_secs), body })
    }
}

impl Node {
    fn shun(&self, until: Instant) {
        *self.shunned.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    fn is_shunned(&self, now: Instant) -> bool {
        self.shunned.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| now < until)
    }
}

fn headers_of(pairs: &[(String, Secret)]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let bad = || Failure::Setup(format!("\"{name}\" is no header that HTTP knows"));
        let name = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
        let mut value = HeaderValue::try_from(value.reveal()).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// An address without what is secret in it.
fn named(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path().trim_end_matches('/'))
}

/// One for the program: what waits for a cluster waits for little else.
fn runtime() -> Result<&'static Runtime, Failure> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let made = RUNTIME
        .get_or_init(|| Builder::new_multi_thread().worker_threads(2).thread_name("cluster").enable_all().build().ok());
    made.as_ref().ok_or_else(|| Failure::Setup("the system gives no more threads".to_owned()))
}
