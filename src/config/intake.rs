//! Where records are handed over that no log holds: the local socket of the writer, and the folder for those
//! that come while no writer runs.
//!
//! Everybody on the machine may hand over records, so nobody has to be trusted with more: who it was is what
//! the kernel says. Who can write the spool folder's parent, or the socket's, can keep records from arriving.

use std::path::{Path, PathBuf};

use super::machine::Machine;
use super::section::{Key, Section, Shape, Table};
use super::source::{DECOMPRESSED_BYTES_MAX, From, Source};
use crate::event::Family;
use crate::sources::zone::Zone;

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    pub socket: PathBuf,
    pub spool: PathBuf,
}

/// The source's name; no configured one may have it.
pub const NAME: &str = "intake";

/// What `[intake]` says.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) is_off: bool,
    pub(super) socket: Option<PathBuf>,
    pub(super) spool: Option<PathBuf>,
}

impl Intake {
    /// Those of the machine's own writer.
    pub fn of_system(machine: &Machine) -> Self {
        let below = |path: &str| machine.system.join(path);
        Self { socket: below("run/whodid/intake"), spool: below("var/spool/whodid") }
    }

    /// Those of any other writer.
    pub fn in_data(data: &Path) -> Self {
        Self { socket: data.join("intake"), spool: data.join("spool") }
    }

    /// What is handed over is collected like anything else.
    pub fn source(&self, host: &str) -> Source {
        Source {
            name: NAME.to_owned(),
            family: Family::Exec,
            from: From::Intake(self.clone()),
            host: Some(host.to_owned()),
            zone: Zone::UTC,
            year: None,
            decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
            world: Default::default(),
        }
    }

    pub(super) fn with(self, places: &Places) -> Self {
        let Places { socket, spool, .. } = places;
        Self { socket: socket.clone().unwrap_or(self.socket), spool: spool.clone().unwrap_or(self.spool) }
    }
}

pub(super) fn read(mut section: Section<'_, '_>, folder: &Path) -> Places {
    let place = |path: Option<PathBuf>| path.map(|path| super::file::join(folder, &path));
    let is_on = section.or_default(&LISTEN);
    let (socket, spool) = (place(section.optional(&SOCKET)), place(section.optional(&SPOOL)));
    section.finish();
    Places { is_off: is_on == Some(false), socket, spool }
}

pub(super) static INTAKE: Table = Table {
    name: "intake",
    shape: Shape::One,
    doc: "Where `whodid exec` and Ansible's plugin hand over their records. Any user of this machine may; who it\n\
          was is what the kernel says, and nobody can take more than their share of it.",
    keys: &[&LISTEN.declaration, &SOCKET.declaration, &SPOOL.declaration],
    tables: &[],
};

static LISTEN: Key<bool> = Key::with_default("listen", "true", "Whether records are taken in at all.");

static SOCKET: Key<PathBuf> = Key::optional(
    "socket",
    "\"/run/whodid/intake\"",
    "The local socket of a writer that runs. Without it: this one where `data` is the system's folder, else\n\
     `intake` in `data`.",
);

static SPOOL: Key<PathBuf> = Key::optional(
    "spool",
    "\"/var/spool/whodid\"",
    "Where records wait for the next run: a folder into which everybody can put files, and that nobody else can\n\
     list (mode 1733). Without it: this one where `data` is the system's folder, else `spool` in `data`.",
);
