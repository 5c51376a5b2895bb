//! The file of a sealed segment: zstd frames in the seekable format.
//!
//! ```text
//! frames   zstd frames (RFC 8878) with content size and checksum; each holds whole lines, at most 256 KiB
//! lines    57 2A 4D 18, length (u32), how many lines each frame holds (u32 each),
//!          SHA-256 over all bytes of the file but these 32
//! table    5E 2A 4D 18, length (u32), for each of the above: stored bytes (u32), content bytes (u32)
//!          (the content of `lines` is empty), their number (u32), 00, B1 EA 92 8F
//! ```
//!
//! Numbers are little-endian. `lines` and `table` are skippable frames, so any zstd reads the file, and
//! any reader of the seekable format finds its way in it. Who reads one line decompresses one frame.
//!
//! Everything here is checked before it is believed: the frames lie without a gap from the first byte to
//! the table, none is larger than is ever written, and the line that is found is compared with its tile.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

use super::TrailError;
use super::error::Damage;
use super::segment::Start;

/// A random read decompresses this much at most: well below a millisecond.
pub(super) const FRAME_BYTES_MAX: usize = 256 << 10;

/// The usual level: higher ones gain a tenth and cost the writer's machine several times as much.
const LEVEL: i32 = 3;

const LINES_MAGIC: [u8; 4] = [0x57, 0x2a, 0x4d, 0x18];
const TABLE_MAGIC: [u8; 4] = [0x5e, 0x2a, 0x4d, 0x18];
const END_MAGIC: [u8; 4] = [0xb1, 0xea, 0x92, 0x8f];

/// Magic and length before a skippable frame.
const HEAD_BYTES: u64 = 8;
/// Number of frames, descriptor, magic.
const FOOTER_BYTES: u64 = 9;
const DIGEST_BYTES: u64 = 32;

/// 256 GiB in full frames: a table that names more is none of ours.
const FRAMES_MAX: u32 = 1 << 20;

/// Writes lines as frames.
pub(super) struct Packer<W> {
    out: W,
    hash: Sha256,
    compressor: Compressor<'static>,
    /// Lines that are not compressed yet.
    frame: Vec<u8>,
    lines: u32,
    done: Vec<Packed>,
}

/// A frame as the table has it.
#[derive(Debug, Clone, Copy)]
struct Packed {
    stored: u32,
    bytes: u32,
    lines: u32,
}

impl<W: Write> Packer<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        let frame = Vec::with_capacity(FRAME_BYTES_MAX);
        Ok(Self { out, hash: Sha256::new(), compressor, frame, lines: 0, done: Vec::new() })
    }

    /// A line without its LF; it is shorter than a frame may be.
    pub(super) fn push(&mut self, line: &[u8]) -> io::Result<()> {
        if self.frame.len() + line.len() + 1 > FRAME_BYTES_MAX {
            self.pack()?;
        }
        self.frame.extend_from_slice(line);
        self.frame.push(b'\n');
        self.lines += 1;
        Ok(())
    }

    /// The last frame, and what finds the way.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.lines > 0 {
            self.pack()?;
        }
        let mut lines: Vec<u8> = self.done.iter().flat_map(|frame| frame.lines.to_le_bytes()).collect();
        let length = lines.len() as u64 + DIGEST_BYTES;
        lines.splice(0..0, [LINES_MAGIC, small(length)?.to_le_bytes()].concat());
        self.done.push(Packed { stored: small(HEAD_BYTES + length)?, bytes: 0, lines: 0 });
        let count = small(self.done.len() as u64)?;
        let mut table = [TABLE_MAGIC, small(u64::from(count) * 8 + FOOTER_BYTES)?.to_le_bytes()].concat();
        table.extend(
            self.done.iter().flat_map(|frame| [frame.stored.to_le_bytes(), frame.bytes.to_le_bytes()].concat()),
        );
        table.extend(count.to_le_bytes());
        table.push(0);
        table.extend(END_MAGIC);
        self.hash.update(&lines);
        self.hash.update(&table);
        let digest: [u8; 32] = self.hash.finalize().into();
        for bytes in [lines.as_slice(), &digest, &table] {
            self.out.write_all(bytes)?;
        }
        Ok(self.out)
    }

    fn pack(&mut self) -> io::Result<()> {
        let packed = self.compressor.compress(&self.frame)?;
        self.hash.update(&packed);
        self.out.write_all(&packed)?;
        let (stored, bytes) = (small(packed.len() as u64)?, small(self.frame.len() as u64)?);
        self.done.push(Packed { stored, bytes, lines: std::mem::take(&mut self.lines) });
        self.frame.clear();
        Ok(())
    }
}

/// The format has 32 bits for it.
fn small(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))
}

/// A sealed segment, opened for reading.
#[derive(Debug)]
pub(super) struct Sealed {
    path: PathBuf,
    file: File,
    /// In order; without the frame that holds the number of lines.
    frames: Vec<Frame>,
    bytes: u64,
    digest: [u8; DIGEST_BYTES as usize],
    /// Where the digest lies.
    digest_at: u64,
    /// The frame that was read last, and what it holds.
    held: Mutex<Option<(usize, Vec<u8>)>>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    start: Start,
    bytes: u32,
    /// Where it lies in the file, and how long it is there.
    at: u64,
    stored: u32,
}

impl Sealed {
    /// None if there is no such file.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, TrailError> {
        match File::open(path) {
            Ok(file) => Self::read(path, file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TrailError::io(path, error)),
        }
    }

    /// Bytes of its lines.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the lines of each frame begin; the first is 0.
    pub(super) fn starts(&self) -> Vec<Start> {
        let starts: Vec<Start> = self.frames.iter().map(|frame| frame.start).collect();
        if starts.is_empty() { vec![Start::default()] } else { starts }
    }

    /// Some of the bytes from `offset` on, as `pread(2)` gives them; 0 at the end.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, TrailError> {
        if offset >= self.bytes {
            return Ok(0);
        }
        let wanted = self.frames.partition_point(|frame| frame.start.byte <= offset).saturating_sub(1);
        let Some(frame) = self.frames.get(wanted) else { return Ok(0) };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let content = match held.take() {
            Some((number, content)) if number == wanted => content,
            other => self.unpack(frame, other.map(|(_, content)| content).unwrap_or_default())?,
        };
        let from = (offset - frame.start.byte) as usize;
        let found = content.get(from..).unwrap_or_default();
        let length = found.len().min(buffer.len());
        buffer[..length].copy_from_slice(&found[..length]);
        *held = Some((wanted, content));
        Ok(length)
    }

    /// Whether every byte of the file is what was written.
    pub(super) fn is_as_written(&self) -> Result<bool, TrailError> {
        let failed = |error| TrailError::io(&self.path, error);
        let mut hash = Sha256::new();
        let mut file = io::BufReader::with_capacity(64 << 10, File::open(&self.path).map_err(failed)?);
        io::copy(&mut (&mut file).take(self.digest_at), &mut Hashing(&mut hash)).map_err(failed)?;
        io::copy(&mut (&mut file).take(DIGEST_BYTES), &mut io::sink()).map_err(failed)?;
        io::copy(&mut file, &mut Hashing(&mut hash)).map_err(failed)?;
        Ok(hash.finalize().as_slice() == self.digest)
    }

    fn unpack(&self, frame: &Frame, mut content: Vec<u8>) -> Result<Vec<u8>, TrailError> {
        let damaged = |_| TrailError::damaged(&self.path, Damage::Frame { byte: frame.start.byte });
        let mut stored = vec![0; frame.stored as usize];
        self.file.read_exact_at(&mut stored, frame.at).map_err(|error| TrailError::io(&self.path, error))?;
        content.clear();
        content.reserve_exact(frame.bytes as usize);
        let length = Decompressor::new()
            .and_then(|mut zstd| zstd.decompress_to_buffer(&stored, &mut content))
            .map_err(damaged)?;
        match length == frame.bytes as usize {
            true => Ok(content),
            false => Err(damaged(io::ErrorKind::InvalidData.into())),
        }
    }

    fn read(path: &Path, file: File) -> Result<Self, TrailError> {
        let torn = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => TrailError::malformed(path, NOT_SEALED),
            _ => TrailError::io(path, error),
        };
        let size = file.metadata().map_err(torn)?.len();
        let table = table(&file, size).map_err(torn)?.ok_or_else(|| TrailError::malformed(path, NOT_SEALED))?;
        let Some(((lines_stored, 0), entries)) = table.split_last() else {
            return Err(TrailError::malformed(path, NOT_SEALED));
        };
        let lines_at: u64 = entries.iter().map(|(stored, _)| u64::from(*stored)).sum();
        let table_at = size - HEAD_BYTES - table.len() as u64 * 8 - FOOTER_BYTES;
        let lines_length = HEAD_BYTES + entries.len() as u64 * 4 + DIGEST_BYTES;
        if u64::from(*lines_stored) != lines_length || lines_at + lines_length != table_at {
            return Err(TrailError::malformed(path, NOT_SEALED));
        }
        let mut lines = vec![0; lines_length as usize];
        file.read_exact_at(&mut lines, lines_at).map_err(torn)?;
        let (counts, digest) = counts(&lines, entries.len()).ok_or_else(|| TrailError::malformed(path, NOT_SEALED))?;
        let (mut frames, mut start, mut at) = (Vec::with_capacity(entries.len()), Start::default(), 0);
        for ((stored, bytes), lines) in entries.iter().zip(counts) {
            if *bytes == 0 || *bytes as usize > FRAME_BYTES_MAX || *stored as usize > 2 * FRAME_BYTES_MAX {
                return Err(TrailError::malformed(path, NOT_SEALED));
            }
            frames.push(Frame { start, bytes: *bytes, at, stored: *stored });
            start = Start { line: start.line + u64::from(lines), byte: start.byte + u64::from(*bytes) };
            at += u64::from(*stored);
        }
        let digest_at = table_at - DIGEST_BYTES;
        let (path, bytes) = (path.to_owned(), start.byte);
        Ok(Self { path, file, frames, bytes, digest, digest_at, held: Mutex::default() })
    }
}

const NOT_SEALED: &str = "a sealed segment ends with a table of its frames";

/// Stored and content bytes of every frame.
fn table(file: &File, size: u64) -> io::Result<Option<Vec<(u32, u32)>>> {
    let Some(footer_at) = size.checked_sub(FOOTER_BYTES) else { return Ok(None) };
    let mut footer = [0; FOOTER_BYTES as usize];
    file.read_exact_at(&mut footer, footer_at)?;
    let [a, b, c, d, descriptor, end @ ..] = footer;
    let count = u32::from_le_bytes([a, b, c, d]);
    let length = u64::from(count) * 8 + FOOTER_BYTES;
    if descriptor != 0 || end != END_MAGIC || count > FRAMES_MAX || size < HEAD_BYTES + length {
        return Ok(None);
    }
    let mut bytes = vec![0; (HEAD_BYTES + length - FOOTER_BYTES) as usize];
    file.read_exact_at(&mut bytes, size - HEAD_BYTES - length)?;
    let (head, entries) = bytes.split_at(HEAD_BYTES as usize);
    let is_table = head.starts_with(&TABLE_MAGIC) && head.ends_with(&(length as u32).to_le_bytes());
    let entry = |[a, b, c, d, e, f, g, h]: &[u8; 8]| {
        (u32::from_le_bytes([*a, *b, *c, *d]), u32::from_le_bytes([*e, *f, *g, *h]))
    };
    Ok(is_table.then(|| entries.as_chunks::<8>().0.iter().map(entry).collect()))
}

/// The number of lines of each frame, and the digest.
fn counts(bytes: &[u8], frames: usize) -> Option<(Vec<u32>, [u8; DIGEST_BYTES as usize])> {
    let rest = bytes.strip_prefix(&LINES_MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (counts, digest) = rest.split_last_chunk::<{ DIGEST_BYTES as usize }>()?;
    let fits = u32::from_le_bytes(*length) as usize == rest.len() && counts.len() == frames * 4;
    fits.then(|| (counts.as_chunks::<4>().0.iter().map(|count| u32::from_le_bytes(*count)).collect(), *digest))
}

struct Hashing<'h>(&'h mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
