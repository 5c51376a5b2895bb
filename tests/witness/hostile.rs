//! What strangers send.

use std::net::TcpStream;
use std::time::Instant;

use super::*;

/// A witness of one log, running.
fn host() -> (Place, Host) {
    let (place, host, _) = pair();
    (place, host)
}

#[test]
fn whatever_is_sent_is_answered_and_the_witness_goes_on() {
    let (place, mut host) = host();
    let checkpoint = fs::read_to_string(place.path("data/trail/checkpoint")).expect("a checkpoint");
    let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
    let unknown = "old 0\n\nexample.org/other/trail\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— x AAAAAAA=\n";
    let by_more = checkpoint.replacen("\n\n— ", "\n\n— x AAAAAAA=\n— ", 1);
    let by_another = checkpoint.replacen("\n\n— ", "\n\n— x", 1);
    for (expected, body) in [
        (400, String::new()),
        (400, "old 0\n".to_owned()),
        (400, "\0\0\0\0".to_owned()),
        (400, format!("old 00\n\n{checkpoint}")),
        (400, format!("old 18446744073709551616\n\n{checkpoint}")),
        (400, format!("old 99999999\n\n{checkpoint}")),
        (400, format!("old 0\nnot base64\n\n{checkpoint}")),
        (400, format!("old 0\n{}\n{checkpoint}", hash.repeat(64))),
        (413, format!("old 0\n{}\n{checkpoint}", hash.repeat(10_000))),
        (404, unknown.to_owned()),
        (403, format!("old 0\n\n{by_another}")),
        (422, format!("old 0\n{hash}\n{checkpoint}")),
        (200, format!("old 0\n\n{by_more}")),
        (409, format!("old 1\n\n{checkpoint}")),
    ] {
        let (code, text) = host.post(body.as_bytes());
        assert_eq!(code, expected, "{body:.80}: {text}");
    }
    let (_, text) = host.post(format!("old 1\n\n{checkpoint}").as_bytes());
    assert!(text.to_lowercase().contains("content-type: text/x.tlog.size"), "{text}");
    assert!(text.ends_with(&format!("\r\n\r\n{}\n", signed(&place))), "{text}");
    for (expected, request) in [
        (200, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned()),
        (405, "GET /add-checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned()),
        (404, "GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned()),
        (400, "nonsense\r\n\r\n".to_owned()),
        (431, format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1_000))),
    ] {
        let (code, text) = host.ask(request.as_bytes());
        assert_eq!(code, expected, "{request:.60}: {text}");
    }
    host.stop();
}

#[test]
fn who_is_slow_is_not_waited_for_and_keeps_nobody_out_for_long() {
    let (place, mut host) = host();
    let began = Instant::now();
    let mut slow: Vec<TcpStream> = (0..20)
        .map(|i| {
            let mut stream = TcpStream::connect(&host.address).expect("it listens");
            // Half a head, half a body, nothing at all.
            let half: &[u8] = match i % 3 {
                0 => b"POST /add-checkpoint HTTP/1.1\r\nhost: ",
                1 => b"POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nold",
                _ => b"",
            };
            stream.write_all(half).expect("sent");
            stream
        })
        .collect();
    let checkpoint = fs::read_to_string(place.path("data/trail/checkpoint")).expect("a checkpoint");
    assert_eq!(host.post(format!("old 0\n\n{checkpoint}").as_bytes()).0, 200);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let (code, _) = answer(&mut slow[1]);
    assert!(matches!(code, 0 | 408), "{code}");
    drop(slow);
    host.stop();
}
