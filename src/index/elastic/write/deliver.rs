//! One batch, until the cluster has confirmed every document of it.

use std::collections::{BTreeSet, HashSet};
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tracing::debug;

use super::batch::{Batch, Document};
use super::conflict;
use super::outcome::{Answer, FILTER, Outcome};
use super::setup;
use crate::cluster::{Body, Cluster, Failure, Method, Reply};
use crate::config::index::Elastic;

/// So long a batch is tried again that makes no progress; then whoever waits for it is told.
const PATIENCE: Duration = Duration::from_secs(20);

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What a cluster may ask for by `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// Carries batches; several at a time.
pub(in crate::index::elastic) struct Courier {
    cluster: Arc<Cluster>,
    settings: Elastic,
    /// Indices that are known to be ready.
    ready: Mutex<HashSet<String>>,
}

/// How it went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Landed {
    /// The cluster asked for less.
    pub(super) pushed_back: bool,
    /// What it took after it had called a request too large.
    pub(super) bytes_max: Option<usize>,
    pub(super) reduced: u64,
    /// Why, for the first of them.
    pub(super) reason: Option<String>,
}

impl Courier {
    pub(in crate::index::elastic) fn new(cluster: Arc<Cluster>, settings: &Elastic) -> Self {
        Self { cluster, settings: settings.clone(), ready: Mutex::default() }
    }

    pub(in crate::index::elastic) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Afterwards the batch holds no documents, or there is a failure that trying again did not mend.
    pub(super) async fn deliver(&self, batch: &mut Batch) -> Result<Landed, Failure> {
        let mut left = std::mem::take(&mut batch.documents);
        let (mut landed, mut backoff, mut at_once) = (Landed::default(), Backoff::new(batch.from), usize::MAX);
        while !left.is_empty() {
            let some = first_bytes(&left, at_once);
            let some_left = left.get(..some).unwrap_or(&left);
            let sent = match self.ensure(some_left).await {
                Ok(()) => self.send(some_left).await,
                Err(failure) => Err(TooLarge::Failed(failure)),
            };
            let before = left.len();
            let problem = match sent {
                Ok(outcomes) => self.sort(&mut left, outcomes, &mut landed).await?,
                Err(TooLarge::Failed(failure)) if failure.is_passing() => Some(failure),
                Err(TooLarge::Failed(failure)) => return Err(failure),
                Err(TooLarge::Bytes(bytes)) => {
                    landed.pushed_back = true;
                    if some > 1 {
                        at_once = bytes / 2;
                        landed.bytes_max = Some(at_once);
                        continue;
                    }
                    self.reduce(left.first_mut(), "the cluster takes no request of that size", &mut landed)?;
                    None
                }
            };
            let Some(failure) = problem else { continue };
            landed.pushed_back = true;
            self.forget_ready();
            if matches!(failure, Failure::Cut { .. }) {
                // Perhaps it takes longer than anybody waits.
                at_once = (batch_bytes(&left) / 2).max(LEAST_BYTES).min(at_once);
            }
            if left.len() < before {
                backoff.reset();
            }
            let after = match &failure {
                Failure::Busy { after, .. } => *after,
                _ => None,
            };
            debug!(%failure, documents = left.len(), "A batch is sent again.");
            let Some(pause) = backoff.next(after) else {
                batch.documents = left;
                return Err(failure);
            };
            tokio::time::sleep(pause).await;
        }
        Ok(landed)
    }

    /// Indices that were not written to before.
    async fn ensure(&self, documents: &[Document]) -> Result<(), Failure> {
        let wanted: BTreeSet<&str> = documents.iter().map(|document| document.index.as_str()).collect();
        for index in wanted {
            if !lock(&self.ready).contains(index) {
                setup::ensure(&self.cluster, &self.settings, index).await?;
                lock(&self.ready).insert(index.to_owned());
            }
        }
        Ok(())
    }

    /// What may have been deleted has to be looked at again before it is written to.
    fn forget_ready(&self) {
        lock(&self.ready).clear();
    }

    async fn send(&self, documents: &[Document]) -> Result<Vec<Outcome>, TooLarge> {
        let mut lines = String::with_capacity(documents.iter().map(Document::bytes).sum());
        documents.iter().for_each(|document| document.write(&mut lines));
        let bytes = lines.len();
        let body = if self.settings.packs { packed(&lines) } else { Body::Lines(lines.into()) };
        let path = format!("/_bulk?{FILTER}");
        let reply = self.cluster.reply_async(Method::Post, &path, body).await.map_err(TooLarge::Failed)?;
        if reply.status == 413 {
            return Err(TooLarge::Bytes(bytes));
        }
        answered(&self.cluster, &reply, documents.len()).map_err(TooLarge::Failed)
    }

    /// Leaves those in `left` that have to be sent again, and says why they have to wait.
    async fn sort(
        &self,
        left: &mut Vec<Document>,
        outcomes: Vec<Outcome>,
        landed: &mut Landed,
    ) -> Result<Option<Failure>, Failure> {
        let unsent = left.split_off(outcomes.len().min(left.len()));
        let (mut again, mut conflicts, mut problem) = (Vec::new(), Vec::new(), None);
        for (mut document, outcome) in std::mem::take(left).into_iter().zip(outcomes) {
            match outcome {
                Outcome::Confirmed => {}
                Outcome::Conflict => conflicts.push(document),
                Outcome::Busy(reason) | Outcome::Blocked(reason) => {
                    let node = self.cluster.name();
                    let reason = format!("{}: {reason}", document.index);
                    problem = Some(Failure::Busy { node, status: 429, reason, after: None });
                    again.push(document);
                }
                Outcome::Unfit(reason) => {
                    self.reduce(Some(&mut document), &reason, landed)?;
                    again.push(document);
                }
                Outcome::Refused { status, kind, reason } => {
                    let reason = format!("{}: {reason}", document.index);
                    return Err(Failure::Refused { node: self.cluster.name(), status, kind, reason });
                }
            }
        }
        if !conflicts.is_empty() {
            match conflict::resolve(&self.cluster, conflicts).await {
                Ok((others, unclear)) => {
                    again.extend(others);
                    problem = unclear.or(problem);
                }
                Err((documents, failure)) if failure.is_passing() => {
                    again.extend(documents);
                    problem = Some(failure);
                }
                Err((_, failure)) => return Err(failure),
            }
        }
        again.extend(unsent);
        *left = again;
        Ok(problem)
    }

    /// What the cluster refuses as it is goes as the least that can be found; the trail has it whole.
    fn reduce(&self, document: Option<&mut Document>, reason: &str, landed: &mut Landed) -> Result<(), Failure> {
        let Some(document) = document else { return Ok(()) };
        if !document.reduce(reason) {
            let reason = format!("{}: {reason}", document.index);
            return Err(Failure::Refused { node: self.cluster.name(), status: 400, kind: "entry".to_owned(), reason });
        }
        debug!(seq = document.seq, index = document.index, reason, "An event is indexed in part.");
        landed.reason.get_or_insert_with(|| format!("entry {} in {}: {reason}", document.seq, document.index));
        landed.reduced += 1;
        Ok(())
    }
}

fn lock(ready: &Mutex<HashSet<String>>) -> MutexGuard<'_, HashSet<String>> {
    ready.lock().unwrap_or_else(PoisonError::into_inner)
}

enum TooLarge {
    /// A request of so many bytes.
    Bytes(usize),
    Failed(Failure),
}

/// A smaller request is no faster.
const LEAST_BYTES: usize = 64 << 10;

fn batch_bytes(documents: &[Document]) -> usize {
    documents.iter().map(Document::bytes).sum()
}

/// How many documents make up so many bytes, one at the least.
fn first_bytes(documents: &[Document], most: usize) -> usize {
    let mut bytes = 0_usize;
    let fitting = documents.iter().take_while(|document| {
        bytes = bytes.saturating_add(document.bytes());
        bytes <= most
    });
    fitting.count().max(1)
}

fn packed(lines: &str) -> Body {
    let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 4), Compression::fast());
    // Memory takes everything.
    match encoder.write_all(lines.as_bytes()).and_then(|()| encoder.finish()) {
        Ok(bytes) => Body::PackedLines(Bytes::from(bytes)),
        Err(_) => Body::Lines(Bytes::from(lines.to_owned())),
    }
}

fn answered(cluster: &Cluster, reply: &Reply, documents: usize) -> Result<Vec<Outcome>, Failure> {
    cluster.check(reply)?;
    let answer = serde_json::from_slice::<Answer>(&reply.body).ok();
    // An answer that was cut, or is about something else: what of it was done shows when it is sent again.
    answer.and_then(|answer| answer.outcomes(documents)).ok_or_else(|| Failure::Cut {
        node: cluster.name(),
        problem: "the answer does not speak of every document".to_owned(),
    })
}

/// Longer and longer pauses, spread so that batches do not come back together.
struct Backoff {
    pause: Duration,
    since: Instant,
    spread: u64,
}

impl Backoff {
    fn new(seed: u64) -> Self {
        Self { pause: PAUSE_MIN, since: Instant::now(), spread: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    fn reset(&mut self) {
        self.pause = PAUSE_MIN;
        self.since = Instant::now();
    }

    /// None when patience has an end.
    fn next(&mut self, after: Option<Duration>) -> Option<Duration> {
        if self.since.elapsed() > PATIENCE {
            return None;
        }
        // xorshift64
        self.spread ^= self.spread << 13;
        self.spread ^= self.spread >> 7;
        self.spread ^= self.spread << 17;
        let half = self.pause / 2;
        let pause = half + half.mul_f64((self.spread % 1_000) as f64 / 1_000.0);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Some(after.map_or(pause, |after| pause.max(after.min(RETRY_AFTER_MAX))))
    }
}
