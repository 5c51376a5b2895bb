//! Bytes as they were before they were packed, in bounded memory and bounded length; what is not packed goes
//! through.
//!
//! Reading ends where the content ends, where it is damaged, or at the limit; [`Unpack::damage`] says
//! which. What was good before the damage has been handed out by then, to the last byte.

use std::io::{self, BufRead, Read};

use sha2::{Digest as _, Sha256};

use super::packing::{Member, Outcome, Packing};

/// What may follow a member (RFC 1952 §2.2 allows more of them, so do xz and zstd).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Members {
    /// Logs: `cat a.gz b.gz` is a file.
    Many,
    /// CloudTrail objects: AWS writes one member, and a second one would pass the digest's hash.
    One,
}

/// Why the content ends before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("the {of} data is corrupt after {good} good bytes: what came before was read; fetch the file again")]
    Corrupt { of: Packing, good: u64 },
    #[error("the {of} data ends in the middle, after {good} good bytes: what is there was read; fetch the file again")]
    Cut { of: Packing, good: u64 },
    #[error("something that is not {of} follows the {of} data of {good} bytes: it was not read")]
    Trailing { of: Packing, good: u64 },
    #[error("a second {of} member follows the first of {good} bytes, which AWS never writes: it was not read")]
    SecondMember { of: Packing, good: u64 },
    #[error("more than {limit} bytes come out of the {of} data: the rest was not read; raise decompressed_bytes_max")]
    TooLong { of: Packing, limit: u64 },
    #[error(
        "the {of} data needs more memory than it gets here, after {good} good bytes: unpack it and run whodid ingest \
         on it"
    )]
    TooLarge { of: Packing, good: u64 },
}

impl Damage {
    /// The content came to its end, and something follows it.
    fn is_behind(&self) -> bool {
        matches!(self, Self::Trailing { .. } | Self::SecondMember { .. })
    }
}

/// The name of a compression that whodid does not read.
pub(super) fn foreign_compression(head: &[u8]) -> Option<&'static str> {
    head.starts_with(b"BZh").then_some("bzip2")
}

pub(super) struct Unpack<R> {
    from: R,
    state: State,
    members: Members,
    limit: u64,
    out: u64,
    damage: Option<Damage>,
}

/// What follows the content and was not unpacked: its first bytes as they are, and how much it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) kept: Vec<u8>,
    pub(super) bytes: u64,
    /// Of all of it, in lower-case hex.
    pub(super) sha256: String,
}

enum State {
    Start,
    Plain,
    Member(Packing, Member),
    End,
}

impl Rest {
    pub(super) fn of(bytes: &[u8], kept_max: usize) -> Self {
        let mut rest = Gathered::new(kept_max);
        rest.push(bytes);
        rest.end()
    }
}

struct Gathered {
    kept_max: usize,
    kept: Vec<u8>,
    bytes: u64,
    hash: Sha256,
}

impl Gathered {
    fn new(kept_max: usize) -> Self {
        Self { kept_max, kept: Vec::new(), bytes: 0, hash: Sha256::new() }
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = self.kept_max - self.kept.len();
        self.kept.extend(bytes.iter().take(room));
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    fn end(self) -> Rest {
        let sha256 = data_encoding::HEXLOWER.encode(&self.hash.finalize());
        Rest { kept: self.kept, bytes: self.bytes, sha256 }
    }
}

impl<R: BufRead> Unpack<R> {
    pub(super) fn new(from: R, members: Members, limit: u64) -> Self {
        Self { from, state: State::Start, members, limit, out: 0, damage: None }
    }

    /// After reading has ended: why it ended early, if it did.
    pub(super) fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// After reading has ended: what follows the content, which came to its end before it.
    pub(super) fn rest(&mut self, kept_max: usize) -> io::Result<Option<Rest>> {
        if !self.damage.as_ref().is_some_and(Damage::is_behind) {
            return Ok(None);
        }
        let mut rest = Gathered::new(kept_max);
        loop {
            match self.from.fill_buf() {
                Ok([]) => return Ok(Some(rest.end())),
                Ok(bytes) => {
                    rest.push(bytes);
                    let passed = bytes.len();
                    self.from.consume(passed);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn end(&mut self, damage: Option<Damage>) {
        self.state = State::End;
        self.damage = damage;
    }

    /// Unpacks into `to`; whether the member goes on, or has ended, or None when it is damaged.
    fn inflate(&mut self, of: Packing, member: &mut Member, to: &mut [u8]) -> io::Result<(usize, Option<Outcome>)> {
        loop {
            let input = self.from.fill_buf()?;
            let ended = input.is_empty();
            let step = member.step(input, to, ended);
            self.from.consume(step.consumed);
            let good = self.out + step.produced as u64;
            let damage = match step.outcome {
                Outcome::End => return Ok((step.produced, Some(Outcome::End))),
                Outcome::GoesOn if step.produced > 0 => return Ok((step.produced, Some(Outcome::GoesOn))),
                Outcome::GoesOn if !ended => continue,
                Outcome::GoesOn => Damage::Cut { of, good },
                Outcome::Corrupt => Damage::Corrupt { of, good },
                Outcome::TooLarge => Damage::TooLarge { of, good },
            };
            self.damage = Some(damage);
            return Ok((step.produced, None));
        }
    }

    /// What follows a member: another one, the end, or something that should not be there.
    fn after_member(&mut self, of: Packing) -> io::Result<()> {
        let good = self.out;
        if of.is_padded() {
            self.pass_zeros()?;
        }
        let rest = self.from.fill_buf()?;
        if rest.is_empty() {
            self.end(None);
        } else if !of.may_go_on(rest) {
            self.end(Some(Damage::Trailing { of, good }));
        } else if self.members == Members::One {
            self.end(Some(Damage::SecondMember { of, good }));
        } else {
            self.begin(of);
        }
        Ok(())
    }

    fn begin(&mut self, of: Packing) {
        match Member::new(of) {
            Some(member) => self.state = State::Member(of, member),
            None => self.end(Some(Damage::TooLarge { of, good: self.out })),
        }
    }

    fn pass_zeros(&mut self) -> io::Result<()> {
        loop {
            let rest = self.from.fill_buf()?;
            let zeros = rest.iter().take_while(|byte| **byte == 0).count();
            let more = zeros > 0 && zeros == rest.len();
            self.from.consume(zeros);
            if !more {
                return Ok(());
            }
        }
    }
}

impl<R: BufRead> Read for Unpack<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::End) {
                State::End => return Ok(0),
                State::Plain => {
                    self.state = State::Plain;
                    return self.from.read(to);
                }
                State::Start => match Packing::of(self.from.fill_buf()?) {
                    Some(of) => self.begin(of),
                    None => self.state = State::Plain,
                },
                State::Member(of, mut member) => {
                    // One byte beyond the limit is asked for, to learn whether there is any.
                    let room = usize::try_from(self.limit - self.out).unwrap_or(usize::MAX);
                    let mut probe = [0];
                    let fits = room.min(to.len());
                    let (beyond, target) = if room == 0 { (true, &mut probe[..]) } else { (false, &mut to[..fits]) };
                    let (produced, outcome) = self.inflate(of, &mut member, target)?;
                    if beyond && produced > 0 {
                        self.end(Some(Damage::TooLong { of, limit: self.limit }));
                        return Ok(0);
                    }
                    self.out += produced as u64;
                    match outcome {
                        None => {}
                        Some(Outcome::End) => self.after_member(of)?,
                        Some(_) => self.state = State::Member(of, member),
                    }
                    if produced > 0 {
                        return Ok(produced);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use std::io::{BufReader, Write as _};

    const ALL: [Packing; 3] = [Packing::Gzip, Packing::Xz, Packing::Zstd];

    fn pack(of: Packing, content: &[u8]) -> Vec<u8> {
        match of {
            Packing::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content).expect("writes to memory");
                encoder.finish().expect("writes to memory")
            }
            Packing::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
                encoder.write_all(content).expect("writes to memory");
                encoder.finish().expect("writes to memory")
            }
            Packing::Zstd => {
                let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("a level");
                encoder.include_checksum(true).expect("a flag");
                encoder.write_all(content).expect("writes to memory");
                encoder.finish().expect("writes to memory")
            }
        }
    }

    /// Reads all of it through small buffers on both sides.
    fn unpack(packed: &[u8], members: Members, limit: u64) -> (Vec<u8>, Option<Damage>) {
        let mut unpack = Unpack::new(BufReader::with_capacity(7, packed), members, limit);
        let (mut content, mut buffer) = (Vec::new(), [0; 13]);
        loop {
            match unpack.read(&mut buffer).expect("memory does not fail") {
                0 => return (content, unpack.damage().cloned()),
                n => content.extend_from_slice(&buffer[..n]),
            }
        }
    }

    fn lines() -> Vec<u8> {
        (0..5_000).flat_map(|n: u32| format!("line {} of many\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect()
    }

    #[test]
    fn plain_bytes_go_through() {
        assert_eq!(unpack(b"a plain line\n", Members::One, 3), (b"a plain line\n".to_vec(), None));
        assert_eq!(unpack(b"", Members::One, 3), (Vec::new(), None));
        assert_eq!(unpack(b"\x1f\x8b", Members::One, 3).0, b"\x1f\x8b");
    }

    #[test]
    fn members_are_joined_only_where_they_may_be() {
        let content = lines();
        for of in ALL {
            assert_eq!(unpack(&pack(of, &content), Members::One, u64::MAX), (content.clone(), None), "{of}");
            assert_eq!(unpack(&pack(of, b""), Members::One, u64::MAX), (Vec::new(), None), "{of}");
            let doubled = [pack(of, b"one\n"), pack(of, b"two\n")].concat();
            assert_eq!(unpack(&doubled, Members::Many, u64::MAX), (b"one\ntwo\n".to_vec(), None), "{of}");
            let second = Some(Damage::SecondMember { of, good: 4 });
            assert_eq!(unpack(&doubled, Members::One, u64::MAX), (b"one\n".to_vec(), second));
            let trailing = [pack(of, b"one\n"), b"tail".to_vec()].concat();
            let damage = Some(Damage::Trailing { of, good: 4 });
            assert_eq!(unpack(&trailing, Members::Many, u64::MAX), (b"one\n".to_vec(), damage));
        }
    }

    #[test]
    fn what_stands_between_members_is_passed_over() {
        let padded = [pack(Packing::Xz, b"one\n"), vec![0; 8], pack(Packing::Xz, b"two\n"), vec![0; 4]].concat();
        assert_eq!(unpack(&padded, Members::Many, u64::MAX), (b"one\ntwo\n".to_vec(), None));
        let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
        let frames = [skipped.clone(), pack(Packing::Zstd, b"one\n"), skipped, pack(Packing::Zstd, b"two\n")].concat();
        assert_eq!(unpack(&frames, Members::Many, u64::MAX), (b"one\ntwo\n".to_vec(), None));
    }

    #[test]
    fn what_is_good_before_damage_is_read_to_the_last_byte() {
        let content = lines();
        for of in ALL {
            let packed = pack(of, &content);
            for cut in [20, packed.len() / 2, packed.len() - 1] {
                let (got, damage) = unpack(&packed[..cut], Members::One, u64::MAX);
                assert!(content.starts_with(&got), "{of} cut at {cut}");
                assert_eq!(damage, Some(Damage::Cut { of, good: got.len() as u64 }), "{of} cut at {cut}");
            }
            let (got, _) = unpack(&packed[..packed.len() - 1], Members::One, u64::MAX);
            assert_eq!(got, content, "{of}: only the checksum or the footer is missing");
            let mut flipped = packed.clone();
            // The checksum of gzip and of zstd; the footer of xz.
            let checksum = flipped.len() - if of == Packing::Gzip { 6 } else { 2 };
            flipped[checksum] ^= 1;
            let (got, damage) = unpack(&flipped, Members::One, u64::MAX);
            assert_eq!((got, damage), (content.clone(), Some(Damage::Corrupt { of, good: content.len() as u64 })));
            let mut flipped = packed.clone();
            flipped[packed.len() / 2] ^= 0x55;
            let (_, damage) = unpack(&flipped, Members::One, u64::MAX);
            assert!(damage.is_some(), "{of}");
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        for of in ALL {
            let packed = pack(of, &vec![0; 1_000_000]);
            let (got, damage) = unpack(&packed, Members::One, 1_000);
            assert_eq!((got.len(), damage), (1_000, Some(Damage::TooLong { of, limit: 1_000 })));
            assert_eq!(unpack(&packed, Members::One, 1_000_000).1, None);
        }
    }

    #[test]
    fn what_asks_for_too_much_memory_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("a level");
        encoder.window_log(28).expect("a window");
        encoder.write_all(b"a line\n").expect("writes to memory");
        let large = encoder.finish().expect("writes to memory");
        let damage = Damage::TooLarge { of: Packing::Zstd, good: 0 };
        assert_eq!(unpack(&large, Members::Many, u64::MAX), (Vec::new(), Some(damage)));

        let mut options = liblzma::stream::LzmaOptions::new_preset(0).expect("a preset");
        options.dict_size(128 << 20);
        let mut filters = liblzma::stream::Filters::new();
        filters.lzma2(&options);
        let stream = liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc64);
        let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream.expect("an encoder"));
        encoder.write_all(b"a line\n").expect("writes to memory");
        let large = encoder.finish().expect("writes to memory");
        let damage = Damage::TooLarge { of: Packing::Xz, good: 0 };
        assert_eq!(unpack(&large, Members::Many, u64::MAX), (Vec::new(), Some(damage)));
    }
}
