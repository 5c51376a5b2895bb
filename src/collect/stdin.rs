//! Standard input: read to its end, packed or not, without keeping the program from stopping.
//!
//! A pipe has no place to go on from: its records are known again by all that came before them.

use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;

use super::content::READ_BYTES;
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
        outlet.say(super::notice::Notice::damaged(outlet.source(), ORIGIN, &problem))?;
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
