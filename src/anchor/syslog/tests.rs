//! Receivers that take, refuse, and never answer.

use std::net::UdpSocket as StdUdp;
use std::os::unix::net::UnixDatagram as StdUnix;

use tokio::net::TcpListener;

use super::*;
use crate::anchor::bench::{block_on, signed};

fn server(address: SyslogAddress, framing: Framing) -> SyslogServer {
    SyslogServer::new(&Syslog { address, facility: Facility(10), framing })
}

/// What a log would keep of it.
#[track_caller]
fn assert_kept(message: &[u8], size: u64) {
    let text = String::from_utf8_lossy(message);
    assert!(text.starts_with("<85>1 2026-11-20T12:00:00Z web-1 whodid "), "{text}");
    assert_eq!(oneline::find(message).as_deref(), Some(&*signed(size).note), "{text}");
}

#[test]
fn datagrams_are_one_message_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let socket = StdUnix::bind(&path).expect("a socket");
    let mut unix = server(SyslogAddress::Unix(path), Framing::Lf);
    let listener = StdUdp::bind("127.0.0.1:0").expect("a port");
    let mut udp = server(SyslogAddress::Udp(listener.local_addr().expect("bound").to_string()), Framing::Lf);
    let mut message = [0; 4096];
    block_on(async {
        for size in [3, 4] {
            unix.send(&signed(size)).await.expect("taken");
            let n = socket.recv(&mut message).expect("a datagram");
            assert_kept(&message[..n], size);
            udp.send(&signed(size)).await.expect("taken");
            let n = listener.recv(&mut message).expect("a datagram");
            assert_kept(&message[..n], size);
        }
        assert_eq!(unix.probe().await, Ok(Probe::Good));
        assert!(matches!(udp.probe().await, Ok(Probe::Partly(_))));
    });
}

/// Takes one connection to its end.
async fn taken(listener: &TcpListener) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut stream, _) = listener.accept().await.expect("a connection");
    stream.read_to_end(&mut bytes).await.expect("read");
    bytes
}

#[test]
fn messages_in_a_stream_are_framed() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("bound").to_string();
        let mut counted = server(SyslogAddress::Tcp(at.clone()), Framing::OctetCounting);
        let (signed, _) = (signed(5), ());
        let (sent, bytes) = tokio::join!(counted.send(&signed), taken(&listener));
        sent.expect("taken");
        let (count, message) = bytes.split_at(bytes.iter().position(|b| *b == b' ').expect("a count") + 1);
        assert_eq!(String::from_utf8_lossy(count).trim().parse(), Ok(message.len()));
        assert_kept(message, 5);
        let mut lines = server(SyslogAddress::Tcp(at), Framing::Lf);
        let (sent, bytes) = tokio::join!(lines.send(&signed), taken(&listener));
        sent.expect("taken");
        assert_kept(bytes.strip_suffix(b"\n").expect("a line"), 5);
        assert!(!bytes[..bytes.len() - 1].contains(&b'\n'));
    });
}

#[test]
fn nobody_there_is_an_error() {
    let free = || {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        socket.local_addr().expect("bound").to_string()
    };
    block_on(async {
        for address in [
            SyslogAddress::Tcp(free()),
            SyslogAddress::Udp(free()),
            SyslogAddress::Unix("/no/such/socket".into()),
            SyslogAddress::Tcp("no.such.name.invalid:514".to_owned()),
            SyslogAddress::Udp("no.such.name.invalid:514".to_owned()),
        ] {
            let mut server = server(address, Framing::Lf);
            let sent = server.send(&signed(1)).await;
            assert!(matches!(sent, Err(AnchorError::Io(_))), "{server:?} {sent:?}");
            // Nobody is told of where nobody listens before a datagram is sent there.
            let probed = server.probe().await;
            assert_eq!(
                probed.is_ok(),
                matches!(&server.syslog.address, SyslogAddress::Udp(at) if at.starts_with("127"))
            );
        }
    });
}

/// The system takes the connection, and nobody reads it: that is not taken.
#[test]
fn a_receiver_that_is_stuck_has_taken_nothing() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("bound").to_string();
        let mut server = server(SyslogAddress::Tcp(at), Framing::Lf);
        let signed = signed(1);
        let sent = timeout(Duration::from_millis(200), server.send(&signed)).await;
        assert!(sent.is_err(), "{sent:?}");
        let broken = async {
            // Of those before, and of this one.
            let _first = listener.accept().await.expect("a connection");
            let (stream, _) = listener.accept().await.expect("a connection");
            drop(stream);
        };
        let (sent, ()) = tokio::join!(server.send(&signed), broken);
        assert!(matches!(sent, Err(AnchorError::Io(_))), "closed before it was read: {sent:?}");
    });
}
