//! Records that are handed over one by one: by the local socket while the writer runs, from the spool folder
//! when it did not.
//!
//! Anybody on the machine may hand over anything. So every length, number and time has a bound, each user
//! has a share of their own ([`gate`]), and who it was is what the kernel says ([`peer`]), never what the text does.
//!
//! Invariant: a record is answered, and a file of the spool deleted, only when its event is durable.

mod gate;
mod peer;
mod socket;
mod spool;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::{oneshot, watch as signal};
use tokio::time::{Instant, sleep_until};

use super::Mode;
use super::outlet::{Closed, Outlet};
use super::setting::Setting;
use super::wire::Wire;
use crate::config::Intake;
use crate::sources::run_record::Sender;
use peer::Names;
use socket::Listener;
use spool::Spool;

/// Records of one sender that came together.
pub(super) struct Delivery {
    sender: Arc<Sender>,
    lines: Vec<Vec<u8>>,
    done: oneshot::Sender<()>,
}

/// More wait in their connections, each with at most one delivery.
const DELIVERIES_MAX: usize = 64;

/// What goes to the writer at once.
const RECORDS_TOGETHER: usize = 1_000;

/// How often the spool is looked at: what waits there has missed its moment already.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A folder that takes long to look at is looked at so much more rarely.
const REST_FACTOR: u32 = 20;

enum Next {
    Stop,
    Delivery(Delivery),
    Look,
}

pub(super) fn read(
    setting: &Setting,
    intake: &Intake,
    mode: Mode,
    wire: Wire,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let Wire { runtime, mut shutdown } = wire;
    let mut spool = Spool::new(&intake.spool, setting);
    if mode != Mode::Follow {
        return spool.drain(&runtime, &mut shutdown, outlet);
    }
    spool.prepare(outlet)?;
    let (tx, mut deliveries) = mpsc::channel(DELIVERIES_MAX);
    let origin = intake.socket.to_string_lossy();
    // Kept, so that the channel stays open where nobody can listen.
    let _tx = tx.clone();
    match runtime.block_on(async { Listener::open(&intake.socket) }) {
        Ok(listener) => {
            outlet.works(&origin)?;
            runtime.spawn(listener.attend(tx, shutdown.clone()));
        }
        Err(error) => outlet.failed(&origin, &error.to_string())?,
    }
    let mut look_at = Instant::now();
    loop {
        match runtime.block_on(next(&mut deliveries, look_at, &mut shutdown)) {
            Next::Stop => return Ok(()),
            Next::Delivery(first) => take(first, &mut deliveries, setting, outlet)?,
            Next::Look => {
                let began = Instant::now();
                let took = spool.round(&runtime, &mut shutdown, outlet)?;
                outlet.progress.drained(setting.name());
                let rest = LOOK_EVERY.max(began.elapsed() * REST_FACTOR);
                look_at = if took > 0 { Instant::now() } else { Instant::now() + rest };
            }
        }
    }
}

async fn next(deliveries: &mut Receiver<Delivery>, look_at: Instant, shutdown: &mut signal::Receiver<bool>) -> Next {
    tokio::select! {
        biased;
        // An error means that whoever could tell is gone: the program is stopping.
        _ = shutdown.wait_for(|stop| *stop) => Next::Stop,
        () = sleep_until(look_at) => Next::Look,
        Some(delivery) = deliveries.recv() => Next::Delivery(delivery),
    }
}

/// Hands on what has arrived.
fn take(
    first: Delivery,
    deliveries: &mut Receiver<Delivery>,
    setting: &Setting,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let (mut events, mut waiting) = (Vec::new(), Vec::new());
    let mut next = Some(first);
    while let Some(Delivery { sender, lines, done }) = next {
        let now = outlet.clock.now();
        events.extend(lines.iter().map(|line| setting.received(line, &sender, now)));
        waiting.push(done);
        next = if events.len() < RECORDS_TOGETHER { deliveries.try_recv().ok() } else { None };
    }
    outlet.hand_over(events, waiting)
}
