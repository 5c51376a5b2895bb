//! Keys that follow one another: each one signs its successor.
//!
//! ```text
//! whodid key 1 | whodid epoch 1 LF
//! <origin of the trail from here on> LF
//! <number, decimal> LF
//! <entries that were signed when this key began, decimal> LF
//! <base64 of the root over these> LF
//! <verifier key> LF
//! ```
//!
//! Such records are signed [`Note`]s, one after the other in `trail/keys` and `trail/epochs`. Keys of the
//! log are named as the trail is; record 0 is signed by its own key, each further one by the key before it
//! and its own. Keys of epochs are named `<origin>/epoch/<number>`; record 0 is signed by the key of the log
//! and its own, each further one by the key of the epoch that it closes and its own. With a new origin (the
//! trail was adopted) a chain may begin anew: epochs as with record 0, keys of the log signed by their own alone.
//!
//! Pure: what is on a disk is none of its business. Invariant: a [`Link`] is what its signers signed, and
//! follows the one before it in number, size and name; whether its root is the tree's is for others to see.

use std::fmt;

use super::checkpoint::Checkpoint;
use super::note::{self, Note, NoteError, SignerKey, VerifierKey};
use super::notes;
use super::tree::{self, Hash};

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Signs everything, until it is replaced.
    Log,
    /// Signs checkpoints beside the key of the log, until its epoch is closed and it is destroyed.
    Epoch,
}

/// The beginning of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub kind: Kind,
    pub origin: String,
    pub number: u64,
    /// Of the signed tree when the key began.
    pub size: u64,
    pub root: Hash,
    pub key: VerifierKey,
}

/// Who vouches for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tie {
    /// The key before it.
    Before,
    /// Nobody whom the chain knows: it begins here, or anew.
    Begins,
}

/// A record in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub record: Record,
    pub tie: Tie,
}

/// Why a record does not continue its chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    #[error("{0}")]
    Note(NoteError),
    #[error("record {expected} should follow, and this is {found}")]
    Number { expected: u64, found: u64 },
    #[error("it is of {size} entries, and the one before it of {before}")]
    Size { size: u64, before: u64 },
    #[error("its key should have the name {expected}")]
    Name { expected: String },
    #[error("it belongs to the trail {found}, and the key of the log to another")]
    Origin { found: String },
    #[error("it has {found} signatures instead of {expected}")]
    Signatures { expected: usize, found: usize },
    #[error("{0}")]
    Signature(NoteError),
}

/// Takes the records of a chain in their order.
#[derive(Debug)]
pub struct Follow<'l> {
    kind: Kind,
    /// The keys of the log, which vouch where epochs begin; none where nobody knows them.
    log: Option<&'l Chain>,
    before: Option<Record>,
}

/// The keys of a log: few enough to be held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    links: Vec<Link>,
    /// Of the last one, if another followed it.
    ended: Option<u64>,
}

/// Where a chain that is read as a whole ends, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Bytes of the records that hold.
    pub at: usize,
    /// What comes there does not; none where nothing comes, or what a crash left.
    pub broken: Option<Broken>,
}

impl Kind {
    /// The name of the key with this number.
    pub fn key_name(self, origin: &str, number: u64) -> String {
        match self {
            Self::Log => origin.to_owned(),
            Self::Epoch => format!("{origin}/epoch/{number}"),
        }
    }

    fn head(self) -> &'static str {
        match self {
            Self::Log => "whodid key 1",
            Self::Epoch => "whodid epoch 1",
        }
    }
}

impl Record {
    /// The text of a record, whoever signed it.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed;
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or_default().split('\n').collect();
        let [head, origin, number, size, root, key] = lines.as_slice() else {
            return Err(malformed("a record of a key has six lines"));
        };
        let kind = [Kind::Log, Kind::Epoch].into_iter().find(|kind| kind.head() == *head);
        let kind = kind.ok_or(malformed("it is no record of a key that this version knows"))?;
        if !note::is_key_name(origin) {
            return Err(malformed("the origin of the record is empty or holds a space or a plus sign"));
        }
        let (Ok(number), Ok(size), Some(root)) = (number.parse(), size.parse(), Hash::from_base64(root.as_bytes()))
        else {
            return Err(malformed("the number, the size or the root of the record cannot be read"));
        };
        let this = Self { kind, origin: (*origin).to_owned(), number, size, root, key: VerifierKey::parse(key)? };
        // A sign or leading zeros would make two texts of one record.
        if this.to_string() == text { Ok(this) } else { Err(malformed("the record is not written in the one form")) }
    }

    /// The signed form, as it is stored. Whose signatures it needs is said above.
    pub fn sign(&self, keys: &[&SignerKey]) -> Result<String, NoteError> {
        Note::sign_by(self.to_string(), keys).map(|note| note.to_string())
    }

    /// Whether what follows this record at the end of a file is less than a record.
    pub(super) fn is_before_torn(&self, rest: &[u8]) -> bool {
        let more = size_digits(rest).map_or(0, |digits| digits.saturating_sub(self.size.to_string().len()));
        rest.len() < self.next_bytes_min() + more && Note::parse(rest).map_or(true, |note| note.signers().len() < 2)
    }

    /// A record that follows this one under the same origin is not shorter, with its two signatures. So
    /// what is shorter was never whole, and what is not was.
    fn next_bytes_min(&self) -> usize {
        let number = self.number.saturating_add(1);
        let [name, next] = [self.number, number].map(|number| self.kind.key_name(&self.origin, number).len());
        let digits = number.to_string().len() - self.number.to_string().len();
        let text = self.to_string().len() - name + next + digits;
        text + 1 + [name, next].map(|name| name + SIGNATURE_BYTES).iter().sum::<usize>()
    }
}

/// How long the size is, in what may be the beginning of a record.
fn size_digits(rest: &[u8]) -> Option<usize> {
    let size = std::str::from_utf8(rest.split(|byte| *byte == b'\n').nth(3)?).ok()?;
    size.parse::<u64>().ok().map(|_| size.len())
}

/// A line of a signature without its name: dash, blanks, 68 bytes in base64, line feed.
const SIGNATURE_BYTES: usize = "— ".len() + 1 + 92 + 1;

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, origin, number, size, root, key } = self;
        write!(f, "{}\n{origin}\n{number}\n{size}\n{}\n{key}\n", kind.head(), root.to_base64())
    }
}

impl Broken {
    /// Something else than was signed, as against something that was not signed by whom it should.
    pub fn is_altered(&self) -> bool {
        !matches!(self, Self::Signature(_) | Self::Origin { .. })
    }
}

impl<'l> Follow<'l> {
    /// The chain in `trail/keys`.
    pub fn keys() -> Self {
        Self { kind: Kind::Log, log: None, before: None }
    }

    /// The chain in `trail/epochs`. Without the keys of the log nobody is asked to vouch for its beginning.
    pub fn epochs(log: Option<&'l Chain>) -> Self {
        Self { kind: Kind::Epoch, log, before: None }
    }

    /// The next record.
    pub fn take(&mut self, note: &Note) -> Result<Link, Broken> {
        let record = Record::parse(note.text()).map_err(Broken::Note)?;
        let before = self.before.as_ref();
        let expected = before.map_or(Some(0), |before| before.number.checked_add(1)).unwrap_or_default();
        if record.kind != self.kind {
            return Err(Broken::Note(NoteError::Malformed("it is a record of the other kind")));
        }
        if record.number != expected {
            return Err(Broken::Number { expected, found: record.number });
        }
        if let Some(before) = before.filter(|before| before.size > record.size) {
            return Err(Broken::Size { size: record.size, before: before.size });
        }
        let name = self.kind.key_name(&record.origin, record.number);
        if record.key.name() != name {
            return Err(Broken::Name { expected: name });
        }
        let tie = self.tie(note, &record)?;
        note.verify(&record.key).map_err(Broken::Signature)?;
        self.before = Some(record.clone());
        Ok(Link { record, tie })
    }

    /// Whether bytes at the end, which are no record that follows, can be what a crash left of one.
    pub fn is_torn(&self, rest: &[u8]) -> bool {
        self.before.as_ref().is_some_and(|before| before.is_before_torn(rest))
    }

    fn tie(&self, note: &Note, record: &Record) -> Result<Tie, Broken> {
        let signatures = |expected| match note.signers().len() {
            found if found == expected => Ok(()),
            found => Err(Broken::Signatures { expected, found }),
        };
        let before = self.before.as_ref();
        let same = before.filter(|before| before.origin == record.origin);
        match (self.kind, same, before) {
            (_, Some(before), _) => {
                signatures(2)?;
                note.verify(&before.key).map_err(Broken::Signature).map(|_| Tie::Before)
            }
            (Kind::Log, None, Some(before)) if note.signers().len() > 1 => {
                signatures(2)?;
                note.verify(&before.key).map_err(Broken::Signature).map(|_| Tie::Before)
            }
            (Kind::Log, None, None) if record.size > 0 => Err(Broken::Size { size: record.size, before: 0 }),
            (Kind::Log, None, _) => signatures(1).map(|()| Tie::Begins),
            (Kind::Epoch, None, _) => {
                signatures(2)?;
                self.vouched(note, record).map(|()| Tie::Begins)
            }
        }
    }

    /// Where epochs begin, the key of the log that was in force then vouches for the first.
    fn vouched(&self, note: &Note, record: &Record) -> Result<(), Broken> {
        let Some(log) = self.log else { return Ok(()) };
        let mut said = Err(Broken::Origin { found: record.origin.clone() });
        for Record { key, .. } in log.in_force(record.size).filter(|log| log.origin == record.origin) {
            match note.verify(key) {
                Ok(_) => return Ok(()),
                Err(error) => said = Err(Broken::Signature(error)),
            }
        }
        said
    }
}

impl Chain {
    /// Of a trail that has one key and no record of it.
    pub fn of_one(key: VerifierKey) -> Self {
        let origin = key.name().to_owned();
        let record = Record { kind: Kind::Log, origin, number: 0, size: 0, root: tree::empty(), key };
        Self { links: vec![Link { record, tie: Tie::Begins }], ended: None }
    }

    /// The keys of a log, up to the first record that does not hold.
    pub fn read(bytes: &[u8]) -> (Self, End) {
        let (mut chain, mut follow) = (Self::default(), Follow::keys());
        let mut end = End { at: 0, broken: None };
        for (at, read) in notes::read(bytes) {
            let taken = read.map_err(Broken::Note);
            let taken = taken.and_then(|(note_bytes, note)| Ok((note_bytes.len(), follow.take(&note)?)));
            match taken {
                Ok((length, link)) => {
                    chain.links.push(link);
                    end.at = at + length;
                }
                Err(_) if follow.is_torn(bytes.get(at..).unwrap_or_default()) => break,
                Err(broken) => {
                    end.broken = Some(broken);
                    break;
                }
            }
        }
        (chain, end)
    }

    /// One more key, signed by the newest.
    pub fn push(&mut self, record: Record) {
        self.links.push(Link { record, tie: Tie::Before });
    }

    /// Reads a checkpoint that a key signed which was in force at its size, under its own name.
    pub fn checkpoint(&self, bytes: &[u8]) -> Result<(Checkpoint, Note), NoteError> {
        let (checkpoint, note) = Checkpoint::parse_note(bytes)?;
        self.signed(&checkpoint, &note)?;
        Ok((checkpoint, note))
    }

    /// Whether a key that was in force at its size signed a checkpoint.
    pub fn signed(&self, checkpoint: &Checkpoint, note: &Note) -> Result<(), NoteError> {
        let mut said = NoteError::Unsigned(checkpoint.origin.clone());
        for record in self.in_force(checkpoint.size).filter(|record| record.origin == checkpoint.origin) {
            match note.verify(&record.key) {
                Ok(_) => return Ok(()),
                Err(error) => said = error,
            }
        }
        let ends = self.links.iter().skip(1).map(|next| next.record.size).chain(self.ended);
        let retired = self.links.iter().zip(ends).find(|(link, _)| note.verify(&link.record.key).is_ok());
        match retired {
            Some((_, size)) => Err(NoteError::Retired { name: checkpoint.origin.clone(), size }),
            None => Err(said),
        }
    }

    /// Whether the trail left this name at this size for another one.
    pub fn is_left(&self, origin: &str, size: u64) -> bool {
        let mut pairs = self.links.iter().zip(self.links.iter().skip(1));
        pairs.any(|(before, next)| {
            before.record.origin == origin && next.record.origin != origin && next.record.size == size
        })
    }

    pub fn links(&self) -> &[Link] {
        &self.links
    }

    pub fn newest(&self) -> Option<&Record> {
        self.links.last().map(|link| &link.record)
    }

    /// What follows from trust in one key: it, and those after it that were signed one by the other. None
    /// where it is no key of this chain.
    pub fn from(&self, key: &VerifierKey) -> Option<Self> {
        let begin = self.links.iter().position(|link| link.record.key == *key)?;
        let after = self.links.iter().skip(begin + 1);
        let end = begin + 1 + after.take_while(|link| link.tie == Tie::Before).count();
        let ended = self.links.get(end).map_or(self.ended, |link| Some(link.record.size));
        Some(Self { links: self.links.get(begin..end)?.to_vec(), ended })
    }

    /// The keys that may sign a tree of this size: at the size at which one follows another, both.
    pub fn in_force(&self, size: u64) -> impl Iterator<Item = &Record> {
        let ends = self.links.iter().skip(1).map(|next| Some(next.record.size)).chain([self.ended]);
        let mine = self.links.iter().zip(ends);
        mine.filter(move |(link, end)| link.record.size <= size && end.is_none_or(|end| size <= end))
            .map(|(link, _)| &link.record)
    }
}

#[cfg(test)]
mod tests;
