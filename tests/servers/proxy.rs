//! Faults in front of a real server, as networks and busy clusters have them.
//!
//! Which request or document is hit follows from the seed and from how many came before it, so that a run can be
//! done again. A document that "fails" never reaches the server; an answer that is "lost" or cut is lost after
//! the server did what was asked. [`Proxy::dealt`] says how often each fault was dealt: a test that met none
//! shows nothing.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::Server;
use super::front::Front;
use super::http::{self, Message};

/// What goes wrong; shares are in percent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// Requests that are answered with 429 and not done.
    pub(crate) busy: u64,
    /// The `Retry-After` of those, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// Documents of `_bulk` that get 429 or 503 each, while those beside them are taken.
    pub(crate) documents: u64,
    /// Requests that are done, and the connection is closed instead of an answer.
    pub(crate) lost: u64,
    /// Requests that are done, and the answer ends in its middle.
    pub(crate) cut: u64,
    /// Requests whose answer drips in over this time.
    pub(crate) slow: u64,
    pub(crate) slowness: Duration,
    /// Requests to `_bulk` with more bytes than this are answered with 413 and not done.
    pub(crate) bytes_max: Option<usize>,
}

/// How often each fault was dealt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dealt {
    pub(crate) requests: u64,
    pub(crate) busy: u64,
    pub(crate) documents: u64,
    pub(crate) lost: u64,
    pub(crate) cut: u64,
    pub(crate) slow: u64,
    pub(crate) too_large: u64,
}

/// Stands in front of a server until it is dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    front: Front,
    state: Arc<State>,
}

struct State {
    behind: String,
    seed: u64,
    faults: Mutex<Faults>,
    dealt: Mutex<Dealt>,
    /// How often each document came.
    tries: Mutex<HashMap<String, u64>>,
}

impl Proxy {
    pub(crate) fn before(server: &Server, seed: u64, faults: Faults) -> Self {
        let state = Arc::new(State {
            behind: server.address().to_owned(),
            seed,
            faults: Mutex::new(faults),
            dealt: Mutex::default(),
            tries: Mutex::default(),
        });
        let serving = Arc::clone(&state);
        // A client that goes away in the middle is none of a test's business, nor is a server that was killed.
        let front = Front::new(move |client| serving.serve(client).unwrap_or_default());
        Self { url: format!("http://{}", front.address()), front, state }
    }

    /// Connections are refused from now on.
    pub(crate) fn close(&mut self) {
        self.front.close();
    }

    pub(crate) fn open(&mut self) {
        self.front.open();
    }

    /// From now on these faults.
    pub(crate) fn set(&self, faults: Faults) {
        *self.state.faults.lock().expect("held shortly") = faults;
    }

    pub(crate) fn dealt(&self) -> Dealt {
        self.state.dealt().clone()
    }
}

impl State {
    fn dealt(&self) -> MutexGuard<'_, Dealt> {
        self.dealt.lock().expect("held shortly")
    }

    fn serve(&self, client: TcpStream) -> io::Result<()> {
        let Some(request) = http::read(&mut BufReader::new(client.try_clone()?), true)? else { return Ok(()) };
        let faults = self.faults.lock().expect("held shortly").clone();
        let number = {
            let mut dealt = self.dealt();
            dealt.requests += 1;
            dealt.requests
        };
        let hits = |fault: &str, percent: u64| self.hits(&(fault, number), percent);
        if hits("busy", faults.busy) {
            self.dealt().busy += 1;
            return busy(faults.retry_after).write(&mut &client);
        }
        let is_bulk = request.target().split('?').next().is_some_and(|path| path.ends_with("/_bulk"));
        if is_bulk && faults.bytes_max.is_some_and(|most| request.body.len() > most) {
            self.dealt().too_large += 1;
            return refusal(413, "Request Entity Too Large", "too many bytes").write(&mut &client);
        }
        let answer = match is_bulk && faults.documents > 0 {
            true => self.bulk(&request, faults.documents)?,
            false => http::pass(&self.behind, &request)?,
        };
        if hits("lost", faults.lost) {
            self.dealt().lost += 1;
            return Ok(());
        }
        if hits("cut", faults.cut) && !answer.body.is_empty() {
            self.dealt().cut += 1;
            let whole = answer.bytes();
            return (&client).write_all(&whole[..whole.len() - answer.body.len().div_ceil(2)]);
        }
        if hits("slow", faults.slow) {
            self.dealt().slow += 1;
            return drip(&client, &answer.bytes(), faults.slowness);
        }
        answer.write(&mut &client)
    }

    fn hits(&self, what: &impl std::hash::Hash, percent: u64) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.seed, what).hash(&mut hasher);
        hasher.finish() % 100 < percent
    }

    /// Passes on the documents that are not hit, and says of each other one that it failed.
    fn bulk(&self, request: &Message, percent: u64) -> io::Result<Message> {
        let (mut passed, mut fates) = (String::new(), Vec::new());
        let text = String::from_utf8(unpacked(request)?).map_err(io::Error::other)?;
        let mut lines = text.lines();
        while let (Some(action), Some(document)) = (lines.next(), lines.next()) {
            let said: Json = serde_json::from_str(action).map_err(io::Error::other)?;
            let (operation, target) = said.as_object().and_then(|said| said.iter().next()).expect("an action");
            let id = target["_id"].as_str().unwrap_or_default().to_owned();
            let tries = {
                let mut all = self.tries.lock().expect("held shortly");
                let tries = all.entry(id.clone()).or_default();
                *tries += 1;
                *tries
            };
            let fails = self.hits(&("document", &id, tries), percent);
            fates.push(fails.then(|| failed(operation, &id, tries)));
            if !fails {
                passed += &format!("{action}\n{document}\n");
            }
        }
        self.dealt().documents += fates.iter().flatten().count() as u64;
        if passed.is_empty() {
            let items: Vec<Json> = fates.into_iter().flatten().collect();
            return Ok(answer(200, "OK", &json!({"took": 1, "errors": true, "items": items})));
        }
        // Neither side is packed here: `content-encoding`, `accept-encoding`.
        let headers = request.headers.iter().filter(|(name, _)| !name.ends_with("-encoding")).cloned().collect();
        let rest = Message { line: request.line.clone(), headers, body: passed.into_bytes() };
        let mut said = http::pass(&self.behind, &rest)?;
        if said.status() != 200 {
            return Ok(said);
        }
        let mut body = said.json();
        let mut taken = body["items"].as_array().cloned().expect("one for each").into_iter();
        body["items"] = fates.into_iter().map(|fate| fate.or_else(|| taken.next()).expect("one for each")).collect();
        if body.get("errors").is_some() {
            body["errors"] = json!(true);
        }
        said.body = body.to_string().into_bytes();
        Ok(said)
    }
}

fn answer(status: u16, reason: &str, body: &Json) -> Message {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Message { line: format!("HTTP/1.1 {status} {reason}"), headers, body: body.to_string().into_bytes() }
}

/// As both distributions word it.
pub(crate) fn refusal(status: u16, kind: &str, reason: &str) -> Message {
    answer(status, "Planned", &json!({"error": {"type": kind, "reason": reason}, "status": status}))
}

fn busy(retry_after: Option<u64>) -> Message {
    let mut message = refusal(429, "circuit_breaking_exception", "a planned storm");
    if let Some(seconds) = retry_after {
        message.headers.push(("retry-after".to_owned(), seconds.to_string()));
    }
    message
}

fn failed(operation: &str, id: &str, tries: u64) -> Json {
    let (status, kind) = match tries % 2 {
        0 => (503, "unavailable_shards_exception"),
        _ => (429, "es_rejected_execution_exception"),
    };
    json!({operation: {"_id": id, "status": status, "error": {"type": kind, "reason": "a planned failure"}}})
}

fn unpacked(request: &Message) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match request.header("content-encoding") {
        Some("gzip") => flate2::read::MultiGzDecoder::new(request.body.as_slice()).read_to_end(&mut body)?,
        _ => (&mut request.body.as_slice()).read_to_end(&mut body)?,
    };
    Ok(body)
}

/// In so many pieces.
const DROPS: usize = 20;

fn drip(mut client: &TcpStream, bytes: &[u8], over: Duration) -> io::Result<()> {
    for drop in bytes.chunks(bytes.len().div_ceil(DROPS)) {
        client.write_all(drop)?;
        thread::sleep(over / DROPS as u32);
    }
    Ok(())
}
