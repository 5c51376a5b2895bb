//! Faults in front of a real server, for tests: errors, cut answers and late ones, as somebody plans them.
//!
//! Each request goes to the server behind over a connection of its own, so that an answer can be changed as a whole.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request, as far as a plan may look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query: `/bucket?list-type=2&prefix=…`.
    pub(crate) target: String,
    /// By their names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// How many requests came before it.
    pub(crate) before: usize,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Pass,
    /// The server behind never hears of it.
    Answer {
        status: u16,
        body: String,
    },
    /// The server's answer, but after so many bytes of its body the connection is closed.
    Cut(usize),
    /// The connection is closed without an answer.
    Close,
}

impl Act {
    /// An error as S3 words it.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>a planned fault</Message></Error>");
        Self::Answer { status, body }
    }
}

type Plan = dyn Fn(&Asked) -> Act + Send + Sync;

/// Stands in front of a server until it is dropped.
pub(crate) struct Fault {
    pub(crate) endpoint: String,
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
}

impl Fault {
    /// `behind`: `http://127.0.0.1:1234`.
    pub(crate) fn before(behind: &str, plan: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        let behind = behind.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<Asked>>>::default());
        let (stopped, log, plan) =
            (Arc::clone(&stop), Arc::clone(&asked), Arc::<Plan>::from(Box::new(plan) as Box<Plan>));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (behind, log, plan) = (behind.clone(), Arc::clone(&log), Arc::clone(&plan));
                // A client that goes away in the middle is none of a test's business.
                thread::spawn(move || serve(client, &behind, &log, &*plan).unwrap_or_default());
            }
        });
        Self { endpoint: format!("http://{address}"), address, asked, stop }
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("held shortly").clone()
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(client: TcpStream, behind: &str, log: &Mutex<Vec<Asked>>, plan: &Plan) -> io::Result<()> {
    let mut from = BufReader::new(client.try_clone()?);
    let (line, headers) = head(&mut from)?;
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let mut asked = Asked { method: word(), target: word(), headers, before: 0 };
    let length = header(&asked.headers, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    {
        let mut log = log.lock().expect("held shortly");
        asked.before = log.len();
        log.push(asked.clone());
    }
    match plan(&asked) {
        Act::Close => Ok(()),
        Act::Answer { status, body } => answer(&client, status, &body),
        Act::Pass => pass(&client, behind, &asked, &body, usize::MAX),
        Act::Cut(at) => pass(&client, behind, &asked, &body, at),
    }
}

fn answer(mut client: &TcpStream, status: u16, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(client, "HTTP/1.1 {status} Planned\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// Hands on a request, and at most `body_max` bytes of the answer's body.
fn pass(mut client: &TcpStream, behind: &str, asked: &Asked, body: &[u8], body_max: usize) -> io::Result<()> {
    let mut server = TcpStream::connect(behind)?;
    let Asked { method, target, headers, .. } = asked;
    write!(server, "{method} {target} HTTP/1.1\r\n")?;
    for (name, value) in headers.iter().filter(|(name, _)| name != "connection" && name != "expect") {
        write!(server, "{name}: {value}\r\n")?;
    }
    write!(server, "connection: close\r\n\r\n")?;
    server.write_all(body)?;
    let mut from = BufReader::new(server);
    let (line, headers) = head(&mut from)?;
    write!(client, "{line}\r\n")?;
    for (name, value) in headers.iter().filter(|(name, _)| name != "connection") {
        write!(client, "{name}: {value}\r\n")?;
    }
    write!(client, "connection: close\r\n\r\n")?;
    io::copy(&mut from.take(body_max as u64), &mut client)?;
    Ok(())
}

fn head(from: &mut BufReader<TcpStream>) -> io::Result<(String, Vec<(String, String)>)> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        if from.read_line(&mut header)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match header.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => return Ok((line.trim_end().to_owned(), headers)),
        }
    }
}

/// A header's value.
pub(crate) fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
}
