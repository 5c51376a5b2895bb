//! An object on its way from a bucket: blocks through a bounded channel, so that its length does not matter.
//!
//! A stream that breaks is asked for again from where it broke, as long as the object is the same; whoever reads does
//! not notice. Invariant: reading ends without an error only where the object ends. Whatever else happens is an error,
//! and [`Body::failure`] says which.

use std::io::{self, BufRead, Read};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Halt;
use super::again::{TRIES, back_off};
use super::bucket::{Bucket, S3Error};
use crate::aws;
use crate::collect::wire::Wire;

/// What travels at once.
const BLOCK_BYTES: usize = 64 << 10;

/// AWS writes at most 50 MB; something else is not read.
pub(super) const OBJECT_BYTES_MAX: u64 = 256 << 20;

/// How often one object is asked for again, even if each answer brings some of it.
const RESUMED_MAX: u32 = 20;

/// What comes before an object's bytes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::collect) struct Head {
    /// `x-amz-meta-signature`: of a digest.
    pub(in crate::collect) signature: Option<String>,
}

/// An object that is being fetched; dropping it ends that.
pub(in crate::collect) struct Body {
    wire: Wire,
    head: Option<oneshot::Receiver<Result<Head, S3Error>>>,
    pieces: mpsc::Receiver<Piece>,
    block: Vec<u8>,
    at: usize,
    /// Why it ended; None while it goes on.
    end: Option<Result<(), Option<S3Error>>>,
    task: JoinHandle<()>,
}

enum Piece {
    Block(Vec<u8>),
    End,
    Failed(S3Error),
}

impl Drop for Body {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Body {
    /// Fetches ahead as much as fits into `room` bytes.
    pub(in crate::collect) fn begin(bucket: Bucket, key: String, room: u64, wire: &Wire) -> Self {
        let blocks = usize::try_from(room).unwrap_or(usize::MAX).div_ceil(BLOCK_BYTES).max(1);
        let (to, pieces) = mpsc::channel(blocks);
        let (tell, head) = oneshot::channel();
        let task = wire.runtime.spawn(fetch(bucket, key, tell, to));
        Self { wire: wire.clone(), head: Some(head), pieces, block: Vec::new(), at: 0, end: None, task }
    }

    /// Waits for the answer; its bytes follow.
    pub(in crate::collect) fn head(&mut self) -> Result<Head, Halt> {
        let Some(head) = self.head.take() else { return Ok(Head::default()) };
        self.wire.wait(async { head.await.unwrap_or_else(|gone| Err(S3Error::unreachable(&gone))) })
    }

    /// After reading has failed: why.
    pub(in crate::collect) fn failure(&mut self) -> Halt {
        match self.end.take() {
            Some(Err(None)) => Halt::Told,
            Some(Err(Some(error))) => Halt::Failed(error),
            Some(Ok(())) | None => Halt::Failed(S3Error::BrokeOff(0)),
        }
    }

    fn next(&mut self) -> Piece {
        let (pieces, wire) = (&mut self.pieces, &self.wire);
        if let Ok(piece) = pieces.try_recv() {
            return piece;
        }
        match wire.until_told(pieces.recv()) {
            Ok(Some(piece)) => piece,
            // Whoever fetched it is gone without a word.
            Ok(None) => Piece::Failed(S3Error::BrokeOff(0)),
            Err(_) => {
                self.end = Some(Err(None));
                Piece::End
            }
        }
    }
}

impl Read for Body {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(to)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.block.len() {
            self.at = 0;
            self.block.clear();
            if self.end.is_none() {
                match self.next() {
                    Piece::Block(block) => self.block = block,
                    Piece::End => drop(self.end.get_or_insert(Ok(()))),
                    Piece::Failed(error) => self.end = Some(Err(Some(error))),
                }
            }
            if let Some(Err(_)) = self.end {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(self.block.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

/// Whoever was to read it may be gone.
async fn fetch(bucket: Bucket, key: String, tell: oneshot::Sender<Result<Head, S3Error>>, to: mpsc::Sender<Piece>) {
    let mut fetch = Fetch { bucket, key, tell: Some(tell), to, got: 0, first: None, block: Vec::new() };
    let last = match fetch.run().await {
        Ok(()) => Piece::End,
        Err(Stopped::Unread) => return,
        Err(Stopped::Failed(error)) => {
            if let Some(tell) = fetch.tell.take() {
                return tell.send(Err(error)).unwrap_or_default();
            }
            Piece::Failed(error)
        }
    };
    fetch.to.send(last).await.unwrap_or_default();
}

struct Fetch {
    bucket: Bucket,
    key: String,
    tell: Option<oneshot::Sender<Result<Head, S3Error>>>,
    to: mpsc::Sender<Piece>,
    /// Bytes that arrived.
    got: u64,
    first: Option<First>,
    block: Vec<u8>,
}

/// What the first answer said: all others are held against it.
struct First {
    tag: Option<String>,
    bytes: u64,
}

enum Stopped {
    /// Nobody reads it any more.
    Unread,
    Failed(S3Error),
}

impl From<S3Error> for Stopped {
    fn from(error: S3Error) -> Self {
        Self::Failed(error)
    }
}

impl Fetch {
    async fn run(&mut self) -> Result<(), Stopped> {
        let (mut tries, mut resumed) = (1, 0);
        loop {
            let before = self.got;
            let error = match self.some().await {
                Ok(()) => return Ok(()),
                Err(Stopped::Failed(error)) if error.is_passing() => error,
                Err(other) => return Err(other),
            };
            if self.got > before {
                tries = 0;
            }
            if tries >= TRIES || resumed >= RESUMED_MAX {
                return Err(error.into());
            }
            (tries, resumed) = (tries + 1, resumed + 1);
            back_off(tries).await;
        }
    }

    /// One answer, to its end.
    async fn some(&mut self) -> Result<(), Stopped> {
        let tag = self.first.as_ref().and_then(|first| first.tag.as_deref());
        if self.got > 0 && tag.is_none() {
            // Nobody could tell whether the rest is of the same object.
            return Err(S3Error::BrokeOff(self.got).into());
        }
        let answer = self.bucket.get(&self.key, self.got, tag).await?;
        let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let mut passed = match answer.content_range() {
            Some(range) if range.starts_with(&format!("bytes {}-", self.got)) => 0,
            Some(_) => return Err(S3Error::Changed.into()),
            // It gives the whole object, whatever was asked for.
            None => self.got,
        };
        match &self.first {
            Some(first) if answer.e_tag() != first.tag.as_deref() => return Err(S3Error::Changed.into()),
            Some(_) => {}
            None => {
                let bytes = length.unwrap_or(u64::MAX);
                if length.is_some_and(|length| length > OBJECT_BYTES_MAX) {
                    return Err(S3Error::TooLong(OBJECT_BYTES_MAX).into());
                }
                self.first = Some(First { tag: answer.e_tag().map(str::to_owned), bytes });
                let signature = answer.metadata().and_then(|metadata| metadata.get("signature")).cloned();
                if let Some(tell) = self.tell.take() {
                    tell.send(Ok(Head { signature })).map_err(|_| Stopped::Unread)?;
                }
            }
        }
        let mut body = answer.body;
        loop {
            match body.try_next().await {
                Ok(Some(bytes)) => {
                    let skipped = usize::try_from(passed).unwrap_or(usize::MAX).min(bytes.len());
                    passed -= skipped as u64;
                    self.push(bytes.get(skipped..).unwrap_or_default()).await?;
                }
                Ok(None) if self.is_whole() => return self.flush().await,
                Ok(None) => return Err(S3Error::Aws(aws::Failure::Unreachable(self.broke_off())).into()),
                // All of it is here, and something about it is wrong: to ask for the rest would not tell what.
                Err(error) if self.is_whole() => {
                    let (code, message) = ("a wrong answer".to_owned(), aws::chain(&error));
                    return Err(S3Error::Aws(aws::Failure::Other { code, message }).into());
                }
                Err(error) => return Err(S3Error::unreachable(&error).into()),
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.first.as_ref().is_some_and(|first| self.got == first.bytes || first.bytes == u64::MAX)
    }

    fn broke_off(&self) -> String {
        format!("it broke off after {} bytes", self.got)
    }

    async fn push(&mut self, mut bytes: &[u8]) -> Result<(), Stopped> {
        self.got += bytes.len() as u64;
        if self.got > OBJECT_BYTES_MAX {
            return Err(S3Error::TooLong(OBJECT_BYTES_MAX).into());
        }
        while !bytes.is_empty() {
            let room = BLOCK_BYTES - self.block.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Stopped> {
        let block = std::mem::take(&mut self.block);
        if block.is_empty() {
            return Ok(());
        }
        self.to.send(Piece::Block(block)).await.map_err(|_| Stopped::Unread)
    }
}
