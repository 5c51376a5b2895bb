//! One utmp record: where its fields lie, and whether bytes are one at all (utmp(5), glibc's `bits/utmp.h`).
//!
//! ```text
//!         384 bytes  400 bytes
//! type        0  2       0  2   0-9
//! pid         4  4       4  4
//! line        8 32       8 32   text, as are id, user and host; NUL where it ends
//! id         40  4      40  4
//! user       44 32      44 32
//! host       76 256     76 256
//! exit      332  2+2   332  2+2 signal, status
//! session   336  4     336  8
//! seconds   340  4     344  8   since 1970
//! micros    344  4     352  8
//! addr      348 16     360 16   an IPv4 address has the first 4 bytes
//! unused    364 20     376 20   then 4 of padding
//! ```
//!
//! x86-64 writes 384 bytes, aarch64 and others without a 32-bit past 400, each in its own byte order.
//! Nothing in a file says which, so every record speaks for itself.
//!
//! Invariant: what stands at a place is decided by the 400 bytes from there on and by nothing before it,
//! so decoding may begin after any record.

/// Which machine's record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    width: Width,
    order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Short,
    Long,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Record(Layout),
    Nothing,
    /// More bytes decide.
    Undecided,
}

/// Looks for a record at the beginning of these bytes; `is_end` when no more will follow.
pub(super) fn find(bytes: &[u8], is_end: bool) -> Found {
    // Zeros come in long runs, and are looked at from every byte.
    let is_zeros = bytes.get(..ZEROS.len()) == Some(&ZEROS);
    if is_zeros || !Order::ALL.into_iter().any(|order| order.may_begin(bytes)) {
        return Found::Nothing;
    }
    // The last record of a live file has to come without the 16 bytes that could make it a longer one.
    let mut best = likeliest(bytes, Width::Short, None);
    let is_sure = best.is_some_and(|(_, likeness)| likeness >= SURE);
    if !is_sure && bytes.len() < Width::Long.size() && !is_end {
        return Found::Undecided;
    }
    if !is_sure {
        best = likeliest(bytes, Width::Long, best);
    }
    best.map_or(Found::Nothing, |(layout, _)| Found::Record(layout))
}

/// No record of either size.
const ZEROS: [u8; 400] = [0; 400];

/// The likeliest layout of this width, if it beats what is there.
fn likeliest(bytes: &[u8], width: Width, so_far: Option<(Layout, u8)>) -> Option<(Layout, u8)> {
    let Some(bytes) = bytes.get(..width.size()) else { return so_far };
    Order::ALL.into_iter().filter(|order| order.may_begin(bytes)).fold(so_far, |best, order| {
        let layout = Layout { width, order };
        let record = layout.read(bytes);
        // The short form's seconds are the long form's upper half of the session: zero.
        let wins_ties = |old: Layout| old.width != width && old.read(bytes).seconds == 0 && record.seconds >= 0;
        match likeness(&record, bytes) {
            Some(new) if best.is_none_or(|(old, points)| new > points || new == points && wins_ties(old)) => {
                Some((layout, new))
            }
            _ => best,
        }
    })
}

/// A likeness that no other layout of the same bytes can beat: the time is right.
const SURE: u8 = 4;

/// How much it looks like a record, or `None` for too little. Programs forget to clear what they do not
/// fill, and clocks without a battery begin in 1970, so no single fault rules a record out.
fn likeness(record: &Record<'_>, bytes: &[u8]) -> Option<u8> {
    let is_timed = record.is_timed();
    // Without a name or a terminal it would say nothing, and zeros before a record often look so.
    let is_nobody = record.line.first() == Some(&0) && record.user.first() == Some(&0);
    if record.type_ == EMPTY && (!is_timed || is_nobody) || !begins_like_text(record.line) {
        return None;
    }
    let is_clean = [record.line, record.user, record.host].into_iter().all(is_clean);
    let unused = bytes.get(bytes.len() - record.layout.unused()..).unwrap_or_default();
    let is_padded = unused.iter().chain(bytes.get(2..4).unwrap_or_default()).all(|byte| *byte == 0);
    let points = 2 * u8::from(is_clean) + 2 * u8::from(is_timed) + u8::from(is_padded);
    let least = match record.type_ {
        EMPTY => 5,
        // Zeros with a small number among them are no record.
        _ if !is_timed && record.line.first() == Some(&0) => 5,
        _ => 3,
    };
    (points >= least).then_some(points)
}

/// 1990-01-01: no log that is still read was written before.
const FIRST_SECOND: i64 = 631_152_000;
/// The 32 bits of the short form end in 2106, taken without a sign as they will have to be from 2038 on.
const LAST_SECOND: i64 = u32::MAX as i64;

fn is_type(type_: i16) -> bool {
    (EMPTY..=ACCOUNTING).contains(&type_)
}

/// A terminal's name is never empty with something behind the NUL; a place a few bytes off is.
fn begins_like_text(field: &[u8]) -> bool {
    match field.first() {
        Some(0) => field.iter().all(|byte| *byte == 0),
        Some(byte) => !byte.is_ascii_control(),
        None => true,
    }
}

/// Text without control characters, then NULs only.
fn is_clean(field: &[u8]) -> bool {
    let (text, rest) = field.split_at(text(field).len());
    text.iter().all(|byte| !byte.is_ascii_control()) && rest.iter().all(|byte| *byte == 0)
}

/// What stands before the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

pub(super) const EMPTY: i16 = 0;
pub(super) const RUN_LVL: i16 = 1;
pub(super) const BOOT_TIME: i16 = 2;
pub(super) const NEW_TIME: i16 = 3;
pub(super) const OLD_TIME: i16 = 4;
pub(super) const INIT_PROCESS: i16 = 5;
pub(super) const LOGIN_PROCESS: i16 = 6;
pub(super) const USER_PROCESS: i16 = 7;
pub(super) const DEAD_PROCESS: i16 = 8;
pub(super) const ACCOUNTING: i16 = 9;

/// The fields as they stand there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) layout: Layout,
    pub(super) type_: i16,
    pub(super) pid: i32,
    line: &'a [u8],
    id: &'a [u8],
    user: &'a [u8],
    host: &'a [u8],
    /// The signal that ended the process, and its exit status.
    pub(super) signal: i16,
    pub(super) status: i16,
    pub(super) session: i64,
    pub(super) seconds: i64,
    pub(super) micros: i64,
    pub(super) addr: [u8; 16],
}

impl Record<'_> {
    /// Whether its clock was right.
    pub(super) fn is_timed(&self) -> bool {
        (FIRST_SECOND..=LAST_SECOND).contains(&self.seconds) && (0..1_000_000).contains(&self.micros)
    }

    pub(super) fn line(&self) -> String {
        readable(self.line)
    }

    pub(super) fn id(&self) -> String {
        readable(self.id)
    }

    pub(super) fn user(&self) -> String {
        readable(self.user)
    }

    pub(super) fn host(&self) -> String {
        readable(self.host)
    }
}

fn readable(field: &[u8]) -> String {
    String::from_utf8_lossy(text(field)).into_owned()
}

impl Layout {
    pub(super) fn size(self) -> usize {
        self.width.size()
    }

    /// The fields of a record of this layout.
    pub(super) fn read(self, bytes: &[u8]) -> Record<'_> {
        let Self { width, order } = self;
        let part = |at: usize, size: usize| bytes.get(at..at + size).unwrap_or_default();
        let i16_at = |at| order.i16(array(bytes, at));
        let i32_at = |at| order.i32(array(bytes, at));
        let i64_at = |at| order.i64(array(bytes, at));
        let (session, seconds, micros, addr) = match width {
            // Without its sign the same 32 bits reach to 2106.
            Width::Short => {
                (i64::from(i32_at(336)), i64::from(i32_at(340).cast_unsigned()), i64::from(i32_at(344)), 348)
            }
            Width::Long => (i64_at(336), i64_at(344), i64_at(352), 360),
        };
        Record {
            layout: self,
            type_: i16_at(0),
            pid: i32_at(4),
            line: part(8, 32),
            id: part(40, 4),
            user: part(44, 32),
            host: part(76, 256),
            signal: i16_at(332),
            status: i16_at(334),
            session,
            seconds,
            micros,
            addr: array(bytes, addr),
        }
    }

    /// The bytes at the end that nothing uses.
    fn unused(self) -> usize {
        match self.width {
            Width::Short => 20,
            Width::Long => 24,
        }
    }
}

impl Width {
    fn size(self) -> usize {
        match self {
            Self::Short => 384,
            Self::Long => 400,
        }
    }
}

impl Order {
    const ALL: [Self; 2] = [Self::Little, Self::Big];

    /// Whether these bytes, or those that are there of them, begin with a type in this order.
    fn may_begin(self, bytes: &[u8]) -> bool {
        bytes.first_chunk().is_none_or(|two| is_type(self.i16(*two)))
    }

    fn i16(self, bytes: [u8; 2]) -> i16 {
        match self {
            Self::Little => i16::from_le_bytes(bytes),
            Self::Big => i16::from_be_bytes(bytes),
        }
    }

    fn i32(self, bytes: [u8; 4]) -> i32 {
        match self {
            Self::Little => i32::from_le_bytes(bytes),
            Self::Big => i32::from_be_bytes(bytes),
        }
    }

    fn i64(self, bytes: [u8; 8]) -> i64 {
        match self {
            Self::Little => i64::from_le_bytes(bytes),
            Self::Big => i64::from_be_bytes(bytes),
        }
    }
}

/// The bytes at a place; zeros where a caller's slice is shorter than its layout.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}
