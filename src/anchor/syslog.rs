//! One syslog message for each checkpoint (RFC 5424): `trail::oneline` as its text.
//!
//! ```text
//! <85>1 2026-11-20T10:00:00.123456Z web-1 whodid 4711 checkpoint - checkpoint example.org/web-1/… 1841 …
//! ```
//!
//! Syslog acknowledges nothing. Over TCP (RFC 6587) the connection is ended after each message, and the message
//! counts as taken when the receiver ends it too: then it has read all of it. Of a datagram nothing is known but
//! that the system took it, and, on a socket of UDP, that nobody listens.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, lookup_host};
use tokio::time::{sleep, timeout};

use super::{AnchorError, Probe, Signed};
use crate::config::anchor::{Facility, Framing, Syslog, SyslogAddress};
use crate::trail::oneline;

/// Normal, but significant.
const NOTICE: u8 = 5;

/// How long a receiver may take to end the connection after we did.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// How long an answer that nobody listens is waited for; on a local network it is there at once.
const REFUSED_WITHIN: Duration = Duration::from_millis(200);

/// A receiver has nothing to say; what it says is read and dropped, up to here.
const ANSWER_BYTES_MAX: usize = 4_096;

#[derive(Debug)]
pub(super) struct SyslogServer {
    syslog: Syslog,
    /// Kept, because what became of the last datagram is told by the next.
    udp: Option<UdpSocket>,
}

impl SyslogServer {
    pub(super) fn new(syslog: &Syslog) -> Self {
        Self { syslog: syslog.clone(), udp: None }
    }

    pub(super) async fn send(&mut self, signed: &Signed) -> Result<(), AnchorError> {
        let message = message(signed, self.syslog.facility)?;
        match &self.syslog.address {
            SyslogAddress::Unix(path) => unix(path)?.send(message.as_bytes()).await.map(drop).map_err(failed),
            SyslogAddress::Tcp(at) => stream(at, &framed(&message, self.syslog.framing)).await,
            SyslogAddress::Udp(at) => {
                let socket = match self.udp.take() {
                    Some(socket) => socket,
                    None => udp(at).await?,
                };
                datagram(&socket, message.as_bytes()).await?;
                self.udp = Some(socket);
                Ok(())
            }
        }
    }

    pub(super) async fn probe(&mut self) -> Result<Probe, AnchorError> {
        match &self.syslog.address {
            SyslogAddress::Unix(path) => unix(path).map(|_| Probe::Good),
            SyslogAddress::Tcp(at) => TcpStream::connect(at).await.map(|_| Probe::Good).map_err(failed),
            SyslogAddress::Udp(at) => {
                udp(at).await?;
                Ok(Probe::Partly("nobody says whether a datagram arrives".to_owned()))
            }
        }
    }
}

fn message(signed: &Signed, facility: Facility) -> Result<String, AnchorError> {
    let line = oneline::write(&signed.note).ok_or(AnchorError::NoLine)?;
    // `<org>/<host>/<trail id>`
    let host = signed.checkpoint.origin.split('/').nth(1).unwrap_or("-");
    let (priority, pid) = (u32::from(facility.0) * 8 + u32::from(NOTICE), std::process::id());
    Ok(format!("<{priority}>1 {} {host} whodid {pid} checkpoint - {line}", signed.at))
}

fn framed(message: &str, framing: Framing) -> String {
    match framing {
        Framing::OctetCounting => format!("{} {message}", message.len()),
        Framing::Lf => format!("{message}\n"),
    }
}

fn unix(path: &Path) -> Result<UnixDatagram, AnchorError> {
    let socket = UnixDatagram::unbound().map_err(failed)?;
    socket.connect(path).map_err(failed)?;
    Ok(socket)
}

async fn udp(at: &str) -> Result<UdpSocket, AnchorError> {
    let nowhere = || AnchorError::Io("the name has no address".to_owned());
    let address = lookup_host(at).await.map_err(failed)?.next().ok_or_else(nowhere)?;
    let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await.map_err(failed)?;
    socket.connect(address).await.map_err(failed)?;
    Ok(socket)
}

/// The error may be that of the datagram before, which is as good a reason to send again.
async fn datagram(socket: &UdpSocket, message: &[u8]) -> Result<(), AnchorError> {
    socket.send(message).await.map_err(failed)?;
    match timeout(REFUSED_WITHIN, socket.recv(&mut [0; 1])).await {
        Ok(Err(error)) => Err(failed(error)),
        _ => Ok(()),
    }
}

async fn stream(at: &str, bytes: &str) -> Result<(), AnchorError> {
    let mut stream = TcpStream::connect(at).await.map_err(failed)?;
    stream.write_all(bytes.as_bytes()).await.map_err(failed)?;
    stream.shutdown().await.map_err(failed)?;
    match timeout(CLOSED_WITHIN, until_closed(&mut stream)).await {
        Ok(closed) => closed.map_err(failed)?,
        Err(_) => return Err(AnchorError::NotClosed(CLOSED_WITHIN)),
    }
    // One that ended it before the message came, as a receiver with too many connections does, says so now.
    sleep(REFUSED_WITHIN).await;
    stream.take_error().map_err(failed)?.map_or(Ok(()), |error| Err(failed(error)))
}

async fn until_closed(stream: &mut TcpStream) -> io::Result<()> {
    let (mut answer, mut bytes) = ([0; 512], 0);
    loop {
        match stream.read(&mut answer).await? {
            0 => return Ok(()),
            n if bytes + n > ANSWER_BYTES_MAX => return Err(io::Error::other("it answers, which no syslog does")),
            n => bytes += n,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: io::Error) -> AnchorError {
    AnchorError::Io(error.to_string())
}

#[cfg(test)]
mod tests;
