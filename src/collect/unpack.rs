//! Bytes as they were before gzip, in bounded memory and bounded length; what is not gzip goes through.
//!
//! Reading ends where the content ends, where it is damaged, or at the limit; [`Unpack::damage`] says
//! which. What was good before the damage has been handed out by then, to the last byte.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// What may follow a gzip member (RFC 1952 §2.2 allows more of them).
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
    #[error("the gzip data is corrupt after {good} good bytes: what came before was read; fetch the file again")]
    Corrupt { good: u64 },
    #[error("the gzip data ends in the middle, after {good} good bytes: what is there was read; fetch the file again")]
    Cut { good: u64 },
    #[error("something that is not gzip follows the gzip data of {good} bytes: it was not read")]
    Trailing { good: u64 },
    #[error("a second gzip member follows the first of {good} bytes, which AWS never writes: it was not read")]
    SecondMember { good: u64 },
    #[error("more than {limit} bytes come out of the gzip data: the rest was not read; raise decompressed_bytes_max")]
    TooLong { limit: u64 },
}

/// gzip's window: 32 KiB, the most that RFC 1951 knows.
const WINDOW_BITS: u8 = 15;
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

pub(super) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&GZIP_MAGIC)
}

/// The name of a compression that whodid does not read.
pub(super) fn foreign_compression(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 3] = [(b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2")];
    KNOWN.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name)
}

pub(super) struct Unpack<R> {
    from: R,
    state: State,
    members: Members,
    limit: u64,
    out: u64,
    damage: Option<Damage>,
}

enum State {
    Start,
    Plain,
    Member(Box<Decompress>),
    End,
}

impl<R: BufRead> Unpack<R> {
    pub(super) fn new(from: R, members: Members, limit: u64) -> Self {
        Self { from, state: State::Start, members, limit, out: 0, damage: None }
    }

    /// After reading has ended: why it ended early, if it did.
    pub(super) fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    fn end(&mut self, damage: Option<Damage>) {
        self.state = State::End;
        self.damage = damage;
    }

    /// Decompresses into `to`; 0 when this member is over or damaged.
    fn inflate(&mut self, member: &mut Decompress, to: &mut [u8]) -> io::Result<(usize, Option<Status>)> {
        loop {
            let input = self.from.fill_buf()?;
            let (before_in, before_out) = (member.total_in(), member.total_out());
            let ended = input.is_empty();
            let flush = if ended { FlushDecompress::Finish } else { FlushDecompress::None };
            let status = member.decompress(input, to, flush);
            let consumed = usize::try_from(member.total_in() - before_in).unwrap_or(usize::MAX);
            let produced = usize::try_from(member.total_out() - before_out).unwrap_or(usize::MAX);
            self.from.consume(consumed);
            match status {
                Err(_) => {
                    self.damage = Some(Damage::Corrupt { good: self.out + produced as u64 });
                    return Ok((produced, None));
                }
                Ok(Status::StreamEnd) => return Ok((produced, Some(Status::StreamEnd))),
                Ok(status) if produced > 0 => return Ok((produced, Some(status))),
                Ok(_) if ended => {
                    self.damage = Some(Damage::Cut { good: self.out });
                    return Ok((0, None));
                }
                Ok(_) => {}
            }
        }
    }

    /// What follows a member: another one, the end, or something that should not be there.
    fn after_member(&mut self) -> io::Result<()> {
        let good = self.out;
        let rest = self.from.fill_buf()?;
        if rest.is_empty() {
            self.end(None);
        } else if !rest.starts_with(&GZIP_MAGIC[..rest.len().min(2)]) {
            self.end(Some(Damage::Trailing { good }));
        } else if self.members == Members::One {
            self.end(Some(Damage::SecondMember { good }));
        } else {
            self.state = State::Member(Box::new(Decompress::new_gzip(WINDOW_BITS)));
        }
        Ok(())
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
                State::Start => {
                    let packed = is_gzip(self.from.fill_buf()?);
                    self.state = match packed {
                        true => State::Member(Box::new(Decompress::new_gzip(WINDOW_BITS))),
                        false => State::Plain,
                    };
                }
                State::Member(mut member) => {
                    // One byte beyond the limit is asked for, to learn whether there is any.
                    let room = usize::try_from(self.limit - self.out).unwrap_or(usize::MAX);
                    let mut probe = [0];
                    let fits = room.min(to.len());
                    let (beyond, target) = if room == 0 { (true, &mut probe[..]) } else { (false, &mut to[..fits]) };
                    let (produced, status) = self.inflate(&mut member, target)?;
                    if beyond && produced > 0 {
                        self.end(Some(Damage::TooLong { limit: self.limit }));
                        return Ok(0);
                    }
                    self.out += produced as u64;
                    match status {
                        None => {}
                        Some(Status::StreamEnd) => self.after_member()?,
                        Some(_) => self.state = State::Member(member),
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

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).expect("writes to memory");
        encoder.finish().expect("writes to memory")
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
    fn gzip_is_unpacked_and_members_are_joined_only_where_they_may_be() {
        let content = lines();
        assert_eq!(unpack(&gzip(&content), Members::One, u64::MAX), (content.clone(), None));
        let doubled = [gzip(b"one\n"), gzip(b"two\n")].concat();
        assert_eq!(unpack(&doubled, Members::Many, u64::MAX), (b"one\ntwo\n".to_vec(), None));
        let second = Some(Damage::SecondMember { good: 4 });
        assert_eq!(unpack(&doubled, Members::One, u64::MAX), (b"one\n".to_vec(), second));
        let trailing = [gzip(b"one\n"), b"tail".to_vec()].concat();
        assert_eq!(unpack(&trailing, Members::Many, u64::MAX), (b"one\n".to_vec(), Some(Damage::Trailing { good: 4 })));
    }

    #[test]
    fn what_is_good_before_damage_is_read_to_the_last_byte() {
        let content = lines();
        let packed = gzip(&content);
        for cut in [20, packed.len() / 2, packed.len() - 1] {
            let (got, damage) = unpack(&packed[..cut], Members::One, u64::MAX);
            assert!(content.starts_with(&got), "cut at {cut}");
            assert_eq!(damage, Some(Damage::Cut { good: got.len() as u64 }), "cut at {cut}");
        }
        let (got, _) = unpack(&packed[..packed.len() - 1], Members::One, u64::MAX);
        assert_eq!(got, content, "only the checksum is missing");
        let mut flipped = packed.clone();
        let last = flipped.len() - 6;
        flipped[last] ^= 1;
        let (got, damage) = unpack(&flipped, Members::One, u64::MAX);
        assert_eq!((got, damage), (content.clone(), Some(Damage::Corrupt { good: content.len() as u64 })));
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let packed = gzip(&vec![0; 1_000_000]);
        let (got, damage) = unpack(&packed, Members::One, 1_000);
        assert_eq!((got.len(), damage), (1_000, Some(Damage::TooLong { limit: 1_000 })));
        assert_eq!(unpack(&packed, Members::One, 1_000_000).1, None);
    }
}
