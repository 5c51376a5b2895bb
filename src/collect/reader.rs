//! One file that is followed: held open, read on from where it was left, and watched for changes of what
//! was read already.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::content::{Content, Print, READ_BYTES};
use super::flow::Flow;
use super::identify::{Reading, begins};
use super::outlet::{Closed, Outlet};
use super::setting::Setting;
use super::siblings::is_rotated_name;
use super::stop::Stop;

/// So many bytes before the place of reading must be the same as before.
const BEFORE_BYTES: usize = 64;

/// A writer goes on with a file that was renamed until it is told to open the new one; logrotate tells it
/// at once, people do it by hand.
pub(super) const LEAVING: Duration = Duration::from_secs(60);

/// Half a record at the end of a file that was rotated away waits so long for its rest. What comes after it in
/// the next file waits as well: if we are killed meanwhile, the half is the last thing that was read, and found
/// or missed.
pub(super) const SETTLING: Duration = Duration::from_secs(2);

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

impl Reader {
    /// Whether the file is the log itself, and not one that was rotated away from it.
    pub(super) fn stands(&self) -> bool {
        self.here && !is_rotated_name(&self.path)
    }

    /// Whether it holds half a record.
    pub(super) fn holds_half(&self) -> bool {
        self.stream.as_ref().is_some_and(|live| live.flow.held(live.offset) > 0)
    }

    /// Whether it has nothing more to give than what was read of it.
    pub(super) fn is_at_end(&self) -> bool {
        let read = self.stream.as_ref().map_or(0, |live| live.offset);
        self.content.look().is_ok_and(|print| print.size == read)
    }
}

pub(super) struct Live {
    pub(super) flow: Flow,
    /// How far it was read.
    pub(super) offset: u64,
    /// The bytes before that.
    pub(super) before: Vec<u8>,
    /// The file as it was when these bytes were last compared with it.
    compared: Option<Print>,
    /// What the file begins with, if it is read from there.
    head: Vec<u8>,
}

const WRITTEN_ANEW: &str =
    "the file was written anew while it was read: what was written between the last read and that is lost";

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

    /// A file that was rotated away from a path that is followed.
    pub(super) fn rotated(path: PathBuf, content: Content) -> Self {
        Self { here: false, fresh: false, ..Self::new(path, content) }
    }

    /// It has rested since before it was opened.
    pub(super) fn has_rested(&mut self, time: Duration) {
        let since = Instant::now().checked_sub(time.min(2 * LEAVING));
        self.quiet_since = since.unwrap_or(self.quiet_since);
    }

    pub(super) fn start(&mut self, reading: Reading, origin: &str, setting: &Setting) -> io::Result<()> {
        let offset = reading.start;
        let from = offset.saturating_sub(BEFORE_BYTES as u64);
        let mut before = vec![0; usize::try_from(offset - from).unwrap_or(BEFORE_BYTES)];
        match self.content.file.read_exact_at(&mut before, from) {
            // Emptied since it was identified, it is another one at the next look.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let head = match offset {
            0 => begins(&self.content, reading.claim.id, setting)?,
            _ => Some(Vec::new()),
        };
        let Some(head) = head else { return Ok(()) };
        let flow = Flow::new(reading, origin, setting, &self.content.look()?);
        self.stream = Some(Live { flow, offset, before, compared: None, head });
        Ok(())
    }

    /// Reads on, to the end or for `turn` bytes.
    pub(super) fn pump(&mut self, outlet: &mut Outlet, turn: u64, stop: &Stop) -> Met {
        let Some(live) = &mut self.stream else { return Met::End };
        let mut buffer = vec![0; BEFORE_BYTES + READ_BYTES];
        let mut read = 0;
        while read < turn && !stop.is_set() {
            let print = match self.content.look() {
                Ok(print) => print,
                Err(error) => return Met::Failed(error),
            };
            if print.size < live.offset {
                return Met::Changed(
                    "the file was cut off while it was read (copytruncate?): what was written between the last read and the cut is lost",
                );
            }
            // Written anew to just the same length, it shows in nothing but its time and its bytes.
            if print.size == live.offset && live.compared == Some(print) {
                return Met::End;
            }
            let n = match self.content.file.read_at(&mut buffer, live.offset - live.before.len() as u64) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Met::Failed(error),
            };
            let Some(new) = buffer.get(..n).and_then(|bytes| bytes.strip_prefix(live.before.as_slice())) else {
                return Met::Changed(WRITTEN_ANEW);
            };
            if live.offset == 0 && !new.starts_with(&live.head) {
                return Met::Changed(WRITTEN_ANEW);
            }
            live.compared = Some(print);
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
