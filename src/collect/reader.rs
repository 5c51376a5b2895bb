//! One file that is followed: held open, read on from where it was left, and watched for changes of what
//! was read already.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::Instant;

use super::content::{Content, Print, READ_BYTES};
use super::flow::Flow;
use super::identify::Reading;
use super::outlet::{Closed, Outlet};
use super::setting::Setting;
use super::stop::Stop;

/// So many bytes before the place of reading must be the same as before.
const BEFORE_BYTES: usize = 64;

/// One file that is held open.
pub(super) struct Reader {
    pub(super) path: PathBuf,
    pub(super) content: Content,
    /// Whether the paths still name it.
    pub(super) here: bool,
    /// Whether it is new to us: what was rotated away before it is to be found.
    pub(super) fresh: bool,
    pub(super) stream: Option<Live>,
    /// As it was when it was last seen to hold nothing to read.
    pub(super) looked: Option<Print>,
    /// To tell a growing copy from the stream it copies takes reading all of it: not at every change.
    pub(super) copy_since: Option<Instant>,
    pub(super) quiet_since: Instant,
}

pub(super) struct Live {
    pub(super) flow: Flow,
    /// How far it was read.
    pub(super) offset: u64,
    /// The bytes before that.
    pub(super) before: Vec<u8>,
}

/// What reading on met.
pub(super) enum Met {
    End,
    Turn,
    Closed(Closed),
    /// The file is no longer what was read of it.
    Changed(&'static str),
    Failed(io::Error),
}

impl Reader {
    pub(super) fn new(path: PathBuf, content: Content) -> Self {
        Self {
            path,
            content,
            here: true,
            fresh: true,
            stream: None,
            looked: None,
            copy_since: None,
            quiet_since: Instant::now(),
        }
    }

    pub(super) fn start(&mut self, reading: Reading, origin: &str, setting: &Setting) -> io::Result<()> {
        let offset = reading.start;
        let from = offset.saturating_sub(BEFORE_BYTES as u64);
        let mut before = vec![0; usize::try_from(offset - from).unwrap_or(BEFORE_BYTES)];
        self.content.file.read_exact_at(&mut before, from)?;
        let flow = Flow::new(reading, origin, setting, &self.content.look()?);
        self.stream = Some(Live { flow, offset, before });
        Ok(())
    }

    /// Reads on, to the end or for `turn` bytes.
    pub(super) fn pump(&mut self, outlet: &mut Outlet, turn: u64, stop: &Stop) -> Met {
        let Some(live) = &mut self.stream else { return Met::End };
        let mut buffer = vec![0; BEFORE_BYTES + READ_BYTES];
        let mut read = 0;
        while read < turn && !stop.is_set() {
            let size = match self.content.look() {
                Ok(print) => print.size,
                Err(error) => return Met::Failed(error),
            };
            if size < live.offset {
                return Met::Changed(
                    "the file was cut off while it was read (copytruncate?): what was written between the last read and the cut is lost",
                );
            }
            if size == live.offset {
                return Met::End;
            }
            let n = match self.content.file.read_at(&mut buffer, live.offset - live.before.len() as u64) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Met::Failed(error),
            };
            let Some(new) = buffer.get(..n).and_then(|bytes| bytes.strip_prefix(live.before.as_slice())) else {
                return Met::Changed(
                    "the file was written anew while it was read: what was written between the last read and that is lost",
                );
            };
            if new.is_empty() {
                return Met::End;
            }
            if let Err(closed) = live.flow.push(new, outlet) {
                return Met::Closed(closed);
            }
            live.offset += new.len() as u64;
            read += new.len() as u64;
            outlet.progress.read_bytes(new.len() as u64);
            let keep = n.saturating_sub(BEFORE_BYTES);
            live.before = buffer.get(keep..n).unwrap_or_default().to_vec();
            self.quiet_since = Instant::now();
        }
        Met::Turn
    }
}
