//! Adopting: a trail goes on under a new name and with new keys, because under the old ones it would
//! contradict what was signed: its folder was put back to an older copy, or its keys are lost.
//!
//! 1. The lock. What an earlier adoption left unfinished is finished, or thrown away.
//! 2. What is signed is checked as ever: damage is not adopted.
//! 3. `trail/adopting.tmp`: first what happened, then (with the new keys beside the old ones) name, records
//!    of keys and epochs, checkpoint, and the ids of pruned entries under the new name.
//! 4. It is renamed to `trail/adopting`: from this instant on the new name is in force.
//! 5. Its files are moved to their places, the old private keys are destroyed, and the folder goes. Every
//!    opening does what is left of this.
//!
//! Entries, tiles and segments stay as they are, and so do read positions, which are entries.

use std::fs;
use std::io;
use std::path::Path;

use super::adopted::{self, Adopted};
use super::checkpoint::{self, Checkpoint};
use super::error::Damage;
use super::keys::{CHAIN_BYTES_MAX, Keys};
use super::layout::{FILE_MODE, Layout, create_folder, names, read_small};
use super::lock::Lock;
use super::note::SignerKey;
use super::origin::Origin;
use super::records;
use super::succession::{Chain, Kind, Record};
use super::successors::{self, Successors};
use super::tile::Edge;
use super::tiles::Tiles;
use super::{Open, TrailError, epoch, seen};
use crate::durable;

/// Why, and whether the old key is given up.
#[derive(Debug, Clone)]
pub struct Adopt {
    pub reason: String,
    /// The old key is lost, or nobody shall believe it any more: it does not vouch for the new one.
    pub without_old_key: bool,
}

/// What is there under the old name.
struct Old {
    origin: Origin,
    /// The keys of the log, and the file that says so.
    chain: Chain,
    keys: Vec<u8>,
    /// The same of epochs.
    epoch: Option<Record>,
    epochs: Vec<u8>,
    checkpoint: Checkpoint,
    found: String,
    known: Option<(Checkpoint, String)>,
    is_forked: bool,
    /// The key of the log, if it is there; and whether that of the open epoch is.
    signer: Option<SignerKey>,
    has_epoch_key: bool,
}

/// In the folder of an adoption, what says what happened.
const ADOPTED: &str = "adopted";

/// Goes on under a new name. The caller opens the trail next and appends what that says was adopted.
pub fn adopt(open: &Open, adopt: &Adopt) -> Result<Adopted, TrailError> {
    let layout = Layout::new(&open.data);
    Origin::read(&layout)?.ok_or_else(|| TrailError::NoTrail(open.data.clone()))?;
    let _lock = Lock::take(&open.data, &open.command, open.now)?;
    finish(&layout, &open.keys)?;
    if let Some(adopted) = adopted::read(&layout)? {
        return Ok(adopted);
    }
    throw_away(&layout, &open.keys)?;
    let old = Old::look(&layout, open)?;
    old.check_need(&layout, open, adopt)?;
    let origin = Origin { mode: old.origin.mode, ..Origin::make(open)? };
    let adopted = old.adopted(&origin, adopt);
    stage(&layout, open, &old, &origin, &adopted)?;
    let adopting = layout.adopting();
    durable::publish(&layout.adopting_staged(), &adopting).map_err(|error| TrailError::sync(adopting, error))?;
    finish(&layout, &open.keys)?;
    Ok(adopted)
}

/// Does what is left of an adoption that is in force.
pub(super) fn finish(layout: &Layout, key_folder: &Path) -> Result<(), TrailError> {
    let adopting = layout.adopting();
    if !adopting.try_exists().map_err(|error| TrailError::io(&adopting, error))? {
        return Ok(());
    }
    let note = match read_small(&adopting.join(ADOPTED), adopted::BYTES_MAX)? {
        Some(bytes) => Adopted::parse(&bytes),
        None => adopted::read(layout)?,
    };
    let is_ours = |adopted: &Adopted| successors::are_made(key_folder, &adopted.to);
    let what = "it tells of no adoption that was made with these keys";
    let adopted = note.filter(is_ours).ok_or_else(|| TrailError::malformed(&adopting, what))?;
    // First what says which name the old one was: it is needed to the end.
    let mut files = names(&adopting)?;
    files.sort_by_key(|name| name != ADOPTED);
    for name in files {
        let folder = if name.ends_with(".ids") { layout.seen() } else { layout.trail.clone() };
        create_folder(&folder).map_err(|error| TrailError::io(&folder, error))?;
        let to = folder.join(&name);
        durable::publish(&adopting.join(&name), &to).map_err(|error| TrailError::sync(to, error))?;
    }
    // Whoever can write this folder alone cannot have keys destroyed.
    if successors::is_announced(key_folder, &adopted.from, &adopted.to)? {
        successors::destroy(key_folder, &adopted.from)?;
    }
    fs::remove_dir(&adopting).map_err(|error| TrailError::io(&adopting, error))?;
    durable::sync_folder(&layout.trail).map_err(|error| TrailError::sync(&layout.trail, error))?;
    successors::revoke(key_folder, &adopted.to)
}

/// What did not come into force, with the keys that were made for it. In a backup that was made meanwhile it may have
/// done so since: then these keys are those of a trail, and nothing is announced any more.
fn throw_away(layout: &Layout, key_folder: &Path) -> Result<(), TrailError> {
    let staged = layout.adopting_staged();
    if let Some(bytes) = read_small(&staged.join(ADOPTED), adopted::BYTES_MAX)?
        && let Some(adopted) = Adopted::parse(&bytes)
        && successors::is_announced(key_folder, &adopted.from, &adopted.to)?
    {
        successors::destroy(key_folder, &adopted.to)?;
        successors::forget(key_folder, &adopted.to)?;
        successors::revoke(key_folder, &adopted.to)?;
    }
    match fs::remove_dir_all(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TrailError::io(&staged, error)),
        _ => Ok(()),
    }
}

/// Everything that the new name needs, durably, where nobody looks for it yet.
fn stage(layout: &Layout, open: &Open, old: &Old, origin: &Origin, adopted: &Adopted) -> Result<(), TrailError> {
    let staged = layout.adopting_staged();
    create_folder(&staged).map_err(|error| TrailError::io(&staged, error))?;
    let put = |name: &str, text: &[u8]| {
        let path = staged.join(name);
        durable::replace(&path, text, FILE_MODE).map_err(|error| TrailError::io(path, error))
    };
    put(ADOPTED, &adopted.to_bytes())?;
    Successors::announce(&open.keys, layout, &adopted.from, &adopted.to)?;
    let number = old.epoch.as_ref().map_or(0, |epoch| epoch.number + 1);
    let new = Successors::make(&open.keys, layout, origin, &open.signing, number)?;
    let signing = |error| TrailError::signing(layout.origin(), error);
    let old_signer = old.signer.as_ref().filter(|_| adopted.with_old_key);
    let signers: Vec<&SignerKey> = old_signer.into_iter().chain([&new.log]).collect();
    let key = old.record(Kind::Log, &new.log, origin).sign(&signers).map_err(signing)?;
    put("keys", &[&old.keys, key.as_bytes()].concat())?;
    let epoch = old.record(Kind::Epoch, &new.epoch, origin).sign(&[&new.log, &new.epoch]).map_err(signing)?;
    put("epochs", &[&old.epochs, epoch.as_bytes()].concat())?;
    let checkpoint = Checkpoint { origin: origin.origin.clone(), ..old.checkpoint.clone() };
    let signed = checkpoint.sign_by(&[&new.log, &new.epoch]).map_err(signing)?;
    put("checkpoint", signed.as_bytes())?;
    put("origin", origin.sign(&new.log).map_err(signing)?.as_bytes())?;
    seen::rename(layout, (&old.origin.origin, &origin.origin), &staged)?;
    new.remember(&signed)
}

impl Old {
    fn look(layout: &Layout, open: &Open) -> Result<Self, TrailError> {
        let (origin, note) = Origin::read_note(layout)?.ok_or_else(|| TrailError::missing(layout.origin()))?;
        if origin.mode != open.mode {
            return Err(TrailError::Mode { path: open.data.clone(), recorded: origin.mode });
        }
        let signer = match Keys::load(&open.keys, layout, (&origin, &note), &open.signing) {
            Ok(keys) => Some(keys.signer),
            Err(TrailError::Key { .. }) => None,
            Err(error) => return Err(error),
        };
        let (chain, keys) = chain(layout)?;
        let path = layout.checkpoint();
        let bytes = read_small(&path, checkpoint::BYTES_MAX)?.ok_or_else(|| TrailError::missing(&path))?;
        let (checkpoint, note) =
            chain.checkpoint(&bytes).map_err(|error| TrailError::damaged(&path, Damage::Note(error)))?;
        let tiles = Tiles::new(layout);
        let edge = Edge::load(checkpoint.size, |tile| tiles.expect(tile))?;
        if edge.root() != checkpoint.root {
            return Err(TrailError::damaged(layout.trail.join("tile"), Damage::Root));
        }
        let newest = records::newest(&layout.epochs())?;
        if let Some(newest) = &newest {
            epoch::check_continued(layout, (&checkpoint, &note), &newest.record)?;
        }
        let known = successors::remembered(&open.keys, &origin)?;
        let is_forked = match &known {
            Some((known, _)) if known.size <= checkpoint.size => tiles.root(known.size, checkpoint.size)? != known.root,
            _ => false,
        };
        let epoch = newest.as_ref().map(|newest| newest.record.clone());
        Ok(Self {
            has_epoch_key: successors::has_epoch_key(&open.keys, &origin, epoch.as_ref())?,
            epochs: newest.map_or(Ok(Vec::new()), |newest| newest.file(&layout.epochs()))?,
            found: String::from_utf8_lossy(&bytes).into_owned(),
            origin,
            chain,
            keys,
            epoch,
            checkpoint,
            known,
            is_forked,
            signer,
        })
    }

    /// A trail that can go on under its name does.
    fn check_need(&self, layout: &Layout, open: &Open, adopt: &Adopt) -> Result<(), TrailError> {
        let refused = |reason: String| Err(TrailError::Adoption { path: layout.data.clone(), reason });
        if self.signer.is_none() && !adopt.without_old_key {
            let newest = self.chain.newest().map(|newest| newest.key.to_string()).unwrap_or_default();
            return refused(format!(
                "{} has not the private key of {newest}, so that key cannot vouch for a new one: bring it back, or say \
                 --without-old-key; whoever knows the old key alone will then not believe what comes after",
                open.keys.display()
            ));
        }
        let is_behind = self.known.as_ref().is_none_or(|(known, _)| known.size > self.checkpoint.size);
        match is_behind || self.is_forked || !self.has_epoch_key || adopt.without_old_key {
            true => Ok(()),
            false => {
                refused("it is what was signed last, and its keys are there: there is nothing to adopt".to_owned())
            }
        }
    }

    /// How a key of the new name begins.
    fn record(&self, kind: Kind, key: &SignerKey, origin: &Origin) -> Record {
        let before = match kind {
            Kind::Log => self.chain.newest().map(|newest| newest.number),
            Kind::Epoch => self.epoch.as_ref().map(|epoch| epoch.number),
        };
        Record {
            kind,
            origin: origin.origin.clone(),
            number: before.map_or(0, |before| before + 1),
            size: self.checkpoint.size,
            root: self.checkpoint.root,
            key: key.verifier(),
        }
    }

    fn adopted(&self, origin: &Origin, adopt: &Adopt) -> Adopted {
        let known = self.known.as_ref();
        Adopted {
            from: self.origin.origin.clone(),
            to: origin.origin.clone(),
            size: self.checkpoint.size,
            found: self.found.clone(),
            known: known.map(|(_, text)| text.clone()),
            lost: known.map_or(0, |(known, _)| known.size.saturating_sub(self.checkpoint.size)),
            forked: self.is_forked,
            with_old_key: !adopt.without_old_key,
            reason: adopt.reason.clone(),
        }
    }
}

/// The keys of the log, up to what a crash left of a record.
fn chain(layout: &Layout) -> Result<(Chain, Vec<u8>), TrailError> {
    let path = layout.keys();
    let mut bytes = read_small(&path, CHAIN_BYTES_MAX)?.ok_or_else(|| TrailError::missing(&path))?;
    let (chain, end) = Chain::read(&bytes);
    match end.broken {
        Some(broken) => Err(TrailError::damaged(path, Damage::Chain(broken))),
        None => {
            bytes.truncate(end.at);
            Ok((chain, bytes))
        }
    }
}

#[cfg(test)]
mod tests;
