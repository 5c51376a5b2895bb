//! C2SP signed-note: a text with signatures, and the two forms of a key.
//!
//! ```text
//! <text, ends in LF> LF
//! — <key name> <base64(4-byte key id ‖ signature)> LF        one or more
//! ```
//!
//! Key id = first 4 bytes of SHA-256(name ‖ LF ‖ type ‖ public key); the one type here is Ed25519 (1)
//! over the text. Verifier key: `<name>+<key id, hex>+<base64(type ‖ public key)>`. Signer key, as Go's
//! `sumdb/note` writes it: `PRIVATE+KEY+<name>+<key id, hex>+<base64(type ‖ seed)>`.
//!
//! Invariant: what [`Note::parse`] takes, [`Note`]'s `Display` gives back byte for byte, so that
//! no two files are the same note.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature as Ed25519, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::agent::{Agent, AgentError};
use super::tree::unbase64;

/// A text with its signatures, none of them checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

/// The public key of a named signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

/// The private key of a named signer, or the agent that holds it. Never printed.
pub struct SignerKey {
    name: String,
    secret: Secret,
}

enum Secret {
    Here(SigningKey),
    Agent(Agent),
}

/// Why a note or a key cannot be read or believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    #[error("it is no signed note: {0}")]
    Malformed(&'static str),
    #[error("it is no key: {0}")]
    BadKey(&'static str),
    #[error("it is not signed by {0}")]
    Unsigned(String),
    #[error("the signature of {0} is wrong")]
    Wrong(String),
    #[error("it is signed by a key of {name} that signed no tree of more than {size} entries: another follows it")]
    Retired { name: String, size: u64 },
    /// Nothing is wrong with the text: it may be signed later.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

/// Ed25519 over the text of the note.
const ED25519: u8 = 1;

/// No note of ours has more; a longer list is somebody's attempt to keep us busy.
const SIGNATURES_MAX: usize = 64;

const DASH: &str = "— ";
/// Go's `sumdb/note` begins private keys so.
pub(super) const PRIVATE: &str = "PRIVATE+KEY+";

impl Note {
    /// A text signed by one key. The text must end in LF and hold no other control character.
    pub fn sign(text: String, key: &SignerKey) -> Result<Self, NoteError> {
        check_text(&text)?;
        let mut note = Self { text, signatures: Vec::new() };
        note.add_signature(key)?;
        Ok(note)
    }

    /// A text signed by several keys.
    pub fn sign_by(text: String, keys: &[&SignerKey]) -> Result<Self, NoteError> {
        let (first, others) = keys.split_first().ok_or(NoteError::Malformed("there is no signature"))?;
        let mut note = Self::sign(text, first)?;
        others.iter().try_for_each(|key| note.add_signature(key))?;
        Ok(note)
    }

    /// One more key vouches for the text. Fails only where an agent holds the key.
    pub fn add_signature(&mut self, key: &SignerKey) -> Result<(), NoteError> {
        let public = key.verifier();
        let bytes = key.signature(self.text.as_bytes())?.to_vec();
        self.signatures.push(Signature { key_id: public.id(), name: public.name, bytes });
        Ok(())
    }

    /// One more signature, made elsewhere.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.push(signature);
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let all = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        let (text, lines) = all.rsplit_once("\n\n").ok_or(NoteError::Malformed("there is no signature"))?;
        let text = format!("{text}\n");
        check_text(&text)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed("it does not end in a line feed"))?;
        let signatures: Vec<Signature> = lines.split('\n').map(Signature::parse).collect::<Result<_, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Malformed("there are too many signatures"));
        }
        Ok(Self { text, signatures })
    }

    /// The text, which nobody has vouched for yet.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn drop_signatures_of(&mut self, name: &str, id: [u8; 4]) {
        self.signatures.retain(|signature| !signature.is_of(name, id));
    }

    /// Name, key id and bytes of the signatures that have this length, unchecked.
    pub(super) fn claims(&self, length: usize) -> impl Iterator<Item = (&str, [u8; 4], &[u8])> {
        let of = self.signatures.iter().filter(move |signature| signature.bytes.len() == length);
        of.map(|signature| (signature.name.as_str(), signature.key_id, signature.bytes.as_slice()))
    }

    /// Drops the signatures of all but these keys; nothing else says how many a stranger added.
    pub fn keep_signatures_of(&mut self, keys: &[VerifierKey]) {
        self.signatures.retain(|signature| keys.iter().any(|key| signature.is_of(&key.name, key.id())));
    }

    /// What stands under a name and a key id, unchecked.
    pub(super) fn signatures_of<'n>(&'n self, name: &'n str, id: [u8; 4]) -> impl Iterator<Item = &'n [u8]> {
        let of = self.signatures.iter().filter(move |signature| signature.is_of(name, id));
        of.map(|signature| signature.bytes.as_slice())
    }

    /// The names of those who signed, in the order of their signatures.
    pub fn signers(&self) -> impl ExactSizeIterator<Item = &str> {
        self.signatures.iter().map(|signature| signature.name.as_str())
    }

    /// The text, if this key signed it. Signatures of other keys are ignored, a wrong one of this key is not.
    pub fn verify(&self, key: &VerifierKey) -> Result<&str, NoteError> {
        let mut is_signed = false;
        for signature in self.signatures_of(&key.name, key.id()) {
            let wrong = || NoteError::Wrong(key.name.clone());
            let bytes = Ed25519::from_slice(signature).map_err(|_| wrong())?;
            key.key.verify_strict(self.text.as_bytes(), &bytes).map_err(|_| wrong())?;
            is_signed = true;
        }
        if is_signed { Ok(&self.text) } else { Err(NoteError::Unsigned(key.name.clone())) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// The line, without LF.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, key_id, bytes } = self;
        write!(f, "{DASH}{name} {}", BASE64.encode(&[key_id, bytes.as_slice()].concat()))
    }
}

impl Signature {
    pub(super) fn new(name: &str, key_id: [u8; 4], bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), key_id, bytes }
    }

    pub(super) fn is_of(&self, name: &str, id: [u8; 4]) -> bool {
        self.name == name && self.key_id == id
    }

    /// Reads a line, without LF.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let malformed = || NoteError::Malformed("a signature line is not `— <name> <base64>`");
        let (name, base64) = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or_else(malformed)?;
        let bytes = unbase64(base64.as_bytes()).ok_or_else(malformed)?;
        match bytes.split_first_chunk::<4>() {
            Some((key_id, rest)) if !rest.is_empty() && is_key_name(name) => {
                Ok(Self { name: name.to_owned(), key_id: *key_id, bytes: rest.to_vec() })
            }
            _ => Err(malformed()),
        }
    }
}

impl VerifierKey {
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::BadKey("a verifier key is `<name>+<key id>+<base64>`"));
        };
        if !is_key_name(name) {
            return Err(NoteError::BadKey("its name is empty or holds a space"));
        }
        let bytes = key_bytes(key, ED25519)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| NoteError::BadKey("it is no point of the curve"))?;
        let this = Self { name: name.to_owned(), key };
        if id != HEXLOWER.encode(&this.id()) {
            return Err(NoteError::BadKey("its key id does not belong to it: was it mistyped?"));
        }
        Ok(this)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        key_id(&self.name, ED25519, self.key.as_bytes())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id()), BASE64.encode(&key))
    }
}

impl SignerKey {
    /// The key of a name from 32 secret random bytes.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        Self::new(name, Secret::Here(SigningKey::from_bytes(seed)))
    }

    /// The key of a name that an agent holds.
    pub fn of_agent(name: &str, agent: Agent) -> Result<Self, NoteError> {
        Self::new(name, Secret::Agent(agent))
    }

    fn new(name: &str, secret: Secret) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::BadKey("its name is empty or holds a space or a plus sign"));
        }
        Ok(Self { name: name.to_owned(), secret })
    }

    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.strip_prefix(PRIVATE).unwrap_or_default().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::BadKey("a signer key is `PRIVATE+KEY+<name>+<key id>+<base64>`"));
        };
        let this = Self::from_seed(name, &*key_bytes(key, ED25519)?)?;
        if id != HEXLOWER.encode(&this.verifier().id()) {
            return Err(NoteError::BadKey("its key id does not belong to it: was the file changed?"));
        }
        Ok(this)
    }

    /// The same key under another name, which makes it another signer.
    pub fn renamed(self, name: &str) -> Result<Self, NoteError> {
        Self::new(name, self.secret)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn verifier(&self) -> VerifierKey {
        let key = match &self.secret {
            Secret::Here(key) => key.verifying_key(),
            Secret::Agent(agent) => *agent.key(),
        };
        VerifierKey { name: self.name.clone(), key }
    }

    fn signature(&self, text: &[u8]) -> Result<[u8; 64], AgentError> {
        match &self.secret {
            Secret::Here(key) => Ok(key.sign(text).to_bytes()),
            Secret::Agent(agent) => agent.sign(text),
        }
    }

    /// The private form, for the one file that holds it; none of a key that an agent holds.
    pub fn to_secret_text(&self) -> Option<Zeroizing<String>> {
        let Secret::Here(key) = &self.secret else { return None };
        let bytes = Zeroizing::new([&[ED25519], key.as_bytes().as_slice()].concat());
        let bytes = Zeroizing::new(BASE64.encode(&bytes));
        // Room for all of it: a text that grows leaves copies of itself behind.
        let mut text = Zeroizing::new(String::with_capacity(PRIVATE.len() + self.name.len() + 64));
        for part in [PRIVATE, &self.name, "+", &HEXLOWER.encode(&self.verifier().id()), "+", &bytes] {
            text.push_str(part);
        }
        Some(text)
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({})", self.verifier())
    }
}

/// What may stand as the name of a key, and so as the origin of a trail.
pub(super) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// By which signatures of a key are told from those of others.
pub(super) fn key_id(name: &str, kind: u8, public: &[u8; 32]) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', kind]).chain_update(public).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::Malformed("the text does not end in a line feed"));
    }
    if text.bytes().any(|b| b < 0x20 && b != b'\n') {
        return Err(NoteError::Malformed("the text holds a control character"));
    }
    Ok(())
}

/// The key of this type in the last part of its text form.
pub(super) fn key_bytes(base64: &str, kind: u8) -> Result<Zeroizing<[u8; 32]>, NoteError> {
    let bytes = unbase64(base64.as_bytes()).ok_or(NoteError::BadKey("it is not base64"))?;
    match Zeroizing::new(bytes).split_first() {
        Some((found, key)) if *found == kind => {
            key.try_into().map(Zeroizing::new).map_err(|_| NoteError::BadKey("it has not 32 bytes"))
        }
        _ => Err(NoteError::BadKey("it is a key of another type: 1 are those of logs, 4 those of witnesses")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "trail.example.org/host-1";
    const VKEY: &str = "trail.example.org/host-1+f0c8e200+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

    fn seed() -> [u8; 32] {
        std::array::from_fn(|i| i as u8)
    }

    fn key() -> SignerKey {
        SignerKey::from_seed(NAME, &seed()).expect("a good name")
    }

    fn signed() -> Note {
        Note::sign("one\ntwo\n".to_owned(), &key()).expect("a good text")
    }

    /// Found by the fuzz target `note`: the decoder takes padded pieces in a row for one.
    #[test]
    fn a_signature_in_two_pieces_of_base64_is_refused() {
        let note = signed().to_string();
        let (head, base64) = note.trim_end().rsplit_once(' ').expect("a signature line");
        let bytes = BASE64.decode(base64.as_bytes()).expect("base64");
        for cut in 1..bytes.len() {
            let (one, two) = bytes.split_at(cut);
            let other = format!("{head} {}{}\n", BASE64.encode(one), BASE64.encode(two));
            assert_eq!(Note::parse(other.as_bytes()).is_ok(), other == note, "{cut}");
        }
        let key = key().verifier().to_string();
        let parts: Vec<&str> = key.splitn(3, '+').collect();
        let bytes = BASE64.decode(parts[2].as_bytes()).expect("base64");
        let pieces = [&bytes[..10], &bytes[10..]].map(|piece| BASE64.encode(piece)).concat();
        assert!(VerifierKey::parse(&format!("{}+{}+{pieces}", parts[0], parts[1])).is_err());
        let hash = crate::trail::tree::empty().to_base64();
        let bytes = BASE64.decode(hash.as_bytes()).expect("base64");
        let pieces = [&bytes[..1], &bytes[1..]].map(|piece| BASE64.encode(piece)).concat();
        assert_eq!(crate::trail::tree::Hash::from_base64(pieces.as_bytes()), None);
    }

    #[test]
    fn keys_are_read_and_written_as_published() {
        assert_eq!(key().verifier().to_string(), VKEY);
        assert_eq!(VerifierKey::parse(VKEY).map(|key| key.to_string()).as_deref(), Ok(VKEY));
        let again = SignerKey::parse(&key().to_secret_text().expect("it is here")).expect("our own form");
        assert_eq!(again.verifier(), key().verifier());
        assert!(!format!("{:?}", key()).contains(&BASE64.encode(&seed())));
    }

    #[test]
    fn a_key_that_is_not_what_it_says_is_refused() {
        let (name, rest) = VKEY.split_at(NAME.len());
        let other_id = VKEY.replace("f0c8e200", "f0c8e201");
        for bad in [
            "",
            "a+b",
            name,
            &other_id,
            &format!("x{rest}"),
            &VKEY.replace("AQOh", "BAOh"),
            VKEY.strip_suffix("SVTG4").unwrap_or_default(),
        ] {
            assert!(VerifierKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_note_reads_back_and_any_changed_byte_fails() {
        let (note, verifier) = (signed(), key().verifier());
        let bytes = note.to_string().into_bytes();
        assert_eq!(Note::parse(&bytes).as_ref(), Ok(&note));
        assert_eq!(note.verify(&verifier), Ok("one\ntwo\n"));
        for i in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[i] ^= 1 << bit;
                let holds = Note::parse(&changed).is_ok_and(|note| note.verify(&verifier).is_ok());
                assert!(!holds, "byte {i} bit {bit}");
            }
        }
        for cut in 0..bytes.len() {
            assert!(Note::parse(&bytes[..cut]).and_then(|note| note.verify(&verifier).map(drop)).is_err());
        }
    }

    #[test]
    fn other_signatures_are_ignored_and_a_wrong_one_of_ours_is_not() {
        let other = SignerKey::from_seed("witness.example.org", &[7; 32]).expect("a good name");
        let theirs = Note::sign("one\ntwo\n".to_owned(), &other).expect("a good text").signatures;
        let mut note = signed();
        note.signatures.splice(0..0, theirs);
        let read = Note::parse(note.to_string().as_bytes()).expect("well formed");
        assert!(read.verify(&key().verifier()).is_ok());
        let mut wrong = note.signatures[1].clone();
        wrong.bytes[0] ^= 1;
        note.signatures.push(wrong);
        assert_eq!(note.verify(&key().verifier()), Err(NoteError::Wrong(NAME.to_owned())));
        assert_eq!(signed().verify(&other.verifier()), Err(NoteError::Unsigned("witness.example.org".to_owned())));
    }

    #[test]
    fn carriage_returns_and_loose_base64_are_refused() {
        let text = signed().to_string();
        assert!(Note::parse(text.replace('\n', "\r\n").as_bytes()).is_err());
        assert!(Note::parse(text.replace("==\n", "\n").as_bytes()).is_err() || !text.contains("==\n"));
        assert!(Note::sign("no end".to_owned(), &key()).is_err());
        assert!(Note::sign("tab\t\n".to_owned(), &key()).is_err());
    }
}
