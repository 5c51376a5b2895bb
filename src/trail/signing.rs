//! Who signs the trail: the key that whodid made, one that the operator keeps elsewhere, or an agent.
//!
//! Whatever name a key had where it comes from, here it signs under the trail's name and no other.

use std::path::{Path, PathBuf};

use super::agent::Agent;
use super::keys::not_in_data;
use super::layout::Layout;
use super::note::SignerKey;
use super::origin::Origin;
use super::{TrailError, secret};

/// Where the private key of the log is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Signing {
    /// `<trail id>.key` in the key folder, made with the trail.
    #[default]
    Own,
    /// In this file, which the operator made.
    File(PathBuf),
    /// An ssh-agent holds it, and whodid only its public half.
    Agent { socket: PathBuf, key: [u8; 32] },
}

impl Signing {
    /// The key of a trail; `own` is where its own one lies.
    pub(super) fn signer(&self, own: &Path, layout: &Layout, origin: &Origin) -> Result<SignerKey, TrailError> {
        match self {
            Self::Own => {
                let signer = read(own, || {
                    format!(
                        "the key of the trail in {} is not there: bring it back, \
                         or begin a new trail in another data folder; if it is lost, `whodid trail adopt \
                         --without-old-key --reason TEXT` goes on with this one under a new name",
                        layout.data.display()
                    )
                })?;
                let reason = || format!("it is the key of {}, this trail is {}", signer.name(), origin.origin);
                match signer.name() == origin.origin {
                    true => Ok(signer),
                    false => Err(TrailError::Key { path: own.to_owned(), reason: reason() }),
                }
            }
            Self::File(path) => {
                let signer = read(path, || "there is no key here, as `key` under [trail] says".to_owned())?;
                not_in_data(path, layout)?;
                let bad = |error| TrailError::Key { path: path.clone(), reason: format!("{error}") };
                signer.renamed(&origin.origin).map_err(bad)
            }
            Self::Agent { socket, key } => {
                let bad = |error| TrailError::Key { path: socket.clone(), reason: format!("`agent_key`: {error}") };
                let agent = Agent::new(socket, key).map_err(bad)?;
                SignerKey::of_agent(&origin.origin, agent).map_err(bad)
            }
        }
    }

    /// Where the private key lies; none if an agent holds it.
    pub(super) fn place<'p>(&'p self, own: &'p Path) -> Option<&'p Path> {
        match self {
            Self::Own => Some(own),
            Self::File(path) => Some(path),
            Self::Agent { .. } => None,
        }
    }
}

fn read(path: &Path, missing: impl FnOnce() -> String) -> Result<SignerKey, TrailError> {
    secret::read(path)?.ok_or_else(|| TrailError::Key { path: path.to_owned(), reason: missing() })
}
