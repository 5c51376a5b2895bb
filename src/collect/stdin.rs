//! Standard input: read to its end, packed or not, without keeping the program from stopping.
//!
//! A pipe has no place to go on from: its records are known again by all that came before them.

use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;

use super::content::READ_BYTES;
use super::notice::Notice;
use super::object::{QUARANTINE_BYTES_MAX, quarantine};
use super::outlet::{Closed, Outlet, Pushed};
use super::setting::Setting;
use super::stop::{Stop, Woken};
use super::unpack::Unpack;
use crate::sources::Identity;

const ORIGIN: &str = "stdin";

pub(super) fn read(setting: &Setting, stop: &Stop, outlet: &mut Outlet) -> Result<(), Closed> {
    read_from(io::stdin(), setting, stop, outlet)
}

fn read_from(input: impl Read + AsFd, setting: &Setting, stop: &Stop, outlet: &mut Outlet) -> Result<(), Closed> {
    let limit = setting.source.decompressed_bytes_max;
    let mut from = Unpack::new(BufReader::with_capacity(READ_BYTES, Until { input, stop }), setting.members(), limit);
    let mut decoder = setting.decoder_now(Identity::Content, ORIGIN);
    let mut buffer = vec![0; READ_BYTES];
    let (mut events, mut bytes, mut sent, mut known) = (Vec::new(), 0, 0, 0);
    let mut note = None;
    loop {
        let ended = match from.read(&mut buffer) {
            Ok(0) => {
                // Cut off by a stop, the last record is not whole; it is kept all the same.
                decoder.finish(outlet.clock.now(), &mut events);
                true
            }
            Ok(n) => {
                bytes += n as u64;
                outlet.progress.read_bytes(n as u64);
                decoder.push(&buffer[..n], outlet.clock.now(), &mut events);
                false
            }
            Err(error) => {
                outlet.failed(ORIGIN, &format!("cannot be read: {error}"))?;
                decoder.finish(outlet.clock.now(), &mut events);
                true
            }
        };
        for event in events.drain(..) {
            match outlet.push(event, true)? {
                Pushed::Sent => sent += 1,
                Pushed::Known => known += 1,
            }
        }
        // Whoever types wants to see it arrive.
        outlet.flush()?;
        if ended {
            break;
        }
    }
    if let Some(damage) = from.damage() {
        let problem = damage.to_string();
        let notice = Notice::damaged(outlet.source(), ORIGIN, &problem);
        outlet.say(match from.rest(QUARANTINE_BYTES_MAX) {
            Ok(Some(rest)) => quarantine(notice, rest),
            // Where reading fails there is nothing to keep.
            Ok(None) | Err(_) => notice,
        })?;
        note = Some(problem);
    }
    outlet.note_read(ORIGIN, bytes, sent, known, note.as_deref());
    outlet.progress.drained(setting.name());
    Ok(())
}

/// Reads until it is time to stop, which is an end like any other.
struct Until<'a, R> {
    input: R,
    stop: &'a Stop,
}

impl<R: Read + AsFd> Read for Until<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stop.wait(Some(self.input.as_fd()), None) {
                Woken::Stop => return Ok(0),
                Woken::Time => {}
                Woken::Ready => return self.input.read(to),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    use super::*;
    use crate::clock::Clock;
    use crate::collect::outlet::Shared;
    use crate::collect::registry::Registry;
    use crate::collect::{Mode, Positions, Progress, Summary, stop};
    use crate::config::Source;
    use crate::config::source::From;
    use crate::event::{Event, EventId, Family, Stamp};
    use crate::sources::secrets::Marks;
    use crate::sources::zone::Zone;
    use crate::sources::{Decoder, Stream};

    /// Reads what `write` writes; returns how many events came out, and the summary.
    fn check(write: impl FnOnce(UnixStream, stop::Stopper)) -> (usize, Summary) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        let (stopper, stop) = stop::pair().expect("a pair of sockets");
        let (tx, mut rx) = tokio::sync::mpsc::channel(64);
        let shared = Shared {
            registry: Registry::new(Positions::new(), Arc::new(|_| false)),
            progress: Arc::new(Progress::default()),
            clock: Clock::System,
            mode: Mode::Follow,
        };
        let mut outlet = Outlet::new("stdin", tx, shared);
        let source = Source {
            name: "stdin".to_owned(),
            family: Family::Auth,
            from: From::Stdin,
            host: None,
            zone: Zone::UTC,
            year: None,
            decompressed_bytes_max: 1 << 20,
            world: Default::default(),
        };
        let setting = Setting::new(source, Clock::System, Marks::default(), bytes);
        write(ours, stopper);
        read_from(theirs, &setting, &stop, &mut outlet).expect("somebody takes the events");
        let summary = outlet.finish();
        let mut events = 0;
        while let Ok(batch) = rx.try_recv() {
            assert!(batch.replay, "a stream may be fed twice");
            events += batch.events.len();
        }
        (events, summary)
    }

    /// One event for each byte.
    fn bytes(stream: Stream) -> Box<dyn Decoder> {
        struct Bytes(Stream, u64);
        impl Decoder for Bytes {
            fn push(&mut self, bytes: &[u8], now: Stamp, out: &mut Vec<Event>) {
                for _ in bytes {
                    let id = EventId::new(Family::Auth, &[&self.1.to_be_bytes()], 0);
                    out.push(Event::new(id, "unparsed", now, now, self.0.source(self.1, self.1 + 1)));
                    self.1 += 1;
                }
            }
            fn finish(&mut self, _: Stamp, _: &mut Vec<Event>) {}
            fn next(&self) -> u64 {
                self.1
            }
        }
        Box::new(Bytes(stream, 0))
    }

    #[test]
    fn a_pipe_is_read_to_its_end_packed_or_not() {
        let plain = check(|mut to, stopper| {
            to.write_all(b"some text").expect("it is open");
            // Closing it is its end; the stopper lives on.
            std::mem::forget(stopper);
        });
        assert_eq!((plain.0, plain.1.read[0].bytes), (9, 9));
        let packed = check(|to, stopper| {
            let mut encoder = flate2::write::GzEncoder::new(to, flate2::Compression::fast());
            encoder.write_all(b"some longer text").expect("it is open");
            encoder.finish().expect("it is open");
            std::mem::forget(stopper);
        });
        assert_eq!((packed.0, packed.1.read[0].note.as_deref()), (16, None));
    }

    #[test]
    fn a_silent_pipe_does_not_keep_the_program_from_stopping() {
        let mut held = None;
        let (events, _) = check(|to, stopper| {
            held = Some(to);
            drop(stopper);
        });
        assert_eq!(events, 0);
    }
}
