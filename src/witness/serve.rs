//! The HTTP side: `POST /add-checkpoint`, and `GET /` for people.
//!
//! Everything that a stranger can make us hold has a bound: connections, the time that a head, a body or
//! silence may take, the bytes of both. What is beyond waits in the system's queue or is refused.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{self, Body};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, error, warn};

use super::{Answer, Witness, WitnessError};
use crate::trail::submission;

/// How much a stranger may ask of us.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connections: usize,
    /// For a head or a body to arrive, and for silence between two requests.
    pub timeout: Duration,
}

/// What all requests share.
struct Shared {
    witness: Arc<Witness>,
    timeout: Duration,
    /// An error after which nothing may be cosigned.
    fatal: mpsc::Sender<WitnessError>,
}

/// The smallest that hyper takes; no head of ours needs more.
const HEAD_BYTES_MAX: usize = 8_192;
const HEADERS_MAX: usize = 32;

/// When stopping, requests on their way are given this long.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// After an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves until it is time to stop, or until an error of the disk makes it unsafe to go on.
pub async fn serve(
    witness: Arc<Witness>,
    listener: TcpListener,
    limits: Limits,
    stop: watch::Receiver<bool>,
) -> Result<(), WitnessError> {
    let (fatal, mut failed) = mpsc::channel(1);
    let shared = Arc::new(Shared { witness, timeout: limits.timeout, fatal });
    let router = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/", get(status))
        .with_state(Arc::clone(&shared));
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut stopping = pin!(stopped(stop.clone()));
    let ended = loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        tokio::select! {
            biased;
            Some(error) = failed.recv() => break Err(error),
            () = &mut stopping => break Ok(()),
            Some(_) = connections.join_next() => {}
            (slot, accepted) = accepted => match accepted {
                Ok((stream, _)) => {
                    let serving = connection(stream, router.clone(), limits, stop.clone());
                    connections.spawn(async move {
                        serving.await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    warn!(%error, "A connection could not be taken.");
                    sleep(PAUSE).await;
                }
            },
        }
    };
    drop(listener);
    let rest = async { while connections.join_next().await.is_some() {} };
    if timeout(LAST_REQUESTS, rest).await.is_err() {
        warn!("Some connections did not end in time.");
    }
    // What happened last may have been the worst.
    ended.and(failed.try_recv().map_or(Ok(()), Err))
}

/// Requests of one connection, one after the other.
fn connection(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    stop: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    async move {
        let mut serving = pin!(serving);
        let done = tokio::select! {
            done = serving.as_mut() => done,
            () = stopped(stop) => {
                serving.as_mut().graceful_shutdown();
                serving.as_mut().await
            }
        };
        if let Err(error) = done {
            debug!(%error, "A connection broke off.");
        }
    }
}

/// A sender that is gone is as good as a stop.
async fn stopped(mut stop: watch::Receiver<bool>) {
    drop(stop.wait_for(|is_time| *is_time).await);
}

async fn add_checkpoint(State(shared): State<Arc<Shared>>, body: Body) -> Result<Response<Body>, Infallible> {
    let bytes = match timeout(shared.timeout, body::to_bytes(body, submission::BYTES_MAX)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Ok(text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broke off\n")),
        Err(_) => return Ok(text(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time\n")),
    };
    let witness = Arc::clone(&shared.witness);
    // It goes on when the client does not wait: what is remembered is remembered.
    let judged = tokio::task::spawn_blocking(move || witness.add_checkpoint(&bytes)).await;
    Ok(match judged {
        Ok(Ok(answer)) => respond(answer),
        Ok(Err(error)) => unable(&shared, error),
        Err(_) => unable(&shared, WitnessError::Stopped),
    })
}

fn respond(answer: Answer) -> Response<Body> {
    match answer {
        Answer::Cosigned(lines) => text(StatusCode::OK, lines),
        Answer::Malformed(what) => text(StatusCode::BAD_REQUEST, format!("{what}\n")),
        Answer::UnknownOrigin => text(StatusCode::NOT_FOUND, "no such log is watched here\n"),
        Answer::Untrusted(error) => text(StatusCode::FORBIDDEN, format!("{error}\n")),
        Answer::Conflict(size) => {
            let mut response = text(StatusCode::CONFLICT, format!("{size}\n"));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(submission::SIZE_TYPE));
            response
        }
        Answer::Fork => text(StatusCode::CONFLICT, "another root was cosigned at this size\n"),
        Answer::Unproven => text(StatusCode::UNPROCESSABLE_ENTITY, "the consistency proof does not hold\n"),
    }
}

/// Nothing was cosigned. After a full disk it may be asked again.
fn unable(shared: &Shared, error: WitnessError) -> Response<Body> {
    error!(%error, "A checkpoint could not be remembered, so it was not cosigned.");
    if matches!(error, WitnessError::Full { .. }) {
        return text(StatusCode::SERVICE_UNAVAILABLE, "no room: try again later\n");
    }
    // Where the channel is full, an earlier error ends it all already.
    drop(shared.fatal.try_send(error));
    text(StatusCode::INTERNAL_SERVER_ERROR, "the witness stops\n")
}

async fn status(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let (key, logs) = (shared.witness.key(), shared.witness.logs());
    text(StatusCode::OK, format!("whodid witness\n{key}\n{logs} logs\n"))
}

fn text(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
