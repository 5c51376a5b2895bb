//! The objects of a page: fetched ahead, several at once and in bounded memory, and read in their order.

use std::collections::VecDeque;
use std::io;

use super::bucket::{Listed, S3Error};
use super::stream::{Body, OBJECT_BYTES_MAX};
use super::{Halt, S3};
use crate::collect::notice::Notice;
use crate::collect::object::{self, About, Ended};
use crate::collect::outlet::{Closed, Outlet};

/// Objects that are fetched at once: enough to hide a round trip, far below what S3 allows (5,500 a second).
const FETCHES: usize = 32;
/// And what of them waits in memory together.
const FETCH_BYTES: u64 = 16 << 20;
/// What waits of one. A longer object is begun when all before it are read, and comes as fast as it is read.
const OBJECT_WAITS_BYTES: u64 = 4 << 20;

/// So many objects in a row that cannot be read for a passing reason are a failure of the service.
const FAILURES_IN_A_ROW: u32 = 3;

/// What came of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Read,
    /// It could not be read now.
    Later,
}

/// An object on its way.
struct Coming {
    object: Listed,
    /// None where there is nothing to fetch.
    body: Option<Body>,
}

impl S3<'_> {
    /// Reads all objects; what came of each, in their order.
    pub(super) fn objects(&mut self, objects: Vec<Listed>, outlet: &mut Outlet) -> Result<Vec<Done>, Halt> {
        objects.iter().for_each(|object| outlet.progress.expect_bytes(object.bytes));
        let mut done = Vec::with_capacity(objects.len());
        let mut todo = VecDeque::from(objects);
        let mut coming: VecDeque<Coming> = VecDeque::new();
        loop {
            let mut waits: u64 = coming.iter().map(|coming| waits(&coming.object)).sum();
            while coming.len() < FETCHES
                && let Some(next) = todo.front()
                && (coming.is_empty() || next.bytes <= OBJECT_WAITS_BYTES)
                && waits + self::waits(next) <= FETCH_BYTES
                && let Some(object) = todo.pop_front()
            {
                waits += self::waits(&object);
                let begin = |object: &Listed| {
                    Body::begin(self.bucket.clone(), object.key.clone(), self::waits(object), &self.wire)
                };
                let body = (1..=OBJECT_BYTES_MAX).contains(&object.bytes).then(|| begin(&object));
                coming.push_back(Coming { object, body });
            }
            let Some(Coming { object, body }) = coming.pop_front() else { return Ok(done) };
            done.push(self.object(&object, body, outlet)?);
            outlet.progress.read_bytes(object.bytes);
        }
    }

    fn object(&mut self, object: &Listed, body: Option<Body>, outlet: &mut Outlet) -> Result<Done, Halt> {
        let origin = self.address(&object.key);
        match self.read_object(object, body, &origin, outlet) {
            Ok(()) => {
                self.in_a_row = 0;
                outlet.works(&origin)?;
                Ok(Done::Read)
            }
            Err(Halt::Failed(error @ S3Error::Gone)) => {
                let notice = Notice::gap(outlet.source(), &origin, &error.to_string());
                self.say_once(notice, object, outlet)?;
                Ok(Done::Read)
            }
            Err(Halt::Failed(error @ S3Error::TooLong(_))) => {
                let problem = error.to_string();
                self.say_once(Notice::damaged(outlet.source(), &origin, &problem), object, outlet)?;
                outlet.note_read(&origin, 0, 0, 0, Some(&problem));
                Ok(Done::Read)
            }
            Err(Halt::Failed(error)) if error.is_passing() && self.in_a_row + 1 >= FAILURES_IN_A_ROW => {
                Err(Halt::Failed(error))
            }
            // One object may be encrypted with a key of its own, or lie on a disk that fails: the others go on.
            Err(Halt::Failed(error)) if error.is_passing() || !error.is_of_all() => {
                self.in_a_row += u32::from(error.is_passing());
                self.fail(&origin, &error.to_string(), outlet)?;
                Ok(Done::Later)
            }
            Err(halt) => Err(halt),
        }
    }

    fn read_object(&self, object: &Listed, body: Option<Body>, origin: &str, outlet: &mut Outlet) -> Result<(), Halt> {
        if object.bytes > OBJECT_BYTES_MAX {
            return Err(Halt::Failed(S3Error::TooLong(OBJECT_BYTES_MAX)));
        }
        let Some(mut body) = body else {
            let about = About { origin, signature: None };
            object::read(io::empty(), about, self.setting, outlet, |_| true)?;
            return Ok(());
        };
        let head = body.head()?;
        let about = About { origin, signature: head.signature.as_deref() };
        match object::read(&mut body, about, self.setting, outlet, |_| true)? {
            Ended::Read => Ok(()),
            Ended::Stopped => Err(Halt::Told),
            Ended::Broken(_) => Err(body.failure()),
        }
    }

    fn say_once(&self, notice: Notice, object: &Listed, outlet: &mut Outlet) -> Result<(), Closed> {
        outlet.say_once(notice, &[object.key.as_bytes(), object.tag.as_bytes()])
    }
}

/// So much of an object waits in memory at the most.
fn waits(object: &Listed) -> u64 {
    object.bytes.min(OBJECT_WAITS_BYTES)
}
