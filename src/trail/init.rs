//! What a trail is called and which keys prove it; made ahead of the first event if it is not there.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::keys;
use super::layout::Layout;
use super::origin::Origin;
use super::{Mode, Open, TrailError, Writer};
use crate::event::Stamp;

/// What the operator and the auditor are told of a trail.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The name under which it is signed.
    pub origin: String,
    pub mode: Mode,
    pub made: Stamp,
    /// Made by this call.
    pub is_new: bool,
    /// Where the private key lies; none if an agent holds it.
    pub key: Option<PathBuf>,
    /// The file of what the auditor gets, and its lines.
    pub vkey: PathBuf,
    pub verifier_keys: Vec<String>,
}

/// Makes a trail without any entry, as the first [`Writer::open`] would; one that is there is left as it is.
pub fn init(open: Open) -> Result<Identity, TrailError> {
    let layout = Layout::new(&open.data);
    if let Some(origin) = Origin::read(&layout)? {
        return identity(&open, origin, false);
    }
    drop(Writer::open(open.clone())?);
    let origin = Origin::read(&layout)?.ok_or_else(|| TrailError::missing(layout.origin()))?;
    identity(&open, origin, true)
}

fn identity(open: &Open, origin: Origin, is_new: bool) -> Result<Identity, TrailError> {
    let (vkey, _) = keys::public_places(&open.keys, &origin);
    let text = fs::read_to_string(&vkey).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => TrailError::Key {
            path: vkey.clone(),
            reason: format!("the public key of {} is not there: is `keys` the folder it was made with?", origin.origin),
        },
        _ => TrailError::io(&vkey, error),
    })?;
    Ok(Identity {
        key: keys::private_place(&open.keys, &origin, &open.signing),
        verifier_keys: text.lines().map(str::to_owned).collect(),
        vkey,
        origin: origin.origin,
        mode: origin.mode,
        made: origin.made,
        is_new,
    })
}
