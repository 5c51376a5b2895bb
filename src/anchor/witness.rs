//! A witness on another host: cosigns the checkpoint if it continues what it cosigned last (C2SP tlog-witness).
//!
//! What it knows is asked for by its own answers, so nothing needs to be remembered here: a wrong guess costs one
//! request. Its cosignature is checked before it is believed, and kept in `trail/cosigned`.
//!
//! A witness that knows more than is here, or something else, has seen another history signed by this key: this
//! trail was put back to an older state, or somebody runs a copy of it with its key. That is
//! [`AnchorError::Conflict`].

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode, redirect};

use super::{AnchorError, Probe, Signed};
use crate::config::anchor::Witness;
use crate::trail::cosignature::WitnessKey;
use crate::trail::note::Note;
use crate::trail::submission::{SIZE_TYPE, Submission};
use crate::trail::{self, Reader};

#[derive(Debug)]
pub(super) struct WitnessClient {
    setup: Result<Setup, String>,
    /// The size of what it cosigned last, as far as is known.
    known: u64,
}

#[derive(Debug, Clone)]
struct Setup {
    client: Client,
    address: String,
    key: WitnessKey,
    /// None where nothing is sent but a probe.
    trail: Option<Arc<Reader>>,
}

/// What a witness answers.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    /// Signature lines.
    Cosigned(String),
    /// It cosigned this size last.
    Knows(u64),
    /// It cosigned the same size with another root.
    Fork,
    Unproven,
    Refused(String),
}

/// Every error of the network ends the attempt; the next one begins anew.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Signature lines, or a number.
const REPLY_BYTES_MAX: usize = 16_384;

/// Guess, answer, and a few times more where a writer signs or another process of ours asks meanwhile.
const TRIES: usize = 6;

impl WitnessClient {
    pub(super) fn new(witness: &Witness, known: Option<u64>, trail: Option<&Arc<Reader>>) -> Self {
        Self { setup: Setup::new(witness, trail), known: known.unwrap_or(0) }
    }

    pub(super) async fn send(&mut self, signed: &Signed) -> Result<(), AnchorError> {
        let setup = self.setup.clone().map_err(AnchorError::Io)?;
        let Some(trail) = setup.trail.clone() else { return Err(AnchorError::Io("there is no trail".to_owned())) };
        let (mut signed, mut old) = (signed.clone(), self.known);
        for _ in 0..TRIES {
            let ours = signed.checkpoint.size;
            // What the witness knows and we have not cannot be proven from; it will say so itself.
            old = old.min(ours);
            let (reader, checkpoint) = (Arc::clone(&trail), signed.checkpoint.clone());
            let proof = match blocking(move || reader.continues(old, &checkpoint)).await? {
                Ok(proof) => proof,
                Err(error) => {
                    // A writer that signs meanwhile takes the edge of an older tree away.
                    let newest = super::worker::newest(&trail, signed.at)?;
                    if newest.checkpoint == signed.checkpoint {
                        return Err(AnchorError::Trail(error.to_string()));
                    }
                    signed = newest;
                    continue;
                }
            };
            let submission = Submission { old, proof, checkpoint: signed.note.to_string() };
            let reply = setup.post(submission.to_string()).await?;
            let conflict = |known, what| Err(AnchorError::Conflict { ours, known, what });
            match reply {
                Reply::Cosigned(lines) => {
                    self.known = ours;
                    return setup.keep(&trail, &signed, &lines).await;
                }
                Reply::Knows(known) if known > ours => return conflict(known, "it cosigned more than is here"),
                Reply::Knows(known) if known == old && old == ours => {
                    return conflict(known, "it cosigned another tree of this size");
                }
                Reply::Knows(known) => old = known,
                Reply::Fork => return conflict(ours, "it cosigned another tree of this size"),
                Reply::Unproven => return conflict(old, "what it cosigned is not the beginning of what is here"),
                Reply::Refused(text) => return Err(AnchorError::Io(text)),
            }
            self.known = old;
        }
        Err(AnchorError::Io("it knows another size at each request".to_owned()))
    }

    /// Any answer at all shows that it is there; only a checkpoint shows whether it watches this trail.
    pub(super) async fn probe(&mut self) -> Result<Probe, AnchorError> {
        let setup = self.setup.as_ref().map_err(|error| AnchorError::Io(error.clone()))?;
        setup.post(String::new()).await?;
        Ok(Probe::Partly("it answers; whether it watches this trail shows with the first checkpoint".to_owned()))
    }
}

impl Setup {
    fn new(witness: &Witness, trail: Option<&Arc<Reader>>) -> Result<Self, String> {
        let key = WitnessKey::parse(&witness.key).map_err(|error| format!("its key: {error}"))?;
        let client = Client::builder()
            .user_agent(concat!("whodid/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            // Settings come from the configuration, not from the environment.
            .no_proxy()
            .build();
        let client = client.map_err(|error| error.to_string())?;
        let address = format!("{}/add-checkpoint", witness.url.trim_end_matches('/'));
        Ok(Self { client, address, key, trail: trail.cloned() })
    }

    async fn post(&self, body: String) -> Result<Reply, AnchorError> {
        let failed = |error: reqwest::Error| match error.is_timeout() {
            true => AnchorError::Timeout(TIMEOUT),
            false => AnchorError::Io(causes(&error)),
        };
        let mut answer = self.client.post(&self.address).body(body).send().await.map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > REPLY_BYTES_MAX {
                return Ok(Reply::Refused("its answer has no end".to_owned()));
            }
        }
        Ok(reply(&answer, &String::from_utf8_lossy(&bytes)))
    }

    /// Checks the answer, and keeps what it is about.
    async fn keep(&self, trail: &Arc<Reader>, signed: &Signed, lines: &str) -> Result<(), AnchorError> {
        let wrong = |error| AnchorError::Io(format!("its answer is no cosignature: {error}"));
        let note = Note::parse(signed.note.as_bytes()).map_err(wrong)?;
        let (cosigned, _) = self.key.take(&note, lines).map_err(wrong)?;
        let trail = Arc::clone(trail);
        let kept = blocking(move || trail::keep_cosigned(trail.data(), &cosigned)).await?;
        kept.map_err(|error| AnchorError::Trail(error.to_string()))
    }
}

fn reply(answer: &Response, text: &str) -> Reply {
    let is_size = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == SIZE_TYPE.as_bytes());
    match answer.status() {
        StatusCode::OK => Reply::Cosigned(text.to_owned()),
        StatusCode::CONFLICT if is_size => match text.trim_end().parse() {
            Ok(size) => Reply::Knows(size),
            Err(_) => Reply::Refused("it answered 409 without a size".to_owned()),
        },
        StatusCode::CONFLICT => Reply::Fork,
        StatusCode::UNPROCESSABLE_ENTITY => Reply::Unproven,
        StatusCode::NOT_FOUND => {
            Reply::Refused("it does not know this trail (404): is its key configured there?".to_owned())
        }
        StatusCode::FORBIDDEN => {
            Reply::Refused("it knows this trail by another key (403): was the key rotated?".to_owned())
        }
        status => Reply::Refused(format!("it answered {}", status.as_u16())),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AnchorError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| AnchorError::Io("a thread ended".to_owned()))
}

/// The whole chain; an address is no secret here.
fn causes(error: &reqwest::Error) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    chain.take(6).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
