//! The compressions that whodid reads: gzip, xz and zstd, each fed and drained step by step.
//!
//! Invariant: a decoder takes a bounded amount of memory, whatever the packed bytes ask for.

use std::fmt;

use flate2::{Decompress, FlushDecompress};
use liblzma::stream::{Action, Error as XzError, Status as XzStatus, Stream as XzDecoder};
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, Operation as _};

/// gzip's window: 32 KiB, the most that RFC 1951 knows.
const GZIP_WINDOW_BITS: u8 = 15;

/// `xz -9` needs 65 MiB to be unpacked; more is asked for by custom dictionaries only.
const XZ_MEMORY_BYTES: u64 = 96 << 20;

/// 128 MiB: what the `zstd` tool unpacks without being told to take more.
const ZSTD_WINDOW_BITS: u32 = 27;

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Xz,
    Zstd,
}

impl Packing {
    /// What the first bytes of a file, or what follows a member of it, begin with.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(&[0x1f, 0x8b, 0x08]) {
            Some(Self::Gzip)
        } else if head.starts_with(b"\xfd7zXZ\0") {
            Some(Self::Xz)
        } else if head.starts_with(b"\x28\xb5\x2f\xfd") || is_skippable(head) {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// Whether another member may begin so: after one, fewer bytes than a magic number may be there yet.
    pub(super) fn may_go_on(self, rest: &[u8]) -> bool {
        match self {
            Self::Gzip => rest.starts_with(&[0x1f, 0x8b][..rest.len().min(2)]),
            Self::Xz => rest.starts_with(&b"\xfd7zXZ\0"[..rest.len().min(6)]),
            Self::Zstd => {
                rest.starts_with(&b"\x28\xb5\x2f\xfd"[..rest.len().min(4)]) || rest.len() < 4 || is_skippable(rest)
            }
        }
    }

    /// Whether zeros may stand between members: xz pads its streams (its format, section 2.2).
    pub(super) fn is_padded(self) -> bool {
        self == Self::Xz
    }
}

/// A frame of zstd that holds no content: pzstd and the seekable format write them (RFC 8878, 3.1.2).
fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

/// One member on its way: a gzip member, an xz stream, a zstd frame.
pub(super) enum Member {
    Gzip(Box<Decompress>),
    Xz(Box<XzDecoder>),
    Zstd(Box<ZstdDecoder<'static>>),
}

/// What one step did.
pub(super) struct Step {
    pub(super) consumed: usize,
    pub(super) produced: usize,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    GoesOn,
    End,
    Corrupt,
    /// It can only be unpacked with more memory than is given to it.
    TooLarge,
}

impl Member {
    pub(super) fn new(packing: Packing) -> Option<Self> {
        Some(match packing {
            Packing::Gzip => Self::Gzip(Box::new(Decompress::new_gzip(GZIP_WINDOW_BITS))),
            Packing::Xz => Self::Xz(Box::new(XzDecoder::new_stream_decoder(XZ_MEMORY_BYTES, 0).ok()?)),
            Packing::Zstd => {
                let mut decoder = ZstdDecoder::new().ok()?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_BITS)).ok()?;
                Self::Zstd(Box::new(decoder))
            }
        })
    }

    /// Unpacks from `input` into `to`. `ended`: nothing follows the input.
    pub(super) fn step(&mut self, input: &[u8], to: &mut [u8], ended: bool) -> Step {
        match self {
            Self::Gzip(member) => gzip(member, input, to, ended),
            Self::Xz(member) => xz(member, input, to),
            Self::Zstd(member) => zstd(member, input, to),
        }
    }
}

fn gzip(member: &mut Decompress, input: &[u8], to: &mut [u8], ended: bool) -> Step {
    let (before_in, before_out) = (member.total_in(), member.total_out());
    let flush = if ended { FlushDecompress::Finish } else { FlushDecompress::None };
    let outcome = match member.decompress(input, to, flush) {
        Ok(flate2::Status::StreamEnd) => Outcome::End,
        Ok(_) => Outcome::GoesOn,
        Err(_) => Outcome::Corrupt,
    };
    Step { consumed: length(member.total_in() - before_in), produced: length(member.total_out() - before_out), outcome }
}

fn xz(member: &mut XzDecoder, input: &[u8], to: &mut [u8]) -> Step {
    let (before_in, before_out) = (member.total_in(), member.total_out());
    let outcome = match member.process(input, to, Action::Run) {
        Ok(XzStatus::StreamEnd) => Outcome::End,
        Ok(_) => Outcome::GoesOn,
        Err(XzError::MemLimit | XzError::Mem) => Outcome::TooLarge,
        Err(_) => Outcome::Corrupt,
    };
    Step { consumed: length(member.total_in() - before_in), produced: length(member.total_out() - before_out), outcome }
}

fn zstd(member: &mut ZstdDecoder<'static>, input: &[u8], to: &mut [u8]) -> Step {
    match member.run_on_buffers(input, to) {
        Ok(status) => {
            let outcome = if status.remaining == 0 { Outcome::End } else { Outcome::GoesOn };
            Step { consumed: status.bytes_read, produced: status.bytes_written, outcome }
        }
        Err(error) => {
            let too_large = error.to_string().contains("too much memory");
            let outcome = if too_large { Outcome::TooLarge } else { Outcome::Corrupt };
            Step { consumed: 0, produced: 0, outcome }
        }
    }
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
